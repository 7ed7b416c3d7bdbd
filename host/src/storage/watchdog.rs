//! Statements that nothing stops: they are counted and reported while they run.
//!
//! A deadline ends a statement through SQLite's progress handler, which is asked between steps. What sits inside one step,
//! or is being compiled, is not ended; the measures of `confine.rs` and the check at installation are there so that this does
//! not happen. Should it happen, an operator must hear of it before the statement ends, if it ever does.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::broadcast::{self, error::RecvError};

use super::confine::Watch;
use crate::ids::OrganizationId;

/// How often is looked.
const ROUND: Duration = Duration::from_millis(500);
/// How many times its allowance a statement of a plugin may take before it is reported.
pub(super) const PATIENCE: u32 = 10;
/// And how long at least: at the end of a call a statement may be allowed a millisecond, and a machine may stand still so long.
pub(super) const LEAST: Duration =
    if cfg!(test) { Duration::from_millis(10) } else { Duration::from_secs(2) };

/// Alarms that are kept for whoever has not listened yet; there are hardly ever any.
const KEPT: usize = 16;

/// All connections of the process's files.
pub(super) struct Watchdog {
    watched: Mutex<Vec<Weak<Watch>>>,
    overdue: AtomicU64,
    alarm: broadcast::Sender<Arc<str>>,
}

/// Tells where statements were found that nothing ends.
pub struct Alarms(broadcast::Receiver<Arc<str>>);

impl Alarms {
    /// Waits for the next one: in whose file of which name, which is the plugin's id. `None`: there will be no other.
    pub async fn next(&mut self) -> Option<(OrganizationId, String)> {
        loop {
            match self.0.recv().await {
                Ok(file) => {
                    if let Some(owner) = owner(Path::new(&*file)) {
                        return Some(owner);
                    }
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

/// `…/<organization>/<name>.sqlite`.
fn owner(file: &Path) -> Option<(OrganizationId, String)> {
    let organization = file.parent()?.file_name()?.to_str()?.parse().ok()?;
    Some((organization, file.file_stem()?.to_str()?.to_owned()))
}

impl Default for Watchdog {
    fn default() -> Self {
        Self { watched: Mutex::default(), overdue: AtomicU64::default(), alarm: broadcast::Sender::new(KEPT) }
    }
}

impl Watchdog {
    /// A watchdog that looks by itself as long as it is held.
    pub(super) fn start() -> Arc<Self> {
        let watchdog = Arc::new(Self::default());
        let weak = Arc::downgrade(&watchdog);
        let rounds = move || {
            while let Some(watchdog) = weak.upgrade() {
                watchdog.look();
                drop(watchdog);
                std::thread::sleep(ROUND);
            }
        };
        if let Err(error) = std::thread::Builder::new().name("stoa-watchdog".into()).spawn(rounds) {
            tracing::error!(%error, "nobody looks for statements that outlive their deadline");
        }
        watchdog
    }

    /// Watches one more connection, until it is closed.
    pub(super) fn watch(&self, connection: &Arc<Watch>) {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(connection));
    }

    /// Tells of those that are found from now on.
    pub(super) fn alarms(&self) -> Alarms {
        Alarms(self.alarm.subscribe())
    }

    /// How many statements were found that outlived their deadline by far.
    pub(super) fn overdue(&self) -> u64 {
        self.overdue.load(Ordering::Relaxed)
    }

    /// Looks once at all connections and forgets those that are closed.
    pub(super) fn look(&self) {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).retain(|watch| {
            let Some(watch) = watch.upgrade() else { return false };
            if watch.report_overdue() {
                self.overdue.fetch_add(1, Ordering::Relaxed);
                tracing::error!(
                    file = watch.file(),
                    "a plugin's statement runs far longer than it may and cannot be ended"
                );
                // Nobody listens: a file is used by itself, as in tests.
                let _ = self.alarm.send(watch.file().into());
            }
            true
        });
    }
}
