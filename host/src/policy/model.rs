//! Casbin: the policy language, and the reference for every decision.
//!
//! An enforcer is built aside, proved harmless on requests that must be denied, and then read by `index.rs`. Decisions
//! do not come from here: casbin evaluates row by row, which takes a millisecond where the index takes nanoseconds.

use casbin::function_map::OperatorFunction;
use casbin::rhai::Dynamic;
use casbin::{CoreApi, DefaultModel, Enforcer, MgmtApi};

use super::error::PolicyError;
use super::rows::Rows;

/// The shipped model.
pub(super) const MODEL: &str = include_str!("../../../policies/model.conf");

/// Casbin over these rows, for one organization.
pub(super) async fn enforcer(model: &str, organization: &str, rows: &Rows) -> Result<Enforcer, PolicyError> {
    let mut enforcer = Enforcer::new(DefaultModel::from_str(model).await?, ()).await?;
    enforcer.enable_auto_save(false);
    enforcer.add_function("scope_ok", OperatorFunction::Arg6(scope_ok));
    enforcer.add_policies(rows.rules.iter().map(super::rows::Rule::row).collect()).await?;
    if !rows.links.is_empty() {
        let link = |(heir, ancestor): &(String, String)| {
            vec![heir.clone(), ancestor.clone(), organization.to_owned()]
        };
        enforcer.add_grouping_policies(rows.links.iter().map(link).collect()).await?;
    }
    Ok(enforcer)
}

/// Asks what must be denied: a request of empty strings, and a stranger for everything that some row speaks of. Both
/// make casbin evaluate every row, so that a row it stumbles over is found here and not in a request.
pub(super) fn prove_harmless(
    enforcer: &Enforcer,
    organization: &str,
    rows: &Rows,
) -> Result<(), PolicyError> {
    if enforcer.enforce(vec![String::new(); 7])? {
        return Err(PolicyError::Unsafe("a request of empty strings"));
    }
    if let Some(rule) = rows.rules.first() {
        let (object, action) = (rule.grant.object.as_str(), rule.grant.action.as_str());
        let stranger = ["nobody", organization, object, action, "", "nobody", ""].map(str::to_owned);
        if enforcer.enforce(stranger.to_vec())? {
            return Err(PolicyError::Unsafe("somebody without any role"));
        }
    }
    Ok(())
}

/// Whether a row's scope covers the record. `teams` are separated by spaces, an absent owner or team is empty; what is
/// absent is not covered by an allow and is covered by a deny.
fn scope_ok(
    sub: Dynamic,
    teams: Dynamic,
    owner: Dynamic,
    team: Dynamic,
    scope: Dynamic,
    effect: Dynamic,
) -> Dynamic {
    let [sub, teams, owner, team, scope, effect] =
        [sub, teams, owner, team, scope, effect].map(|value| value.into_string().unwrap_or_default());
    let absent = effect == "deny";
    let covered = match scope.as_str() {
        "org" => true,
        "own" if owner.is_empty() => absent,
        "own" => owner == sub,
        "team" if team.is_empty() => absent,
        "team" => teams.split(' ').any(|one| one == team),
        _ => absent,
    };
    covered.into()
}
