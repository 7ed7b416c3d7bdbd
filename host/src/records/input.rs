//! From JSON to stored values, one field at a time, with the declared rules. Pure: no file is asked.

mod composite;

use std::str::FromStr as _;

use email_address::EmailAddress;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value as Json;

use super::error::Fault;
use super::money::{exponent, parse_scaled};
use super::schema::{Field, Kind};
use super::value::Value;
use crate::ids::RecordId;

pub use self::composite::ADDRESS;

/// The most bytes of a JSON field.
const JSON_LIMIT: usize = 65_536;

/// A field's stored form: its column and, for money, the currency's.
pub type Stored = (Value, Value);

const NOTHING: Stored = (Value::Null, Value::Null);

/// Parses and checks one member of an input against its field.
///
/// # Errors
/// The first rule that the value itself breaks. `null` and `""` mean "no value", which only `required` objects to.
pub fn field(field: &Field, json: &Json) -> Result<Stored, Fault> {
    let stored = match json {
        Json::Null => NOTHING,
        Json::String(text) if text.trim().is_empty() && !matches!(field.kind, Kind::Json) => NOTHING,
        _ => match parse(field, json)? {
            (Value::Text(text), _) if text.is_empty() => NOTHING,
            stored => stored,
        },
    };
    if stored.0.is_null() && field.required {
        return Err(required(field));
    }
    Ok(stored)
}

/// The fault of a missing value.
#[must_use]
pub fn required(field: &Field) -> Fault {
    Fault::at(&field.key, "required", format!("{} is required; send a value", field.label))
}

fn wrong(field: &Field, code: &'static str, what: &str) -> Fault {
    Fault::at(&field.key, code, format!("{} must be {what}", field.label))
}

fn text<'a>(field: &Field, json: &'a Json, what: &str) -> Result<&'a str, Fault> {
    json.as_str().ok_or_else(|| wrong(field, "wrong_type", what))
}

fn parse(field: &Field, json: &Json) -> Result<Stored, Fault> {
    let value = match &field.kind {
        Kind::Money => return money(field, json),
        Kind::Text => Value::Text(line(field, text(field, json, "text")?, false)?),
        Kind::RichText => Value::Text(line(field, text(field, json, "text")?, true)?),
        Kind::Phone => Value::Text(phone(field, text(field, json, "text")?)?),
        Kind::Email => Value::Text(email(field, text(field, json, "text")?)?),
        Kind::Url => Value::Text(url(field, text(field, json, "text")?)?),
        Kind::Integer | Kind::Duration => {
            let integer = json.as_i64().ok_or_else(|| wrong(field, "wrong_type", "an integer of 64 bits"))?;
            Value::Integer(integer)
        }
        Kind::Decimal(scale) => Value::Integer(number(field, json, *scale)?),
        Kind::Percent => Value::Integer(number(field, json, 4)?),
        Kind::Boolean => Value::Integer(i64::from(
            json.as_bool().ok_or_else(|| wrong(field, "wrong_type", "true or false"))?,
        )),
        Kind::Date => Value::Text(date(field, text(field, json, "a date, YYYY-MM-DD")?)?),
        Kind::DateTime => {
            Value::Integer(instant(field, text(field, json, "an instant, 2026-11-22T09:30:00Z")?)?)
        }
        Kind::Option(choices) => {
            let key = text(field, json, "the key of an option")?;
            if !choices.iter().any(|choice| choice.key == key) {
                let known: Vec<&str> = choices.iter().map(|choice| choice.key.as_str()).collect();
                return Err(wrong(field, "unknown_option", &format!("one of {}", known.join(", "))));
            }
            Value::Text(key.to_owned())
        }
        Kind::Reference(target, _) => {
            let what = format!("the id of a record of {}.{}", target.plugin, target.entity);
            RecordId::from_str(text(field, json, &what)?)
                .map_err(|_| wrong(field, "invalid_id", &what))?
                .into()
        }
        Kind::Options(choices) => Value::Text(composite::options(field, choices, json)?),
        Kind::References(target, _) => Value::Text(composite::references(field, target, json)?),
        Kind::Address => Value::Text(composite::address(field, json)?),
        Kind::File => RecordId::from_str(text(field, json, "the id of a file")?)
            .map_err(|_| wrong(field, "invalid_id", "the id of a file"))?
            .into(),
        Kind::AutoNumber(_) => Value::Text(line(field, text(field, json, "text")?, false)?),
        Kind::Json => {
            let text = json.to_string();
            if text.len() > JSON_LIMIT {
                return Err(wrong(field, "too_long", "at most 64 KiB of JSON"));
            }
            Value::Text(text)
        }
    };
    bounds(field, &value)?;
    Ok((value, Value::Null))
}

