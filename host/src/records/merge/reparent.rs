//! References that follow a merge, and come back when it is undone: through every relation that the modules of the
//! organization declare, custom fields included.

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use rusqlite::params_from_iter;

use super::entry::Move;
use super::image::{packed, unpacked};
use super::store;
use crate::ids::{MergeId, RecordId};
use crate::records::derived;
use crate::records::error::RecordError;
use crate::records::list;
use crate::records::schema::{Entity, Field, ID, Kind, Module};
use crate::records::tx::Tx;
use crate::records::value::Value;
use crate::records::write::rewrite;
use crate::storage::Connection;

/// A field that refers to the merged entity.
pub(super) struct Relation {
    /// Who refers.
    pub(super) entity: Arc<Entity>,
    /// Position of the field.
    at: usize,
}

/// The relations of a module to `target`.
pub(super) fn relations(module: &Module, target: &Entity) -> Vec<Relation> {
    let refers = |field: &Field| match &field.kind {
        Kind::Reference(to, _) | Kind::References(to, _) => {
            to.plugin == target.plugin && to.entity == target.key
        }
        _ => false,
    };
    let of = |entity: &Arc<Entity>| {
        let places = entity.fields.iter().enumerate().filter(|(_, field)| refers(field)).map(|(at, _)| at);
        places.map(|at| Relation { entity: Arc::clone(entity), at }).collect::<Vec<_>>()
    };
    module.entities.iter().flat_map(of).collect()
}

impl Relation {
    /// The field.
    pub(super) fn field(&self) -> Option<&Field> {
        self.entity.fields.get(self.at)
    }

    /// The condition that selects live records whose field names one of `ids`, but none of `except`.
    fn condition(&self, ids: &[RecordId], except: &[RecordId]) -> (String, Vec<Value>) {
        let mut params = Vec::new();
        let mut places = |ids: &[RecordId]| -> String {
            let place = |id: &RecordId| {
                params.push(Value::from(*id));
                format!("?{}", params.len())
            };
            ids.iter().map(place).collect::<Vec<_>>().join(", ")
        };
        let (named, kept) = (places(ids), places(except));
        let key = self.field().map_or("id", |field| &*field.key);
        let condition = match self.field().map(|field| &field.kind) {
            Some(Kind::References(..)) => format!(
                "id in (select record from _stoa_links where entity = '{}' and field = '{key}' \
                 and target in ({named})) and deleted_at is null and id not in ({kept})",
                self.entity.key
            ),
            _ => format!("\"{key}\" in ({named}) and deleted_at is null and id not in ({kept})"),
        };
        (condition, params)
    }

    /// The records that name one of `ids`: how many, and the first of them.
    pub(super) fn children(
        &self,
        conn: &Rc<Connection>,
        (ids, except): (&[RecordId], &[RecordId]),
        first: u32,
    ) -> Result<(u64, Vec<RecordId>), RecordError> {
        let (condition, params) = self.condition(ids, except);
        let sql = format!("select count(*) from \"{}\" where {condition}", self.entity.key);
        let count: i64 = conn.prepare(&sql)?.query_row(params_from_iter(&params), |row| row.get(0))?;
        let sql =
            format!("select id from \"{}\" where {condition} order by _row limit {first}", self.entity.key);
        let mut statement = conn.prepare(&sql)?;
        let found = statement.query_map(params_from_iter(&params), |row| row.get::<_, [u8; 16]>(0))?;
        let found = found.map(|id| id.map(RecordId::from_bytes)).collect::<rusqlite::Result<_>>()?;
        Ok((count.unsigned_abs(), found))
    }

