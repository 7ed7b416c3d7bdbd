//! The back-end in SQL. A filter becomes a [`Condition`]: pieces of text with values between them, every value bound, every
//! related record within the caller's rows. Tests of columns are in `compare.rs`; what lives in another file is asked there
//! first (`elsewhere.rs`).

use std::fmt::Write as _;
use std::sync::Arc;

use super::memory::known;
use super::{Filter, Has, Path, bind, elsewhere};
use crate::ids::RecordId;
use crate::policy::Decision;
use crate::records::error::RecordError;
use crate::records::list::visible;
use crate::records::schema::{Entity, Field, Kind, Target};
use crate::records::value::Value;
use crate::records::{Records, Scope, rights};

/// Which related records count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sight {
    /// Those that the caller may read.
    Caller,
    /// In the plugin's own file all, elsewhere those that the caller may read: what a plugin acting as itself sees.
    Plugin,
}

/// A part of a condition.
#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Sql(String),
    Value(Value),
}

/// A filter as SQL on the columns of one table, which stands in the statement under its own name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Condition(Vec<Piece>);

impl Condition {
    /// Appends the condition; values go to `params`, named by their place there.
    pub fn write(&self, sql: &mut String, params: &mut Vec<Value>) {
        for piece in &self.0 {
            match piece {
                Piece::Sql(text) => sql.push_str(text),
                Piece::Value(value) => bind(value.clone(), sql, params),
            }
        }
    }
}

impl Filter {
    /// The condition that selects the records of `entity` that satisfy the filter.
    ///
    /// # Errors
    /// [`RecordError::Forbidden`] when it looks at related records of which the caller may read none,
    /// [`RecordError::BadRequest`] when too many records of another file match, or a file fails.
    pub fn condition(
        &self,
        engine: &Records,
        scope: &Scope,
        entity: &Entity,
        sight: Sight,
    ) -> Result<Condition, RecordError> {
        let mut compiler = Compiler::new(engine, scope, &entity.plugin, sight);
        compiler.filter(self, entity, &format!("\"{}\"", entity.key))?;
        Ok(compiler.done())
    }
}

/// A condition being written, for one file.
pub(in crate::records) struct Compiler<'c> {
    engine: Option<&'c Records>,
    pub(in crate::records) scope: &'c Scope,
    /// Whose file it is.
    file: &'c str,
    /// What stands before the names of its tables when the file is attached to another; empty otherwise.
    pub(in crate::records) schema: String,
    sight: Sight,
    aliases: usize,
    pieces: Vec<Piece>,
}

impl<'c> Compiler<'c> {
    pub(super) fn new(engine: &'c Records, scope: &'c Scope, file: &'c str, sight: Sight) -> Self {
        Self { engine: Some(engine), ..Self::alone(scope, file, sight) }
    }

    /// Without an engine: for filters on an entity's own fields.
    pub(in crate::records) fn alone(scope: &'c Scope, file: &'c str, sight: Sight) -> Self {
        Self { engine: None, scope, file, schema: String::new(), sight, aliases: 0, pieces: Vec::new() }
    }

