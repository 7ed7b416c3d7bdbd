//! What can go wrong with the platform's administrators, in the words of the domain.

use crate::identity::IdentityError;
use crate::ids::{PrincipalId, SessionId};
use crate::storage::StorageError;

/// What can go wrong with the platform's administrators.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// No such administrator.
    #[error("administrator {0} does not exist")]
    AdminNotFound(PrincipalId),
    /// No such session, or not one that this administrator may know of.
    #[error("session {0} does not exist")]
    SessionNotFound(SessionId),
    /// A value is not acceptable.
    #[error("{field}: {reason}")]
    Invalid {
        /// Which, as the API names it.
        field: &'static str,
        /// What would be.
        reason: &'static str,
    },
    /// No role of this name.
    #[error("there is no role `{0}`")]
    UnknownRole(String),
    /// Another administrator has the address.
    #[error("email is taken")]
    EmailTaken,
    /// Nobody gives, takes or touches what they do not have themselves.
    #[error("{0}")]
    NotAllowed(&'static str),
    /// The platform would be without an owner that can act.
    #[error("a platform keeps at least one active owner")]
    LastOwner,
    /// Somebody changed it in the meantime.
    #[error("it was changed in the meantime: its version is {current}")]
    VersionConflict {
        /// The version it has now.
        current: i64,
    },
    /// The claim code is unknown, used or too old, or somebody has claimed the platform.
    #[error("the claim code is not valid")]
    InvalidClaimCode,
    /// The link is unknown, used, replaced or too old, or its administrator was disabled.
    #[error("the invitation is not valid")]
    InvalidInvitation,
    /// The password is right and a second factor is enrolled.
    #[error("a code of the second factor is needed")]
    FactorRequired,
    /// The code is not the second factor's, or was used.
    #[error("the code is not valid")]
    InvalidCode,
    /// There is nothing to confirm.
    #[error("no second factor waits to be confirmed")]
    NothingPending,
    /// The session is unknown, ended or too old.
    #[error("the session is not valid")]
    InvalidSession,
    /// Passwords, throttling, tokens.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The control database failed: for the log, never for the caller.
    #[error("control database")]
    Storage(#[from] StorageError),
}
