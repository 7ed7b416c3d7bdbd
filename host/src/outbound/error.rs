//! Why somebody was not asked, or did not answer.

use std::error::Error;

/// Why somebody was not asked, or did not answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OutboundError {
    /// The rules forbid it.
    #[error("{0}")]
    Refused(&'static str),
    /// More bytes than were wanted.
    #[error("the answer is too large")]
    TooLarge,
    /// Longer than anybody waits.
    #[error("the answer took too long")]
    TimedOut,
    /// No connection, no certificate that is trusted, or not HTTP. The reason goes to the log only.
    #[error("there was no answer")]
    Unreachable,
    /// The client could not be made.
    #[error("the HTTP client does not start: {0}")]
    Client(String),
}

impl OutboundError {
    /// What reqwest failed with. A refusal of ours lies somewhere below what it says.
    pub(super) fn of(error: &reqwest::Error) -> Self {
        let mut cause: Option<&(dyn Error + 'static)> = error.source();
        while let Some(below) = cause {
            if let Some(ours) = below.downcast_ref::<Self>() {
                return ours.clone();
            }
            cause = below.source();
        }
        if error.is_timeout() {
            return Self::TimedOut;
        }
        tracing::debug!(%error, "somebody did not answer");
        Self::Unreachable
    }
}
