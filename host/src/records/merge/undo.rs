//! The transaction of an undoing: in the file of the merged records everything stands again as it stood, but for what
//! somebody changed since.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::entry::{Entry, Images, Move, State};
use super::perform::conflict;
use super::{image, reparent, store, tombstone};
use crate::ids::{MergeId, RecordId};
use crate::records::companions::{self, Happened};
use crate::records::derived;
use crate::records::error::{Fault, RecordError};
use crate::records::reference::Seen;
use crate::records::schema::{DELETED_AT, EXTERNAL_IDS, Entity, Field, Kind};
use crate::records::tx::{Authority, Tx};
use crate::records::value::Value;
use crate::records::write::rewrite::{self, Reach};

/// A loser in the recycle bin and the row it gets back.
struct Returning {
    id: RecordId,
    before: Vec<Value>,
    after: Vec<Value>,
}

/// Undoes a merge in this file. Answers its entry.
///
/// # Errors
/// [`RecordError::NotFound`], [`RecordError::Forbidden`]; [`RecordError::Conflict`] when it is undone already
/// (`merge_undone`), not finished (`merge_pending`), when the survivor was merged on (`merged`) or deleted
/// (`survivor_deleted`), or when another record has taken what was unique (`restore_conflict`).
pub(super) fn undo(tx: &Tx, id: MergeId) -> Result<Entry, RecordError> {
    let mut entry = store::find(&tx.conn, id)?.ok_or(RecordError::NotFound)?;
    let entity = tx.module.entity(&entry.entity).ok_or(RecordError::NotFound)?;
    let images = store::images(&tx.conn, id)?;
    let survivor = survivor(tx, &entity, &entry)?;
    let returning = returning(tx, &entity, &entry)?;
    let comrades: HashSet<RecordId> =
        returning.iter().map(|loser| loser.id).chain([entry.survivor]).collect();
    let purged: HashSet<RecordId> =
        entry.losers.iter().copied().filter(|id| !comrades.contains(id)).collect();
    let (mut kept, mut emptied) = (Vec::new(), Vec::new());

    // First the survivor lets go of what is unique, then the losers come back with whoever named them; then the survivor
    // may name them again, and its hooks see everything in place.
    let rows = match survivor {
        Some(row) => {
            let after = given_back(tx, &entity, &row, &images, &comrades, &mut kept)?;
            Some((freed(tx, &entity, &entry, &row, &after)?, row, after))
        }
        None => None,
    };
    let there: HashSet<RecordId> =
        returning.iter().map(|loser| loser.id).chain(rows.as_ref().map(|_| entry.survivor)).collect();
    store::unbury(&tx.conn, id)?;
    for loser in returning {
        revive(tx, &entity, loser, &comrades, &mut emptied)?;
    }
    let mut beside: Vec<companions::Move> = serde_json::from_value(images.beside).unwrap_or_default();
    beside.retain(|moved| !purged.contains(&moved.from));
    companions::put_back(&tx.conn, &beside)?;
    let back: Vec<RecordId> = entry.records().filter(|id| there.contains(id)).collect();
    companions::say_merge(tx, &entity, (id, entry.survivor, &entry.losers), (Happened::Unmerged, &back))?;
    move_back(tx, id, &purged, usize::MAX >> 1)?;
    if let Some((now, row, after)) = rows
        && row != after
    {
        rewrite::change(tx, &entity, entry.survivor, now, after)?;
    }
    let steps = store::steps(&tx.conn, id)?;
    let state = if steps.is_empty() { State::Undone } else { State::Undoing };
    for (module, _) in steps {
        store::set_step(&tx.conn, id, &module, State::Undoing)?;
    }
    let gone: Vec<RecordId> = entry.losers.iter().copied().filter(|id| purged.contains(id)).collect();
    let said = json!({ "kept": kept, "emptied": emptied, "purged": gone });
    let by = tx.scope.caller.principal.id;
    store::set_undone(&tx.conn, id, state, (tx.now, by), &said)?;
    (entry.state, entry.undone_at, entry.undone_by) = (state, Some(tx.now), Some(by));
    Ok(entry)
}

