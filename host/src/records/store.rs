//! SQL of the write pipeline: one row in, one row changed, who refers to whom, which record bears an external id.

use std::fmt::Write as _;
use std::rc::Rc;

use rusqlite::{OptionalExtension as _, params, params_from_iter};

use super::error::RecordError;
use super::merge;
use super::schema::{Entity, Field, Kind};
use super::value::Value;
use crate::ids::RecordId;
use crate::storage::Connection;

/// Adds a row with these values, in column order.
pub(super) fn insert(conn: &Rc<Connection>, entity: &Entity, values: &[Value]) -> Result<(), RecordError> {
    conn.prepare(&entity.insert)?.execute(params_from_iter(values))?;
    Ok(())
}

/// Changes the columns in `changed` (positions) of a row to their values in `after`.
pub(super) fn update(
    conn: &Rc<Connection>,
    entity: &Entity,
    names: &[String],
    changed: &[usize],
    after: &[Value],
) -> Result<(), RecordError> {
    let mut sql = format!("update \"{}\" set ", entity.key);
    let mut values: Vec<&Value> = Vec::with_capacity(changed.len() + 1);
    for (name, value) in changed.iter().filter_map(|at| names.get(*at).zip(after.get(*at))) {
        if !values.is_empty() {
            sql.push_str(", ");
        }
        values.push(value);
        let _ = write!(sql, "\"{name}\" = ?{}", values.len());
    }
    values.extend(after.first());
    let _ = write!(sql, " where id = ?{}", values.len());
    conn.prepare(&sql)?.execute(params_from_iter(values))?;
    Ok(())
}

/// Whether a record with this id is there and not in the recycle bin.
pub(super) fn exists(conn: &Rc<Connection>, entity: &Entity, id: RecordId) -> Result<bool, RecordError> {
    let sql = format!("select 1 from \"{}\" where id = ?1 and deleted_at is null", entity.key);
    Ok(conn.prepare(&sql)?.exists([id.as_bytes()])?)
}

/// Another record with the same value in a unique field.
pub(super) fn holder(
    conn: &Rc<Connection>,
    entity: &Entity,
    field: &Field,
    value: &Value,
    except: RecordId,
) -> Result<Option<RecordId>, RecordError> {
    let sql = format!(
        "select id from \"{}\" where \"{}\" = ?1 and deleted_at is null and id is not ?2 limit 1",
        entity.key, field.key
    );
    let found: Option<[u8; 16]> =
        conn.prepare(&sql)?.query_row(params![value, except.as_bytes()], |row| row.get(0)).optional()?;
    Ok(found.map(RecordId::from_bytes))
}

/// The record that bears an external id.
pub(super) fn by_external_id(
    conn: &Rc<Connection>,
    entity: &Entity,
    source: &str,
    value: &str,
) -> Result<Option<RecordId>, RecordError> {
    let sql = "select record from _stoa_external_ids where entity = ?1 and source = ?2 and value = ?3";
    let found: Option<[u8; 16]> =
        conn.prepare(sql)?.query_row(params![&*entity.key, source, value], |row| row.get(0)).optional()?;
    match found {
        Some(id) => Ok(Some(RecordId::from_bytes(id))),
        None => merge::by_spare_id(conn, entity, source, value),
    }
}

/// Replaces the external ids of a record.
pub(super) fn set_external_ids(
    conn: &Rc<Connection>,
    entity: &Entity,
    id: RecordId,
    ids: &[(String, String)],
) -> Result<(), RecordError> {
    let sql = "delete from _stoa_external_ids where record = ?2 and entity = ?1";
    conn.prepare(sql)?.execute(params![&*entity.key, id.as_bytes()])?;
    add_external_ids(conn, entity, id, ids)
}

/// Gives external ids to a record that has none.
pub(super) fn add_external_ids(
    conn: &Rc<Connection>,
    entity: &Entity,
    id: RecordId,
    ids: &[(String, String)],
) -> Result<(), RecordError> {
    let sql = "insert into _stoa_external_ids (entity, source, value, record) values (?1, ?2, ?3, ?4)";
    for (source, value) in ids {
        conn.prepare(sql)?.execute(params![&*entity.key, source, value, id.as_bytes()])?;
    }
    Ok(())
}

/// Records of `entity` that are not in the recycle bin and whose `field`, of one reference or several, points at `id`: at
/// most `limit`.
pub(super) fn referrers(
    conn: &Rc<Connection>,
    entity: &Entity,
    field: &Field,
    id: RecordId,
    limit: usize,
) -> Result<Vec<RecordId>, RecordError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    if matches!(field.kind, Kind::References(..)) {
        // Links are those of live records only.
        let sql = "select record from _stoa_links where target = ?1 and entity = ?2 and field = ?3 limit ?4";
        let params = params![id.as_bytes(), &*entity.key, &*field.key, limit];
        return ids(conn.prepare(sql)?.query_map(params, |row| row.get(0))?);
    }
    let sql = format!(
        "select id from \"{}\" where \"{}\" = ?1 and deleted_at is null limit ?2",
        entity.key, field.key
    );
    ids(conn.prepare(&sql)?.query_map(params![id.as_bytes(), limit], |row| row.get(0))?)
}

fn ids(rows: impl Iterator<Item = rusqlite::Result<[u8; 16]>>) -> Result<Vec<RecordId>, RecordError> {
    Ok(rows.map(|id| id.map(RecordId::from_bytes)).collect::<rusqlite::Result<_>>()?)
}
