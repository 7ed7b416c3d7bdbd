//! What comes back from the recycle bin: whole cohorts, single records, and what stands in the way.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value as Json, json};

use super::orchard::{clear, conflict, conflicts, snapshot, world};
use super::world::{Script, World, faults};
use crate::ids::RecordId;
use crate::records::RecordError;
use crate::records::trash::Wish;
use crate::records::tx::Hook;

fn plant(world: &World, members: Json) -> RecordId {
    world.owner().create("plant", members).unwrap()
}

fn with(changes: &[(RecordId, Json)]) -> Wish {
    let object = |json: &Json| json.as_object().cloned().unwrap_or_else(Map::new);
    let changes = changes.iter().map(|(id, json)| (*id, object(json))).collect::<BTreeMap<_, _>>();
    Wish { only_this: false, changes }
}

/// How the plants of a case refer to each other: by position; a position that is not there refers to nothing.
#[derive(Clone, Debug)]
struct Planted {
    mate: usize,
    stem: usize,
    anchor: usize,
    friends: Vec<usize>,
    roots: Vec<usize>,
    external: bool,
}

fn planted(plants: usize) -> impl Strategy<Value = Planted> {
    // Mostly nothing: a net that is too dense is never deleted, or always as a whole.
    let one = |often: usize| 0..plants * often;
    let list = |most: usize| prop::collection::vec(0..plants, 0..most);
    (one(2), one(3), one(8), list(4), list(2), any::<bool>()).prop_map(
        |(mate, stem, anchor, friends, roots, external)| Planted {
            mate,
            stem,
            anchor,
            friends,
            roots,
            external,
        },
    )
}

