//! What the platform's plane refuses, as problems.

use poem::http::StatusCode;

use crate::http::access::missing;
use crate::http::problem::{Fault, Problem};
use crate::platform::PlatformError;

impl From<PlatformError> for Problem {
    fn from(error: PlatformError) -> Self {
        use PlatformError as E;
        let text = error.to_string();
        let fault = |field: &str, code: &str| vec![Fault::new(format!("/{field}"), code, text.clone())];
        match error {
            E::AdminNotFound(_) => missing("admin_not_found"),
            E::SessionNotFound(_) => missing("session_not_found"),
            E::Invalid { field, .. } => Self::invalid(fault(field, "invalid")),
            E::UnknownRole(_) => Self::invalid(fault("roles", "unknown_role")),
            E::EmailTaken => {
                Self::new(StatusCode::CONFLICT, "taken", text.clone()).with_faults(fault("email", "taken"))
            }
            E::NotAllowed(_) => Self::forbidden(text),
            E::LastOwner => Self::new(StatusCode::CONFLICT, "last_owner", text),
            E::VersionConflict { current } => {
                Self::new(StatusCode::PRECONDITION_FAILED, "version_conflict", text)
                    .with_extra("current", current)
            }
            E::InvalidClaimCode => Self::new(StatusCode::UNAUTHORIZED, "invalid_claim_code", text),
            E::InvalidInvitation => Self::new(StatusCode::UNAUTHORIZED, "invalid_invitation", text),
            E::FactorRequired => Self::new(StatusCode::UNAUTHORIZED, "second_factor_required", text),
            E::InvalidSession => Self::new(StatusCode::UNAUTHORIZED, "invalid_session", text),
            E::InvalidCode => Self::invalid(fault("code", "invalid_code")),
            E::NothingPending => Self::new(StatusCode::CONFLICT, "nothing_pending", text),
            E::Identity(error) => error.into(),
            E::Storage(_) => Self::internal(&error),
        }
    }
}
