//! Laws of the field decisions, on random rows of the garden's trees.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::{Choice, Choices, EXTERNAL, Plan, choices, decide, united};
use crate::ids::RecordId;
use crate::records::merge::tests::estate::trees;
use crate::records::schema::{EXTERNAL_IDS, Entity, ID, Kind};
use crate::records::value::Value;

/// Records 1 to 9; the first few take part in a merge.
fn id(n: u8) -> RecordId {
    RecordId::from_bytes([n; 16])
}

fn list(items: &[String]) -> Value {
    if items.is_empty() { Value::Null } else { Value::Text(json!(items).to_string()) }
}

/// A value of the kind, or none.
fn value(kind: &Kind) -> BoxedStrategy<Value> {
    match kind {
        Kind::Options(declared) => {
            let keys: Vec<String> = declared.iter().map(|choice| choice.key.clone()).collect();
            let count = keys.len();
            prop::sample::subsequence(keys, 0..=count).prop_map(|keys| list(&keys)).boxed()
        }
        Kind::References(..) => prop::collection::btree_set(1_u8..9, 0..4)
            .prop_map(|ids| list(&ids.into_iter().map(|n| id(n).to_string()).collect::<Vec<_>>()))
            .boxed(),
        Kind::Reference(..) | Kind::File => {
            prop::option::of(1_u8..9).prop_map(|n| n.map_or(Value::Null, |n| id(n).into())).boxed()
        }
        _ => prop_oneof![Just(Value::Null), "[a-c]{1,2}".prop_map(Value::Text)].boxed(),
    }
}

fn row(entity: &Entity, n: u8) -> impl Strategy<Value = Vec<Value>> + use<> {
    let width = entity.width;
    let fields: Vec<_> = entity.fields.iter().map(|field| (Just(field.column), value(&field.kind))).collect();
    let external = prop::collection::btree_map("[a-l]", "[0-9]", 0..5);
    (fields, external).prop_map(move |(fields, external)| {
        let mut row = vec![Value::Null; width];
        row[ID] = id(n).into();
        for (column, value) in fields {
            row[column] = value;
        }
        if !external.is_empty() {
            row[EXTERNAL_IDS] = Value::Text(json!(external).to_string());
        }
        row
    })
}

fn rows() -> impl Strategy<Value = Vec<Vec<Value>>> {
    let entity = trees();
    (2_u8..=4).prop_flat_map(move |count| (1..=count).map(|n| row(&entity, n)).collect::<Vec<_>>())
}

fn planned(rows: &[Vec<Value>], choices: &Choices) -> Plan {
    decide(&trees(), &rows[0], &rows[1..], choices)
}

fn items(value: &Value) -> Vec<String> {
    value.text().map(|text| serde_json::from_str(text).unwrap()).unwrap_or_default()
}

fn external(row: &[Value]) -> BTreeMap<String, String> {
    row[EXTERNAL_IDS].text().map(|text| serde_json::from_str(text).unwrap()).unwrap_or_default()
}

