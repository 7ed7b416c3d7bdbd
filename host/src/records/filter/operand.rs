//! Which operators a field has, and what it can be compared with.

use std::str::FromStr as _;
use std::sync::Arc;

use serde_json::Value as Json;

use super::parse::Operand;
use super::{Context, LIST, Op, PATTERN, Test, Within, period, shown};
use crate::ids::RecordId;
use crate::records::error::RecordError;
use crate::records::input::{self, ADDRESS};
use crate::records::money::{exponent, parse_scaled};
use crate::records::schema::{Field, Kind};
use crate::records::value::Value;

/// The test of one field, checked.
pub(super) fn test(
    context: &Context<'_>,
    field: &Field,
    part: Option<&str>,
    name: &str,
    op: Op,
    operand: &Operand<'_>,
) -> Result<Test, RecordError> {
    let part = part.map(|part| address_part(part, name)).transpose()?;
    let allowed = match part {
        Some(_) => operators(&Kind::Text), // each part of an address is one
        None => operators(&field.kind),
    };
    let Operand::Texts(texts) = operand else { return Err(not_applicable(field, name, op, &allowed)) };
    if !allowed.contains(&op) {
        return Err(not_applicable(field, name, op, &allowed));
    }
    if texts.len() > LIST {
        let detail = format!("`{}` lists more than {LIST} values; ask in several requests", shown(name));
        return Err(RecordError::bad("filter_list_too_long", detail));
    }
    let mut test = Test {
        field: Arc::clone(&field.key),
        part,
        op,
        values: Vec::new(),
        currencies: Vec::new(),
        span: None,
    };
    let first = texts.first().map(String::as_str).unwrap_or_default();
    match op {
        Op::Empty => test.values.push(Value::Integer(match first {
            "true" => 1,
            "false" => 0,
            _ => return Err(truth(name, op)),
        })),
        Op::Within => test.span = Some(within(context, name, first)?),
        Op::Contains | Op::Starts if !matches!(field.kind, Kind::Options(_) | Kind::References(..)) => {
            if first.is_empty() || first.len() > PATTERN {
                let detail = format!("`{}` is searched with 1 to {PATTERN} bytes of text", shown(name));
                return Err(RecordError::bad("invalid_filter_value", detail));
            }
            test.values.push(Value::Text(first.to_owned()));
        }
        _ => {
            for text in texts {
                let (value, code) = value(field, part, text, &context.organization.currency)
                    .ok_or_else(|| incomparable(field, name, text))?;
                test.values.push(value);
                test.currencies.extend(code);
            }
        }
    }
    Ok(test)
}

fn address_part(part: &str, name: &str) -> Result<&'static str, RecordError> {
    ADDRESS.iter().find(|known| **known == part).copied().ok_or_else(|| {
        let detail = format!("`{}`: an address has {}", shown(name), ADDRESS.join(", "));
        RecordError::bad("invalid_filter_path", detail)
    })
}

/// A period, checked at the present instant.
fn within(context: &Context<'_>, name: &str, word: &str) -> Result<Within, RecordError> {
    let calendar = &context.calendar;
    period::resolve(word, context.now, &calendar.zone, calendar.fiscal_start)
        .ok_or_else(|| period::unknown(&shown(name)))?;
    Ok(Within { word: word.into(), at: context.now, calendar: Arc::clone(calendar) })
}

/// What fields of this kind can be asked; the document says it, too.
#[must_use]
pub fn operators(kind: &Kind) -> Vec<Op> {
    let compared = [Op::Eq, Op::Ne, Op::Gt, Op::Gte, Op::Lt, Op::Lte, Op::In, Op::Nin, Op::Empty];
    let more: &[Op] = match kind {
        Kind::Json | Kind::Address => return vec![Op::Empty],
        Kind::Options(_) | Kind::References(..) => return vec![Op::Contains, Op::In, Op::Nin, Op::Empty],
        Kind::Reference(..) | Kind::File => return vec![Op::Eq, Op::Ne, Op::In, Op::Nin, Op::Empty],
        Kind::Date => &[Op::Contains, Op::Starts, Op::Within],
        Kind::DateTime => &[Op::Within],
        Kind::Text
        | Kind::RichText
        | Kind::Email
        | Kind::Phone
        | Kind::Url
        | Kind::Option(_)
        | Kind::AutoNumber(_) => &[Op::Contains, Op::Starts],
        Kind::Boolean | Kind::Integer | Kind::Decimal(_) | Kind::Money | Kind::Percent | Kind::Duration => {
            &[]
        }
    };
    compared.into_iter().chain(more.iter().copied()).collect()
}

