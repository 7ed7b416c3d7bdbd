//! Jobs: work that outlives a request. This module owns their state; what a kind of job does is its runner's business.
//!
//! Life: queued → running → succeeded, failed or cancelled. A host that starts calls [`Jobs::resume`], which puts
//! `running` back to `queued`: whoever ran it is gone, and the runner goes on from its own checkpoint. So a runner
//! must expect to see the same job again, and a job's checkpoint lives where its effects do, not here.
//!
//! Reading order: `job.rs` (the type), this file (operations), `store.rs` (SQL).

mod error;
mod job;
mod store;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::Notify;

use crate::clock::Clock;
use crate::ids::{JobId, OrganizationId, PrincipalId};
use crate::storage::ControlPlane;

pub use error::JobError;
pub use job::{Failure, Job, JobState, NewJob, Progress};

/// Every operation on jobs. Cheap to clone.
#[derive(Clone)]
pub struct Jobs {
    control: ControlPlane,
    clock: Clock,
    arrivals: Arc<Notify>,
}

impl Jobs {
    /// Jobs in this control database.
    #[must_use]
    pub fn new(control: ControlPlane, clock: Clock) -> Self {
        Self { control, clock, arrivals: Arc::new(Notify::new()) }
    }

    /// Queues a job. Everything its spec refers to must already be in place: it may start before this returns.
    ///
    /// # Errors
    /// [`JobError::InvalidSpec`] when the spec is not JSON.
    pub async fn create(&self, new: NewJob) -> Result<Job, JobError> {
        if serde_json::from_str::<&serde_json::value::RawValue>(&new.spec).is_err() {
            return Err(JobError::InvalidSpec);
        }
        let job = Job::queued(new, self.clock.now());
        store::insert(self.control.pool(), &job).await?;
        self.arrivals.notify_one();
        Ok(job)
    }

    /// A job of this organization.
    ///
    /// # Errors
    /// [`JobError::NotFound`] when there is none, or it is another organization's.
    pub async fn get(&self, organization: OrganizationId, id: JobId) -> Result<Job, JobError> {
        store::find(self.control.pool(), organization, id).await?.ok_or(JobError::NotFound(id))
    }

    /// The organization's jobs, newest first: at most `limit` of those before `before`.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn list(
        &self,
        organization: OrganizationId,
        before: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<Job>, JobError> {
        Ok(store::list(self.control.pool(), organization, None, before, limit).await?)
    }

    /// The same, of those that this principal asked for.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn list_of(
        &self,
        organization: OrganizationId,
        created_by: PrincipalId,
        before: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<Job>, JobError> {
        Ok(store::list(self.control.pool(), organization, Some(created_by), before, limit).await?)
    }

    /// Takes the oldest waiting job; it is `running` from now on and nobody else gets it.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn claim_next(&self) -> Result<Option<Job>, JobError> {
        Ok(store::claim_next(self.control.pool(), self.clock.now()).await?)
    }

    /// Takes this job, if it is still waiting: for whoever creates a job and runs it too.
    ///
    /// # Errors
    /// [`JobError::NotWaiting`] when somebody else took it, or it is over.
    pub async fn claim(&self, id: JobId) -> Result<Job, JobError> {
        store::claim(self.control.pool(), id, self.clock.now()).await?.ok_or(JobError::NotWaiting(id))
    }

    /// Waits until a job is created in this process. One of another process is not announced: look now and then.
    pub async fn arrival(&self) {
        self.arrivals.notified().await;
    }

    /// Stores how far a running job is.
    ///
    /// # Errors
    /// [`JobError::Cancelled`] when it was asked to stop: stop, then [`Jobs::stopped`]. [`JobError::NotRunning`].
    pub async fn set_progress(&self, id: JobId, progress: Progress) -> Result<(), JobError> {
        match store::set_progress(self.control.pool(), id, progress).await? {
            Some(false) => Ok(()),
            Some(true) => Err(JobError::Cancelled(id)),
            None => Err(JobError::NotRunning(id)),
        }
    }

    /// Ends a running job with its result, JSON text.
    ///
    /// # Errors
    /// [`JobError::NotRunning`].
    pub async fn finish(&self, id: JobId, result: &str) -> Result<(), JobError> {
        self.end(id, JobState::Succeeded, Some(result), None).await
    }

    /// Ends a running job that cannot go on: a stable code, such as `file_unreadable`, and words for people.
    ///
    /// # Errors
    /// [`JobError::NotRunning`].
    pub async fn fail(&self, id: JobId, code: &str, detail: &str) -> Result<(), JobError> {
        let failure = Failure { code: code.to_owned(), detail: detail.to_owned() };
        self.end(id, JobState::Failed, None, Some(&failure)).await
    }

    /// Ends a running job that obeyed [`JobError::Cancelled`]; `result` tells what was done until then.
    ///
    /// # Errors
    /// [`JobError::NotRunning`].
    pub async fn stopped(&self, id: JobId, result: Option<&str>) -> Result<(), JobError> {
        self.end(id, JobState::Cancelled, result, None).await
    }

    /// Cancels a waiting job at once and asks a running one to stop. One that is over stays as it is.
    ///
    /// # Errors
    /// [`JobError::NotFound`].
    pub async fn cancel(&self, organization: OrganizationId, id: JobId) -> Result<Job, JobError> {
        store::cancel(self.control.pool(), organization, id, self.clock.now()).await?;
        self.get(organization, id).await
    }

    /// Puts every running job back to the queue and tells how many. Called once, by the host that serves, at its start.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn resume(&self) -> Result<u64, JobError> {
        let resumed = store::resume(self.control.pool()).await?;
        if resumed > 0 {
            self.arrivals.notify_one();
        }
        Ok(resumed)
    }

    async fn end(
        &self,
        id: JobId,
        state: JobState,
        result: Option<&str>,
        failure: Option<&Failure>,
    ) -> Result<(), JobError> {
        if result.is_some_and(|text| serde_json::from_str::<&serde_json::value::RawValue>(text).is_err()) {
            return Err(JobError::InvalidResult);
        }
        match store::end(self.control.pool(), id, (state, result, failure), self.clock.now()).await? {
            true => Ok(()),
            false => Err(JobError::NotRunning(id)),
        }
    }
}
