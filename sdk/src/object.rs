//! What `#[entity(value)]` is made of: schemas of objects, their members, and bounds.

use serde_json::{Map, Value, json};

use crate::error::Failure;
use crate::field::{Wire, known_members, wrong};

/// The JSON Schema of an object, member by member.
#[derive(Default)]
pub struct Schema {
    properties: Map<String, Value>,
    required: Vec<Value>,
}

impl Schema {
    /// Adds a member.
    pub fn member<T: Wire>(
        &mut self,
        key: &str,
        help: &str,
        default: Option<Value>,
        min: Option<i64>,
        max: Option<i64>,
    ) {
        let mut schema = T::schema();
        if T::absent().is_none() && default.is_none() {
            self.required.push(key.into());
        }
        if let Some(members) = schema.as_object_mut() {
            let text = members
                .get("type")
                .is_some_and(|kind| kind == "string" || kind == &json!(["string", "null"]));
            let (least, most) = if text { ("minLength", "maxLength") } else { ("minimum", "maximum") };
            let described = (!help.is_empty()).then(|| help.into());
            let further = [
                ("description", described),
                ("default", default),
                (least, min.map(Value::from)),
                (most, max.map(Value::from)),
            ];
            members.extend(further.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
        }
        self.properties.insert(key.into(), schema);
    }

    /// The schema. Unknown members are refused.
    #[must_use]
    pub fn finish(self) -> Value {
        json!({ "type": "object", "properties": self.properties, "required": self.required, "additionalProperties": false })
    }
}

/// The members of an object, all of them known.
pub fn members<'a>(
    json: &'a Value,
    known: &[&str],
    at: &str,
    failures: &mut Vec<Failure>,
) -> Option<&'a Map<String, Value>> {
    let object = json.as_object();
    match object {
        Some(object) => known_members(object, known, at, failures),
        None => failures.push(wrong(at, "wrong_type", "an object")),
    }
    object
}

/// Checks the bounds of a member: characters of a text, value of an integer.
pub fn within(
    object: &Map<String, Value>,
    key: &str,
    min: Option<i64>,
    max: Option<i64>,
    at: &str,
    failures: &mut Vec<Failure>,
) {
    let (size, codes) = match object.get(key) {
        Some(Value::String(text)) => (i64::try_from(text.chars().count()).ok(), ("too_short", "too_long")),
        Some(value) => (value.as_i64(), ("too_small", "too_large")),
        None => return,
    };
    let Some(size) = size else { return };
    if let Some(min) = min.filter(|min| size < *min) {
        failures.push(Failure::new(
            format!("{at}/{key}"),
            codes.0,
            format!("must be at least {min} (characters, for a text)"),
        ));
    }
    if let Some(max) = max.filter(|max| size > *max) {
        failures.push(Failure::new(
            format!("{at}/{key}"),
            codes.1,
            format!("must be at most {max} (characters, for a text)"),
        ));
    }
}
