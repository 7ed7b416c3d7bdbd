//! From an input to a draft: who may set what, which form values have, what a new record starts with.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::caller::{PrincipalKind, Source};
use crate::ids::{PrincipalId, RecordId};
use crate::records::cells::Cells;
use crate::records::error::{Fault, RecordError};
use crate::records::input;
use crate::records::schema::{
    CREATED_AT, CREATED_BY, EXTERNAL_IDS, Entity, Field, ID, Kind, OWNER, SOURCE, Stored, TEAM, UPDATED_AT,
    UPDATED_BY, VERSION,
};
use crate::records::tx::{Authority, Draft, Tx};
use crate::records::value::Value;

/// New values for some fields of one record.
#[derive(Debug)]
pub enum Changes {
    /// Members of a JSON object, from the API, an import, a seed.
    Members(Map<String, Json>),
    /// Packed cells from a plugin.
    Cells(Cellwise),
}

/// Cells of the named fields.
#[derive(Debug)]
pub struct Cellwise {
    /// Field keys.
    pub fields: Arc<[String]>,
    /// Their cells in that order; money takes two.
    pub cells: Vec<u8>,
}

/// The draft of a new record.
///
/// # Errors
/// Who is who could not be asked.
pub(in crate::records) fn new_draft(
    tx: &Tx,
    entity: &Arc<Entity>,
    changes: Changes,
) -> Result<Draft, RecordError> {
    let id = RecordId::new();
    let caller = &tx.scope.caller;
    let author = Value::Id(*caller.principal.id.as_bytes());
    let source = if tx.authority == Authority::Plugin { Source::Plugin } else { caller.source };
    let mut after = vec![Value::Null; entity.width];
    let system = [
        (ID, Value::from(id)),
        (VERSION, Value::Integer(1)),
        (CREATED_AT, Value::Integer(tx.now)),
        (CREATED_BY, author.clone()),
        (UPDATED_AT, Value::Integer(tx.now)),
        (UPDATED_BY, author.clone()),
        (SOURCE, Value::Text(source.as_str().to_owned())),
    ];
    system.into_iter().for_each(|(at, value)| set(&mut after, at, value));
    if caller.principal.kind != PrincipalKind::Platform {
        set(&mut after, OWNER, author);
        let team = caller.principal.teams.first().map_or(Value::Null, |team| Value::Id(*team.as_bytes()));
        set(&mut after, TEAM, team);
    }
    let mut draft = Draft { id, before: None, after, faults: Vec::new() };
    for field in &entity.fields {
        if let Some(default) = &field.default {
            put(&mut draft, field, input::field(field, default));
        }
    }
    apply(tx, entity, &mut draft, changes)?;
    // A missing value is said once, and not beside what is wrong with the value that was sent.
    for field in entity.fields.iter().filter(|field| field.required) {
        let pointer = format!("/{}", field.key);
        let absent = draft.after.get(field.column).is_none_or(Value::is_null);
        // What only the plugin writes, its hooks will have filled in by the time `check::complete` looks.
        if absent && !field.read_only && draft.faults.iter().all(|fault| fault.pointer != pointer) {
            draft.faults.push(input::required(field));
        }
    }
    Ok(draft)
}

/// The draft of a changed record.
///
/// # Errors
/// Who is who could not be asked.
pub(in crate::records) fn changed_draft(
    tx: &Tx,
    entity: &Arc<Entity>,
    id: RecordId,
    before: Vec<Value>,
    changes: Changes,
) -> Result<Draft, RecordError> {
    let mut draft = Draft { id, after: before.clone(), before: Some(before), faults: Vec::new() };
    apply(tx, entity, &mut draft, changes)?;
    Ok(draft)
}

fn set(values: &mut [Value], at: usize, value: Value) {
    if let Some(slot) = values.get_mut(at) {
        *slot = value;
    }
}

