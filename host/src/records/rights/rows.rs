//! A decision in SQL and in memory.

use std::rc::Rc;

use super::conditions::Reader;
use super::shares;
use crate::clock::UnixMillis;
use crate::ids::{PrincipalId, TeamId};
use crate::policy::{Condition, Decision, Predicate, Record};
use crate::records::Scope;
use crate::records::error::RecordError;
use crate::records::filter::{Compiler, Filter, NoRelated, Sight};
use crate::records::schema::{Entity, ID, OWNER, TEAM};
use crate::records::value::Value;
use crate::storage::Connection;

/// Whether a decision covers the record with these values; `None` is all records. The connection is that of the
/// entity's file, where its shares stand.
pub(crate) fn permits(
    conn: &Rc<Connection>,
    scope: &Scope,
    entity: &Entity,
    rows: &Option<Decision>,
    values: &[Value],
) -> bool {
    let record = Stored { conn, scope, entity, values };
    rows.as_ref().is_none_or(|rows| rows.permits(&scope.caller.principal, &record))
}

/// Appends a decision as a condition on the rows of a table that stands in the statement as `alias`; `None`: under its
/// own name. Never null.
///
/// # Errors
/// Those of the compiler: a condition does not fit the entity.
pub fn predicate(
    scope: &Scope,
    entity: &Entity,
    rows: &Decision,
    alias: Option<&str>,
    sql: &mut String,
    params: &mut Vec<Value>,
) -> Result<(), RecordError> {
    let mut compiler = Compiler::alone(scope, &entity.plugin, Sight::Caller);
    let own = format!("\"{}\"", entity.key);
    compiler.rows(entity, rows, alias.unwrap_or(&own), true)?;
    compiler.done().write(sql, params);
    Ok(())
}

/// The same for a table of a file that is attached as `schema`, where its shares and links stand too.
pub(in crate::records) fn predicate_there(
    scope: &Scope,
    entity: &Entity,
    rows: &Decision,
    schema: &str,
    sql: &mut String,
    params: &mut Vec<Value>,
) -> Result<(), RecordError> {
    let mut compiler = Compiler::alone(scope, &entity.plugin, Sight::Caller);
    compiler.schema = format!("{schema}.");
    compiler.rows(entity, rows, &format!("\"{}\"", entity.key), true)?;
    compiler.done().write(sql, params);
    Ok(())
}

/// The decision taken apart, as conditions that together select the same rows and each of which an index answers in the
/// order of rows. None when it is one already.
pub(in crate::records) fn branches(
    scope: &Scope,
    entity: &Entity,
    rows: &Decision,
    params: &mut Vec<Value>,
) -> Result<Vec<String>, RecordError> {
    let mut branches = Vec::new();
    for rows in rows.branches() {
        let mut sql = String::with_capacity(128);
        predicate(scope, entity, &rows, None, &mut sql, params)?;
        branches.push(sql);
    }
    Ok(branches)
}

/// The same of records that are gone, of which only owner and team are still known: no share is left, and every field is
/// absent.
pub(crate) fn gone_predicate(
    scope: &Scope,
    entity: &Entity,
    rows: &Decision,
    alias: &str,
    sql: &mut String,
    params: &mut Vec<Value>,
) -> Result<(), RecordError> {
    let mut compiler = Compiler::alone(scope, &entity.plugin, Sight::Caller);
    compiler.rows(entity, rows, alias, false)?;
    compiler.done().write(sql, params);
    Ok(())
}

/// A record as a decision sees it.
struct Stored<'a> {
    conn: &'a Rc<Connection>,
    scope: &'a Scope,
    entity: &'a Entity,
    values: &'a [Value],
}

impl Record for Stored<'_> {
    fn owner(&self) -> Option<PrincipalId> {
        let id = self.values.get(OWNER).and_then(Value::id)?;
        Some(PrincipalId::from_bytes(*id.as_bytes()))
    }

    fn team(&self) -> Option<TeamId> {
        let id = self.values.get(TEAM).and_then(Value::id)?;
        Some(TeamId::from_bytes(*id.as_bytes()))
    }

    fn shared(&self, changing: bool, now: UnixMillis) -> bool {
        let Some(id) = self.values.get(ID).and_then(Value::id) else { return false };
        let principal = &self.scope.caller.principal;
        shares::reaches(self.conn, &self.entity.key, id, principal, changing, now).unwrap_or_else(|error| {
            tracing::error!(%error, entity = %self.entity.object, "shares cannot be read, so none counts");
            false
        })
    }

    fn holds(&self, condition: &Condition, absent: bool, now: UnixMillis) -> bool {
        let filter = fitting(self.scope, self.entity, condition, absent, now);
        filter.matches(self.entity, self.values, &NoRelated).unwrap_or(absent)
    }
}

/// The filter of a condition. One that does not fit the entity any more holds of what a fault must hold of: a deny of
/// everything, an allow of nothing.
fn fitting(scope: &Scope, entity: &Entity, condition: &Condition, absent: bool, now: UnixMillis) -> Filter {
    Reader::of(scope, now).filter(entity, condition, absent).unwrap_or_else(|error| {
        tracing::warn!(%error, %condition, entity = %entity.object, "a condition of the policy does not fit any more");
        if absent { Filter::all() } else { Filter::Or(Vec::new()) }
    })
}

/// A decision being written into a statement.
pub(in crate::records) struct Writing<'w, 'c> {
    pub(in crate::records) compiler: &'w mut Compiler<'c>,
    pub(in crate::records) entity: &'w Entity,
    pub(in crate::records) alias: &'w str,
    /// Whether the table is the entity's own.
    pub(in crate::records) whole: bool,
}

impl Predicate for Writing<'_, '_> {
    type Error = RecordError;

    fn sql(&mut self, text: &str) {
        self.compiler.push(text);
    }

    fn column(&mut self, name: &'static str) {
        self.compiler.push(&format!("{}.{name}", self.alias));
    }

    fn id(&mut self, id: &[u8; 16]) {
        self.compiler.value(Value::Id(*id));
    }

    fn shared(&mut self, changing: bool, now: UnixMillis) -> Result<(), RecordError> {
        if !self.whole {
            self.compiler.push("0");
            return Ok(());
        }
        let level = if changing { " and level = 'update'" } else { "" };
        let (alias, schema) = (self.alias, &self.compiler.schema);
        let shared = format!("{alias}.id in (select record from {schema}_stoa_shares where entity = ");
        self.compiler.push(&shared);
        self.compiler.text(&self.entity.key);
        self.compiler.push(" and subject in (");
        let principal = &self.compiler.scope.caller.principal;
        self.compiler.value(Value::Id(*principal.id.as_bytes()));
        for team in principal.teams.iter() {
            self.compiler.push(", ");
            self.compiler.value(Value::Id(*team.as_bytes()));
        }
        self.compiler.push(&format!("){level} and (expires_at is null or expires_at > "));
        self.compiler.value(Value::Integer(now));
        self.compiler.push("))");
        Ok(())
    }

    fn condition(&mut self, condition: &Condition, absent: bool, now: UnixMillis) -> Result<(), RecordError> {
        if !self.whole {
            self.compiler.push(if absent { "1" } else { "0" });
            return Ok(());
        }
        let filter = fitting(self.compiler.scope, self.entity, condition, absent, now);
        self.compiler.push("coalesce(");
        self.compiler.filter(&filter, self.entity, self.alias)?;
        self.compiler.push(", 0)");
        Ok(())
    }
}
