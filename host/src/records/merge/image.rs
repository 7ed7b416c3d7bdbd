//! Images of rows: how a record stood, kept as JSON by column name, so that a field added later does not shift it.

use rusqlite::types::ValueRef;
use serde_json::{Map, Value as Json, json};

use crate::ids::RecordId;
use crate::records::Scope;
use crate::records::json::{Form, write_value};
use crate::records::rights::{masked_names, write_masked};
use crate::records::schema::{Entity, Kind};
use crate::records::value::Value;

/// A column's value as JSON that tells ids from text.
pub(super) fn packed(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Integer(integer) => Json::from(*integer),
        Value::Text(text) => Json::from(text.as_str()),
        Value::Id(bytes) => json!({ "id": RecordId::from_bytes(*bytes) }),
    }
}

/// The value that was [`packed`]; what is none reads as absent.
pub(super) fn unpacked(json: &Json) -> Value {
    match json {
        Json::Number(number) => number.as_i64().map_or(Value::Null, Value::Integer),
        Json::String(text) => Value::Text(text.clone()),
        Json::Object(members) => {
            let id = members.get("id").and_then(Json::as_str).and_then(|text| text.parse::<RecordId>().ok());
            id.map_or(Value::Null, Value::from)
        }
        _ => Value::Null,
    }
}

/// A row by column name.
pub(super) fn row(entity: &Entity, values: &[Value]) -> Json {
    entity.columns().zip(values).map(|(name, value)| (name, packed(value))).collect::<Map<_, _>>().into()
}

/// The row of an image in the columns of today; a column that it does not know is absent.
pub(super) fn values(entity: &Entity, image: &Json) -> Vec<Value> {
    entity.columns().map(|name| image.get(&name).map(unpacked).unwrap_or_default()).collect()
}

/// A row as the API writes records.
pub(super) fn shown(scope: &Scope, entity: &Entity, values: &[Value]) -> Json {
    let mut body = vec![b'{'];
    for field in entity.system.iter().chain(&entity.fields).filter(|field| scope.shows(entity, field)) {
        if body.len() > 1 {
            body.push(b',');
        }
        body.extend_from_slice(field.json_key.as_bytes());
        let second = match field.kind {
            Kind::Money => values.get(field.column + 1),
            _ => None,
        };
        let (first, second) = (borrowed(values.get(field.column)), borrowed(second));
        write_value(&Form::of(&field.kind), first, second, &mut body);
    }
    write_masked(&masked_names(scope, entity), &mut body);
    body.push(b'}');
    serde_json::from_slice(&body).unwrap_or_default()
}

fn borrowed(value: Option<&Value>) -> ValueRef<'_> {
    match value {
        None | Some(Value::Null) => ValueRef::Null,
        Some(Value::Integer(integer)) => ValueRef::Integer(*integer),
        Some(Value::Text(text)) => ValueRef::Text(text.as_bytes()),
        Some(Value::Id(bytes)) => ValueRef::Blob(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::tests::garden::garden;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_image_gives_back_every_value(
            value in prop_oneof![
                Just(Value::Null),
                any::<i64>().prop_map(Value::Integer),
                ".*".prop_map(Value::Text),
                any::<[u8; 16]>().prop_map(Value::Id),
            ],
        ) {
            prop_assert_eq!(unpacked(&packed(&value)), value);
        }
    }

    #[test]
    fn a_column_that_the_image_does_not_know_is_absent() {
        let tree = garden().entity("tree").unwrap();
        let mut known = vec![Value::Null; tree.width];
        known[tree.field("name").unwrap().column] = Value::Text("Oak".into());
        let mut image = row(&tree, &known);
        image.as_object_mut().unwrap().remove("rank");
        image["gone"] = json!("x");
        assert_eq!(values(&tree, &image), known);
    }
}
