//! What can go wrong with jobs, in the words of the domain.

use crate::ids::JobId;
use crate::storage::StorageError;

/// What can go wrong with jobs.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// No such job in this organization.
    #[error("job {0} does not exist")]
    NotFound(JobId),
    /// Somebody else took it, or it is over.
    #[error("job {0} is not waiting")]
    NotWaiting(JobId),
    /// It is over, or was put back to the queue.
    #[error("job {0} is not running")]
    NotRunning(JobId),
    /// It was asked to stop.
    #[error("job {0} was cancelled")]
    Cancelled(JobId),
    /// The spec is not JSON.
    #[error("the spec of a job is JSON")]
    InvalidSpec,
    /// The result is not JSON.
    #[error("the result of a job is JSON")]
    InvalidResult,
    /// The control database failed: for the log, never for the caller.
    #[error("control database")]
    Storage(#[from] StorageError),
}
