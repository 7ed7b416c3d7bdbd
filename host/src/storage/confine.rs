//! What plugin SQL may do: the authorizer, the limits, the deadline. Everything not allowed here is refused.
//!
//! SQLite asks the authorizer while it compiles a statement, also when it compiles again after a schema change, and
//! never while it runs one. So the mode is set before the compilation and kept until the statement is reset, the
//! authorizer is set once per connection, and a compiled plugin statement is never found under a host's text.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;

use super::FileKind;
use super::error::StorageError;
use super::limits::{self, HOST_LIMITS, PLUGIN_LIMITS};
use super::watchdog::{LEAST, PATIENCE, Watchdog};

/// With whose rights a plugin's statement reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PluginMode {
    /// The plugin's own: all rows of its entities; it may write its private tables.
    AsPlugin,
    /// The caller's: entities only through the views that the host makes from the caller's row predicate.
    AsCaller,
}

const HOST: u8 = 0;
pub(super) const AS_PLUGIN: u8 = 1;
pub(super) const AS_CALLER: u8 = 2;
/// A plugin's own migration of its private tables.
pub(super) const MIGRATION: u8 = 3;
/// See [`Watch`].
const REPORTED: u64 = u64::MAX;
/// Steps of a statement between two looks at the clock. One step may go over a value of megabytes, so they are few.
const STEPS: i32 = 200;

/// What all connections of a file know together.
pub(super) struct Shared {
    /// The tables of declared entities, lower case. Until they are known no plugin statement runs.
    pub(super) entities: ArcSwapOption<HashSet<String>>,
    /// Ends the names of host-made views. A plugin that could guess it could name a view of its own so.
    pub(super) seal: Arc<str>,
    /// Looks for statements that nothing ends.
    pub(super) watchdog: Arc<Watchdog>,
}

impl Shared {
    pub(super) fn new(seal: Arc<str>, watchdog: Arc<Watchdog>) -> Self {
        Self { entities: ArcSwapOption::empty(), seal, watchdog }
    }
}

/// What the callbacks of one connection see.
pub(super) struct Watch {
    mode: AtomicU8,
    /// Nanoseconds after `base`; 0 for none.
    deadline: AtomicU64,
    /// When the watchdog reports what still runs, as `deadline`; [`REPORTED`] when it has.
    overdue: AtomicU64,
    /// For messages.
    file: String,
    base: Instant,
    denied: Mutex<Option<String>>,
    /// Tables of attached files that this file does not have, lower case. See [`Rules::uncounted`].
    pub(super) strangers: ArcSwapOption<HashSet<String>>,
    shared: Arc<Shared>,
}

impl Watch {
    pub(super) fn new(shared: Arc<Shared>, file: String) -> Self {
        Self {
            mode: AtomicU8::new(HOST),
            deadline: AtomicU64::new(0),
            overdue: AtomicU64::new(0),
            file,
            base: Instant::now(),
            denied: Mutex::new(None),
            strangers: ArcSwapOption::empty(),
            shared,
        }
    }

    /// What was refused since the last time this was asked.
    pub(super) fn take_denied(&self) -> Option<String> {
        self.denied.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Ends statements `after` from now, or earlier if a deadline already runs. Undone when the guard is dropped.
    pub(super) fn limit(&self, after: Duration) -> Limited<'_> {
        let now = self.base.elapsed();
        let nanos = |end: Duration| u64::try_from(end.as_nanos()).unwrap_or(u64::MAX).max(1);
        let earlier = |mark: &AtomicU64, until: u64| {
            let before = mark.load(Ordering::Relaxed);
            mark.store(if before == 0 { until } else { before.min(until) }, Ordering::Relaxed);
            before
        };
        Limited {
            watch: self,
            before: earlier(&self.deadline, nanos(now + after)),
            before_overdue: earlier(
                &self.overdue,
                nanos(now.saturating_add(after.saturating_mul(PATIENCE).max(LEAST))),
            ),
        }
    }

    /// Whether a plugin's statement runs far longer than it may, and was not reported yet.
    pub(super) fn report_overdue(&self) -> bool {
        let mark = self.overdue.load(Ordering::Relaxed);
        let running = mark != 0 && mark != REPORTED && self.mode.load(Ordering::Relaxed) != HOST;
        // Should the statement end at this moment, there is nothing to be reported.
        running
            && self.base.elapsed().as_nanos() > u128::from(mark)
            && self.overdue.compare_exchange(mark, REPORTED, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    pub(super) fn file(&self) -> &str {
        &self.file
    }

    fn is_late(&self) -> bool {
        let deadline = self.deadline.load(Ordering::Relaxed);
        deadline != 0 && self.base.elapsed().as_nanos() > u128::from(deadline)
    }

    fn authorize(&self, asked: &AuthContext<'_>) -> Authorization {
        let mode = self.mode.load(Ordering::Relaxed);
        if mode == HOST {
            return Authorization::Allow;
        }
        let (entities, strangers) = (self.shared.entities.load(), self.strangers.load());
        let (entities, strangers) = (entities.as_deref(), strangers.as_deref());
        let rules = Rules { mode, entities, strangers, seal: &self.shared.seal };
        match rules.check(asked) {
            Ok(()) => Authorization::Allow,
            Err(what) => {
                self.denied.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(what);
                Authorization::Deny
            }
        }
    }
}

/// A deadline that is running.
pub(super) struct Limited<'a> {
    watch: &'a Watch,
    before: u64,
    before_overdue: u64,
}

impl Drop for Limited<'_> {
    fn drop(&mut self) {
        self.watch.deadline.store(self.before, Ordering::Relaxed);
        self.watch.overdue.store(self.before_overdue, Ordering::Relaxed);
    }
}