    /// Has up to `most` records that name a loser name the survivor instead. Answers how many there were.
    pub(super) fn follow(
        &self,
        tx: &Tx,
        merge: MergeId,
        (survivor, losers): (RecordId, &[RecordId]),
        except: &[RecordId],
        most: usize,
    ) -> Result<usize, RecordError> {
        let Some(field) = self.field() else { return Ok(0) };
        let (condition, params) = self.condition(losers, except);
        let limit = format!(" order by _row limit {most}");
        let rows = list::rows(&tx.conn, &self.entity, &condition, &limit, &params)?;
        let found = rows.len();
        for row in rows {
            let Some(record) = row.get(ID).and_then(Value::id) else { continue };
            let old = row.get(field.column).cloned().unwrap_or_default();
            let mut new = renamed(field, &old, survivor, losers);
            // One reference to each record: somebody pointed at the survivor since this was looked at.
            if field.unique && !new.is_null() && self.taken(tx, field, &new, record)? {
                new = Value::Null;
            }
            let version = rewrite::follow(tx, &self.entity, record, row, field.column, new.clone())?;
            let moved = Move {
                entity: self.entity.key.to_string(),
                field: field.key.to_string(),
                record,
                old: packed(&old),
                new: packed(&new),
                version,
                reason: None,
            };
            store::insert_move(&tx.conn, merge, &moved)?;
        }
        Ok(found)
    }

    fn taken(&self, tx: &Tx, field: &Field, value: &Value, except: RecordId) -> Result<bool, RecordError> {
        let holder = crate::records::store::holder(&tx.conn, &self.entity, field, value, except)?;
        Ok(holder.is_some())
    }
}

/// A value that names the survivor where it named losers.
fn renamed(field: &Field, value: &Value, survivor: RecordId, losers: &[RecordId]) -> Value {
    if !matches!(field.kind, Kind::References(..)) {
        return survivor.into();
    }
    let mut ids: Vec<String> = Vec::new();
    for id in derived::targets(value) {
        let id = if losers.contains(&id) { survivor } else { id }.to_string();
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Value::Text(serde_json::Value::from(ids).to_string())
}

/// Has one reference name what it named before the merge; the reason why not, if it stays.
pub(super) fn back(
    tx: &Tx,
    moved: &Move,
    purged: &HashSet<RecordId>,
) -> Result<Option<&'static str>, RecordError> {
    let Some(entity) = tx.module.entity(&moved.entity) else {
        return Ok(Some("entity_gone"));
    };
    let Some(field) = entity.field(&moved.field) else {
        return Ok(Some("field_gone"));
    };
    let Some(row) = rewrite::row(tx, &entity, moved.record)? else {
        return Ok(Some("purged"));
    };
    if row.get(field.column) != Some(&unpacked(&moved.new)) {
        return Ok(Some("changed_since"));
    }
    let old = unpacked(&moved.old);
    if old.id().into_iter().chain(derived::targets(&old)).any(|id| purged.contains(&id)) {
        return Ok(Some("target_purged"));
    }
    rewrite::follow(tx, &entity, moved.record, row, field.column, old)?;
    Ok(None)
}

/// Whether [`back`] would move it, without doing so: for a dry run in a file that is only read.
pub(super) fn would_stay(
    conn: &Rc<Connection>,
    module: &Module,
    moved: &Move,
    purged: &HashSet<RecordId>,
) -> Result<Option<&'static str>, RecordError> {
    let Some(entity) = module.entity(&moved.entity) else {
        return Ok(Some("entity_gone"));
    };
    let Some(field) = entity.field(&moved.field) else {
        return Ok(Some("field_gone"));
    };
    let Some(row) = list::rows(conn, &entity, "id = ?1", "", &[moved.record.into()])?.pop() else {
        return Ok(Some("purged"));
    };
    let old = unpacked(&moved.old);
    let purged = old.id().into_iter().chain(derived::targets(&old)).any(|id| purged.contains(&id));
    Ok(match row.get(field.column) == Some(&unpacked(&moved.new)) {
        false => Some("changed_since"),
        true if purged => Some("target_purged"),
        true => None,
    })
}

/// What follows a merge, by `plugin.entity` and field: how many, and the first ids.
pub(super) type Followers = BTreeMap<(String, String), (u64, Vec<RecordId>)>;
