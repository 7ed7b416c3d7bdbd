//! What a stale change is told: which fields moved on since, when, and by whom.

use serde_json::json;

use super::world::World;
use crate::records::RecordError;
use crate::records::since::ChangedField;
use crate::records::write::{self, Change, members};

fn told(outcome: Result<u64, RecordError>) -> Vec<ChangedField> {
    match outcome {
        Err(RecordError::Stale { changed, .. }) => changed,
        other => panic!("{other:?} is not stale"),
    }
}

#[test]
fn the_fields_that_moved_on_are_told_once_the_latest_first() {
    let world = World::new();
    let (ann, bob) = (world.owner(), world.owner());
    let id = ann.create("tree", json!({ "name": "a", "rank": 1 })).unwrap();
    ann.update("tree", id, None, json!({ "name": "b", "body": "x" })).unwrap();
    world.clock.advance(1_000);
    bob.update("tree", id, None, json!({ "price": { "amount": "1.00", "currency": "EUR" } })).unwrap();
    world.clock.advance(1_000);
    bob.update("tree", id, None, json!({ "name": "c", "external_ids": { "old": "1" } })).unwrap();
    let since = |version| {
        let changed = told(ann.update("tree", id, Some(version), json!({ "rank": 2 })));
        let mut fields: Vec<(String, i64, bool)> = changed
            .iter()
            .map(|one| {
                let by_bob = one.by == bob.scope.caller.principal.id;
                (one.field.to_string(), one.at - 1_700_000_000_000, by_bob)
            })
            .collect();
        assert!(fields.is_sorted_by(|a, b| a.1 >= b.1), "{fields:?}");
        fields.sort();
        fields
    };
    let one = |field: &str, at: i64, by_bob: bool| (field.to_owned(), at, by_bob);
    let latest = [one("external_ids", 2_000, true), one("name", 2_000, true)];
    assert_eq!(since(3), latest);
    assert_eq!(since(2), [&latest[..], &[one("price", 1_000, true)]].concat());
    let all = [
        one("body", 0, false),
        one("external_ids", 2_000, true),
        one("name", 2_000, true),
        one("price", 1_000, true),
    ];
    assert_eq!(since(1), all);
}

#[test]
fn what_the_same_request_changed_counts_too() {
    let world = World::new();
    let id = world.owner().create("tree", json!({ "name": "a" })).unwrap();
    let tree = world.entity("tree");
    let change = move |version, json: serde_json::Value| Change {
        id,
        version,
        changes: members(json.as_object().cloned().unwrap()),
    };
    let outcome = world.owner().write(move |tx| {
        write::update(tx, &tree, vec![change(None, json!({ "rank": 2 }))])?;
        write::update(tx, &tree, vec![change(Some(1), json!({ "name": "b" }))])
    });
    let changed = told(outcome.map(|versions| versions[0]));
    assert_eq!(changed.iter().map(|one| &*one.field).collect::<Vec<_>>(), ["rank"]);
}
