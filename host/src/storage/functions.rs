//! SQL functions of ours: text compared without regard to letter case, and `instr`, `replace` and `trim` in linear time.
//!
//! SQLite knows the case of ASCII letters only. And its own `instr` and `replace` compare the needle at every position, its
//! `trim` compares each character with the whole set (`trim.rs`); they run inside one step and cannot be interrupted: a
//! plugin could hold a thread for minutes with two texts of a few megabytes.

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, Result, ffi};

use super::fold::folded;
use super::trim::{self, Ends};

const LARGEST: usize = 4 << 20;

/// Registers them under the same names.
pub(super) fn replace_slow_ones(connection: &Connection) -> Result<()> {
    let flags =
        FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("instr", 2, flags, instr)?;
    connection.create_scalar_function("replace", 3, flags, replace)?;
    for (name, ends) in [("trim", Ends::Both), ("ltrim", Ends::Left), ("rtrim", Ends::Right)] {
        connection.create_scalar_function(name, 2, flags, move |context| {
            let [Some(text), Some(set)] = [context.get_raw(0), context.get_raw(1)].map(Bytes::of) else {
                return Ok(None);
            };
            let rest = trim::trimmed(text.as_slice(), set.as_slice(), ends);
            Ok(Some(String::from_utf8_lossy(rest).into_owned()))
        })?;
    }
    Ok(())
}

/// Registers `stoa_contains` and `stoa_starts`: whether the first argument, folded, contains or starts with the second,
/// which the asker has folded.
pub(super) fn add_ours(connection: &Connection) -> Result<()> {
    let flags =
        FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("stoa_contains", 2, flags, |context| {
        compare(context, |hay, needle| hay.contains(needle))
    })?;
    connection.create_scalar_function("stoa_starts", 2, flags, |context| {
        compare(context, |hay, needle| hay.starts_with(needle))
    })
}

fn compare(context: &Context<'_>, holds: fn(&str, &str) -> bool) -> Result<Option<bool>> {
    let (ValueRef::Text(hay), ValueRef::Text(needle)) = (context.get_raw(0), context.get_raw(1)) else {
        return Ok(None);
    };
    let (hay, needle) = (String::from_utf8_lossy(hay), String::from_utf8_lossy(needle));
    Ok(Some(holds(&folded(&hay), &needle)))
}

/// The position of the second argument in the first, from 1; in characters, or in bytes when both are blobs.
fn instr(context: &Context<'_>) -> Result<Option<i64>> {
    let (hay, needle) = (context.get_raw(0), context.get_raw(1));
    let in_bytes = matches!((hay, needle), (ValueRef::Blob(_), ValueRef::Blob(_)));
    let (Some(hay), Some(needle)) = (Bytes::of(hay), Bytes::of(needle)) else {
        return Ok(None);
    };
    let (hay, needle) = (hay.as_slice(), needle.as_slice());
    if needle.is_empty() {
        return Ok(Some(1));
    }
    let Some(at) = Search::new(needle).find_all(hay).next() else {
        return Ok(Some(0));
    };
    let before = hay.get(..at).unwrap_or_default();
    // A character starts at every byte that does not continue one.
    let count =
        if in_bytes { at } else { before.iter().filter(|byte| **byte & 0b1100_0000 != 0b1000_0000).count() };
    Ok(Some(i64::try_from(count + 1).unwrap_or(i64::MAX)))
}

/// The first argument with every occurrence of the second replaced by the third.
fn replace(context: &Context<'_>) -> Result<Option<String>> {
    let parts = [context.get_raw(0), context.get_raw(1), context.get_raw(2)].map(Bytes::of);
    let [Some(hay), Some(needle), Some(with)] = parts else {
        return Ok(None);
    };
    let (hay, needle, with) = (hay.as_slice(), needle.as_slice(), with.as_slice());
    let mut result = Vec::with_capacity(hay.len());
    let mut copied = 0;
    if !needle.is_empty() {
        for at in Search::new(needle).find_all(hay) {
            result.extend_from_slice(hay.get(copied..at).unwrap_or_default());
            result.extend_from_slice(with);
            copied = at + needle.len();
            if result.len() > LARGEST {
                return Err(Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_TOOBIG), None));
            }
        }
    }
    result.extend_from_slice(hay.get(copied..).unwrap_or_default());
    Ok(Some(
        String::from_utf8(result).unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned()),
    ))
}

/// An argument as SQLite would turn it into text.
enum Bytes<'a> {
    Borrowed(&'a [u8]),
    Owned(String),
}

impl<'a> Bytes<'a> {
    fn of(value: ValueRef<'a>) -> Option<Self> {
        Some(match value {
            ValueRef::Null => return None,
            ValueRef::Integer(value) => Self::Owned(value.to_string()),
            ValueRef::Real(value) => Self::Owned(format!("{value:?}")),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Self::Borrowed(bytes),
        })
    }

    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(text) => text.as_bytes(),
        }
    }
}

/// Knuth, Morris and Pratt: after a mismatch it knows how much of the needle still fits.
struct Search<'n> {
    needle: &'n [u8],
    fits: Vec<usize>,
}

impl<'n> Search<'n> {
    fn new(needle: &'n [u8]) -> Self {
        let mut search = Self { needle, fits: vec![0] };
        let mut matched = 0;
        for byte in needle.iter().skip(1) {
            matched = search.advance(matched, *byte);
            search.fits.push(matched);
        }
        search
    }

    /// How much of the needle is matched when `byte` follows `matched` matched bytes.
    fn advance(&self, mut matched: usize, byte: u8) -> usize {
        while matched > 0 && self.needle.get(matched) != Some(&byte) {
            matched = self.fits.get(matched - 1).copied().unwrap_or(0);
        }
        matched + usize::from(self.needle.get(matched) == Some(&byte))
    }

    /// Where the needle occurs, without overlaps.
    fn find_all<'a>(&'a self, hay: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
        let mut matched = 0;
        hay.iter().enumerate().filter_map(move |(at, byte)| {
            matched = self.advance(matched, *byte);
            if matched < self.needle.len() {
                return None;
            }
            matched = 0;
            Some(at + 1 - self.needle.len())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_answer_what_sqlite_answers() {
        let (ours, theirs) = (Connection::open_in_memory().unwrap(), Connection::open_in_memory().unwrap());
        replace_slow_ones(&ours).unwrap();
        let values = [
            "'aaab'",
            "'ab'",
            "''",
            "null",
            "'größe ß'",
            "'ß'",
            "1.5",
            "12345",
            "34",
            "x'6162'",
            "x'62'",
            "'abababac'",
            "'abac'",
        ];
        for a in values {
            for b in values {
                for call in ["instr(A, B)", "replace(A, B, 'xy')", "trim(A, B)", "ltrim(A, B)", "rtrim(A, B)"]
                {
                    let sql = format!("select {}", call.replace('A', a).replace('B', b));
                    let answer = |c: &Connection| -> rusqlite::types::Value {
                        c.query_row(&sql, [], |row| row.get(0)).unwrap()
                    };
                    assert_eq!(answer(&ours), answer(&theirs), "{sql}");
                }
            }
        }
    }
}
