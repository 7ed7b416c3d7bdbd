//! Deletion: to the recycle bin, with what declared references say about those who point at the record.

use std::sync::Arc;

use super::{Authority, Draft, Hook, Tx, bury, current, fresh, reach};
use crate::ids::RecordId;
use crate::records::error::RecordError;
use crate::records::merge;
use crate::records::schema::{Entity, Kind, OnDelete};
use crate::records::store;
use crate::records::write::{Change, Changes, run_hooks, update};

/// Most records that one deletion takes along.
const COHORT: u32 = 1_000;

/// Moves a record to the recycle bin, with those that cascade.
///
/// # Errors
/// [`RecordError::NotFound`], [`RecordError::Forbidden`], [`RecordError::Stale`]; [`RecordError::Conflict`] when records
/// point at it that must not lose it; a hook refuses.
pub fn delete(tx: &Tx, entity: &Arc<Entity>, id: RecordId, version: Option<u64>) -> Result<(), RecordError> {
    let mut budget = COHORT;
    delete_one(tx, entity, id, version, &mut budget)
}

fn delete_one(
    tx: &Tx,
    entity: &Arc<Entity>,
    id: RecordId,
    version: Option<u64>,
    budget: &mut u32,
) -> Result<(), RecordError> {
    *budget = budget.checked_sub(1).ok_or_else(|| RecordError::Conflict {
        code: "cohort_too_large".into(),
        detail: format!("more than {COHORT} records would go with this one; delete them first"),
        extra: serde_json::Map::new(),
        faults: Vec::new(),
    })?;
    let rows = reach(tx, entity, "delete");
    let before = current(tx, entity, id, &rows, "delete")?;
    merge::refuse_pending(tx, entity, id)?;
    fresh(tx, entity, id, version, &before)?;
    let draft = Draft { id, after: before.clone(), before: Some(before), faults: Vec::new() };
    let mut drafts = vec![draft];
    run_hooks(tx, entity, &[Hook::BeforeDelete], &mut drafts)?;
    let mut draft = drafts.pop().ok_or(RecordError::NotFound)?;
    if !draft.faults.is_empty() {
        return Err(RecordError::Invalid(draft.faults));
    }
    if pointed_at_from_elsewhere(tx, entity) {
        let claim = tx.engine.claims.delete(tx.scope.organization.id, entity, id);
        tx.claims
            .borrow_mut()
            .push(claim.ok_or_else(|| in_use("another request is about to point at this record".into()))?);
    }
    let names: Vec<String> = entity.columns().collect();
    bury(tx, entity, &names, &mut draft)?;
    release(tx, entity, id, budget)?;
    if entity.hooks.contains(&Hook::AfterDelete) {
        tx.hooks.run(tx, Hook::AfterDelete, entity, &mut [draft])?;
    }
    Ok(())
}

fn in_use(detail: String) -> RecordError {
    RecordError::Conflict {
        code: "record_in_use".into(),
        detail,
        extra: serde_json::Map::new(),
        faults: Vec::new(),
    }
}

/// Whether another plugin's entities refer to this one.
fn pointed_at_from_elsewhere(tx: &Tx, entity: &Entity) -> bool {
    let others = tx.scope.modules.iter().filter(|module| module.plugin != tx.module.plugin);
    let mut fields = others.flat_map(|module| &module.entities).flat_map(|entity| &entity.fields);
    fields.any(|field| matches!(&field.kind, Kind::Reference(target, _) if target.plugin == entity.plugin && target.entity == entity.key))
}

/// Does to every record that points at `id` what its reference declares.
fn release(tx: &Tx, entity: &Arc<Entity>, id: RecordId, budget: &mut u32) -> Result<(), RecordError> {
    for module in &*tx.scope.modules {
        let own = module.plugin == tx.module.plugin;
        for referring in &module.entities {
            for field in &referring.fields {
                let Kind::Reference(target, rule) = &field.kind else {
                    continue;
                };
                if target.plugin != entity.plugin || target.entity != entity.key {
                    continue;
                }
                if own && *rule != OnDelete::Restrict {
                    let pointing = store::referrers(&tx.conn, referring, field, id, COHORT + 1)?;
                    follow(tx, referring, &field.key, *rule, pointing, budget)?;
                    continue;
                }
                // Another plugin's file cannot change in this transaction: there, every rule protects.
                let pointing = if own {
                    store::referrers(&tx.conn, referring, field, id, 1)?
                } else {
                    tx.engine
                        .read(&tx.scope, module, |conn| store::referrers(conn, referring, field, id, 1))?
                };
                if !pointing.is_empty() {
                    return Err(in_use(format!(
                        "{} points at this record by its field `{}`; change those records first",
                        referring.object, field.key
                    )));
                }
            }
        }
    }
    Ok(())
}

fn follow(
    tx: &Tx,
    referring: &Arc<Entity>,
    field: &Arc<str>,
    rule: OnDelete,
    pointing: Vec<RecordId>,
    budget: &mut u32,
) -> Result<(), RecordError> {
    let host = tx.on(Authority::Host); // the declaration decides, not the caller's rights on the other records
    for id in pointing {
        if !store::exists(&tx.conn, referring, id)? {
            continue; // it went along with one before it
        }
        if rule == OnDelete::Cascade {
            delete_one(&host, referring, id, None, budget)?;
            continue;
        }
        let members = std::iter::once((field.to_string(), serde_json::Value::Null)).collect();
        update(&host, referring, vec![Change { id, version: None, changes: Changes::Members(members) }])?;
    }
    Ok(())
}
