//! Rows that the host itself decides as a whole: a survivor that takes in other records, records that become part of
//! it, those that come back, and references that follow. The doors of the pipeline for merges.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::check;
use super::hooks::{after_hooks, run_hooks};
use super::keep::write_changes;
use super::reach::{allowed, current, fresh, permits};
use crate::ids::RecordId;
use crate::policy::Decision;
use crate::records::error::RecordError;
use crate::records::list;
use crate::records::reference::Seen;
use crate::records::schema::{DELETED_AT, EXTERNAL_IDS, Entity};
use crate::records::store;
use crate::records::tx::{Authority, Draft, Hook, Tx};
use crate::records::value::Value;

/// Rows for which the caller may do all of these.
pub(crate) struct Reach(Vec<(String, Option<Decision>)>);

impl Reach {
    /// What the caller may do with records of `entity`.
    ///
    /// # Errors
    /// [`RecordError::Forbidden`] when one of the actions is allowed on no row at all.
    pub(crate) fn of(tx: &Tx, entity: &Entity, actions: &[&str]) -> Result<Self, RecordError> {
        let rows = actions.iter().map(|action| Ok(((*action).to_owned(), allowed(tx, entity, action)?)));
        rows.collect::<Result<_, RecordError>>().map(Self)
    }

    /// A record that the caller may read and reach with all the actions; `None`: none that he may read.
    ///
    /// # Errors
    /// [`RecordError::Forbidden`], or the file fails.
    pub(crate) fn hold(
        &self,
        tx: &Tx,
        entity: &Arc<Entity>,
        id: RecordId,
    ) -> Result<Option<Vec<Value>>, RecordError> {
        let values = match current(tx, entity, id, &None, "read") {
            Err(RecordError::NotFound) => return Ok(None),
            other => other?,
        };
        self.permit(tx, entity, &values)?;
        Ok(Some(values))
    }

    /// Refuses a row that one of the actions does not reach.
    ///
    /// # Errors
    /// [`RecordError::Forbidden`].
    pub(crate) fn permit(&self, tx: &Tx, entity: &Entity, values: &[Value]) -> Result<(), RecordError> {
        match self.0.iter().find(|(_, rows)| !permits(tx, entity, rows, values)) {
            None => Ok(()),
            Some((action, _)) => {
                Err(RecordError::Forbidden { object: entity.object.to_string(), action: action.clone() })
            }
        }
    }
}

/// Refuses a row that is not at the version that the caller knows.
///
/// # Errors
/// [`RecordError::Stale`].
pub(crate) fn at_version(
    tx: &Tx,
    entity: &Arc<Entity>,
    id: RecordId,
    sent: Option<u64>,
    row: &[Value],
) -> Result<(), RecordError> {
    fresh(tx, entity, id, sent, row)
}

/// The row of a record, wherever it is: also in the recycle bin, whoever may read it.
///
/// # Errors
/// The file fails.
pub(crate) fn row(tx: &Tx, entity: &Entity, id: RecordId) -> Result<Option<Vec<Value>>, RecordError> {
    Ok(list::rows(&tx.conn, entity, "id = ?1", "", &[Value::from(id)])?.pop())
}

/// Gives a record another row, through references, hooks, rules and the change log like any change. What it names must
/// be there; whether the caller may read it was asked where he named it.
///
/// # Errors
/// [`RecordError::Invalid`] with every fault; a hook refuses; the file fails.
pub(crate) fn change(
    tx: &Tx,
    entity: &Arc<Entity>,
    id: RecordId,
    before: Vec<Value>,
    after: Vec<Value>,
) -> Result<(), RecordError> {
    let mut drafts = vec![Draft { id, before: Some(before), after, faults: Vec::new() }];
    let (host, mut seen) = (tx.on(Authority::Host), Seen::default());
    check::references(&host, entity, &mut drafts, &mut seen)?;
    run_hooks(tx, entity, &[Hook::Validate, Hook::BeforeUpdate], &mut drafts)?;
    check::references(&host, entity, &mut drafts, &mut seen)?; // hooks may have set some
    let names: Vec<String> = entity.columns().collect();
    for draft in &mut drafts {
        check::complete(tx, entity, draft)?;
        if draft.faults.is_empty() {
            write_changes(tx, entity, &names, draft)?;
        }
    }
    after_hooks(tx, entity, Hook::AfterUpdate, &mut drafts)?;
    let faults: Vec<_> = drafts.into_iter().flat_map(|draft| draft.faults).collect();
    if faults.is_empty() { Ok(()) } else { Err(RecordError::Invalid(faults)) }
}

