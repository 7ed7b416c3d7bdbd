//! Several parts of one document into one.

use serde_json::{Map, Value};

/// Adds what `part` has and `document` has not; the first of two equal names stays.
pub(super) fn merge(document: &mut Value, part: Value) {
    let Value::Object(part) = part else { return };
    for (name, value) in part {
        match (name.as_str(), value) {
            ("paths", Value::Object(paths)) => add(member(document, "paths"), paths),
            ("components", Value::Object(kinds)) => {
                for (kind, components) in kinds {
                    if let Value::Object(components) = components {
                        add(member(member(document, "components"), &kind), components);
                    }
                }
            }
            ("tags", Value::Array(tags)) => add_tags(document, tags),
            _ => {}
        }
    }
}

/// The member of an object, which is made when it is not there.
pub(super) fn member<'a>(value: &'a mut Value, name: &str) -> &'a mut Value {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    &mut value[name]
}

fn add(target: &mut Value, more: Map<String, Value>) {
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(members) = target.as_object_mut() else {
        return;
    };
    for (name, value) in more {
        if members.get(&name).is_some_and(|present| *present != value) {
            tracing::warn!(name, "two parts of the API document use the same name");
        }
        members.entry(name).or_insert(value);
    }
}

fn add_tags(document: &mut Value, more: Vec<Value>) {
    let tags = member(document, "tags");
    if !tags.is_array() {
        *tags = Value::Array(Vec::new());
    }
    let Some(tags) = tags.as_array_mut() else { return };
    for tag in more {
        if !tags.iter().any(|known| known.get("name") == tag.get("name")) {
            tags.push(tag);
        }
    }
}
