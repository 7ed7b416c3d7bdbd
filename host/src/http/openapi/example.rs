//! Examples that run: for every field a value that its rules allow. References stand for records that must be there
//! first; their schemas say of what (`x-references`).

use serde_json::{Map, Value as Json, json};

use super::fields::needed;
use crate::records::money::{write_percent, write_scaled};
use crate::records::schema::{Entity, Field, Kind};

/// What a reference says in an example: a record of the reader's own.
pub(super) const SOME_ID: &str = "0199c0de-7b1f-7000-8000-000000000001";

/// What a new record cannot do without.
pub(super) fn smallest(entity: &Entity) -> Json {
    members(needed(entity))
}

/// Every field that a request may set.
pub(super) fn whole(entity: &Entity) -> Json {
    members(entity.fields.iter().filter(|field| !field.read_only))
}

/// A change that any record of the entity takes: what refers to nothing and may stand in several records.
pub(super) fn change(entity: &Entity) -> Json {
    let refers = |kind: &Kind| matches!(kind, Kind::Reference(..) | Kind::References(..) | Kind::File);
    let plain = |field: &&Field| !field.read_only && !field.unique && !refers(&field.kind);
    members(entity.fields.iter().filter(plain))
}

fn members<'f>(fields: impl Iterator<Item = &'f Field>) -> Json {
    fields.map(|field| (field.key.to_string(), value(field))).collect::<Map<_, _>>().into()
}

/// The number nearest to `wanted` that the field allows.
fn within(field: &Field, wanted: i64) -> i64 {
    let wanted = field.min.map_or(wanted, |min| wanted.max(min));
    field.max.map_or(wanted, |max| wanted.min(max))
}

fn scaled(field: &Field, wanted: i64, scale: u8) -> String {
    let mut text = String::new();
    write_scaled(within(field, wanted), scale, &mut text);
    text
}

fn value(field: &Field) -> Json {
    match &field.kind {
        Kind::Text => text(field, &field.label).into(),
        Kind::RichText => text(field, "First line.\nSecond line.").into(),
        Kind::Integer => within(field, 3).into(),
        Kind::Duration => within(field, 90_000).into(),
        Kind::Decimal(scale) => scaled(field, 1_250, *scale).into(),
        Kind::Percent => {
            let mut text = String::new();
            write_percent(within(field, 125_000), &mut text);
            text.into()
        }
        Kind::Money => json!({ "amount": scaled(field, 1_250, 2), "currency": "EUR" }),
        Kind::Boolean => true.into(),
        Kind::Date => "2026-01-15".into(),
        Kind::DateTime => "2026-01-15T09:30:00.000Z".into(),
        Kind::Option(choices) => choices.first().map(|choice| choice.key.as_str()).into(),
        Kind::Options(choices) => choices.iter().take(2).map(|choice| choice.key.as_str()).collect(),
        Kind::Reference(..) | Kind::File => SOME_ID.into(),
        Kind::References(..) => json!([SOME_ID]),
        Kind::Email => "ada@example.com".into(),
        Kind::Phone => "+43 1 5880100".into(),
        Kind::Url => "https://www.example.com/about".into(),
        Kind::Address => {
            json!({ "street": "Ring 1", "postal_code": "1010", "city": "Wien", "country": "AT" })
        }
        Kind::Json => json!({ "any": ["json", 1, true, null] }),
        // Given by the host, so that no input has one.
        Kind::AutoNumber(_) => Json::Null,
    }
}

/// As much of `wanted` as fits, and more of it where it is too short.
fn text(field: &Field, wanted: &str) -> String {
    let least = field.min_length.unwrap_or(1).max(1);
    let mut text: String = wanted.chars().take(field.max_length).collect();
    while text.chars().count() < least {
        text.push('x');
    }
    text.trim().to_owned()
}
