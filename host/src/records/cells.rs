//! Packed cells, the form in which rows cross to plugins and back (`sdk/wit/v1/types.wit`).

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::value::Value;

const NULL: u8 = 0;
const INTEGER: u8 = 1;
const REAL: u8 = 2;
const TEXT: u8 = 3;
const BLOB: u8 = 4;

/// The cells end in the middle of a value, or a tag is unknown, or a text is not UTF-8.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("malformed cells")]
pub struct MalformedCells;

/// One cell, borrowed from the buffer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// Absent.
    Null,
    /// An integer.
    Integer(i64),
    /// A double. Entities have none; a plugin's own SQL may.
    Real(f64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

impl Cell<'_> {
    /// The cell as a value of an entity's column; doubles and blobs that are not ids have no place there.
    ///
    /// # Errors
    /// [`MalformedCells`] for those.
    pub fn to_value(self) -> Result<Value, MalformedCells> {
        match self {
            Self::Null => Ok(Value::Null),
            Self::Integer(value) => Ok(Value::Integer(value)),
            Self::Text(text) => Ok(Value::Text(text.to_owned())),
            Self::Blob(bytes) => bytes.try_into().map(Value::Id).map_err(|_| MalformedCells),
            Self::Real(_) => Err(MalformedCells),
        }
    }
}

impl<'a> Cell<'a> {
    /// The cell as SQLite takes it.
    pub(super) const fn as_sql(self) -> ValueRef<'a> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Integer(value) => ValueRef::Integer(value),
            Self::Real(value) => ValueRef::Real(value),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }
    }
}

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.as_sql()))
    }
}

/// Reads cells one after the other.
pub struct Cells<'a>(&'a [u8]);

impl<'a> Cells<'a> {
    /// A reader of these bytes.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// How many bytes were not read yet.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.0.len()
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], MalformedCells> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(MalformedCells)?;
        self.0 = rest;
        Ok(head)
    }

    fn word(&mut self) -> Result<[u8; 8], MalformedCells> {
        self.take(8)?.try_into().map_err(|_| MalformedCells)
    }

    fn counted(&mut self) -> Result<&'a [u8], MalformedCells> {
        let length = u32::from_le_bytes(self.take(4)?.try_into().map_err(|_| MalformedCells)?);
        self.take(usize::try_from(length).map_err(|_| MalformedCells)?)
    }
}

impl<'a> Iterator for Cells<'a> {
    type Item = Result<Cell<'a>, MalformedCells>;

    fn next(&mut self) -> Option<Self::Item> {
        let (tag, rest) = self.0.split_first()?;
        self.0 = rest;
        let cell = match *tag {
            NULL => Ok(Cell::Null),
            INTEGER => self.word().map(|bytes| Cell::Integer(i64::from_le_bytes(bytes))),
            REAL => self.word().map(|bytes| Cell::Real(f64::from_le_bytes(bytes))),
            TEXT => self
                .counted()
                .and_then(|bytes| std::str::from_utf8(bytes).map(Cell::Text).map_err(|_| MalformedCells)),
            BLOB => self.counted().map(Cell::Blob),
            _ => Err(MalformedCells),
        };
        if cell.is_err() {
            self.0 = &[]; // nothing after a fault can be trusted
        }
        Some(cell)
    }
}

#[inline]
fn counted(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    // SQLite's length limit on these handles is 4 MiB, far below u32::MAX.
    let [a, b, c, d] = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    out.reserve(5 + bytes.len());
    out.extend_from_slice(&[tag, a, b, c, d]);
    out.extend_from_slice(bytes);
}

#[inline]
fn word(tag: u8, bytes: [u8; 8], out: &mut Vec<u8>) {
    let [a, b, c, d, e, f, g, h] = bytes;
    out.extend_from_slice(&[tag, a, b, c, d, e, f, g, h]);
}

/// Appends an entity's value.
pub fn push(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(NULL),
        Value::Integer(integer) => word(INTEGER, integer.to_le_bytes(), out),
        Value::Text(text) => counted(TEXT, text.as_bytes(), out),
        Value::Id(bytes) => counted(BLOB, bytes, out),
    }
}

/// Appends what SQLite holds. Text that is not UTF-8 goes out as a blob, never as a fault.
#[inline]
pub fn push_sql(value: ValueRef<'_>, out: &mut Vec<u8>) {
    match value {
        ValueRef::Null => out.push(NULL),
        ValueRef::Integer(integer) => word(INTEGER, integer.to_le_bytes(), out),
        ValueRef::Real(real) => word(REAL, real.to_le_bytes(), out),
        ValueRef::Text(bytes) if std::str::from_utf8(bytes).is_ok() => counted(TEXT, bytes, out),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => counted(BLOB, bytes, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::Integer),
            ".*".prop_map(Value::Text),
            any::<[u8; 16]>().prop_map(Value::Id),
        ]
    }

    proptest! {
        #[test]
        fn packed_values_come_back(values in prop::collection::vec(value(), 0..20)) {
            let mut bytes = Vec::new();
            values.iter().for_each(|value| push(value, &mut bytes));
            let back: Vec<Value> = Cells::new(&bytes).map(|cell| cell.unwrap().to_value().unwrap()).collect();
            prop_assert_eq!(back, values);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Cells::new(&bytes).count();
        }
    }
}
