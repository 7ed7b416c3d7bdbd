//! Rust types as field types: how a value looks in JSON ([`Wire`]), and how it is declared and stored ([`Stored`]).

use serde_json::{Map, Value, json};

use crate::cells::{Cell, Cells, Malformed, Reader};
use crate::error::Failure;
use crate::manifest;

/// How a value looks in JSON: inputs and outputs of actions, parameters of reports, settings.
pub trait Wire: Sized {
    /// Its JSON Schema.
    fn schema() -> Value;

    /// The value as JSON.
    fn to_json(&self) -> Value;

    /// Reads the value; what is wrong goes into `failures`, with `at` as the pointer.
    fn from_json(json: &Value, at: &str, failures: &mut Vec<Failure>) -> Option<Self>;

    /// What a missing member means; `None` when it must be there.
    #[must_use]
    fn absent() -> Option<Self> {
        None
    }
}

/// How a value is declared in the manifest and stored in cells.
pub trait Stored: Wire {
    /// Cells that it takes: one, but two for money.
    const CELLS: usize = 1;

    /// Whether "no value" is none of its values.
    const REQUIRED: bool = true;

    /// States type, scale, options and target.
    fn declare(field: &mut manifest::Field);

    /// Appends its cells.
    fn write(&self, out: &mut Cells);

    /// Reads its cells.
    ///
    /// # Errors
    /// The cells are of another type.
    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed>;
}

/// A value that [`Wire::from_json`] reads on its own.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse<T: Wire>(json: &Value) -> Result<T, Vec<Failure>> {
    let mut failures = Vec::new();
    match T::from_json(json, "", &mut failures) {
        Some(value) if failures.is_empty() => Ok(value),
        _ => Err(failures),
    }
}

/// Reads one member of an object; `None` with a failure when it is missing or wrong.
pub fn member<T: Wire>(
    object: &Map<String, Value>,
    key: &str,
    default: Option<Value>,
    at: &str,
    failures: &mut Vec<Failure>,
) -> Option<T> {
    let at = format!("{at}/{key}");
    let default = default.as_ref();
    match object.get(key).filter(|value| !(value.is_null() && default.is_some())).or(default) {
        Some(value) => T::from_json(value, &at, failures),
        None => T::absent().or_else(|| {
            failures.push(Failure::new(at, "required", format!("`{key}` is required; send a value")));
            None
        }),
    }
}

/// Complains about members that the type does not have.
pub fn known_members(object: &Map<String, Value>, known: &[&str], at: &str, failures: &mut Vec<Failure>) {
    for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
        let escaped = key.replace('~', "~0").replace('/', "~1");
        let detail = format!("there is no `{key}` here; known: {}", known.join(", "));
        failures.push(Failure::new(format!("{at}/{escaped}"), "unknown_field", detail));
    }
}

/// Reads a stored value, or the declared default where the file has none (a row older than the field).
///
/// # Errors
/// The cells are of another type.
pub fn read_or<T: Stored>(reader: &mut Reader<'_>, default: &Value) -> Result<T, Malformed> {
    let packed = reader.packed(T::CELLS)?;
    match Reader::new(packed).cell()? {
        Cell::Null => parse(default).map_err(|_| Malformed),
        _ => T::read(&mut Reader::new(packed)),
    }
}

/// The failure of a value of the wrong type or form.
pub(crate) fn wrong(at: &str, code: &str, what: &str) -> Failure {
    Failure::new(at, code, format!("must be {what}"))
}

impl<T: Wire> Wire for Option<T> {
    fn schema() -> Value {
        let mut schema = T::schema();
        if let Some(members) = schema.as_object_mut() {
            if let Some(kind) = members.get_mut("type") {
                *kind = json!([kind.clone(), "null"]);
            }
            if let Some(Value::Array(options)) = members.get_mut("enum") {
                options.push(Value::Null);
            }
        }
        schema
    }

    fn to_json(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::to_json)
    }

    fn from_json(json: &Value, at: &str, failures: &mut Vec<Failure>) -> Option<Self> {
        match json {
            Value::Null => Some(None),
            _ => T::from_json(json, at, failures).map(Some),
        }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Stored> Stored for Option<T> {
    const CELLS: usize = T::CELLS;
    const REQUIRED: bool = false;

    fn declare(field: &mut manifest::Field) {
        T::declare(field);
    }

    fn write(&self, out: &mut Cells) {
        match self {
            Some(value) => value.write(out),
            None => (0..T::CELLS).for_each(|_| out.push(Cell::Null)),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        if reader.at_null() {
            reader.packed(T::CELLS)?;
            return Ok(None);
        }
        T::read(reader).map(Some)
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn schema() -> Value {
        json!({ "type": "array", "items": T::schema() })
    }

    fn to_json(&self) -> Value {
        self.iter().map(T::to_json).collect()
    }

    fn from_json(json: &Value, at: &str, failures: &mut Vec<Failure>) -> Option<Self> {
        let Some(items) = json.as_array() else {
            failures.push(wrong(at, "wrong_type", "a list"));
            return None;
        };
        // Every item is looked at, so that every failure is reported.
        let items: Vec<Option<T>> = items
            .iter()
            .enumerate()
            .map(|(n, item)| T::from_json(item, &format!("{at}/{n}"), failures))
            .collect();
        items.into_iter().collect()
    }
}

/// No input and no output: an empty object.
impl Wire for () {
    fn schema() -> Value {
        json!({ "type": "object", "properties": {}, "required": [], "additionalProperties": false })
    }

    fn to_json(&self) -> Value {
        json!({})
    }

    fn from_json(json: &Value, at: &str, failures: &mut Vec<Failure>) -> Option<Self> {
        match json.as_object() {
            Some(members) => known_members(members, &[], at, failures),
            None => failures.push(wrong(at, "wrong_type", "an object")),
        }
        Some(())
    }
}

/// Any JSON object as it is, for outputs whose members depend on the record.
impl Wire for Map<String, Value> {
    fn schema() -> Value {
        json!({ "type": "object" })
    }

    fn to_json(&self) -> Value {
        Value::Object(self.clone())
    }

    fn from_json(json: &Value, at: &str, failures: &mut Vec<Failure>) -> Option<Self> {
        let object = json.as_object().cloned();
        if object.is_none() {
            failures.push(wrong(at, "wrong_type", "an object"));
        }
        object
    }
}