/// Checks a value in its stored form, as plugin code sets it: the rules of [`field`] for what has no JSON any more.
///
/// # Errors
/// The first rule that it breaks.
pub fn stored(field: &Field, value: &Value, second: &Value) -> Result<(), Fault> {
    match (&field.kind, value) {
        (_, Value::Null) => Ok(()),
        (Kind::Money, _) => match second.text().and_then(exponent) {
            Some(_) => bounds(field, value),
            None => Err(wrong(field, "unknown_currency", "in a currency of ISO 4217, such as EUR")),
        },
        (
            Kind::Option(_)
            | Kind::Date
            | Kind::Email
            | Kind::Phone
            | Kind::Url
            | Kind::Text
            | Kind::RichText
            | Kind::AutoNumber(_),
            Value::Text(text),
        ) => parse(field, &Json::String(text.clone())).map(drop),
        (kind, Value::Text(text)) if kind.structured() => {
            let json = serde_json::from_str(text).map_err(|_| wrong(field, "wrong_type", "JSON"))?;
            parse(field, &json).map(drop)
        }
        (Kind::Boolean, Value::Integer(integer)) if !matches!(integer, 0 | 1) => {
            Err(wrong(field, "wrong_type", "true or false"))
        }
        (Kind::DateTime, Value::Integer(integer)) if Timestamp::from_millisecond(*integer).is_err() => {
            Err(wrong(field, "invalid_instant", "an instant of the years that a calendar has"))
        }
        _ => bounds(field, value),
    }
}

fn bounds(field: &Field, value: &Value) -> Result<(), Fault> {
    let Some(integer) = value.integer() else {
        return Ok(());
    };
    if field.min.is_some_and(|min| integer < min) {
        return Err(Fault::at(
            &field.key,
            "too_small",
            format!("{} is below its smallest allowed value", field.label),
        ));
    }
    if field.max.is_some_and(|max| integer > max) {
        return Err(Fault::at(
            &field.key,
            "too_large",
            format!("{} is above its largest allowed value", field.label),
        ));
    }
    Ok(())
}

fn line(field: &Field, text: &str, paragraphs: bool) -> Result<String, Fault> {
    let text = if paragraphs { text } else { text.trim() };
    let allowed = |c: char| !c.is_control() || (paragraphs && matches!(c, '\n' | '\r' | '\t'));
    // Characters that reorder what stands beside them make one name look like another.
    let reorders = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    if !text.chars().all(|c| allowed(c) && !reorders(c)) {
        return Err(wrong(field, "control_character", "free of control characters"));
    }
    let length = text.chars().count();
    if length > field.max_length {
        return Err(wrong(field, "too_long", &format!("at most {} characters", field.max_length)));
    }
    if field.min_length.is_some_and(|min| length < min) {
        return Err(wrong(
            field,
            "too_short",
            &format!("at least {} characters", field.min_length.unwrap_or(0)),
        ));
    }
    Ok(text.to_owned())
}

