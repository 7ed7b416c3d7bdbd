//! The connections with which one file is read: kept, lent to one reading at a time, and few, since a machine reads no
//! faster with more of them than it has processors, while each new one reads the whole schema first.

use std::num::NonZero;
use std::rc::Rc;
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::connection::Connection;
use super::error::StorageError;

/// How many are kept and, as a rule, lent at a time: two for each processor.
static FEW: LazyLock<usize> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(2, NonZero::get).saturating_mul(2).max(4));
/// How long one more reading waits for a connection before it gets one of its own. Readings nest, and some are long, so
/// waiting for ever would not do; and whoever reads on an async worker must not hold it up.
const PATIENCE: Duration = Duration::from_millis(4);

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
        let waited = self.returned.wait_timeout_while(self.state(), PATIENCE, none_free);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.lent += 1;
        let idle = state.idle.pop();
        drop(state);
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
