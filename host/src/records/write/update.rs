//! Changes of records that are there.

use std::collections::HashSet;
use std::sync::Arc;

use super::hooks::{after_hooks, run_hooks};
use super::keep::write_changes;
use super::reach::{current, fresh, permits, reach};
use super::{Change, ChangeOutcome, UpdateOutcome, check, shape};
use crate::policy::Decision;
use crate::records::duplicates;
use crate::records::error::{Fault, RecordError};
use crate::records::list;
use crate::records::reference::Seen;
use crate::records::schema::Entity;
use crate::records::tx::{Draft, Hook, Tx};

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
    let outcomes = update_rows(tx, entity, changes)?.into_iter().map(|outcome| match outcome {
        Ok(version) => Ok(Ok(version)),
        Err(RecordError::Invalid(faults)) => Ok(Err(faults)),
        Err(error) => Err(error),
    });
    outcomes.collect()
}

/// Changes records; a row that cannot be changed, for whatever reason of its own, is answered with that reason, the
/// others are written.
///
/// # Errors
/// A hook refused the whole batch, or the file fails: then nothing was written, once the caller's savepoint is gone.
pub fn update_rows(
    tx: &Tx,
    entity: &Arc<Entity>,
    changes: Vec<Change>,
) -> Result<Vec<ChangeOutcome>, RecordError> {
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

/// [`update_rows`] of records that are all different.
fn update_distinct(
    tx: &Tx,
    entity: &Arc<Entity>,
    changes: Vec<Change>,
) -> Result<Vec<ChangeOutcome>, RecordError> {
    let rows = reach(tx, entity, "update");
    let (mut outcomes, mut drafts) = (Vec::with_capacity(changes.len()), Vec::with_capacity(changes.len()));
    for change in changes {
        outcomes.push(match draft(tx, entity, change, &rows) {
            // A draft that changes nothing passes through: no hook, no new version, no entry in the change log.
            Ok(draft) if draft.faults.is_empty() && draft.before.as_ref() == Some(&draft.after) => {
                Some(Ok(list::identity_of(&draft.after).1))
            }
            Ok(draft) => {
                drafts.push(draft);
                None
            }
            Err(error) if error.is_of_a_record() => Some(Err(error)),
            Err(error) => return Err(error),
        });
    }
    write(tx, entity, &rows, &mut drafts)?;
    let mut written = drafts.into_iter().map(|draft| {
        if draft.faults.is_empty() {
            Ok(list::identity_of(&draft.after).1)
        } else {
            Err(RecordError::Invalid(draft.faults))
        }
    });
    let outcomes = outcomes.into_iter().filter_map(|outcome| outcome.or_else(|| written.next()));
    Ok(outcomes.collect())
}

fn draft(
    tx: &Tx,
    entity: &Arc<Entity>,
    change: Change,
    rows: &Option<Decision>,
) -> Result<Draft, RecordError> {
    let before = current(tx, entity, change.id, rows, "update")?;
    fresh(tx, entity, change.id, change.version, &before)?;
    shape::changed_draft(tx, entity, change.id, before, change.changes)
}

/// Checks the drafts and writes the good ones.
fn write(
    tx: &Tx,
    entity: &Arc<Entity>,
    rows: &Option<Decision>,
    drafts: &mut Vec<Draft>,
) -> Result<(), RecordError> {
    let mut seen = Seen::default();
    check::references(tx, entity, drafts, &mut seen)?;
    run_hooks(tx, entity, &[Hook::Validate, Hook::BeforeUpdate], drafts)?;
    check::references(tx, entity, drafts, &mut seen)?; // hooks may have set some
    let (names, alone): (Vec<String>, bool) = (entity.columns().collect(), drafts.len() == 1);
    for draft in drafts.iter_mut() {
        if draft.faults.is_empty() && !permits(tx, entity, rows, &draft.after) {
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
    after_hooks(tx, entity, Hook::AfterUpdate, drafts)
}
