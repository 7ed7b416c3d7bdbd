//! SQL of the trail of exports.

use std::rc::Rc;

use rusqlite::params;

use super::Trail;
use crate::clock::UnixMillis;
use crate::ids::{PrincipalId, RecordId};
use crate::records::error::RecordError;
use crate::storage::{ChangeOrigin, Connection};

/// Notes that an export begins: of which entity, what was asked for, in which format.
pub(super) fn begin(
    conn: &Rc<Connection>,
    id: RecordId,
    origin: &ChangeOrigin,
    (entity, query, format): (&str, &str, &str),
    now: UnixMillis,
) -> Result<(), RecordError> {
    let sql = "insert into _stoa_exports (id, at, principal, request, entity, query, format) \
               values (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let (principal, request) = (origin.principal.as_bytes(), origin.request.as_bytes());
    conn.prepare(sql)?.execute(params![id.as_bytes(), now, principal, request, entity, query, format])?;
    Ok(())
}

/// Notes how it ended.
pub(super) fn end(
    conn: &Rc<Connection>,
    id: RecordId,
    rows: u64,
    complete: bool,
    now: UnixMillis,
) -> Result<(), RecordError> {
    let (rows, outcome) =
        (i64::try_from(rows).unwrap_or(i64::MAX), if complete { "complete" } else { "broken" });
    conn.prepare("update _stoa_exports set rows = ?2, finished_at = ?3, outcome = ?4 where id = ?1")?
        .execute(params![id.as_bytes(), rows, now, outcome])?;
    Ok(())
}

/// The exports of one module, newest first.
pub(super) fn list(
    conn: &Rc<Connection>,
    plugin: &str,
    of: Option<PrincipalId>,
    before: Option<RecordId>,
    limit: u32,
) -> Result<Vec<Trail>, RecordError> {
    let sql = "select id, at, principal, entity, query, format, rows, finished_at, outcome from _stoa_exports \
               where (?1 is null or principal = ?1) and (?2 is null or id < ?2) order by id desc limit ?3";
    let mut statement = conn.prepare(sql)?;
    let (of, before) = (of.map(|id| *id.as_bytes()), before.map(|id| *id.as_bytes()));
    let rows = statement.query_map(params![of, before, limit], |row| {
        let entity: String = row.get(3)?;
        Ok(Trail {
            id: RecordId::from_bytes(row.get(0)?),
            at: row.get(1)?,
            principal: PrincipalId::from_bytes(row.get(2)?),
            entity: format!("{plugin}.{entity}"),
            query: row.get(4)?,
            format: row.get(5)?,
            rows: row.get(6)?,
            finished_at: row.get(7)?,
            outcome: row.get(8)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
