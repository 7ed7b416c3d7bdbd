//! The field types: [`Wire`] and [`Stored`] for every Rust type that a field, a parameter or a column may have.

use std::fmt::Display;
use std::str::FromStr;

use serde_json::{Value, json};

use crate::cells::{Cell, Cells, Malformed, Reader};
use crate::date::{Date, DateTime};
use crate::decimal::{Decimal, Percent};
use crate::entity::Entity;
use crate::error::Failure;
use crate::field::{Stored, Wire, wrong};
use crate::id::{RecordId, Reference, UserId};
use crate::manifest;
use crate::money::{Currency, Money};
use crate::text::{Choice, Email, Json, Phone, RichText, Url};

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
    match reader.cell()? {
        Cell::Text(text) => text.parse().map_err(|_| Malformed),
        _ => Err(Malformed),
    }
}

fn read_integer(reader: &mut Reader<'_>) -> Result<i64, Malformed> {
    match reader.cell()? {
        Cell::Integer(value) => Ok(value),
        _ => Err(Malformed),
    }
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

impl Wire for Date {
    fn schema() -> Value {
        json!({ "type": "string", "format": "date" })
    }

    fn to_json(&self) -> Value {
        self.to_string().into()
    }

    fn from_json(json: &Value, at: &str, failures: &mut Vec<Failure>) -> Option<Self> {
        from_text(json, at, failures, "invalid_date", "a date of the calendar, YYYY-MM-DD")
    }
}

impl Stored for Date {
    fn declare(field: &mut manifest::Field) {
        field.kind = "date".into();
    }

    fn write(&self, out: &mut Cells) {
        write_text(self, out);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        read_text(reader)
    }
}

impl Wire for DateTime {
    fn schema() -> Value {
        json!({ "type": "string", "format": "date-time" })
    }

    fn to_json(&self) -> Value {
        self.to_string().into()
    }

    fn from_json(json: &Value, at: &str, failures: &mut Vec<Failure>) -> Option<Self> {
        from_text(json, at, failures, "invalid_instant", "an instant with its offset, 2026-11-22T09:30:00Z")
    }
}

impl Stored for DateTime {
    fn declare(field: &mut manifest::Field) {
        field.kind = "date_time".into();
    }

    fn write(&self, out: &mut Cells) {
        out.push(Cell::Integer(self.millis()));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        read_integer(reader).map(Self::from_millis)
    }
}

impl<const SCALE: u8> Wire for Decimal<SCALE> {
    fn schema() -> Value {
        let places = if SCALE == 0 { String::new() } else { format!("(\\.[0-9]{{1,{SCALE}}})?") };
        json!({ "type": "string", "pattern": format!("^-?[0-9]+{places}$") })
    }

    fn to_json(&self) -> Value {
        self.to_string().into()
    }

    fn from_json(json: &Value, at: &str, failures: &mut Vec<Failure>) -> Option<Self> {
        let what = format!("a decimal in quotes with at most {SCALE} places");
        from_text(json, at, failures, "invalid_decimal", &what)
    }
}

impl<const SCALE: u8> Stored for Decimal<SCALE> {
    fn declare(field: &mut manifest::Field) {
        field.kind = "decimal".into();
        field.scale = Some(SCALE);
    }

    fn write(&self, out: &mut Cells) {
        out.push(Cell::Integer(self.scaled()));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        read_integer(reader).map(Self::from_scaled)
    }
}

impl Wire for Percent {
    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^-?[0-9]+(\\.[0-9]{1,4})?$" })
    }

    fn to_json(&self) -> Value {
        self.to_string().into()
    }

    fn from_json(json: &Value, at: &str, failures: &mut Vec<Failure>) -> Option<Self> {
        from_text(
            json,
            at,
            failures,
            "invalid_decimal",
            "a percentage in quotes with at most 4 places, \"12.5\"",
        )
    }
}

impl Stored for Percent {
    fn declare(field: &mut manifest::Field) {
        field.kind = "percent".into();
    }

    fn write(&self, out: &mut Cells) {
        out.push(Cell::Integer(self.ppm()));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        read_integer(reader).map(Self::from_ppm)
    }
}

impl Wire for Currency {
    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^[A-Z]{3}$" })
    }

    fn to_json(&self) -> Value {
        self.code().into()
    }

    fn from_json(json: &Value, at: &str, failures: &mut Vec<Failure>) -> Option<Self> {
        from_text(json, at, failures, "unknown_currency", "a code of ISO 4217, such as EUR")
    }
}

impl Stored for Currency {
    fn declare(field: &mut manifest::Field) {
        field.kind = "text".into();
        field.max_length = Some(3);
    }

    fn write(&self, out: &mut Cells) {
        out.push(Cell::Text(self.code()));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        read_text(reader)
    }
}

