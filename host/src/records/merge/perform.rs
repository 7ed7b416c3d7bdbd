//! The transaction of a merge: everything in the file of the merged records, and what is left to do elsewhere.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::circle;
use super::entry::{Entry, Images, State};
use super::plan::{self, Choice, Choices, Origin, Plan};
use super::reparent::{self, Relation};
use super::{image, store, tombstone};
use crate::ids::{MergeId, RecordId};
use crate::records::companions::{self, Happened};
use crate::records::derived;
use crate::records::error::{Fault, RecordError};
use crate::records::reference::Seen;
use crate::records::schema::{Entity, ID, Kind, OWNER, TEAM};
use crate::records::tx::Tx;
use crate::records::value::Value;
use crate::records::write::rewrite::{self, Reach};

/// Records that one merge takes away.
pub const LOSERS: usize = 20;
/// References that follow one merge.
pub const FOLLOWERS: u64 = 10_000;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The record that stays.
    pub survivor: RecordId,
    /// Those that become part of it, the first one first asked for what the survivor lacks.
    pub losers: Vec<RecordId>,
    /// Field -> the id of a record that takes part, or `{"value": …}`.
    pub choices: Map<String, Json>,
    /// Versions that the caller decided on.
    pub versions: BTreeMap<RecordId, u64>,
}

/// The records of a request, held and checked.
struct Cast {
    survivor: Vec<Value>,
    losers: Vec<(RecordId, Vec<Value>)>,
}

/// Merges in this file. Answers the entry of the log.
///
/// # Errors
/// [`RecordError::Invalid`] with every fault of the request (`record_not_found`: there is none that the caller may
/// read), [`RecordError::Forbidden`], [`RecordError::Stale`]; [`RecordError::Conflict`] for a record that was merged
/// already (`merged`), is part of an unfinished merge, is being pointed at, or for too many references.
pub(super) fn perform(
    tx: &Tx,
    entity: &Arc<Entity>,
    request: &Request,
    id: MergeId,
) -> Result<Entry, RecordError> {
    let cast = cast(tx, entity, request)?;
    let merged: Vec<RecordId> =
        std::iter::once(request.survivor).chain(request.losers.iter().copied()).collect();
    let choices = plan::choices(entity, &request.choices, &merged).map_err(RecordError::Invalid)?;
    readable(tx, entity, &choices)?;
    let elsewhere = limits(tx, entity, request)?;
    let rows: Vec<Vec<Value>> = cast.losers.iter().map(|(_, row)| row.clone()).collect();
    let mut plan = plan::decide(entity, &cast.survivor, &rows, &choices);

    let circles = circular(tx, entity, &cast.survivor, &[])?;
    // The losers let go of what is unique before the survivor takes it.
    rewrite::retire(tx, entity, &cast.losers)?;
    for loser in &request.losers {
        store::bury(&tx.conn, &entity.key, *loser, request.survivor, id)?;
    }
    for relation in reparent::relations(&tx.module, entity) {
        relation.follow(tx, id, (request.survivor, &request.losers), &[request.survivor], usize::MAX >> 1)?;
    }
    // Before the survivor takes over a file: it takes only files of its own.
    let mut beside = Vec::new();
    for loser in &request.losers {
        beside.extend(companions::reassign(&tx.conn, &entity.key, *loser, request.survivor)?);
    }
    companions::say_merge(tx, entity, (id, request.survivor, &request.losers), (Happened::Merged, &merged))?;
    uncircle(tx, entity, &mut plan, &circles)?;
    if plan.after != cast.survivor {
        rewrite::change(tx, entity, request.survivor, cast.survivor.clone(), plan.after.clone())?;
    }
    for (source, value) in &plan.spare {
        store::keep_id(&tx.conn, &entity.key, (source, value), request.survivor, id)?;
    }
    let entry = entry(tx, entity, request, id, &cast, elsewhere.is_empty());
    let after = rewrite::row(tx, entity, request.survivor)?.unwrap_or_default(); // hooks had their say
    let losers: Vec<Json> = rows.iter().map(|row| image::row(entity, row)).collect();
    let emptied = plan.emptied.iter();
    let images = Images {
        choices: request.choices.clone().into(),
        origins: origins(&plan),
        before: json!({ "survivor": image::row(entity, &cast.survivor), "losers": losers }),
        after: image::row(entity, &after),
        broken: emptied
            .map(|field| json!({ "entity": &*entity.object, "field": &**field, "record": request.survivor }))
            .collect(),
        beside: json!(beside),
        undo: Json::Null,
    };
    store::insert(&tx.conn, &entry, &images)?;
    for module in elsewhere {
        store::set_step(&tx.conn, id, &module, State::Pending)?;
    }
    Ok(entry)
}

