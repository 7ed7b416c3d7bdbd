//! The write pipeline, which every change passes, whoever asks for it: permission, shape, declared rules, plugin hooks,
//! store, all in the caller's one transaction. All failures of an input are reported, not the first.

mod check;
mod delete;
mod shape;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::Scope;
use super::derived;
use super::duplicates;
use super::error::{Fault, RecordError};
use super::list::{self, View, write_visible};
use super::number;
use super::reference::Seen;
use super::schema::{
    DELETED_AT, EXTERNAL_IDS, Entity, ID, Kind, OWNER, TEAM, UPDATED_AT, UPDATED_BY, VERSION,
};
use super::store;
use super::tx::{Authority, Draft, Hook, Tx};
use super::value::Value;
use crate::caller::Caller;
use crate::ids::{PrincipalId, RecordId, TeamId};
use crate::policy::RowScope;
use crate::storage::Connection;

pub use self::delete::delete;
pub use self::shape::{Cellwise, Changes};
pub(crate) use self::shape::{fits, unless_empty};

/// What became of one row of a batch.
pub type RowOutcome = Result<RecordId, Vec<Fault>>;
/// What became of one change of a batch: the record's version.
pub type UpdateOutcome = Result<u64, Vec<Fault>>;

/// A change of one record.
#[derive(Debug)]
pub struct Change {
    /// The record.
    pub id: RecordId,
    /// The version that the change was decided on, if it matters.
    pub version: Option<u64>,
    /// What changes.
    pub changes: Changes,
}

/// Creates records. Rows that break rules are answered with their faults, the others are written.
///
/// # Errors
/// The caller may not create at all, a hook refused the whole batch, or the file fails: then nothing was written, once
/// the caller's savepoint is gone.
pub fn create(tx: &Tx, entity: &Arc<Entity>, inputs: Vec<Changes>) -> Result<Vec<RowOutcome>, RecordError> {
    let (rows, alone) = (allowed(tx, entity, "create")?, inputs.len() == 1);
    let mut drafts = Vec::with_capacity(inputs.len());
    for changes in inputs {
        let mut draft = shape::new_draft(tx, entity, changes)?;
        if !permits(&rows, &tx.scope.caller, &draft.after) {
            draft.faults.push(Fault::at(
                "owner_id",
                "owner_not_allowed",
                "your roles let you create records for other owners only within their scope",
            ));
        }
        drafts.push(draft);
    }
    let mut seen = Seen::default();
    check::references(tx, entity, &mut drafts, &mut seen)?;
    run_hooks(tx, entity, &[Hook::Validate, Hook::BeforeCreate], &mut drafts)?;
    check::references(tx, entity, &mut drafts, &mut seen)?; // hooks may have set some
    for draft in &mut drafts {
        check::complete(tx, entity, draft)?;
        duplicates::gate::pass(tx, entity, draft, alone)?;
        if draft.faults.is_empty() {
            number(tx, entity, draft)?;
            store::insert(&tx.conn, entity, &draft.after)?;
            derived::refresh(&tx.conn, entity, None, Some(&draft.after))?;
            bind_external_ids(tx, entity, draft)?;
        }
    }
    after_hooks(tx, entity, Hook::AfterCreate, &mut drafts)?;
    Ok(drafts
        .into_iter()
        .map(|draft| if draft.faults.is_empty() { Ok(draft.id) } else { Err(draft.faults) })
        .collect())
}

/// Creates one record or nothing.
///
/// # Errors
/// As [`create`], and [`RecordError::Invalid`] with every fault.
pub fn create_one(tx: &Tx, entity: &Arc<Entity>, changes: Changes) -> Result<RecordId, RecordError> {
    match create(tx, entity, vec![changes])?.pop() {
        Some(Ok(id)) => Ok(id),
        Some(Err(faults)) => Err(RecordError::Invalid(faults)),
        None => Err(RecordError::NotFound),
    }
}

/// Changes records. All or nothing, once the caller's savepoint is gone on an error. Answers the new versions.
///
/// # Errors
/// [`RecordError::NotFound`], [`RecordError::Forbidden`], [`RecordError::Stale`], [`RecordError::Invalid`] with every
/// fault, or a hook or the file fails.
pub fn update(tx: &Tx, entity: &Arc<Entity>, changes: Vec<Change>) -> Result<Vec<u64>, RecordError> {
    let outcomes = update_each(tx, entity, changes)?;
    let mut faults = Vec::new();
    let mut versions = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        match outcome {
            Ok(version) => versions.push(version),
            Err(found) => faults.extend(found),
        }
    }
    if faults.is_empty() { Ok(versions) } else { Err(RecordError::Invalid(faults)) }
}

