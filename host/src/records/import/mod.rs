//! Import of CSV files as jobs: mapped line by line, written in batches through the whole pipeline, resumable.
//!
//! How far an import came stands in the same transaction as the rows it wrote, so that a crash can neither lose nor
//! double one. Lines that cannot be taken are kept with their reasons and answered as a file.
//!
//! Reading order: `spec.rs` (what is asked), `row.rs` (a line becomes a record), `run.rs` (batches), `lines.rs`
//! (line numbers), `people.rs` (users),
//! `store.rs` (SQL), `report.rs` (the error file).

mod lines;
mod people;
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
use crate::ids::JobId;
use crate::jobs::{Job, JobError, Jobs, NewJob};
use crate::organizations::Organization;
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
        let entity = self.entity(scope, &spec)?;
        let header = run::header(upload, &spec)?;
        spec.check(entity.as_deref(), &header)?;
        let folder = self.folder(&scope.organization)?;
        // The file is in place, under a name of its own, before the job can start.
        let stored = crate::ids::RequestId::new();
        let place = folder.join(format!("{stored}.csv"));
        std::fs::rename(upload, &place).or_else(|_| std::fs::copy(upload, &place).map(drop))?;
        let spec = serde_json::json!({ "file": stored, "import": spec }).to_string();
        let new = NewJob {
            organization: scope.organization.id,
            kind: KIND.to_owned(),
            spec,
            created_by: scope.caller.principal.id,
        };
        Ok(self.jobs.create(new).await?)
    }

    /// The entity that the specification names, if the caller may import into it; `None` for people.
    fn entity(&self, scope: &Scope, spec: &Spec) -> Result<Option<Arc<Entity>>, RecordError> {
        let roles = &scope.caller.principal.roles;
        let forbidden =
            |object: &str| RecordError::Forbidden { object: object.to_owned(), action: "import".to_owned() };
        if spec.entity == USERS {
            let allowed = !scope.policy.decide(roles, "host.user", "create").never();
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
        if scope.policy.decide(roles, &entity.object, "create").never() {
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
        let (spec, path) = self.order(job, &scope.organization)?;
        let progress = run::Reporter::new(&self.jobs, job.id);
        let summary = match self.entity(scope, &spec)? {
            None => people::run(&self.engine, scope, &spec, &path, progress)?,
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
        let (spec, _) = self.order(&job, &scope.organization)?;
        Ok(report::csv(&self.engine, scope, &job, &spec)?)
    }

    fn order(&self, job: &Job, organization: &Organization) -> Result<(Spec, PathBuf), ImportError> {
        #[derive(serde::Deserialize)]
        struct Order {
            file: crate::ids::RequestId,
            import: Spec,
        }
        let order: Order =
            serde_json::from_str(&job.spec).map_err(|_| std::io::Error::other("unreadable job"))?;
        Ok((order.import, self.folder(organization)?.join(format!("{}.csv", order.file))))
    }

    fn folder(&self, organization: &Organization) -> Result<PathBuf, ImportError> {
        let folder = self.files.folder(organization.id, "imports").map_err(RecordError::from)?;
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

/// Who imports, for the change log.
#[must_use]
pub fn importing(caller: &Caller) -> Caller {
    caller.through(crate::caller::Source::Import)
}
