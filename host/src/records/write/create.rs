//! New records.

use std::sync::Arc;

use super::hooks::{after_hooks, run_hooks};
use super::keep::bind_external_ids;
use super::reach::{allowed, permits};
use super::{Changes, RowOutcome, check, shape};
use crate::ids::RecordId;
use crate::records::error::{Fault, RecordError};
use crate::records::reference::Seen;
use crate::records::schema::{Entity, Kind};
use crate::records::tx::{Draft, Hook, Tx};
use crate::records::value::Value;
use crate::records::{derived, duplicates, number, store};

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
        if !permits(tx, entity, &rows, &draft.after) {
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
    // Where the gate looks, a row must meet the one before it; else the keys of all rows are made in one go.
    let looks = duplicates::gate::looks(tx, entity);
    for draft in &mut drafts {
        check::complete(tx, entity, draft)?;
        duplicates::gate::pass(tx, entity, draft, alone)?;
        if draft.faults.is_empty() {
            give_numbers(tx, entity, draft)?;
            store::insert(&tx.conn, entity, &draft.after)?;
            derived::enter(&tx.conn, entity, &draft.after)?;
            bind_external_ids(tx, entity, draft)?;
            if looks {
                duplicates::keys::enter(&tx.conn, entity, std::iter::once(draft.after.as_slice()))?;
            }
        }
    }
    if !looks {
        let written = drafts.iter().filter(|draft| draft.faults.is_empty());
        duplicates::keys::enter(&tx.conn, entity, written.map(|draft| draft.after.as_slice()))?;
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

/// Gives a new record its numbers, in the year that it is in the organization's zone.
fn give_numbers(tx: &Tx, entity: &Entity, draft: &mut Draft) -> Result<(), RecordError> {
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
