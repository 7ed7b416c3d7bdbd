//! From OpenAPI 3.0, which poem-openapi writes, to 3.1: the one pass over the host's own part.

use serde_json::{Map, Value, json};

use super::merge::member;
use crate::http::access::SCHEME;

/// Rewrites a 3.0 document as 3.1.
pub(crate) fn upgrade(document: &mut Value) {
    *member(document, "openapi") = json!("3.1.0");
    *member(document, "security") = json!([{ SCHEME: [] }]);
    document.pointer_mut("/components/schemas").into_iter().flat_map(values_mut).for_each(upgrade_schema);
    for operation in document.get_mut("paths").into_iter().flat_map(values_mut).flat_map(values_mut) {
        upgrade_operation(operation);
    }
}

fn upgrade_operation(operation: &mut Value) {
    // Without an own list an operation would inherit the document's: say that it is open.
    if let Some(members) = operation.as_object_mut() {
        members.entry("security").or_insert_with(|| json!([]));
    }
    for parameter in operation.get_mut("parameters").into_iter().flat_map(items_mut) {
        parameter.get_mut("schema").into_iter().for_each(upgrade_schema);
    }
    operation.get_mut("requestBody").into_iter().for_each(upgrade_content);
    for response in operation.get_mut("responses").into_iter().flat_map(values_mut) {
        upgrade_content(response);
        for header in response.get_mut("headers").into_iter().flat_map(values_mut) {
            header.get_mut("schema").into_iter().for_each(upgrade_schema);
        }
    }
}

fn upgrade_content(holder: &mut Value) {
    for media in holder.get_mut("content").into_iter().flat_map(values_mut) {
        media.get_mut("schema").into_iter().for_each(upgrade_schema);
    }
}

fn upgrade_schema(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else {
        return;
    };
    for (limit, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
        match members.remove(exclusive) {
            Some(Value::Bool(true)) => {
                let bound = members.remove(limit).unwrap_or_default();
                members.insert(exclusive.to_owned(), bound);
            }
            Some(Value::Bool(false)) | None => {}
            Some(number) => drop(members.insert(exclusive.to_owned(), number)),
        }
    }
    if let Some(example) = members.remove("example") {
        members.insert("examples".to_owned(), json!([example]));
    }
    if members.get("format").is_some_and(|format| format == "binary") {
        members.remove("format");
        members.insert("contentMediaType".to_owned(), json!("application/octet-stream"));
    }
    for name in ["items", "additionalProperties"] {
        members.get_mut(name).into_iter().for_each(upgrade_schema);
    }
    for name in ["anyOf", "oneOf", "allOf"] {
        members.get_mut(name).into_iter().flat_map(items_mut).for_each(upgrade_schema);
    }
    members.get_mut("properties").into_iter().flat_map(values_mut).for_each(upgrade_schema);
    optional_may_be_null(members);
    if members.remove("nullable") == Some(Value::Bool(true)) {
        allow_null(schema);
    }
}

/// The host answers an absent value with null and takes null for absent: the document says so.
fn optional_may_be_null(members: &mut Map<String, Value>) {
    let required = members.get("required").cloned().unwrap_or_default();
    let Some(Value::Object(properties)) = members.get_mut("properties") else {
        return;
    };
    for (name, property) in properties {
        let required = required.as_array().is_some_and(|names| names.iter().any(|required| required == name));
        if !required {
            allow_null(property);
        }
    }
}

fn allow_null(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else {
        return;
    };
    let nothing = json!({ "type": "null" });
    let nullable = members.get("anyOf").and_then(Value::as_array).is_some_and(|any| any.contains(&nothing));
    if members.is_empty() || nullable {
        return;
    }
    match members.get_mut("type") {
        Some(kind @ Value::String(_)) => {
            *kind = json!([kind.take(), "null"]);
            if let Some(Value::Array(options)) = members.get_mut("enum") {
                options.push(Value::Null);
            }
        }
        Some(_) => {}
        None => *schema = json!({ "anyOf": [schema.take(), nothing] }),
    }
}

fn values_mut(value: &mut Value) -> Box<dyn Iterator<Item = &mut Value> + '_> {
    match value {
        Value::Object(members) => Box::new(members.values_mut()),
        _ => Box::new(std::iter::empty()),
    }
}

fn items_mut(value: &mut Value) -> Box<dyn Iterator<Item = &mut Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter_mut()),
        _ => Box::new(std::iter::empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upgraded(mut schema: Value) -> Value {
        upgrade_schema(&mut schema);
        schema
    }

    #[test]
    fn schemas_become_3_1() {
        let cases = [
            (json!({"type": "string", "nullable": true}), json!({"type": ["string", "null"]})),
            (
                json!({"type": "string", "enum": ["a"], "nullable": true}),
                json!({"type": ["string", "null"], "enum": ["a", null]}),
            ),
            (
                json!({"$ref": "#/components/schemas/A", "nullable": true}),
                json!({"anyOf": [{"$ref": "#/components/schemas/A"}, {"type": "null"}]}),
            ),
            (json!({"minimum": 1.0, "exclusiveMinimum": true}), json!({"exclusiveMinimum": 1.0})),
            (json!({"minimum": 1.0, "exclusiveMinimum": false}), json!({"minimum": 1.0})),
            (
                json!({"type": "object", "required": ["a"], "properties": {"nullable": {"type": "integer"}, "a": {"type": "string"}}}),
                json!({"type": "object", "required": ["a"], "properties": {"nullable": {"type": ["integer", "null"]}, "a": {"type": "string"}}}),
            ),
            (
                json!({"type": "array", "items": {"example": 1}}),
                json!({"type": "array", "items": {"examples": [1]}}),
            ),
        ];
        for (old, new) in cases {
            assert_eq!(upgraded(old), new);
        }
    }
}