/// A value as it stands in an address, in stored form; for money also its currency: the one named (`1000 EUR`), else the
/// organization's.
fn value(
    field: &Field,
    part: Option<&str>,
    text: &str,
    base_currency: &str,
) -> Option<(Value, Option<String>)> {
    let value = match &field.kind {
        Kind::Integer | Kind::Duration => Value::Integer(text.parse().ok()?),
        Kind::Boolean => Value::Integer(i64::from(text.parse::<bool>().ok()?)),
        Kind::Money => {
            let (amount, code) = text.split_once(' ').unwrap_or((text, base_currency));
            let minor = parse_scaled(amount, exponent(code)?)?;
            return Some((Value::Integer(minor), Some(code.to_owned())));
        }
        _ if text.is_empty() => return None,
        Kind::References(..) => RecordId::from_str(text).ok()?.into(),
        Kind::Options(choices) => {
            choices.iter().any(|choice| choice.key == text).then(|| Value::Text(text.to_owned()))?
        }
        // A stored text is never longer than its field allows, but a longer one may be asked for: it matches nothing.
        Kind::Text | Kind::RichText | Kind::Email | Kind::Phone | Kind::Url | Kind::AutoNumber(_) => {
            Value::Text(text.to_owned())
        }
        Kind::Address => {
            Value::Text(if part == Some("country") { text.to_uppercase() } else { text.to_owned() })
        }
        _ => input::field(field, &Json::String(text.to_owned())).ok()?.0,
    };
    Some((value, None)).filter(|(value, _)| !value.is_null())
}

fn not_applicable(field: &Field, name: &str, op: Op, allowed: &[Op]) -> RecordError {
    let words: Vec<&str> = allowed.iter().map(|op| op.word()).collect();
    let detail = format!(
        "`{}` ({}) cannot be tested with `{}`; what works: {}",
        shown(name),
        field.label,
        op.word(),
        words.join(" ")
    );
    RecordError::bad("operator_not_applicable", detail)
}

fn incomparable(field: &Field, name: &str, text: &str) -> RecordError {
    let what = match &field.kind {
        Kind::Integer => "a whole number",
        Kind::Duration => "milliseconds",
        Kind::Boolean => "true or false",
        Kind::Money => {
            "an amount such as `1000.50` or `1000.50 EUR`, with no more places than the currency has"
        }
        Kind::Decimal(_) | Kind::Percent => "a decimal that the field could hold, such as `12.5`",
        Kind::Date => "a date, YYYY-MM-DD",
        Kind::DateTime => "an instant with its offset, 2026-11-22T09:30:00Z",
        Kind::Option(choices) | Kind::Options(choices) => {
            let known: Vec<&str> = choices.iter().map(|choice| choice.key.as_str()).collect();
            return refused(name, text, &format!("one of {}", known.join(", ")));
        }
        Kind::Reference(..) | Kind::References(..) | Kind::File => "the id of a record",
        _ => "a text that is not empty",
    };
    refused(name, text, what)
}

fn refused(name: &str, text: &str, what: &str) -> RecordError {
    let detail = format!("`{}` cannot be compared with `{}`; send {what}", shown(name), shown(text));
    RecordError::bad("invalid_filter_value", detail)
}

/// The refusal of what is neither true nor false.
pub(super) fn truth(name: &str, op: Op) -> RecordError {
    let detail = format!("`{}[{}]` is true or false", shown(name), op.word());
    RecordError::bad("invalid_filter_value", detail)
}
