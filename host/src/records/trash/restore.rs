//! Bringing back what was deleted, all of its cohort or one record of it.
//!
//! A record comes back under the rules of today: everything it says is judged as if it were new, because others may have
//! taken its place meanwhile. All conflicts are told at once, and the caller may send values that settle them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::{Entry, RESTORE, find, reaches, reattach, store};
use crate::ids::RecordId;
use crate::records::error::{Fault, RecordError};
use crate::records::reference::Seen;
use crate::records::schema::{DELETED_AT, Entity};
use crate::records::tx::{Authority, Draft, Hook, Tx};
use crate::records::value::Value;
use crate::records::write::Changes;
use crate::records::write::check;
use crate::records::write::detach::ids_of;
use crate::records::write::hooks::{after_hooks, run_hooks};
use crate::records::write::keep::{bind_external_ids, write_changes};
use crate::records::write::shape;

/// How records are to come back.
#[derive(Debug, Default)]
pub struct Wish {
    /// This record and not its cohort.
    pub only_this: bool,
    /// New values that settle conflicts, by record.
    pub changes: BTreeMap<RecordId, Map<String, Json>>,
}

/// Why a record cannot come back as it is.
#[derive(Debug)]
pub(super) struct Conflict {
    pub(super) entity: Arc<str>,
    pub(super) record: RecordId,
    pub(super) fault: Fault,
}

/// Records of one entity that went to the bin together.
struct Part {
    entity: Arc<Entity>,
    place: i64,
    drafts: Vec<Draft>,
}

/// Takes a record out of the recycle bin, with all that was deleted with it and is still there. Answers how many records
/// came back. Of the hooks, `validate` runs before and `after_update` behind: nothing is decided anew, so none may change
/// values.
///
/// # Errors
/// [`RecordError::NotFound`], [`RecordError::Forbidden`]; [`RecordError::Invalid`] for values that are none;
/// [`RecordError::Conflict`] when it is not in the bin, or `restore_conflict` with every conflict.
pub fn restore(tx: &Tx, entity: &Arc<Entity>, id: RecordId, wish: Wish) -> Result<usize, RecordError> {
    let (entry, _) = find(tx, entity, id, RESTORE)?;
    let cohort = if wish.only_this { Vec::new() } else { store::cohort(&tx.conn, entry.cohort)? };
    let entries = if cohort.is_empty() { vec![entry] } else { cohort };
    let mut restoring = Restoring::new(tx, &entries);
    let mut parts = restoring.parts(&entries, wish.changes)?;
    for part in &mut parts {
        restoring.part(part)?;
    }
    let Restoring { host, mut conflicts, .. } = restoring;
    if conflicts.is_empty() {
        for entry in &entries {
            store::remove(&tx.conn, entry.record)?;
        }
        conflicts = reattach::reattach(&host, &entries)?;
    }
    if !conflicts.is_empty() {
        return Err(refusal(&conflicts));
    }
    for part in &mut parts {
        after_hooks(&host, &part.entity, Hook::AfterUpdate, &mut part.drafts)?;
    }
    Ok(entries.len())
}

struct Restoring<'t> {
    tx: &'t Tx,
    /// What comes along is decided by the deletion, not by the caller's rights on each record.
    host: Tx,
    members: HashSet<RecordId>,
    /// Answers to the caller's own references, and to those that the records bring along.
    asked: Seen,
    known: Seen,
    conflicts: Vec<Conflict>,
}

impl<'t> Restoring<'t> {
    fn new(tx: &'t Tx, entries: &[Entry]) -> Self {
        let (mut asked, mut known) = (Seen::default(), Seen::default());
        for entry in entries {
            if let Some(entity) = tx.module.entity(&entry.entity) {
                asked.know(&entity.object, entry.record);
                known.know(&entity.object, entry.record);
            }
        }
        let members = entries.iter().map(|entry| entry.record).collect();
        Self { tx, host: tx.on(Authority::Host), members, asked, known, conflicts: Vec::new() }
    }

