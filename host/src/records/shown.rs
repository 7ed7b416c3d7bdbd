//! Records as the API shows them, out of values in memory instead of a row.

use super::json::{Form, write_value};
use super::schema::{DELETED_AT, Entity, Field, Kind};
use super::value::Value;
use rusqlite::types::ValueRef;

/// The system's columns that stand before the declared fields, and those that stand behind.
const LEADING: [&str; 8] =
    ["id", "version", "created_at", "updated_at", "created_by", "updated_by", "owner_id", "team_id"];
const TRAILING: [&str; 2] = ["source", "external_ids"];

/// The fields of an entity in the order of the API.
pub(super) fn fields(entity: &Entity) -> impl Iterator<Item = &Field> {
    let leading = LEADING.iter().filter_map(|key| entity.attribute(key));
    let trailing = TRAILING.iter().filter_map(|key| entity.attribute(key));
    leading.chain(&entity.fields).chain(trailing)
}

/// The columns of a field.
pub(super) fn columns<'v>(field: &Field, values: &'v [Value]) -> (&'v Value, &'v Value) {
    const NOTHING: &Value = &Value::Null;
    let second = if matches!(field.kind, Kind::Money) { values.get(field.column + 1) } else { None };
    (values.get(field.column).unwrap_or(NOTHING), second.unwrap_or(NOTHING))
}

/// Writes the members of these fields, without braces.
pub(super) fn write_members<'f>(
    fields: impl Iterator<Item = &'f Field>,
    values: &[Value],
    out: &mut Vec<u8>,
) {
    for (at, field) in fields.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let (value, second) = columns(field, values);
        out.extend_from_slice(field.json_key.as_bytes());
        write_value(&Form::of(&field.kind), value.as_sql(), second.as_sql(), out);
    }
}

/// Writes when a record was deleted, or that it was not.
pub(super) fn write_deleted_at(values: &[Value], out: &mut Vec<u8>) {
    let at = values.get(DELETED_AT).map_or(ValueRef::Null, Value::as_sql);
    out.extend_from_slice(b"\"deleted_at\":");
    write_value(&Form::Instant, at, ValueRef::Null, out);
}
