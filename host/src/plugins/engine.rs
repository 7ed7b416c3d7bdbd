//! The one wasmtime engine: pooled instances, interruption by epochs, nothing that we do not test.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::error::PluginError;
use super::package::Trust;
use crate::ids::OrganizationId;

/// The engine's heartbeat: the unit in which guest CPU is charged.
pub(super) const TICK: Duration = Duration::from_millis(5);
/// Calls from outside that run at the same time; the others wait.
const CALLS: usize = 16;
/// How many of them one organization may have.
const SHARE: usize = 12;
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
        // The most that any manifest may ask for; each call has what its own does.
        .max_memory_size(Trust::Core.limits().memory())
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

/// Lets a bounded number of calls in at a time, one organization after the other. Nested calls are inside one that was let
/// in and do not ask again.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<(Mutex<Turns>, Condvar)>);

/// Who is in and who waits.
#[derive(Debug)]
struct Turns {
    free: usize,
    /// How many places each organization has.
    held: HashMap<OrganizationId, usize>,
    /// Who waits, by organization; the first one is next.
    lines: VecDeque<(OrganizationId, VecDeque<u64>)>,
    /// Whoever was let in and has not noticed yet.
    admitted: HashSet<u64>,
    numbers: u64,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            free: CALLS,
            held: HashMap::new(),
            lines: VecDeque::new(),
            admitted: HashSet::new(),
            numbers: 0,
        }
    }
}

impl Turns {
    /// Somebody comes; answers their number.
    fn come(&mut self, organization: OrganizationId) -> u64 {
        self.numbers += 1;
        match self.lines.iter_mut().find(|(of, _)| *of == organization) {
            Some((_, line)) => line.push_back(self.numbers),
            None => self.lines.push_back((organization, VecDeque::from([self.numbers]))),
        }
        self.admit();
        self.numbers
    }

    fn leave(&mut self, organization: OrganizationId) {
        self.free += 1;
        if let Some(held) = self.held.get_mut(&organization) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(&organization);
            }
        }
        self.admit();
    }

    /// Lets in whoever there is room for, one of each organization in turn.
    fn admit(&mut self) {
        while self.free > 0 {
            let held = &self.held;
            let may = |(of, _): &(OrganizationId, _)| held.get(of).copied().unwrap_or_default() < SHARE;
            let next = self.lines.iter().position(may).and_then(|at| self.lines.remove(at));
            let Some((organization, mut line)) = next else { return };
            self.admitted.extend(line.pop_front());
            self.free -= 1;
            *self.held.entry(organization).or_default() += 1;
            if !line.is_empty() {
                self.lines.push_back((organization, line));
            }
        }
    }
}

impl Gate {
    /// Waits on this thread, which must not be an async worker, until it is this organization's turn.
    pub(super) fn enter(&self, organization: OrganizationId) -> Pass {
        let (turns, moved) = &*self.0;
        let mut turns = turns.lock().unwrap_or_else(PoisonError::into_inner);
        let number = turns.come(organization);
        let waits = |turns: &mut Turns| !turns.admitted.remove(&number);
        drop(moved.wait_while(turns, waits).unwrap_or_else(PoisonError::into_inner));
        Pass { gate: self.clone(), organization }
    }
}

/// A place inside the gate.
pub(super) struct Pass {
    gate: Gate,
    organization: OrganizationId,
}

impl Drop for Pass {
    fn drop(&mut self) {
        let (turns, moved) = &*self.gate.0;
        turns.lock().unwrap_or_else(PoisonError::into_inner).leave(self.organization);
        moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::{CALLS, OrganizationId, SHARE, Turns};

    #[test]
    fn one_organization_never_has_all_places_and_others_come_in_turn() {
        let (busy, other, third) = (OrganizationId::new(), OrganizationId::new(), OrganizationId::new());
        let mut turns = Turns::default();
        let first: Vec<u64> = (0..100).map(|_| turns.come(busy)).collect();
        assert_eq!(turns.admitted.len(), SHARE);
        let late: Vec<u64> = (0..CALLS).map(|_| turns.come(other)).collect();
        assert_eq!(turns.admitted.len(), CALLS);
        let last = turns.come(third);
        turns.admitted.clear();
        // Places are given to one after the other, not to whoever waits longest.
        turns.leave(busy);
        turns.leave(busy);
        turns.leave(busy);
        let mut admitted: Vec<u64> = turns.admitted.drain().collect();
        admitted.sort_unstable();
        assert_eq!(admitted, [first[SHARE], late[CALLS - SHARE], last]);
    }

    #[test]
    fn whoever_leaves_leaves_nothing_behind() {
        let mut turns = Turns::default();
        let organizations: Vec<_> = (0..50).map(|_| OrganizationId::new()).collect();
        for organization in &organizations {
            turns.come(*organization);
        }
        for organization in &organizations {
            turns.leave(*organization);
        }
        assert!(turns.held.is_empty() && turns.lines.is_empty());
        assert_eq!((turns.free, turns.admitted.len()), (CALLS, 50));
    }
}