/// The survivor's row, if it is still there. Asks whether the merge can be undone, and whether the caller may.
fn survivor(tx: &Tx, entity: &Arc<Entity>, entry: &Entry) -> Result<Option<Vec<Value>>, RecordError> {
    let reach = Reach::of(tx, entity, &["merge", "update"])?;
    match entry.state {
        State::Undone | State::Undoing => {
            return Err(conflict("merge_undone", format!("merge {} has been undone already", entry.id)));
        }
        State::Pending => {
            let missing = |module: &String| tx.scope.module(module).is_none();
            let steps = store::steps(&tx.conn, entry.id)?;
            if steps.iter().any(|(module, state)| state.open() && !missing(module)) {
                let detail = format!("merge {} is not finished; try again in a moment", entry.id);
                return Err(conflict("merge_pending", detail));
            }
        }
        State::Done => {}
    }
    if let Some(row) = reach.hold(tx, entity, entry.survivor)? {
        return Ok(Some(row));
    }
    if let Some((into, merge)) = tombstone::successor(&tx.conn, entity, entry.survivor)? {
        return Err(tombstone::refusal(entry.survivor, into, merge));
    }
    match rewrite::row(tx, entity, entry.survivor)? {
        None => Ok(None), // purged: what is left of the merge can come back
        Some(row) if row.get(DELETED_AT).is_some_and(|at| !at.is_null()) => Err(conflict(
            "survivor_deleted",
            format!("record {} is in the recycle bin; restore it first", entry.survivor),
        )),
        Some(_) => Err(RecordError::NotFound),
    }
}

/// The losers that are still in the recycle bin. Refused with every fault when another record has what was theirs.
fn returning(tx: &Tx, entity: &Arc<Entity>, entry: &Entry) -> Result<Vec<Returning>, RecordError> {
    let reach = Reach::of(tx, entity, &["merge"])?;
    let mut found = Vec::new();
    for id in &entry.losers {
        let Some(before) = rewrite::row(tx, entity, *id)? else { continue };
        reach.permit(tx, entity, &before)?;
        found.push(Returning { id: *id, after: before.clone(), before });
    }
    Ok(found)
}

/// What stands in the way of a loser that comes back.
fn obstacles(tx: &Tx, entity: &Entity, loser: &Returning) -> Result<Vec<Fault>, RecordError> {
    let mut faults = Vec::new();
    let mut fault = |place: String, detail: String| {
        faults.push(Fault {
            pointer: format!("/losers/{}/{place}", loser.id),
            code: "not_unique".into(),
            detail,
        });
    };
    for field in entity.fields.iter().filter(|field| field.unique) {
        let value = loser.after.get(field.column).cloned().unwrap_or_default();
        if value.is_null() {
            continue;
        }
        if let Some(holder) = crate::records::store::holder(&tx.conn, entity, field, &value, loser.id)? {
            fault(field.key.to_string(), format!("record {holder} has this value for {} now", field.label));
        }
    }
    for (source, value) in external_ids(&loser.after) {
        let holder = crate::records::store::by_external_id(&tx.conn, entity, &source, &value)?;
        if let Some(holder) = holder.filter(|holder| *holder != loser.id) {
            let place = format!("external_ids/{}", source.replace('~', "~0").replace('/', "~1"));
            fault(place, format!("record {holder} has this external id from {source} now"));
        }
    }
    Ok(faults)
}

