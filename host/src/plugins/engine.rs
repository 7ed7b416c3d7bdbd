//! The one wasmtime engine: pooled instances, interruption by epochs, nothing that we do not test.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::error::PluginError;

/// The engine's heartbeat: the unit in which guest CPU is charged.
pub(super) const TICK: Duration = Duration::from_millis(5);
/// Most memory of one call.
pub(super) const MEMORY: usize = 64 << 20;
/// Calls from outside that run at the same time; the others wait.
const CALLS: usize = 16;
/// Instances in the pool: each call from outside may nest as deep as the record engine lets it.
const INSTANCES: u32 = 16 * (crate::records::tx::MAX_DEPTH as u32 + 1);

/// What machine code depends on: one function for the compiler and for who runs it, so that both always agree.
fn code() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .concurrency_support(false)
        .memory_init_cow(true)
        .max_wasm_stack(512 << 10)
        .wasm_memory64(false)
        .wasm_multi_memory(false);
    config
}

/// An engine that compiles and runs nothing: no pool, which would reserve what a limited process may not have, and one
/// thread.
pub(super) fn compiler() -> Result<Engine, PluginError> {
    let mut config = code();
    config.parallel_compilation(false);
    Engine::new(&config).map_err(|error| PluginError::Engine(error.to_string()))
}

/// The configuration with which components run.
fn config() -> Config {
    let mut config = code();
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(INSTANCES)
        .total_core_instances(8 * INSTANCES)
        .total_memories(INSTANCES)
        .total_tables(4 * INSTANCES)
        .max_memories_per_component(1)
        .max_core_instances_per_component(8)
        .max_tables_per_component(4)
        .max_memory_size(MEMORY)
        .table_elements(20_000)
        .max_component_instance_size(1 << 20)
        .max_core_instance_size(256 << 10)
        .linear_memory_keep_resident(512 << 10)
        .table_keep_resident(16 << 10)
        .pagemap_scan(Enabled::Auto)
        .max_unused_warm_slots(INSTANCES);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// Makes the engine and starts its ticker, a thread that ends with the engine.
pub(super) fn start() -> Result<Engine, PluginError> {
    let engine = Engine::new(&config()).map_err(|error| PluginError::Engine(error.to_string()))?;
    let weak = engine.weak();
    let ticker = std::thread::Builder::new().name("plugin-ticker".into()).spawn(move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    });
    ticker.map_err(|error| PluginError::Engine(error.to_string()))?;
    Ok(engine)
}

/// Lets a bounded number of calls in at a time. Nested calls are inside one that was let in and do not ask again.
#[derive(Clone)]
pub(super) struct Gate(Arc<(Mutex<usize>, Condvar)>);

impl Gate {
    pub(super) fn new() -> Self {
        Self(Arc::new((Mutex::new(CALLS), Condvar::new())))
    }

    /// Waits on this thread, which must not be an async worker, until there is room.
    pub(super) fn enter(&self) -> Pass {
        let (free, freed) = &*self.0;
        let free = free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Pass(Arc::clone(&self.0))
    }
}

/// A place inside the gate.
pub(super) struct Pass(Arc<(Mutex<usize>, Condvar)>);

impl Drop for Pass {
    fn drop(&mut self) {
        let (free, freed) = &*self.0;
        *free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        freed.notify_one();
    }
}
