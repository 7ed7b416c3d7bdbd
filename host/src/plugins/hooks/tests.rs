//! What a hook answers is not trusted: cells that do not fit its entity are refused.

use proptest::prelude::*;

use super::*;
use crate::records::cells::push;
use crate::records::schema::SYSTEM_COLUMNS;
use crate::records::tests::garden;

fn tree() -> Arc<Entity> {
    garden::entity("tree", garden::tree_fields(), &[])
}

fn row(entity: &Entity) -> Vec<Value> {
    vec![Value::Null; entity.width]
}

fn packed(values: &[Value]) -> Vec<u8> {
    let mut cells = Vec::new();
    values.iter().for_each(|value| push(value, &mut cells));
    cells
}

/// The declared fields, all empty, but for these.
fn answer(entity: &Entity, set: &[(&str, Value)]) -> Vec<Value> {
    let mut values = vec![Value::Null; entity.width - SYSTEM_COLUMNS.len()];
    for (key, value) in set {
        let (key, next) = key.strip_suffix("+1").map_or((*key, 0), |key| (key, 1));
        values[entity.field(key).unwrap().column - SYSTEM_COLUMNS.len() + next] = value.clone();
    }
    values
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn good_values_take_their_places() {
    let entity = tree();
    let mut values = row(&entity);
    let set = [
        ("name", text("x")),
        ("price", Value::Integer(5)),
        ("price+1", text("EUR")),
        ("stamp", Value::Integer(7)),
    ];
    unpack("garden", &entity, &packed(&answer(&entity, &set)), &mut values).unwrap();
    assert_eq!(values[SYSTEM_COLUMNS.len()..], answer(&entity, &set));
}

#[test]
fn malformed_answers_are_refused() {
    let entity = tree();
    let whole = answer(&entity, &[]);
    let with = |key: &str, value: Value| packed(&answer(&entity, &[(key, value)]));
    let cases = [
        Vec::new(),
        packed(&whole[1..]),
        packed(&[whole.clone(), vec![Value::Null]].concat()),
        with("amount", text("1")),
        with("parent", text("x")),
        with("name", Value::Id([0; 16])),
        with("price", Value::Integer(1)),
        with("price+1", text("EUR")),
        with("price+1", Value::Integer(1)),
        vec![9],
        vec![3, 255, 255, 255, 255, b'a'],
    ];
    for cells in cases {
        let outcome = unpack("garden", &entity, &cells, &mut row(&entity));
        assert!(matches!(outcome, Err(RecordError::Plugin { code: "plugin_bad_answer", .. })), "{cells:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_answered_without_a_panic(cells in prop::collection::vec(any::<u8>(), 0..80), tail in any::<u8>()) {
        let entity = tree();
        let _ = unpack("garden", &entity, &cells, &mut row(&entity));
        let mut cut = packed(&answer(&entity, &[("name", text("x"))]));
        cut.truncate(cut.len().saturating_sub(usize::from(tail)));
        let _ = unpack("garden", &entity, &cut, &mut row(&entity));
    }
}