fn external_ids(row: &[Value]) -> BTreeMap<String, String> {
    let text = row.get(EXTERNAL_IDS).and_then(Value::text);
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// Takes a loser out of the recycle bin. What it named and is gone since is emptied and reported.
fn revive(
    tx: &Tx,
    entity: &Arc<Entity>,
    mut loser: Returning,
    comrades: &HashSet<RecordId>,
    emptied: &mut Vec<Json>,
) -> Result<(), RecordError> {
    let faults = obstacles(tx, entity, &loser)?;
    if !faults.is_empty() {
        return Err(in_the_way(loser.id, faults));
    }
    let (host, mut seen) = (tx.on(Authority::Host), Seen::default());
    for field in &entity.fields {
        let value = loser.after.get(field.column).and_then(Value::id);
        let (Kind::Reference(..), Some(id)) = (&field.kind, value) else { continue };
        if comrades.contains(&id) && super::plan::own_kind(entity, field) {
            continue; // it comes back too
        }
        if let Err(fault) = seen.check(&host, field, id)? {
            if field.required {
                return Err(in_the_way(
                    loser.id,
                    vec![Fault { pointer: format!("/losers/{}/{}", loser.id, field.key), ..fault }],
                ));
            }
            if let Some(slot) = loser.after.get_mut(field.column) {
                *slot = Value::Null;
            }
            emptied.push(json!({ "record": loser.id, "field": &*field.key, "named": id }));
        }
    }
    rewrite::revive(tx, entity, loser.id, loser.before, loser.after)
}

fn in_the_way(loser: RecordId, faults: Vec<Fault>) -> RecordError {
    RecordError::Conflict {
        code: "restore_conflict".into(),
        detail: format!(
            "record {loser} cannot come back as it was; see `errors` and change those records first"
        ),
        extra: Map::new(),
        faults,
    }
}

/// Writes the survivor with its unique values given back, nothing else. Answers the row as it stands then.
fn freed(
    tx: &Tx,
    entity: &Entity,
    entry: &Entry,
    row: &[Value],
    after: &[Value],
) -> Result<Vec<Value>, RecordError> {
    let mut freed = row.to_vec();
    let columns = entity.fields.iter().filter(|field| field.unique).map(|field| field.column);
    for at in columns.chain([EXTERNAL_IDS]) {
        if let (Some(slot), Some(value)) = (freed.get_mut(at), after.get(at)) {
            slot.clone_from(value);
        }
    }
    if freed == row { Ok(freed) } else { rewrite::settle(tx, entity, entry.survivor, row.to_vec(), freed) }
}

/// The survivor's row with every value that the merge changed as it was before, unless somebody changed it since.
fn given_back(
    tx: &Tx,
    entity: &Arc<Entity>,
    row: &[Value],
    images: &Images,
    comrades: &HashSet<RecordId>,
    kept: &mut Vec<Json>,
) -> Result<Vec<Value>, RecordError> {
    let empty = Json::Null;
    let before = image::values(entity, images.before.get("survivor").unwrap_or(&empty));
    let merged = image::values(entity, &images.after);
    let (host, mut seen) = (tx.on(Authority::Host), Seen::default());
    let mut after = row.to_vec();
    for field in &entity.fields {
        let end = field.column + if matches!(field.kind, Kind::Money) { 2 } else { 1 };
        let place = field.column..end;
        let (was, became) = (before.get(place.clone()), merged.get(place.clone()));
        if was == became {
            continue;
        }
        let first = was.and_then(<[Value]>::first).cloned().unwrap_or_default();
        let reason = if row.get(place.clone()) != became {
            Some("changed_since")
        } else if field.unique && !first.is_null() && taken(tx, entity, field, &first, row)? {
            Some("not_unique")
        } else if gone(&host, entity, field, &first, comrades, &mut seen)? {
            Some("reference_not_found")
        } else {
            None
        };
        if let Some(reason) = reason {
            kept.push(json!({ "field": &*field.key, "reason": reason }));
        } else if let (Some(slots), Some(was)) = (after.get_mut(place), was) {
            slots.clone_from_slice(was);
        }
    }
    let ids = ids_given_back(&before, &merged, row, kept);
    if let Some(slot) = after.get_mut(EXTERNAL_IDS) {
        *slot = ids;
    }
    Ok(after)
}

/// Whether a value names a record that is not there any more, nor comes back now.
fn gone(
    host: &Tx,
    entity: &Entity,
    field: &Field,
    value: &Value,
    comrades: &HashSet<RecordId>,
    seen: &mut Seen,
) -> Result<bool, RecordError> {
    if !matches!(field.kind, Kind::Reference(..) | Kind::References(..)) {
        return Ok(false);
    }
    for id in value.id().into_iter().chain(derived::targets(value)) {
        let back = comrades.contains(&id) && super::plan::own_kind(entity, field);
        if !back && seen.check(host, field, id)?.is_err() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn taken(tx: &Tx, entity: &Entity, field: &Field, value: &Value, row: &[Value]) -> Result<bool, RecordError> {
    let id = crate::records::list::identity_of(row).0.unwrap_or_else(RecordId::new);
    Ok(crate::records::store::holder(&tx.conn, entity, field, value, id)?.is_some())
}

/// The survivor's external ids without those that the merge brought.
fn ids_given_back(before: &[Value], merged: &[Value], row: &[Value], kept: &mut Vec<Json>) -> Value {
    let at = |row: &[Value]| row.get(EXTERNAL_IDS).cloned().unwrap_or_default();
    if at(merged) == at(row) {
        return at(before);
    }
    let (own, brought) = (external_ids(before), external_ids(merged));
    let mut now = external_ids(row);
    now.retain(|source, id| own.get(source) == Some(id) || brought.get(source) != Some(id));
    kept.push(json!({ "field": "external_ids", "reason": "changed_since" }));
    if now.is_empty() { Value::Null } else { Value::Text(json!(now).to_string()) }
}

/// Has up to `most` references of this file name again what they named. Answers how many were looked at.
///
/// # Errors
/// The file fails.
pub(super) fn move_back(
    tx: &Tx,
    id: MergeId,
    purged: &HashSet<RecordId>,
    most: usize,
) -> Result<usize, RecordError> {
    let moves: Vec<Move> = store::moves(&tx.conn, id, most)?;
    for moved in &moves {
        let reason = reparent::back(tx, moved, purged)?;
        store::settle_move(&tx.conn, id, moved, reason)?;
    }
    Ok(moves.len())
}
