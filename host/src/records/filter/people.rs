//! People and teams as targets of paths: `owner.name`, `created_by.email`, `team.name`. They live in the identity file and
//! are few, so the test runs over them in memory and leaves ids.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use super::{Filter, NoRelated, Row};
use crate::identity::IdentityError;
use crate::ids::{OrganizationId, PrincipalId, RecordId, TeamId};
use crate::records::error::RecordError;
use crate::records::json::json_key;
use crate::records::schema::{Entity, Field, Kind, Operations, Parts, SYSTEM_COLUMNS, Target};
use crate::records::value::Value;
use crate::records::{Records, Scope};

/// The plugin in the targets of references to people.
pub(in crate::records) const HOST: &str = "host";

static USER: LazyLock<Arc<Entity>> =
    LazyLock::new(|| shaped("user", &[("name", Kind::Text), ("email", Kind::Email)]));
static TEAM: LazyLock<Arc<Entity>> = LazyLock::new(|| shaped("team", &[("name", Kind::Text)]));

/// What can be asked of them.
pub(in crate::records) fn entity(key: &str) -> Option<Arc<Entity>> {
    match key {
        "user" => Some(Arc::clone(&USER)),
        "team" => Some(Arc::clone(&TEAM)),
        _ => None,
    }
}

fn shaped(key: &str, fields: &[(&str, Kind)]) -> Arc<Entity> {
    let parts = |fields: Vec<Field>| Parts {
        key: key.to_owned(),
        plural: format!("{key}s"),
        label: key.to_owned(),
        title: Some("name".to_owned()),
        fields,
        hooks: HashSet::new(),
        operations: Operations::default(),
        duplicates: Vec::new(),
    };
    let bare = Entity::new(HOST, parts(Vec::new()));
    let plain = bare.attribute("source").into_iter(); // a line of text, like what stands here
    let fields = plain.flat_map(|plain| {
        fields.iter().map(|(key, kind)| Field {
            key: (*key).into(),
            kind: kind.clone(),
            label: (*key).to_owned(),
            json_key: json_key(key),
            ..plain.clone()
        })
    });
    Arc::new(Entity::new(HOST, parts(fields.collect())))
}

fn values(id: RecordId, name: String, email: Option<String>) -> Vec<Value> {
    let mut values = vec![Value::from(id)];
    values.resize(SYSTEM_COLUMNS.len(), Value::Null);
    values.push(Value::Text(name));
    values.push(email.map_or(Value::Null, Value::Text));
    values
}

/// A person, a key or a team as a related row, for whoever implements [`Related`](super::Related).
///
/// # Errors
/// The identity file fails.
pub fn person_row(
    engine: &Records,
    organization: OrganizationId,
    target: &Target,
    id: RecordId,
) -> Result<Option<Row>, RecordError> {
    let Some(entity) = entity(&target.entity).filter(|_| &*target.plugin == HOST) else {
        return Ok(None);
    };
    let bytes = *id.as_bytes();
    let (name, email) = if &*target.entity == "team" {
        (engine.people.team_name(organization, TeamId::from_bytes(bytes))?, None)
    } else {
        let id = PrincipalId::from_bytes(bytes);
        let email = match engine.people.user(organization, id) {
            Ok(user) => user.email,
            Err(IdentityError::UserNotFound(_)) => None,
            Err(error) => return Err(error.into()),
        };
        (engine.people.principal_name(organization, id)?, email)
    };
    Ok(name.map(|name| (entity, values(id, name.to_string(), email))))
}

/// Those who satisfy the filter, among those that the caller may read. At most `limit`.
pub(super) fn matching(
    engine: &Records,
    scope: &Scope,
    entity: &Entity,
    filter: &Filter,
    limit: usize,
) -> Result<Vec<RecordId>, RecordError> {
    let principal = &scope.caller.principal;
    let readable = scope.policy.decide(principal, &entity.object, "read").rows();
    if readable.never() {
        return Err(RecordError::Forbidden { object: entity.object.to_string(), action: "read".to_owned() });
    }
    let (organization, most) = (scope.organization.id, u32::MAX);
    let mut found = Vec::new();
    let mut consider = |id: [u8; 16], name: String, email: Option<String>| -> Result<(), RecordError> {
        let id = RecordId::from_bytes(id);
        if found.len() < limit && filter.matches(entity, &values(id, name, email), &NoRelated)? {
            found.push(id);
        }
        Ok(())
    };
    if &*entity.key == "team" {
        for team in engine.people.teams(organization, None, most)? {
            if readable.permits(principal, None, team.id) {
                consider(*team.id.as_bytes(), team.name, None)?;
            }
        }
        return Ok(found);
    }
    for user in engine.people.users(organization, None, most)? {
        if readable.permits(principal, user.id, user.teams.first().copied()) {
            consider(*user.id.as_bytes(), user.name, user.email)?;
        }
    }
    // Keys own records too; their names are no secret, as every expansion shows them.
    for key in engine.people.api_keys(organization)? {
        consider(*key.id.as_bytes(), key.name, None)?;
    }
    Ok(found)
}
