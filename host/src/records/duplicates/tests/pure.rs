//! Rules and scores, without a file.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::{person, rules};
use crate::records::duplicates::blocking;
use crate::records::duplicates::normalize::Region;
use crate::records::duplicates::pair::{End, forms, score};
use crate::records::duplicates::rule::{Rule, check_all};
use crate::records::schema::Entity;
use crate::records::tests::world::told;
use crate::records::value::Value;

#[test]
fn every_fault_of_a_rule_is_told_with_its_place() {
    let entity = person(Vec::new());
    let wrong: Vec<Rule> = serde_json::from_value(json!([
        { "key": "A b", "label": "", "criteria": [], "threshold": 0 },
        { "key": "x", "label": "x", "criteria": [
            { "field": "nose", "kind": "text" },
            { "field": "email", "kind": "phone" },
            { "field": "email", "kind": "email", "method": "trigram" },
            { "field": "name+email", "kind": "email" },
            { "field": "name", "kind": "person", "threshold": 101, "weight": 0, "provider_rules": true, "other": "name" }
        ] },
        { "key": "x", "label": "x", "against": "garden.person", "criteria": [{ "field": "name", "kind": "person" }] }
    ]))
    .unwrap();
    let mut told = told(&check_all(&wrong, &entity, |_| None));
    told.sort();
    assert_eq!(
        told,
        [
            "/0/criteria invalid_criteria",
            "/0/key invalid_key",
            "/0/label required",
            "/0/threshold invalid_threshold",
            "/1/criteria/0/field unknown_field",
            "/1/criteria/1/field invalid_field",
            "/1/criteria/2/method invalid_method",
            "/1/criteria/3/field invalid_field",
            "/1/criteria/4/other invalid_other",
            "/1/criteria/4/provider_rules invalid_provider_rules",
            "/1/criteria/4/threshold invalid_threshold",
            "/1/criteria/4/weight invalid_weight",
            "/2/against invalid_against",
            "/2/key duplicate_key",
        ]
    );
    let elsewhere: Vec<Rule> = serde_json::from_value(json!([
        { "key": "x", "label": "x", "against": "crm.contact", "criteria": [{ "field": "name", "kind": "person" }] }
    ]))
    .unwrap();
    let other = person(Vec::new());
    assert_eq!(told_of(&elsewhere, &entity, &other), ["/0/criteria/0/field no_keys"]);
    assert!(check_all(&rules("warn"), &entity, |_| None).is_empty());
}

fn told_of(rules: &[Rule], entity: &Entity, other: &Arc<Entity>) -> Vec<String> {
    told(&check_all(rules, entity, |_| Some(Arc::clone(other))))
}

fn value() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "Ada",
        "ada",
        "Lovelace",
        "Bob",
        "Robert",
        "Müller",
        "Mueller",
        "GmbH",
        "AG",
        "Acme",
        "x@example.com",
        "X@EXAMPLE.com",
        "+49 30 901820",
        "030 901820",
        "Dr.",
        "",
    ]);
    let text = prop::collection::vec(words, 1..4).prop_map(|words| words.join(" "));
    prop_oneof![1 => Just(Value::Null), 6 => text.prop_map(Value::Text)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn scores_are_symmetric_and_equality_never_lacks_a_key(
        one in prop::collection::vec(value(), 4), other in prop::collection::vec(value(), 4),
    ) {
        let entity = person(rules("warn"));
        let row = |values: &[Value]| {
            let mut row = vec![Value::Null; entity.width];
            for (field, value) in entity.fields.iter().zip(values) {
                row[field.column] = value.clone();
            }
            row
        };
        let (one, other) = (row(&one), row(&other));
        let region = Region::of_locale("de");
        for rule in entity.duplicates.iter() {
            let (a, b) = (forms(rule, End::Own, &entity, &one, region), forms(rule, End::Own, &entity, &other, region));
            let there = score(rule, &a, &b);
            prop_assert_eq!(&there, &score(rule, &b, &a));
            prop_assert!(there.total <= 100);
            let keys = |forms| blocking::keys(rule, End::Own, forms);
            let (left, right) = (keys(&a), keys(&b));
            let equal = a.iter().zip(&b).any(|(a, b)| a.is_some() && a.as_ref().map(|form| &form.text) == b.as_ref().map(|form| &form.text));
            if equal {
                prop_assert!(left.iter().any(|key| right.contains(key)), "no key in common");
            }
        }
    }
}
