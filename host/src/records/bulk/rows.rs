//! Operations of one kind, done together where it goes and one by one where it does not.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Map, Value as Json};

use super::{By, Done, LONGEST, Operation, changes, created};
use crate::ids::RecordId;
use crate::records::error::{Fault, RecordError};
use crate::records::input;
use crate::records::schema::Entity;
use crate::records::store;
use crate::records::tx::Tx;
use crate::records::write::{self, Change, ChangeOutcome};

/// Fields to try with again, as they stand in a change.
type Fields = Map<String, Json>;

/// A change: its index, the record, the version that the caller knows.
type Update = (usize, RecordId, Option<u64>, Fields);

/// The operations under way.
pub(super) struct Rows<'t> {
    pub(super) tx: &'t Tx,
    pub(super) entity: &'t Arc<Entity>,
    pub(super) started: Instant,
    /// What became of each operation so far, by its index.
    pub(super) done: Vec<Option<Done>>,
}

impl Rows<'_> {
    /// Notes what became of an operation.
    pub(super) fn set(&mut self, index: usize, value: Done) {
        if let Some(slot) = self.done.get_mut(index) {
            *slot = Some(value);
        }
    }

    /// Refuses to hold the file's writer any longer.
    fn in_time(&self) -> Result<(), RecordError> {
        if self.started.elapsed() <= LONGEST {
            return Ok(());
        }
        let detail = format!(
            "these operations take longer than {} seconds together; send fewer at a time",
            LONGEST.as_secs()
        );
        Err(RecordError::conflict("bulk_too_slow", detail))
    }

    /// Does operations that are all of one kind.
    pub(super) fn batch(&mut self, operations: Vec<(usize, Operation)>) -> Result<(), RecordError> {
        self.in_time()?;
        let (mut creates, mut updates) = (Vec::new(), Vec::new());
        let mut upserts: Vec<(usize, By, Fields)> = Vec::new();
        for (index, operation) in operations {
            match operation {
                Operation::Create(fields) => creates.push((index, fields)),
                Operation::Update { id, version, fields } => updates.push((index, id, version, fields)),
                Operation::Upsert { by, fields } => {
                    if upserts.iter().any(|(_, known, fields)| may_meet(known, fields, &by)) {
                        self.upsert(std::mem::take(&mut upserts))?;
                    }
                    upserts.push((index, by, fields));
                }
                Operation::Delete { id, version } => self.delete((index, id, version))?,
            }
        }
        self.upsert(upserts)?;
        self.create(creates)?;
        self.update(updates)
    }

    fn create(&mut self, rows: Vec<(usize, Fields)>) -> Result<(), RecordError> {
        if rows.is_empty() {
            return Ok(());
        }
        let (tx, entity) = (self.tx, self.entity);
        let together = |rows: &[(usize, Fields)]| {
            let inputs = rows.iter().map(|(_, fields)| changes(fields.clone())).collect();
            tx.savepoint(|| write::create(tx, entity, inputs))
        };
        match together(&rows) {
            Ok(outcomes) => {
                for ((index, _), outcome) in rows.iter().zip(outcomes) {
                    self.set(*index, created(outcome));
                }
                return Ok(());
            }
            // It is the same for every row.
            Err(RecordError::Forbidden { object, action }) => {
                for (index, _) in rows {
                    let error = RecordError::Forbidden { object: object.clone(), action: action.clone() };
                    self.set(index, Done::Failed(None, error));
                }
                return Ok(());
            }
            Err(error) => drop(own(error)?),
        }
        for row in rows {
            self.in_time()?;
            let outcome = match together(std::slice::from_ref(&row)) {
                Ok(mut outcomes) => outcomes.pop().map_or(Done::Failed(None, RecordError::NotFound), created),
                Err(error) => Done::Failed(None, own(error)?),
            };
            self.set(row.0, outcome);
        }
        Ok(())
    }

    fn update(&mut self, rows: Vec<Update>) -> Result<(), RecordError> {
        if rows.is_empty() {
            return Ok(());
        }
        let (tx, entity) = (self.tx, self.entity);
        let together = |rows: &[Update]| {
            let change = |(_, id, version, fields): &Update| Change {
                id: *id,
                version: *version,
                changes: changes(fields.clone()),
            };
            let all = rows.iter().map(change).collect();
            tx.savepoint(|| write::update_rows(tx, entity, all))
        };
        let updated = |id: RecordId, outcome: ChangeOutcome| match outcome {
            Ok(_) => Done::Updated(id),
            Err(error) => Done::Failed(Some(id), error),
        };
        match together(&rows) {
            Ok(outcomes) => {
                for ((index, id, ..), outcome) in rows.iter().zip(outcomes) {
                    self.set(*index, updated(*id, outcome));
                }
                return Ok(());
            }
            Err(error) => drop(own(error)?),
        }
        for row in rows {
            self.in_time()?;
            let outcome = match together(std::slice::from_ref(&row)) {
                Ok(mut outcomes) => outcomes.pop().unwrap_or(Err(RecordError::NotFound)),
                Err(error) => Err(own(error)?),
            };
            self.set(row.0, updated(row.1, outcome));
        }
        Ok(())
    }

    fn delete(&mut self, (index, id, version): (usize, RecordId, Option<u64>)) -> Result<(), RecordError> {
        let (tx, entity) = (self.tx, self.entity);
        let outcome = match tx.savepoint(|| write::delete(tx, entity, id, version)) {
            Ok(()) => Done::Deleted(id),
            Err(error) => Done::Failed(Some(id), own(error)?),
        };
        self.set(index, outcome);
        Ok(())
    }

    /// Upserts that are all known by different values.
    fn upsert(&mut self, rows: Vec<(usize, By, Fields)>) -> Result<(), RecordError> {
        let (mut creates, mut updates) = (Vec::new(), Vec::new());
        let mut found: HashSet<RecordId> = HashSet::new();
        for (index, by, mut fields) in rows {
            match holder(self.tx, self.entity, &by)? {
                Some(id) => {
                    if !found.insert(id) {
                        // Two values, one record: in the order of the request.
                        self.update(std::mem::take(&mut updates))?;
                        found = HashSet::from([id]);
                    }
                    updates.push((index, id, None, fields));
                }
                None => match name(&by, &mut fields) {
                    Ok(()) => creates.push((index, fields)),
                    Err(fault) => self.set(index, Done::Failed(None, RecordError::Invalid(vec![fault]))),
                },
            }
        }
        self.create(creates)?;
        self.update(updates)
    }
}

