//! Import of CSV files as jobs: mapped line by line, written in batches through the whole pipeline, resumable.
//!
//! How far an import came stands in the same transaction as the rows it wrote, so that a crash can neither lose nor
//! double one. Lines that cannot be taken are kept with their reasons and answered as a file.
//!
//! A line may refer to a record that an earlier line of the same file makes: a parent must stand earlier in the file than
//! its children. A dry run keeps nothing, so it does not find such parents.
//!
//! The upload is kept until its job is over, see [`Imports::discard`].
//!
//! Reading order: `spec.rs` (what is asked), `file.rs` and `lines.rs` (lines), `row.rs` (a line becomes a record), `run.rs` (batches),
//! `people.rs` (users), `store.rs` (SQL), `report.rs` (the error file).

mod file;
mod lines;
mod people;
mod person;
mod report;
mod row;
mod run;
mod spec;
mod store;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::caller::Caller;
use crate::ids::{JobId, OrganizationId, RequestId};
use crate::jobs::{Job, JobError, Jobs, NewJob};
use crate::storage::TenantFiles;

use super::error::{Fault, RecordError};
use super::schema::Entity;
use super::tx::Hooks;
use super::{Records, Scope};

pub use self::spec::{ExternalId, Lookup, Mapping, Mode, Spec, USERS};

/// The kind of an import's job.
pub const KIND: &str = "import";

