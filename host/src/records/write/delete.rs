//! Deletion: to the recycle bin, with what declared references say about those who point at what is deleted.
//!
//! First everything that goes along is found, wave after wave, and moved to the bin. Only then is asked who still points at
//! any of it: a record that goes along itself holds nothing back, whatever order the references are declared in.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use super::detach::detach;
use super::hooks::{after_hooks, run_hooks};
use super::keep::write_changes;
use super::reach::{current, fresh, reach};
use crate::ids::RecordId;
use crate::records::error::RecordError;
use crate::records::list;
use crate::records::merge;
use crate::records::schema::{DELETED_AT, Entity, Field, Kind, Module, OnDelete};
use crate::records::store;
use crate::records::trash;
use crate::records::tx::{Authority, Draft, Hook, Tx};
use crate::records::value::Value;
use crate::storage::Connection;

/// Most records that one deletion moves to the recycle bin.
const COHORT: usize = 1_000;

/// Records whose hooks run together.
const BATCH: usize = 250;

/// Records of one entity that go in one wave, or some of them.
pub(in crate::records) struct Part {
    /// Their entity.
    pub(in crate::records) entity: Arc<Entity>,
    /// The records, before and in the bin.
    pub(in crate::records) drafts: Vec<Draft>,
}

/// Moves a record to the recycle bin, with those that cascade.
///
/// # Errors
/// [`RecordError::NotFound`], [`RecordError::Forbidden`], [`RecordError::Stale`]; [`RecordError::Conflict`] when records
/// point at it that must not lose it; a hook refuses.
pub fn delete(tx: &Tx, entity: &Arc<Entity>, id: RecordId, version: Option<u64>) -> Result<(), RecordError> {
    let rows = reach(tx, entity, "delete");
    let before = current(tx, entity, id, &rows, "delete")?;
    fresh(tx, entity, id, version, &before)?;
    let host = tx.on(Authority::Host); // the declaration decides, not the caller's rights on the other records

    let mut cohort = vec![bury(tx, entity, vec![before])?];
    let mut gone = HashSet::from([id]);
    let mut from = 0;
    while from < cohort.len() {
        let wave = followers(tx, cohort.get(from..).unwrap_or_default(), &mut gone)?;
        from = cohort.len();
        for (following, mut rows) in wave {
            while !rows.is_empty() {
                let rest = rows.split_off(rows.len().min(BATCH));
                cohort.push(bury(&host, &following, std::mem::replace(&mut rows, rest))?);
            }
        }
    }
    held_back(tx, &cohort)?;
    let detached = detach(&host, &cohort)?;
    trash::keep(tx, id, &cohort, detached)?;

    for (at, part) in cohort.iter_mut().enumerate().rev() {
        let acting = if at == 0 { tx } else { &host };
        after_hooks(acting, &part.entity, Hook::AfterDelete, &mut part.drafts)?;
    }
    Ok(())
}

/// Moves records of one entity to the bin, once their hooks agree.
fn bury(tx: &Tx, entity: &Arc<Entity>, rows: Vec<Vec<Value>>) -> Result<Part, RecordError> {
    let draft = |row: Vec<Value>| {
        let id = list::identity_of(&row).0?;
        Some(Draft { id, after: row.clone(), before: Some(row), faults: Vec::new() })
    };
    let mut drafts: Vec<Draft> = rows.into_iter().filter_map(draft).collect();
    run_hooks(tx, entity, &[Hook::BeforeDelete], &mut drafts)?;
    let faults: Vec<_> = drafts.iter().flat_map(|draft| draft.faults.iter().cloned()).collect();
    if !faults.is_empty() {
        return Err(RecordError::Invalid(faults));
    }
    let claimed = referring(tx, entity).any(|(module, ..)| module.plugin != tx.module.plugin);
    let names: Vec<String> = entity.columns().collect();
    let mut buried = Vec::with_capacity(drafts.len());
    for mut draft in drafts {
        if !store::exists(&tx.conn, entity, draft.id)? {
            continue; // a hook has deleted it already
        }
        merge::refuse_pending(tx, entity, draft.id)?;
        if claimed {
            let claim = tx.engine.claims.delete(tx.scope.organization.id, entity, draft.id);
            let claim = claim.ok_or_else(|| {
                RecordError::conflict(IN_USE, "another request is about to point at this record")
            })?;
            tx.claims.borrow_mut().push(claim);
        }
        if let Some(slot) = draft.after.get_mut(DELETED_AT) {
            *slot = Value::Integer(tx.now);
        }
        write_changes(tx, entity, &names, &mut draft)?;
        store::set_external_ids(&tx.conn, entity, draft.id, &[])?; // free again for another record
        buried.push(draft);
    }
    Ok(Part { entity: Arc::clone(entity), drafts: buried })
}

