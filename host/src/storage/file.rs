//! One file: many readers on their callers' threads, one writer with a queue.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::checkpoint;
use super::confine::Shared;
use super::connection::{Connection, Role};
use super::error::StorageError;
use super::group::{self, Request, Waiting};
use super::migrate::Plan;
use super::pool::Pool;
use super::readers::Readers;
use super::watchdog::Watchdog;
use super::{ChangeOrigin, FileKind, FileProfile, Verdict};
use crate::clock::Clock;

/// How long the statements of one read may take together.
pub const READ_DEADLINE: Duration = Duration::from_secs(2);

/// An organization's open file.
pub struct TenantFile {
    inner: Arc<Inner>,
    pool: Arc<Pool>,
}

/// What the writing threads share with the file's users.
pub(super) struct Inner {
    path: PathBuf,
    kind: FileKind,
    redacted: &'static [&'static str],
    clock: Clock,
    shared: Arc<Shared>,
    readers: Readers,
    writer: Mutex<Option<Connection>>,
    log: checkpoint::Progress,
    queue: Mutex<Queue>,
    /// Told when no write waits any more.
    rested: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Box<dyn Waiting>>,
    /// Whether a thread has the file or will have it.
    in_hand: bool,
    /// When a write came last, or was done.
    written: Option<Instant>,
    /// Whether the file is among those whose indexes are merged when they are quiet.
    owing: bool,
    /// Whether only what waits is still to be done.
    ending: bool,
}

impl TenantFile {
    /// Opens the file, makes it if need be, and applies migrations.
    pub(super) fn open(
        path: PathBuf,
        profile: &FileProfile,
        plan: &Plan,
        (seal, watchdog): (&Arc<str>, &Arc<Watchdog>),
        clock: &Clock,
        pool: &Arc<Pool>,
    ) -> Result<Self, StorageError> {
        let shared = Shared::new(Arc::clone(seal), Arc::clone(watchdog));
        let inner = Inner {
            kind: profile.kind,
            redacted: profile.redacted,
            clock: clock.clone(),
            shared: Arc::new(shared),
            readers: Readers::default(),
            writer: Mutex::default(),
            log: checkpoint::Progress::default(),
            queue: Mutex::default(),
            rested: Condvar::new(),
            path,
        };
        inner.prepare(plan)?;
        Ok(Self { inner: Arc::new(inner), pool: Arc::clone(pool) })
    }