    /// The engine, for what lies in other files.
    pub(super) fn engine(&self) -> Result<&'c Records, RecordError> {
        self.engine.ok_or_else(|| RecordError::bad("invalid_filter", "relations cannot be asked about here"))
    }

    /// Writes a decision for the records that stand in the statement as `alias`.
    pub(in crate::records) fn rows(
        &mut self,
        entity: &Entity,
        rows: &Decision,
        alias: &str,
        whole: bool,
    ) -> Result<(), RecordError> {
        let principal = Arc::clone(&self.scope.caller.principal);
        rows.write(&principal, &mut rights::Writing { compiler: self, entity, alias, whole })
    }

    pub(in crate::records) fn done(self) -> Condition {
        Condition(self.pieces)
    }

    pub(in crate::records) fn push(&mut self, text: &str) {
        match self.pieces.last_mut() {
            Some(Piece::Sql(last)) => last.push_str(text),
            _ => self.pieces.push(Piece::Sql(text.to_owned())),
        }
    }

    pub(in crate::records) fn value(&mut self, value: Value) {
        self.pieces.push(Piece::Value(value));
    }

    pub(in crate::records) fn text(&mut self, text: &str) {
        self.value(Value::Text(text.to_owned()));
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("r{}", self.aliases)
    }

    /// Writes the filter for the records that stand in the statement as `alias`.
    pub(in crate::records) fn filter(
        &mut self,
        filter: &Filter,
        entity: &Entity,
        alias: &str,
    ) -> Result<(), RecordError> {
        match filter {
            Filter::And(parts) => self.join(parts, " and ", "1", entity, alias),
            Filter::Or(parts) => self.join(parts, " or ", "0", entity, alias),
            Filter::Not(inner) => {
                self.push("not coalesce(");
                match &**inner {
                    // Few lack something of which there is much: asked record by record.
                    Filter::Has(has) => self.has(has, alias, true)?,
                    inner => self.filter(inner, entity, alias)?,
                }
                self.push(", 0)");
                Ok(())
            }
            Filter::Test(test) => self.test(test, entity, alias),
            Filter::Path(path) => self.path(path, entity, alias),
            Filter::Has(has) => self.has(has, alias, has.inner.is_all()),
            Filter::Tagged(tags) => {
                let schema = &self.schema;
                let tagged = format!("{alias}.id in (select record from {schema}_stoa_tags where entity = ");
                self.push(&tagged);
                self.text(&entity.key);
                for (at, tag) in tags.iter().enumerate() {
                    self.push(if at == 0 { " and fold in (" } else { ", " });
                    self.text(tag);
                }
                self.push(if tags.is_empty() { ")" } else { "))" });
                Ok(())
            }
            Filter::Among(ids) => {
                self.push(&format!("{alias}.id in "));
                self.ids(ids);
                Ok(())
            }
        }
    }

    fn join(
        &mut self,
        parts: &[Filter],
        word: &str,
        none: &str,
        entity: &Entity,
        alias: &str,
    ) -> Result<(), RecordError> {
        if parts.is_empty() {
            self.push(none);
            return Ok(());
        }
        self.push("(");
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                self.push(word);
            }
            self.filter(part, entity, alias)?;
        }
        self.push(")");
        Ok(())
    }

    /// A set of ids, bound as one value.
    fn ids(&mut self, ids: &[RecordId]) {
        let mut list = String::with_capacity(ids.len() * 35 + 2);
        list.push('[');
        for (at, id) in ids.iter().enumerate() {
            list.push_str(if at > 0 { ",\"" } else { "\"" });
            for byte in id.as_bytes() {
                let _ = write!(list, "{byte:02x}");
            }
            list.push('"');
        }
        list.push(']');
        self.push("(select unhex(value) from json_each(");
        self.value(Value::Text(list));
        self.push("))");
    }

    /// Which records of a related entity count.
    pub(super) fn visible(&mut self, entity: &Entity, alias: &str) -> Result<(), RecordError> {
        if self.sight == Sight::Plugin && *entity.plugin == *self.file {
            self.push(&format!("{alias}.deleted_at is null"));
            return Ok(());
        }
        let rows = visible(self.scope, entity, "read")?;
        self.push(&format!("{alias}.deleted_at is null"));
        if !rows.always() {
            self.push(" and ");
            self.rows(entity, &rows, alias, true)?;
        }
        Ok(())
    }

    fn path(&mut self, path: &Path, entity: &Entity, alias: &str) -> Result<(), RecordError> {
        let field = known(entity, &path.field)?;
        let several = matches!(field.kind, Kind::References(..));
        let local = *path.target.plugin == *self.file;
        if several {
            let schema = &self.schema;
            let linked =
                format!("{alias}.id in (select l.record from {schema}_stoa_links as l where l.entity = ");
            self.push(&linked);
            self.text(&entity.key);
            self.push(" and l.field = ");
            self.text(&field.key);
            self.push(" and l.target in ");
        } else {
            self.push(&format!("{alias}.\"{}\" in ", field.key));
        }
        if local {
            let (target, inside) = (self.entity(&path.target)?, self.alias());
            let from =
                format!("(select {inside}.id from {}\"{}\" as {inside} where ", self.schema, target.key);
            self.push(&from);
            self.visible(&target, &inside)?;
            self.also(&path.inner, &target, &inside)?;
            self.push(")");
        } else {
            let ids = elsewhere::targets(self, &path.target, &path.inner, &path.field)?;
            self.ids(&ids);
        }
        if several {
            self.push(")");
        }
        Ok(())
    }

    /// Records that refer to this one: one by one (`correlated`), or the set of those they refer to.
    fn has(&mut self, has: &Has, alias: &str, correlated: bool) -> Result<(), RecordError> {
        if *has.referrer.plugin != *self.file {
            let ids = elsewhere::referred(self, has)?;
            self.push(&format!("{alias}.id in "));
            self.ids(&ids);
            return Ok(());
        }
        let child = self.entity(&has.referrer)?;
        let field = known(&child, &has.field)?.clone();
        if correlated {
            self.push("exists (select 1");
        } else {
            self.push(&format!("{alias}.id in (select "));
        }
        self.referring(&child, &field, correlated.then_some(alias), &has.inner)?;
        self.push(")");
        Ok(())
    }

    /// The records of `child` that refer, from the FROM on; without `to` after the column of what they refer to.
    pub(super) fn referring(
        &mut self,
        child: &Entity,
        field: &Field,
        to: Option<&str>,
        inner: &Filter,
    ) -> Result<(), RecordError> {
        let inside = self.alias();
        let column = match &field.kind {
            Kind::References(..) => {
                let links = self.alias();
                let column = format!("{links}.target");
                if to.is_none() {
                    self.push(&column);
                }
                let (schema, table) = (&self.schema, &child.key);
                let from = format!(
                    " from {schema}_stoa_links as {links} join {schema}\"{table}\" as {inside} on {inside}.id = {links}.record where {links}.entity = "
                );
                self.push(&from);
                self.text(&child.key);
                self.push(&format!(" and {links}.field = "));
                self.text(&field.key);
                column
            }
            _ => {
                let column = format!("{inside}.\"{}\"", field.key);
                if to.is_none() {
                    self.push(&column);
                }
                let schema = &self.schema;
                let from = format!(" from {schema}\"{}\" as {inside} where {column} is not null", child.key);
                self.push(&from);
                column
            }
        };
        if let Some(alias) = to {
            self.push(&format!(" and {column} = {alias}.id"));
        }
        self.push(" and ");
        self.visible(child, &inside)?;
        self.also(inner, child, &inside)
    }

    pub(super) fn also(&mut self, inner: &Filter, entity: &Entity, alias: &str) -> Result<(), RecordError> {
        if inner.is_all() {
            return Ok(());
        }
        self.push(" and ");
        self.filter(inner, entity, alias)
    }

    pub(super) fn entity(&self, target: &Target) -> Result<std::sync::Arc<Entity>, RecordError> {
        self.scope.entity(&target.plugin, &target.entity).ok_or_else(|| {
            let detail = format!(
                "this organization does not have {}.{}; leave it out of the filter",
                target.plugin, target.entity
            );
            RecordError::bad("relation_unavailable", detail)
        })
    }
}
