//! What an import did to one record: for each column the value before it and the value after it.

use std::collections::BTreeMap;
use std::str::FromStr as _;

use serde_json::{Map, Value as Json};

use crate::ids::RecordId;
use crate::records::schema::{CREATED_AT, CREATED_BY, EXTERNAL_IDS, UPDATED_AT, UPDATED_BY, VERSION};
use crate::records::schema::{DELETED_AT, Entity, Field, ID, Kind, OWNER, SOURCE, Stored, TEAM};
use crate::records::value::Value;

/// Columns by their place: before and after.
#[derive(Debug, Default)]
pub(super) struct Image(BTreeMap<usize, (Value, Value)>);

/// Columns that every change changes.
const fn stamps(column: usize) -> bool {
    matches!(column, VERSION | UPDATED_AT | UPDATED_BY)
}

impl Image {
    /// The image of these entries, oldest first. Columns that the entity has no more are left out.
    pub(super) fn of(entity: &Entity, history: &[(Option<String>, Option<String>)]) -> Self {
        let places: BTreeMap<String, usize> = entity.columns().zip(0..).collect();
        let mut image = Self::default();
        for (old, new) in history {
            let parse = |text: &Option<String>| -> Map<String, Json> {
                text.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
            };
            let (old, new) = (parse(old), parse(new));
            for (name, json) in &new {
                let Some(at) = places.get(name).copied().filter(|at| !stamps(*at)) else {
                    continue;
                };
                let after = value(entity, at, json);
                let before = || old.get(name).map(|json| value(entity, at, json)).unwrap_or_default();
                image.0.entry(at).or_insert_with(|| (before(), Value::Null)).1 = after;
            }
        }
        image
    }

    /// Fields whose value is not what the import left, and not what was before it either.
    pub(super) fn changed_since(&self, entity: &Entity, current: &[Value]) -> Vec<String> {
        let differs = |(at, (before, after)): &(&usize, &(Value, Value))| {
            current.get(**at).is_none_or(|now| now != after && now != before)
        };
        names(entity, self.0.iter().filter(differs).map(|(at, _)| *at))
    }

    /// Fields whose value is not what the import left.
    pub(super) fn touched_since(&self, entity: &Entity, current: &[Value]) -> Vec<String> {
        let differs = |(at, (_, after)): &(&usize, &(Value, Value))| current.get(**at) != Some(after);
        names(entity, self.0.iter().filter(differs).map(|(at, _)| *at))
    }

    /// The record as it was before.
    pub(super) fn before(&self, current: &[Value]) -> Vec<Value> {
        let mut values = current.to_vec();
        for (at, (before, _)) in &self.0 {
            if let Some(slot) = values.get_mut(*at) {
                *slot = before.clone();
            }
        }
        values
    }
}

/// The keys of the fields in these columns, each once.
fn names(entity: &Entity, columns: impl Iterator<Item = usize>) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for at in columns {
        let key = match at {
            DELETED_AT => Some("deleted_at"),
            _ => field_at(entity, at).map(|field| &*field.key),
        };
        if let Some(key) = key.filter(|key| keys.iter().all(|known| known != key)) {
            keys.push(key.to_owned());
        }
    }
    keys
}

fn field_at(entity: &Entity, at: usize) -> Option<&Field> {
    let spans =
        |field: &&Field| at == field.column || matches!(field.kind, Kind::Money) && at == field.column + 1;
    entity.fields.iter().find(spans).or_else(|| entity.system.iter().find(|field| field.column == at))
}

/// A value of the change log as the column holds it.
fn value(entity: &Entity, at: usize, json: &Json) -> Value {
    let stored = match at {
        ID | CREATED_BY | UPDATED_BY | OWNER | TEAM => Stored::Id,
        VERSION | CREATED_AT | UPDATED_AT | DELETED_AT => Stored::Integer,
        SOURCE | EXTERNAL_IDS => Stored::Text,
        _ => match field_at(entity, at) {
            Some(field) if field.column == at => field.kind.stored(),
            _ => Stored::Text, // a currency
        },
    };
    match (stored, json) {
        (Stored::Integer, Json::Number(number)) => number.as_i64().map_or(Value::Null, Value::Integer),
        (Stored::Text, Json::String(text)) => Value::Text(text.clone()),
        (Stored::Id, Json::String(text)) => RecordId::from_str(text).map_or(Value::Null, Value::from),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::tests::garden::garden;

    #[test]
    fn an_image_is_what_stood_before_the_first_and_after_the_last_entry() {
        let garden = garden();
        let tree = garden.entity("tree").unwrap();
        let entry = |old: &str, new: &str| (Some(old.to_owned()), Some(new.to_owned()));
        let id = RecordId::new();
        let history = [
            entry(
                r#"{"name":"a","version":1,"price":5,"price_currency":"EUR"}"#,
                r#"{"name":"b","version":2,"price":null,"price_currency":null}"#,
            ),
            entry(
                r#"{"name":"b","root":null,"gone":1}"#,
                &format!(r#"{{"name":"c","root":"{id}","gone":2}}"#),
            ),
        ];
        let image = Image::of(&tree, &history);
        let place = |key: &str| tree.field(key).unwrap().column;
        let mut current = vec![Value::Null; tree.width];
        current[place("name")] = Value::Text("c".into());
        current[place("root")] = Value::from(id);
        assert!(image.changed_since(&tree, &current).is_empty());
        let before = image.before(&current);
        assert_eq!(before[place("name")], Value::Text("a".into()));
        assert_eq!(before[place("root")], Value::Null);
        assert_eq!(
            (&before[place("price")], &before[place("price") + 1]),
            (&Value::Integer(5), &Value::Text("EUR".into()))
        );
        assert!(image.changed_since(&tree, &before).is_empty(), "it may be undone already");
        assert_eq!(image.touched_since(&tree, &before), ["name", "price", "root"]);
        current[place("name")] = Value::Text("d".into());
        assert_eq!(image.changed_since(&tree, &current), ["name"]);
    }
}
