//! A decision as JSON, for people who ask what lists carry: the filter language, with one word more, `shared_with`.

use serde_json::{Value as Json, json};

use super::conditions::Reader;
use crate::caller::Principal;
use crate::ids::TeamId;
use crate::policy::{Decision, Effect, Scope as Reach};
use crate::records::schema::Entity;

/// What a decision lists for who asks, after everything about the principal and the moment was put in. An empty `and`
/// holds of every record, an empty `or` of none. Without an entity there are no conditions.
#[must_use]
pub fn told(reader: &Reader<'_>, entity: Option<&Entity>, rows: &Decision, action: &str) -> Json {
    let side = |effect: Effect| -> Vec<Json> {
        let absent = effect == Effect::Deny;
        let of = rows.parts().filter(|(_, side, _)| *side == effect);
        let term = |(reach, _, condition): (Reach, Effect, Option<&crate::policy::Condition>)| {
            let within = within(reader.principal, reach, absent, action);
            match condition.zip(entity) {
                Some((condition, entity)) => {
                    json!({ "and": [within, reader.json(entity, condition, absent)] })
                }
                None => within,
            }
        };
        of.map(term).collect()
    };
    let (allow, deny) = (side(Effect::Allow), side(Effect::Deny));
    let allow = json!({ "or": allow });
    if deny.is_empty() { allow } else { json!({ "and": [allow, { "not": { "or": deny } }] }) }
}

/// The records of a scope. Where a record has no owner or no team, a deny covers it.
fn within(principal: &Principal, reach: Reach, absent: bool, action: &str) -> Json {
    let or_empty = |field: &str, test: Json| match absent {
        true => json!({ "or": [{ "field": field, "op": "empty", "value": true }, test] }),
        false => test,
    };
    let team = |below: &[TeamId]| {
        let teams: Vec<&TeamId> = principal.teams.iter().chain(below).collect();
        let among = match teams.is_empty() {
            true => json!({ "or": [] }),
            false => json!({ "field": "team_id", "op": "in", "value": teams }),
        };
        or_empty("team_id", among)
    };
    match reach {
        Reach::Org => json!({ "and": [] }),
        Reach::Own => or_empty("owner_id", json!({ "field": "owner_id", "value": principal.id })),
        Reach::Team => team(&[]),
        Reach::Subteams => team(&principal.subteams),
        Reach::Shared => {
            let teams = principal.teams.iter().map(ToString::to_string);
            let with: Vec<String> = std::iter::once(principal.id.to_string()).chain(teams).collect();
            let level = if matches!(action, "list" | "read") { "read" } else { "update" };
            json!({ "shared_with": with, "level": level })
        }
    }
}