/// Writes a row as it is, asking nobody: for a step in between that no rule can judge. Answers the row.
///
/// # Errors
/// The file fails.
pub(crate) fn settle(
    tx: &Tx,
    entity: &Entity,
    id: RecordId,
    before: Vec<Value>,
    after: Vec<Value>,
) -> Result<Vec<Value>, RecordError> {
    let names: Vec<String> = entity.columns().collect();
    let mut draft = Draft { id, before: Some(before), after, faults: Vec::new() };
    write_changes(tx, entity, &names, &mut draft)?;
    Ok(draft.after)
}

/// Moves records to the recycle bin because another one takes their place. `before_delete` may refuse; what points at
/// them is the caller's business, and nothing cascades.
///
/// # Errors
/// A hook refuses, or the file fails.
pub(crate) fn retire(
    tx: &Tx,
    entity: &Arc<Entity>,
    rows: &[(RecordId, Vec<Value>)],
) -> Result<(), RecordError> {
    let draft = |(id, row): &(RecordId, Vec<Value>)| Draft {
        id: *id,
        before: Some(row.clone()),
        after: row.clone(),
        faults: Vec::new(),
    };
    let mut drafts: Vec<Draft> = rows.iter().map(draft).collect();
    run_hooks(tx, entity, &[Hook::BeforeDelete], &mut drafts)?;
    let faults: Vec<_> = drafts.iter().flat_map(|draft| draft.faults.iter().cloned()).collect();
    if !faults.is_empty() {
        return Err(RecordError::Invalid(faults));
    }
    let names: Vec<String> = entity.columns().collect();
    for draft in &mut drafts {
        if let Some(slot) = draft.after.get_mut(DELETED_AT) {
            *slot = Value::Integer(tx.now);
        }
        write_changes(tx, entity, &names, draft)?;
        store::set_external_ids(&tx.conn, entity, draft.id, &[])?; // the survivor takes them
    }
    Ok(())
}

/// Takes a record out of the recycle bin with these values. Nobody's hook is asked: it was valid when it went in.
///
/// # Errors
/// The file fails.
pub(crate) fn revive(
    tx: &Tx,
    entity: &Arc<Entity>,
    id: RecordId,
    before: Vec<Value>,
    mut after: Vec<Value>,
) -> Result<(), RecordError> {
    if let Some(slot) = after.get_mut(DELETED_AT) {
        *slot = Value::Null;
    }
    let after = settle(tx, entity, id, before, after)?;
    let ids = after.get(EXTERNAL_IDS).and_then(Value::text);
    let ids: BTreeMap<String, String> =
        ids.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let ids: Vec<(String, String)> = ids.into_iter().collect();
    store::set_external_ids(&tx.conn, entity, id, &ids) // the bin had let them go
}

/// Sets one column of a record because what it names is called differently now: no hook, but a new version, an entry
/// in the change log, and everything that is kept beside the row. Answers the version.
///
/// # Errors
/// The file fails.
pub(crate) fn follow(
    tx: &Tx,
    entity: &Entity,
    id: RecordId,
    before: Vec<Value>,
    column: usize,
    value: Value,
) -> Result<i64, RecordError> {
    let mut after = before.clone();
    if let Some(slot) = after.get_mut(column) {
        *slot = value;
    }
    let after = settle(tx, entity, id, before, after)?;
    Ok(i64::try_from(list::identity_of(&after).1).unwrap_or(i64::MAX))
}
