//! Running an import: lines in batches, each batch one write with its checkpoint.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::batch::{self, Created, listed, write_batch};
use super::file::{Line, Lines};
use super::lookup::awaits;
use super::row::{Mapper, Row};
use super::source::Source;
use super::spec::{Mode, Spec};
use super::{ImportError, store};
use crate::ids::JobId;
use crate::jobs::{Jobs, Progress};
use crate::records::error::{Fault, RecordError};
use crate::records::schema::Entity;
use crate::records::tx::Hooks;
use crate::records::{Records, Scope};

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
    pub(super) source: &'a Source,
}

/// What became of the lines so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    pub(super) created: u64,
    pub(super) updated: u64,
    pub(super) failed: u64,
    /// Faults that no file keeps: of dry runs and of people.
    pub(super) listed: Vec<Json>,
    /// The first rows of a dry run as they would be stored.
    pub(super) preview: Vec<Json>,
}

impl Summary {
    pub(super) fn to_json(&self, spec: &Spec, source: &Source) -> String {
        let mut result = json!({
            "entity": spec.entity,
            "dry_run": spec.dry_run,
            "created": self.created,
            "updated": self.updated,
            "failed": self.failed,
            "errors": self.listed,
            "source": source.report(),
        });
        if let Some(members) = result.as_object_mut().filter(|_| spec.dry_run) {
            members.insert("preview".into(), Json::from(self.preview.clone()));
        }
        result.to_string()
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
pub(super) fn run(plan: &Plan<'_>, progress: Reporter<'_>) -> Result<Summary, ImportError> {
    let outcome = every_batch(plan, progress);
    let ended = batch::end(plan);
    outcome.and_then(|summary| ended.map(|()| summary))
}

fn every_batch(plan: &Plan<'_>, mut progress: Reporter<'_>) -> Result<Summary, ImportError> {
    let total = plan.source.rows;
    let module = plan.scope.module(&plan.entity.plugin).ok_or(RecordError::NotFound)?;
    let (mut next, mut summary) =
        plan.engine.read(plan.scope, module, |conn| store::checkpoint(conn, plan.job))?;
    let mut lines = Lines::open(plan.path, plan.source)?;
    lines.skip(next)?;
    let mut mapper = Mapper::new(plan.engine, plan.scope, &plan.entity, plan.spec, plan.source);
    let mut batches = Batches { lines, pending: None };
    let mut undone = Undone::default();
    loop {
        let rows = batches.next(plan.spec, &mut mapper)?;
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
        summary.preview.extend(batch.preview);
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
    fn next(&mut self, spec: &Spec, mapper: &mut Mapper<'_>) -> Result<Vec<Row>, ImportError> {
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
            let again = row.key.as_ref().is_some_and(|key| !seen.insert(key.text()));
            if again || awaits(spec, &row, &rows) {
                self.pending = Some(line);
                break;
            }
            rows.push(row);
        }
        Ok(rows)
    }
}

/// Keys of records that earlier batches of a dry run made and undid: a later row of the file is about the same
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
