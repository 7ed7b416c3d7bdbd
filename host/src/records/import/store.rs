//! SQL of imports: how far one came, and the lines it could not take.

use std::rc::Rc;

use rusqlite::{OptionalExtension as _, params};
use serde_json::Value as Json;

use super::run::Summary;
use crate::clock::UnixMillis;
use crate::ids::JobId;
use crate::records::error::RecordError;
use crate::storage::Connection;

fn whole(number: i64) -> u64 {
    number.unsigned_abs()
}

fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
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
    conn.prepare("insert into _stoa_import_errors (job, row, errors) values (?1, ?2, ?3)")?
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
