//! The worker: takes jobs and runs each to its end, a few at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::{App, AppError};
use crate::caller::{Caller, Source};
use crate::identity::{PLATFORM, platform};
use crate::ids::RequestId;
use crate::jobs::{Job, JobError};
use crate::records::RecordError;
use crate::records::duplicates::sets::{self, SetsError};
use crate::records::import::{self, ImportError};

/// Jobs that run at the same time.
const AT_ONCE: usize = 2;
/// How often the queue is looked at without a call: another process may have added a job.
const LOOK: Duration = Duration::from_secs(2);

impl App {
    /// Takes jobs until the process ends. Jobs that a crash interrupted go on where they stopped.
    pub async fn work(self) {
        if let Err(error) = self.jobs.resume().await {
            tracing::error!(%error, "interrupted jobs cannot be resumed");
        }
        if let Err(error) = self.resume_rollouts().await {
            tracing::error!(%error, "interrupted roll-outs cannot be resumed");
        }
        let room = Arc::new(Semaphore::new(AT_ONCE));
        while let Ok(place) = Arc::clone(&room).acquire_owned().await {
            let job = match self.jobs.claim_next().await {
                Ok(Some(job)) => job,
                Ok(None) => {
                    let _ = tokio::time::timeout(LOOK, self.jobs.arrival()).await;
                    continue;
                }
                Err(error) => {
                    tracing::error!(%error, "the job queue cannot be read");
                    tokio::time::sleep(LOOK).await;
                    continue;
                }
            };
            let app = self.clone();
            tokio::spawn(async move {
                app.run(job).await;
                drop(place);
            });
        }
    }

    /// Runs one claimed job and stores how it ended.
    pub async fn run(&self, job: Job) {
        let (id, kind) = (job.id, job.kind.clone());
        let ended = match self.execute(job.clone()).await {
            Ok(result) => self.jobs.finish(id, &result).await,
            Err(
                AppError::Import(ImportError::Job(JobError::Cancelled(_)))
                | AppError::Duplicates(SetsError::Job(JobError::Cancelled(_))),
            ) => self.jobs.stopped(id, None).await,
            Err(error) => {
                let (code, detail) = explained(&error);
                tracing::warn!(job = %id, kind, code, error = format!("{error:?}"), "job failed");
                self.jobs.fail(id, code, &detail).await
            }
        };
        match ended {
            Ok(()) => {
                let imports = self.imports.clone();
                let _ = tokio::task::spawn_blocking(move || imports.discard(&job)).await;
            }
            // It is still running for the control database, so the next start runs it again: it needs its file.
            Err(error) => tracing::error!(job = %id, %error, "the end of a job cannot be stored"),
        }
    }

    async fn execute(&self, job: Job) -> Result<String, AppError> {
        let organization = self.organizations.get(job.organization).await?;
        let entered = self.enter(&organization).await?;
        let caller = self.caller_of(&job)?;
        let scope = entered.scope(&import::importing(&caller));
        let (app, hooks) = (self.clone(), self.hooks());
        // Reading files and waiting for the writer is not for an async worker.
        let run = tokio::task::spawn_blocking(move || match job.kind.as_str() {
            import::KIND | import::undo::KIND => Ok(app.imports.run(&job, &scope, &hooks)?),
            sets::KIND => Ok(app.duplicates.run(&job, &scope, &hooks)?),
            other => Err(AppError::JobKind(other.to_owned())),
        });
        run.await?
    }

    /// Whoever asked for the job, with the rights of now.
    fn caller_of(&self, job: &Job) -> Result<Caller, AppError> {
        let request = RequestId::new();
        if job.created_by == PLATFORM {
            return Ok(platform(job.organization, request));
        }
        let principal =
            self.identity.principal(job.organization, job.created_by)?.ok_or(RecordError::Forbidden {
                object: "host.import".into(),
                action: "run: whoever asked for it is gone or disabled".into(),
            })?;
        Ok(Caller { organization: job.organization, principal, request, source: Source::Import })
    }
}

/// A code and words for whoever asked for the job.
fn explained(error: &AppError) -> (&'static str, String) {
    match error {
        AppError::Import(ImportError::Records(error))
        | AppError::Duplicates(SetsError::Records(error))
        | AppError::Records(error) => match error {
            RecordError::Invalid(faults) => {
                ("invalid", faults.iter().map(|fault| fault.detail.as_str()).collect::<Vec<_>>().join("; "))
            }
            RecordError::Forbidden { .. } => ("forbidden", error.to_string()),
            RecordError::Plugin { code, detail, .. } => (code, detail.clone()),
            RecordError::PluginPaused { .. } => ("plugin_paused", error.to_string()),
            _ => ("internal", "the job failed; the operator finds the reason in the log".into()),
        },
        AppError::Import(ImportError::File(_)) => {
            ("file_unreadable", "the uploaded file cannot be read any more".into())
        }
        _ => ("internal", "the job failed; the operator finds the reason in the log".into()),
    }
}
