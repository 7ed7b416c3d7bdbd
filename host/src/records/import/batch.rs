//! Writing a batch of mapped rows through the whole pipeline, with its checkpoint: in one transaction.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::row::{Row, RowKey, column_of};
use super::run::{Plan, Summary};
use super::spec::{Mode, Spec};
use super::{ImportError, store};
use crate::ids::RecordId;
use crate::records::error::{Fault, RecordError};
use crate::records::list::{self, View};
use crate::records::schema::{Entity, Kind};
use crate::records::store as rows_store;
use crate::records::tx::Tx;
use crate::records::write::{self, Change, Changes};
use crate::storage::Verdict;

/// Rows that a dry run shows.
const PREVIEW: usize = 10;

/// Kibibytes of pages that the writer of an import keeps: those that a batch changes, so that each is written once.
const WIDE: u32 = 16_384;
/// What every other writer keeps.
const USUAL: u32 = 2_000;

/// Gives back what an import needed.
pub(super) fn end(plan: &Plan<'_>) -> Result<(), ImportError> {
    let module = plan.scope.module(&plan.entity.plugin).ok_or(RecordError::NotFound)?;
    Ok(plan.engine.write_blocking(plan.scope, module, plan.hooks, |tx| {
        tx.conn.keep_in_memory(USUAL)?;
        Ok(Verdict::Keep(()))
    })?)
}

/// Lines of records that were made, with their keys.
pub(super) type Created = Vec<(u64, String)>;

/// What became of the rows, and which records of a dry run were made.
pub(super) fn write_batch(
    plan: &Plan<'_>,
    from: u64,
    rows: Vec<Row>,
) -> Result<(Summary, Created), ImportError> {
    let module = plan.scope.module(&plan.entity.plugin).ok_or(RecordError::NotFound)?;
    let (entity, spec, job) = (Arc::clone(&plan.entity), plan.spec.clone(), plan.job);
    let written = plan.engine.write_blocking(plan.scope, module, plan.hooks, move |tx| {
        tx.conn.keep_in_memory(WIDE)?;
        let outcomes = match tx.conn.savepoint(|| write_rows(tx, &entity, &spec, &rows)) {
            Err(RecordError::Storage(error)) => return Err(error.into()),
            Err(_) => one_by_one(tx, &entity, &spec, &rows)?,
            Ok(outcomes) => outcomes,
        };
        let (mut summary, mut created) = (Summary::default(), Vec::new());
        for (at, (row, outcome)) in (from..).zip(rows.iter().zip(outcomes)) {
            match outcome {
                Ok(written) => {
                    if spec.dry_run && from == 0 && summary.preview.len() < PREVIEW {
                        summary.preview.extend(preview(tx, &entity, row.line, written)?);
                    }
                    match written {
                        Written::Created(_) => {
                            summary.created += 1;
                            created.extend(row.key.as_ref().map(|key| (row.line, key.text())));
                        }
                        Written::Updated(_) => summary.updated += 1,
                    }
                }
                Err(faults) => {
                    summary.failed += 1;
                    let faults = listed(&spec, row.line, &faults);
                    store::add_errors(&tx.conn, job, at, &faults)?;
                    summary.list(faults);
                }
            }
        }
        if spec.dry_run {
            return Ok(Verdict::Undo((summary, created)));
        }
        store::advance(&tx.conn, job, from + rows.len() as u64, &summary, tx.now)?;
        summary.listed.clear(); // the file keeps them
        Ok(Verdict::Keep((summary, Vec::new())))
    });
    Ok(written?)
}

/// A row as it would be stored; nothing when the caller may not read it.
fn preview(tx: &Tx, entity: &Arc<Entity>, line: u64, written: Written) -> Result<Option<Json>, RecordError> {
    let (action, id) = match written {
        Written::Created(id) => ("create", id),
        Written::Updated(id) => ("update", id),
    };
    match list::get(&tx.conn, &tx.scope, entity, id, &View::within(&tx.scope, entity, None, None)?) {
        Err(RecordError::NotFound) => Ok(None),
        Err(error) => Err(error),
        Ok(one) => {
            let record: Json = serde_json::from_slice(&one.body).unwrap_or_default();
            Ok(Some(json!({ "line": line, "action": action, "record": record })))
        }
    }
}

/// Faults of one line for the error file.
pub(super) fn listed(spec: &Spec, line: u64, faults: &[Fault]) -> Vec<Json> {
    let one = |fault: &Fault| json!({ "line": line, "column": column_of(spec, &fault.pointer), "pointer": fault.pointer, "code": fault.code, "detail": fault.detail });
    faults.iter().map(one).collect()
}

#[derive(Clone, Copy)]
enum Written {
    Created(RecordId),
    Updated(RecordId),
}

type Outcome = Result<Written, Vec<Fault>>;

/// What is to be done with a row.
enum Step {
    Create,
    Update(RecordId),
}

