//! Setting again the references that a deletion emptied.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::restore::Conflict;
use super::{Detached, Entry, store};
use crate::ids::RecordId;
use crate::records::error::RecordError;
use crate::records::schema::{DELETED_AT, Entity, Field, Kind};
use crate::records::since::changed_since;
use crate::records::tx::Tx;
use crate::records::value::Value;
use crate::records::write::detach::ids_of;
use crate::records::write::{Change, Changes, update_each};

/// Records that are changed in one go.
const BATCH: usize = 250;

/// What each field of a referring record lost to the records that come back.
type Lost<'e> = BTreeMap<&'e str, Vec<(RecordId, &'e Detached)>>;

/// Points at the records of these entries again where a reference to them was emptied when they were deleted, unless
/// somebody has set it since. Who refers and is in the bin itself now stays as it is.
///
/// # Errors
/// The file fails. What keeps a reference from being set is answered.
pub(super) fn reattach(tx: &Tx, entries: &[Entry]) -> Result<Vec<Conflict>, RecordError> {
    let mut all: BTreeMap<&str, BTreeMap<RecordId, Lost<'_>>> = BTreeMap::new();
    for entry in entries {
        for detached in &entry.detached {
            let of_entity = all.entry(&detached.entity).or_default();
            let lost = of_entity.entry(detached.record).or_default();
            lost.entry(&detached.field).or_default().push((entry.record, detached));
        }
    }
    let mut conflicts = Vec::new();
    for (key, records) in all {
        let Some(entity) = tx.module.entity(key) else { continue };
        let mut changes = Vec::new();
        for (record, lost) in records {
            let members = members(tx, &entity, record, &lost)?;
            if !members.is_empty() {
                changes.push((record, members));
            }
        }
        for batch in changes.chunks(BATCH) {
            set(tx, &entity, batch, &mut conflicts)?;
        }
    }
    Ok(conflicts)
}

/// The values that the references of a record get again.
fn members(
    tx: &Tx,
    entity: &Entity,
    record: RecordId,
    lost: &Lost<'_>,
) -> Result<Map<String, Json>, RecordError> {
    let mut members = Map::new();
    let row = store::row(&tx.conn, entity, record)?;
    let Some(row) = row.filter(|row| row.get(DELETED_AT).is_some_and(Value::is_null)) else {
        return Ok(members);
    };
    for (key, targets) in lost {
        let Some(field) = entity.field(key) else { continue };
        if let Some(value) = value(tx, entity, record, field, &row, targets)? {
            members.insert((*key).to_owned(), value);
        }
    }
    Ok(members)
}

fn value(
    tx: &Tx,
    entity: &Entity,
    record: RecordId,
    field: &Field,
    row: &[Value],
    targets: &[(RecordId, &Detached)],
) -> Result<Option<Json>, RecordError> {
    let now = row.get(field.column).unwrap_or(&Value::Null);
    if matches!(field.kind, Kind::References(..)) {
        return Ok(relisted(&ids_of(now), targets));
    }
    let Some((target, detached)) = targets.first().filter(|_| now.is_null()) else { return Ok(None) };
    // Empty, but perhaps because somebody emptied it anew: then it is meant to be.
    let touched = changed_since(tx, entity, record, detached.version)?;
    let touched = touched.iter().any(|changed| changed.field == field.key);
    Ok((!touched).then(|| target.to_string().into()))
}

/// The list as it is now, with those that come back where they stood: nobody can have taken out meanwhile what was in the
/// bin. What was added since stands behind.
fn relisted(now: &[RecordId], targets: &[(RecordId, &Detached)]) -> Option<Json> {
    let back: HashSet<RecordId> = targets.iter().map(|(target, _)| *target).collect();
    if back.iter().all(|id| now.contains(id)) {
        return None;
    }
    let was = targets.first().map(|(_, detached)| detached.was.as_slice()).unwrap_or_default();
    let place: HashMap<RecordId, usize> = was.iter().enumerate().map(|(at, id)| (*id, at)).collect();
    let mut list: Vec<RecordId> = now.to_vec();
    for id in was.iter().filter(|id| back.contains(id) && !now.contains(id)) {
        // Before the first that stood behind it.
        let behind = |other: &RecordId| place.get(other) > place.get(id);
        let at = list.iter().position(behind).unwrap_or_else(|| {
            let old = list.iter().rposition(|other| place.contains_key(other));
            old.map_or(0, |at| at + 1)
        });
        list.insert(at, *id);
    }
    Some(list.iter().map(ToString::to_string).collect())
}

fn set(
    tx: &Tx,
    entity: &Arc<Entity>,
    batch: &[(RecordId, Map<String, Json>)],
    conflicts: &mut Vec<Conflict>,
) -> Result<(), RecordError> {
    let changes = batch.iter().map(|(id, members)| Change {
        id: *id,
        version: None,
        changes: Changes::Members(members.clone()),
    });
    let outcomes = update_each(tx, entity, changes.collect())?;
    for ((record, _), outcome) in batch.iter().zip(outcomes) {
        let faults = outcome.err().unwrap_or_default().into_iter();
        conflicts.extend(faults.map(|fault| Conflict {
            entity: Arc::clone(&entity.object),
            record: *record,
            fault,
        }));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_stands_where_it_stood() {
        let ids: Vec<RecordId> = (0..5).map(|_| RecordId::new()).collect();
        let pick = |places: &[usize]| places.iter().map(|at| ids[*at]).collect::<Vec<_>>();
        let detached = |was: &[usize]| Detached {
            entity: "tree".into(),
            record: RecordId::new(),
            field: "friends".into(),
            was: pick(was),
            version: 2,
        };
        let relist = |now: &[usize], was: &[usize], back: &[usize]| {
            let detached = detached(was);
            let targets: Vec<(RecordId, &Detached)> = back.iter().map(|at| (ids[*at], &detached)).collect();
            relisted(&pick(now), &targets)
        };
        let list = |places: &[usize]| Some(Json::from_iter(pick(places).iter().map(ToString::to_string)));
        assert_eq!(relist(&[0, 2], &[0, 1, 2], &[1]), list(&[0, 1, 2]));
        assert_eq!(relist(&[], &[0, 1], &[0, 1]), list(&[0, 1]));
        assert_eq!(relist(&[1], &[0, 1], &[0]), list(&[0, 1]));
        assert_eq!(relist(&[0], &[0, 1], &[1]), list(&[0, 1]));
        assert_eq!(relist(&[2, 4], &[2, 3], &[3]), list(&[2, 3, 4]), "what was added stands behind");
        assert_eq!(relist(&[0, 1], &[0, 1], &[1]), None, "it is there already");
    }
}