    /// Reads one snapshot, on this thread, within [`READ_DEADLINE`].
    ///
    /// # Errors
    /// Those of `f`, and SQLite's.
    pub fn read<T, E: From<StorageError>>(
        &self,
        f: impl FnOnce(&Rc<Connection>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.read_within(READ_DEADLINE, f)
    }

    /// Reads one snapshot, on this thread. Every statement ends at the deadline with [`StorageError::Deadline`].
    ///
    /// # Errors
    /// Those of `f`, and SQLite's.
    pub fn read_within<T, E: From<StorageError>>(
        &self,
        deadline: Duration,
        f: impl FnOnce(&Rc<Connection>) -> Result<T, E>,
    ) -> Result<T, E> {
        // A panic in `f` drops the connection, which is right: nobody knows its state.
        let lent = self.inner.readers.lend(|| self.inner.open_connection(Role::Reader))?;
        let connection = lent.connection()?;
        connection.run("begin")?;
        let result = {
            let _deadline = connection.limited(deadline);
            f(connection)
        };
        let ended = connection.raw().is_autocommit() || connection.run("rollback").is_ok();
        if ended && connection.detach_all().is_ok() {
            lent.give_back();
        }
        result
    }

    /// Has `f` done by the file's one writer, in the order of the calls, in a savepoint of its own, and answers after
    /// the COMMIT. An error, a panic or [`Verdict::Undo`] leaves nothing of it.
    ///
    /// # Errors
    /// Those of `f`, and [`StorageError::NotCommitted`] if the transaction came to nothing.
    pub async fn write<T, E>(
        &self,
        origin: ChangeOrigin,
        f: impl FnOnce(&Rc<Connection>) -> Result<Verdict<T>, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        let (answer, outcome) = oneshot::channel();
        self.submit(origin, f, move |result| {
            // Whoever asked may have gone away; the write stands.
            let _ = answer.send(result);
        });
        outcome.await.unwrap_or_else(|_| Err(stopped().into()))
    }

    /// The same from a thread that may wait.
    ///
    /// # Errors
    /// Those of [`TenantFile::write`].
    pub fn write_blocking<T, E>(
        &self,
        origin: ChangeOrigin,
        f: impl FnOnce(&Rc<Connection>) -> Result<Verdict<T>, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        let (answer, outcome) = std::sync::mpsc::sync_channel(1);
        self.submit(origin, f, move |result| {
            let _ = answer.send(result);
        });
        outcome.recv().unwrap_or_else(|_| Err(stopped().into()))
    }

    fn submit<T, E>(
        &self,
        origin: ChangeOrigin,
        f: impl FnOnce(&Rc<Connection>) -> Result<Verdict<T>, E> + Send + 'static,
        answer: impl FnOnce(Result<T, E>) + Send + 'static,
    ) where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let answer = move |result| {
            inner.queue().written = Some(Instant::now());
            answer(result);
        };
        let request = Box::new(Request { origin, work: Some(f), outcome: None, answer });
        self.inner.queue().written = Some(Instant::now());
        self.inner.enqueue(request, &self.pool);
    }

    /// How many connections for reading are kept, and how many may be.
    #[cfg(test)]
    pub(super) fn kept_readers(&self) -> (usize, usize) {
        self.inner.readers.kept()
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Whether nobody but the asker holds the file, nor any of its writes.
    pub(super) fn is_idle(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) == 1 && !self.inner.queue().in_hand
    }

    /// Waits until no write waits; from now on indexes are no longer merged. For the end of the process.
    pub(super) fn rest(&self) {
        let busy = |queue: &mut Queue| queue.in_hand;
        let mut queue = self.inner.queue();
        queue.ending = true;
        drop(self.inner.rested.wait_while(queue, busy).unwrap_or_else(PoisonError::into_inner));
    }

    /// Moves the write-ahead log into the file, so that the file alone is complete.
    pub(super) fn checkpoint(&self) -> Result<(), StorageError> {
        self.inner.readers.close();
        if let Some(writer) = &*lock(&self.inner.writer) {
            writer.prepare("pragma wal_checkpoint(truncate)")?.query_row([], |_| Ok(()))?;
        }
        Ok(())
    }
}

impl Drop for TenantFile {
    /// The next one to open the file finds nobody who merges its indexes.
    fn drop(&mut self) {
        self.inner.queue().ending = true;
    }
}

fn stopped() -> StorageError {
    StorageError::NotCommitted(Arc::from("the writer stopped"))
}

impl Inner {
    /// Most files are read first, and are up to date: a handle for reading then serves for both.
    fn prepare(&self, plan: &Plan) -> Result<(), StorageError> {
        let file = self.path.file_name().unwrap_or_default().to_string_lossy();
        if self.path.exists() {
            let reader = self.open_connection(Role::Reader)?;
            if plan.is_done(&reader, &file)? {
                self.readers.keep(reader);
                return Ok(());
            }
        }
        let writer = Rc::new(self.open_connection(Role::Writer)?);
        plan.apply(&writer, &file, self.clock.now())?;
        *lock(&self.writer) = Rc::into_inner(writer);
        Ok(())
    }

    fn open_connection(&self, role: Role) -> Result<Connection, StorageError> {
        Connection::open(&self.path, role, self.kind, self.redacted, Arc::clone(&self.shared))
    }

