//! Running an import: lines in batches, each batch one write with its checkpoint.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::file::{self, Line, Lines};
use super::row::{Mapper, Row, column_of};
use super::spec::{Mode, Spec};
use super::{ImportError, store};
use crate::ids::JobId;
use crate::jobs::{Jobs, Progress};
use crate::records::error::{Fault, RecordError};
use crate::records::schema::Entity;
use crate::records::store as rows_store;
use crate::records::tx::{Hooks, Tx};
use crate::records::write::{self, Change, Changes};
use crate::records::{Records, Scope};
use crate::storage::Verdict;

/// Lines per transaction.
const BATCH: usize = 500;
/// Least time between two reports of progress: each is a durable write of its own.
const REPORT_EVERY: Duration = Duration::from_millis(500);
/// Most faulty lines that a dry run lists.
const LISTED: usize = 1_000;

/// What an import needs.
pub(super) struct Plan<'a> {
    pub(super) engine: &'a Records,
    pub(super) scope: &'a Scope,
    pub(super) hooks: &'a Arc<dyn Hooks + Send + Sync>,
    pub(super) entity: Arc<Entity>,
    pub(super) spec: &'a Spec,
    pub(super) job: JobId,
    pub(super) path: &'a Path,
}

/// What became of the lines so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    pub(super) created: u64,
    pub(super) updated: u64,
    pub(super) failed: u64,
    /// Faults that no file keeps: of dry runs and of people.
    pub(super) listed: Vec<Json>,
}

impl Summary {
    pub(super) fn to_json(&self, spec: &Spec) -> String {
        json!({
            "entity": spec.entity,
            "dry_run": spec.dry_run,
            "created": self.created,
            "updated": self.updated,
            "failed": self.failed,
            "errors": self.listed,
        })
        .to_string()
    }

    const fn done(&self) -> u64 {
        self.created + self.updated + self.failed
    }

    pub(super) fn list(&mut self, faults: Vec<Json>) {
        let room = LISTED.saturating_sub(self.listed.len());
        self.listed.extend(faults.into_iter().take(room));
    }
}

/// Tells the job how far the import is, now and then, and hears whether it was cancelled.
pub(super) struct Reporter<'a> {
    jobs: &'a Jobs,
    job: JobId,
    last: Option<Instant>,
}

impl<'a> Reporter<'a> {
    pub(super) const fn new(jobs: &'a Jobs, job: JobId) -> Self {
        Self { jobs, job, last: None }
    }

    pub(super) fn report(&mut self, summary: &Summary, total: u64, force: bool) -> Result<(), ImportError> {
        if !force && self.last.is_some_and(|last| last.elapsed() < REPORT_EVERY) {
            return Ok(());
        }
        self.last = Some(Instant::now());
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let progress = Progress {
            done: count(summary.done()),
            total: Some(count(total)),
            failed: count(summary.failed),
        };
        Ok(tokio::runtime::Handle::current().block_on(self.jobs.set_progress(self.job, progress))?)
    }
}

/// Runs the import from its checkpoint to the end of the file.
pub(super) fn run(plan: &Plan<'_>, mut progress: Reporter<'_>) -> Result<Summary, ImportError> {
    let header = file::header(plan.path, plan.spec)?;
    let total = file::count(plan.path, plan.spec)?;
    let module = plan.scope.module(&plan.entity.plugin).ok_or(RecordError::NotFound)?;
    let (mut next, mut summary) =
        plan.engine.read(plan.scope, module, |conn| store::checkpoint(conn, plan.job))?;
    let mut lines = Lines::open(plan.path, plan.spec, header.len())?;
    lines.skip(next)?;
    let mut mapper = Mapper::new(plan.engine, plan.scope, &plan.entity, plan.spec, &header);
    let mut batches = Batches { lines, pending: None };
    let mut undone = Undone::default();
    loop {
        let rows = batches.next(&mut mapper)?;
        if rows.is_empty() {
            break;
        }
        let from = next;
        next += rows.len() as u64;
        let (mut batch, created) = write_batch(plan, from, rows)?;
        if plan.spec.dry_run {
            undone.correct(plan.spec, &mut batch, created);
        }
        summary.created += batch.created;
        summary.updated += batch.updated;
        summary.failed += batch.failed;
        summary.list(batch.listed);
        progress.report(&summary, total, false)?;
    }
    progress.report(&summary, total, true)?;
    Ok(summary)
}

/// What is read batch by batch.
struct Batches {
    lines: Lines,
    /// A line that was read but belongs to the next batch; it is mapped anew, because what it needs is written by then.
    pending: Option<Line>,
}

