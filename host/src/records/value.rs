//! A stored value: what one column of one row holds, between JSON, the plugin's cells and the file.

use std::borrow::Cow;

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::ids::RecordId;

/// One column's value. Text covers option keys, dates (`YYYY-MM-DD`) and JSON; ids are 16-byte blobs.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Value {
    /// Absent.
    #[default]
    Null,
    /// Integers, scaled decimals, minor units, parts per million, milliseconds, booleans.
    Integer(i64),
    /// Text.
    Text(String),
    /// An id.
    Id([u8; 16]),
}

impl Value {
    /// Whether there is nothing.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The integer, if it is one.
    #[must_use]
    pub const fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(value) => Some(value),
            _ => None,
        }
    }

    /// The id, if it is one.
    #[must_use]
    pub fn id(&self) -> Option<RecordId> {
        match self {
            Self::Id(bytes) => Some(RecordId::from_bytes(*bytes)),
            _ => None,
        }
    }

    /// The value of a column. Text that is not UTF-8 is repaired, never refused; a real number cannot occur in a
    /// strict table of ours and reads as absent.
    #[must_use]
    pub fn from_sql(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null | ValueRef::Real(_) => Self::Null,
            ValueRef::Integer(value) => Self::Integer(value),
            ValueRef::Text(bytes) => Self::Text(match String::from_utf8_lossy(bytes) {
                Cow::Borrowed(text) => text.to_owned(),
                Cow::Owned(text) => text,
            }),
            ValueRef::Blob(bytes) => <[u8; 16]>::try_from(bytes).map_or(Self::Null, Self::Id),
        }
    }
}

impl Value {
    /// The value as SQLite takes it.
    #[must_use]
    pub const fn as_sql(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Integer(value) => ValueRef::Integer(*value),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Id(bytes) => ValueRef::Blob(bytes),
        }
    }
}

impl From<RecordId> for Value {
    fn from(id: RecordId) -> Self {
        Self::Id(*id.as_bytes())
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.as_sql()))
    }
}
