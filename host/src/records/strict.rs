//! JSON objects from strangers: members in order, a duplicate member refused, depth bounded by the parser (128).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Why a body is not the object that was asked for. Never repeats what the parser said: it may quote the input.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StrictError {
    /// Not JSON, or not one JSON object.
    #[error("the body is not one JSON object (see line {line}, column {column})")]
    Malformed {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A member stands twice.
    #[error("the member `{0}` stands twice; send it once")]
    Duplicate(String),
}

const DUPLICATE: &str = "duplicate member: ";

/// Parses one JSON object.
///
/// # Errors
/// [`StrictError`].
pub fn object(bytes: &[u8]) -> Result<Map<String, Value>, StrictError> {
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let parsed = Strict.deserialize(&mut parser).and_then(|value| parser.end().map(|()| value));
    match parsed {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(StrictError::Malformed { line: 1, column: 1 }),
        Err(error) => {
            let text = error.to_string();
            if let Some(rest) = text.strip_prefix(DUPLICATE) {
                let name = rest.split(" at line ").next().unwrap_or_default();
                return Err(StrictError::Duplicate(name.chars().take(64).collect()));
            }
            Err(StrictError::Malformed { line: error.line(), column: error.column() })
        }
    }
}

/// Any JSON value, without duplicate members anywhere.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Strict)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!("{DUPLICATE}{key}")));
            }
            map.insert(key, members.next_value_seed(Strict)?);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duplicate_member_is_refused_at_any_depth() {
        assert_eq!(object(br#"{"a":1,"a":2}"#), Err(StrictError::Duplicate("a".into())));
        assert_eq!(object(br#"{"x":[{"b":1,"b":2}]}"#), Err(StrictError::Duplicate("b".into())));
    }

    #[test]
    fn only_one_whole_object_is_a_body() {
        for bad in ["", "null", "[]", "1", "{", "{}{}", "{\"a\":}", "{\"a\":1,}"] {
            assert!(object(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(object(format!("{}{}", "[".repeat(200), "]".repeat(200)).as_bytes()).is_err());
        assert_eq!(object(br#"{"a":"b"}"#).unwrap()["a"], "b");
    }
}
