//! What the shipped policy decides, what is refused at load, and that casbin, index and SQL agree.

mod agreement;
mod loading;
mod shipped;

use std::sync::Arc;

use super::model;
use super::rows::{Rows, SHIPPED};
use super::{Effect, Grant, PolicyError, PolicyIndex, RowScope, Scope};
use crate::caller::{Principal, PrincipalKind};
use crate::ids::{OrganizationId, PrincipalId, TeamId};

fn grant(role: &str, object: &str, action: &str, scope: Scope, effect: Effect) -> Grant {
    Grant { role: role.into(), object: object.into(), action: action.into(), scope, effect }
}

fn roles(names: &[&str]) -> Vec<Arc<str>> {
    names.iter().copied().map(Arc::from).collect()
}

fn principal(id: PrincipalId, names: &[&str], teams: &[TeamId]) -> Principal {
    Principal::new(id, PrincipalKind::User, "Ann").with_roles(roles(names)).with_teams(teams)
}

/// An index over policy text, as `Policy::load` makes it.
async fn compile(text: &str, grants: &[Grant]) -> Result<PolicyIndex, PolicyError> {
    super::build(model::MODEL, OrganizationId::new(), Rows::collect(text, grants)?).await
}

fn scope(allow: &[Scope], deny: &[Scope]) -> RowScope {
    let allowed = allow.iter().fold(RowScope::NEVER, |scope, one| scope.with(*one, Effect::Allow));
    deny.iter().fold(allowed, |scope, one| scope.with(*one, Effect::Deny))
}
