//! What the names of relations stand for: references of a record, and the other ends of references to it.

use std::sync::Arc;

use super::{Context, people, shown};
use crate::records::error::RecordError;
use crate::records::schema::{Entity, Field, ID, Kind, Target};

/// A relation from a record to others.
#[derive(Debug)]
pub(super) struct Relation {
    /// The key of the reference.
    pub(super) field: Arc<str>,
    /// What is at the other end.
    pub(super) target: Target,
    /// The same, found.
    pub(super) entity: Arc<Entity>,
    /// Whether the reference stands on the other end.
    pub(super) backwards: bool,
}

/// What a field refers to.
#[must_use]
pub fn target_of(field: &Field) -> Option<&Target> {
    match &field.kind {
        Kind::Reference(target, _) | Kind::References(target, _) if field.column != ID => Some(target),
        _ => None,
    }
}

/// The reference that a name stands for: `account` and `account_id` both name a field `account_id`.
pub(super) fn reference<'e>(
    context: &Context<'_>,
    entity: &'e Entity,
    name: &str,
) -> Result<Option<(&'e Field, Target)>, RecordError> {
    for key in [name.to_owned(), format!("{name}_id"), format!("{name}_ids")] {
        if let Some(field) = context.field(entity, &key)?
            && let Some(target) = target_of(field)
        {
            return Ok(Some((field, target.clone())));
        }
    }
    Ok(None)
}

/// The relation along a reference of the record.
pub(super) fn forward(
    context: &Context<'_>,
    entity: &Entity,
    name: &str,
) -> Result<Option<Relation>, RecordError> {
    let Some((field, target)) = reference(context, entity, name)? else {
        return Ok(None);
    };
    let found = context.entity(&target).ok_or_else(|| {
        let detail = format!(
            "`{}` refers to {}.{}, which this organization does not have; leave it out of the filter",
            field.key, target.plugin, target.entity
        );
        RecordError::bad("relation_unavailable", detail)
    })?;
    Ok(Some(Relation { field: Arc::clone(&field.key), target, entity: found, backwards: false }))
}

/// The relation that a whole name stands for: a reference, or the other end of one.
pub(super) fn relation(
    context: &Context<'_>,
    entity: &Entity,
    name: &str,
) -> Result<Option<Relation>, RecordError> {
    if !name.contains('.')
        && let Some(found) = forward(context, entity, name)?
    {
        return Ok(Some(found));
    }
    inverse(context, entity, name)
}

/// A reference to the entity, from wherever.
struct Referrer<'m> {
    entity: &'m Arc<Entity>,
    field: &'m Field,
}

fn referrers<'m>(context: &Context<'m>, entity: &Entity) -> Vec<Referrer<'m>> {
    let refers = |field: &Field| {
        target_of(field).is_some_and(|target| target.plugin == entity.plugin && target.entity == entity.key)
    };
    let entities = context.modules.iter().flat_map(|module| &module.entities);
    entities
        .flat_map(|entity| entity.fields.iter().map(move |field| Referrer { entity, field }))
        .filter(|referrer| refers(referrer.field))
        .collect()
}

/// The other end of a reference, by the name that the reference gives it (`inverse`), else by the plural of those who
/// refer: `contacts`, `sales.products`.
fn inverse(context: &Context<'_>, entity: &Entity, name: &str) -> Result<Option<Relation>, RecordError> {
    if &*entity.plugin == people::HOST {
        return Ok(None);
    }
    let all = referrers(context, entity);
    let qualified = |one: &Referrer<'_>| {
        name.split_once('.').is_some_and(|(plugin, plural)| {
            *one.entity.plugin == *plugin
                && (*one.entity.plural == *plural || one.field.inverse.as_deref() == Some(plural))
        })
    };
    let own = |one: &Referrer<'_>| one.entity.plugin == entity.plugin;
    let given = |one: &Referrer<'_>| one.field.inverse.as_deref() == Some(name);
    let plural = |one: &Referrer<'_>| *one.entity.plural == *name;
    // The nearest meaning counts: what the references of the same module say, then any module's.
    let meanings: [&dyn Fn(&Referrer<'_>) -> bool; 5] = [
        &qualified,
        &|one| own(one) && given(one),
        &|one| own(one) && plural(one),
        &|one| given(one),
        &|one| plural(one),
    ];
    for meaning in meanings {
        let mut found = all.iter().filter(|one| meaning(one));
        match (found.next(), found.next()) {
            (None, _) => {}
            (Some(one), None) => return Ok(Some(backwards(context, one)?)),
            (Some(_), Some(_)) => {
                let names: Vec<String> = all.iter().filter(|one| meaning(one)).map(named).collect();
                let detail = format!(
                    "`{}` of {} can be each of {}; say which by its own name",
                    shown(name),
                    entity.object,
                    names.join(", ")
                );
                return Err(RecordError::bad("ambiguous_relation", detail));
            }
        }
    }
    Ok(None)
}

/// How a relation is told from others, for messages.
fn named(one: &Referrer<'_>) -> String {
    match &one.field.inverse {
        Some(inverse) => format!("`{}.{inverse}`", one.entity.plugin),
        None => format!("`{}` of {}", one.field.key, one.entity.object),
    }
}

fn backwards(context: &Context<'_>, one: &Referrer<'_>) -> Result<Relation, RecordError> {
    context.field(one.entity, &one.field.key)?; // whether the caller may look at it
    let target = Target { plugin: Arc::clone(&one.entity.plugin), entity: Arc::clone(&one.entity.key) };
    Ok(Relation {
        field: Arc::clone(&one.field.key),
        target,
        entity: Arc::clone(one.entity),
        backwards: true,
    })
}

/// Whether the first word of a name means nothing on this entity: a parameter that nobody knows.
pub(super) fn unknown(context: &Context<'_>, entity: &Entity, name: &str) -> Result<bool, RecordError> {
    let head = name.split('.').next().unwrap_or(name);
    Ok(context.field(entity, head)?.is_none()
        && reference(context, entity, head)?.is_none()
        && inverse(context, entity, head)?.is_none()
        && inverse(context, entity, name)?.is_none())
}

/// The refusal of a name that is no field.
pub(super) fn no_field(entity: &Entity, name: &str, whole: &str) -> RecordError {
    let mut detail = format!("`{}` is not a field of {}", shown(name), entity.object);
    if name != whole {
        detail = format!("`{}`: {detail}", shown(whole));
    }
    RecordError::bad(
        "unknown_field",
        format!("{detail}; records that refer to it are tested with `has` and `has_no`"),
    )
}

/// The refusal of a name at whose end there is nothing.
pub(super) fn no_relation(entity: &Entity, head: &str, whole: &str) -> RecordError {
    let known: Vec<&str> =
        entity.fields.iter().filter(|field| target_of(field).is_some()).map(|f| &*f.key).collect();
    let detail = format!(
        "`{}`: `{}` of {} does not refer to a record; what does: {}",
        shown(whole),
        shown(head),
        entity.object,
        if known.is_empty() { "nothing".to_owned() } else { known.join(", ") }
    );
    RecordError::bad("invalid_filter_path", detail)
}
