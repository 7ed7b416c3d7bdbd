//! What the platform's plane refuses, as problems.

use poem::http::StatusCode;

use crate::app::InstallError;
use crate::http::access::missing;
use crate::http::problem::{Fault, Problem};
use crate::platform::PlatformError;
use crate::plugins::PackageFault;
use crate::plugins::capabilities::Capabilities;
use crate::plugins::catalogue::CatalogueError;
use crate::storage::StorageError;

impl From<InstallError> for Problem {
    fn from(error: InstallError) -> Self {
        use InstallError as E;
        let text = error.to_string();
        let conflict = |code: &'static str| Self::new(StatusCode::CONFLICT, code, text.clone());
        let words = |words: Capabilities| words.into_iter().collect::<Vec<String>>();
        match error {
            E::UnknownVersion { known, .. } => {
                Self::not_found("plugin_version_not_found", text).with_extra("known", known)
            }
            E::NotInstalled(_) => Self::not_found("installation_not_found", text),
            E::Needs { needs, .. } => conflict("plugin_needs").with_extra("needs", needs),
            E::Needed { by, .. } => conflict("plugin_needed").with_extra("needed_by", by),
            E::Consent(difference) => conflict("consent_required")
                .with_extra("added", words(difference.added))
                .with_extra("removed", words(difference.removed)),
            E::NeverRan(_) => conflict("version_never_ran"),
            E::NothingBefore => conflict("nothing_before"),
            E::PartOfInstallation(_) => conflict("part_of_installation"),
            E::Unfit(_) => conflict("version_unfit"),
            E::RollingOut(_) => conflict("rollout_running"),
            E::Storage(StorageError::InUse(_)) => conflict("plugin_in_use").with_retry_after(5),
            E::Storage(_) | E::App(_) => Self::internal(&error),
        }
    }
}

impl From<CatalogueError> for Problem {
    fn from(error: CatalogueError) -> Self {
        use CatalogueError as E;
        let text = error.to_string();
        let conflict = |code: &'static str| Self::new(StatusCode::CONFLICT, code, text.clone());
        match error {
            E::Package(faults) => {
                let told = |fault: &PackageFault| {
                    Fault::new(format!("/{}", fault.file), "package_refused", fault.detail.clone())
                };
                let faults = faults.iter().map(told).collect();
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "package_refused", text).with_faults(faults)
            }
            E::Untrusted(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "package_untrusted", text),
            E::Owned { .. } => conflict("plugin_owned"),
            E::Published { .. } => conflict("version_published"),
            E::Taken(_) => conflict("taken"),
            E::UnknownPublisher(_) => Self::not_found("publisher_not_found", text),
            E::UnknownKey(_) => Self::not_found("publisher_key_not_found", text),
            E::UnknownVersion { .. } => Self::not_found("plugin_version_not_found", text),
            E::Invalid { field, detail } => {
                Self::invalid(vec![Fault::new(format!("/{field}"), "invalid", detail)])
            }
            E::File(_) | E::Abnormal(_) | E::Storage(_) => Self::internal(&error),
        }
    }
}

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