/// Finds the record of a row by its key. Rows that must have one and do not, or have several, are answered.
fn step(tx: &Tx, entity: &Entity, spec: &Spec, row: &Row) -> Result<Result<Step, Fault>, RecordError> {
    if spec.mode == Mode::Create {
        return Ok(Ok(Step::Create));
    }
    let named = spec.key_field().unwrap_or("external_ids");
    let fault = |code, detail: &str| Ok(Err(Fault::at(named, code, detail)));
    let given = named == "id" || entity.field(named).is_some_and(|f| matches!(f.kind, Kind::AutoNumber(_)));
    let found = match (&row.key, &spec.external_id) {
        (Some(RowKey::External(id)), Some(of)) => {
            rows_store::by_external_id(&tx.conn, entity, &of.source, id)?.into_iter().collect()
        }
        (Some(RowKey::Field(value)), _) => store::bearers(&tx.conn, entity, named, value)?,
        // What only the host gives cannot be there before the record is.
        _ if given && spec.mode == Mode::Upsert => return Ok(Ok(Step::Create)),
        _ => return fault("required", "the key is empty; the row cannot find its record without"),
    };
    match found.as_slice() {
        [id] => Ok(Ok(Step::Update(*id))),
        [] if spec.mode == Mode::Update || given => {
            fault("record_not_found", "no record has this key, or none that you may read")
        }
        [] => Ok(Ok(Step::Create)),
        _ => fault("key_ambiguous", "more than one record has this key"),
    }
}

/// Writes the rows, each in its place; faulty rows are answered, the others written.
fn write_rows(tx: &Tx, entity: &Arc<Entity>, spec: &Spec, rows: &[Row]) -> Result<Vec<Outcome>, RecordError> {
    let mut outcomes: Vec<Option<Outcome>> = Vec::with_capacity(rows.len());
    let (mut creates, mut updates) = (Vec::new(), Vec::new());
    for row in rows {
        let place = outcomes.len();
        let mut members = match &row.members {
            Ok(members) => members.clone(),
            Err(faults) => {
                outcomes.push(Some(Err(faults.clone())));
                continue;
            }
        };
        match step(tx, entity, spec, row)? {
            Err(fault) => {
                outcomes.push(Some(Err(vec![fault])));
                continue;
            }
            Ok(Step::Create) => creates.push((place, Changes::Members(members))),
            Ok(Step::Update(id)) => {
                if let (Some(RowKey::External(_)), Some(of)) = (&row.key, &spec.external_id) {
                    drop_known(&mut members, &of.source);
                }
                updates.push((place, Change { id, version: None, changes: Changes::Members(members) }));
            }
        }
        outcomes.push(None);
    }
    let (places, inputs): (Vec<usize>, Vec<Changes>) = creates.into_iter().unzip();
    if !inputs.is_empty() {
        for (place, outcome) in places.into_iter().zip(write::create(tx, entity, inputs)?) {
            place_at(&mut outcomes, place, outcome.map(Written::Created));
        }
    }
    let (places, changes): (Vec<usize>, Vec<Change>) = updates.into_iter().unzip();
    if !changes.is_empty() {
        let ids: Vec<RecordId> = changes.iter().map(|change| change.id).collect();
        let updated = ids.into_iter().zip(write::update_each(tx, entity, changes)?);
        for (place, (id, outcome)) in places.into_iter().zip(updated) {
            place_at(&mut outcomes, place, outcome.map(|_| Written::Updated(id)));
        }
    }
    Ok(outcomes.into_iter().flatten().collect())
}

/// A record that was found by an external id has it.
fn drop_known(members: &mut Map<String, Json>, source: &str) {
    if let Some(ids) = members.get_mut("external_ids").and_then(Json::as_object_mut) {
        ids.remove(source);
        if ids.is_empty() {
            members.remove("external_ids");
        }
    }
}

fn place_at(outcomes: &mut [Option<Outcome>], at: usize, outcome: Outcome) {
    if let Some(slot) = outcomes.get_mut(at) {
        *slot = Some(outcome);
    }
}

/// A batch that was refused as a whole, row by row: only the rows that cause it are lost.
fn one_by_one(tx: &Tx, entity: &Arc<Entity>, spec: &Spec, rows: &[Row]) -> Result<Vec<Outcome>, RecordError> {
    let mut outcomes = Vec::with_capacity(rows.len());
    for row in rows {
        match tx.conn.savepoint(|| write_rows(tx, entity, spec, std::slice::from_ref(row))) {
            Ok(mut one) => outcomes.extend(one.pop()),
            Err(RecordError::Storage(error)) => return Err(error.into()),
            Err(error) => outcomes.push(Err(faults_of(error))),
        }
    }
    Ok(outcomes)
}

/// An error about one row as faults of that row.
pub(super) fn faults_of(error: RecordError) -> Vec<Fault> {
    let whole =
        |code: String, detail: String| vec![Fault { pointer: String::new(), code: code.into(), detail }];
    match error {
        RecordError::Invalid(faults) => faults,
        RecordError::Conflict { code, detail, faults, .. } if faults.is_empty() => {
            whole(code.into_owned(), detail)
        }
        RecordError::Conflict { faults, .. } => faults,
        RecordError::Plugin { code, detail, .. } => whole(code.to_owned(), detail),
        RecordError::PluginPaused { .. } => whole("plugin_paused".to_owned(), error.to_string()),
        RecordError::Forbidden { .. } => whole("forbidden".to_owned(), error.to_string()),
        other => whole("not_written".to_owned(), other.to_string()),
    }
}