impl Batches {
    /// The next rows. A row that needs an earlier one of the same batch begins the next batch: the second of an external
    /// id must find the first one written, and a row that refers to another of the file must find that one written.
    fn next(&mut self, mapper: &mut Mapper<'_>) -> Result<Vec<Row>, ImportError> {
        let mut rows: Vec<Row> = Vec::with_capacity(BATCH);
        let mut seen: HashSet<String> = HashSet::new();
        while rows.len() < BATCH {
            let line = match self.pending.take() {
                Some(line) => line,
                None => match self.lines.next()? {
                    Some(line) => line,
                    None => break,
                },
            };
            let row = mapper.row(&line)?;
            let again = row.external_id.as_ref().is_some_and(|id| !seen.insert(id.clone()));
            if again || mapper.awaits(&row, &rows) {
                self.pending = Some(line);
                break;
            }
            rows.push(row);
        }
        Ok(rows)
    }
}

/// Lines of records that were made, with their external ids.
type Created = Vec<(u64, String)>;

/// External ids of records that earlier batches of a dry run made and undid: a later row of the file is about the same
/// record, which the file of the organization does not have.
#[derive(Default)]
struct Undone(HashSet<String>);

impl Undone {
    /// Tells of a batch what the real run would.
    fn correct(&mut self, spec: &Spec, batch: &mut Summary, created: Created) {
        for (line, id) in created {
            if self.0.insert(id) {
                continue;
            }
            batch.created -= 1;
            if spec.mode == Mode::Upsert {
                batch.updated += 1;
                continue;
            }
            batch.failed += 1;
            let detail = "another row of the file has this external id";
            batch.list(listed(spec, line, &[Fault::at("external_ids", "not_unique", detail)]));
        }
    }
}

/// What became of the rows, and which records of a dry run were made.
fn write_batch(plan: &Plan<'_>, from: u64, rows: Vec<Row>) -> Result<(Summary, Created), ImportError> {
    let module = plan.scope.module(&plan.entity.plugin).ok_or(RecordError::NotFound)?;
    let (entity, spec, job) = (Arc::clone(&plan.entity), plan.spec.clone(), plan.job);
    let written = plan.engine.write_blocking(plan.scope, module, plan.hooks, move |tx| {
        let outcomes = match tx.conn.savepoint(|| write_rows(tx, &entity, &spec, &rows)) {
            Err(RecordError::Storage(error)) => return Err(error.into()),
            Err(_) => one_by_one(tx, &entity, &spec, &rows)?,
            Ok(outcomes) => outcomes,
        };
        let (mut summary, mut created) = (Summary::default(), Vec::new());
        for (at, (row, outcome)) in (from..).zip(rows.iter().zip(outcomes)) {
            match outcome {
                Ok(Written::Created) => {
                    summary.created += 1;
                    created.extend(row.external_id.clone().map(|id| (row.line, id)));
                }
                Ok(Written::Updated) => summary.updated += 1,
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

/// Faults of one line for the error file.
pub(super) fn listed(spec: &Spec, line: u64, faults: &[Fault]) -> Vec<Json> {
    let one = |fault: &Fault| json!({ "line": line, "column": column_of(spec, &fault.pointer), "pointer": fault.pointer, "code": fault.code, "detail": fault.detail });
    faults.iter().map(one).collect()
}

enum Written {
    Created,
    Updated,
}

type Outcome = Result<Written, Vec<Fault>>;

/// Writes the rows, each in its place; faulty rows are answered, the others written.
fn write_rows(tx: &Tx, entity: &Arc<Entity>, spec: &Spec, rows: &[Row]) -> Result<Vec<Outcome>, RecordError> {
    let mut outcomes: Vec<Option<Outcome>> = Vec::with_capacity(rows.len());
    let (mut creates, mut updates) = (Vec::new(), Vec::new());
    for row in rows {
        let members = match &row.members {
            Ok(members) => members.clone(),
            Err(faults) => {
                outcomes.push(Some(Err(faults.clone())));
                continue;
            }
        };
        let known = match (spec.mode, &spec.external_id, &row.external_id) {
            (Mode::Upsert, Some(of), Some(id)) => {
                rows_store::by_external_id(&tx.conn, entity, &of.source, id)?
            }
            _ => None,
        };
        match known {
            Some(id) => {
                let mut members = members;
                members.remove("external_ids"); // it has this one, and perhaps others that must stay
                updates
                    .push((outcomes.len(), Change { id, version: None, changes: Changes::Members(members) }));
            }
            None => creates.push((outcomes.len(), Changes::Members(members))),
        }
        outcomes.push(None);
    }
    let (places, inputs): (Vec<usize>, Vec<Changes>) = creates.into_iter().unzip();
    if !inputs.is_empty() {
        for (place, outcome) in places.into_iter().zip(write::create(tx, entity, inputs)?) {
            place_at(&mut outcomes, place, outcome.map(|_| Written::Created));
        }
    }
    let (places, changes): (Vec<usize>, Vec<Change>) = updates.into_iter().unzip();
    if !changes.is_empty() {
        for (place, outcome) in places.into_iter().zip(write::update_each(tx, entity, changes)?) {
            place_at(&mut outcomes, place, outcome.map(|_| Written::Updated));
        }
    }
    Ok(outcomes.into_iter().flatten().collect())
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
        RecordError::Forbidden { .. } => whole("forbidden".to_owned(), error.to_string()),
        other => whole("not_written".to_owned(), other.to_string()),
    }
}
