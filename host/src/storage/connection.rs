//! One SQLite handle of an organization's file, as host code and plugin code may use it.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{CachedStatement, OpenFlags, Params};

use super::FileKind;
use super::attach::Attached;
use super::changes::{self, Head};
use super::checkpoint;
use super::confine::{self, Shared, Trusted, Watch};
use super::error::StorageError;
use super::merge;
use super::preupdate;
use super::recorder::Recorder;

// Begins every plugin statement in the statement cache, so that no text of the host finds one, nor the reverse.
pub(super) const PLUGIN_MARK: &str = "/*plugin:";
const STATEMENTS: usize = 128;
const BUSY: Duration = Duration::from_secs(10);

/// What kind of handle to open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    Reader,
    Writer,
}

/// A handle that is lent for one request. It must not be kept: afterwards every use answers [`StorageError::Retired`].
pub struct Connection {
    // Dropped first: SQLite holds pointers to the callbacks' state below.
    raw: rusqlite::Connection,
    recorder: Option<Box<RefCell<Recorder>>>,
    pub(super) watch: Arc<Watch>,
    pub(super) shared: Arc<Shared>,
    pub(super) kind: FileKind,
    redacted: &'static [&'static str],
    pub(super) seen_entities: RefCell<Option<Arc<HashSet<String>>>>,
    pub(super) text: RefCell<String>,
    pub(super) attached: RefCell<Vec<Attached>>,
    retired: Cell<bool>,
    pub(super) head: Cell<Option<Head>>,
    pub(super) schema_version: Cell<i64>,
    pub(super) schema_touched: Cell<bool>,
    pub(super) pieces: merge::Pieces,
}