proptest! {
    #[test]
    fn every_value_comes_from_one_of_the_records(rows in rows()) {
        let plan = planned(&rows, &Choices::new());
        let merged: Vec<RecordId> = rows.iter().filter_map(|row| row[ID].id()).collect();
        for field in &trees().fields {
            let at = field.column;
            if matches!(field.kind, Kind::Options(_) | Kind::References(..)) {
                let had: BTreeSet<String> = rows.iter().flat_map(|row| items(&row[at])).collect();
                let has: BTreeSet<String> = items(&plan.after[at]).into_iter().collect();
                prop_assert!(has.is_subset(&had), "{}", field.key);
                continue;
            }
            let found = rows.iter().any(|row| row[at] == plan.after[at]);
            prop_assert!(found || plan.after[at].is_null(), "{}", field.key);
            // What is there is lost only to what stands before it, or because it named a merged record.
            if plan.after[at].is_null() && !field.read_only && !matches!(field.kind, Kind::AutoNumber(_)) {
                prop_assert!(rows.iter().all(|row| row[at].is_null()
                    || row[at].id().is_some_and(|id| merged.contains(&id))), "{}", field.key);
            }
            let own = rows[0][at].id().is_some_and(|id| merged.contains(&id));
            if !rows[0][at].is_null() && !own {
                prop_assert_eq!(&plan.after[at], &rows[0][at]);
                prop_assert!(!plan.origins.contains_key(&field.key));
            }
        }
    }

    #[test]
    fn nobody_names_a_merged_record_unless_it_named_itself(rows in rows()) {
        let plan = planned(&rows, &Choices::new());
        let merged: Vec<RecordId> = rows.iter().filter_map(|row| row[ID].id()).collect();
        for key in ["parent", "root"] {
            let at = trees().field(key).unwrap().column;
            if let Some(named) = plan.after[at].id().filter(|named| merged.contains(named)) {
                prop_assert_eq!(named, id(1));
                prop_assert_eq!(&rows[0][at], &plan.after[at]);
            }
        }
        let at = trees().field("friends").unwrap().column;
        for named in items(&plan.after[at]) {
            let own = named == id(1).to_string() && items(&rows[0][at]).contains(&named);
            prop_assert!(own || merged.iter().all(|id| id.to_string() != named));
        }
    }

    #[test]
    fn a_union_holds_everything_once_whatever_the_order(
        (left, right, third) in {
            let kind = trees().field("marks").unwrap().kind.clone();
            (value(&kind), value(&kind), value(&kind))
        },
    ) {
        let entity = trees();
        let marks = entity.field("marks").unwrap();
        let union = |values: &[&Value]| united(marks, &values.iter().map(|v| (*v).clone()).collect::<Vec<_>>());
        let both = union(&[&left, &right]);
        prop_assert_eq!(&both, &union(&[&right, &left]));
        prop_assert_eq!(&both, &union(&[&both, &left]));
        prop_assert_eq!(union(&[&both, &third]), union(&[&left, &union(&[&right, &third])]));
        let all: BTreeSet<String> = items(&left).into_iter().chain(items(&right)).collect();
        prop_assert_eq!(items(&both).into_iter().collect::<BTreeSet<_>>(), all.clone());
        prop_assert_eq!(items(&both).len(), all.len());
    }

    #[test]
    fn no_external_id_is_lost(rows in rows()) {
        let plan = planned(&rows, &Choices::new());
        let kept = external(&plan.after);
        prop_assert!(kept.len() <= EXTERNAL);
        for (at, row) in rows.iter().enumerate() {
            for (source, value) in external(row) {
                let pair = (source.clone(), value.clone());
                prop_assert!(kept.get(&source) == Some(&value) || plan.spare.contains(&pair));
                if at == 0 {
                    prop_assert_eq!(kept.get(&source), Some(&value));
                }
            }
        }
        if rows[1..].iter().all(|row| row[EXTERNAL_IDS].is_null()) {
            prop_assert_eq!(&plan.after[EXTERNAL_IDS], &rows[0][EXTERNAL_IDS]);
        }
    }

    #[test]
    fn a_choice_is_what_the_record_has(rows in rows(), from in 0_usize..4) {
        let from = from % rows.len();
        let entity = trees();
        let name = entity.field("name").unwrap();
        let chosen = Choices::from([(name.key.clone(), Choice::Of(rows[from][ID].id().unwrap()))]);
        let plan = planned(&rows, &chosen);
        prop_assert_eq!(&plan.after[name.column], &rows[from][name.column]);
    }
}

fn refused(raw: Json) -> Vec<String> {
    let Json::Object(raw) = raw else { panic!("no object") };
    let faults = choices(&trees(), &raw, &[id(1), id(2)]).unwrap_err();
    faults.iter().map(|fault| format!("{} {}", fault.pointer, fault.code)).collect()
}

#[test]
fn a_choice_names_a_record_that_takes_part_or_gives_a_value() {
    let raw = json!({ "name": id(2), "amount": { "value": 7 }, "place": { "value": null } });
    let Json::Object(raw) = raw else { panic!("no object") };
    let chosen = choices(&trees(), &raw, &[id(1), id(2)]).unwrap();
    assert_eq!(chosen.get("name"), Some(&Choice::Of(id(2))));
    assert_eq!(chosen.get("amount"), Some(&Choice::Value(Value::Integer(7), Value::Null)));
    assert_eq!(chosen.get("place"), Some(&Choice::Value(Value::Null, Value::Null)));
}

#[test]
fn a_choice_that_is_none_is_refused_where_it_stands() {
    for (raw, fault) in [
        (json!({ "name": id(3) }), "/choices/name invalid_choice"),
        (json!({ "name": 1 }), "/choices/name invalid_choice"),
        (json!({ "name": { "value": "x", "or": 1 } }), "/choices/name invalid_choice"),
        (json!({ "name": { "value": "" } }), "/choices/name/value required"),
        (json!({ "place": { "value": { "planet": "x" } } }), "/choices/place/value/planet unknown_field"),
        (json!({ "stamp": id(2) }), "/choices/stamp read_only"),
        (json!({ "number": id(2) }), "/choices/number read_only"),
        (json!({ "owner_id": id(2) }), "/choices/owner_id not_choosable"),
        (json!({ "nothing": id(2) }), "/choices/nothing not_choosable"),
        (json!({ "parent": { "value": id(2) } }), "/choices/parent refers_to_merged"),
    ] {
        assert_eq!(refused(raw), [fault]);
    }
    assert!(choices(&trees(), &Map::new(), &[id(1)]).unwrap().is_empty());
}
