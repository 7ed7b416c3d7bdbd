//! What the organization demands of a record that is being written, asked after the hooks and whatever the write path:
//! options that are still chosen, values that are needed under a condition, rules that hold.

use std::borrow::Cow;
use std::sync::Arc;

use super::store;
use crate::ids::{PrincipalId, RecordId, TeamId};
use crate::records::error::{Fault, RecordError};
use crate::records::filter::{Filter, Related, Row, Satisfies, people};
use crate::records::input;
use crate::records::schema::{Choice, Condition, Entity, Field, Kind, Module, SYSTEM_COLUMNS, Target};
use crate::records::tx::{Draft, Tx};
use crate::records::value::Value;

/// Adds to the draft's faults what it breaks. A field with a fault does not get a second one.
///
/// # Errors
/// A file fails.
pub(in crate::records) fn judge(tx: &Tx, entity: &Entity, draft: &mut Draft) -> Result<(), RecordError> {
    let related = Around(tx);
    let mut found: Vec<Fault> = entity.fields.iter().filter_map(|field| archived(field, draft)).collect();
    for field in &entity.fields {
        let Some(condition) = &field.required_when else { continue };
        let absent = draft.after.get(field.column).is_none_or(Value::is_null);
        if absent && holds(tx, condition, entity, &draft.after, &related)? {
            let mut fault = input::required(field);
            fault.detail = format!("{} is required for this record; send a value", field.label);
            found.push(fault);
        }
    }
    for rule in &*entity.rules {
        if !holds(tx, &rule.condition, entity, &draft.after, &related)? {
            let pointer = rule.field.as_ref().map_or_else(String::new, |field| format!("/{field}"));
            found.push(Fault { pointer, code: Cow::Owned(rule.code()), detail: rule.message.clone() });
        }
    }
    for fault in found {
        if fault.pointer.is_empty() || draft.faults.iter().all(|other| other.pointer != fault.pointer) {
            draft.faults.push(fault);
        }
    }
    Ok(())
}

fn holds(
    tx: &Tx,
    condition: &Condition,
    entity: &Entity,
    values: &[Value],
    related: &Around<'_>,
) -> Result<bool, RecordError> {
    let filter: Cow<'_, Filter> = match condition.0.instant() {
        Some(_) => Cow::Owned(condition.0.clone().at(tx.now)), // "today" is when the record is written
        None => Cow::Borrowed(&condition.0),
    };
    filter.matches(entity, values, related)
}

/// An archived option stays where it is and is not chosen anew.
fn archived(field: &Field, draft: &Draft) -> Option<Fault> {
    let (Kind::Option(choices) | Kind::Options(choices)) = &field.kind else { return None };
    if choices.iter().all(|choice| !choice.archived) {
        return None;
    }
    let chosen = |row: Option<&[Value]>| keys(row.and_then(|row| row.get(field.column)), &field.kind);
    let (before, after) = (chosen(draft.before.as_deref()), chosen(Some(&draft.after)));
    let gone = |key: &&String| {
        !before.contains(key) && choices.iter().any(|choice: &Choice| choice.archived && choice.key == **key)
    };
    let key = after.iter().find(gone)?;
    let open: Vec<&str> =
        choices.iter().filter(|choice| !choice.archived).map(|choice| choice.key.as_str()).collect();
    let detail =
        format!("{}: the option `{key}` is archived; choose one of {}", field.label, open.join(", "));
    Some(Fault::at(&field.key, "archived_option", detail))
}

/// The keys of the options that a value names.
pub(super) fn keys(value: Option<&Value>, kind: &Kind) -> Vec<String> {
    let text = value.and_then(Value::text);
    match kind {
        Kind::Options(_) => text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default(),
        _ => text.map(str::to_owned).into_iter().collect(),
    }
}

/// The records around the one that is written, whoever may read them: the rules are the organization's.
struct Around<'t>(&'t Tx);

impl Around<'_> {
    fn place(&self, target: &Target) -> Option<(Arc<Module>, Arc<Entity>)> {
        let module = self.0.scope.module(&target.plugin)?;
        Some((Arc::clone(module), module.entity(&target.entity)?))
    }

    fn rows(
        &self,
        (module, entity): &(Arc<Module>, Arc<Entity>),
        wanted: store::Wanted<'_>,
    ) -> Result<Vec<Vec<Value>>, RecordError> {
        let tx = self.0;
        if module.plugin == tx.module.plugin {
            return store::rows(&tx.conn, entity, wanted);
        }
        tx.engine.read(&tx.scope, module, |conn| store::rows(conn, entity, wanted))
    }
}

impl Around<'_> {
    /// A person or a team, by what can be asked of them.
    fn person(&self, target: &Target, id: RecordId) -> Result<Option<Row>, RecordError> {
        let Some(entity) = people::entity(&target.entity) else { return Ok(None) };
        let (people, organization) = (&self.0.engine.people, self.0.scope.organization.id);
        let (name, email) = if &*target.entity == "team" {
            (people.team_name(organization, TeamId::from_bytes(*id.as_bytes()))?, None)
        } else {
            let person = PrincipalId::from_bytes(*id.as_bytes());
            let email = people.user(organization, person).ok().and_then(|user| user.email);
            (people.principal_name(organization, person)?, email)
        };
        Ok(name.map(|name| {
            let mut values = vec![Value::Null; SYSTEM_COLUMNS.len()];
            if let Some(first) = values.first_mut() {
                *first = id.into();
            }
            values.push(Value::Text(name.to_string()));
            values.push(email.map_or(Value::Null, Value::Text));
            (entity, values)
        }))
    }
}

impl Related for Around<'_> {
    fn row(&self, target: &Target, id: RecordId) -> Result<Option<Row>, RecordError> {
        if &*target.plugin == people::HOST {
            return self.person(target, id);
        }
        let Some(place) = self.place(target) else { return Ok(None) };
        let found = self.rows(&place, store::Wanted::Id(id))?.pop();
        Ok(found.map(|values| (place.1, values)))
    }

    fn has(
        &self,
        referrer: &Target,
        field: &str,
        id: RecordId,
        satisfies: &Satisfies<'_>,
    ) -> Result<bool, RecordError> {
        let Some(place) = self.place(referrer) else { return Ok(false) };
        let Some(field) = place.1.field(field).cloned() else { return Ok(false) };
        for values in self.rows(&place, store::Wanted::Pointing(&field, id))? {
            if satisfies(&place.1, &values)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
