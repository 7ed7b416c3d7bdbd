//! Decimals, percentages and money as field types.

use serde_json::{Value, json};

use crate::cells::{Cell, Cells, Malformed, Reader};
use crate::decimal::{Decimal, Percent};
use crate::error::Failure;
use crate::field::{Stored, Wire, wrong};
use crate::manifest;
use crate::money::{Currency, Money};

use super::{from_text, read_integer, read_text};

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
