//! Undo of an import: what it made goes to the recycle bin, what it changed is again as it was.
//!
//! It goes by the change log: every entry of an import bears one request id. Records are judged by what they are now: one
//! whose fields are still as the import left them is undone; one that somebody has changed since is left as it is and
//! reported with those fields, and so is one that the import made and others refer to by now. `force` undoes them too.
//! What is as before already counts as such, so an undo can be repeated, and resumed.
//!
//! Old values go back through the store and not through plugin hooks: the state before was one that hooks had seen. A
//! record is deleted as anybody would delete it, hooks included, and comes back from the recycle bin as such. Records of
//! other entities that hooks made along the way are undone as well.
//!
//! Reading order: `image.rs` (what an import did to a record), `restore.rs`, `remove.rs` (one record), this file (the job),
//! `store.rs` (SQL).

mod image;
mod remove;
mod restore;
mod store;

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::run::{Reporter, Summary};
use super::spec::USERS;
use super::{ImportError, Imports, KIND as IMPORT, Order, order};
use crate::caller::Source;
use crate::ids::{JobId, RequestId};
use crate::jobs::{Job, JobError, JobState, NewJob};
use crate::records::Scope;
use crate::records::error::{Fault, RecordError};
use crate::records::schema::{Entity, Module};
use crate::records::tx::{Hooks, Tx};
use crate::storage::Verdict;

use self::store::{Entry, Progress};

/// The kind of an undo's job.
pub const KIND: &str = "import-undo";

/// Records per transaction.
const BATCH: usize = 200;
/// Most rounds: what one undid may have stood in the way of what it left.
const ROUNDS: i64 = 10;
/// Most records that a result lists.
const LISTED: usize = 1_000;

/// How an import is to be undone.
#[derive(Clone, Copy, Debug, Default, serde::Deserialize, serde::Serialize)]
pub struct Options {
    /// Also what others have changed or refer to since.
    #[serde(default)]
    pub force: bool,
    /// Executes everything and keeps nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// What an undo's job knows.
#[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
struct UndoOrder {
    undo: JobId,
    request: RequestId,
    options: Options,
}

/// What becomes of a record.
enum Outcome {
    /// It is as before the import.
    Restored,
    /// It is gone, as before the import.
    Deleted,
    /// It was as before already.
    Unchanged,
    /// It stays as it is, and why: the code, the fields that others changed, words.
    Left(&'static str, Vec<String>, String),
}

/// What one batch works on.
struct Undo<'a> {
    tx: &'a Tx,
    /// The request of the import.
    request: RequestId,
    /// The entity that was imported; what belongs to others was made by hooks.
    object: &'a str,
    options: Options,
}

impl Imports {
    /// Accepts the undo of an import that is over.
    ///
    /// # Errors
    /// [`JobError::NotFound`], [`RecordError::Conflict`] when there is nothing to undo, [`RecordError::Forbidden`].
    pub async fn submit_undo(&self, scope: &Scope, job: JobId, options: Options) -> Result<Job, ImportError> {
        let job = self.jobs.get(scope.organization.id, job).await?;
        if job.kind != IMPORT {
            return Err(JobError::NotFound(job.id).into());
        }
        let Order { import, .. } = order(&job)?;
        if !job.state.is_over() {
            return Err(not_undoable("the import is not over; cancel it first, or wait").into());
        }
        if import.entity == USERS {
            return Err(
                not_undoable("an import of people is not undone; disable or delete them one by one").into()
            );
        }
        if import.dry_run || job.state == JobState::Queued {
            return Err(not_undoable("the import was a dry run; it changed nothing").into());
        }
        let entity = self.undoable(scope, &import.entity)?;
        tracing::debug!(entity = %entity.object, job = %job.id, "an import is to be undone");
        let spec = UndoOrder { undo: job.id, request: RequestId::new(), options };
        let spec = serde_json::to_string(&spec).map_err(std::io::Error::other)?;
        let (organization, created_by) = (scope.organization.id, scope.caller.principal.id);
        Ok(self.jobs.create(NewJob { organization, kind: KIND.to_owned(), spec, created_by }).await?)
    }

