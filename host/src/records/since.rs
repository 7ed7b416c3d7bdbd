//! What became of a record since a version that somebody still knows, out of the change log.

use std::collections::HashSet;
use std::sync::Arc;

use rusqlite::params;
use serde_json::{Map, Value as Json};

use super::error::RecordError;
use super::schema::{Entity, Kind};
use super::tx::Tx;
use crate::clock::UnixMillis;
use crate::ids::{PrincipalId, RecordId};
use crate::storage::{ChangeMark, TouchKind};

/// Entries of one record that are looked at, the latest first: whoever is further behind hears of these.
const ENTRIES: i64 = 500;

/// A field that was changed, and who did it last.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChangedField {
    /// The field's key.
    pub field: Arc<str>,
    /// When it was changed last.
    pub at: UnixMillis,
    /// Who changed it last.
    pub by: PrincipalId,
}

/// The fields of a record that were changed after it had this version, the latest change first.
///
/// # Errors
/// The file fails.
pub fn changed_since(
    tx: &Tx,
    entity: &Entity,
    id: RecordId,
    version: u64,
) -> Result<Vec<ChangedField>, RecordError> {
    let mut found = Found { tx, entity, seen: HashSet::new(), fields: Vec::new() };
    // What this very request changed is in the file, but not in the log before it is committed.
    for touched in tx.conn.changes_since(ChangeMark::START)?.iter().rev() {
        if touched.id == *id.as_bytes() && touched.kind == TouchKind::Updated && *touched.table == *entity.key
        {
            let names = touched.before.iter().map(|(name, _)| name.as_str());
            found.add(names, tx.now, tx.scope.caller.principal.id);
        }
    }
    let sql = "select at, principal, new from _stoa_changes \
               where record = ?1 and entity = ?2 and operation = 'update' order by seq desc limit ?3";
    let mut statement = tx.conn.prepare(sql)?;
    let mut rows = statement.query(params![id.as_bytes(), &*entity.key, ENTRIES])?;
    while let Some(row) = rows.next()? {
        let (at, by, new): (UnixMillis, [u8; 16], String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let new: Map<String, Json> = serde_json::from_str(&new).unwrap_or_default();
        if new.get("version").and_then(Json::as_u64).is_some_and(|made| made <= version) {
            break;
        }
        found.add(new.keys().map(String::as_str), at, PrincipalId::from_bytes(by));
    }
    Ok(found.fields)
}

struct Found<'a> {
    tx: &'a Tx,
    entity: &'a Entity,
    seen: HashSet<Arc<str>>,
    fields: Vec<ChangedField>,
}

impl Found<'_> {
    fn add<'n>(&mut self, columns: impl Iterator<Item = &'n str>, at: UnixMillis, by: PrincipalId) {
        for column in columns {
            let Some(key) = field_of(self.entity, column) else { continue };
            let hidden =
                self.entity.attribute(&key).is_none_or(|field| !self.tx.scope.shows(self.entity, field));
            if !hidden && self.seen.insert(Arc::clone(&key)) {
                self.fields.push(ChangedField { field: key, at, by });
            }
        }
    }
}

/// The field that a column belongs to; nothing for what every change changes.
fn field_of(entity: &Entity, column: &str) -> Option<Arc<str>> {
    if matches!(column, "version" | "updated_at" | "updated_by") {
        return None;
    }
    if let Some(field) = entity.attribute(column) {
        return Some(Arc::clone(&field.key));
    }
    let money = column.strip_suffix("_currency").and_then(|key| entity.field(key));
    money.filter(|field| matches!(field.kind, Kind::Money)).map(|field| Arc::clone(&field.key))
}
