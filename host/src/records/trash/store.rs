//! The table `_stoa_trash`, and the rows of records that lie in the bin.

use std::fmt::Write as _;
use std::rc::Rc;

use rusqlite::{OptionalExtension as _, Row, params, params_from_iter};

use super::{Detached, Entry};
use crate::clock::UnixMillis;
use crate::ids::{PrincipalId, RecordId};
use crate::records::error::RecordError;
use crate::records::list;
use crate::records::schema::{Entity, Field, Kind};
use crate::records::value::Value;
use crate::storage::Connection;

const COLUMNS: &str = "record, entity, cohort, root, place, at, by, detached";

fn entry_of(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let detached: String = row.get(7)?;
    Ok(Entry {
        record: RecordId::from_bytes(row.get(0)?),
        entity: row.get(1)?,
        cohort: RecordId::from_bytes(row.get(2)?),
        root: RecordId::from_bytes(row.get(3)?),
        place: row.get(4)?,
        at: row.get(5)?,
        by: PrincipalId::from_bytes(row.get(6)?),
        detached: serde_json::from_str::<Vec<Detached>>(&detached).unwrap_or_default(),
    })
}

pub(super) fn insert(conn: &Rc<Connection>, entry: &Entry) -> Result<(), RecordError> {
    let sql = format!("insert into _stoa_trash ({COLUMNS}) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
    conn.prepare(&sql)?.execute(params![
        entry.record.as_bytes(),
        entry.entity,
        entry.cohort.as_bytes(),
        entry.root.as_bytes(),
        entry.place,
        entry.at,
        entry.by.as_bytes(),
        serde_json::json!(entry.detached).to_string()
    ])?;
    Ok(())
}

pub(super) fn entry(conn: &Rc<Connection>, record: RecordId) -> Result<Option<Entry>, RecordError> {
    let sql = format!("select {COLUMNS} from _stoa_trash where record = ?1");
    Ok(conn.prepare(&sql)?.query_row([record.as_bytes()], entry_of).optional()?)
}

/// The records of a cohort that are still in the bin, in the order in which they went there.
pub(super) fn cohort(conn: &Rc<Connection>, cohort: RecordId) -> Result<Vec<Entry>, RecordError> {
    let sql = format!("select {COLUMNS} from _stoa_trash where cohort = ?1 order by place, record");
    let mut statement = conn.prepare(&sql)?;
    let entries = statement.query_map([cohort.as_bytes()], entry_of)?;
    Ok(entries.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn remove(conn: &Rc<Connection>, record: RecordId) -> Result<(), RecordError> {
    conn.prepare("delete from _stoa_trash where record = ?1")?.execute([record.as_bytes()])?;
    Ok(())
}

/// All columns of a record, whether it is in the bin or not.
pub(super) fn row(
    conn: &Rc<Connection>,
    entity: &Entity,
    id: RecordId,
) -> Result<Option<Vec<Value>>, RecordError> {
    Ok(list::rows(conn, entity, "id = ?1", "", &[id.into()])?.pop())
}

/// Throws the row of a record away; the change log keeps what it was.
pub(super) fn delete_row(conn: &Rc<Connection>, entity: &Entity, id: RecordId) -> Result<(), RecordError> {
    let sql = format!("delete from \"{}\" where id = ?1 and deleted_at is not null", entity.key);
    conn.execute(&sql, [id.as_bytes()])?;
    Ok(())
}

/// Records in the bin whose `field` points at `id`: at most `limit`.
pub(super) fn binned_referrers(
    conn: &Rc<Connection>,
    entity: &Entity,
    field: &Field,
    id: RecordId,
    limit: i64,
) -> Result<Vec<RecordId>, RecordError> {
    // Several references are text; in it an id stands in quotes.
    let (test, value) = match field.kind {
        Kind::References(..) => ("instr(r.\"{}\", ?2) > 0", Value::Text(format!("\"{id}\""))),
        _ => ("r.\"{}\" = ?2", Value::from(id)),
    };
    let sql = format!(
        "select t.record from _stoa_trash t join \"{}\" r on r.id = t.record \
         where t.entity = ?1 and r.deleted_at is not null and {} limit ?3",
        entity.key,
        test.replace("{}", &field.key)
    );
    let mut statement = conn.prepare(&sql)?;
    let ids = statement.query_map(params![&*entity.key, value, limit], |row| row.get::<_, [u8; 16]>(0))?;
    Ok(ids.map(|id| id.map(RecordId::from_bytes)).collect::<rusqlite::Result<_>>()?)
}

/// A record of a page of the bin.
pub(super) struct Binned {
    pub(super) record: RecordId,
    pub(super) cohort: RecordId,
    pub(super) at: UnixMillis,
    pub(super) by: [u8; 16],
    pub(super) values: Vec<Value>,
}

/// Records of an entity in the bin that meet `condition` (over its columns), newest deletions first.
pub(super) fn binned(
    conn: &Rc<Connection>,
    entity: &Entity,
    condition: &str,
    mut params: Vec<Value>,
    after: Option<(UnixMillis, RecordId)>,
    limit: usize,
) -> Result<Vec<Binned>, RecordError> {
    // The bin's columns are named so that no field's name meets them.
    let mut sql = format!(
        "select {}, _trash_record, _trash_cohort, _trash_at, _trash_by from (select record as _trash_record, \
         cohort as _trash_cohort, at as _trash_at, by as _trash_by, entity as _trash_entity from _stoa_trash) \
         join \"{}\" on id = _trash_record where _trash_entity = ",
        entity.select, entity.key
    );
    let bind = |value: Value, sql: &mut String, params: &mut Vec<Value>| {
        params.push(value);
        let _ = write!(sql, "?{}", params.len());
    };
    bind(Value::Text(entity.key.to_string()), &mut sql, &mut params);
    let _ = write!(sql, " and deleted_at is not null and {condition}");
    if let Some((at, record)) = after {
        sql.push_str(" and (_trash_at, _trash_record) < (");
        bind(Value::Integer(at), &mut sql, &mut params);
        sql.push_str(", ");
        bind(record.into(), &mut sql, &mut params);
        sql.push(')');
    }
    sql.push_str(" order by _trash_at desc, _trash_record desc limit ");
    bind(Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX)), &mut sql, &mut params);
    let mut statement = conn.prepare(&sql)?;
    let mut rows = statement.query(params_from_iter(&params))?;
    let mut found = Vec::with_capacity(limit);
    while let Some(row) = rows.next()? {
        let values = (0..entity.width).map(|at| row.get_ref(at).map(Value::from_sql));
        found.push(Binned {
            values: values.collect::<rusqlite::Result<_>>()?,
            record: RecordId::from_bytes(row.get(entity.width)?),
            cohort: RecordId::from_bytes(row.get(entity.width + 1)?),
            at: row.get(entity.width + 2)?,
            by: row.get(entity.width + 3)?,
        });
    }
    Ok(found)
}

const ADOPTED: &str = "trash:adopted";

pub(super) fn adopted(conn: &Connection) -> Result<bool, RecordError> {
    Ok(conn.prepare("select 1 from _stoa_schema where key = ?1")?.exists([ADOPTED])?)
}

pub(super) fn mark_adopted(conn: &Connection) -> Result<(), RecordError> {
    conn.execute("insert into _stoa_schema (key, value) values (?1, 'true')", [ADOPTED])?;
    Ok(())
}

pub(super) fn adopt(conn: &Connection, table: &str) -> Result<(), RecordError> {
    let sql = format!(
        "insert or ignore into _stoa_trash (record, entity, cohort, root, place, at, by) \
         select id, '{table}', id, id, 0, deleted_at, updated_by from \"{table}\" where deleted_at is not null"
    );
    conn.execute(&sql, [])?;
    Ok(())
}
