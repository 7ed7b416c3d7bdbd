//! Dates and instants as field types.

use serde_json::{Value, json};

use crate::cells::{Cell, Cells, Malformed, Reader};
use crate::date::{Date, DateTime};
use crate::error::Failure;
use crate::field::{Stored, Wire};
use crate::manifest;

use super::{from_text, read_integer, read_text, write_text};

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
