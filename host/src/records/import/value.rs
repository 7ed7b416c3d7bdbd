//! From the text of a cell to the JSON that the API would take for it. Pure.
//!
//! A text that cannot be read stays what it is: the field's own parser then says what is wrong with it.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use super::spec::Mapping;
use crate::records::money::{parse_scaled, write_percent};
use crate::records::schema::{Choice, Field, Kind};

/// The JSON for a text that is not empty. `zone` is the organization's, for times without offset.
pub(super) fn typed(field: &Field, mapping: &Mapping, text: &str, zone: &str) -> Json {
    let as_it_is = || Json::String(text.to_owned());
    match &field.kind {
        Kind::Integer => {
            let number = plain(mapping, text);
            number.parse::<i64>().map_or_else(|_| as_it_is(), Json::from)
        }
        Kind::Duration => duration(text).map_or_else(as_it_is, Json::from),
        Kind::Decimal(_) => Json::String(plain(mapping, text)),
        Kind::Percent => Json::String(percent(mapping, text)),
        Kind::Boolean => match text.to_lowercase().as_str() {
            "true" | "yes" | "y" | "1" => Json::Bool(true),
            "false" | "no" | "n" | "0" => Json::Bool(false),
            _ => as_it_is(),
        },
        Kind::Date => mapping
            .format
            .as_deref()
            .and_then(|format| Date::strptime(format, text).ok())
            .map_or_else(as_it_is, |date| Json::String(date.to_string())),
        Kind::DateTime => instant(mapping, text, zone).map_or_else(as_it_is, Json::String),
        Kind::Option(choices) => Json::String(choice(choices, text)),
        Kind::Options(choices) => {
            parts(mapping, text).map(|part| Json::String(choice(choices, part))).collect()
        }
        Kind::Json | Kind::Address => serde_json::from_str(text).unwrap_or_else(|_| as_it_is()),
        _ => as_it_is(),
    }
}

/// An amount of money in a currency.
pub(super) fn money(mapping: &Mapping, text: &str, currency: Option<&str>) -> Json {
    json!({ "amount": plain(mapping, text), "currency": currency })
}

/// The parts of a cell that holds several values.
pub(super) fn parts<'a>(mapping: &'a Mapping, text: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(mapping.separator()).map(str::trim).filter(|part| !part.is_empty())
}

/// The key of a choice, which may stand by its label.
fn choice(choices: &[Choice], text: &str) -> String {
    let folded = text.to_lowercase();
    let key = choices.iter().find(|choice| choice.key == text);
    let named = key.or_else(|| choices.iter().find(|choice| choice.label.to_lowercase() == folded));
    named.map_or_else(|| text.to_owned(), |choice| choice.key.clone())
}

/// A number with `.` and without groups.
fn plain(mapping: &Mapping, text: &str) -> String {
    let Some(decimal) = mapping.decimal else {
        return text.to_owned();
    };
    let group = if decimal == ',' { '.' } else { ',' };
    text.chars()
        .filter(|sign| *sign != group && *sign != '\'' && !sign.is_whitespace())
        .map(|sign| if sign == decimal { '.' } else { sign })
        .collect()
}

fn percent(mapping: &Mapping, text: &str) -> String {
    let bare = text.strip_suffix('%').map_or(text, str::trim_end);
    let number = plain(mapping, bare);
    match parse_scaled(&number, 6).filter(|_| mapping.fraction && bare.len() == text.len()) {
        None => number,
        Some(ppm) => {
            let mut text = String::new();
            write_percent(ppm, &mut text);
            text
        }
    }
}

/// Milliseconds: as such, or `PT1H30M`, `1:30:00`, `1h 30m`.
fn duration(text: &str) -> Option<i64> {
    if let Ok(milliseconds) = text.parse() {
        return Some(milliseconds);
    }
    let span: SignedDuration = text.parse().ok()?;
    i64::try_from(span.as_millis()).ok()
}

