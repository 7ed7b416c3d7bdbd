//! What a view must be: every fault of a content is told, whoever wrote it and whenever.

use std::sync::Arc;

use super::{Audience, Content, must_manage};
use crate::ids::TeamId;
use crate::records::error::{Fault, RecordError};
use crate::records::filter::{Context, Filter, parse_json};
use crate::records::list::{View, visible};
use crate::records::schema::Entity;
use crate::records::sort::Sort;
use crate::records::{Records, Scope};

/// Longest name.
const NAME: usize = 100;
/// Most bytes of a filter.
const FILTER: usize = 16 << 10;
/// Most columns.
const FIELDS: usize = 200;

/// The entity `plugin.key`, if the organization has it and the caller may read records of it.
pub(super) fn readable(scope: &Scope, object: &str) -> Option<Arc<Entity>> {
    let (plugin, key) = object.split_once('.')?;
    let entity = scope.entity(plugin, key)?;
    visible(scope, &entity, "read").ok().map(|_| entity)
}

/// The content, tidied, if it is without fault.
pub(super) fn checked(engine: &Records, scope: &Scope, mut content: Content) -> Result<Content, RecordError> {
    let mut faults = Vec::new();
    content.name = content.name.trim().to_owned();
    let length = content.name.chars().count();
    if !(1..=NAME).contains(&length) || content.name.chars().any(char::is_control) {
        faults.push(Fault::at(
            "name",
            "invalid_name",
            format!("a view has a name of 1 to {NAME} characters"),
        ));
    }
    if content.filter.as_ref().is_some_and(|filter| filter.to_string().len() > FILTER) {
        faults.push(Fault::at("filter", "too_long", format!("a view's filter has at most {FILTER} bytes")));
    }
    match (content.audience, content.team) {
        (Audience::Team, None) => {
            content.team = scope.caller.principal.teams.first().copied();
            if content.team.is_none() {
                faults.push(Fault::at("team", "required", "say which team; you are in none"));
            }
        }
        (Audience::Private | Audience::Organization, Some(_)) => content.team = None,
        _ => {}
    }
    match readable(scope, &content.entity) {
        None => {
            let detail = "an entity such as `crm.account` that the organization has and you may read";
            faults.push(Fault::at("entity", "unknown_entity", detail));
        }
        Some(entity) => {
            let context = Context::of(scope, engine.now());
            faults.extend(against(&context, scope, &entity, &content)?.1);
        }
    }
    if faults.is_empty() { Ok(content) } else { Err(RecordError::Invalid(faults)) }
}

/// Whether the caller may show views to that audience.
pub(super) fn may_address(engine: &Records, scope: &Scope, content: &Content) -> Result<(), RecordError> {
    match (content.audience, content.team) {
        (Audience::Organization, _) => must_manage(scope),
        (Audience::Team, Some(team)) if !scope.caller.principal.teams.contains(&team) => {
            must_manage(scope)?;
            known(engine, scope, team)
        }
        _ => Ok(()),
    }
}

fn known(engine: &Records, scope: &Scope, team: TeamId) -> Result<(), RecordError> {
    match engine.people.team_name(scope.organization.id, team)? {
        Some(_) => Ok(()),
        None => Err(RecordError::invalid("team", "team_not_found", "there is no team with this id")),
    }
}

/// The filter, and every way in which the content does not fit the entity.
pub(super) fn against(
    context: &Context<'_>,
    scope: &Scope,
    entity: &Entity,
    content: &Content,
) -> Result<(Filter, Vec<Fault>), RecordError> {
    let mut faults = Vec::new();
    let filter = match content.filter.as_ref().map(|json| parse_json(context, entity, json)) {
        None => Filter::all(),
        Some(parsed) => match fault("/filter".to_owned(), parsed)? {
            Ok(filter) => filter,
            Err(fault) => {
                faults.push(fault);
                Filter::all()
            }
        },
    };
    if let Some(sort) = &content.sort
        && let Err(one) = fault("/sort".to_owned(), Sort::within(scope, entity, sort))?
    {
        faults.push(one);
    }
    let fields = content.fields.as_deref().unwrap_or_default();
    if fields.len() > FIELDS {
        faults.push(Fault::at("fields", "too_long", format!("a view has at most {FIELDS} columns")));
    }
    for (at, field) in fields.iter().enumerate().take(FIELDS) {
        let pointer = format!("/fields/{at}");
        if field.contains(',') {
            let detail = "one field in each place of the list".to_owned();
            faults.push(Fault { pointer, code: "unknown_field".into(), detail });
        } else if let Err(one) = fault(pointer, View::within(scope, entity, Some(field), None))? {
            faults.push(one);
        }
    }
    Ok((filter, faults))
}

/// A refusal of a part as a fault of the whole; what is not about the content stays an error.
fn fault<T>(pointer: String, outcome: Result<T, RecordError>) -> Result<Result<T, Fault>, RecordError> {
    match outcome {
        Ok(value) => Ok(Ok(value)),
        Err(RecordError::BadRequest { code, detail }) => {
            Ok(Err(Fault { pointer, code: code.into(), detail }))
        }
        Err(other) => Err(other),
    }
}
