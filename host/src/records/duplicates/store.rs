//! SQL of candidates, dismissed pairs and bypasses.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::rc::Rc;

use rusqlite::{OptionalExtension as _, params, params_from_iter};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::UnixMillis;
use crate::ids::{PrincipalId, RecordId};
use crate::records::Scope;
use crate::records::error::RecordError;
use crate::records::filter::bind;
use crate::records::list::write_visible;
use crate::records::schema::{Entity, Field};
use crate::records::value::Value;
use crate::storage::Connection;

/// Some columns of live records, in their places among all columns; records that are gone are left out.
pub(super) fn rows(
    conn: &Rc<Connection>,
    entity: &Entity,
    fields: &[&Field],
    ids: impl IntoIterator<Item = RecordId>,
) -> Result<Vec<(RecordId, Vec<Value>)>, RecordError> {
    let sql =
        format!("select {} from \"{}\" where id = ?1 and deleted_at is null", columns(fields), entity.key);
    let mut statement = conn.prepare(&sql)?;
    let mut found = Vec::new();
    for id in ids {
        let mut rows = statement.query([id.as_bytes()])?;
        if let Some(row) = rows.next()? {
            found.push((id, placed(entity, fields, row)?));
        }
    }
    Ok(found)
}

/// Some columns of live records behind a row: at most `limit`, with the number of each row.
pub(super) fn rows_after(
    conn: &Rc<Connection>,
    entity: &Entity,
    fields: &[&Field],
    after: i64,
    limit: usize,
) -> Result<Vec<(i64, RecordId, Vec<Value>)>, RecordError> {
    let sql = format!(
        "select {}, _row from \"{}\" where _row > ?1 and deleted_at is null order by _row limit ?2",
        columns(fields),
        entity.key
    );
    let mut statement = conn.prepare(&sql)?;
    let mut rows = statement.query(params![after, i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let number = row.get(fields.len() + 1)?;
        found.push((number, RecordId::from_bytes(row.get(0)?), placed(entity, fields, row)?));
    }
    Ok(found)
}

/// The id, and the columns of these fields.
fn columns(fields: &[&Field]) -> String {
    let mut columns = String::from("id");
    for field in fields {
        let _ = write!(columns, ", \"{}\"", field.key);
    }
    columns
}

fn placed(entity: &Entity, fields: &[&Field], row: &rusqlite::Row<'_>) -> rusqlite::Result<Vec<Value>> {
    let mut values = vec![Value::Null; entity.width];
    for (at, field) in fields.iter().enumerate() {
        if let Some(slot) = values.get_mut(field.column) {
            *slot = Value::from_sql(row.get_ref(at + 1)?);
        }
    }
    Ok(values)
}

/// Which of these records the caller may read.
pub(super) fn readable(
    conn: &Rc<Connection>,
    scope: &Scope,
    entity: &Entity,
    ids: &[RecordId],
) -> Result<HashSet<RecordId>, RecordError> {
    let mut readable = HashSet::with_capacity(ids.len());
    for chunk in ids.chunks(100) {
        let (mut sql, mut params) = (format!("select id from \"{}\" where id in (", entity.key), Vec::new());
        for (at, id) in chunk.iter().enumerate() {
            if at > 0 {
                sql.push_str(", ");
            }
            bind(Value::from(*id), &mut sql, &mut params);
        }
        sql.push_str(") and ");
        match write_visible(scope, entity, "read", &mut sql, &mut params) {
            Err(RecordError::Forbidden { .. }) => return Ok(HashSet::new()),
            other => other?,
        }
        let mut statement = conn.prepare(&sql)?;
        let found = statement.query_map(params_from_iter(&params), |row| row.get(0))?;
        for id in found {
            readable.insert(RecordId::from_bytes(id?));
        }
    }
    Ok(readable)
}

/// Whether somebody said that two records are not the same.
pub(super) fn dismissed(
    conn: &Rc<Connection>,
    entity: &Entity,
    one: RecordId,
    other: RecordId,
) -> Result<bool, RecordError> {
    let sql = "select 1 from _stoa_duplicate_dismissals where entity = ?1 and a = ?2 and b = ?3";
    let (a, b) = (one.min(other), one.max(other));
    Ok(conn.prepare(sql)?.exists(params![&*entity.key, a.as_bytes(), b.as_bytes()])?)
}

/// A write that was let through.
pub(super) struct Bypass<'a> {
    pub(super) record: RecordId,
    /// `warn` or `block`.
    pub(super) policy: &'static str,
    pub(super) reason: &'a str,
    /// JSON.
    pub(super) matches: String,
    pub(super) at: UnixMillis,
    pub(super) by: PrincipalId,
}

/// Remembers why a write was let through.
pub(super) fn bypass(conn: &Rc<Connection>, entity: &Entity, one: &Bypass<'_>) -> Result<(), RecordError> {
    let sql = "insert into _stoa_duplicate_bypasses (entity, record, policy, reason, matches, at, by)
        values (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    conn.prepare(sql)?.execute(params![
        &*entity.key,
        one.record.as_bytes(),
        one.policy,
        one.reason,
        one.matches,
        one.at,
        one.by.as_bytes()
    ])?;
    Ok(())
}

/// What the file remembers under a key; what cannot be read is not there.
pub(super) fn remembered<T: DeserializeOwned>(
    conn: &Rc<Connection>,
    key: &str,
) -> Result<Option<T>, RecordError> {
    let sql = "select value from _stoa_schema where key = ?1";
    let text: Option<String> = conn.prepare(sql)?.query_row([key], |row| row.get(0)).optional()?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Has the file remember something.
pub(super) fn remember(
    conn: &Rc<Connection>,
    key: &str,
    value: &(impl Serialize + ?Sized),
) -> Result<(), RecordError> {
    let text = serde_json::to_string(value).unwrap_or_else(|_| "null".into());
    conn.execute("insert or replace into _stoa_schema (key, value) values (?1, ?2)", [key, &text])?;
    Ok(())
}