/// Every field that refers to this entity, with its entity and module.
pub(in crate::records) fn referring<'t>(
    tx: &'t Tx,
    entity: &Entity,
) -> impl Iterator<Item = (&'t Arc<Module>, &'t Arc<Entity>, &'t Field, OnDelete)> {
    let object = Arc::clone(&entity.object);
    let fields = tx.scope.modules.iter().flat_map(|module| {
        module.entities.iter().flat_map(move |entity| {
            entity.fields.iter().filter_map(move |field| match &field.kind {
                Kind::Reference(target, rule) | Kind::References(target, rule) => {
                    Some((module, entity, field, target, *rule))
                }
                _ => None,
            })
        })
    });
    fields.filter_map(move |(module, entity, field, target, rule)| {
        let same = object.split_once('.') == Some((&*target.plugin, &*target.entity));
        same.then_some((module, entity, field, rule))
    })
}

type Wave = Vec<(Arc<Entity>, Vec<Vec<Value>>)>;

/// The live records that go along with these, each once.
fn followers(tx: &Tx, parts: &[Part], gone: &mut HashSet<RecordId>) -> Result<Wave, RecordError> {
    let (mut wave, mut places): (Wave, HashMap<Arc<str>, usize>) = (Vec::new(), HashMap::new());
    for part in parts {
        let cascading = referring(tx, &part.entity)
            .filter(|(module, _, _, rule)| *rule == OnDelete::Cascade && module.plugin == tx.module.plugin);
        for (_, entity, field, _) in cascading {
            for draft in &part.drafts {
                for id in store::referrers(&tx.conn, entity, field, draft.id, COHORT + 1)? {
                    if !gone.insert(id) {
                        continue;
                    }
                    if gone.len() > COHORT {
                        let detail = format!(
                            "more than {COHORT} records would go with this one; delete some of them first"
                        );
                        return Err(RecordError::conflict("cohort_too_large", detail));
                    }
                    let at = *places.entry(Arc::clone(&entity.key)).or_insert_with(|| {
                        wave.push((Arc::clone(entity), Vec::new()));
                        wave.len() - 1
                    });
                    let row =
                        list::rows(&tx.conn, entity, "id = ?1 and deleted_at is null", "", &[id.into()])?;
                    if let Some((_, rows)) = wave.get_mut(at) {
                        rows.extend(row);
                    }
                }
            }
        }
    }
    Ok(wave)
}

const IN_USE: &str = "record_in_use";

/// Refuses the deletion when a record that stays points at one that goes and must not lose it. Another plugin's file cannot
/// change in this transaction: there, every rule protects.
fn held_back(tx: &Tx, cohort: &[Part]) -> Result<(), RecordError> {
    let mut holders = Vec::new();
    for part in cohort {
        for (module, entity, field, rule) in referring(tx, &part.entity) {
            let own = module.plugin == tx.module.plugin;
            if own && rule != OnDelete::Restrict {
                continue;
            }
            let held = |conn: &Rc<Connection>| {
                for draft in &part.drafts {
                    if !store::referrers(conn, entity, field, draft.id, 1)?.is_empty() {
                        return Ok(true);
                    }
                }
                Ok(false)
            };
            if if own { held(&tx.conn)? } else { tx.engine.read(&tx.scope, module, held)? } {
                holders.push((Arc::clone(&entity.object), Arc::clone(&field.key)));
            }
        }
    }
    let Some((object, field)) = holders.first() else { return Ok(()) };
    let detail = format!(
        "{object} points at this record, or at one that would go with it, by its field `{field}`; change those records first"
    );
    let listed =
        holders.iter().map(|(object, field)| serde_json::json!({"entity": **object, "field": **field}));
    let extra = std::iter::once(("held_by".to_owned(), listed.collect())).collect();
    Err(RecordError::Conflict { code: IN_USE.into(), detail, extra, faults: Vec::new() })
}
