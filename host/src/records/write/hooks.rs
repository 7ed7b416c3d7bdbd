//! When hooks run on a batch, and on which of its drafts.

use std::sync::Arc;

use crate::records::error::{Fault, RecordError};
use crate::records::schema::Entity;
use crate::records::tx::{Draft, Hook, Tx};

/// Runs these hooks, one after the other, on the drafts that have no faults (`validate`: on all).
pub(in crate::records) fn run_hooks(
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

/// Runs a hook on rows that are written; what it refuses takes the whole call along.
pub(in crate::records) fn after_hooks(
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
