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

    /// The ranges of the order that hold the rows after the one with these key values and this `_row`: one after the
    /// other, each a range of the first key's index, however deep the page lies.
    #[must_use]
    pub fn after(&self, values: &[Value], row: i64) -> Vec<After> {
        let place = Some((values.to_vec(), row));
        let (Some(key), Some(value)) = (self.keys.first(), values.first()) else {
            return vec![After { range: Range::All, place }];
        };
        let ranges = match (value.is_null(), key.descending && key.nullable) {
            (false, false) => vec![(Range::From, place)], // absent values came before
            (false, true) => vec![(Range::From, place), (Range::Absent, None)],
            (true, false) => vec![(Range::Absent, place), (Range::Present, None)],
            (true, true) => vec![(Range::Absent, place)],
        };
        ranges.into_iter().map(|(range, place)| After { range, place }).collect()
    }

    /// Appends ` and …` for the rows of a range.
    pub fn write_after(&self, after: &After, sql: &mut String, params: &mut Vec<Value>) {
        let Some(key) = self.keys.first() else {
            if let Some((_, row)) = &after.place {
                self.write_row(" and ", *row, sql, params);
            }
            return;
        };
        match (after.range, after.place.as_ref().and_then(|(values, _)| values.first())) {
            (Range::Absent, _) => {
                let _ = write!(sql, " and \"{}\" is null", key.column);
            }
            (Range::Present, _) => {
                let _ = write!(sql, " and \"{}\" is not null", key.column);
            }
            (Range::From, Some(value)) => {
                let _ = write!(sql, " and \"{}\" {} ", key.column, if key.descending { "<=" } else { ">=" });
                bind(value.clone(), sql, params);
            }
            _ => {}
        }
        if let Some((values, row)) = &after.place {
            sql.push_str(" and (");
            self.write_beyond(values, *row, sql, params);
            sql.push(')');
        }
    }

    /// The alternatives that decide exactly, within the range of the first key.
    fn write_beyond(&self, values: &[Value], row: i64, sql: &mut String, params: &mut Vec<Value>) {
        let absent = values.first().is_some_and(Value::is_null);
        // Within the range of absent values the first key decides nothing.
        for at in usize::from(absent)..=self.keys.len() {
            if at > usize::from(absent) {
                sql.push_str(" or ");
            }
            sql.push('(');
            for (key, value) in self.keys.iter().zip(values).take(at) {
                let _ = write!(sql, "\"{}\" is ", key.column);
                bind(value.clone(), sql, params);
                sql.push_str(" and ");
            }
            match (self.keys.get(at), values.get(at)) {
                (Some(key), Some(value)) => write_greater(key, value, at > 0, sql, params),
                _ => self.write_row("", row, sql, params),
            }
            sql.push(')');
        }
    }

    fn write_row(&self, word: &str, row: i64, sql: &mut String, params: &mut Vec<Value>) {
        let _ = write!(sql, "{word}_row {} ", if self.newest_first { "<" } else { ">" });
        bind(Value::Integer(row), sql, params);
    }
}

/// One range of an order, and the row after which it starts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct After {
    range: Range,
    place: Option<(Vec<Value>, i64)>,
}

impl After {
    /// The whole order.
    #[must_use]
    pub const fn start() -> Self {
        Self { range: Range::All, place: None }
    }
}

/// Which values of the first key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Range {
    All,
    /// From the row's value on.
    From,
    /// Those that are absent.
    Absent,
    /// Those that are there.
    Present,
}

/// `among` says whether absent values can be among those that follow.
fn write_greater(key: &Key, value: &Value, among: bool, sql: &mut String, params: &mut Vec<Value>) {
    let column = &key.column;
    match (value.is_null(), key.descending) {
        (true, true) => sql.push('0'), // absent values come last: nothing is beyond them
        (true, false) => {
            let _ = write!(sql, "\"{column}\" is not null");
        }
        (false, descending) => {
            let _ = write!(sql, "(\"{column}\" {} ", if descending { "<" } else { ">" });
            bind(value.clone(), sql, params);
            if among && descending && key.nullable {
                let _ = write!(sql, " or \"{column}\" is null");
            }
            sql.push(')');
        }
    }
}