/// An instant in RFC 3339: a time without offset is the organization's.
fn instant(mapping: &Mapping, text: &str, zone: &str) -> Option<String> {
    if mapping.format.is_none() && text.parse::<Timestamp>().is_ok() {
        return None;
    }
    let local = match &mapping.format {
        Some(format) => DateTime::strptime(format, text)
            .or_else(|_| Date::strptime(format, text).map(|date| date.at(0, 0, 0, 0))),
        None => text.parse::<DateTime>(),
    };
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let instant = zone.to_timestamp(local.ok()?).ok()?;
    Some(crate::clock::rfc3339(instant.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::tests::garden::field;

    fn read(kind: Kind, mapping: &Mapping, text: &str) -> Json {
        typed(&field("f", kind), mapping, text, "Europe/Vienna")
    }

    #[test]
    fn texts_become_what_the_api_takes() {
        let plain = Mapping::default();
        let choices = || vec![Choice { key: "deep".into(), label: "Deep Blue".into(), archived: false }];
        let cases = [
            (Kind::Integer, "12", json!(12)),
            (Kind::Integer, "x", json!("x")),
            (Kind::Duration, "90", json!(90)),
            (Kind::Duration, "PT1H30M", json!(5_400_000)),
            (Kind::Duration, "1h 30m", json!(5_400_000)),
            (Kind::Duration, "PT0.5S", json!(500)),
            (Kind::Boolean, "YES", json!(true)),
            (Kind::Boolean, "perhaps", json!("perhaps")),
            (Kind::Percent, "12.5 %", json!("12.5")),
            (Kind::Option(choices()), "deep blue", json!("deep")),
            (Kind::Options(choices()), "Deep Blue; deep ;x", json!(["deep", "deep", "x"])),
            (Kind::DateTime, "2026-01-15T09:30:00Z", json!("2026-01-15T09:30:00Z")),
            (Kind::DateTime, "2026-01-15 09:30", json!("2026-01-15T08:30:00.000Z")),
            (Kind::DateTime, "2026-07-15", json!("2026-07-14T22:00:00.000Z")),
            (Kind::Json, "[1]", json!([1])),
            (Kind::Date, "2026-01-15", json!("2026-01-15")),
        ];
        for (kind, text, expected) in cases {
            assert_eq!(read(kind, &plain, text), expected, "{text}");
        }
    }

    #[test]
    fn numbers_and_dates_are_read_as_they_are_written_elsewhere() {
        let german = Mapping { decimal: Some(','), format: Some("%d.%m.%Y".into()), ..Mapping::default() };
        assert_eq!(read(Kind::Decimal(2), &german, "1.234,50"), json!("1234.50"));
        assert_eq!(read(Kind::Integer, &german, "1.234"), json!(1234));
        assert_eq!(read(Kind::Date, &german, "01.02.2026"), json!("2026-02-01"));
        assert_eq!(read(Kind::Date, &german, "2026-02-01"), json!("2026-02-01"));
        assert_eq!(read(Kind::DateTime, &german, "01.02.2026"), json!("2026-01-31T23:00:00.000Z"));
        assert_eq!(money(&german, "1 234,5", Some("EUR")), json!({"amount": "1234.5", "currency": "EUR"}));
        let swiss = Mapping { decimal: Some('.'), ..Mapping::default() };
        assert_eq!(read(Kind::Decimal(2), &swiss, "1'234.50"), json!("1234.50"));
    }

    #[test]
    fn a_fraction_of_one_is_a_percentage_where_the_mapping_says_so() {
        let fraction = Mapping { fraction: true, ..Mapping::default() };
        assert_eq!(read(Kind::Percent, &fraction, "0.125"), json!("12.5"));
        assert_eq!(read(Kind::Percent, &fraction, "1"), json!("100"));
        assert_eq!(read(Kind::Percent, &fraction, "12.5%"), json!("12.5"));
        assert_eq!(read(Kind::Percent, &Mapping::default(), "0.125"), json!("0.125"));
    }
}
