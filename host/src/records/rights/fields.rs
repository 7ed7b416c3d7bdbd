//! Which fields of an entity a caller may read and write.

use std::io::Write as _;

use crate::policy::{FieldUse, Label};
use crate::records::Scope;
use crate::records::error::RecordError;
use crate::records::schema::{Entity, Field, Kind, SYSTEM_COLUMNS};
use crate::records::value::Value;

impl Scope {
    /// Whether the caller may read, or write, this field of the entity.
    #[must_use]
    pub fn allows_field(&self, entity: &Entity, field: &Field, by: FieldUse) -> bool {
        // What every record has says what it is and whose: a record without it could not be shown.
        if field.column < SYSTEM_COLUMNS.len() {
            return true;
        }
        let plain = !matches!(field.class, Label::Restricted | Label::Secret);
        if plain && !self.policy.speaks_of_fields(&entity.object) {
            return true;
        }
        self.policy.allows_field(&self.caller.principal, &entity.object, &field.key, field.class, by)
    }

    /// Whether the caller may read this field.
    #[must_use]
    pub fn shows(&self, entity: &Entity, field: &Field) -> bool {
        self.allows_field(entity, field, FieldUse::Read)
    }

    /// The field with this key, if there is one and the caller may read it: for texts that name a record.
    #[must_use]
    pub fn shown_field<'e>(&self, entity: &'e Entity, key: &str) -> Option<&'e Field> {
        entity.field(key).filter(|field| self.shows(entity, field))
    }

    /// Empties what the caller may not read of a row.
    pub fn mask(&self, entity: &Entity, values: &mut [Value]) {
        for field in entity.fields.iter().filter(|field| !self.shows(entity, field)) {
            let columns = if matches!(field.kind, Kind::Money) { 2 } else { 1 };
            values.iter_mut().skip(field.column).take(columns).for_each(|value| *value = Value::Null);
        }
    }

    /// Refuses to give a value to a field that the caller may not write.
    ///
    /// # Errors
    /// [`RecordError::FieldNotWritable`].
    pub fn may_write(&self, entity: &Entity, field: &Field) -> Result<(), RecordError> {
        if self.allows_field(entity, field, FieldUse::Write) {
            return Ok(());
        }
        Err(RecordError::FieldNotWritable { object: entity.object.to_string(), field: field.key.to_string() })
    }

    /// Refuses what looks at a field that the caller may not read.
    ///
    /// # Errors
    /// [`RecordError::FieldNotReadable`].
    pub fn may_read(&self, entity: &Entity, field: &Field) -> Result<(), RecordError> {
        if self.shows(entity, field) {
            return Ok(());
        }
        Err(RecordError::FieldNotReadable { object: entity.object.to_string(), field: field.key.to_string() })
    }
}

/// The fields that the caller may not read, in their order.
pub(in crate::records) fn masked_names(scope: &Scope, entity: &Entity) -> Vec<String> {
    let hidden = entity.fields.iter().filter(|field| !scope.shows(entity, field));
    hidden.map(|field| field.key.to_string()).collect()
}

/// `,"_masked":["phone"]`, or nothing: keys are [a-z0-9_], so there is nothing to escape.
pub(in crate::records) fn write_masked(names: &[String], out: &mut Vec<u8>) {
    if !names.is_empty() {
        // Writing into a vector cannot fail.
        let _ = write!(out, ",\"_masked\":[\"{}\"]", names.join("\",\""));
    }
}
