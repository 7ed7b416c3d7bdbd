//! What a merged record holds: one decision for each field. Pure.
//!
//! Without a choice the survivor's value stays; where it has none, the first loser's in the order given moves in. Values
//! of several parts are united, an address is one block. What the system or the plugin writes stays the survivor's.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::ids::RecordId;
use crate::records::derived;
use crate::records::error::Fault;
use crate::records::input;
use crate::records::schema::{EXTERNAL_IDS, Entity, Field, ID, Kind};
use crate::records::value::Value;

/// External ids that one record bears.
pub(super) const EXTERNAL: usize = 8;

/// What the caller wants in a field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Choice {
    /// What this record has.
    Of(RecordId),
    /// This value, with the currency if it is money.
    Value(Value, Value),
}

/// The choices by field key.
pub(super) type Choices = BTreeMap<Arc<str>, Choice>;

/// Where a value came from that is not the survivor's own.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Origin {
    /// A loser.
    Of(RecordId),
    /// All of them together.
    United,
    /// The caller.
    Chosen,
}

/// The merged record.
#[derive(Debug)]
pub(super) struct Plan {
    /// Its row.
    pub(super) after: Vec<Value>,
    /// Fields whose value is not simply the survivor's.
    pub(super) origins: BTreeMap<Arc<str>, Origin>,
    /// References that were emptied because they named a record that is merged here.
    pub(super) emptied: Vec<Arc<str>>,
    /// External ids that the survivor has no room for.
    pub(super) spare: Vec<(String, String)>,
}

/// Reads the choices: a record that takes part, or `{"value": …}`.
///
/// # Errors
/// Every fault of them.
pub(super) fn choices(
    entity: &Entity,
    raw: &Map<String, Json>,
    merged: &[RecordId],
) -> Result<Choices, Vec<Fault>> {
    let (mut chosen, mut faults) = (Choices::new(), Vec::new());
    for (key, json) in raw {
        match choice(entity, key, json, merged) {
            Ok((field, choice)) => {
                chosen.insert(Arc::clone(&field.key), choice);
            }
            Err(mut fault) => {
                fault.pointer.insert_str(0, "/choices");
                faults.push(fault);
            }
        }
    }
    if faults.is_empty() { Ok(chosen) } else { Err(faults) }
}

fn choice<'e>(
    entity: &'e Entity,
    key: &str,
    json: &Json,
    merged: &[RecordId],
) -> Result<(&'e Field, Choice), Fault> {
    let Some(field) = entity.field(key) else {
        let detail = if entity.attribute(key).is_some() {
            format!("`{key}` stays the survivor's; leave it out")
        } else {
            format!("{} has no field of this name", entity.object)
        };
        return Err(Fault::at(key, "not_choosable", detail));
    };
    if stays(field) {
        let detail = format!("{} is set by the system and stays the survivor's; leave it out", field.label);
        return Err(Fault::at(key, "read_only", detail));
    }
    let wrong = || {
        let detail = "a choice is the id of a record that takes part, or {\"value\": …}";
        Fault::at(key, "invalid_choice", detail)
    };
    match json {
        Json::String(text) => {
            let id = text.parse::<RecordId>().ok().filter(|id| merged.contains(id));
            Ok((field, Choice::Of(id.ok_or_else(wrong)?)))
        }
        Json::Object(members) if members.len() == 1 => {
            let value = members.get("value").ok_or_else(wrong)?;
            let (value, second) = input::field(field, value).map_err(|mut fault| {
                let own = Fault::at(key, "", "").pointer;
                let rest = fault.pointer.strip_prefix(&own).unwrap_or_default();
                fault.pointer = format!("{own}/value{rest}");
                fault
            })?;
            if own_kind(entity, field) && named(&value).iter().any(|id| merged.contains(id)) {
                let detail = format!("{} cannot name a record that takes part in the merge", field.label);
                return Err(Fault::at(key, "refers_to_merged", detail));
            }
            Ok((field, Choice::Value(value, second)))
        }
        _ => Err(wrong()),
    }
}

/// Whether the survivor keeps its value, whatever the others have.
fn stays(field: &Field) -> bool {
    field.read_only || matches!(field.kind, Kind::AutoNumber(_))
}

/// Whether the field refers to records of the same entity.
pub(super) fn own_kind(entity: &Entity, field: &Field) -> bool {
    match &field.kind {
        Kind::Reference(target, _) | Kind::References(target, _) => {
            target.plugin == entity.plugin && target.entity == entity.key
        }
        _ => false,
    }
}

/// The records that a value names.
fn named(value: &Value) -> Vec<RecordId> {
    value.id().map_or_else(|| derived::targets(value), |id| vec![id])
}

/// Decides every field. `rows` are the survivor's and the losers', in order.
pub(super) fn decide(entity: &Entity, survivor: &[Value], losers: &[Vec<Value>], choices: &Choices) -> Plan {
    let rows: Vec<&[Value]> = std::iter::once(survivor).chain(losers.iter().map(Vec::as_slice)).collect();
    let mut plan =
        Plan { after: survivor.to_vec(), origins: BTreeMap::new(), emptied: Vec::new(), spare: Vec::new() };
    for field in entity.fields.iter().filter(|field| !stays(field)) {
        let (value, second, origin) = decided(entity, field, &rows, choices, &mut plan.emptied);
        let money = matches!(field.kind, Kind::Money);
        let same = plan.after.get(field.column) == Some(&value)
            && (!money || plan.after.get(field.column + 1) == Some(&second));
        if same {
            continue;
        }
        put(&mut plan.after, field.column, value);
        if money {
            put(&mut plan.after, field.column + 1, second);
        }
        if let Some(origin) = origin {
            plan.origins.insert(Arc::clone(&field.key), origin);
        }
    }
    let (ids, spare) = external_ids(&rows);
    if plan.after.get(EXTERNAL_IDS) != Some(&ids) {
        put(&mut plan.after, EXTERNAL_IDS, ids);
        plan.origins.insert("external_ids".into(), Origin::United);
    }
    plan.spare = spare;
    plan
}

