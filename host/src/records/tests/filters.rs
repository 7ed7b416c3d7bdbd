//! Filters: what SQLite answers is what the filter says, evaluated here over the same rows.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value as Json, json};

use super::rows::{FIELDS, Row, V, pool, row, text, to_json};
use super::world::{World, ids_of};
use crate::ids::RecordId;
use crate::records::RecordError;
use crate::records::filter::{Filter, parse_json, parse_query};
use crate::records::money::{exponent, write_scaled};

/// A filter as the test understands it.
#[derive(Clone, Debug)]
enum F {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    /// Field, operator, values; for money whether the currency is named.
    Test(&'static str, &'static str, Vec<V>, bool),
    /// A text search: contains or starts.
    Search(&'static str, &'static str, String),
    Empty(&'static str, bool),
}

const OPS: [&str; 8] = ["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"];

fn test() -> impl Strategy<Value = F> {
    let compare = (prop::sample::select(&FIELDS[..]), prop::sample::select(&OPS[..]), any::<bool>())
        .prop_flat_map(|(field, op, named)| {
            let most = if matches!(op, "in" | "nin") { 3 } else { 1 };
            let values = prop::collection::vec(prop::sample::select(pool(field)), 1..=most);
            values.prop_map(move |values| F::Test(field, op, values, named))
        });
    let search = (
        prop::sample::select(vec!["name", "color", "email", "day"]),
        prop::sample::select(vec!["contains", "starts"]),
        prop::sample::select(vec!["a", "A", "%", "_", "a%", "\\", "ü", "zürich", "B@EX", "2024-0", "b"]),
    )
        .prop_map(|(field, op, needle)| F::Search(field, op, needle.to_owned()));
    let empty =
        (prop::sample::select(&FIELDS[..]), any::<bool>()).prop_map(|(field, is)| F::Empty(field, is));
    prop_oneof![6 => compare, 2 => search, 2 => empty]
}

fn filter() -> impl Strategy<Value = F> {
    test().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(F::And),
            prop::collection::vec(inner.clone(), 0..4).prop_map(F::Or),
            inner.prop_map(|inner| F::Not(Box::new(inner))),
        ]
    })
}

/// A value as a filter writes it: money without a currency is in the organization's, EUR.
fn written(field: &str, value: &V, named: bool) -> String {
    let V::Money(minor, currency) = value else {
        return text(field, value);
    };
    let mut out = String::new();
    write_scaled(*minor, exponent(if named { currency } else { "EUR" }).unwrap(), &mut out);
    if named { format!("{out} {currency}") } else { out }
}

fn to_filter(filter: &F) -> Json {
    match filter {
        F::And(parts) => json!({ "and": parts.iter().map(to_filter).collect::<Vec<_>>() }),
        F::Or(parts) => json!({ "or": parts.iter().map(to_filter).collect::<Vec<_>>() }),
        F::Not(inner) => json!({ "not": to_filter(inner) }),
        F::Test(field, op, values, named) => {
            let values: Vec<String> = values.iter().map(|value| written(field, value, *named)).collect();
            let value = if matches!(*op, "in" | "nin") { json!(values) } else { json!(values[0]) };
            json!({ "field": field, "op": op, "value": value })
        }
        F::Search(field, op, needle) => json!({ "field": field, "op": op, "value": needle }),
        F::Empty(field, is) => json!({ "field": field, "op": "empty", "value": is }),
    }
}

