//! One SQLite handle of an organization's file, as host code and plugin code may use it.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{CachedStatement, OpenFlags, Params, Statement};

use super::FileKind;
use super::changes::{self, Head};
use super::confine::{self, AS_CALLER, AS_PLUGIN, Confined, PluginMode, Shared, Trusted, Watch};
use super::error::{PluginSqlError, StorageError};
use super::preupdate;
use super::recorder::Recorder;
use super::words;

// Begins every plugin statement in the statement cache, so that no text of the host finds one, nor the reverse.
const PLUGIN_MARK: &str = "/*plugin:";
const STATEMENTS: usize = 128;
const BUSY: Duration = Duration::from_secs(10);
// Interrupting a write undoes the whole group, so a write gets more time and is kept from needing it (`words.rs`).
const WRITE_PATIENCE: u32 = 10;

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
    watch: Arc<Watch>,
    shared: Arc<Shared>,
    kind: FileKind,
    redacted: &'static [&'static str],
    seen_entities: RefCell<Option<Arc<HashSet<String>>>>,
    text: RefCell<String>,
    retired: Cell<bool>,
    pub(super) head: Cell<Option<Head>>,
    pub(super) schema_version: Cell<i64>,
    pub(super) schema_touched: Cell<bool>,
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
        if role == Role::Writer {
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
        }
        let raw = rusqlite::Connection::open_with_flags(path, flags)?;
        raw.set_prepared_statement_cache_capacity(STATEMENTS);
        raw.busy_timeout(BUSY)?;
        let watch = Arc::new(Watch::new(Arc::clone(&shared)));
        confine::confine(&raw, &watch)?;
        if kind == FileKind::Plugin {
            super::functions::replace_slow_ones(&raw)?;
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
            retired: Cell::new(false),
            head: Cell::new(None),
            schema_version: Cell::new(-1),
            schema_touched: Cell::new(false),
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
        let result = self
            .prepare(sql)
            .and_then(|mut statement| Ok(statement.execute(params)?));
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

    /// Compiles one statement of a plugin under its rights and gives it to `f`.
    ///
    /// A write runs in a savepoint of its own, so that a failed one leaves nothing, and must not contain a SELECT.
    ///
    /// # Errors
    /// What the plugin is told, in its words. [`PluginSqlError::Storage`] is not the plugin's fault.
    pub fn plugin<T>(
        &self,
        mode: PluginMode,
        sql: &str,
        deadline: Duration,
        f: impl FnOnce(&mut Statement<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, PluginSqlError> {
        self.usable()?;
        self.know_entities()?;
        if sql.contains('\0') {
            return Err(PluginSqlError::refused("a NUL in the text"));
        }
        if !words::is_about_rows(sql) {
            return Err(PluginSqlError::refused(
                "anything but SELECT, VALUES, INSERT, UPDATE and DELETE",
            ));
        }
        let (mark, mode) = match mode {
            PluginMode::AsPlugin => ("self*/ ", AS_PLUGIN),
            PluginMode::AsCaller => ("caller*/ ", AS_CALLER),
        };
        let mut text = self.text.take();
        text.clear();
        text.extend([PLUGIN_MARK, mark, sql]);
        let result = self.confined(mode, &text, sql, deadline, f);
        self.text.replace(text);
        result
    }

    fn confined<T>(
        &self,
        mode: u8,
        text: &str,
        sql: &str,
        deadline: Duration,
        f: impl FnOnce(&mut Statement<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, PluginSqlError> {
        let _confined = Confined::enter(&self.raw, &self.watch, mode)?;
        let compiling = self.watch.limit(deadline);
        let mut statement = self
            .raw
            .prepare_cached(text)
            .map_err(|error| self.explain(error))?;
        drop(compiling);
        if statement.readonly() {
            let _running = self.watch.limit(deadline);
            return f(&mut statement).map_err(|error| self.explain(error));
        }
        if let Some(why) = words::unbounded_write(sql) {
            return Err(PluginSqlError::refused(why));
        }
        if !self.writable() {
            return Err(PluginSqlError::refused("a write outside a write request"));
        }
        self.savepoint(|| {
            let _running = self.watch.limit(deadline * WRITE_PATIENCE);
            f(&mut statement).map_err(|error| self.explain(error))
        })
    }

    /// Runs a plugin's migration of its private tables: `create table`, `create index`, `alter table`, `drop`, and
    /// inserts of constants. Nothing else, and no name of the host or of an entity.
    ///
    /// # Errors
    /// What the plugin's author is told.
    pub fn migrate_private(&self, sql: &str) -> Result<(), PluginSqlError> {
        self.usable()?;
        self.know_entities()?;
        if let Some(why) = words::unsafe_schema(sql) {
            return Err(PluginSqlError::refused(why));
        }
        self.before_schema_change()?;
        self.savepoint(|| {
            let before = self.schema_names()?;
            {
                let _confined = Confined::enter(&self.raw, &self.watch, confine::MIGRATION)?;
                let _deadline = self.watch.limit(Duration::from_secs(60));
                self.raw.execute_batch(sql).map_err(|error| self.explain(error))?;
            }
            // The authorizer is not told the new name of `alter table .. rename`.
            let entities = self.shared.entities.load();
            let is_entity = |name: &str| {
                entities
                    .as_deref()
                    .is_some_and(|entities| entities.contains(name))
            };
            match self.schema_names()?.into_iter().find(|name| {
                !before.contains(name)
                    && (confine::is_reserved(name) || is_entity(&name.to_ascii_lowercase()))
            }) {
                Some(name) => Err(PluginSqlError::refused(format!("the name `{name}`"))),
                None => Ok(()),
            }
        })
    }

    fn schema_names(&self) -> Result<HashSet<String>, StorageError> {
        let sql = "select name from sqlite_schema where name not like 'sqlite\\_%' escape '\\'";
        let mut statement = self.prepare(sql)?;
        let names = statement
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        Ok(names)
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

    /// Whether this is the file's writer.
    #[must_use]
    pub fn writable(&self) -> bool {
        self.recorder.is_some()
    }

    /// Tells which tables are the plugin's declared entities, for all connections of the file. Until this was called no
    /// plugin statement runs. Cheap when called again with the same set.
    pub fn declare_entities(&self, tables: Arc<HashSet<String>>) {
        let known = self.shared.entities.load();
        if known.as_ref().is_none_or(|known| !Arc::ptr_eq(known, &tables)) {
            self.shared.entities.store(Some(tables));
        }
    }

    /// From now on changes are recorded as done by the plugin with its own authority, or no longer.
    pub fn mark_as_plugin(&self, on: bool) {
        if let Some(recorder) = &self.recorder {
            recorder.borrow_mut().as_plugin = on;
        }
    }

    /// Two common table expressions, without `with`, through which a caller's statement may read `table` as
    /// `visible_<table>`: the rows of `select`, a statement of the host.
    ///
    /// The first has a name that a plugin cannot know, and only under that name is the entity open to a caller's
    /// statement. A plugin that makes a `visible_<table>` of its own finds the table closed.
    #[must_use]
    pub fn visible(&self, table: &str, select: &str) -> String {
        let seal = &self.shared.seal;
        format!(
            "\"visible_{table}{seal}\" as ({select}), \"visible_{table}\" as (select * from \"visible_{table}{seal}\")"
        )
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

    /// Ends host statements after `deadline`, until the guard is dropped.
    pub(super) fn limited(&self, deadline: Duration) -> impl Drop + '_ {
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

    fn usable(&self) -> Result<(), StorageError> {
        if self.retired.get() {
            Err(StorageError::Retired)
        } else {
            Ok(())
        }
    }

    fn mark(&self) -> Option<super::recorder::Mark> {
        self.recorder.as_ref().map(|recorder| recorder.borrow().mark())
    }

    fn fall_back(&self, mark: Option<super::recorder::Mark>) {
        if let (Some(recorder), Some(mark)) = (&self.recorder, mark) {
            recorder.borrow_mut().fall_back(mark);
        }
    }

    fn before_schema_change(&self) -> Result<(), StorageError> {
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

    /// A statement compiled while a table was still private must not outlive its becoming an entity.
    fn know_entities(&self) -> Result<(), PluginSqlError> {
        if self.kind == FileKind::Host {
            return Err(PluginSqlError::refused("this file is the host's"));
        }
        let known = self.shared.entities.load();
        let Some(known) = known.as_ref() else {
            return Err(PluginSqlError::refused(
                "the file's entities are not declared yet",
            ));
        };
        let mut seen = self.seen_entities.borrow_mut();
        if seen.as_ref().is_none_or(|seen| !Arc::ptr_eq(seen, known)) {
            self.raw.flush_prepared_statement_cache();
            *seen = Some(Arc::clone(known));
        }
        Ok(())
    }

    fn explain(&self, error: rusqlite::Error) -> PluginSqlError {
        if let Some(what) = self.watch.take_denied() {
            return PluginSqlError::Refused { what };
        }
        match PluginSqlError::from(error) {
            PluginSqlError::Invalid(words) => PluginSqlError::Invalid(words.replace(&*self.shared.seal, "")),
            other => other,
        }
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