fn put(draft: &mut Draft, field: &Field, parsed: Result<input::Stored, Fault>) {
    match parsed {
        Ok((value, second)) => {
            set(&mut draft.after, field.column, value);
            if matches!(field.kind, Kind::Money) {
                set(&mut draft.after, field.column + 1, second);
            }
        }
        Err(fault) => draft.faults.push(fault),
    }
}

fn apply(tx: &Tx, entity: &Arc<Entity>, draft: &mut Draft, changes: Changes) -> Result<(), RecordError> {
    match changes {
        Changes::Members(members) => {
            for (key, json) in &members {
                member(tx, entity, draft, key, json)?;
            }
            Ok(())
        }
        Changes::Cells(cellwise) => cells(tx, entity, draft, &cellwise),
    }
}

fn member(
    tx: &Tx,
    entity: &Arc<Entity>,
    draft: &mut Draft,
    key: &str,
    json: &Json,
) -> Result<(), RecordError> {
    let Some(field) = entity.attribute(key) else {
        let detail = format!("{} has no field of this name", entity.object);
        draft.faults.push(Fault::at(key, "unknown_field", detail));
        return Ok(());
    };
    match key {
        "owner_id" => owner(tx, draft, json),
        "team_id" => team(tx, draft, json),
        "external_ids" => {
            external_ids(draft, json);
            Ok(())
        }
        _ if field.read_only && tx.authority == Authority::Caller => {
            if !unchanged(draft, field, json) {
                draft.faults.push(Fault::at(
                    key,
                    "read_only",
                    format!("{} is set by the system; leave it out", field.label),
                ));
            }
            Ok(())
        }
        _ => {
            if tx.authority == Authority::Caller && !unchanged(draft, field, json) {
                tx.scope.may_write(entity, field)?;
            }
            put(draft, field, input::field(field, json));
            Ok(())
        }
    }
}

/// Whether a read-only member repeats what the record already says, as a client does that sends back what it read.
fn unchanged(draft: &Draft, field: &Field, json: &Json) -> bool {
    let Some(before) = &draft.before else { return false };
    let stored = before.get(field.column).cloned().unwrap_or_default();
    input::field(field, json).is_ok_and(|(value, _)| value == stored)
}

/// The owner must be somebody who can act; the record follows into the owner's team.
fn owner(tx: &Tx, draft: &mut Draft, json: &Json) -> Result<(), RecordError> {
    let parsed = json.as_str().and_then(|text| text.parse::<PrincipalId>().ok());
    let Some(id) = parsed else {
        if json.is_null() && draft.before.is_some() && draft.after.get(OWNER).is_none_or(Value::is_null) {
            return Ok(()); // as it was: the platform's records have no owner
        }
        draft.faults.push(Fault::at("owner_id", "invalid_id", "the owner must be the id of a user"));
        return Ok(());
    };
    if draft.after.get(OWNER).and_then(Value::id).is_some_and(|owner| owner.as_bytes() == id.as_bytes()) {
        return Ok(());
    }
    match tx.engine.people.principal(tx.scope.organization.id, id)? {
        Some(principal) => {
            set(&mut draft.after, OWNER, Value::Id(*id.as_bytes()));
            let team = principal.teams.first().map_or(Value::Null, |team| Value::Id(*team.as_bytes()));
            set(&mut draft.after, TEAM, team);
        }
        // What a plugin keeps beside a record follows its owner, also one who left meanwhile.
        None if tx.authority != Authority::Caller
            && tx.engine.people.principal_name(tx.scope.organization.id, id)?.is_some() =>
        {
            set(&mut draft.after, OWNER, Value::Id(*id.as_bytes()));
        }
        None => draft.faults.push(Fault::at(
            "owner_id",
            "reference_not_found",
            "there is no such user, or the user is disabled",
        )),
    }
    Ok(())
}