impl Connection {
    pub(super) fn open(
        path: &Path,
        role: Role,
        kind: FileKind,
        redacted: &'static [&'static str],
        shared: Arc<Shared>,
    ) -> Result<Self, StorageError> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        flags |= match role {
            Role::Writer => OpenFlags::SQLITE_OPEN_CREATE,
            // Files that are attached have addresses, which say that they are only read.
            Role::Reader => OpenFlags::SQLITE_OPEN_URI,
        };
        let raw = rusqlite::Connection::open_with_flags(path, flags)?;
        raw.set_prepared_statement_cache_capacity(STATEMENTS);
        raw.busy_timeout(BUSY)?;
        let watch = Arc::new(Watch::new(Arc::clone(&shared), path.display().to_string()));
        shared.watchdog.watch(&watch);
        confine::confine(&raw, kind, &watch)?;
        if kind == FileKind::Plugin {
            super::functions::replace_slow_ones(&raw)?;
            super::functions::add_ours(&raw)?;
        }
        let recorder = match role {
            Role::Reader => {
                raw.execute_batch("pragma query_only = on; pragma temp_store = memory;")?;
                None
            }
            Role::Writer => {
                raw.execute_batch(
                    "pragma foreign_keys = on; pragma temp_store = memory; pragma journal_size_limit = 67108864;",
                )?;
                use_write_ahead_log(&raw)?;
                raw.execute_batch("pragma synchronous = full;")?;
                checkpoint::watch(&raw);
                let recorder = Box::new(RefCell::new(Recorder::default()));
                preupdate::attach(&raw, &recorder);
                Some(recorder)
            }
        };
        Ok(Self {
            raw,
            recorder,
            watch,
            shared,
            kind,
            redacted,
            seen_entities: RefCell::new(None),
            text: RefCell::new(String::new()),
            attached: RefCell::default(),
            retired: Cell::new(false),
            head: Cell::new(None),
            schema_version: Cell::new(-1),
            schema_touched: Cell::new(false),
            pieces: merge::Pieces::default(),
        })
    }

    /// A statement of the host, compiled once per connection. The text must not come from a plugin.
    ///
    /// # Errors
    /// SQLite's, and [`StorageError::HostText`].
    pub fn prepare(&self, sql: &str) -> Result<CachedStatement<'_>, StorageError> {
        self.usable()?;
        if sql.trim_start().starts_with(PLUGIN_MARK) {
            return Err(StorageError::HostText);
        }
        let _host = Trusted::enter(&self.watch);
        Ok(self.raw.prepare_cached(sql)?)
    }

    /// Runs a statement of the host and answers the number of changed rows.
    ///
    /// # Errors
    /// SQLite's. What the statement had recorded for the change log is dropped with what it had written.
    pub fn execute(&self, sql: &str, params: impl Params) -> Result<usize, StorageError> {
        let mark = self.mark();
        let _host = Trusted::enter(&self.watch);
        let result = self.prepare(sql).and_then(|mut statement| Ok(statement.execute(params)?));
        if result.is_err() {
            self.fall_back(mark);
        }
        result
    }

    /// Runs statements of the host one after another; the way to change the schema.
    ///
    /// # Errors
    /// SQLite's; the statements before the failing one have been run.
    pub fn batch(&self, sql: &str) -> Result<(), StorageError> {
        self.usable()?;
        self.before_schema_change()?;
        let _host = Trusted::enter(&self.watch);
        Ok(self.raw.execute_batch(sql)?)
    }

    /// Runs `f` in a savepoint: an error undoes what it wrote and what was recorded of it.
    ///
    /// # Errors
    /// Those of `f`, and SQLite's.
    pub fn savepoint<T, E: From<StorageError>>(&self, f: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.run("savepoint inner_part")?;
        let mark = self.mark();
        match f() {
            Ok(value) => {
                self.run("release inner_part")?;
                Ok(value)
            }
            Err(error) => {
                // After an error that undid the whole transaction there is no savepoint left; the group sees to it.
                if !self.raw.is_autocommit() {
                    self.run("rollback to inner_part")?;
                    self.run("release inner_part")?;
                }
                self.fall_back(mark);
                if let (true, Some(recorder)) = (self.schema_touched.get(), &self.recorder) {
                    recorder.borrow_mut().schema_changed();
                }
                Err(error)
            }
        }
    }

    /// From now on this handle keeps pages of at most so much in memory.
    ///
    /// # Errors
    /// SQLite's.
    pub fn keep_in_memory(&self, kibibytes: u32) -> Result<(), StorageError> {
        self.usable()?;
        let _host = Trusted::enter(&self.watch);
        // Takes effect when it is compiled, so it must not come from the cache of statements.
        Ok(self.raw.execute_batch(&format!("pragma cache_size = -{kibibytes}"))?)
    }

    /// Whether this is the file's writer.
    #[must_use]
    pub fn writable(&self) -> bool {
        self.recorder.is_some()
    }

    /// From now on changes are recorded as done by the plugin with its own authority, or no longer.
    /// Answers what held before.
    pub fn mark_as_plugin(&self, on: bool) -> bool {
        let recorder = self.recorder.as_ref();
        recorder.is_some_and(|recorder| std::mem::replace(&mut recorder.borrow_mut().as_plugin, on))
    }

    /// Recomputes the hash chain of the change log and answers the number of entries.
    ///
    /// # Errors
    /// [`StorageError::BrokenChain`] at the first entry that does not fit.
    pub fn verify_changes(&self) -> Result<u64, StorageError> {
        self.usable()?;
        let _host = Trusted::enter(&self.watch);
        changes::verify(&self.raw)
    }

    /// Ends host statements after `deadline`, until the guard is dropped; a deadline that comes earlier stays.
    pub(crate) fn limited(&self, deadline: Duration) -> impl Drop + '_ {
        self.watch.limit(deadline)
    }

    /// Somebody kept the connection: it stops working for them.
    pub(super) fn retire(&self) {
        self.retired.set(true);
    }

    pub(super) fn raw(&self) -> &rusqlite::Connection {
        &self.raw
    }

    pub(super) fn recorder(&self) -> Option<&RefCell<Recorder>> {
        self.recorder.as_deref()
    }

    pub(super) fn redacted(&self) -> &'static [&'static str] {
        self.redacted
    }

    /// Runs a short statement of the host's own; transaction control above all.
    pub(super) fn run(&self, sql: &str) -> Result<(), StorageError> {
        let mut statement = self.prepare(sql)?;
        // It may be compiled anew as it runs, after the schema changed, and that in the middle of a plugin's statement.
        let _host = Trusted::enter(&self.watch);
        statement.raw_execute()?;
        Ok(())
    }

    pub(super) fn usable(&self) -> Result<(), StorageError> {
        if self.retired.get() { Err(StorageError::Retired) } else { Ok(()) }
    }

    fn mark(&self) -> Option<super::recorder::Mark> {
        self.recorder.as_ref().map(|recorder| recorder.borrow().mark())
    }

    fn fall_back(&self, mark: Option<super::recorder::Mark>) {
        if let (Some(recorder), Some(mark)) = (&self.recorder, mark) {
            recorder.borrow_mut().fall_back(mark);
        }
    }

    pub(super) fn before_schema_change(&self) -> Result<(), StorageError> {
        let Some(recorder) = &self.recorder else {
            return Err(StorageError::ReadOnly);
        };
        let _host = Trusted::enter(&self.watch);
        let mut recorder = recorder.borrow_mut();
        changes::name_columns(&self.raw, &mut recorder, self.redacted)?;
        recorder.schema_changed();
        self.schema_touched.set(true);
        Ok(())
    }
}

/// Turns the write-ahead log on, which needs the file for itself for a moment; another process may be doing the same.
fn use_write_ahead_log(raw: &rusqlite::Connection) -> Result<(), StorageError> {
    let mut patience = 200;
    loop {
        let set = raw.query_row("pragma journal_mode = wal", [], |row| row.get::<_, String>(0));
        match set {
            Err(error)
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) && patience > 0 =>
            {
                patience -= 1;
                std::thread::sleep(Duration::from_millis(25));
            }
            Err(error) => return Err(error.into()),
            Ok(_) => return Ok(()),
        }
    }
}
