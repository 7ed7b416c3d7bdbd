//! Orders of a list, and the condition that continues one after the last row of a page (keyset paging).

use std::fmt::Write as _;

use super::Scope;
use super::error::RecordError;
use super::filter::bind;
use super::schema::Entity;
use super::value::Value;

/// Most keys of one order.
const KEYS: usize = 3;

/// One key of an order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Key {
    /// Column name.
    pub column: String,
    /// Largest first.
    pub descending: bool,
    /// Whether rows may have no value there; those come first in ascending order.
    pub nullable: bool,
}

/// An order of records; ties are broken by the order in which they were made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sort {
    /// The keys, most significant first.
    pub keys: Vec<Key>,
    /// Whether ties go newest first.
    pub newest_first: bool,
}

impl Sort {
    /// Newest first: what a list without `sort` shows.
    #[must_use]
    pub const fn newest() -> Self {
        Self { keys: Vec::new(), newest_first: true }
    }

    /// Parses `-amount,name`.
    ///
    /// # Errors
    /// [`RecordError::BadRequest`] for a field that does not exist, cannot be sorted, or stands twice.
    pub fn parse(entity: &Entity, text: &str) -> Result<Self, RecordError> {
        let (mut keys, mut made): (Vec<Key>, Option<bool>) = (Vec::new(), None);
        for part in text.split(',') {
            let (name, descending) = part.strip_prefix('-').map_or((part, false), |name| (name, true));
            let field = entity.attribute(name).filter(|field| field.sortable());
            let Some(field) = field.filter(|_| keys.iter().all(|key| key.column != name) && made.is_none())
            else {
                let name: String = name.chars().take(64).collect();
                let detail = format!(
                    "`{name}` is not a sortable field of {}, or decides nothing there",
                    entity.object
                );
                return Err(RecordError::bad("invalid_sort", detail));
            };
            if name == "created_at" {
                // Records are numbered in the order in which they are made: that order needs no sorting.
                made = Some(descending);
                continue;
            }
            keys.push(Key { column: name.to_owned(), descending, nullable: !field.always_set() });
        }
        if keys.len() > KEYS {
            return Err(RecordError::bad(
                "invalid_sort",
                format!("a list is sorted by at most {KEYS} fields"),
            ));
        }
        let newest_first = made.unwrap_or_else(|| keys.first().is_some_and(|key| key.descending));
        Ok(Self { keys, newest_first })
    }

    /// The same as a caller asks for it: with rights on fields.
    ///
    /// # Errors
    /// As for [`Sort::parse`], and [`RecordError::FieldNotReadable`].
    pub fn within(scope: &Scope, entity: &Entity, text: &str) -> Result<Self, RecordError> {
        for name in text.split(',') {
            scope.field(entity, name.strip_prefix('-').unwrap_or(name))?;
        }
        Self::parse(entity, text)
    }

    /// Appends ` order by …`.
    pub fn write_order(&self, sql: &mut String) {
        sql.push_str(" order by ");
        for key in &self.keys {
            let _ = write!(sql, "\"{}\"{}, ", key.column, if key.descending { " desc" } else { "" });
        }
        sql.push_str(if self.newest_first { "_row desc" } else { "_row" });
    }

    /// The ranges of the order that hold the rows after the one with these key values and this `_row`, one after the
    /// other: first those that differ from it in the row alone, then those that differ in the last key, and so on. Each is
    /// a range of the first key's index, however deep the page lies and however many rows share a value.
    #[must_use]
    pub fn after(&self, values: &[Value], row: i64) -> Vec<After> {
        let range = |equal, beyond| After { values: values.to_vec(), equal, beyond };
        let mut ranges = vec![range(self.keys.len(), Beyond::Row(row))];
        for (at, (key, value)) in self.keys.iter().zip(values).enumerate().rev() {
            match (value.is_null(), key.descending) {
                (true, true) => {} // absent values come last
                (true, false) => ranges.push(range(at, Beyond::Present)),
                (false, false) => ranges.push(range(at, Beyond::Value)),
                (false, true) => {
                    ranges.push(range(at, Beyond::Value));
                    if key.nullable {
                        ranges.push(range(at, Beyond::Absent));
                    }
                }
            }
        }
        ranges
    }

    /// Appends ` and …` for the rows of a range.
    pub fn write_after(&self, after: &After, sql: &mut String, params: &mut Vec<Value>) {
        for (key, value) in self.keys.iter().zip(&after.values).take(after.equal) {
            let _ = write!(sql, " and \"{}\" {} ", key.column, if value.is_null() { "is" } else { "=" });
            bind(value.clone(), sql, params);
        }
        if let Beyond::Row(row) = after.beyond {
            let _ = write!(sql, " and _row {} ", if self.newest_first { "<" } else { ">" });
            return bind(Value::Integer(row), sql, params);
        }
        let (Some(key), Some(value)) = (self.keys.get(after.equal), after.values.get(after.equal)) else {
            return;
        };
        let _ = write!(sql, " and \"{}\" ", key.column);
        match after.beyond {
            Beyond::Value => {
                sql.push_str(if key.descending { "< " } else { "> " });
                bind(value.clone(), sql, params);
            }
            Beyond::Absent => sql.push_str("is null"),
            Beyond::Present => sql.push_str("is not null"),
            Beyond::All | Beyond::Row(_) => {}
        }
    }
}

/// One range of an order: rows that share their first keys with the one before the page, and what is beyond it in the
/// next one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct After {
    values: Vec<Value>,
    /// How many keys are shared.
    equal: usize,
    beyond: Beyond,
}

impl After {
    /// The whole order.
    #[must_use]
    pub const fn start() -> Self {
        Self { values: Vec::new(), equal: 0, beyond: Beyond::All }
    }
}

/// What of the first key that is not shared, or of the row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Beyond {
    /// Everything.
    All,
    /// Rows behind this one.
    Row(i64),
    /// Values behind its value.
    Value,
    /// No value.
    Absent,
    /// Any value.
    Present,
}
