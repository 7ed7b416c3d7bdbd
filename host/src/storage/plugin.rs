//! What a connection does for a plugin: its statements, its private tables, the views it may read through.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Statement;

use super::FileKind;
use super::audit;
use super::confine::{self, AS_CALLER, AS_PLUGIN, Confined, PluginMode};
use super::connection::{Connection, PLUGIN_MARK};
use super::error::PluginSqlError;
use super::words;

// Interrupting a write undoes the whole group, so a write gets more time and is kept from needing it (`words.rs`).
const WRITE_PATIENCE: u32 = 10;

impl Connection {
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
            return Err(PluginSqlError::refused("anything but SELECT, VALUES, INSERT, UPDATE and DELETE"));
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
        let _confined = Confined::enter(self.raw(), &self.watch, mode)?;
        let compiling = self.watch.limit(deadline);
        let (mut kept, mut once);
        let statement: &mut Statement<'_> = if self.has_attached() {
            once = self.raw().prepare(text).map_err(|error| self.explain(error))?;
            &mut once
        } else {
            kept = self.raw().prepare_cached(text).map_err(|error| self.explain(error))?;
            &mut kept
        };
        drop(compiling);
        if statement.readonly() {
            let _running = self.watch.limit(deadline);
            return f(statement).map_err(|error| self.explain(error));
        }
        if let Some(why) = words::unbounded_write(sql) {
            return Err(PluginSqlError::refused(why));
        }
        if !self.writable() {
            return Err(PluginSqlError::refused("a write outside a write request"));
        }
        self.savepoint(|| {
            let _running = self.watch.limit(deadline * WRITE_PATIENCE);
            f(statement).map_err(|error| self.explain(error))
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
            let before = audit::schema(self)?;
            {
                let _confined = Confined::enter(self.raw(), &self.watch, confine::MIGRATION)?;
                let _deadline = self.watch.limit(Duration::from_secs(60));
                self.raw().execute_batch(sql).map_err(|error| self.explain(error))?;
            }
            let entities = self.shared.entities.load();
            let none = HashSet::new();
            audit::compare(&before, &audit::schema(self)?, entities.as_deref().map_or(&none, |known| known))
        })
    }

    /// Tells which tables are the plugin's declared entities, for all connections of the file. Until this was called no
    /// plugin statement runs. Cheap when called again with the same set.
    pub fn declare_entities(&self, tables: Arc<HashSet<String>>) {
        let known = self.shared.entities.load();
        if known.as_ref().is_none_or(|known| !Arc::ptr_eq(known, &tables)) {
            self.shared.entities.store(Some(tables));
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

    /// A statement compiled while a table was still private must not outlive its becoming an entity.
    fn know_entities(&self) -> Result<(), PluginSqlError> {
        if self.kind == FileKind::Host {
            return Err(PluginSqlError::refused("this file is the host's"));
        }
        let known = self.shared.entities.load();
        let Some(known) = known.as_ref() else {
            return Err(PluginSqlError::refused("the file's entities are not declared yet"));
        };
        let mut seen = self.seen_entities.borrow_mut();
        if seen.as_ref().is_none_or(|seen| !Arc::ptr_eq(seen, known)) {
            self.raw().flush_prepared_statement_cache();
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
