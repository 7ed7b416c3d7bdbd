//! What the shipped policy decides, what is refused at load, and that casbin, index and SQL agree.

mod change;
mod loading;
mod matrix;
mod organization;
mod shipped;

use std::sync::Arc;

use super::model;
use super::rows::{Rows, SHIPPED};
use super::{Decision, Effect, Grant, Overlay, PolicyError, PolicyIndex, RowScope, Scope};
use crate::caller::{Principal, PrincipalKind};
use crate::clock::Clock;
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
    compile_with(text, grants, &Overlay::default()).await
}

async fn compile_with(text: &str, grants: &[Grant], overlay: &Overlay) -> Result<PolicyIndex, PolicyError> {
    let rows = Rows::collect(text, grants, overlay)?;
    super::build(model::MODEL, OrganizationId::new(), rows, Clock::fixed(0)).await
}

/// Somebody with these roles.
fn with(names: &[&str]) -> Principal {
    principal(PrincipalId::new(), names, &[])
}

fn scope(allow: &[Scope], deny: &[Scope]) -> Decision {
    let allowed = allow.iter().fold(RowScope::NEVER, |scope, one| scope.with(*one, Effect::Allow));
    let rows = deny.iter().fold(allowed, |scope, one| scope.with(*one, Effect::Deny));
    Decision { rows, ..Decision::NEVER }
}