fn phone(field: &Field, text: &str) -> Result<String, Fault> {
    let fits = text.len() <= 40
        && text.bytes().any(|b| b.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || b" +-()./x".contains(&b));
    if fits {
        Ok(text.to_owned())
    } else {
        Err(wrong(field, "invalid_phone", "a telephone number: digits, spaces and + - ( ) . / x"))
    }
}

fn email(field: &Field, text: &str) -> Result<String, Fault> {
    if text.len() <= 254 && EmailAddress::is_valid(text) {
        return Ok(text.to_owned());
    }
    Err(wrong(field, "invalid_email", "an e-mail address"))
}

fn url(field: &Field, text: &str) -> Result<String, Fault> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let fits = text.len() <= 2048
        && rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric() || c == '['))
        // Credentials do not belong into an address that people share.
        && !rest.is_some_and(|rest| rest.split(['/', '?', '#']).next().is_some_and(|host| host.contains('@')))
        && !text.chars().any(|c| c.is_control() || c.is_whitespace() || "<>\"\\".contains(c));
    if fits {
        Ok(text.to_owned())
    } else {
        Err(wrong(field, "invalid_url", "an address that starts with http:// or https://"))
    }
}

fn date(field: &Field, text: &str) -> Result<String, Fault> {
    let written = text.len() == 10
        && Date::from_str(text).is_ok_and(|date| date.year() > 0 && date.to_string() == text);
    if written {
        Ok(text.to_owned())
    } else {
        Err(wrong(field, "invalid_date", "a date of the calendar, YYYY-MM-DD"))
    }
}

fn instant(field: &Field, text: &str) -> Result<i64, Fault> {
    // A leap second would be read as the second before it, and so be another instant than the one that was sent.
    let clock = text.split(['T', 't', ' ']).nth(1).unwrap_or_default();
    let leaps = clock.chars().filter(char::is_ascii_digit).skip(4).take(2).eq("60".chars());
    match Timestamp::from_str(text) {
        Ok(instant) if !leaps => Ok(instant.as_millisecond()),
        _ => Err(wrong(field, "invalid_instant", "an instant with its offset, 2026-11-22T09:30:00Z")),
    }
}

fn number(field: &Field, json: &Json, scale: u8) -> Result<i64, Fault> {
    let what = format!("a decimal in quotes with at most {scale} places");
    let text = text(field, json, &what)?;
    parse_scaled(text, scale).ok_or_else(|| wrong(field, "invalid_decimal", &what))
}

