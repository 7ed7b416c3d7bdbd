//! Ids, references, files and choices as field types.

use serde_json::{Value, json};

use crate::cells::{Cell, Cells, Malformed, Reader};
use crate::entity::Entity;
use crate::error::Failure;
use crate::field::{Stored, Wire, wrong};
use crate::id::{FileId, RecordId, Reference, TeamId, UserId};
use crate::manifest;
use crate::text::Choice;

use super::from_text;

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

/// Ids of what the host keeps: stored as the bare id, told apart by what they are declared as.
macro_rules! host_id {
    ($($name:ident, $kind:literal, $target:expr;)+) => {$(
        impl Wire for $name {
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

        impl Stored for $name {
            fn declare(field: &mut manifest::Field) {
                field.kind = $kind.into();
                field.references = $target;
            }

            fn write(&self, out: &mut Cells) {
                self.0.write(out);
            }

            fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
                RecordId::read(reader).map(Self)
            }
        }
    )+};
}

host_id! {
    UserId, "reference", Some("host.user".into());
    TeamId, "reference", Some("host.team".into());
    FileId, "file", None;
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
