//! Casbin: the policy language, and the reference for every decision.
//!
//! An enforcer is built aside, proved harmless on requests that must be denied, and then read by `index.rs`. Decisions
//! do not come from here: casbin evaluates row by row, which takes a millisecond where the index takes nanoseconds.

use casbin::function_map::OperatorFunction;
use casbin::rhai::Dynamic;
use casbin::{CoreApi, DefaultModel, Enforcer, MgmtApi};

use serde_json::{Map, Value as Json};

use super::condition::Condition;
use super::error::PolicyError;
use super::rows::Rows;

/// The shipped model.
pub(super) const MODEL: &str = include_str!("../../../policies/model.conf");

/// Casbin over these rows, for one organization.
pub(super) async fn enforcer(model: &str, organization: &str, rows: &Rows) -> Result<Enforcer, PolicyError> {
    let mut enforcer = Enforcer::new(DefaultModel::from_str(model).await?, ()).await?;
    enforcer.enable_auto_save(false);
    enforcer.add_function("scope_ok", OperatorFunction::Arg4(scope_ok));
    enforcer.add_function("cond_ok", OperatorFunction::Arg3(cond_ok));
    enforcer.add_policies(rows.rules.iter().map(super::rows::Rule::cells).collect()).await?;
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
        let (object, action) = (&*rule.row.object, &*rule.row.action);
        let stranger =
            ["nobody", organization, object, action, "nobody||", "nobody||", "{}"].map(str::to_owned);
        if enforcer.enforce(stranger.to_vec())? {
            return Err(PolicyError::Unsafe("somebody without any role"));
        }
    }
    Ok(())
}

/// Whether a row's scope covers the record. What is absent is not covered by an allow and is covered by a deny.
fn scope_ok(who: Dynamic, record: Dynamic, scope: Dynamic, effect: Dynamic) -> Dynamic {
    let [who, record, scope, effect] =
        [who, record, scope, effect].map(|value| value.into_string().unwrap_or_default());
    let (mut who, mut record) = (who.split('|'), record.split('|'));
    let [sub, teams, below] = [(); 3].map(|()| who.next().unwrap_or_default());
    let [owner, team, shared] = [(); 3].map(|()| record.next().unwrap_or_default());
    let absent = effect == "deny";
    let among = |teams: &str| teams.split(' ').any(|one| one == team);
    let covered = match scope.as_str() {
        "org" => true,
        "own" if owner.is_empty() => absent,
        "own" => owner == sub,
        "team" | "subteams" if team.is_empty() => absent,
        "team" => among(teams),
        "subteams" => among(teams) || among(below),
        "shared" => shared == "shared",
        _ => absent,
    };
    covered.into()
}

/// Whether a row's condition holds. What is absent makes an allow false and a deny true, and so does what cannot be read.
fn cond_ok(facts: Dynamic, condition: Dynamic, effect: Dynamic) -> Dynamic {
    let [facts, condition, effect] =
        [facts, condition, effect].map(|value| value.into_string().unwrap_or_default());
    let facts: Map<String, Json> = serde_json::from_str(&facts).unwrap_or_default();
    let held = Condition::parse(&condition).ok().and_then(|condition| condition.holds(&facts));
    held.unwrap_or(effect == "deny").into()
}
