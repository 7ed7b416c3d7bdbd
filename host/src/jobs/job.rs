//! A job and its states. Pure.

use crate::clock::UnixMillis;
use crate::ids::{JobId, OrganizationId, PrincipalId};

/// Where a job stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum JobState {
    /// Waits for a runner.
    Queued,
    /// A runner has it.
    Running,
    /// Over, with a result.
    Succeeded,
    /// Over, with a failure.
    Failed,
    /// Over, because somebody asked.
    Cancelled,
}

impl JobState {
    const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// The stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing will happen to the job any more.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    pub(super) fn stored(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// How far a job is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Progress {
    /// Units finished, failures included.
    pub done: i64,
    /// Units altogether; `None`: not counted yet.
    pub total: Option<i64>,
    /// Units that failed.
    pub failed: i64,
}

/// Why a job failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// Stable, such as `file_unreadable`.
    pub code: String,
    /// For people.
    pub detail: String,
}

/// What is asked for when a job is created.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Whose files it works on.
    pub organization: OrganizationId,
    /// Which runner: `import`.
    pub kind: String,
    /// What to do, as JSON text that the runner understands.
    pub spec: String,
    /// Who asked for it, and on whose behalf it acts.
    pub created_by: PrincipalId,
}

/// A long-running piece of work.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Job {
    /// Its id; ids are ordered by the time of creation.
    pub id: JobId,
    /// Whose files it works on.
    pub organization: OrganizationId,
    /// Which runner: `import`.
    pub kind: String,
    /// Where it stands.
    pub state: JobState,
    /// How far it is.
    pub progress: Progress,
    /// What to do, as JSON text.
    pub spec: String,
    /// What came out, as JSON text.
    pub result: Option<String>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Whether it was asked to stop.
    pub cancelling: bool,
    /// Who asked for it.
    pub created_by: PrincipalId,
    /// When it was created.
    pub created_at: UnixMillis,
    /// When it was started, the latest time if it was resumed.
    pub started_at: Option<UnixMillis>,
    /// When it was over.
    pub finished_at: Option<UnixMillis>,
}

impl Job {
    pub(super) fn queued(new: NewJob, now: UnixMillis) -> Self {
        Self {
            id: JobId::new(),
            organization: new.organization,
            kind: new.kind,
            state: JobState::Queued,
            progress: Progress::default(),
            spec: new.spec,
            result: None,
            failure: None,
            cancelling: false,
            created_by: new.created_by,
            created_at: now,
            started_at: None,
            finished_at: None,
        }
    }
}