    /// The entity of the import, if the caller may undo one of it.
    fn undoable(&self, scope: &Scope, named: &str) -> Result<Arc<Entity>, RecordError> {
        let entity = named.split_once('.').and_then(|(plugin, key)| scope.entity(plugin, key));
        let entity = entity.ok_or_else(|| not_undoable("the organization has this entity no more"))?;
        for action in ["import", "update", "delete"] {
            if scope.policy.decide(&scope.caller.principal, &entity.object, action).never() {
                let (object, action) = (entity.object.to_string(), action.to_owned());
                return Err(RecordError::Forbidden { object, action });
            }
        }
        Ok(entity)
    }

    /// The import that an undo is of.
    pub(super) async fn undone(&self, job: &Job) -> Result<Order, ImportError> {
        let undo = undo_order(job)?;
        order(&self.jobs.get(job.organization, undo.undo).await?)
    }

    /// Runs the undo from where it stopped to its end.
    pub(super) fn run_undo(
        &self,
        job: &Job,
        scope: &Scope,
        hooks: &Arc<dyn Hooks + Send + Sync>,
    ) -> Result<String, ImportError> {
        let undo = undo_order(job)?;
        let import = tokio::runtime::Handle::current().block_on(self.undone(job))?;
        let entity = self.undoable(scope, &import.import.entity)?;
        let module = scope.module(&entity.plugin).ok_or(RecordError::NotFound)?;
        let mut scope = scope.clone();
        scope.caller = scope.caller.through(Source::Job);
        scope.caller.request = undo.request;
        let plan = Plan {
            imports: self,
            scope: &scope,
            hooks,
            module,
            entity: &entity,
            job: job.id,
            undo: &undo,
            request: import.request,
        };
        let mut reporter = Reporter::new(&self.jobs, job.id);
        let total = plan.read(|conn| store::records(conn, import.request, &entity.key))?;
        let mut progress = plan.read(|conn| store::progress(conn, job.id))?;
        let mut listed = Vec::new();
        while progress.phase < store::DONE {
            let (next, left) = plan.batch(progress)?;
            listed.extend(left);
            progress = next;
            let left = if undo.options.dry_run { listed.len() as u64 } else { plan.left()? };
            reporter.report(&summary(&progress, left), total, false)?;
        }
        if !undo.options.dry_run {
            listed = plan.read(|conn| super::store::errors(conn, job.id))?;
        }
        reporter.report(&summary(&progress, listed.len() as u64), total, true)?;
        Ok(result(&undo, &entity, &progress, &listed))
    }
}

fn undo_order(job: &Job) -> Result<UndoOrder, ImportError> {
    serde_json::from_str(&job.spec).map_err(|_| std::io::Error::other("unreadable job").into())
}

fn not_undoable(detail: &str) -> RecordError {
    RecordError::Conflict {
        code: "import_not_undoable".into(),
        detail: detail.to_owned(),
        extra: serde_json::Map::new(),
        faults: Vec::new(),
    }
}

fn summary(progress: &Progress, left: u64) -> Summary {
    let count = |number: i64| number.unsigned_abs();
    Summary {
        created: count(progress.deleted),
        updated: count(progress.restored + progress.unchanged),
        failed: left,
        ..Summary::default()
    }
}

fn result(undo: &UndoOrder, entity: &Entity, progress: &Progress, listed: &[Json]) -> String {
    json!({
        "import": undo.undo.to_string(),
        "entity": &*entity.object,
        "dry_run": undo.options.dry_run,
        "deleted": progress.deleted,
        "restored": progress.restored,
        "unchanged": progress.unchanged,
        "skipped": listed.len(),
        "errors": listed.iter().take(LISTED).collect::<Vec<_>>(),
    })
    .to_string()
}

/// What the job works with.
struct Plan<'a> {
    imports: &'a Imports,
    scope: &'a Scope,
    hooks: &'a Arc<dyn Hooks + Send + Sync>,
    module: &'a Arc<Module>,
    entity: &'a Arc<Entity>,
    job: JobId,
    undo: &'a UndoOrder,
    request: RequestId,
}