/// Sets the callbacks, limits and switches. Must come before any statement is prepared, and never again.
pub(super) fn confine(
    connection: &rusqlite::Connection,
    kind: FileKind,
    watch: &Arc<Watch>,
) -> Result<(), StorageError> {
    for (switch, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        (DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true),
        // Otherwise a statement with `limit ?1` is compiled anew each time that a value is bound to it.
        (DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true),
        // A file that a plugin shares has neither. Should one get into its schema, it does not run with the host's rights.
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, kind == FileKind::Host),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, kind == FileKind::Host),
    ] {
        connection.set_db_config(switch, on)?;
    }
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.set_limit(Limit::SQLITE_LIMIT_WORKER_THREADS, 0)?;
    connection.set_limit(Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 8)?;
    limits::set(connection, &HOST_LIMITS)?;
    let late = Arc::clone(watch);
    connection.progress_handler(STEPS, Some(move || late.is_late()))?;
    let asked = Arc::clone(watch);
    connection.authorizer(Some(move |context: AuthContext<'_>| asked.authorize(&context)))?;
    Ok(())
}

/// While it lives the connection is in a plugin's hands.
pub(super) struct Confined<'a> {
    connection: &'a rusqlite::Connection,
    watch: &'a Watch,
    before: u8,
}

impl<'a> Confined<'a> {
    pub(super) fn enter(
        connection: &'a rusqlite::Connection,
        watch: &'a Watch,
        mode: u8,
    ) -> Result<Self, StorageError> {
        watch.take_denied();
        limits::set(connection, &PLUGIN_LIMITS)?;
        let before = watch.mode.swap(mode, Ordering::Relaxed);
        Ok(Self { connection, watch, before })
    }
}

impl Drop for Confined<'_> {
    fn drop(&mut self) {
        self.watch.mode.store(self.before, Ordering::Relaxed);
        if self.before == HOST {
            // The values are valid, so this cannot fail; and if it did, the tighter limits would stay.
            let _ = limits::set(self.connection, &HOST_LIMITS);
        }
    }
}

/// While it lives the host works, whoever holds the connection.
pub(super) struct Trusted<'a> {
    watch: &'a Watch,
    before: u8,
}

impl<'a> Trusted<'a> {
    pub(super) fn enter(watch: &'a Watch) -> Self {
        Self { watch, before: watch.mode.swap(HOST, Ordering::Relaxed) }
    }
}

impl Drop for Trusted<'_> {
    fn drop(&mut self) {
        self.watch.mode.store(self.before, Ordering::Relaxed);
    }
}

/// The rules in force for one question.
struct Rules<'a> {
    mode: u8,
    entities: Option<&'a HashSet<String>>,
    strangers: Option<&'a HashSet<String>>,
    seal: &'a str,
}

