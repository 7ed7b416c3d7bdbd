//! Deletion and those who point at what is deleted.

use serde_json::{Value as Json, json};

use super::world::{Script, World};
use crate::ids::RecordId;
use crate::records::RecordError;
use crate::records::tx::Hook;

fn tree(world: &World, members: Json) -> RecordId {
    world.owner().create("tree", members).unwrap()
}

fn gone(world: &World, entity: &str, id: RecordId) -> bool {
    matches!(world.owner().get(entity, id), Err(RecordError::NotFound))
}

#[test]
fn what_holds_a_record_back_keeps_it_and_everything_that_would_go_along() {
    let world = World::new();
    let desk = world.owner();
    let id = tree(&world, json!({ "name": "x" }));
    let child = tree(&world, json!({ "name": "y", "parent": id }));
    let nest = desk.create("nest", json!({ "name": "n", "tree": child })).unwrap();
    let outcome = desk.delete("tree", id);
    assert!(
        matches!(&outcome, Err(RecordError::Conflict { code, .. }) if code == "record_in_use"),
        "{outcome:?}"
    );
    assert!(!gone(&world, "tree", id) && !gone(&world, "tree", child));
    assert_eq!(desk.get("tree", id).unwrap()["version"], 1);
    desk.delete("nest", nest).unwrap();
    desk.delete("tree", id).unwrap();
    assert!(gone(&world, "tree", child));
}

#[test]
fn a_note_loses_its_tree_and_a_leaf_goes_with_it() {
    let world = World::new();
    let script = Script::silent();
    let desk = world.owner().with(&script);
    let id = tree(&world, json!({ "name": "x" }));
    let note = desk.create("note", json!({ "name": "n", "tree": id })).unwrap();
    let leaf = desk.create("leaf", json!({ "name": "l", "tree": id })).unwrap();
    script.ran.lock().unwrap().clear();
    desk.delete("tree", id).unwrap();
    let left = desk.get("note", note).unwrap();
    assert_eq!((&left["tree"], &left["version"]), (&Json::Null, &json!(2)));
    assert!(gone(&world, "leaf", leaf) && gone(&world, "tree", id));
    let ran = script.ran.lock().unwrap();
    for (hook, entity) in
        [(Hook::BeforeDelete, "leaf"), (Hook::AfterDelete, "leaf"), (Hook::AfterUpdate, "note")]
    {
        assert!(ran.iter().any(|(ran, of, _)| *ran == hook && of == entity), "{hook:?} {entity}");
    }
    assert_eq!(
        ran.last().map(|(hook, entity, _)| (*hook, entity.as_str())),
        Some((Hook::AfterDelete, "tree"))
    );
}

#[test]
fn records_that_point_at_each_other_go_together() {
    let world = World::new();
    let desk = world.owner();
    let first = tree(&world, json!({ "name": "a" }));
    let second = tree(&world, json!({ "name": "b", "parent": first }));
    desk.update("tree", first, None, json!({ "parent": second })).unwrap();
    desk.update("tree", second, None, json!({ "root": second })).unwrap();
    desk.delete("tree", second).unwrap();
    assert!(gone(&world, "tree", first) && gone(&world, "tree", second));
    assert_eq!(world.number("select max(version) from tree"), 3);
}

#[test]
fn a_record_that_goes_along_twice_goes_once() {
    let world = World::new();
    let root = tree(&world, json!({ "name": "root" }));
    let child = tree(&world, json!({ "name": "child", "root": root, "parent": root }));
    let grandchild = tree(&world, json!({ "name": "grandchild", "root": root, "parent": child }));
    world.owner().delete("tree", root).unwrap();
    assert!([root, child, grandchild].into_iter().all(|id| gone(&world, "tree", id)));
}

#[test]
fn what_goes_along_is_not_a_matter_of_the_callers_rights() {
    let world = World::new();
    let (ann, bob) = (world.person("Ann", "rep", None), world.person("Bob", "rep", None));
    let of_ann = world.desk(ann.clone()).create("tree", json!({ "name": "x" })).unwrap();
    let of_bob = world
        .desk(world.platform())
        .create("leaf", json!({ "name": "l", "tree": of_ann, "owner_id": bob.principal.id }))
        .unwrap();
    world.desk(ann).delete("tree", of_ann).unwrap();
    assert!(gone(&world, "leaf", of_bob));
}

#[test]
fn more_than_a_thousand_do_not_go_along() {
    let world = World::new();
    let desk = world.owner();
    let id = tree(&world, json!({ "name": "x" }));
    let leaves = |count: usize| (0..count).map(|at| json!({ "name": format!("{at}"), "tree": id })).collect();
    desk.create_all("leaf", leaves(1_000)).unwrap();
    let outcome = desk.delete("tree", id);
    assert!(
        matches!(&outcome, Err(RecordError::Conflict { code, .. }) if code == "cohort_too_large"),
        "{outcome:?}"
    );
    assert_eq!(world.number("select count(*) from leaf where deleted_at is not null"), 0);
    let one = desk.ids("leaf", &json!({ "field": "name", "value": "7" })).unwrap();
    desk.delete("leaf", one[0]).unwrap();
    desk.delete("tree", id).unwrap();
    assert_eq!(world.number("select count(*) from leaf where deleted_at is null"), 0);
}

#[test]
fn a_refusing_hook_keeps_the_record() {
    let world = World::new();
    let id = tree(&world, json!({ "name": "x" }));
    let script = Script::new(|_, hook, _, drafts| {
        for draft in drafts.iter_mut().filter(|_| hook == Hook::BeforeDelete) {
            draft.faults.push(crate::records::Fault::at("name", "kept", "no"));
        }
        Ok(())
    });
    assert_eq!(super::world::faults(world.owner().with(&script).delete("tree", id)), ["/name kept"]);
    assert!(!gone(&world, "tree", id));
    assert!(matches!(world.owner().delete("tree", RecordId::new()), Err(RecordError::NotFound)));
}