/// Why an operation was not done, or why none can be.
fn own(error: RecordError) -> Result<RecordError, RecordError> {
    if error.is_of_a_record() || matches!(error, RecordError::Plugin { .. }) { Ok(error) } else { Err(error) }
}

/// The record that is known by this, whoever may read it: one that the caller may not read is then not found.
fn holder(tx: &Tx, entity: &Entity, by: &By) -> Result<Option<RecordId>, RecordError> {
    match by {
        By::External { source, value } => store::by_external_id(&tx.conn, entity, source, value),
        By::Field { key, value } => {
            let stored =
                entity.field(key).and_then(|field| Some((field, input::field(field, value).ok()?.0)));
            let Some((field, stored)) = stored else { return Ok(None) };
            // Whether there is one tells whether a record holds the value.
            tx.scope.may_read(entity, field)?;
            store::holder(&tx.conn, entity, field, &stored, RecordId::new())
        }
    }
}

/// Whether an upsert may make, or take away, what a later one looks for: then the later one must find it written.
fn may_meet(known: &By, fields: &Fields, later: &By) -> bool {
    if known == later {
        return true;
    }
    match later {
        By::External { .. } => fields.contains_key("external_ids"),
        By::Field { key, .. } => fields.get(&**key).is_some_and(|value| {
            // What repeats the value that it is known by changes nothing.
            !matches!(known, By::Field { key: own, value: said } if own == key && said == value)
        }),
    }
}

/// Gives a new record what it is to be known by.
fn name(by: &By, fields: &mut Fields) -> Result<(), Fault> {
    let (member, value, slot) = match by {
        By::Field { key, value } => (key.to_string(), value.clone(), fields),
        By::External { source, value } => {
            let ids = fields.entry("external_ids").or_insert_with(|| Json::Object(Map::new()));
            let Json::Object(ids) = ids else { return Ok(()) }; // the pipeline says what is wrong with it
            (source.clone(), value.clone().into(), ids)
        }
    };
    match slot.get(&member) {
        Some(other) if *other != value => {
            let detail = "says something else than `value`, by which the record is to be known";
            Err(Fault::at(&member, "contradiction", detail))
        }
        _ => {
            slot.insert(member, value);
            Ok(())
        }
    }
}