impl Rules<'_> {
    fn check(&self, asked: &AuthContext<'_>) -> Result<(), String> {
        if let Some(other) = asked.database_name.filter(|name| *name != "main") {
            let allowed = self.renames_in_temporary(&asked.action) || self.reads_elsewhere(other, asked);
            return if allowed { Ok(()) } else { Err("another database".into()) };
        }
        self.uncounted(asked)?;
        match asked.action {
            AuthAction::Select | AuthAction::Recursive => Ok(()),
            AuthAction::Function { function_name } => function(function_name, self.mode),
            AuthAction::Read { table_name, .. } => self.read(table_name, asked.accessor),
            AuthAction::Insert { table_name }
            | AuthAction::Update { table_name, .. }
            | AuthAction::Delete { table_name } => self.write(table_name),
            _ if self.mode == MIGRATION => self.migrate(&asked.action),
            other => Err(statement(&other).into()),
        }
    }

    /// The host's own views read other plugins' files, which have names that no plugin can know.
    fn reads_elsewhere(&self, schema: &str, asked: &AuthContext<'_>) -> bool {
        let AuthAction::Read { table_name, .. } = asked.action else { return false };
        self.mode == AS_CALLER
            && schema.ends_with(self.seal)
            && self.is_sealed(asked.accessor)
            && (!is_reserved(table_name) || is_asked_by_views(table_name))
    }

    /// A statement that takes no column of a table, as `count(*)` does, is asked about without the file: here a name that
    /// only another file has is that file's table.
    fn uncounted(&self, asked: &AuthContext<'_>) -> Result<(), String> {
        let (AuthAction::Read { table_name, .. }, None) = (&asked.action, asked.database_name) else {
            return Ok(());
        };
        let strange = self.strangers.is_some_and(|all| all.contains(&table_name.to_ascii_lowercase()));
        if strange { Err(format!("reading `{table_name}` of another plugin")) } else { Ok(()) }
    }

    fn is_sealed(&self, accessor: Option<&str>) -> bool {
        accessor.is_some_and(|view| view.ends_with(self.seal))
    }

    /// `alter table` also looks for the name in temporary triggers and views, of which there are none.
    fn renames_in_temporary(&self, action: &AuthAction<'_>) -> bool {
        let (AuthAction::Read { table_name, .. } | AuthAction::Update { table_name, .. }) = action else {
            return false;
        };
        self.mode == MIGRATION && is_schema(table_name)
    }

    fn read(&self, table: &str, accessor: Option<&str>) -> Result<(), String> {
        if self.mode == MIGRATION && (is_schema(table) || table == "pragma_quick_check") {
            return Ok(());
        }
        let sealed = || self.is_sealed(accessor);
        // Views hold the caller's rows in whatever mode they are read: in a `write` action too.
        let asks = self.mode != MIGRATION && is_asked_by_views(table) && sealed();
        if is_reserved(table) && !asks {
            return Err(format!("reading `{table}`"));
        }
        if self.mode == AS_CALLER && self.is_entity(table) && !sealed() {
            return Err(format!("reading `{table}` itself; read `visible_{table}`"));
        }
        Ok(())
    }

    fn write(&self, table: &str) -> Result<(), String> {
        match self.mode {
            AS_CALLER => Err("writing with the caller's rights".into()),
            MIGRATION if is_schema(table) => Ok(()),
            _ if is_reserved(table) => Err(format!("writing `{table}`")),
            _ if self.is_entity(table) => Err(format!("writing `{table}`; entities are written as records")),
            _ => Ok(()),
        }
    }

    fn migrate(&self, action: &AuthAction<'_>) -> Result<(), String> {
        match action {
            AuthAction::CreateTable { table_name: table }
            | AuthAction::DropTable { table_name: table }
            | AuthAction::AlterTable { table_name: table, .. } => self.write(table),
            AuthAction::CreateIndex { index_name, table_name }
            | AuthAction::DropIndex { index_name, table_name } => {
                // SQLite names the index of a unique constraint itself.
                if is_reserved(index_name) && !index_name.starts_with("sqlite_autoindex_") {
                    return Err(format!("an index `{index_name}`"));
                }
                self.write(table_name)
            }
            // Filling a new index, and checking the rows against a changed table: parts of statements that were checked.
            AuthAction::Reindex { .. } | AuthAction::Pragma { pragma_name: "quick_check", .. } => Ok(()),
            other => Err(statement(other).into()),
        }
    }

    fn is_entity(&self, table: &str) -> bool {
        self.entities.is_none_or(|entities| {
            entities.contains(table)
                || (table.bytes().any(|byte| byte.is_ascii_uppercase())
                    && entities.contains(&table.to_ascii_lowercase()))
        })
    }
}

/// Whether the host's own views ask this table of the host: with whom a record is shared, what it is linked to.
fn is_asked_by_views(table: &str) -> bool {
    ["_stoa_shares", "_stoa_links"].contains(&table)
}

/// A name that only the host or SQLite itself may use.
pub(super) fn is_reserved(name: &str) -> bool {
    let starts = |prefix: &str| {
        name.as_bytes().get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    ["_stoa_", "sqlite_", "pragma_", "dbstat", "bytecode", "tables_used", "fts3tokenize", "fts5vocab"]
        .into_iter()
        .any(starts)
}

fn is_schema(table: &str) -> bool {
    ["sqlite_master", "sqlite_schema", "sqlite_sequence", "sqlite_temp_master", "sqlite_temp_schema"]
        .iter()
        .any(|name| table.eq_ignore_ascii_case(name))
}

fn function(name: &str, mode: u8) -> Result<(), String> {
    let name = name.to_ascii_lowercase();
    // `alter table` calls these on its own behalf; with the defensive switch on, SQL cannot.
    if mode == MIGRATION && (name.starts_with("sqlite_rename_") || name == "sqlite_drop_column") {
        return Ok(());
    }
    let refused = ["load_extension", "fts3_tokenizer", "fts5", "fts5_source_id"].contains(&name.as_str())
        || ["sqlite_", "rtree", "geopoly"].iter().any(|prefix| name.starts_with(prefix));
    if refused { Err(format!("the function `{name}`")) } else { Ok(()) }
}

fn statement(action: &AuthAction<'_>) -> &'static str {
    match action {
        AuthAction::Attach { .. } => "attach or vacuum",
        AuthAction::Detach { .. } => "detach",
        AuthAction::Pragma { .. } => "pragma",
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => "transaction control",
        AuthAction::CreateVtable { .. } | AuthAction::DropVtable { .. } => "virtual tables",
        AuthAction::Analyze { .. } => "analyze",
        AuthAction::Reindex { .. } => "reindex",
        _ => "changing the schema",
    }
}