/// Changes records; rows that break rules are answered with their faults, the others are written.
///
/// # Errors
/// As [`update`], but for the faults of single rows.
pub fn update_each(
    tx: &Tx,
    entity: &Arc<Entity>,
    changes: Vec<Change>,
) -> Result<Vec<UpdateOutcome>, RecordError> {
    let mut outcomes = Vec::with_capacity(changes.len());
    let (mut part, mut seen) = (Vec::with_capacity(changes.len()), HashSet::new());
    for change in changes {
        if !seen.insert(change.id) {
            // A second change of a record must find the first one written.
            outcomes.extend(update_distinct(tx, entity, std::mem::take(&mut part))?);
            seen = HashSet::from([change.id]);
        }
        part.push(change);
    }
    outcomes.extend(update_distinct(tx, entity, part)?);
    Ok(outcomes)
}

/// [`update_each`] of records that are all different.
fn update_distinct(
    tx: &Tx,
    entity: &Arc<Entity>,
    changes: Vec<Change>,
) -> Result<Vec<UpdateOutcome>, RecordError> {
    let rows = reach(tx, entity, "update");
    let mut seen = HashSet::with_capacity(changes.len());
    if let Some(twice) = changes.iter().find(|change| !seen.insert(change.id)) {
        return Err(RecordError::bad(
            "duplicate_id",
            format!("record {} stands twice in one change", twice.id),
        ));
    }
    let mut drafts = Vec::with_capacity(changes.len());
    for change in changes {
        let before = current(tx, entity, change.id, &rows, "update")?;
        fresh(tx, entity, change.id, change.version, &before)?;
        drafts.push(shape::changed_draft(tx, entity, change.id, before, change.changes)?);
    }
    // A draft that changes nothing passes through: no hook, no new version, no entry in the change log.
    let (moving, still): (Vec<_>, Vec<_>) = drafts
        .into_iter()
        .enumerate()
        .partition(|(_, draft)| !draft.faults.is_empty() || draft.before.as_ref() != Some(&draft.after));
    let (places, mut drafts): (Vec<usize>, Vec<Draft>) = moving.into_iter().unzip();
    let mut seen = Seen::default();
    check::references(tx, entity, &mut drafts, &mut seen)?;
    run_hooks(tx, entity, &[Hook::Validate, Hook::BeforeUpdate], &mut drafts)?;
    check::references(tx, entity, &mut drafts, &mut seen)?; // hooks may have set some
    let (names, alone): (Vec<String>, bool) = (entity.columns().collect(), drafts.len() == 1);
    for draft in &mut drafts {
        if draft.faults.is_empty() && !permits(&rows, &tx.scope.caller, &draft.after) {
            draft.faults.push(Fault::at(
                "owner_id",
                "owner_not_allowed",
                "your roles do not let you give this record to that owner",
            ));
        }
        check::complete(tx, entity, draft)?;
        duplicates::gate::pass(tx, entity, draft, alone)?;
        if draft.faults.is_empty() {
            write_changes(tx, entity, &names, draft)?;
        }
    }
    after_hooks(tx, entity, Hook::AfterUpdate, &mut drafts)?;
    let mut outcomes: Vec<(usize, UpdateOutcome)> =
        still.into_iter().map(|(at, draft)| (at, Ok(list::identity_of(&draft.after).1))).collect();
    outcomes.extend(places.into_iter().zip(drafts).map(|(at, draft)| {
        (at, if draft.faults.is_empty() { Ok(list::identity_of(&draft.after).1) } else { Err(draft.faults) })
    }));
    outcomes.sort_by_key(|(at, _)| *at);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

/// The rows that the transaction's authority reaches with `action`; `None` is all of them.
fn reach(tx: &Tx, entity: &Entity, action: &str) -> Option<RowScope> {
    let roles = &tx.scope.caller.principal.roles;
    tx.authority.asks_policy().then(|| tx.scope.policy.decide(roles, &entity.object, action))
}

/// [`reach`], refused when it is no row at all.
fn allowed(tx: &Tx, entity: &Entity, action: &str) -> Result<Option<RowScope>, RecordError> {
    let rows = reach(tx, entity, action);
    if rows.is_some_and(RowScope::never) {
        return Err(RecordError::Forbidden { object: entity.object.to_string(), action: action.to_owned() });
    }
    Ok(rows)
}

pub(crate) fn permits(rows: &Option<RowScope>, caller: &Caller, values: &[Value]) -> bool {
    let owner = values.get(OWNER).and_then(Value::id).map(|id| PrincipalId::from_bytes(*id.as_bytes()));
    let team = values.get(TEAM).and_then(Value::id).map(|id| TeamId::from_bytes(*id.as_bytes()));
    rows.as_ref().is_none_or(|rows| rows.permits(&caller.principal, owner, team))
}

/// All columns of a record that this authority may read and reach with `action`.
fn current(
    tx: &Tx,
    entity: &Arc<Entity>,
    id: RecordId,
    rows: &Option<RowScope>,
    action: &str,
) -> Result<Vec<Value>, RecordError> {
    let values = find(tx, entity, id)?.ok_or(RecordError::NotFound)?;
    if !permits(rows, &tx.scope.caller, &values) {
        return Err(RecordError::Forbidden { object: entity.object.to_string(), action: action.to_owned() });
    }
    Ok(values)
}

/// All columns of a record that this authority may read.
///
/// # Errors
/// The file fails.
pub fn find(tx: &Tx, entity: &Arc<Entity>, id: RecordId) -> Result<Option<Vec<Value>>, RecordError> {
    if tx.authority.asks_policy() {
        return readable(&tx.conn, &tx.scope, entity, id);
    }
    Ok(list::rows(&tx.conn, entity, "id = ?1 and deleted_at is null", "", &[Value::from(id)])?.pop())
}

/// All columns of a record that the caller may read.
///
/// # Errors
/// The file fails.
pub fn readable(
    conn: &Rc<Connection>,
    scope: &Scope,
    entity: &Entity,
    id: RecordId,
) -> Result<Option<Vec<Value>>, RecordError> {
    let (mut condition, mut params) = (String::from("id = ?1 and "), vec![Value::from(id)]);
    match write_visible(scope, entity, "read", &mut condition, &mut params) {
        Err(RecordError::Forbidden { .. }) => Ok(None),
        other => other.and_then(|()| Ok(list::rows(conn, entity, &condition, "", &params)?.pop())),
    }
}

/// Refuses a change that was decided on an older version.
pub(crate) fn fresh(
    tx: &Tx,
    entity: &Arc<Entity>,
    id: RecordId,
    sent: Option<u64>,
    values: &[Value],
) -> Result<(), RecordError> {
    let (_, current) = list::identity_of(values);
    let Some(sent) = sent.filter(|sent| *sent != current) else {
        return Ok(());
    };
    let record = list::get(&tx.conn, &tx.scope, entity, id, &View::parse(entity, None, None)?)?.body;
    Err(RecordError::Stale { current, sent, record })
}

fn write_changes(tx: &Tx, entity: &Entity, names: &[String], draft: &mut Draft) -> Result<(), RecordError> {
    let before = draft.before.as_deref().unwrap_or_default();
    stamp(tx, before, &mut draft.after);
    let changed: Vec<usize> =
        (ID + 1..entity.width).filter(|at| before.get(*at) != draft.after.get(*at)).collect();
    store::update(&tx.conn, entity, names, &changed, &draft.after)?;
    derived::refresh(&tx.conn, entity, Some(before), Some(&draft.after))?;
    if before.get(EXTERNAL_IDS) != draft.after.get(EXTERNAL_IDS) {
        bind_external_ids(tx, entity, draft)?;
    }
    Ok(())
}

/// Gives a new record its numbers, in the year that it is in the organization's zone.
fn number(tx: &Tx, entity: &Entity, draft: &mut Draft) -> Result<(), RecordError> {
    for field in &entity.fields {
        let (Kind::AutoNumber(format), Some(slot)) = (&field.kind, draft.after.get_mut(field.column)) else {
            continue;
        };
        if slot.is_null() {
            let year = crate::clock::civil(tx.now, &tx.scope.organization.zone).year();
            *slot = Value::Text(number::next(&tx.conn, &entity.key, &field.key, format, year)?);
        }
    }
    Ok(())
}

/// Version, time and author of a change.
fn stamp(tx: &Tx, before: &[Value], after: &mut [Value]) {
    let (_, version) = list::identity_of(before);
    let author = Value::Id(*tx.scope.caller.principal.id.as_bytes());
    for (at, value) in [
        (VERSION, Value::Integer(i64::try_from(version + 1).unwrap_or(i64::MAX))),
        (UPDATED_AT, Value::Integer(tx.now)),
        (UPDATED_BY, author),
    ] {
        if let Some(slot) = after.get_mut(at) {
            *slot = value;
        }
    }
}

/// Moves a record to the recycle bin.
fn bury(tx: &Tx, entity: &Entity, names: &[String], draft: &mut Draft) -> Result<(), RecordError> {
    if let Some(slot) = draft.after.get_mut(DELETED_AT) {
        *slot = Value::Integer(tx.now);
    }
    write_changes(tx, entity, names, draft)?;
    store::set_external_ids(&tx.conn, entity, draft.id, &[]) // the ids are free again for another record
}

fn run_hooks(
    tx: &Tx,
    entity: &Arc<Entity>,
    hooks: &[Hook],
    drafts: &mut Vec<Draft>,
) -> Result<(), RecordError> {
    if drafts.is_empty() {
        return Ok(());
    }
    for hook in hooks.iter().filter(|hook| entity.hooks.contains(hook)) {
        // Drafts with faults go along with `validate`, so that the caller hears of everything at once.
        if *hook == Hook::Validate {
            tx.hooks.run(tx, *hook, entity, drafts)?;
        } else {
            on_good(drafts, |good| tx.hooks.run(tx, *hook, entity, good))?;
        }
    }
    Ok(())
}

/// Runs `f` on the drafts without faults; every draft keeps its place.
fn on_good(
    drafts: &mut Vec<Draft>,
    f: impl FnOnce(&mut [Draft]) -> Result<(), RecordError>,
) -> Result<(), RecordError> {
    if drafts.iter().all(|draft| draft.faults.is_empty()) {
        return if drafts.is_empty() { Ok(()) } else { f(drafts) };
    }
    let (good, bad): (Vec<_>, Vec<_>) =
        std::mem::take(drafts).into_iter().enumerate().partition(|(_, draft)| draft.faults.is_empty());
    let (places, mut good): (Vec<usize>, Vec<Draft>) = good.into_iter().unzip();
    let outcome = if good.is_empty() { Ok(()) } else { f(&mut good) };
    let mut all: Vec<(usize, Draft)> = places.into_iter().zip(good).chain(bad).collect();
    all.sort_by_key(|(place, _)| *place);
    drafts.extend(all.into_iter().map(|(_, draft)| draft));
    outcome
}

fn after_hooks(
    tx: &Tx,
    entity: &Arc<Entity>,
    hook: Hook,
    drafts: &mut Vec<Draft>,
) -> Result<(), RecordError> {
    if !entity.hooks.contains(&hook) {
        return Ok(());
    }
    on_good(drafts, |good| {
        tx.hooks.run(tx, hook, entity, good)?;
        // The rows are in the file by now: what is refused here takes the whole call along.
        let faults: Vec<Fault> = good.iter().flat_map(|draft| draft.faults.iter().cloned()).collect();
        if faults.is_empty() { Ok(()) } else { Err(RecordError::Invalid(faults)) }
    })
}

fn bind_external_ids(tx: &Tx, entity: &Entity, draft: &mut Draft) -> Result<(), RecordError> {
    let Some(text) = draft.after.get(EXTERNAL_IDS).and_then(Value::text) else {
        return if draft.before.is_some() {
            store::set_external_ids(&tx.conn, entity, draft.id, &[])
        } else {
            Ok(())
        };
    };
    let ids: HashMap<String, String> = serde_json::from_str(text).unwrap_or_default();
    let ids: Vec<(String, String)> = ids.into_iter().collect();
    store::set_external_ids(&tx.conn, entity, draft.id, &ids)
}

/// The members of a JSON object as changes.
#[must_use]
pub fn members(object: Map<String, Json>) -> Changes {
    Changes::Members(object)
}
