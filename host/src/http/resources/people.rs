//! What identity refuses, as problems; and that no change of people takes the policy from the owners.

use poem::http::StatusCode;

use crate::caller::Principal;
use crate::http::access::{Access, missing};
use crate::http::problem::{Fault, Problem};
use crate::identity::{Identity, IdentityError};
use crate::ids::{PrincipalId, TeamId};
use crate::policy::change;

/// Refuses what would leave no owner who can change the policy; `change` tells what becomes of the owner.
pub(super) fn owners_remain(
    identity: &Identity,
    access: &Access,
    id: PrincipalId,
    change: impl FnOnce(Principal) -> Option<Principal>,
) -> Result<(), Problem> {
    let owners = identity.owners(access.organization().id)?;
    Ok(change::owners_remain(&access.entered.policy, owners, id, change)?)
}

/// The same principal in one more team.
pub(super) fn joined(principal: Principal, team: TeamId) -> Principal {
    let teams: Vec<TeamId> = principal.teams.iter().copied().chain([team]).collect();
    principal.with_teams(teams)
}

impl From<IdentityError> for Problem {
    fn from(error: IdentityError) -> Self {
        use IdentityError as E;
        let text = error.to_string();
        let fault = |field: &str, code: &str| {
            Self::invalid(vec![Fault::new(format!("/{field}"), code, text.clone())])
        };
        match &error {
            E::UserNotFound(_) => missing("user_not_found"),
            E::TeamNotFound(_) => missing("team_not_found"),
            E::ParentNotFound(_) => fault("parent", "not_found"),
            E::ApiKeyNotFound(_) => missing("api_key_not_found"),
            E::ClientNotFound(_) => missing("client_not_found"),
            E::RequestNotFound => missing("request_not_found"),
            E::SessionNotFound(_) => missing("session_not_found"),
            E::ServiceAccountNotFound(_) => missing("service_account_not_found"),
            E::ServiceAccountDisabled => Self::new(StatusCode::CONFLICT, "service_account_disabled", text),
            E::Invalid { field, .. } => fault(field, "invalid"),
            E::UnknownRole(_) => fault("roles", "unknown_role"),
            E::WeakPassword(_) => fault("password", "weak_password"),
            E::Taken { field } => {
                let faults = vec![Fault::new(format!("/{field}"), "taken", text)];
                Self::new(StatusCode::CONFLICT, "taken", error.to_string()).with_faults(faults)
            }
            E::AmbiguousName(_) => Self::new(StatusCode::CONFLICT, "ambiguous_name", text),
            E::LastOwner => Self::new(StatusCode::CONFLICT, "last_owner", text),
            E::InviterLostRights => Self::new(StatusCode::FORBIDDEN, "inviter_lost_rights", text),
            E::ProviderNotFound(_) => missing("identity_provider_not_found"),
            E::DomainNotFound(_) => missing("domain_not_found"),
            E::DomainTaken => Self::new(StatusCode::CONFLICT, "domain_taken", text),
            E::ProviderUnreachable(_) => fault("issuer", "provider_unreachable"),
            E::FederationRefused => Self::new(StatusCode::UNAUTHORIZED, "federation_refused", text),
            E::StepUpRequired => {
                Self::new(StatusCode::UNAUTHORIZED, "insufficient_user_authentication", text)
            }
            E::NoInvitation => missing("invitation_not_found"),
            E::NoEmail => Self::new(StatusCode::CONFLICT, "no_email", text),
            E::RoleRequired(_) | E::KeyCannotCreateKeys | E::KeyCannotAdminister => Self::forbidden(text),
            E::VersionConflict { current } => {
                Self::new(StatusCode::PRECONDITION_FAILED, "version_conflict", text)
                    .with_extra("current", *current)
            }
            E::InvalidSetupToken => Self::new(StatusCode::UNAUTHORIZED, "invalid_setup_token", text),
            E::InvalidCredentials => Self::new(StatusCode::UNAUTHORIZED, "invalid_credentials", text),
            E::InvalidLogin => Self::new(StatusCode::UNAUTHORIZED, "invalid_login", text),
            E::LoginIncomplete => Self::new(StatusCode::UNAUTHORIZED, "login_incomplete", text),
            E::SecondFactorRequired => Self::new(StatusCode::UNAUTHORIZED, "second_factor_required", text),
            E::InvalidLink => Self::new(StatusCode::UNAUTHORIZED, "invalid_mail_link", text),
            E::InvalidCode => fault("code", "invalid_code"),
            E::PersonRequired | E::NotOneself => Self::forbidden(text),
            E::Throttled { retry_after } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "throttled", text).with_retry_after(*retry_after)
            }
            E::Busy { retry_after } => Self::busy("busy", text, *retry_after),
            E::InvalidToken => Self::unauthenticated(),
            E::Cryptography(_) | E::Storage(_) => Self::internal(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_login_says_nothing_about_its_cause() {
        let problem = Problem::from(IdentityError::InvalidCredentials);
        assert_eq!((problem.status.as_u16(), problem.code.as_ref()), (401, "invalid_credentials"));
        assert!(problem.headers.is_empty());
    }

    #[test]
    fn a_full_queue_says_when_to_come_back() {
        let problem = Problem::from(IdentityError::Busy { retry_after: 2 });
        assert_eq!((problem.status.as_u16(), problem.retry_after), (503, Some(2)));
    }
}
