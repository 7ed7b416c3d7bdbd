//! Orders of a list, and the condition that continues one after the last row of a page (keyset paging).

use std::fmt::Write as _;

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

    /// Appends ` order by …`.
    pub fn write_order(&self, sql: &mut String) {
        sql.push_str(" order by ");
        for key in &self.keys {
            let _ = write!(sql, "\"{}\"{}, ", key.column, if key.descending { " desc" } else { "" });
        }
        sql.push_str(if self.newest_first { "_row desc" } else { "_row" });
    }

    /// Appends the condition for rows after the one with these key values and this `_row`.
    pub fn write_after(&self, values: &[Value], row: i64, sql: &mut String, params: &mut Vec<Value>) {
        // The first key alone bounds the scan of its index; the alternatives below then decide exactly.
        if let (Some(key), Some(value)) = (self.keys.first(), values.first())
            && !key.nullable
        {
            let _ = write!(sql, "\"{}\" {} ", key.column, if key.descending { "<=" } else { ">=" });
            bind(value.clone(), sql, params);
            sql.push_str(" and ");
        }
        sql.push('(');
        for at in 0..=self.keys.len() {
            if at > 0 {
                sql.push_str(" or ");
            }
            sql.push('(');
            for (key, value) in self.keys.iter().zip(values).take(at) {
                let _ = write!(sql, "\"{}\" is ", key.column);
                bind(value.clone(), sql, params);
                sql.push_str(" and ");
            }
            match (self.keys.get(at), values.get(at)) {
                (Some(key), Some(value)) => write_beyond(key, value, sql, params),
                _ => {
                    sql.push_str(if self.newest_first { "_row < " } else { "_row > " });
                    bind(Value::Integer(row), sql, params);
                }
            }
            sql.push(')');
        }
        sql.push(')');
    }
}

fn write_beyond(key: &Key, value: &Value, sql: &mut String, params: &mut Vec<Value>) {
    let column = &key.column;
    match (value.is_null(), key.descending) {
        (true, true) => sql.push('0'), // absent values come last: nothing is beyond them
        (true, false) => {
            let _ = write!(sql, "\"{column}\" is not null");
        }
        (false, descending) => {
            let _ = write!(sql, "(\"{column}\" {} ", if descending { "<" } else { ">" });
            bind(value.clone(), sql, params);
            if descending && key.nullable {
                let _ = write!(sql, " or \"{column}\" is null");
            }
            sql.push(')');
        }
    }
}