    /// The records as they will be, in the order in which they were deleted: what was deleted first, the others belong to.
    fn parts(
        &self,
        entries: &[Entry],
        mut changes: BTreeMap<RecordId, Map<String, Json>>,
    ) -> Result<Vec<Part>, RecordError> {
        let (mut parts, mut faults): (Vec<Part>, Vec<Fault>) = (Vec::new(), Vec::new());
        for entry in entries {
            let Some(entity) = self.tx.module.entity(&entry.entity) else { continue };
            let Some(row) = store::row(&self.tx.conn, &entity, entry.record)? else { continue };
            let mut draft = match changes.remove(&entry.record) {
                Some(members) => self.changed(&entity, entry.record, row, members)?,
                None => Draft { id: entry.record, after: row.clone(), before: Some(row), faults: Vec::new() },
            };
            faults.extend(draft.faults.drain(..).map(|fault| below(entry.record, fault)));
            if let Some(slot) = draft.after.get_mut(DELETED_AT) {
                *slot = Value::Null;
            }
            match parts.last_mut().filter(|part| part.place == entry.place && part.entity.key == entity.key) {
                Some(part) => part.drafts.push(draft),
                None => parts.push(Part { entity, place: entry.place, drafts: vec![draft] }),
            }
        }
        faults.extend(changes.keys().map(|id| Fault {
            pointer: format!("/changes/{id}"),
            code: "not_restored".into(),
            detail: "this record does not come back with this request".into(),
        }));
        if faults.is_empty() { Ok(parts) } else { Err(RecordError::Invalid(faults)) }
    }

    /// A record with the values that the caller sent for it, which takes the right to change it.
    fn changed(
        &self,
        entity: &Arc<Entity>,
        id: RecordId,
        row: Vec<Value>,
        members: Map<String, Json>,
    ) -> Result<Draft, RecordError> {
        let forbidden =
            || RecordError::Forbidden { object: entity.object.to_string(), action: "update".to_owned() };
        if !reaches(self.tx, entity, "read", &row) || !reaches(self.tx, entity, "update", &row) {
            return Err(forbidden());
        }
        let draft = shape::changed_draft(self.tx, entity, id, row, Changes::Members(members))?;
        if reaches(self.tx, entity, "update", &draft.after) { Ok(draft) } else { Err(forbidden()) }
    }

    /// Judges the records of a part and writes them. After the first conflict nothing is written any more, but the rest is
    /// judged by the declared rules all the same.
    fn part(&mut self, part: &mut Part) -> Result<(), RecordError> {
        check::references(self.tx, &part.entity, &mut part.drafts, &mut self.asked)?;
        if self.conflicts.is_empty() {
            run_hooks(&self.host, &part.entity, &[Hook::Validate], &mut part.drafts)?;
        }
        let names: Vec<String> = part.entity.columns().collect();
        for draft in &mut part.drafts {
            self.judge(&part.entity, draft)?;
            if self.conflicts.is_empty() {
                write_changes(self.tx, &part.entity, &names, draft)?;
                bind_external_ids(self.tx, &part.entity, draft)?;
            }
        }
        Ok(())
    }

    /// The declared rules, for every value of the record, not only for those that changed.
    fn judge(&mut self, entity: &Arc<Entity>, draft: &mut Draft) -> Result<(), RecordError> {
        let before = draft.before.take(); // as if it were new
        let alone = std::slice::from_mut(draft);
        let judged = check::references(&self.host, entity, alone, &mut self.known)
            .and_then(|()| check::complete(self.tx, entity, draft));
        draft.before = before;
        judged?;
        for fault in draft.faults.drain(..) {
            let fault = self.explained(entity, &draft.after, fault)?;
            self.conflicts.push(Conflict { entity: Arc::clone(&entity.object), record: draft.id, fault });
        }
        Ok(())
    }

    /// Says of a reference to nothing whether it is one to the bin.
    fn explained(&self, entity: &Entity, values: &[Value], fault: Fault) -> Result<Fault, RecordError> {
        let field = fault.pointer.strip_prefix('/').and_then(|key| entity.field(key));
        let Some(field) = field.filter(|_| fault.code == "reference_not_found") else { return Ok(fault) };
        for id in ids_of(values.get(field.column).unwrap_or(&Value::Null)) {
            if !self.members.contains(&id) && store::entry(&self.tx.conn, id)?.is_some() {
                let detail =
                    format!("{} points at record {id}, which is still in the recycle bin", field.label);
                return Ok(Fault { code: "reference_deleted".into(), detail, ..fault });
            }
        }
        Ok(fault)
    }
}

/// The fault at the place where a value that settles it would stand.
fn below(record: RecordId, fault: Fault) -> Fault {
    Fault { pointer: format!("/changes/{record}{}", fault.pointer), ..fault }
}

fn refusal(conflicts: &[Conflict]) -> RecordError {
    let listed = conflicts.iter().map(|Conflict { entity, record, fault }| {
        json!({"entity": **entity, "record": record.to_string(), "pointer": fault.pointer, "code": fault.code, "detail": fault.detail})
    });
    let extra = std::iter::once(("conflicts".to_owned(), listed.collect::<Json>())).collect();
    RecordError::Conflict {
        code: "restore_conflict".into(),
        detail: "these records cannot come back as they are; settle every conflict, or send other values in `changes`"
            .into(),
        extra,
        faults: conflicts.iter().map(|one| below(one.record, one.fault.clone())).collect(),
    }
}
