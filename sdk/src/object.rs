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
        // null stands for the default, as `member` reads it.
        let nullable = default.is_some() && T::absent().is_none();
        let mut schema = if nullable { Option::<T>::schema() } else { T::schema() };
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::prelude::*;
    use crate::{Wire, field};

    #[entity(value)]
    #[derive(Debug, PartialEq)]
    struct Line {
        #[field(min = 1, max = 5)]
        text: String,
        amount: Option<Money>,
        #[field(default = 1, min = 1)]
        count: i64,
    }

    #[entity(value)]
    #[derive(Debug, PartialEq)]
    struct Order {
        on: Date,
        lines: Vec<Line>,
    }

    #[test]
    fn an_input_is_read_with_its_defaults() {
        let order = json!({ "on": "2026-11-22", "lines": [{ "text": "a", "amount": { "amount": "1.50", "currency": "EUR" } }] });
        let order: Order = field::parse(&order).unwrap();
        assert_eq!((order.lines[0].count, order.lines[0].amount.map(|amount| amount.minor)), (1, Some(150)));
        assert_eq!(order.to_json()["lines"][0]["amount"]["amount"], "1.50");
    }

    #[test]
    fn everything_that_is_wrong_is_reported_with_its_place() {
        let order = json!({
            "on": "2026-02-30",
            "lines": [{ "text": "too long", "count": 0 }, { "amount": { "amount": 1.5, "currency": "EUR" } }, 7],
            "a/b": 1,
        });
        let failures = field::parse::<Order>(&order).unwrap_err();
        let mut places: Vec<(&str, &str)> =
            failures.iter().map(|failure| (failure.pointer.as_str(), failure.code.as_str())).collect();
        places.sort_unstable();
        assert_eq!(
            places,
            [
                ("/a~1b", "unknown_field"),
                ("/lines/0/count", "too_small"),
                ("/lines/0/text", "too_long"),
                ("/lines/1/amount", "money_must_be_string"),
                ("/lines/1/text", "required"),
                ("/lines/2", "wrong_type"),
                ("/on", "invalid_date"),
            ]
        );
    }

    #[test]
    fn the_schema_says_what_is_read() {
        let schema = Line::schema();
        assert_eq!(schema["required"], json!(["text"]));
        assert_eq!(schema["properties"]["text"], json!({ "type": "string", "minLength": 1, "maxLength": 5 }));
        assert_eq!(schema["properties"]["amount"]["type"], json!(["object", "null"]));
        assert_eq!(schema["properties"]["count"]["default"], 1);
        assert_eq!(schema["properties"]["count"]["type"], json!(["integer", "null"]));
    }
}
