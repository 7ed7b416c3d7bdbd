//! Random rows of the garden's `tree`, from pools so small that values meet, each known to the test in stored form.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use crate::clock::rfc3339;
use crate::records::money::{exponent, write_percent, write_scaled};

/// A value in stored form.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum V {
    Whole(i64),
    Text(&'static str),
    Money(i64, &'static str),
}

/// Fields that are filled at random; `name` always has a value.
pub(super) const FIELDS: [&str; 12] =
    ["name", "amount", "ratio", "price", "share", "done", "day", "at", "spell", "color", "email", "rank"];

/// What may stand in a field.
pub(super) fn pool(field: &str) -> Vec<V> {
    let whole = |values: &[i64]| values.iter().map(|value| V::Whole(*value)).collect();
    let texts = |values: &[&'static str]| values.iter().map(|value| V::Text(value)).collect();
    match field {
        "name" => texts(&["a", "B", "b", "ab", "a%", "a_", "Zürich", "zürich", "x\\y", "AB c"]),
        "amount" => whole(&[-2, 0, 1, 7, i64::MAX]),
        "ratio" => whole(&[-1500, 0, 250, 1000]),
        "price" => vec![V::Money(500, "EUR"), V::Money(500, "USD"), V::Money(700, "EUR"), V::Money(5, "JPY")],
        "share" => whole(&[-1, 0, 125_000]),
        "done" => whole(&[0, 1]),
        "day" => texts(&["2023-12-31", "2024-01-01", "2024-02-29"]),
        "at" => whole(&[0, 1_000, 1_700_000_000_123]),
        "spell" => whole(&[0, 60_000]),
        "color" => texts(&["red", "green", "blue"]),
        "email" => texts(&["ann@example.com", "Bob@example.com"]),
        "rank" => whole(&[0, 5, 9]),
        other => panic!("no pool for {other}"),
    }
}

/// A stored value as the API writes it.
pub(super) fn text(field: &str, value: &V) -> String {
    let mut out = String::new();
    match (field, value) {
        (_, V::Text(text)) => out.push_str(text),
        ("ratio", V::Whole(value)) => write_scaled(*value, 3, &mut out),
        ("share", V::Whole(value)) => write_percent(*value, &mut out),
        ("done", V::Whole(value)) => out.push_str(if *value == 1 { "true" } else { "false" }),
        ("at", V::Whole(value)) => out = rfc3339(*value),
        (_, V::Whole(value)) => out = value.to_string(),
        (_, V::Money(minor, currency)) => write_scaled(*minor, exponent(currency).unwrap(), &mut out),
    }
    out
}

/// The member that makes a record have this value.
fn member(field: &str, value: &V) -> Json {
    match (field, value) {
        ("amount" | "spell" | "rank", V::Whole(value)) => json!(value),
        ("done", V::Whole(value)) => json!(*value == 1),
        (_, V::Money(_, currency)) => json!({ "amount": text(field, value), "currency": currency }),
        _ => json!(text(field, value)),
    }
}

/// A row; a field that is not there has no value.
pub(super) type Row = BTreeMap<&'static str, V>;

pub(super) fn to_json(row: &Row) -> Json {
    let value = |field| row.get(field).map_or(Json::Null, |value| member(field, value));
    FIELDS.iter().map(|field| ((*field).to_owned(), value(field))).collect::<Map<_, _>>().into()
}

pub(super) fn row() -> impl Strategy<Value = Row> {
    let fields: Vec<_> =
        FIELDS.iter().map(|field| prop::option::weighted(0.7, prop::sample::select(pool(field)))).collect();
    fields.prop_map(|values| {
        let mut row: Row =
            FIELDS.iter().zip(values).filter_map(|(field, value)| Some((*field, value?))).collect();
        row.entry("name").or_insert(V::Text("a"));
        row
    })
}
