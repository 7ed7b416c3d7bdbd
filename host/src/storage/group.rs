//! Group commit: many requests in one transaction, each in a savepoint of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::changes::{self, Context, Head};
use super::connection::Connection;
use super::error::StorageError;
use super::{ChangeOrigin, Verdict};
use crate::clock::{Clock, UnixMillis};

/// Requests per COMMIT, at most, unless the operator says otherwise.
pub const GROUP_COMMIT: usize = 64;
/// Nobody waits longer than this for requests that came later.
const LONGEST: Duration = Duration::from_millis(20);

/// A write that waits, whatever it answers.
pub(super) trait Waiting: Send {
    /// Does the work in a savepoint and keeps the outcome to itself.
    fn run(&mut self, connection: &Rc<Connection>, at: UnixMillis);
    /// Gives the outcome away, or the reason why the transaction came to nothing.
    fn answer(self: Box<Self>, failure: Option<&Arc<str>>);
}

/// A write and the one who waits for it.
pub(super) struct Request<T, E, F, A> {
    pub(super) origin: ChangeOrigin,
    pub(super) work: Option<F>,
    pub(super) outcome: Option<Result<T, E>>,
    pub(super) answer: A,
}

impl<T, E, F, A> Waiting for Request<T, E, F, A>
where
    T: Send,
    E: From<StorageError> + Send,
    F: FnOnce(&Rc<Connection>) -> Result<Verdict<T>, E> + Send,
    A: FnOnce(Result<T, E>) + Send,
{
    fn run(&mut self, connection: &Rc<Connection>, at: UnixMillis) {
        let Some(work) = self.work.take() else { return };
        self.outcome = Some(in_savepoint(connection, &self.origin, at, work));
    }

    fn answer(self: Box<Self>, failure: Option<&Arc<str>>) {
        let outcome = match (failure, self.outcome) {
            // Also an error may rest on what another request had written, and that is gone.
            (Some(reason), _) => Err(StorageError::NotCommitted(Arc::clone(reason)).into()),
            (None, Some(outcome)) => outcome,
            (None, None) => Err(StorageError::NotCommitted(Arc::from("it was not begun")).into()),
        };
        (self.answer)(outcome);
    }
}

fn in_savepoint<T, E: From<StorageError>>(
    connection: &Rc<Connection>,
    origin: &ChangeOrigin,
    at: UnixMillis,
    work: impl FnOnce(&Rc<Connection>) -> Result<Verdict<T>, E>,
) -> Result<T, E> {
    connection.begin_request()?;
    let result = match catch_unwind(AssertUnwindSafe(|| work(connection))) {
        Ok(Ok(Verdict::Keep(value))) => connection.log_changes(origin, at).map(|()| value).map_err(E::from),
        Ok(Ok(Verdict::Undo(value))) => {
            connection.undo_request()?;
            return Ok(value);
        }
        Ok(Err(error)) => Err(error),
        Err(_) => Err(StorageError::Panicked.into()),
    };
    match &result {
        Ok(_) => connection.run("release request")?,
        Err(_) => connection.undo_request()?,
    }
    result
}

/// Runs requests from `next` until it has none, there are `most` of them or they have taken long; commits; answers.
pub(super) fn run(
    connection: &Rc<Connection>,
    clock: &Clock,
    most: usize,
    mut next: impl FnMut() -> Option<Box<dyn Waiting>>,
) {
    let started = Instant::now();
    // Without a transaction all that wait learn so at once, instead of each waiting for the lock in turn.
    let mut failure = connection.begin_group().err();
    let begun = failure.is_none();
    let mut group = Vec::with_capacity(most);
    while group.len() < most && (!begun || (failure.is_none() && started.elapsed() < LONGEST)) {
        let Some(mut request) = next() else { break };
        if begun {
            request.run(connection, clock.now());
            if connection.raw().is_autocommit() {
                failure = Some(StorageError::NotCommitted(Arc::from("SQLite undid the transaction")));
            }
        }
        group.push(request);
    }
    if failure.is_none() {
        failure = connection.run("commit").err();
    }
    if failure.is_some() {
        connection.abandon_group();
    }
    let failure = failure.map(|error| Arc::from(error.to_string()));
    for request in group {
        request.answer(failure.as_ref());
    }
}

impl Connection {
    fn begin_group(&self) -> Result<(), StorageError> {
        self.run("begin immediate")?;
        // Another process may have written since: the end of the chain is read again, and names of columns if need be.
        self.head.set(None);
        let version = self.prepare("pragma schema_version")?.query_row([], |row| row.get(0))?;
        if self.schema_version.replace(version) != version {
            self.forget_columns();
        }
        Ok(())
    }

    /// Whatever happened before, the next group starts clean.
    fn abandon_group(&self) {
        if !self.raw().is_autocommit()
            && let Err(error) = self.run("rollback")
        {
            tracing::error!(%error, "a failed transaction could not be rolled back");
        }
        self.forget_columns();
        if let Some(recorder) = self.recorder() {
            recorder.borrow_mut().reset();
        }
    }

    fn begin_request(&self) -> Result<(), StorageError> {
        if let Some(recorder) = self.recorder() {
            recorder.borrow_mut().reset();
        }
        self.schema_touched.set(false);
        self.run("savepoint request")
    }

    fn undo_request(&self) -> Result<(), StorageError> {
        if self.schema_touched.get() {
            self.forget_columns();
        }
        if let Some(recorder) = self.recorder() {
            recorder.borrow_mut().reset();
        }
        // Without a transaction there is nothing to undo; the group notices.
        if self.raw().is_autocommit() {
            return Ok(());
        }
        self.run("rollback to request")?;
        self.run("release request")
    }

    fn log_changes(&self, origin: &ChangeOrigin, at: UnixMillis) -> Result<(), StorageError> {
        let Some(recorder) = self.recorder() else {
            return Err(StorageError::ReadOnly);
        };
        let mut recorder = recorder.borrow_mut();
        if recorder.changes.is_empty() && !recorder.is_broken() {
            return Ok(());
        }
        let head = match self.head.get() {
            Some(head) => head,
            None => Head::read(self.raw())?,
        };
        let context = Context { origin, at, redacted: self.redacted() };
        let head = changes::write(self.raw(), &mut recorder, &context, head)?;
        self.head.set(Some(head));
        Ok(())
    }

    fn forget_columns(&self) {
        if let Some(recorder) = self.recorder() {
            recorder.borrow_mut().schema_changed();
        }
    }
}
