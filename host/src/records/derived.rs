//! What the host keeps beside a row so that it is found again: the links of its multi-references, its entry in the
//! search index, the keys by which its likes find it, the files that its fields name.
//!
//! Refreshed wherever a row changes, in the same transaction.

use std::rc::Rc;

use rusqlite::params;

use super::companions::attachment;
use super::duplicates;
use super::error::RecordError;
use super::schema::{DELETED_AT, Entity, Field, ID, Kind};
use super::search;
use super::value::Value;
use crate::ids::RecordId;
use crate::storage::Connection;

/// Makes what is kept beside a new row, but for its keys: those of many rows are made together
/// ([`duplicates::keys::enter`]).
///
/// # Errors
/// The file fails.
pub(super) fn enter(conn: &Rc<Connection>, entity: &Entity, row: &[Value]) -> Result<(), RecordError> {
    beside(conn, entity, None, Some(row))
}

/// Brings what is kept beside a row in step with it: `before` is the row as it stood (`None`: it is new), `after` as it
/// stands now (`None`: it is gone for good). A row in the recycle bin is found by nothing.
///
/// # Errors
/// The file fails.
pub(super) fn refresh(
    conn: &Rc<Connection>,
    entity: &Entity,
    before: Option<&[Value]>,
    after: Option<&[Value]>,
) -> Result<(), RecordError> {
    let live = |row: Option<&[Value]>| -> bool {
        row.and_then(|row| row.get(DELETED_AT)).is_some_and(Value::is_null)
    };
    let (before, after) = (before.filter(|row| live(Some(row))), after.filter(|row| live(Some(row))));
    beside(conn, entity, before, after)?;
    duplicates::keys::refresh(conn, entity, before, after)
}

/// All but the keys, of live rows.
fn beside(
    conn: &Rc<Connection>,
    entity: &Entity,
    before: Option<&[Value]>,
    after: Option<&[Value]>,
) -> Result<(), RecordError> {
    for field in entity.fields.iter().filter(|field| matches!(field.kind, Kind::References(..))) {
        links(conn, entity, field, before, after)?;
    }
    search::refresh(conn, entity, before, after)?;
    attachment::attach_fields(conn, entity, before, after)
}

fn links(
    conn: &Rc<Connection>,
    entity: &Entity,
    field: &Field,
    before: Option<&[Value]>,
    after: Option<&[Value]>,
) -> Result<(), RecordError> {
    let value =
        |row: Option<&[Value]>| row.and_then(|row| row.get(field.column)).cloned().unwrap_or_default();
    let (old, new) = (value(before), value(after));
    if old == new {
        return Ok(());
    }
    let Some(record) = before.or(after).and_then(|row| row.get(ID)).and_then(Value::id) else {
        return Ok(());
    };
    let sql = "delete from _stoa_links where entity = ?1 and field = ?2 and record = ?3";
    conn.prepare(sql)?.execute(params![&*entity.key, &*field.key, record.as_bytes()])?;
    let sql = "insert into _stoa_links (entity, field, record, target) values (?1, ?2, ?3, ?4)";
    for target in targets(&new) {
        conn.prepare(sql)?.execute(params![
            &*entity.key,
            &*field.key,
            record.as_bytes(),
            target.as_bytes()
        ])?;
    }
    Ok(())
}

/// The records that a value of a `references` field names.
#[must_use]
pub fn targets(value: &Value) -> Vec<RecordId> {
    value.text().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}
