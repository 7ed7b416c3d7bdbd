//! One call into plugin code: a fresh instance with its limits, gone when the answer is out.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::Instance;
use wasmtime::{ResourceLimiter, Store, Trap, UpdateDeadline};

use super::Plugin;
use super::bindings::host::stoa::plugin::types::{RecordId as WitId, Refusal};
use super::breaker::Turn;
use super::engine::TICK;
use super::imports::sql::Open;
use super::limits::Limits;
use super::refusal::refused;
use super::usage::{self, CallKind, Spent};
use crate::clock::UnixMillis;
use crate::ids::RecordId;
use crate::records::plugin_sql;
use crate::records::schema::Module;
use crate::records::tx::Tx;
use crate::records::{RecordError, Records, Scope};
use crate::storage::{Connection, PluginMode};

/// Most bytes that one host call may bring along.
const HOST_CALL_BYTES: usize = 4 << 20;

/// On what the plugin stands while it runs.
#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "one of them per call; a box would be one more allocation")]
pub(super) enum Ground {
    /// A write transaction.
    Write(Box<Tx>),
    /// A snapshot.
    Read { engine: Records, conn: Rc<Connection>, scope: Scope, module: Arc<Module>, now: UnixMillis },
}

impl Ground {
    /// The snapshot of a connection, as the caller may see it.
    pub(super) fn read(engine: &Records, scope: &Scope, module: &Arc<Module>, conn: &Rc<Connection>) -> Self {
        let (module, conn) = (Arc::clone(module), Rc::clone(conn));
        Self::Read { engine: engine.clone(), conn, scope: scope.clone(), module, now: engine.now() }
    }
}

/// What belongs to one call. The guest can name none of it.
pub(super) struct State {
    pub(super) plugin: Arc<Plugin>,
    pub(super) ground: Ground,
    pub(super) table: wasmtime::component::ResourceTable,
    /// The cursors in it.
    pub(super) open: Open,
    /// The last line that was logged as an error: what a panic said.
    pub(super) last_error: Option<String>,
    started: Instant,
    limits: Limits,
    kind: CallKind,
    ticks: u32,
    host_calls: u32,
    log_bytes: usize,
    memory: Memory,
    stopped: Option<Stopped>,
}

/// Why the host ended a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stopped {
    Cpu,
    Wall,
    Memory,
    HostCalls,
}

impl Stopped {
    const fn code(self) -> &'static str {
        match self {
            Self::Cpu => "plugin_cpu_limit",
            Self::Wall => "plugin_time_limit",
            Self::Memory => "plugin_memory_limit",
            Self::HostCalls => "plugin_host_call_limit",
        }
    }

    const fn detail(self) -> &'static str {
        match self {
            Self::Cpu => "it used more processor time than one call may",
            Self::Wall => "it took longer than one call may",
            Self::Memory => "it asked for more memory than one call may have",
            Self::HostCalls => "it called the host more often than one call may",
        }
    }
}

/// The call's memory limit, and whether it was reached: a guest that is refused memory only says "unreachable".
struct Memory {
    limit: usize,
    refused: bool,
    most: usize,
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.refused |= desired > self.limit;
        self.most = self.most.max(desired.min(self.limit));
        Ok(desired <= self.limit)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= 20_000)
    }
}

impl Ground {
    const fn engine(&self) -> &Records {
        match self {
            Self::Write(tx) => &tx.engine,
            Self::Read { engine, .. } => engine,
        }
    }

    fn scope(&self) -> &Scope {
        match self {
            Self::Write(tx) => &tx.scope,
            Self::Read { scope, .. } => scope,
        }
    }
}

impl State {
    pub(super) fn conn(&self) -> &Rc<Connection> {
        match &self.ground {
            Ground::Write(tx) => &tx.conn,
            Ground::Read { conn, .. } => conn,
        }
    }

    pub(super) const fn engine(&self) -> &Records {
        self.ground.engine()
    }

