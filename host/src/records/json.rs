//! From stored rows to JSON: values are written straight into the response, without a tree in between.

use std::fmt::Write as _;

use rusqlite::Row;
use rusqlite::types::ValueRef;
use uuid::Uuid;

use super::cells::Cell;
use super::money::{exponent, write_percent, write_scaled};
use super::schema::Kind;
use crate::clock::rfc3339;
use crate::ids::RecordId;

/// How a column (or two) becomes a JSON value.
#[derive(Clone, Debug)]
pub enum Form {
    /// A 16-byte id.
    Id,
    /// A plain integer.
    Integer,
    /// UTC milliseconds.
    Instant,
    /// Text.
    Text,
    /// JSON text, as it is.
    Raw,
    /// 0 or 1.
    Boolean,
    /// A scaled integer.
    Decimal(u8),
    /// Parts per million.
    Percent,
    /// Minor units here, the currency in the next column.
    Money,
}

impl Form {
    /// The form of a declared field.
    #[must_use]
    pub const fn of(kind: &Kind) -> Self {
        match kind {
            Kind::Integer | Kind::Duration => Self::Integer,
            Kind::Decimal(scale) => Self::Decimal(*scale),
            Kind::Money => Self::Money,
            Kind::Percent => Self::Percent,
            Kind::Boolean => Self::Boolean,
            Kind::DateTime => Self::Instant,
            Kind::Reference(..) | Kind::File => Self::Id,
            Kind::Json | Kind::Options(_) | Kind::References(..) | Kind::Address => Self::Raw,
            Kind::Text
            | Kind::RichText
            | Kind::Date
            | Kind::Option(_)
            | Kind::Email
            | Kind::Phone
            | Kind::Url
            | Kind::AutoNumber(_) => Self::Text,
        }
    }
}

/// Writes a JSON string.
pub fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..=0x1f => {
                out.extend_from_slice(text.as_bytes().get(from..at).unwrap_or_default());
                let _ = std::io::Write::write_fmt(out, format_args!("\\u{byte:04x}"));
                from = at + 1;
                continue;
            }
            _ => continue,
        };
        out.extend_from_slice(text.as_bytes().get(from..at).unwrap_or_default());
        out.extend_from_slice(escape);
        from = at + 1;
    }
    out.extend_from_slice(text.as_bytes().get(from..).unwrap_or_default());
    out.push(b'"');
}

/// Writes an id in its hyphenated form, quoted.
pub fn write_id(bytes: &[u8], out: &mut Vec<u8>) {
    let Ok(id) = Uuid::from_slice(bytes) else {
        out.extend_from_slice(b"null");
        return;
    };
    let mut buffer = [0; uuid::fmt::Hyphenated::LENGTH];
    out.push(b'"');
    out.extend_from_slice(id.as_hyphenated().encode_lower(&mut buffer).as_bytes());
    out.push(b'"');
}

/// Writes one value; `second` is the currency of money.
pub fn write_value(form: &Form, value: ValueRef<'_>, second: ValueRef<'_>, out: &mut Vec<u8>) {
    match (form, value) {
        (Form::Id, ValueRef::Blob(bytes)) => write_id(bytes, out),
        (Form::Boolean, ValueRef::Integer(value)) => {
            out.extend_from_slice(if value == 0 { b"false" } else { b"true" })
        }
        (Form::Instant, ValueRef::Integer(value)) => {
            out.push(b'"');
            out.extend_from_slice(rfc3339(value).as_bytes());
            out.push(b'"');
        }
        (Form::Decimal(scale), ValueRef::Integer(value)) => {
            quoted(out, |text| write_scaled(value, *scale, text))
        }
        (Form::Percent, ValueRef::Integer(value)) => quoted(out, |text| write_percent(value, text)),
        (Form::Money, ValueRef::Integer(value)) => {
            // The write pipeline keeps both columns of an amount together; half of one is no money.
            let Ok(currency) = second.as_str() else { return out.extend_from_slice(b"null") };
            let places = exponent(currency).unwrap_or(2);
            out.extend_from_slice(b"{\"amount\":");
            quoted(out, |text| write_scaled(value, places, text));
            out.extend_from_slice(b",\"currency\":");
            write_text(currency, out);
            out.push(b'}');
        }
        (Form::Raw, ValueRef::Text(bytes)) => out.extend_from_slice(bytes),
        (_, ValueRef::Integer(value)) => {
            let _ = std::io::Write::write_fmt(out, format_args!("{value}"));
        }
        (_, ValueRef::Text(bytes)) => write_text(&String::from_utf8_lossy(bytes), out),
        _ => out.extend_from_slice(b"null"),
    }
}