impl Plan<'_> {
    fn read<T>(
        &self,
        f: impl FnOnce(&std::rc::Rc<crate::storage::Connection>) -> Result<T, RecordError>,
    ) -> Result<T, RecordError> {
        self.imports.engine.read(self.scope, self.module, f)
    }

    /// How many records were left as they are.
    fn left(&self) -> Result<u64, RecordError> {
        self.read(|conn| store::left(conn, self.job))
    }

    /// One batch: the entries below the last one, and where the undo is then. Of a dry run also what it would leave.
    fn batch(&self, progress: Progress) -> Result<(Progress, Vec<Json>), RecordError> {
        let (job, request, options) = (self.job, self.request, self.undo.options);
        let object = Arc::clone(&self.entity.object);
        let work = move |tx: &Tx| {
            let undo = Undo { tx, request, object: &object, options };
            let entries = store::entries(&tx.conn, (job, request), &object, &progress, BATCH)?;
            let mut next = progress.after(&entries);
            let mut left = Vec::new();
            for entry in &entries {
                left.extend(undo.one(job, entry, &progress, &mut next)?);
            }
            if entries.len() < BATCH {
                next.next_phase(!options.dry_run && store::left(&tx.conn, job)? > 0);
            }
            store::keep_progress(&tx.conn, job, &next, tx.now)?;
            Ok(if options.dry_run { Verdict::Undo((next, left)) } else { Verdict::Keep((next, Vec::new())) })
        };
        self.imports.engine.write_blocking(self.scope, self.module, self.hooks, work)
    }
}

impl Undo<'_> {
    /// Undoes what one record had done to it, and keeps or answers why not.
    fn one(
        &self,
        job: JobId,
        entry: &Entry,
        progress: &Progress,
        next: &mut Progress,
    ) -> Result<Option<Json>, RecordError> {
        let Some(entity) = self.tx.module.entity(&entry.entity) else {
            return Ok(None); // a plugin's own table, or an entity that is gone: what hooks keep there is theirs
        };
        let outcome = self.tx.conn.savepoint(|| {
            if progress.phase == store::CHANGED {
                return self.restore(&entity, entry);
            }
            if progress.phase == store::ALONG && self.belongs_to_left(job, &entity, entry)? {
                return Ok(Outcome::Unchanged);
            }
            self.remove(&entity, entry)
        });
        let outcome = match outcome {
            Err(RecordError::Storage(error)) => return Err(error.into()),
            Err(error) => {
                let faults = super::batch::faults_of(error);
                let detail = faults.into_iter().map(|Fault { detail, .. }| detail).collect::<Vec<_>>();
                Outcome::Left("not_undone", Vec::new(), detail.join("; "))
            }
            Ok(outcome) => outcome,
        };
        store::forget_left(&self.tx.conn, job, entry.seq)?;
        match outcome {
            Outcome::Restored => (next.restored, next.freed) = (next.restored + 1, next.freed + 1),
            // What goes along is not counted: only the rows of the import are.
            Outcome::Deleted if progress.phase == store::ALONG => next.freed += 1,
            Outcome::Deleted => (next.deleted, next.freed) = (next.deleted + 1, next.freed + 1),
            Outcome::Unchanged if progress.round == 0 && progress.phase != store::ALONG => {
                next.unchanged += 1
            }
            Outcome::Unchanged => {}
            Outcome::Left(code, fields, detail) => {
                let left = json!({
                    "entity": &*entity.object, "record": entry.record.to_string(), "fields": fields,
                    "code": code, "detail": detail,
                });
                let seq = entry.seq.unsigned_abs();
                super::store::add_errors(&self.tx.conn, job, seq, std::slice::from_ref(&left))?;
                return Ok(Some(left));
            }
        }
        Ok(None)
    }

    /// Whether the policy decides about records of this entity: what hooks made is undone with what they made it for.
    fn asks_policy(&self, entity: &Entity) -> bool {
        &*entity.object == self.object
    }
}

fn changed_since(fields: Vec<String>) -> Outcome {
    let detail = format!("changed by others since: {}", fields.join(", "));
    Outcome::Left("changed_since", fields, detail)
}

fn forbidden(action: &str) -> Outcome {
    Outcome::Left("forbidden", Vec::new(), format!("your roles do not let you {action} this record"))
}