    /// Has something done by the writer, in its turn.
    pub(super) fn enqueue(self: &Arc<Self>, request: Box<dyn Waiting>, pool: &Arc<Pool>) {
        let mut queue = self.queue();
        queue.waiting.push_back(request);
        if !std::mem::replace(&mut queue.in_hand, true) {
            drop(queue);
            pool.submit(Arc::clone(self));
        }
    }

    /// Whether nothing was written for so long, and will be.
    pub(super) fn is_quiet(&self, time: Duration) -> bool {
        let queue = self.queue();
        !queue.ending && queue.written.is_none_or(|written| written.elapsed() >= time)
    }

    /// Whether there are indexes to be merged and the file is not among those that are looked at; it is from now on.
    pub(super) fn begins_to_owe(&self) -> bool {
        let owes = lock(&self.writer).as_ref().is_some_and(Connection::owes_merging);
        owes && !std::mem::replace(&mut self.queue().owing, true)
    }

    /// The file is no longer among those whose indexes are merged when they are quiet.
    pub(super) fn forgotten(&self) {
        self.queue().owing = false;
    }

    /// Runs and commits one group of waiting requests; answers whether more wait. Called by one thread at a time.
    pub(super) fn write_group(self: &Arc<Self>, most: usize) -> bool {
        let writer = lock(&self.writer).take().map_or_else(|| self.open_connection(Role::Writer), Ok);
        match writer {
            Ok(writer) => {
                self.run_group(writer, most);
                self.move_log();
            }
            Err(error) => {
                tracing::error!(%error, path = %self.path.display(), "the file cannot be opened for writing");
                let reason = Arc::from(error.to_string());
                let waiting = std::mem::take(&mut self.queue().waiting);
                waiting.into_iter().for_each(|request| request.answer(Some(&reason)));
            }
        }
        let mut queue = self.queue();
        queue.in_hand = !queue.waiting.is_empty();
        if !queue.in_hand {
            self.rested.notify_all();
        }
        queue.in_hand
    }

    fn run_group(&self, writer: Connection, most: usize) {
        let writer = Rc::new(writer);
        let next = || self.queue().waiting.pop_front();
        let ran = catch_unwind(AssertUnwindSafe(|| {
            group::run(&writer, &self.clock, most, next);
            self.merge_after(&writer);
        }));
        match Rc::try_unwrap(writer) {
            Ok(writer) if ran.is_ok() => *lock(&self.writer) = Some(writer),
            // Closing it undoes what is open; those who wait learn that the writer stopped.
            Ok(_) => tracing::error!(path = %self.path.display(), "a group of writes panicked"),
            Err(kept) => {
                kept.retire();
                tracing::error!(path = %self.path.display(), "a request kept its connection");
            }
        }
    }

    fn merge_after(&self, writer: &Connection) {
        if !self.queue().waiting.is_empty() {
            return;
        }
        if let Err(error) = writer.merge_after_writes() {
            tracing::warn!(%error, path = %self.path.display(), "an index was not merged; later writes try again");
        }
    }

    /// Has the write-ahead log moved into the file by another thread, when it is time. Without a thread the log waits: the
    /// writer moves it when it is long.
    fn move_log(self: &Arc<Self>) {
        if !self.log.due() {
            return;
        }
        let file = Arc::clone(self);
        let run = move || {
            let moved = file.readers.lend(|| file.open_connection(Role::Reader)).and_then(|lent| {
                let sql = "pragma wal_checkpoint(passive)";
                lent.connection()?.prepare(sql)?.query_row([], |_| Ok(()))?;
                lent.give_back();
                Ok(())
            });
            if let Err(error) = moved {
                tracing::warn!(%error, path = %file.path.display(), "the write-ahead log was not moved into the file");
            }
            file.log.ended();
        };
        if std::thread::Builder::new().name("stoa-checkpoint".into()).spawn(run).is_err() {
            self.log.ended();
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