impl Wire for Money {
    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": { "amount": { "type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?$" }, "currency": Currency::schema() },
            "required": ["amount", "currency"],
            "additionalProperties": false,
        })
    }

    fn to_json(&self) -> Value {
        json!({ "amount": self.amount(), "currency": self.currency.code() })
    }

    fn from_json(json: &Value, at: &str, failures: &mut Vec<Failure>) -> Option<Self> {
        let what = r#"money: {"amount":"1234.50","currency":"EUR"}"#;
        let read = || {
            let members =
                json.as_object().filter(|members| members.len() == 2).ok_or(("wrong_type", what))?;
            let (amount, currency) =
                members.get("amount").zip(members.get("currency")).ok_or(("wrong_type", what))?;
            if amount.is_number() {
                return Err(("money_must_be_string", what));
            }
            let currency = currency.as_str().and_then(|code| code.parse().ok());
            let currency = currency.ok_or(("unknown_currency", "in a currency of ISO 4217, such as EUR"))?;
            let amount = amount.as_str().ok_or(("wrong_type", what))?;
            Self::parse(amount, currency)
                .map_err(|_| ("invalid_decimal", "an amount with the currency's places at most"))
        };
        read().map_err(|(code, what)| failures.push(wrong(at, code, what))).ok()
    }
}

impl Stored for Money {
    const CELLS: usize = 2;

    fn declare(field: &mut manifest::Field) {
        field.kind = "money".into();
    }

    fn write(&self, out: &mut Cells) {
        out.push(Cell::Integer(self.minor));
        out.push(Cell::Text(self.currency.code()));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { minor: read_integer(reader)?, currency: read_text(reader)? })
    }
}

impl Wire for RecordId {
    fn schema() -> Value {
        json!({ "type": "string", "format": "uuid" })
    }

    fn to_json(&self) -> Value {
        self.to_string().into()
    }

    fn from_json(json: &Value, at: &str, failures: &mut Vec<Failure>) -> Option<Self> {
        from_text(json, at, failures, "invalid_id", "the id of a record")
    }
}

impl Stored for RecordId {
    fn declare(field: &mut manifest::Field) {
        field.kind = "reference".into();
    }

    fn write(&self, out: &mut Cells) {
        out.push(Cell::Blob(self.as_bytes()));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        match reader.cell()? {
            Cell::Blob(bytes) => bytes.try_into().map(Self::from_bytes).map_err(|_| Malformed),
            _ => Err(Malformed),
        }
    }
}

impl Wire for UserId {
    fn schema() -> Value {
        RecordId::schema()
    }

    fn to_json(&self) -> Value {
        self.0.to_json()
    }

    fn from_json(json: &Value, at: &str, failures: &mut Vec<Failure>) -> Option<Self> {
        RecordId::from_json(json, at, failures).map(Self)
    }
}

impl Stored for UserId {
    fn declare(field: &mut manifest::Field) {
        field.kind = "reference".into();
        field.references = Some("host.user".into());
    }

    fn write(&self, out: &mut Cells) {
        self.0.write(out);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        RecordId::read(reader).map(Self)
    }
}

impl<T: Entity> Wire for Reference<T> {
    fn schema() -> Value {
        RecordId::schema()
    }

    fn to_json(&self) -> Value {
        self.id().to_json()
    }

    fn from_json(json: &Value, at: &str, failures: &mut Vec<Failure>) -> Option<Self> {
        RecordId::from_json(json, at, failures).map(Self::from)
    }
}

impl<T: Entity> Stored for Reference<T> {
    fn declare(field: &mut manifest::Field) {
        field.kind = "reference".into();
        field.references = Some(format!(".{}", T::KEY));
        field.on_delete = Some("restrict".into());
    }

    fn write(&self, out: &mut Cells) {
        self.id().write(out);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        RecordId::read(reader).map(Self::from)
    }
}

impl<T: Choice> Wire for T {
    fn schema() -> Value {
        json!({ "type": "string", "enum": T::OPTIONS.iter().map(|(key, _)| *key).collect::<Vec<_>>() })
    }

    fn to_json(&self) -> Value {
        self.key().into()
    }

    fn from_json(json: &Value, at: &str, failures: &mut Vec<Failure>) -> Option<Self> {
        let choice = json.as_str().and_then(T::from_key);
        if choice.is_none() {
            let known: Vec<&str> = T::OPTIONS.iter().map(|(key, _)| *key).collect();
            failures.push(wrong(at, "unknown_option", &format!("one of {}", known.join(", "))));
        }
        choice
    }
}

impl<T: Choice> Stored for T {
    fn declare(field: &mut manifest::Field) {
        field.choose_from(T::OPTIONS);
    }

    fn write(&self, out: &mut Cells) {
        out.push(Cell::Text(self.key()));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        match reader.cell()? {
            Cell::Text(key) => T::from_key(key).ok_or(Malformed),
            _ => Err(Malformed),
        }
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