fn put(values: &mut [Value], at: usize, value: Value) {
    if let Some(slot) = values.get_mut(at) {
        *slot = value;
    }
}

fn id_of(row: &[Value]) -> Option<RecordId> {
    row.get(ID).and_then(Value::id)
}

/// A field's value in a row, with what stands in the next column.
fn cells(field: &Field, row: &[Value]) -> (Value, Value) {
    let second = match field.kind {
        Kind::Money => row.get(field.column + 1).cloned().unwrap_or_default(),
        _ => Value::Null,
    };
    (row.get(field.column).cloned().unwrap_or_default(), second)
}

fn decided(
    entity: &Entity,
    field: &Field,
    rows: &[&[Value]],
    choices: &Choices,
    emptied: &mut Vec<Arc<str>>,
) -> (Value, Value, Option<Origin>) {
    let ids: Vec<RecordId> = rows.iter().filter_map(|row| id_of(row)).collect();
    let survivor = ids.first().copied();
    let own = own_kind(entity, field);
    // A record that already named itself goes on doing so; otherwise nobody becomes his own parent.
    let inside = |row: &[Value], id: &RecordId| {
        own && ids.contains(id) && !(id_of(row) == survivor && Some(*id) == survivor)
    };
    let mut outside = |row: &[Value]| -> (Value, Value) {
        let (value, second) = cells(field, row);
        if !named(&value).iter().any(|id| inside(row, id)) {
            return (value, second);
        }
        if id_of(row) == survivor && !emptied.contains(&field.key) {
            emptied.push(Arc::clone(&field.key));
        }
        let kept = named(&value).into_iter().filter(|id| !inside(row, id)).map(|id| id.to_string());
        let kept: Vec<String> = kept.collect();
        (if matches!(field.kind, Kind::References(..)) { array(&kept) } else { Value::Null }, second)
    };
    match choices.get(&field.key) {
        Some(Choice::Value(value, second)) => {
            return (value.clone(), second.clone(), Some(Origin::Chosen));
        }
        Some(Choice::Of(id)) => {
            let Some(row) = rows.iter().find(|row| id_of(row) == Some(*id)) else {
                return (Value::Null, Value::Null, None);
            };
            let (value, second) = outside(row);
            if value.is_null() && !cells(field, row).0.is_null() && !emptied.contains(&field.key) {
                emptied.push(Arc::clone(&field.key));
            }
            return (value, second, Some(Origin::Of(*id)).filter(|_| Some(*id) != survivor));
        }
        None => {}
    }
    let found: Vec<(Value, Value)> = rows.iter().map(|row| outside(row)).collect();
    if matches!(field.kind, Kind::Options(_) | Kind::References(..)) {
        let values: Vec<Value> = found.into_iter().map(|(value, _)| value).collect();
        return (united(field, &values), Value::Null, Some(Origin::United));
    }
    let first = found.into_iter().zip(&ids).find(|((value, _), _)| !value.is_null());
    let Some(((value, second), id)) = first else {
        return (Value::Null, Value::Null, None);
    };
    (value, second, Some(Origin::Of(*id)).filter(|_| Some(*id) != survivor))
}

fn array(items: &[String]) -> Value {
    if items.is_empty() { Value::Null } else { Value::Text(Json::from(items).to_string()) }
}

/// Every item of every value, once: options in the order in which they are declared, references in the order of the
/// records.
pub(super) fn united(field: &Field, values: &[Value]) -> Value {
    let mut items: Vec<String> = Vec::new();
    for value in values {
        let listed: Vec<String> =
            value.text().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        for item in listed {
            if !items.contains(&item) {
                items.push(item);
            }
        }
    }
    if let Kind::Options(declared) = &field.kind {
        // A choice that is no longer declared stands last.
        let place =
            |item: &String| declared.iter().position(|choice| choice.key == *item).unwrap_or(declared.len());
        items.sort_by_key(place);
    }
    array(&items)
}

/// One id for each source, the survivor's first; and those for which there is no room.
fn external_ids(rows: &[&[Value]]) -> (Value, Vec<(String, String)>) {
    let of = |row: &[Value]| -> BTreeMap<String, String> {
        let text = row.get(EXTERNAL_IDS).and_then(Value::text);
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    };
    let (mut kept, mut spare) = (Map::new(), Vec::new());
    for (source, value) in rows.iter().flat_map(|row| of(row)) {
        match kept.get(&source) {
            None if kept.len() < EXTERNAL => {
                kept.insert(source, Json::String(value));
            }
            Some(Json::String(known)) if *known == value => {}
            _ => spare.push((source, value)),
        }
    }
    let before = rows.first().and_then(|row| row.get(EXTERNAL_IDS)).cloned().unwrap_or_default();
    if kept.len() == rows.first().map_or(0, |row| of(row).len()) {
        return (before, spare); // nothing came to it: its text stays as it is
    }
    (Value::Text(Json::Object(kept).to_string()), spare)
}

#[cfg(test)]
#[path = "tests/plan.rs"]
mod tests;
