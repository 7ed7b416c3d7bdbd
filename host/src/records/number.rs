//! Auto-numbers: the format of a number for people, and the counters behind them.
//!
//! A counter is bumped in the transaction that makes the record, so a number is never given twice; a number whose
//! transaction is undone is given to the next record.

use std::rc::Rc;

use rusqlite::params;

use super::error::RecordError;
use crate::storage::Connection;

/// What [`is_format`] accepts, in words.
pub const FORMAT: &str = "text with one counter of zeros in braces and perhaps a year: `INV-{YYYY}-{00000}`";

/// Longest format.
const LONGEST: usize = 40;

/// Whether a text is a format: one counter `{000}` of 1 to 12 zeros, at most one year `{YYYY}`, no other braces.
#[must_use]
pub fn is_format(format: &str) -> bool {
    let (mut counters, mut years, mut rest) = (0, 0, format);
    while let Some(at) = rest.find(['{', '}']) {
        let Some((token, after)) =
            rest.get(at..).and_then(|text| text.strip_prefix('{')).and_then(|text| text.split_once('}'))
        else {
            return false;
        };
        match token {
            "YYYY" => years += 1,
            zeros if (1..=12).contains(&zeros.len()) && zeros.bytes().all(|byte| byte == b'0') => {
                counters += 1
            }
            _ => return false,
        }
        rest = after;
    }
    counters == 1 && years <= 1 && format.len() <= LONGEST && !format.chars().any(char::is_control)
}

/// The number in its format.
#[must_use]
pub fn written(format: &str, year: i16, number: i64) -> String {
    let mut text = format.replace("{YYYY}", &format!("{year:04}"));
    if let Some((start, end)) =
        text.find("{0").and_then(|start| Some((start, start + text.get(start..)?.find('}')?)))
    {
        let width = end - start - 1;
        text.replace_range(start..=end, &format!("{number:0width$}"));
    }
    text
}

/// Takes the next number of a field's counter. A format with a year counts anew each year.
///
/// # Errors
/// The file fails.
pub fn next(
    conn: &Rc<Connection>,
    entity: &str,
    field: &str,
    format: &str,
    year: i16,
) -> Result<String, RecordError> {
    let scope = if format.contains("{YYYY}") { format!("{year:04}") } else { String::new() };
    let sql = "insert into _stoa_counters (entity, field, scope, value) values (?1, ?2, ?3, 1) \
               on conflict (entity, field, scope) do update set value = value + 1 returning value";
    let number: i64 = conn.prepare(sql)?.query_row(params![entity, field, scope], |row| row.get(0))?;
    Ok(written(format, year, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_has_one_counter_and_perhaps_a_year() {
        for good in ["{0}", "INV-{YYYY}-{00000}", "{000}/{YYYY}"] {
            assert!(is_format(good), "{good}");
        }
        for bad in ["", "A-1", "{0}{0}", "{YYYY}", "{YY}-{0}", "{x}", "{0", "0}", "{0}\n", "{{0}}"] {
            assert!(!is_format(bad), "{bad}");
        }
    }

    #[test]
    fn a_number_is_padded_and_grows_beyond_its_format() {
        assert_eq!(written("INV-{YYYY}-{00000}", 2026, 42), "INV-2026-00042");
        assert_eq!(written("{00}", 2026, 123), "123");
    }
}