    pub(super) fn scope(&self) -> &Scope {
        self.ground.scope()
    }

    pub(super) fn module(&self) -> &Arc<Module> {
        match &self.ground {
            Ground::Write(tx) => &tx.module,
            Ground::Read { module, .. } => module,
        }
    }

    pub(super) const fn now(&self) -> UnixMillis {
        match &self.ground {
            Ground::Write(tx) => tx.now,
            Ground::Read { now, .. } => *now,
        }
    }

    /// How plugin SQL runs here: on a snapshot the caller's rows only.
    pub(super) const fn sql_mode(&self) -> PluginMode {
        match self.ground {
            Ground::Write(_) => PluginMode::AsPlugin,
            Ground::Read { .. } => PluginMode::AsCaller,
        }
    }

    pub(super) fn remaining(&self) -> Duration {
        self.limits.wall(self.kind).saturating_sub(self.started.elapsed())
    }

    /// Counts a host call.
    ///
    /// # Errors
    /// Too many, or too late: ends the guest.
    pub(super) fn enter(&mut self) -> wasmtime::Result<()> {
        self.host_calls += 1;
        if self.host_calls > self.limits.host_calls {
            self.stopped = Some(Stopped::HostCalls);
        } else if self.remaining().is_zero() {
            self.stopped = Some(Stopped::Wall);
        } else {
            return Ok(());
        }
        Err(wasmtime::format_err!("limit of the call"))
    }

    /// The most that a result of its SQL may have.
    pub(super) const fn result_most(&self) -> plugin_sql::Most {
        plugin_sql::Most { rows: self.limits.rows, bytes: self.limits.result() }
    }

    /// Room for a log line of this many bytes.
    pub(super) fn log_room(&mut self, bytes: usize) -> bool {
        self.log_bytes += bytes;
        self.log_bytes <= self.limits.log()
    }

    fn tick(&mut self) -> UpdateDeadline {
        self.ticks += 1;
        if TICK * self.ticks > self.limits.cpu(self.kind) {
            self.stopped = Some(Stopped::Cpu);
        } else if self.remaining().is_zero() {
            self.stopped = Some(Stopped::Wall);
        } else {
            return UpdateDeadline::Continue(1);
        }
        UpdateDeadline::Interrupt
    }
}

/// Runs `f` on a fresh instance of the plugin, unless it failed too often in this organization.
///
/// # Errors
/// What the plugin refused, [`RecordError::Plugin`] when it failed or was stopped, [`RecordError::PluginPaused`]. The
/// instance is gone in any case.
pub(super) fn run<T>(
    plugin: &Arc<Plugin>,
    ground: Ground,
    kind: CallKind,
    f: impl FnOnce(&mut Store<State>, &Instance) -> wasmtime::Result<Result<T, Refusal>>,
) -> Result<T, RecordError> {
    let (engine, organization) = (ground.engine().clone(), ground.scope().organization.id);
    let watch = plugin.watches.of(organization, plugin);
    // Asked without taking: a trial that is taken here and refused there would be lost.
    if let Some(until) = plugin.fleet.shut_until(engine.now()) {
        watch.refused(kind);
        return Err(paused(plugin, until - engine.now()));
    }
    let admitted = watch.admit(kind, engine.now()).map_err(|wait| paused(plugin, wait))?;
    let everywhere = plugin.fleet.admit(engine.now()).map_err(|wait| {
        watch.refused(kind);
        paused(plugin, wait)
    })?;
    let (before, began) = (usage::thread_cpu(), Instant::now());
    let (outcome, spent) = on_an_instance(plugin, ground, kind, f);
    let spent = Spent { cpu: usage::thread_cpu().saturating_sub(before), wall: began.elapsed(), ..spent };
    let (id, version) = (&plugin.manifest.id, &plugin.manifest.version);
    match watch.ended(kind, engine.now(), admitted, &spent) {
        Some(Turn::Opened(pause)) => {
            tracing::error!(plugin = %id, %version, %organization, pause, "plugin failed too often and is paused here");
        }
        Some(Turn::Closed) => tracing::info!(plugin = %id, %version, %organization, "plugin is called again"),
        None => {}
    }
    match plugin.fleet.ended(engine.now(), everywhere, spent.failed, organization) {
        Some(Turn::Opened(pause)) => {
            tracing::error!(plugin = %id, %version, pause, "a version failed in many organizations and is paused in all");
        }
        Some(Turn::Closed) => tracing::info!(plugin = %id, %version, "a version is called again everywhere"),
        None => {}
    }
    outcome
}

