//! SQL of imports: what a text stands for, how far one came, and the lines it could not take.

use std::fmt::Write as _;
use std::rc::Rc;

use rusqlite::{OptionalExtension as _, params, params_from_iter};
use serde_json::Value as Json;

use super::run::Summary;
use super::spec::{Lookup, Mapping};
use super::value;
use crate::clock::UnixMillis;
use crate::ids::{JobId, RecordId};
use crate::records::Scope;
use crate::records::error::RecordError;
use crate::records::filter::bind;
use crate::records::input;
use crate::records::list::write_visible;
use crate::records::schema::Entity;
use crate::records::value::Value;
use crate::storage::Connection;

fn whole(number: i64) -> u64 {
    number.unsigned_abs()
}

fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Records for which `by` (a field, or `external_id:SOURCE`) is this text and which the caller may read: at most two,
/// because more than one is too many.
pub(super) fn readable(
    conn: &Rc<Connection>,
    scope: &Scope,
    entity: &Entity,
    lookup: &Lookup,
    text: &str,
) -> Result<Vec<RecordId>, RecordError> {
    let (mut sql, mut params) = (format!("select id from \"{}\" where ", entity.key), Vec::new());
    let by = lookup.by.as_str();
    match (by.strip_prefix("external_id:"), entity.field(by)) {
        (Some(source), _) => {
            sql.push_str("id = (select record from _stoa_external_ids where entity = ");
            bind(Value::Text(entity.key.to_string()), &mut sql, &mut params);
            sql.push_str(" and source = ");
            bind(Value::Text(source.to_owned()), &mut sql, &mut params);
            sql.push_str(" and value = ");
            bind(Value::Text(text.to_owned()), &mut sql, &mut params);
            sql.push(')');
        }
        (None, Some(field)) => {
            // A text that cannot be a value of the field stands for no record.
            let json = value::typed(field, &Mapping::default(), text, &scope.organization.zone);
            let Ok((value, _)) = input::field(field, &json) else {
                return Ok(Vec::new());
            };
            let _ = write!(sql, "\"{}\" = ", field.key);
            bind(value, &mut sql, &mut params);
            if lookup.ignore_case {
                sql.push_str(" collate nocase");
            }
        }
        (None, None) => return Ok(Vec::new()),
    }
    sql.push_str(" and ");
    match write_visible(scope, entity, "read", &mut sql, &mut params) {
        Err(RecordError::Forbidden { .. }) => return Ok(Vec::new()),
        other => other?,
    }
    sql.push_str(" limit 2");
    let mut statement = conn.prepare(&sql)?;
    let ids = statement.query_map(params_from_iter(&params), |row| row.get::<_, [u8; 16]>(0))?;
    Ok(ids.map(|id| id.map(RecordId::from_bytes)).collect::<rusqlite::Result<_>>()?)
}

/// Records whose field `key` (a unique one, or `id`) has this value, whoever may read them: at most two.
pub(super) fn bearers(
    conn: &Rc<Connection>,
    entity: &Entity,
    key: &str,
    value: &Value,
) -> Result<Vec<RecordId>, RecordError> {
    let sql =
        format!("select id from \"{}\" where \"{key}\" = ?1 and deleted_at is null limit 2", entity.key);
    let mut statement = conn.prepare(&sql)?;
    let ids = statement.query_map([value], |row| row.get::<_, [u8; 16]>(0))?;
    Ok(ids.map(|id| id.map(RecordId::from_bytes)).collect::<rusqlite::Result<_>>()?)
}

/// The next row and what became of those before it.
pub(super) fn checkpoint(conn: &Rc<Connection>, job: JobId) -> Result<(u64, Summary), RecordError> {
    let sql = "select next_row, created, updated, failed from _stoa_import where job = ?1";
    let found = conn
        .prepare(sql)?
        .query_row([job.as_bytes()], |row| {
            let summary = Summary {
                created: whole(row.get(1)?),
                updated: whole(row.get(2)?),
                failed: whole(row.get(3)?),
                listed: Vec::new(),
                preview: Vec::new(),
            };
            Ok((whole(row.get(0)?), summary))
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// Moves the checkpoint past a batch.
pub(super) fn advance(
    conn: &Rc<Connection>,
    job: JobId,
    next: u64,
    batch: &Summary,
    now: UnixMillis,
) -> Result<(), RecordError> {
    let sql = "insert into _stoa_import (job, next_row, created, updated, failed, updated_at) values (?1, ?2, ?3, ?4, ?5, ?6)
        on conflict (job) do update set next_row = excluded.next_row, created = created + excluded.created,
            updated = updated + excluded.updated, failed = failed + excluded.failed, updated_at = excluded.updated_at";
    conn.prepare(sql)?.execute(params![
        job.as_bytes(),
        stored(next),
        stored(batch.created),
        stored(batch.updated),
        stored(batch.failed),
        now
    ])?;
    Ok(())
}

/// Keeps the faults of one row.
pub(super) fn add_errors(
    conn: &Rc<Connection>,
    job: JobId,
    row: u64,
    faults: &[Json],
) -> Result<(), RecordError> {
    let text = Json::from(faults.to_vec()).to_string();
    conn.prepare("insert or replace into _stoa_import_errors (job, row, errors) values (?1, ?2, ?3)")?
        .execute(params![job.as_bytes(), stored(row), text])?;
    Ok(())
}

/// The faults of all rows, in the order of the file.
pub(super) fn errors(conn: &Rc<Connection>, job: JobId) -> Result<Vec<Json>, RecordError> {
    let mut statement = conn.prepare("select errors from _stoa_import_errors where job = ?1 order by row")?;
    let rows = statement.query_map([job.as_bytes()], |row| row.get::<_, String>(0))?;
    let mut all = Vec::new();
    for text in rows {
        all.extend(serde_json::from_str::<Vec<Json>>(&text?).unwrap_or_default());
    }
    Ok(all)
}