/// Whether the values can be compared at all, and how they stand.
fn compared(value: &V, with: &V, named: bool) -> Option<std::cmp::Ordering> {
    Some(match (value, with) {
        (V::Whole(a), V::Whole(b)) => a.cmp(b),
        (V::Text(a), V::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (V::Money(_, a), V::Money(_, b)) if *a != if named { *b } else { "EUR" } => return None,
        (V::Money(a, _), V::Money(b, _)) => a.cmp(b),
        _ => panic!("{value:?} beside {with:?}"),
    })
}

fn holds(filter: &F, row: &Row) -> bool {
    match filter {
        F::And(parts) => parts.iter().all(|part| holds(part, row)),
        F::Or(parts) => parts.iter().any(|part| holds(part, row)),
        F::Not(inner) => !holds(inner, row),
        F::Empty(field, is) => row.contains_key(field) != *is,
        F::Search(field, op, needle) => {
            let Some(V::Text(text)) = row.get(field) else { return false };
            let (text, needle) = (text.to_lowercase(), needle.to_lowercase());
            if *op == "contains" { text.contains(&needle) } else { text.starts_with(&needle) }
        }
        F::Test(field, op, values, named) => {
            let order = row.get(field).map(|value| compared(value, &values[0], *named));
            let order = order.flatten();
            let among =
                |value: &V| values.iter().any(|one| compared(value, one, *named).is_some_and(|o| o.is_eq()));
            match *op {
                "eq" => order.is_some_and(|order| order.is_eq()),
                "ne" => !order.is_some_and(|order| order.is_eq()),
                "gt" => order.is_some_and(|order| order.is_gt()),
                "gte" => order.is_some_and(|order| order.is_ge()),
                "lt" => order.is_some_and(|order| order.is_lt()),
                "lte" => order.is_some_and(|order| order.is_le()),
                "in" => row.get(field).is_some_and(among),
                _ => !row.get(field).is_some_and(among),
            }
        }
    }
}

#[test]
fn a_filter_selects_exactly_the_rows_that_it_describes() {
    let world = World::new();
    let case = (prop::collection::vec(row(), 0..24), prop::collection::vec(filter(), 12));
    let run = TestRunner::new(Config::with_cases(32)).run(&case, |(rows, filters)| {
        world.clear();
        let desk = world.owner();
        let made = desk.create_all("tree", rows.iter().map(to_json).collect()).unwrap();
        let ids: Vec<RecordId> = made.into_iter().map(Result::unwrap).collect();
        for filter in &filters {
            let json = to_filter(filter);
            let page = desk.page("tree", &json, "created_at", 200, None).unwrap();
            let expected: Vec<RecordId> =
                ids.iter().zip(&rows).filter(|(_, row)| holds(filter, row)).map(|(id, _)| *id).collect();
            prop_assert_eq!(&page["count"], expected.len(), "{}", json);
            prop_assert_eq!(ids_of(&page), expected, "{}", json);
        }
        Ok(())
    });
    run.unwrap();
}

#[test]
fn the_query_string_means_what_the_json_form_means() {
    let world = World::new();
    let tree = world.entity("tree");
    let desk = world.owner();
    let context = desk.context();
    let from_query =
        |key: &str, value: &str| parse_query(&context, &tree, &[(key.to_owned(), value.to_owned())]).unwrap();
    TestRunner::new(Config::with_cases(256))
        .run(&test(), |test| {
            let json = to_filter(&test);
            let value = match &json["value"] {
                Json::Array(items) => {
                    items.iter().map(|item| item.as_str().unwrap()).collect::<Vec<_>>().join(",")
                }
                Json::String(text) => text.clone(),
                other => other.to_string(),
            };
            let (field, op) = (json["field"].as_str().unwrap(), json["op"].as_str().unwrap());
            let from_address = from_query(&format!("{field}[{op}]"), &value);
            let from_body = Filter::And(vec![parse_json(&context, &tree, &json).unwrap()]);
            prop_assert_eq!(&from_address, &from_body);
            if op == "eq" {
                prop_assert_eq!(&from_address, &from_query(field, &value));
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_largest_filter_that_is_allowed_runs_and_one_more_is_refused() {
    let world = World::new();
    let desk = world.owner();
    let id = desk.create("tree", json!({ "name": "x" })).unwrap();
    let one = json!({ "field": "price", "op": "nin", "value": vec!["1 EUR"; 200] });
    let wide = |tests: usize, word: &str| json!({ word: vec![json!({ "field": "name", "op": "ne", "value": "y" }); tests] });
    let mut deep = wide(63, "and");
    for _ in 0..6 {
        deep = json!({ "not": deep });
    }
    assert_eq!(desk.ids("tree", &json!({ "and": [deep, one] })).unwrap(), [id]);
    assert_eq!(desk.ids("tree", &wide(64, "or")).unwrap(), [id]);
    let code = |json: &Json| match desk.ids("tree", json) {
        Err(RecordError::BadRequest { code, .. }) => code,
        other => panic!("{other:?}"),
    };
    assert_eq!(code(&wide(65, "or")), "filter_too_large");
    assert_eq!(code(&json!({ "and": [json!({ "not": json!({ "not": deep }) })] })), "filter_too_deep");
    let path = json!({ "field": "parent.name", "value": "y" });
    assert!(desk.ids("tree", &json!({ "and": vec![path.clone(); 8] })).is_ok());
    assert_eq!(code(&json!({ "and": vec![path; 9] })), "filter_too_costly");
    let long = json!({ "field": "name", "op": "in", "value": vec!["a"; 201] });
    assert_eq!(code(&long), "filter_list_too_long");
}

#[test]
fn what_cannot_be_a_filter_is_refused() {
    let world = World::new();
    let (tree, desk) = (world.entity("tree"), world.owner());
    for (key, value, code) in [
        ("nothing", "1", "unknown_parameter"),
        ("deleted_at", "1", "unknown_parameter"),
        ("name[", "1", "unknown_parameter"),
        ("nothing.name", "1", "unknown_parameter"),
        ("name[like]", "1", "unknown_operator"),
        ("amount", "1.5", "invalid_filter_value"),
        ("amount[contains]", "1", "operator_not_applicable"),
        ("amount[within]", "today", "operator_not_applicable"),
        ("name[has]", "true", "operator_not_applicable"),
        ("name", "", "invalid_filter_value"),
        ("name[contains]", "", "invalid_filter_value"),
        ("color", "purple", "invalid_filter_value"),
        ("extra", "{}", "operator_not_applicable"),
        ("price", "1 XYZ", "invalid_filter_value"),
        ("price", "1.005", "invalid_filter_value"),
        ("name[empty]", "maybe", "invalid_filter_value"),
        ("parent", "x", "invalid_filter_value"),
        ("day[within]", "someday", "invalid_period"),
        ("day[within]", "last_9999_days", "invalid_period"),
        ("name.name", "1", "invalid_filter_path"),
        ("parent.nothing", "1", "unknown_field"),
        ("parent.", "1", "unknown_field"),
        ("leafs", "1", "unknown_field"),
        ("leafs[has]", "maybe", "invalid_filter_value"),
        ("id.name", "1", "invalid_filter_path"),
        ("owner.version", "1", "unknown_field"),
        ("owner.roles", "1", "unknown_field"),
        ("parent.parent.parent.parent.name", "1", "path_too_long"),
    ] {
        let outcome = parse_query(&desk.context(), &tree, &[(key.to_owned(), value.to_owned())]);
        assert!(
            matches!(&outcome, Err(RecordError::BadRequest { code: found, .. }) if *found == code),
            "{key}={value} {outcome:?}"
        );
    }
    for bad in [
        json!([]),
        json!({}),
        json!({ "and": {} }),
        json!({ "field": "name" }),
        json!({ "field": "name", "value": null }),
        json!({ "field": "name", "value": ["a"] }),
        json!({ "field": "name", "value": "a", "more": 1 }),
        json!({ "and": [], "or": [] }),
        json!({ "field": "leafs", "op": "has", "value": { "field": "nothing", "value": 1 } }),
        json!({ "field": "leafs", "op": "has", "value": ["a"] }),
        json!({ "field": "name", "op": "in", "value": vec!["a"; 201] }),
    ] {
        let outcome = parse_json(&desk.context(), &tree, &bad);
        assert!(matches!(outcome, Err(RecordError::BadRequest { .. })), "{bad}");
    }
}