/// Writes one value that a plugin answered; `second` is the currency of money.
pub fn write_cell(form: &Form, cell: Cell<'_>, second: Cell<'_>, out: &mut Vec<u8>) {
    write_value(form, cell.as_sql(), second.as_sql(), out);
}

fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut String)) {
    let mut text = String::with_capacity(24);
    write(&mut text);
    let _ = std::io::Write::write_fmt(out, format_args!("\"{text}\""));
}

/// One member of a record's JSON object.
#[derive(Clone, Debug)]
pub struct Member {
    /// `"key":`
    pub json_key: String,
    /// How the value is written.
    pub form: Form,
    /// The column in the SELECT; money's currency is the next one.
    pub column: usize,
    /// Which expansion replaces the value, if any.
    pub expand: Option<usize>,
}

/// A place in a body where another record's JSON belongs.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Byte offset in the body, where the quoted id starts.
    pub at: usize,
    /// Which expansion.
    pub expansion: usize,
    /// The record.
    pub id: RecordId,
}

/// The quoted id that stands where an expansion will: its length in bytes.
pub const ID_LENGTH: usize = 38;

/// Writes a row as a JSON object and notes where expansions belong. `masked` is what says which members are withheld.
///
/// # Errors
/// A column is missing: the SELECT and the members do not belong together.
pub fn write_row(
    row: &Row<'_>,
    members: &[Member],
    masked: &[u8],
    out: &mut Vec<u8>,
    places: &mut Vec<Place>,
) -> rusqlite::Result<()> {
    out.push(b'{');
    for (at, member) in members.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(member.json_key.as_bytes());
        let value = row.get_ref(member.column)?;
        let second = match member.form {
            Form::Money => row.get_ref(member.column + 1)?,
            _ => ValueRef::Null,
        };
        if let (Some(expansion), ValueRef::Blob(bytes)) = (member.expand, value)
            && let Ok(id) = RecordId::from_slice(bytes)
        {
            places.push(Place { at: out.len(), expansion, id });
        }
        match (member.expand, value) {
            (Some(expansion), ValueRef::Text(ids)) => write_ids(ids, expansion, out, places),
            _ => write_value(&member.form, value, second, out),
        }
    }
    out.extend_from_slice(masked);
    out.push(b'}');
    Ok(())
}

/// Writes the ids of a multi-reference and notes that each is to be expanded.
fn write_ids(ids: &[u8], expansion: usize, out: &mut Vec<u8>, places: &mut Vec<Place>) {
    let ids: Vec<RecordId> = serde_json::from_slice(ids).unwrap_or_default();
    out.push(b'[');
    for (at, id) in ids.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        places.push(Place { at: out.len(), expansion, id });
        write_id(id.as_bytes(), out);
    }
    out.push(b']');
}

/// `"key":` for a member.
#[must_use]
pub fn json_key(key: &str) -> String {
    let mut text = String::with_capacity(key.len() + 3);
    let _ = write!(text, "\"{key}\":"); // keys are [a-z0-9_]: nothing to escape
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(form: &Form, value: ValueRef<'_>, second: ValueRef<'_>) -> String {
        let mut out = Vec::new();
        write_value(form, value, second, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_are_written_as_the_api_promises() {
        let none = ValueRef::Null;
        let money = written(&Form::Money, ValueRef::Integer(123_450), ValueRef::Text(b"EUR"));
        assert_eq!(money, r#"{"amount":"1234.50","currency":"EUR"}"#);
        assert_eq!(
            written(&Form::Money, ValueRef::Integer(-5), ValueRef::Text(b"JPY")),
            r#"{"amount":"-5","currency":"JPY"}"#
        );
        assert_eq!(written(&Form::Percent, ValueRef::Integer(125_000), none), r#""12.5""#);
        assert_eq!(written(&Form::Boolean, ValueRef::Integer(1), none), "true");
        assert_eq!(written(&Form::Instant, ValueRef::Integer(0), none), r#""1970-01-01T00:00:00.000Z""#);
        assert_eq!(written(&Form::Id, none, none), "null");
    }

    #[test]
    fn text_is_escaped_like_any_json_parser_expects() {
        for text in ["", "plain", "\"\\\n\r\t\u{1}\u{1f}", "ünï ☃ 💶", "</script>"] {
            let mut out = Vec::new();
            write_text(text, &mut out);
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}
