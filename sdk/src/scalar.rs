//! The field types: [`Wire`] and [`Stored`] for every Rust type that a field, a parameter or a column may have. Texts,
//! integers and booleans stand here; `number.rs`, `date.rs`, `id.rs` and `composite.rs` have the others.

mod composite;
mod date;
mod id;
mod number;

use std::fmt::Display;
use std::str::FromStr;

use serde_json::{Value, json};

use crate::cells::{Cell, Cells, Malformed, Reader};
use crate::error::Failure;
use crate::field::{Stored, Wire, wrong};
use crate::manifest;
use crate::text::{Email, Json, Phone, RichText, Url};

/// Reads a string with `FromStr`; `code` and `what` say what was expected.
fn from_text<T: FromStr>(
    json: &Value,
    at: &str,
    failures: &mut Vec<Failure>,
    code: &str,
    what: &str,
) -> Option<T> {
    let parsed = match json.as_str() {
        Some(text) => text.parse().map_err(|_| wrong(at, code, what)),
        None => Err(wrong(at, "wrong_type", what)),
    };
    parsed.map_err(|failure| failures.push(failure)).ok()
}

fn write_text(value: &impl Display, out: &mut Cells) {
    out.push(Cell::Text(&value.to_string()));
}

fn read_text<T: FromStr>(reader: &mut Reader<'_>) -> Result<T, Malformed> {
    reader.text()?.parse().map_err(|_| Malformed)
}

fn read_integer(reader: &mut Reader<'_>) -> Result<i64, Malformed> {
    reader.integer()
}

impl Wire for String {
    fn schema() -> Value {
        json!({ "type": "string" })
    }

    fn to_json(&self) -> Value {
        self.as_str().into()
    }

    fn from_json(json: &Value, at: &str, failures: &mut Vec<Failure>) -> Option<Self> {
        from_text(json, at, failures, "wrong_type", "text")
    }
}

impl Stored for String {
    fn declare(field: &mut manifest::Field) {
        field.kind = "text".into();
        field.max_length = Some(500);
    }

    fn write(&self, out: &mut Cells) {
        out.push(Cell::Text(self));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        read_text(reader)
    }
}

impl Wire for i64 {
    fn schema() -> Value {
        json!({ "type": "integer" })
    }

    fn to_json(&self) -> Value {
        (*self).into()
    }

    fn from_json(json: &Value, at: &str, failures: &mut Vec<Failure>) -> Option<Self> {
        let value = json.as_i64();
        if value.is_none() {
            failures.push(wrong(at, "wrong_type", "an integer of 64 bits"));
        }
        value
    }
}

impl Stored for i64 {
    fn declare(field: &mut manifest::Field) {
        field.kind = "integer".into();
    }

    fn write(&self, out: &mut Cells) {
        out.push(Cell::Integer(*self));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        read_integer(reader)
    }
}

impl Wire for bool {
    fn schema() -> Value {
        json!({ "type": "boolean" })
    }

    fn to_json(&self) -> Value {
        (*self).into()
    }

    fn from_json(json: &Value, at: &str, failures: &mut Vec<Failure>) -> Option<Self> {
        let value = json.as_bool();
        if value.is_none() {
            failures.push(wrong(at, "wrong_type", "true or false"));
        }
        value
    }
}

impl Stored for bool {
    fn declare(field: &mut manifest::Field) {
        field.kind = "boolean".into();
    }

    fn write(&self, out: &mut Cells) {
        out.push(Cell::Integer(i64::from(*self)));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        read_integer(reader).map(|value| value != 0)
    }
}

impl Wire for Json {
    fn schema() -> Value {
        json!({})
    }

    fn to_json(&self) -> Value {
        self.0.clone()
    }

    fn from_json(json: &Value, _: &str, _: &mut Vec<Failure>) -> Option<Self> {
        Some(Self(json.clone()))
    }
}

impl Stored for Json {
    fn declare(field: &mut manifest::Field) {
        field.kind = "json".into();
    }

    fn write(&self, out: &mut Cells) {
        write_text(&self.0, out);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        read_text(reader).map(Self)
    }
}

/// Text whose form the host checks: the newtypes say only what it is.
macro_rules! text_field {
    ($($name:ident, $kind:literal, $schema:tt, $max:expr;)+) => {$(
        impl Wire for $name {
            fn schema() -> Value {
                json!($schema)
            }

            fn to_json(&self) -> Value {
                self.0.as_str().into()
            }

            fn from_json(json: &Value, at: &str, failures: &mut Vec<Failure>) -> Option<Self> {
                String::from_json(json, at, failures).map(Self)
            }
        }

        impl Stored for $name {
            fn declare(field: &mut manifest::Field) {
                field.kind = $kind.into();
                field.max_length = $max;
            }

            fn write(&self, out: &mut Cells) {
                self.0.write(out);
            }

            fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
                read_text(reader).map(Self)
            }
        }
    )+};
}

text_field! {
    Email, "email", { "type": "string", "format": "email" }, None;
    Phone, "phone", { "type": "string" }, None;
    Url, "url", { "type": "string", "format": "uri" }, None;
    RichText, "rich_text", { "type": "string" }, Some(10_000);
}
