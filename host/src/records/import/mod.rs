//! Import of files as jobs: mapped line by line, written in batches through the whole pipeline, resumable, undoable.
//!
//! How far an import came stands in the same transaction as the rows it wrote, so that a crash can neither lose nor
//! double one. Lines that cannot be taken are kept with their reasons and answered as a file. Everything that an import
//! writes bears one request id in the change log, however often it is resumed: that is what an undo goes by.
//!
//! A line may refer to a record that an earlier line of the same file makes: a parent must stand earlier in the file than
//! its children. A dry run keeps nothing, so it does not find such parents.
//!
//! The upload is kept until its job is over, see [`Imports::discard`].
//!
//! Reading order: `spec/` (what is asked), `source/` (what a file is), `file.rs` (lines), `row.rs`, `lookup.rs`, `value.rs`
//! (a line becomes a record), `run.rs`, `batch.rs` (batches), `people.rs` (users), `store.rs` (SQL), `report.rs` (the error
//! file), `detect.rs` and `suggest.rs` (before an import), `mappings/` (saved), `undo/`.

mod batch;
mod detect;
mod file;
mod lookup;
pub mod mappings;
mod people;
mod person;
mod report;
mod row;
mod run;
mod source;
mod spec;
mod store;
mod submit;
mod suggest;
#[cfg(test)]
mod tests;
pub mod undo;
mod value;

use std::path::PathBuf;
use std::sync::Arc;

use crate::caller::Caller;
use crate::ids::{JobId, OrganizationId, RequestId};
use crate::jobs::{Job, JobError, Jobs};
use crate::storage::TenantFiles;

use super::error::RecordError;
use super::tx::Hooks;
use super::{Records, Scope};

pub use self::detect::Detected;
pub use self::source::{Format, Source};
pub use self::spec::{ExternalId, Key, Lookup, Mapping, Mode, Spec, USERS};

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

/// What an import's job knows.
#[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
pub(super) struct Order {
    /// The stored file.
    file: RequestId,
    /// The request that everything it writes belongs to.
    request: RequestId,
    /// What was asked.
    import: Spec,
    /// What the file is.
    source: Source,
}

impl Imports {
    /// Imports into these records.
    #[must_use]
    pub fn new(engine: Records, jobs: Jobs, files: TenantFiles) -> Self {
        Self { engine, jobs, files }
    }

    /// Runs a claimed job, an import or an undo, to its end on this thread, which must not be an async worker. Goes on
    /// where it stopped.
    ///
    /// # Errors
    /// The file or the specification cannot be read, the caller's rights are gone, the job was cancelled.
    pub fn run(
        &self,
        job: &Job,
        scope: &Scope,
        hooks: &Arc<dyn Hooks + Send + Sync>,
    ) -> Result<String, ImportError> {
        if job.kind == undo::KIND {
            return self.run_undo(job, scope, hooks);
        }
        let Order { import: spec, source, request, .. } = order(job)?;
        let path = self.path(job)?;
        let mut scope = scope.clone();
        scope.caller.request = request;
        let scope = &scope;
        let progress = run::Reporter::new(&self.jobs, job.id);
        let (spec, source, path) = (&spec, &source, path.as_path());
        let summary = match self.entity(scope, spec)? {
            None => {
                people::run(&people::Plan { engine: &self.engine, scope, spec, job, path, source }, progress)?
            }
            Some(entity) => run::run(
                &run::Plan { engine: &self.engine, scope, hooks, entity, spec, job: job.id, path, source },
                progress,
            )?,
        };
        Ok(summary.to_json(spec, source))
    }

    /// The lines that an import could not take, as CSV: `line,column,code,detail`, with `sheet` in front for workbooks.
    /// Of an undo: the records that it left as they are.
    ///
    /// # Errors
    /// There is no such job, or it is no import.
    pub async fn errors_csv(&self, scope: &Scope, job: JobId) -> Result<Vec<u8>, ImportError> {
        let job = self.jobs.get(scope.organization.id, job).await?;
        if job.kind == undo::KIND {
            let undone = self.undone(&job).await?;
            let faults = report::kept(&self.engine, scope, &job, &undone.import.entity)?;
            return Ok(report::undo(&faults)?);
        }
        if job.kind != KIND {
            return Err(JobError::NotFound(job.id).into());
        }
        let order = order(&job)?;
        let faults = report::kept(&self.engine, scope, &job, &order.import.entity)?;
        Ok(report::import(&faults, order.source.sheet.as_deref())?)
    }

    /// Deletes the upload of a job that is over. Nothing happens when it is gone, or the job is no import.
    pub fn discard(&self, job: &Job) {
        if job.kind != KIND {
            return;
        }
        match self.path(job).map(std::fs::remove_file) {
            Ok(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(job = %job.id, %error, "an upload could not be deleted");
            }
            Err(error) => tracing::warn!(job = %job.id, %error, "an upload could not be found"),
            Ok(_) => {}
        }
    }

    fn path(&self, job: &Job) -> Result<PathBuf, ImportError> {
        Ok(self.folder(job.organization)?.join(format!("{}.rows", order(job)?.file)))
    }

    fn folder(&self, organization: OrganizationId) -> Result<PathBuf, ImportError> {
        let folder = self.files.folder(organization, "imports").map_err(RecordError::from)?;
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

fn order(job: &Job) -> Result<Order, ImportError> {
    serde_json::from_str(&job.spec).map_err(|_| std::io::Error::other("unreadable job").into())
}

/// Who imports, for the change log.
#[must_use]
pub fn importing(caller: &Caller) -> Caller {
    caller.through(crate::caller::Source::Import)
}