fn team(tx: &Tx, draft: &mut Draft, json: &Json) -> Result<(), RecordError> {
    if json.is_null() {
        set(&mut draft.after, TEAM, Value::Null);
        return Ok(());
    }
    let parsed = json.as_str().and_then(|text| text.parse::<crate::ids::TeamId>().ok());
    let known = match parsed {
        Some(id) => tx.engine.people.team_name(tx.scope.organization.id, id)?.map(|_| id),
        None => None,
    };
    match known {
        Some(id) => set(&mut draft.after, TEAM, Value::Id(*id.as_bytes())),
        None => draft.faults.push(Fault::at("team_id", "reference_not_found", "there is no such team")),
    }
    Ok(())
}

/// `{"source": "id"}`, merged into what is there; `null` takes one away, or all. At most eight, short plain texts.
fn external_ids(draft: &mut Draft, json: &Json) {
    let plain = |text: &str, limit: usize| {
        !text.is_empty() && text.len() <= limit && !text.chars().any(char::is_control)
    };
    let known = draft.after.get(EXTERNAL_IDS).and_then(Value::text);
    let mut ids: Map<String, Json> =
        known.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let fits = match json {
        Json::Null => {
            ids.clear();
            true
        }
        Json::Object(members) => members.iter().all(|(source, id)| match id {
            Json::Null => {
                ids.remove(source);
                true
            }
            Json::String(text) if plain(source, 40) && plain(text, 200) => {
                ids.insert(source.clone(), id.clone());
                true
            }
            _ => false,
        }),
        _ => false,
    };
    if !fits || ids.len() > 8 {
        draft.faults.push(Fault::at(
            "external_ids",
            "invalid_external_ids",
            "external ids are an object of at most eight texts: {\"source\":\"id\"}",
        ));
        return;
    }
    let text = if ids.is_empty() { Value::Null } else { Value::Text(Json::Object(ids).to_string()) };
    set(&mut draft.after, EXTERNAL_IDS, text);
}

fn cells(tx: &Tx, entity: &Arc<Entity>, draft: &mut Draft, cellwise: &Cellwise) -> Result<(), RecordError> {
    let malformed = |field: &str| RecordError::Plugin {
        plugin: tx.module.plugin.to_string(),
        code: "plugin_bad_cells",
        detail: format!("the cells for {} do not fit its field `{field}`", entity.object),
    };
    let mut cells = Cells::new(&cellwise.cells);
    let mut next = |field: &str| -> Result<Value, RecordError> {
        cells.next().and_then(|cell| cell.ok()?.to_value().ok()).ok_or_else(|| malformed(field))
    };
    for key in &*cellwise.fields {
        match key.as_str() {
            "owner_id" => {
                let value = next(key)?;
                let json = value.id().map_or(Json::Null, |id| Json::String(id.to_string()));
                owner(tx, draft, &json)?;
                continue;
            }
            "external_ids" | "team_id" => return Err(malformed(key)),
            _ => {}
        }
        let field = entity.field(key).ok_or_else(|| malformed(key))?;
        let value = next(key)?;
        let second = if matches!(field.kind, Kind::Money) { next(key)? } else { Value::Null };
        if !fits(&field.kind, &value, &second) {
            return Err(malformed(key));
        }
        put(draft, field, Ok((unless_empty(&field.kind, value), second)));
    }
    if cells.next().is_some() {
        return Err(malformed("after the last"));
    }
    Ok(())
}

/// A text without a character is no value, whoever writes it.
#[must_use]
pub(crate) fn unless_empty(kind: &Kind, value: Value) -> Value {
    if value.text() == Some("") && !matches!(kind, Kind::Json) { Value::Null } else { value }
}

/// Whether a stored value, with its currency if it is money, has the form of the kind.
#[must_use]
pub(crate) const fn fits(kind: &Kind, value: &Value, second: &Value) -> bool {
    let second_fits = match (kind, value) {
        (Kind::Money, Value::Integer(_)) => matches!(second, Value::Text(_)),
        _ => second.is_null(),
    };
    if !second_fits {
        return false;
    }
    match value {
        Value::Null => true,
        Value::Integer(_) => matches!(kind.stored(), Stored::Integer),
        Value::Text(_) => matches!(kind.stored(), Stored::Text),
        Value::Id(_) => matches!(kind.stored(), Stored::Id),
    }
}