fn money(field: &Field, json: &Json) -> Result<Stored, Fault> {
    let what = r#"money: {"amount":"1234.50","currency":"EUR"}"#;
    if json.is_number() {
        return Err(wrong(field, "money_must_be_string", what));
    }
    let members = json.as_object().ok_or_else(|| wrong(field, "wrong_type", what))?;
    if members.get("amount").is_some_and(Json::is_number) {
        return Err(wrong(field, "money_must_be_string", what));
    }
    let (Some(amount), Some(currency), 2) = (
        members.get("amount").and_then(Json::as_str),
        members.get("currency").and_then(Json::as_str),
        members.len(),
    ) else {
        return Err(wrong(field, "wrong_type", what));
    };
    let Some(places) = exponent(currency) else {
        return Err(wrong(field, "unknown_currency", "in a currency of ISO 4217, such as EUR"));
    };
    let minor = parse_scaled(amount, places).ok_or_else(|| {
        wrong(field, "invalid_decimal", &format!("an amount with at most {places} places for {currency}"))
    })?;
    let value = Value::Integer(minor);
    bounds(field, &value)?;
    Ok((value, Value::Text(currency.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn a(kind: Kind) -> Field {
        Field {
            key: "f".into(),
            kind,
            column: 11,
            required: false,
            required_when: None,
            unique: false,
            indexed: false,
            searchable: 0,
            class: crate::policy::Label::Internal,
            custom: false,
            inverse: None,
            read_only: false,
            min: None,
            max: None,
            min_length: None,
            max_length: 10,
            default: None,
            label: "F".into(),
            help: String::new(),
            json_key: String::new(),
        }
    }

    #[test]
    fn money_is_exact_and_in_a_known_currency() {
        let field = a(Kind::Money);
        let good = super::field(&field, &json!({"amount": "12.30", "currency": "EUR"})).unwrap();
        assert_eq!(good, (Value::Integer(1230), Value::Text("EUR".into())));
        for (bad, code) in [
            (json!({"amount": 12.3, "currency": "EUR"}), "money_must_be_string"),
            (json!({"amount": "12.305", "currency": "EUR"}), "invalid_decimal"),
            (json!({"amount": "12.3", "currency": "JPY"}), "invalid_decimal"),
            (json!({"amount": "1", "currency": "ABC"}), "unknown_currency"),
            (json!({"amount": "1"}), "wrong_type"),
            (json!("1"), "wrong_type"),
        ] {
            assert_eq!(super::field(&field, &bad).unwrap_err().code, code, "{bad}");
        }
    }

    #[test]
    fn each_kind_refuses_what_it_is_not() {
        let cases = [
            (Kind::Text, json!(1), "wrong_type"),
            (Kind::Text, json!("12345678901"), "too_long"),
            (Kind::Text, json!("a\u{0}b"), "control_character"),
            (Kind::Integer, json!(1.5), "wrong_type"),
            (Kind::Integer, json!("1"), "wrong_type"),
            (Kind::Boolean, json!("true"), "wrong_type"),
            (Kind::Date, json!("2026-02-30"), "invalid_date"),
            (Kind::Date, json!("20260101"), "invalid_date"),
            (Kind::DateTime, json!("2026-01-01T00:00:00"), "invalid_instant"),
            (Kind::Email, json!("a b@c"), "invalid_email"),
            (Kind::Url, json!("javascript:alert(1)"), "invalid_url"),
            (Kind::Percent, json!(5), "wrong_type"),
        ];
        for (kind, bad, code) in cases {
            assert_eq!(super::field(&a(kind), &bad).unwrap_err().code, code, "{bad}");
        }
    }

    #[test]
    fn f7_a_number_or_an_instant_is_the_one_that_was_sent_or_refused() {
        let refused = |kind: Kind, bad: Json| assert!(super::field(&a(kind), &bad).is_err(), "{bad}");
        let taken = |kind: Kind, good: Json| super::field(&a(kind), &good).unwrap().0;
        for bad in ["10000-01-01", "0000-01-01", "-001-01-01", "2026-02-29", "2026-13-01", "2026-1-1"] {
            refused(Kind::Date, json!(bad));
        }
        for bad in [
            "2016-12-31T23:59:60Z",
            "20161231T235960Z",
            "2026-01-01T24:00:00Z",
            "2026-03-29T02:30:00",
            "+10000-01-01T00:00:00Z",
            "2026-01-01T00:00:00+26:00",
        ] {
            refused(Kind::DateTime, json!(bad));
        }
        // An hour that the clocks of a place skip is named exactly by its offset.
        assert_eq!(
            taken(Kind::DateTime, json!("2026-03-29T02:30:00+01:00")),
            Value::Integer(1_774_747_800_000)
        );
        for bad in
            ["99999999999999999999999999999999999999.99", "1e400", "1e2", "NaN", "-", "--1", "0x1", "1.234"]
        {
            refused(Kind::Decimal(2), json!(bad));
        }
        assert_eq!(taken(Kind::Decimal(2), json!("-12.30")), Value::Integer(-1230));
        assert_eq!(taken(Kind::Decimal(2), json!("-0")), Value::Integer(0));
        for bad in [json!(9_223_372_036_854_775_808_u64), json!(1e300), json!(1.5), json!("1")] {
            refused(Kind::Integer, bad);
        }
        assert_eq!(taken(Kind::Integer, json!(i64::MIN)), Value::Integer(i64::MIN));
    }
}
