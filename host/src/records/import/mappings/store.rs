//! SQL of saved mappings.

use std::rc::Rc;

use rusqlite::{OptionalExtension as _, Row, params};

use super::SavedMapping;
use crate::ids::{PrincipalId, RecordId};
use crate::records::error::RecordError;
use crate::storage::Connection;

const COLUMNS: &str = "id, version, name, entity, spec, created_at, created_by, updated_at, updated_by";

/// A name without regard to letter case.
pub(super) fn folded(name: &str) -> String {
    name.to_lowercase()
}

fn mapping(row: &Row<'_>) -> rusqlite::Result<SavedMapping> {
    let spec: String = row.get(4)?;
    Ok(SavedMapping {
        id: RecordId::from_bytes(row.get(0)?),
        version: row.get(1)?,
        name: row.get(2)?,
        entity: row.get(3)?,
        spec: serde_json::from_str(&spec).unwrap_or_default(),
        created_at: row.get(5)?,
        created_by: PrincipalId::from_bytes(row.get(6)?),
        updated_at: row.get(7)?,
        updated_by: PrincipalId::from_bytes(row.get(8)?),
    })
}

/// The mappings, of one entity if it is named, by name.
pub(super) fn list(conn: &Rc<Connection>, entity: Option<&str>) -> Result<Vec<SavedMapping>, RecordError> {
    let sql = format!(
        "select {COLUMNS} from import_mappings where ?1 is null or entity = ?1 order by name_key, id"
    );
    let mut statement = conn.prepare(&sql)?;
    let rows = statement.query_map([entity], mapping)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// How many there are.
pub(super) fn count(conn: &Rc<Connection>) -> Result<usize, RecordError> {
    let count: i64 = conn.prepare("select count(*) from import_mappings")?.query_row([], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// One of them.
pub(super) fn find(conn: &Rc<Connection>, id: RecordId) -> Result<Option<SavedMapping>, RecordError> {
    let sql = format!("select {COLUMNS} from import_mappings where id = ?1");
    Ok(conn.prepare(&sql)?.query_row([id.as_bytes()], mapping).optional()?)
}

/// Adds or replaces one.
pub(super) fn put(conn: &Rc<Connection>, mapping: &SavedMapping) -> Result<(), RecordError> {
    let sql = "insert into import_mappings (id, version, name, name_key, entity, spec, created_at, created_by, updated_at, \
         updated_by) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) on conflict (id) do update set \
         version = excluded.version, name = excluded.name, name_key = excluded.name_key, entity = excluded.entity, \
         spec = excluded.spec, updated_at = excluded.updated_at, updated_by = excluded.updated_by";
    conn.prepare(sql)?.execute(params![
        mapping.id.as_bytes(),
        mapping.version,
        mapping.name,
        folded(&mapping.name),
        mapping.entity,
        mapping.spec.to_string(),
        mapping.created_at,
        mapping.created_by.as_bytes(),
        mapping.updated_at,
        mapping.updated_by.as_bytes(),
    ])?;
    Ok(())
}

/// Deletes one.
pub(super) fn delete(conn: &Rc<Connection>, id: RecordId) -> Result<(), RecordError> {
    conn.prepare("delete from import_mappings where id = ?1")?.execute([id.as_bytes()])?;
    Ok(())
}
