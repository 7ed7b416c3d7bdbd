//! The log of the platform's plane: who did what, on what, when, from where, and how it ended. It only grows; the table
//! itself refuses changes.

mod store;

use crate::clock::UnixMillis;
use crate::ids::{PrincipalId, RecordId, RequestId};

use super::store::reader;
use super::{Admin, Platform, PlatformError};

/// The longest text of a target that is kept, in characters.
const TARGET: usize = 200;

/// How something ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was not: whoever asked may not, or asked for something wrong.
    Refused,
    /// It was not, and that is ours.
    Failed,
}

impl Outcome {
    /// The stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    fn stored(text: &str) -> Self {
        match text {
            "done" => Self::Done,
            "refused" => Self::Refused,
            _ => Self::Failed,
        }
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// Events sort by it in the order of their happening.
    pub id: RecordId,
    /// When.
    pub at: UnixMillis,
    /// Who, when that is known.
    pub admin: Option<PrincipalId>,
    /// Their name then.
    pub admin_name: Option<String>,
    /// The operation.
    pub action: String,
    /// What it was about.
    pub target: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// The code of the refusal.
    pub code: Option<String>,
    /// The request.
    pub request: RequestId,
    /// Where it came from.
    pub address: String,
}

/// What is to be written down.
#[derive(Clone, Debug)]
pub struct NewEvent<'a> {
    /// Who, when that is known.
    pub admin: Option<&'a Admin>,
    /// The operation.
    pub action: &'a str,
    /// What it is about.
    pub target: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// The code of the refusal.
    pub code: Option<String>,
    /// The request.
    pub request: RequestId,
    /// Where it came from.
    pub address: String,
}

/// Which events are asked for.
#[derive(Clone, Debug, Default)]
pub struct EventsPage {
    /// Those before this one.
    pub before: Option<RecordId>,
    /// Those of this administrator.
    pub admin: Option<PrincipalId>,
    /// Those of this operation.
    pub action: Option<String>,
    /// Those that ended so.
    pub outcome: Option<Outcome>,
    /// At most so many.
    pub limit: u32,
}

impl Platform {
    /// Writes down what happened.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn record(&self, new: NewEvent<'_>) -> Result<(), PlatformError> {
        let event = Event {
            id: RecordId::new(),
            at: self.clock.now(),
            admin: new.admin.map(|admin| admin.id),
            admin_name: new.admin.map(|admin| admin.name.clone()),
            action: new.action.to_owned(),
            target: new.target.map(|target| target.chars().take(TARGET).collect()),
            outcome: new.outcome,
            code: new.code,
            request: new.request,
            address: new.address,
        };
        Ok(store::insert(&mut *reader(&self.control).await?, &event).await?)
    }

    /// A page of events, the newest first.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn events(&self, page: &EventsPage) -> Result<Vec<Event>, PlatformError> {
        Ok(store::page(&mut *reader(&self.control).await?, page).await?)
    }
}
