//! What plugins use, counted for each organization and version since the start of the process, and their breakers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cpu_time::ThreadTime;
use dashmap::DashMap;

use super::Plugin;
use super::breaker::{Admission, Breaker, Turn};
use crate::clock::UnixMillis;
use crate::ids::OrganizationId;

/// What kind of call it is; limits and figures go by it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum CallKind {
    /// A hook of a record.
    Hook,
    /// An action.
    Action,
    /// A report.
    Report,
}

impl CallKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Hook, Self::Action, Self::Report];

    /// The word in figures.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hook => "hook",
            Self::Action => "action",
            Self::Report => "report",
        }
    }
}

/// What calls of one kind used.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Used {
    /// Calls that were made.
    pub calls: u64,
    /// Those of them that the host had to end, or that ended abnormally.
    pub failures: u64,
    /// Calls that were not made because too many had failed.
    pub refused: u64,
    /// Processor time of guest and host for them.
    pub cpu: Duration,
    /// Time altogether, waiting included.
    pub wall: Duration,
    /// Calls of the host.
    pub host_calls: u64,
    /// Most memory of one call, in bytes.
    pub memory: u64,
    /// Most of each in one call.
    pub most: Most,
}

impl Used {
    /// What was added since this was `before`; the greatest stay as they are.
    pub(super) const fn since(self, before: &Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(before.calls),
            failures: self.failures.saturating_sub(before.failures),
            refused: self.refused.saturating_sub(before.refused),
            cpu: self.cpu.saturating_sub(before.cpu),
            wall: self.wall.saturating_sub(before.wall),
            host_calls: self.host_calls.saturating_sub(before.host_calls),
            ..self
        }
    }
}

/// The most that one call used.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Most {
    /// Processor time of guest and host for it.
    pub cpu: Duration,
    /// Time altogether.
    pub wall: Duration,
    /// Calls of the host.
    pub host_calls: u64,
}

/// What a plugin used in an organization.
#[derive(Clone, Debug)]
pub struct PluginUsage {
    /// Whose records.
    pub organization: OrganizationId,
    /// The plugin's id.
    pub plugin: Arc<str>,
    /// Its version.
    pub version: Arc<str>,
    /// By kind, in the order of [`CallKind::ALL`].
    pub used: [Used; 3],
    /// Until when it is not called, because too many calls failed.
    pub paused_until: Option<UnixMillis>,
}

/// What one call used.
#[derive(Debug, Default)]
pub(super) struct Spent {
    pub(super) failed: bool,
    pub(super) cpu: Duration,
    pub(super) wall: Duration,
    pub(super) host_calls: u32,
    pub(super) memory: usize,
}

#[derive(Default)]
struct Counters {
    calls: AtomicU64,
    failures: AtomicU64,
    refused: AtomicU64,
    cpu: AtomicU64,
    wall: AtomicU64,
    host_calls: AtomicU64,
    memory: AtomicU64,
    most_cpu: AtomicU64,
    most_wall: AtomicU64,
    most_host_calls: AtomicU64,
}

/// A plugin version in an organization.
#[derive(Default)]
pub(super) struct Watch {
    breaker: Mutex<Breaker>,
    counters: [Counters; 3],
}

/// All of them. An entry takes a few hundred bytes and stays.
#[derive(Default)]
pub(super) struct Watches(DashMap<Key, Arc<Watch>>);

#[derive(Clone, Eq, Hash, PartialEq)]
struct Key {
    organization: OrganizationId,
    plugin: Arc<str>,
    version: Arc<str>,
}

impl Watches {
    pub(super) fn of(&self, organization: OrganizationId, plugin: &Plugin) -> Arc<Watch> {
        let key = Key {
            organization,
            plugin: Arc::clone(&plugin.manifest.id),
            version: Arc::clone(&plugin.manifest.version),
        };
        if let Some(watch) = self.0.get(&key) {
            return Arc::clone(&watch);
        }
        Arc::clone(&self.0.entry(key).or_default())
    }

    /// Everything, of one organization or of all, by organization, plugin and version.
    pub(super) fn usage(&self, organization: Option<OrganizationId>, now: UnixMillis) -> Vec<PluginUsage> {
        let wanted = |key: &Key| organization.is_none_or(|one| one == key.organization);
        let entries = self.0.iter().filter(|entry| wanted(entry.key()));
        let mut all: Vec<PluginUsage> = entries
            .map(|entry| PluginUsage {
                organization: entry.key().organization,
                plugin: Arc::clone(&entry.key().plugin),
                version: Arc::clone(&entry.key().version),
                used: entry.value().counters.each_ref().map(Counters::read),
                paused_until: entry.value().breaker().shut_until(now),
            })
            .collect();
        all.sort_by(|a, b| {
            (a.organization, &a.plugin, &a.version).cmp(&(b.organization, &b.plugin, &b.version))
        });
        all
    }
}

impl Watch {
    /// Whether a call may be made now.
    ///
    /// # Errors
    /// The time until one may be tried.
    pub(super) fn admit(&self, kind: CallKind, now: UnixMillis) -> Result<Admission, UnixMillis> {
        self.breaker().admit(now).inspect_err(|_| self.refused(kind))
    }

    /// Counts a call that is not made.
    pub(super) fn refused(&self, kind: CallKind) {
        self.counters_of(kind).refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a call that was let through and has ended.
    pub(super) fn ended(
        &self,
        kind: CallKind,
        now: UnixMillis,
        admitted: Admission,
        spent: &Spent,
    ) -> Option<Turn> {
        let counters = self.counters_of(kind);
        counters.calls.fetch_add(1, Ordering::Relaxed);
        counters.failures.fetch_add(u64::from(spent.failed), Ordering::Relaxed);
        counters.cpu.fetch_add(micros(spent.cpu), Ordering::Relaxed);
        counters.wall.fetch_add(micros(spent.wall), Ordering::Relaxed);
        counters.host_calls.fetch_add(spent.host_calls.into(), Ordering::Relaxed);
        counters.memory.fetch_max(spent.memory as u64, Ordering::Relaxed);
        counters.most_cpu.fetch_max(micros(spent.cpu), Ordering::Relaxed);
        counters.most_wall.fetch_max(micros(spent.wall), Ordering::Relaxed);
        counters.most_host_calls.fetch_max(spent.host_calls.into(), Ordering::Relaxed);
        self.breaker().ended(now, admitted, spent.failed)
    }

    const fn counters_of(&self, kind: CallKind) -> &Counters {
        let [hooks, actions, reports] = &self.counters;
        match kind {
            CallKind::Hook => hooks,
            CallKind::Action => actions,
            CallKind::Report => reports,
        }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counters {
    fn read(&self) -> Used {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Used {
            calls: read(&self.calls),
            failures: read(&self.failures),
            refused: read(&self.refused),
            cpu: Duration::from_micros(read(&self.cpu)),
            wall: Duration::from_micros(read(&self.wall)),
            host_calls: read(&self.host_calls),
            memory: read(&self.memory),
            most: Most {
                cpu: Duration::from_micros(read(&self.most_cpu)),
                wall: Duration::from_micros(read(&self.most_wall)),
                host_calls: read(&self.most_host_calls),
            },
        }
    }
}

pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The processor time of this thread so far.
pub(super) fn thread_cpu() -> Duration {
    ThreadTime::try_now().map_or(Duration::ZERO, |time| time.as_duration())
}
