//! The shipped roles, and who may give which. What a role allows is the policy's business. Pure.

use crate::caller::{Principal, PrincipalKind};

use crate::identity::IdentityError;

/// The role that may do everything in its organization.
pub const OWNER: &str = "owner";

/// The shipped roles, the strongest first.
pub const ROLES: [&str; 4] = [OWNER, "manager", "rep", "readonly"];

/// The given roles, each once and in order of their names.
///
/// # Errors
/// [`IdentityError::UnknownRole`] for one that is not shipped; [`IdentityError::Invalid`] when there is none.
pub(crate) fn checked(roles: &[String]) -> Result<Vec<String>, IdentityError> {
    checked_among(roles, &[])
}

/// The same, among the shipped roles and these of the organization's own.
///
/// # Errors
/// As [`checked`].
pub(crate) fn checked_among(roles: &[String], own: &[String]) -> Result<Vec<String>, IdentityError> {
    let known = |role: &&String| ROLES.contains(&role.as_str()) || own.contains(*role);
    if let Some(unknown) = roles.iter().find(|role| !known(role)) {
        return Err(IdentityError::UnknownRole(unknown.chars().take(64).collect()));
    }
    if roles.is_empty() {
        return Err(IdentityError::Invalid { field: "roles", reason: "name at least one role" });
    }
    let mut roles = roles.to_vec();
    roles.sort_unstable();
    roles.dedup();
    Ok(roles)
}

/// Whether `by` has a role at least as strong as each of `roles`: what it takes to give them, to take them away and to
/// touch the credentials of somebody who has them. Only a person (or the platform) touches the owner's role. What a role of
/// the organization's own lets is not known here, so it takes an owner.
///
/// # Errors
/// [`IdentityError::RoleRequired`] names the first that it lacks.
pub(crate) fn covers(by: &Principal, roles: &[String]) -> Result<(), IdentityError> {
    if by.kind == PrincipalKind::Platform {
        return Ok(());
    }
    let rank = |role: &str| ROLES.iter().position(|shipped| *shipped == role).unwrap_or(ROLES.len());
    let own = by.roles.iter().map(|role| rank(role)).min().unwrap_or(ROLES.len());
    let takes = |role: &str| ROLES.iter().position(|shipped| *shipped == role).unwrap_or_default();
    let lacks =
        |role: &&String| own > takes(role) || (role.as_str() == OWNER && by.kind != PrincipalKind::User);
    match roles.iter().find(lacks) {
        Some(role) => Err(IdentityError::RoleRequired(role.clone())),
        None if own == ROLES.len() => Err(IdentityError::RoleRequired("readonly".to_owned())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::ids::PrincipalId;

    fn principal(kind: PrincipalKind, role: Option<&str>) -> Principal {
        Principal::new(PrincipalId::new(), kind, "somebody").with_roles(role)
    }

    fn may(by: &Principal, role: &str) -> bool {
        covers(by, &[role.to_owned()]).is_ok()
    }

    #[test]
    fn nobody_gives_what_they_do_not_have() {
        let given_by =
            |role: &str| ROLES.map(|given| may(&principal(PrincipalKind::User, Some(role)), given));
        assert_eq!(given_by("owner"), [true, true, true, true]);
        assert_eq!(given_by("manager"), [false, true, true, true]);
        assert_eq!(given_by("rep"), [false, false, true, true]);
        assert_eq!(given_by("readonly"), [false, false, false, true]);
    }

    #[test]
    fn programs_never_give_the_owners_role_and_a_principal_without_roles_gives_none() {
        assert!(!may(&principal(PrincipalKind::ApiKey, Some("owner")), "owner"));
        assert!(may(&principal(PrincipalKind::ApiKey, Some("owner")), "manager"));
        assert!(ROLES.iter().all(|role| !may(&principal(PrincipalKind::Plugin, None), role)));
        assert!(may(&principal(PrincipalKind::Platform, None), "owner"));
        assert!(covers(&principal(PrincipalKind::Plugin, None), &[]).is_err());
    }

    #[test]
    fn roles_are_known_and_kept_once() {
        let text = |roles: &[&str]| roles.iter().map(|role| (*role).to_owned()).collect::<Vec<_>>();
        assert_eq!(checked(&text(&["rep", "manager", "rep"])).unwrap(), ["manager", "rep"]);
        assert!(matches!(checked(&text(&["Owner"])), Err(IdentityError::UnknownRole(_))));
        assert!(matches!(checked(&text(&["helper"])), Err(IdentityError::UnknownRole(_))));
        assert_eq!(checked_among(&text(&["helper"]), &text(&["helper"])).unwrap(), ["helper"]);
        let (owner, manager) = ("owner", "manager");
        let gives = |role| covers(&principal(PrincipalKind::User, Some(role)), &text(&["helper"])).is_ok();
        assert!(gives(owner) && !gives(manager), "what it lets is not known here");
        assert!(matches!(checked(&[]), Err(IdentityError::Invalid { field: "roles", .. })));
    }
}
