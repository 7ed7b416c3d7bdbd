//! Emptying the references to what was deleted, where that is what they declare.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::delete::{Part, referring};
use super::{Change, Changes, update};
use crate::ids::RecordId;
use crate::records::derived;
use crate::records::error::RecordError;
use crate::records::list;
use crate::records::schema::{Entity, Field, Kind, OnDelete};
use crate::records::store;
use crate::records::trash::Detached;
use crate::records::tx::Tx;
use crate::records::value::Value;

/// Most records that one deletion changes because they point at what goes.
const DETACHED: usize = 5_000;

/// Records that are changed in one go.
const BATCH: usize = 250;

/// What was emptied, by the record that it pointed at.
pub(in crate::records) type ByTarget = HashMap<RecordId, Vec<Detached>>;

/// Empties every detaching reference to the records of the cohort, and answers what stood there.
///
/// # Errors
/// Too many records are concerned; one cannot do without its reference; the file fails.
pub(in crate::records) fn detach(tx: &Tx, cohort: &[Part]) -> Result<ByTarget, RecordError> {
    let gone: HashSet<RecordId> =
        cohort.iter().flat_map(|part| part.drafts.iter().map(|draft| draft.id)).collect();
    let mut by_target = ByTarget::new();
    for (entity, ids) in concerned(tx, cohort)?.into_values() {
        let ids: Vec<RecordId> = ids.into_iter().collect();
        for batch in ids.chunks(BATCH) {
            detach_batch(tx, &entity, batch, &gone, &mut by_target)?;
        }
    }
    Ok(by_target)
}

type Concerned = BTreeMap<Arc<str>, (Arc<Entity>, BTreeSet<RecordId>)>;

/// The live records that point at the cohort and let go, by entity.
fn concerned(tx: &Tx, cohort: &[Part]) -> Result<Concerned, RecordError> {
    let (mut all, mut count) = (Concerned::new(), 0);
    for part in cohort {
        let detaching = referring(tx, &part.entity)
            .filter(|(module, _, _, rule)| *rule == OnDelete::Detach && module.plugin == tx.module.plugin);
        for (_, entity, field, _) in detaching {
            for draft in &part.drafts {
                let pointing = store::referrers(&tx.conn, entity, field, draft.id, DETACHED + 1)?;
                count += pointing.len();
                if count > DETACHED {
                    let detail = format!(
                        "more than {DETACHED} records point at what would be deleted and would have to be changed; \
                         change some of them first"
                    );
                    return Err(RecordError::conflict("cohort_too_large", detail));
                }
                if !pointing.is_empty() {
                    let (_, ids) = all
                        .entry(Arc::clone(&entity.key))
                        .or_insert_with(|| (Arc::clone(entity), BTreeSet::new()));
                    ids.extend(pointing);
                }
            }
        }
    }
    Ok(all)
}

fn detach_batch(
    tx: &Tx,
    entity: &Arc<Entity>,
    ids: &[RecordId],
    gone: &HashSet<RecordId>,
    by_target: &mut ByTarget,
) -> Result<(), RecordError> {
    let (mut changes, mut emptied) = (Vec::with_capacity(ids.len()), Vec::with_capacity(ids.len()));
    for id in ids {
        let row = list::rows(&tx.conn, entity, "id = ?1 and deleted_at is null", "", &[(*id).into()])?.pop();
        let Some(row) = row else { continue };
        let (mut members, mut lost) = (Map::new(), Vec::new());
        for field in &entity.fields {
            let value = row.get(field.column).unwrap_or(&Value::Null);
            if let Some((left, targets)) = without(field, value, gone) {
                members.insert(field.key.to_string(), left);
                lost.push((Arc::clone(&field.key), targets, ids_of(value)));
            }
        }
        if !members.is_empty() {
            changes.push(Change { id: *id, version: None, changes: Changes::Members(members) });
            emptied.push((*id, lost));
        }
    }
    let versions = update(tx, entity, changes)?;
    for ((record, lost), version) in emptied.into_iter().zip(versions) {
        for (field, targets, was) in lost {
            for target in targets {
                by_target.entry(target).or_default().push(Detached {
                    entity: entity.key.to_string(),
                    record,
                    field: field.to_string(),
                    was: was.clone(),
                    version,
                });
            }
        }
    }
    Ok(())
}

/// The ids in a reference, of one record or several.
pub(in crate::records) fn ids_of(value: &Value) -> Vec<RecordId> {
    value.id().map_or_else(|| derived::targets(value), |id| vec![id])
}

/// What is left of a detaching reference without the records that are gone, and which of them it named; `None` when it is
/// no such reference or names none of them.
fn without(field: &Field, value: &Value, gone: &HashSet<RecordId>) -> Option<(Json, Vec<RecordId>)> {
    let (Kind::Reference(_, OnDelete::Detach) | Kind::References(_, OnDelete::Detach)) = &field.kind else {
        return None;
    };
    let (lost, left): (Vec<RecordId>, Vec<RecordId>) =
        ids_of(value).into_iter().partition(|id| gone.contains(id));
    if lost.is_empty() {
        return None;
    }
    let left = match &field.kind {
        Kind::References(..) if !left.is_empty() => left.iter().map(ToString::to_string).collect(),
        _ => Json::Null,
    };
    Some((left, lost))
}