/// The answer to a call that is not made for so long.
fn paused(plugin: &Plugin, wait: UnixMillis) -> RecordError {
    RecordError::PluginPaused {
        plugin: plugin.manifest.id.to_string(),
        seconds: u32::try_from((wait + 999) / 1_000).unwrap_or(u32::MAX),
    }
}

/// What the call answered, and what the instance used of it.
fn on_an_instance<T>(
    plugin: &Arc<Plugin>,
    ground: Ground,
    kind: CallKind,
    f: impl FnOnce(&mut Store<State>, &Instance) -> wasmtime::Result<Result<T, Refusal>>,
) -> (Result<T, RecordError>, Spent) {
    let limits = plugin.manifest.limits;
    let state = State {
        plugin: Arc::clone(plugin),
        ground,
        table: wasmtime::component::ResourceTable::new(),
        open: Open::default(),
        last_error: None,
        started: Instant::now(),
        limits,
        kind,
        ticks: 0,
        host_calls: 0,
        log_bytes: 0,
        memory: Memory { limit: limits.memory(), refused: false, most: 0 },
        stopped: None,
    };
    let mut store = Store::new(plugin.component.engine(), state);
    store.limiter(|state| &mut state.memory);
    store.set_hostcall_fuel(HOST_CALL_BYTES);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut store| Ok(store.data_mut().tick()));
    let outcome = plugin.component.instantiate(&mut store).and_then(|instance| f(&mut store, &instance));
    let state = store.data();
    let spent = Spent {
        failed: outcome.is_err(),
        host_calls: state.host_calls,
        memory: state.memory.most,
        ..Spent::default()
    };
    let answered = match outcome {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(refusal)) => Err(refused(plugin, refusal)),
        Err(error) => Err(ended(plugin, state, &error)),
    };
    (answered, spent)
}

/// An error of the guest, classified.
fn ended(plugin: &Plugin, state: &State, error: &wasmtime::Error) -> RecordError {
    let trap = error.downcast_ref::<Trap>();
    let stopped = state.stopped.or(state.memory.refused.then_some(Stopped::Memory));
    let (code, detail) = match (stopped, trap, &state.last_error) {
        (Some(stopped), _, _) => (stopped.code(), stopped.detail().to_owned()),
        (None, Some(Trap::StackOverflow), _) => ("plugin_stack_limit", "its stack overflowed".to_owned()),
        (None, Some(Trap::UnreachableCodeReached), Some(_)) => {
            ("plugin_panicked", "it panicked; its author finds the message in the log".to_owned())
        }
        _ => ("plugin_trapped", "it ended abnormally".to_owned()),
    };
    let said = state.last_error.as_deref().unwrap_or_default();
    tracing::error!(plugin = %plugin.manifest.id, version = %plugin.manifest.version, code, said, error = format!("{error:#}"), "plugin call ended");
    RecordError::Plugin { plugin: plugin.manifest.id.to_string(), code, detail }
}

/// The contract's form of an id.
pub(super) fn to_wit(id: RecordId) -> WitId {
    let bytes = u128::from_be_bytes(*id.as_bytes());
    #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
    WitId { high: (bytes >> 64) as u64, low: bytes as u64 }
}

/// An id out of the contract's form.
pub(super) fn from_wit(id: WitId) -> RecordId {
    RecordId::from_bytes(((u128::from(id.high) << 64) | u128::from(id.low)).to_be_bytes())
}