#[test]
fn a_deletion_that_is_taken_back_never_was() {
    const PLANTS: usize = 7;
    let world = world();
    let case = (prop::collection::vec(planted(PLANTS), PLANTS), prop::collection::vec(0..PLANTS, 1..4));
    let deleted_some = std::cell::Cell::new(0);
    let config = Config { cases: 40, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&case, |(plants, deletions)| {
        clear(&world);
        let desk = world.owner();
        let ids: Vec<RecordId> =
            (0..PLANTS).map(|at| plant(&world, json!({ "name": at.to_string() }))).collect();
        let id = |at: usize| ids.get(at).map_or(Json::Null, |id| json!(id));
        for (at, planted) in plants.iter().enumerate() {
            let list = |places: &[usize]| places.iter().map(|place| id(*place)).collect::<Json>();
            let mut members = json!({
                "mate": id(planted.mate), "stem": id(planted.stem), "anchor": id(planted.anchor),
                "friends": list(&planted.friends), "roots": list(&planted.roots),
                "code": format!("c{at}"),
            });
            if planted.external {
                members["external_ids"] = json!({ "old": at.to_string() });
            }
            desk.update("plant", ids[at], None, members).unwrap();
        }
        // One deletion after the other, each taken back in reverse: everything stands as it stood in between.
        let mut states = Vec::new();
        for at in deletions {
            let before = snapshot(&world);
            match desk.delete("plant", ids[at]) {
                Ok(()) => states.push((ids[at], before)),
                Err(RecordError::Conflict { .. } | RecordError::NotFound) => {
                    prop_assert_eq!(snapshot(&world), before, "refused, and yet something changed");
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        while let Some((id, before)) = states.pop() {
            deleted_some.set(deleted_some.get() + 1);
            prop_assert!(world.number("select count(*) from _stoa_trash") > 0);
            desk.restore("plant", id).unwrap();
            prop_assert_eq!(snapshot(&world), before);
        }
        Ok(())
    });
    outcome.unwrap();
    assert!(deleted_some.get() > 20, "{deleted_some:?}");
    world.raw(|conn| Ok(conn.verify_changes()?));
}

#[test]
fn a_cohort_comes_back_from_any_of_its_members_and_leaves_those_deleted_before() {
    let world = world();
    let desk = world.owner();
    let tree = plant(&world, json!({ "name": "tree" }));
    let early = plant(&world, json!({ "name": "early", "stem": tree }));
    let late = plant(&world, json!({ "name": "late", "stem": tree }));
    desk.delete("plant", early).unwrap();
    desk.delete("plant", tree).unwrap();
    assert_eq!(desk.restore("plant", late).unwrap(), 2);
    assert_eq!(desk.get("plant", tree).unwrap()["version"], 3);
    assert_eq!(desk.get("plant", late).unwrap()["stem"], json!(tree));
    assert!(matches!(desk.get("plant", early), Err(RecordError::NotFound)));
    assert_eq!(desk.restore("plant", early).unwrap(), 1);
}

#[test]
fn one_record_comes_back_alone_when_what_it_refers_to_is_there() {
    let world = world();
    let desk = world.owner();
    let tree = plant(&world, json!({ "name": "tree" }));
    let [left, right] = ["left", "right"].map(|name| plant(&world, json!({ "name": name, "stem": tree })));
    let friend = plant(&world, json!({ "name": "friend", "friends": [left, tree, right], "mate": tree }));
    desk.delete("plant", tree).unwrap();
    let alone = || Wish { only_this: true, ..Wish::default() };
    let refused = desk.restore_with("plant", left, alone());
    assert_eq!(conflicts(refused, &[(left, "left")]), ["left/stem reference_deleted"]);
    assert_eq!(desk.restore_with("plant", tree, alone()).unwrap(), 1);
    let seen = desk.get("plant", friend).unwrap();
    assert_eq!((&seen["friends"], &seen["mate"]), (&json!([tree]), &json!(tree)));
    assert_eq!(desk.restore_with("plant", right, alone()).unwrap(), 1);
    assert_eq!(desk.restore("plant", left).unwrap(), 1);
    assert_eq!(desk.get("plant", friend).unwrap()["friends"], json!([left, tree, right]));
}

#[test]
fn a_reference_that_somebody_has_set_since_stays_as_it_is() {
    let world = world();
    let desk = world.owner();
    let [a, b] = ["a", "b"].map(|name| plant(&world, json!({ "name": name })));
    let mates = ["set", "emptied", "renamed"].map(|name| plant(&world, json!({ "name": name, "mate": a })));
    desk.delete("plant", a).unwrap();
    desk.update("plant", mates[0], None, json!({ "mate": b })).unwrap();
    desk.update("plant", mates[1], None, json!({ "mate": b })).unwrap();
    desk.update("plant", mates[1], None, json!({ "mate": null })).unwrap();
    desk.update("plant", mates[2], None, json!({ "name": "other" })).unwrap();
    desk.restore("plant", a).unwrap();
    let now = mates.map(|id| desk.get("plant", id).unwrap()["mate"].clone());
    assert_eq!(now, [json!(b), Json::Null, json!(a)]);
}

#[test]
fn everything_that_stands_in_the_way_is_told_and_can_be_settled() {
    let world = world();
    let desk = world.owner();
    let tree = plant(&world, json!({ "name": "tree", "code": "T", "external_ids": { "old": "7" } }));
    let mate = plant(&world, json!({ "name": "mate" }));
    let branch =
        plant(&world, json!({ "name": "branch", "code": "B", "stem": tree, "mate": mate, "height": 5 }));
    desk.delete("plant", tree).unwrap();
    desk.delete("plant", mate).unwrap();
    let taken = plant(&world, json!({ "name": "new", "code": "T", "external_ids": { "old": "7" } }));
    plant(&world, json!({ "name": "new", "code": "B" }));
    world.raw(move |conn| {
        // What was allowed once and is not any more.
        Ok(conn.execute("update plant set height = 99 where id = ?1", [branch.as_bytes()])?)
    });
    let before = snapshot(&world);
    let names = [(tree, "tree"), (branch, "branch")];
    let expected = [
        "branch/code not_unique",
        "branch/height too_large",
        "branch/mate reference_deleted",
        "tree/code not_unique",
        "tree/external_ids/old not_unique",
    ];
    assert_eq!(conflicts(desk.restore("plant", tree), &names), expected);
    assert_eq!(snapshot(&world), before, "a refused return changes nothing");

    desk.update("plant", taken, None, json!({ "external_ids": null })).unwrap();
    let changes = with(&[
        (tree, json!({ "code": "T2" })),
        (branch, json!({ "code": "T2", "mate": null, "height": 7 })),
    ]);
    assert_eq!(
        conflicts(desk.restore_with("plant", tree, changes), &names),
        ["branch/code not_unique"],
        "nor may two of them share a value"
    );
    let changes = with(&[
        (tree, json!({ "code": "T2" })),
        (branch, json!({ "code": "B2", "mate": null, "height": 7 })),
    ]);
    assert_eq!(desk.restore_with("plant", tree, changes).unwrap(), 2);
    let seen = desk.get("plant", branch).unwrap();
    assert_eq!((&seen["code"], &seen["height"], &seen["stem"]), (&json!("B2"), &json!(7), &json!(tree)));
    let held = world.number("select count(*) from _stoa_external_ids where value = '7'");
    assert_eq!(held, 1);
}

#[test]
fn values_that_are_none_and_records_that_do_not_come_are_refused() {
    let world = world();
    let desk = world.owner();
    let (tree, other) = (plant(&world, json!({ "name": "tree" })), RecordId::new());
    desk.delete("plant", tree).unwrap();
    let changes = with(&[
        (tree, json!({ "height": "tall", "colour": "red", "version": 9, "deleted_at": null })),
        (other, json!({ "name": "x" })),
    ]);
    let found = faults(desk.restore_with("plant", tree, changes));
    let at = |id: RecordId, rest: &str| format!("/changes/{id}{rest}");
    let mut expected = vec![
        at(tree, "/colour unknown_field"),
        at(tree, "/deleted_at unknown_field"),
        at(tree, "/height wrong_type"),
        at(tree, "/version read_only"),
        at(other, " not_restored"),
    ];
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn hooks_may_refuse_a_return_but_decide_nothing_anew() {
    let world = world();
    let script = Script::silent();
    let tree = plant(&world, json!({ "name": "tree" }));
    plant(&world, json!({ "name": "branch", "stem": tree }));
    let desk = world.owner().with(&script);
    desk.delete("plant", tree).unwrap();
    script.ran.lock().unwrap().clear();
    desk.restore("plant", tree).unwrap();
    assert_eq!(script.hooks(), [Hook::Validate, Hook::Validate, Hook::AfterUpdate, Hook::AfterUpdate]);

    desk.delete("plant", tree).unwrap();
    let refusing = Script::new(|_, hook, entity, drafts| {
        for draft in drafts.iter_mut().filter(|_| hook == Hook::Validate) {
            // The branch is judged when its tree stands again.
            assert!(draft.before.is_some(), "{}", entity.key);
            draft.faults.push(crate::records::Fault::at("name", "unwanted", "no"));
        }
        Ok(())
    });
    let refused = world.owner().with(&refusing).restore("plant", tree);
    assert_eq!(conflicts(refused, &[(tree, "tree")]), ["tree/name unwanted"]);
    assert_eq!(world.number("select count(*) from _stoa_trash"), 2);
}

#[test]
fn what_was_deleted_before_there_was_a_bin_is_taken_up() {
    let world = world();
    let desk = world.owner();
    let old = plant(&world, json!({ "name": "old" }));
    desk.delete("plant", old).unwrap();
    world.raw(|conn| {
        Ok(conn.batch("delete from _stoa_trash; delete from _stoa_schema where key = 'trash:adopted'")?)
    });
    assert_eq!(conflict(desk.restore("plant", old)), "not_deleted");
    let module = std::sync::Arc::clone(&world.module);
    world.raw(move |conn| crate::records::trash::adopt(conn, &module));
    assert_eq!(desk.restore("plant", old).unwrap(), 1);
}