fn entry(tx: &Tx, entity: &Entity, request: &Request, id: MergeId, cast: &Cast, over: bool) -> Entry {
    Entry {
        id,
        entity: entity.key.to_string(),
        survivor: request.survivor,
        losers: request.losers.clone(),
        state: if over { State::Done } else { State::Pending },
        at: tx.now,
        by: tx.scope.caller.principal.id,
        request: tx.scope.caller.request,
        undone_at: None,
        undone_by: None,
        owner: cast.survivor.get(OWNER).cloned().unwrap_or_default(),
        team: cast.survivor.get(TEAM).cloned().unwrap_or_default(),
    }
}

/// Refuses a chosen reference to a record that the caller may not read.
fn readable(tx: &Tx, entity: &Entity, choices: &Choices) -> Result<(), RecordError> {
    let (mut seen, mut faults) = (Seen::default(), Vec::new());
    for (key, choice) in choices {
        let Some(field) = entity.field(key) else { continue };
        tx.scope.may_write(entity, field)?;
        let Choice::Value(value, _) = choice else { continue };
        if !matches!(field.kind, Kind::Reference(..) | Kind::References(..)) {
            continue;
        }
        for id in value.id().into_iter().chain(derived::targets(value)) {
            if let Err(mut fault) = seen.check(tx, field, id)? {
                fault.pointer = format!("/choices/{key}/value");
                faults.push(fault);
            }
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(RecordError::Invalid(faults)) }
}

/// Finds the records, asks whether the caller may, and holds the losers against whoever is about to point at them.
fn cast(tx: &Tx, entity: &Arc<Entity>, request: &Request) -> Result<Cast, RecordError> {
    let merge = Reach::of(tx, entity, &["merge", "update"])?;
    let lose = Reach::of(tx, entity, &["merge", "delete"])?;
    let mut faults = shape(request);
    let mut take =
        |reach: &Reach, id: RecordId, pointer: String| -> Result<Option<Vec<Value>>, RecordError> {
            if let Some(row) = reach.hold(tx, entity, id)? {
                rewrite::at_version(tx, entity, id, request.versions.get(&id).copied(), &row)?;
                tombstone::refuse_pending(tx, entity, id)?;
                return Ok(Some(row));
            }
            if let Some((into, merge)) = seen_successor(tx, entity, id)? {
                return Err(tombstone::refusal(id, into, merge));
            }
            let detail = format!("there is no record {id} of {}, or none that you may read", entity.object);
            faults.push(Fault { pointer, code: "record_not_found".into(), detail });
            Ok(None)
        };
    let survivor = take(&merge, request.survivor, "/survivor_id".into())?.unwrap_or_default();
    let mut losers = Vec::with_capacity(request.losers.len());
    for (at, id) in request.losers.iter().enumerate().take(LOSERS + 1) {
        if let Some(row) = take(&lose, *id, format!("/loser_ids/{at}"))? {
            losers.push((*id, row));
        }
    }
    if !faults.is_empty() {
        return Err(RecordError::Invalid(faults));
    }
    for (id, _) in &losers {
        let claim = tx.engine.claims.delete(tx.scope.organization.id, entity, *id);
        let claim = claim.ok_or_else(|| {
            conflict(
                "record_in_use",
                format!("another request is about to point at record {id}; try again in a moment"),
            )
        })?;
        tx.claims.borrow_mut().push(claim);
    }
    Ok(Cast { survivor, losers })
}

/// What is wrong with a request before any record is looked at.
fn shape(request: &Request) -> Vec<Fault> {
    let mut faults = Vec::new();
    if request.losers.is_empty() || request.losers.len() > LOSERS {
        let detail = format!("send the ids of 1 to {LOSERS} records");
        faults.push(Fault::at("loser_ids", "wrong_number", detail));
    }
    let mut seen = HashSet::from([request.survivor]);
    for (at, id) in request.losers.iter().enumerate() {
        if !seen.insert(*id) {
            let (code, detail) = if *id == request.survivor {
                ("merged_with_itself", "a record cannot be merged with itself; leave the survivor out")
            } else {
                ("duplicate_id", "this record stands twice; send it once")
            };
            faults.push(Fault {
                pointer: format!("/loser_ids/{at}"),
                code: code.into(),
                detail: detail.into(),
            });
        }
    }
    for id in request.versions.keys().filter(|id| !seen.contains(id)) {
        let detail = "only versions of records that take part are looked at";
        faults.push(Fault {
            pointer: format!("/versions/{id}"),
            code: "unknown_field".into(),
            detail: detail.into(),
        });
    }
    faults
}

/// Who stands for a record, if the caller may read that one.
fn seen_successor(
    tx: &Tx,
    entity: &Arc<Entity>,
    id: RecordId,
) -> Result<Option<(RecordId, MergeId)>, RecordError> {
    let Some((into, merge)) = tombstone::successor(&tx.conn, entity, id)? else {
        return Ok(None);
    };
    let seen = crate::records::write::find(tx, entity, into)?.is_some();
    Ok(seen.then_some((into, merge)))
}

pub(super) fn conflict(code: &'static str, detail: String) -> RecordError {
    RecordError::Conflict { code: code.into(), detail, extra: Map::new(), faults: Vec::new() }
}

/// Refuses a merge that too much follows, or whose records are each somebody's only one. Answers the other modules that
/// have something to do with the entity.
fn limits(tx: &Tx, entity: &Arc<Entity>, request: &Request) -> Result<Vec<Arc<str>>, RecordError> {
    let (mut total, mut elsewhere) = (0, Vec::new());
    for module in &*tx.scope.modules {
        let relations = reparent::relations(module, entity);
        if module.plugin == tx.module.plugin {
            total += follow_up(&tx.conn, &relations, request)?;
        } else if !relations.is_empty() {
            total += tx.engine.read(&tx.scope, module, |conn| follow_up(conn, &relations, request))?;
            elsewhere.push(Arc::clone(&module.plugin));
        }
    }
    if total > FOLLOWERS {
        let detail = format!(
            "{total} references would follow, and one merge moves at most {FOLLOWERS}; merge fewer records at a time"
        );
        return Err(conflict("merge_too_large", detail));
    }
    Ok(elsewhere)
}

/// How many references follow through these relations.
fn follow_up(
    conn: &std::rc::Rc<crate::storage::Connection>,
    relations: &[Relation],
    request: &Request,
) -> Result<u64, RecordError> {
    let mut total = 0;
    for relation in relations {
        let except = [request.survivor];
        let (count, _) = relation.children(conn, (&request.losers, &except), 0)?;
        total += count;
        let Some(field) = relation.field().filter(|field| field.unique && count > 0) else { continue };
        let mut all = request.losers.clone();
        all.push(request.survivor);
        let (together, records) = relation.children(conn, (&all, &[]), 3)?;
        if together > 1 {
            let mut error = conflict(
                "merge_not_unique",
                format!(
                    "more than one record of {} would name the survivor in `{}`, which only one may; empty it in the \
                     others first",
                    relation.entity.object, field.key
                ),
            );
            if let RecordError::Conflict { extra, .. } = &mut error {
                extra.insert("records".into(), json!(records));
            }
            return Err(error);
        }
    }
    Ok(total)
}

/// The fields by which a record with this row stands below itself; every record of `merged` counts as it.
fn circular(
    tx: &Tx,
    entity: &Arc<Entity>,
    row: &[Value],
    merged: &[RecordId],
) -> Result<Vec<Arc<str>>, RecordError> {
    let Some(id) = row.get(ID).and_then(Value::id) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for field in &entity.fields {
        let start = row.get(field.column).and_then(Value::id);
        if start.is_none() || !matches!(field.kind, Kind::Reference(..)) || !plan::own_kind(entity, field) {
            continue;
        }
        let parent_of = |record: RecordId| -> Result<Option<RecordId>, RecordError> {
            let row = rewrite::row(tx, entity, record)?;
            Ok(row.as_ref().and_then(|row| row.get(field.column)).and_then(Value::id))
        };
        if circle::returns_to(id, start, merged, parent_of)? {
            found.push(Arc::clone(&field.key));
        }
    }
    Ok(found)
}

/// Empties the survivor's references that close a circle which was not there before.
fn uncircle(tx: &Tx, entity: &Arc<Entity>, plan: &mut Plan, before: &[Arc<str>]) -> Result<(), RecordError> {
    for key in circular(tx, entity, &plan.after, &[])? {
        let column = entity.field(&key).filter(|_| !before.contains(&key)).map(|field| field.column);
        if let Some(slot) = column.and_then(|column| plan.after.get_mut(column)) {
            *slot = Value::Null;
            plan.origins.remove(&key);
            plan.emptied.push(key);
        }
    }
    Ok(())
}

/// Where values came from, for the log and the answer.
fn origins(plan: &Plan) -> Json {
    let told = plan.origins.iter().map(|(field, origin)| {
        let from = match origin {
            Origin::Of(id) => json!(id),
            Origin::United => json!("all"),
            Origin::Chosen => json!("choice"),
        };
        (field.to_string(), json!({ "from": from }))
    });
    told.collect::<Map<_, _>>().into()
}
