//! What a filter asks of another file: the test runs there, and the ids of what it finds travel, up to a limit.

use rusqlite::params_from_iter;

use super::memory::known;
use super::sql::{Compiler, Sight};
use super::{Filter, Has, WIDTH, bind, people, shown};
use crate::ids::RecordId;
use crate::records::error::RecordError;
use crate::records::schema::Target;
use crate::records::value::Value;

/// The records of `target` that satisfy the filter.
pub(super) fn targets(
    asking: &Compiler<'_>,
    target: &Target,
    inner: &Filter,
    name: &str,
) -> Result<Vec<RecordId>, RecordError> {
    if &*target.plugin == people::HOST {
        let entity = people::entity(&target.entity).ok_or(RecordError::NotFound)?;
        let found = people::matching(asking.engine()?, asking.scope, &entity, inner, WIDTH + 1)?;
        return narrow(found, name);
    }
    let entity = asking.entity(target)?;
    let mut there = Compiler::new(asking.engine()?, asking.scope, &target.plugin, Sight::Caller);
    let table = format!("\"{}\"", entity.key);
    there.push(&format!("select {table}.id from {table} where "));
    there.visible(&entity, &table)?;
    there.also(inner, &entity, &table)?;
    narrow(ask(asking, there, target)?, name)
}

/// The records to which those refer that satisfy the filter.
pub(super) fn referred(asking: &Compiler<'_>, has: &Has) -> Result<Vec<RecordId>, RecordError> {
    let child = asking.entity(&has.referrer)?;
    let field = known(&child, &has.field)?;
    let mut there = Compiler::new(asking.engine()?, asking.scope, &has.referrer.plugin, Sight::Caller);
    there.push("select distinct ");
    there.referring(&child, field, None, &has.inner)?;
    narrow(ask(asking, there, &has.referrer)?, &child.plural)
}

fn ask(asking: &Compiler<'_>, there: Compiler<'_>, target: &Target) -> Result<Vec<RecordId>, RecordError> {
    let module = asking.scope.module(&target.plugin).ok_or(RecordError::NotFound)?;
    let (mut sql, mut params) = (String::with_capacity(256), Vec::new());
    there.done().write(&mut sql, &mut params);
    sql.push_str(" limit ");
    bind(Value::Integer(i64::try_from(WIDTH + 1).unwrap_or(i64::MAX)), &mut sql, &mut params);
    asking.engine()?.read(asking.scope, module, |conn| {
        let mut statement = conn.prepare(&sql)?;
        let ids = statement.query_map(params_from_iter(&params), |row| row.get::<_, [u8; 16]>(0))?;
        Ok(ids.map(|id| id.map(RecordId::from_bytes)).collect::<rusqlite::Result<_>>()?)
    })
}

/// Refuses what is too much to travel.
fn narrow(found: Vec<RecordId>, name: &str) -> Result<Vec<RecordId>, RecordError> {
    if found.len() <= WIDTH {
        return Ok(found);
    }
    let detail = format!(
        "more than {WIDTH} records of another module match what the filter asks of `{}`; narrow that test, or ask the other \
         module's list first",
        shown(name)
    );
    Err(RecordError::bad("filter_too_wide", detail))
}