/// Why an import was not accepted, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The specification, the file's header, or the right to import.
    #[error(transparent)]
    Records(#[from] RecordError),
    /// The job does not exist, or was cancelled.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The stored upload cannot be read.
    #[error("the uploaded file cannot be read")]
    File(#[from] std::io::Error),
}

/// Imports of every organization. Cheap to clone.
#[derive(Clone)]
pub struct Imports {
    engine: Records,
    jobs: Jobs,
    files: TenantFiles,
}

impl Imports {
    /// Imports into these records.
    #[must_use]
    pub fn new(engine: Records, jobs: Jobs, files: TenantFiles) -> Self {
        Self { engine, jobs, files }
    }

    /// Accepts an import: checks the specification against the file's header and the entity, moves the file to its
    /// place and queues the job.
    ///
    /// # Errors
    /// [`RecordError::Invalid`] with every fault of the specification, [`RecordError::Forbidden`], or the file fails.
    pub async fn submit(&self, scope: &Scope, spec_json: &str, upload: &Path) -> Result<Job, ImportError> {
        let spec = Spec::parse(spec_json)?;
        let (imports, scope, upload) = (self.clone(), scope.clone(), upload.to_owned());
        // A task of its own, so that a caller who goes away cannot leave a file without a job, or a job without its file.
        let queued = tokio::spawn(async move {
            let (jobs, organization) = (imports.jobs.clone(), scope.organization.id);
            let created_by = scope.caller.principal.id;
            let placed = tokio::task::spawn_blocking(move || imports.place(&scope, spec, &upload));
            let (spec, placed) = placed.await.map_err(std::io::Error::other)??;
            let job = jobs.create(NewJob { organization, kind: KIND.to_owned(), spec, created_by }).await?;
            placed.keep();
            Ok(job)
        });
        queued.await.map_err(std::io::Error::other)?
    }

    /// Checks and moves the file; the job's spec, and the file in its place. Not for an async worker.
    fn place(&self, scope: &Scope, spec: Spec, upload: &Path) -> Result<(String, Placed), ImportError> {
        let entity = self.entity(scope, &spec)?;
        let header = file::header(upload, &spec)?;
        spec.check(scope, entity.as_deref(), &header)?;
        // The file is in place, under a name of its own, before the job can start.
        let stored = RequestId::new();
        let placed = Placed(Some(self.folder(scope.organization.id)?.join(format!("{stored}.csv"))));
        if let Some(place) = &placed.0 {
            std::fs::rename(upload, place).or_else(|_| std::fs::copy(upload, place).map(drop))?;
        }
        Ok((serde_json::json!({ "file": stored, "import": spec }).to_string(), placed))
    }

    /// The entity that the specification names, if the caller may import into it; `None` for people.
    fn entity(&self, scope: &Scope, spec: &Spec) -> Result<Option<Arc<Entity>>, RecordError> {
        let roles = &scope.caller.principal.roles;
        let forbidden =
            |object: &str| RecordError::Forbidden { object: object.to_owned(), action: "import".to_owned() };
        if spec.entity == USERS {
            let actions: &[&str] =
                if spec.mode == Mode::Upsert { &["create", "update"] } else { &["create"] };
            let allowed =
                actions.iter().all(|action| !scope.policy.decide(roles, "host.user", action).never());
            return if allowed { Ok(None) } else { Err(forbidden("host.user")) };
        }
        let named = spec.entity.split_once('.').and_then(|(plugin, key)| scope.entity(plugin, key));
        let entity = named.filter(|entity| entity.operations.create).ok_or_else(|| {
            let entity: String = spec.entity.chars().take(64).collect();
            RecordError::Invalid(vec![Fault {
                pointer: "/spec/entity".into(),
                code: "unknown_entity".into(),
                detail: format!(
                    "`{entity}` is not an entity that can be imported; write `plugin.entity` or `users`"
                ),
            }])
        })?;
        let may = |action| !scope.policy.decide(roles, &entity.object, action).never();
        if !may("create") || !may("import") {
            return Err(forbidden(&entity.object));
        }
        Ok(Some(entity))
    }

    /// Runs a claimed job to its end on this thread, which must not be an async worker. Goes on where it stopped.
    ///
    /// # Errors
    /// The file or the specification cannot be read, the caller's rights are gone, the job was cancelled.
    pub fn run(
        &self,
        job: &Job,
        scope: &Scope,
        hooks: &Arc<dyn Hooks + Send + Sync>,
    ) -> Result<String, ImportError> {
        let (spec, path) = self.order(job)?;
        let progress = run::Reporter::new(&self.jobs, job.id);
        let summary = match self.entity(scope, &spec)? {
            None => people::run(
                &people::Plan { engine: &self.engine, scope, spec: &spec, job, path: &path },
                progress,
            )?,
            Some(entity) => run::run(
                &run::Plan {
                    engine: &self.engine,
                    scope,
                    hooks,
                    entity,
                    spec: &spec,
                    job: job.id,
                    path: &path,
                },
                progress,
            )?,
        };
        Ok(summary.to_json(&spec))
    }

    /// The lines that an import could not take, as CSV: `line,column,code,detail`.
    ///
    /// # Errors
    /// There is no such job, or it is no import.
    pub async fn errors_csv(&self, scope: &Scope, job: JobId) -> Result<Vec<u8>, ImportError> {
        let job = self.jobs.get(scope.organization.id, job).await?;
        if job.kind != KIND {
            return Err(JobError::NotFound(job.id).into());
        }
        let (spec, _) = self.order(&job)?;
        Ok(report::csv(&self.engine, scope, &job, &spec)?)
    }

    /// Deletes the upload of a job that is over. Nothing happens when it is gone, or the job is no import.
    pub fn discard(&self, job: &Job) {
        if job.kind != KIND {
            return;
        }
        match self.order(job).map(|(_, path)| std::fs::remove_file(path)) {
            Ok(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(job = %job.id, %error, "an upload could not be deleted");
            }
            Err(error) => tracing::warn!(job = %job.id, %error, "an upload could not be found"),
            Ok(_) => {}
        }
    }

    fn order(&self, job: &Job) -> Result<(Spec, PathBuf), ImportError> {
        #[derive(serde::Deserialize)]
        struct Order {
            file: RequestId,
            import: Spec,
        }
        let order: Order =
            serde_json::from_str(&job.spec).map_err(|_| std::io::Error::other("unreadable job"))?;
        Ok((order.import, self.folder(job.organization)?.join(format!("{}.csv", order.file))))
    }

    fn folder(&self, organization: OrganizationId) -> Result<PathBuf, ImportError> {
        let folder = self.files.folder(organization, "imports").map_err(RecordError::from)?;
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

/// An upload in its place, deleted with this unless a job has it.
struct Placed(Option<PathBuf>);

impl Placed {
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            let _ = std::fs::remove_file(path); // it may not have come there
        }
    }
}

/// Who imports, for the change log.
#[must_use]
pub fn importing(caller: &Caller) -> Caller {
    caller.through(crate::caller::Source::Import)
}
