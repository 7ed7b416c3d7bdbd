//! The connections with which one file is read: kept, lent to one reading at a time, and few, since a machine reads no
//! faster with more of them than it has processors, while each new one reads the whole schema first.

use std::cell::Cell;
use std::num::NonZero;
use std::rc::Rc;
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::connection::Connection;
use super::error::StorageError;

/// How many are kept and, as a rule, lent at a time: two for each processor.
static FEW: LazyLock<usize> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(2, NonZero::get).saturating_mul(2).max(4));
/// How long one more reading waits for a connection before it gets one of its own. Some readings are long, so waiting for
/// ever would not do; and whoever reads on an async worker must not hold it up.
const PATIENCE: Duration = Duration::from_millis(4);
/// The same for readings [`at_leisure`].
const LEISURE: Duration = Duration::from_millis(500);

thread_local! {
    /// Whether readings of this thread may wait.
    static AT_LEISURE: Cell<bool> = const { Cell::new(false) };
    /// How many connections this thread was lent: what waits inside a reading may wait for itself.
    static HELD: Cell<usize> = const { Cell::new(0) };
}

/// Runs `f`, whose readings wait longer for a connection rather than open one more: for lists and searches on threads that
/// are no async workers. One that is opened reads the whole schema and costs more than most lists do.
pub fn at_leisure<T>(f: impl FnOnce() -> T) -> T {
    struct Back(bool);
    impl Drop for Back {
        fn drop(&mut self) {
            AT_LEISURE.set(self.0);
        }
    }
    let _back = Back(AT_LEISURE.replace(true));
    f()
}

fn patience() -> Duration {
    if AT_LEISURE.get() && HELD.get() == 0 { LEISURE } else { PATIENCE }
}

#[derive(Default)]
pub(super) struct Readers {
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    lent: usize,
}

impl Readers {
    /// A connection for one reading; `open` makes one.
    pub(super) fn lend(
        &self,
        open: impl FnOnce() -> Result<Connection, StorageError>,
    ) -> Result<Lent<'_>, StorageError> {
        let none_free = |state: &mut State| state.idle.is_empty() && state.lent >= *FEW;
        let waited = self.returned.wait_timeout_while(self.state(), patience(), none_free);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.lent += 1;
        let idle = state.idle.pop();
        drop(state);
        HELD.set(HELD.get() + 1);
        let mut lent = Lent { connection: None, readers: self, whole: false };
        lent.connection = Some(Rc::new(idle.map_or_else(open, Ok)?));
        Ok(lent)
    }

    /// Keeps a connection that nobody was lent.
    pub(super) fn keep(&self, connection: Connection) {
        self.state().idle.push(connection);
    }

    /// Closes those that are not lent.
    pub(super) fn close(&self) {
        let idle = std::mem::take(&mut self.state().idle);
        drop(idle); // Without the lock: closing takes time.
    }

    #[cfg(test)]
    pub(super) fn kept(&self) -> (usize, usize) {
        (self.state().idle.len(), *FEW)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection during one reading. Closed with it, unless somebody said that it is whole.
pub(super) struct Lent<'a> {
    connection: Option<Rc<Connection>>,
    readers: &'a Readers,
    whole: bool,
}

impl Lent<'_> {
    /// The connection.
    pub(super) fn connection(&self) -> Result<&Rc<Connection>, StorageError> {
        self.connection.as_ref().ok_or(StorageError::Retired)
    }

    /// The reading has ended as it should: the next one may have the connection.
    pub(super) fn give_back(mut self) {
        self.whole = true;
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        HELD.set(HELD.get().saturating_sub(1));
        let kept = self.connection.take().map(Rc::try_unwrap);
        let (back, closed) = match kept {
            Some(Ok(connection)) if self.whole => (Some(connection), None),
            Some(Ok(connection)) => (None, Some(connection)),
            Some(Err(held)) => {
                held.retire();
                (None, None)
            }
            None => (None, None),
        };
        let mut state = self.readers.state();
        state.lent -= 1;
        let too_many = match back {
            Some(connection) if state.idle.len() < *FEW => {
                state.idle.push(connection);
                None
            }
            other => other,
        };
        drop(state);
        self.readers.returned.notify_one();
        drop((closed, too_many)); // Without the lock: closing takes time.
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use super::{FEW, LEISURE, Readers, at_leisure};
    use crate::storage::FileKind;
    use crate::storage::confine::Shared;
    use crate::storage::connection::{Connection, Role};
    use crate::storage::error::StorageError;

    fn open(folder: &tempfile::TempDir) -> Result<Connection, StorageError> {
        let shared = Shared::new("seal".into(), Arc::default());
        Connection::open(&folder.path().join("file"), Role::Reader, FileKind::Host, &[], Arc::new(shared))
    }

    #[test]
    fn readings_at_leisure_wait_rather_than_open_more() {
        let folder = tempfile::tempdir().unwrap();
        rusqlite::Connection::open(folder.path().join("file")).unwrap();
        let (readers, opened) = (Readers::default(), AtomicUsize::new(0));
        let counted = || {
            opened.fetch_add(1, Ordering::Relaxed);
            open(&folder)
        };
        let read = || {
            let lent = readers.lend(counted).unwrap();
            std::thread::sleep(Duration::from_millis(10)); // longer than others have patience
            lent.give_back();
        };
        std::thread::scope(|scope| {
            for _ in 0..*FEW * 3 {
                scope.spawn(|| at_leisure(read));
            }
        });
        assert!(opened.load(Ordering::Relaxed) <= *FEW, "{opened:?}");
    }

    #[test]
    fn what_waits_inside_a_reading_does_not_wait_long_for_itself() {
        let folder = tempfile::tempdir().unwrap();
        rusqlite::Connection::open(folder.path().join("file")).unwrap();
        let readers = Readers::default();
        let began = Instant::now();
        at_leisure(|| {
            let held: Vec<_> = (0..*FEW + 2).map(|_| readers.lend(|| open(&folder)).unwrap()).collect();
            assert_eq!(held.len(), *FEW + 2);
        });
        assert!(began.elapsed() < LEISURE, "{:?}", began.elapsed());
    }
}
