//! What goes along with a deletion, what lies in the recycle bin, and what is thrown away for good.

use serde_json::{Value as Json, json};

use super::orchard::{conflict, world};
use super::world::{World, acting, faults, grant, ids_of};
use crate::ids::{PrincipalId, RecordId};
use crate::policy::{Policy, Scope as Reach};
use crate::records::RecordError;

fn plant(world: &World, members: Json) -> RecordId {
    world.owner().create("plant", members).unwrap()
}

fn gone(world: &World, entity: &str, id: RecordId) -> bool {
    matches!(world.owner().get(entity, id), Err(RecordError::NotFound))
}

#[test]
fn who_goes_along_holds_nothing_back() {
    let world = world();
    let desk = world.owner();
    let tree = plant(&world, json!({ "name": "tree" }));
    // Declared first: it holds the tree back. But it also goes along.
    let fruit = desk.create("fruit", json!({ "name": "f", "held": tree, "tree": tree })).unwrap();
    desk.delete("plant", tree).unwrap();
    assert!(gone(&world, "plant", tree) && gone(&world, "fruit", fruit));
    // One that only holds does hold, however deep what it holds lies.
    let tree = plant(&world, json!({ "name": "tree" }));
    let branch = plant(&world, json!({ "name": "branch", "stem": tree }));
    let fruit = desk.create("fruit", json!({ "name": "f", "held": branch })).unwrap();
    match desk.delete("plant", tree) {
        Err(RecordError::Conflict { code, extra, .. }) => {
            assert_eq!(code, "record_in_use");
            assert_eq!(extra["held_by"], json!([{ "entity": "garden.fruit", "field": "held" }]));
        }
        other => panic!("{other:?}"),
    }
    assert!(!gone(&world, "plant", tree) && !gone(&world, "plant", branch) && !gone(&world, "fruit", fruit));
    assert_eq!(world.number("select count(*) from _stoa_trash"), 2);
}

#[test]
fn references_to_several_records_do_what_they_declare() {
    let world = world();
    let desk = world.owner();
    let [a, b, c] = ["a", "b", "c"].map(|name| plant(&world, json!({ "name": name })));
    let friend = plant(&world, json!({ "name": "friend", "friends": [a, b, c], "mate": b }));
    let basket = desk.create("basket", json!({ "name": "basket", "content": [b] })).unwrap();
    let sign = desk.create("sign", json!({ "name": "sign", "names": [a, c] })).unwrap();
    desk.delete("plant", b).unwrap();
    let left = desk.get("plant", friend).unwrap();
    // One change for both fields.
    assert_eq!((&left["friends"], &left["mate"], &left["version"]), (&json!([a, c]), &Json::Null, &json!(2)));
    assert!(gone(&world, "basket", basket));
    assert_eq!(conflict(desk.delete("plant", a)), "record_in_use");
    desk.update("sign", sign, None, json!({ "names": [c] })).unwrap();
    desk.delete("plant", a).unwrap();
    assert_eq!(desk.get("plant", friend).unwrap()["friends"], json!([c]));
    assert_eq!(world.number("select count(*) from _stoa_links"), 2);
}

#[test]
fn a_long_chain_goes_without_going_deep() {
    let world = world();
    let mut last = plant(&world, json!({ "name": "0" }));
    let first = last;
    for at in 1..400 {
        last = plant(&world, json!({ "name": at.to_string(), "stem": last }));
    }
    // And round: the first stands on the last.
    world.owner().update("plant", first, None, json!({ "stem": last })).unwrap();
    world.owner().delete("plant", first).unwrap();
    assert_eq!(world.number("select count(*) from plant where deleted_at is null"), 0);
    assert_eq!(world.number("select count(distinct cohort) from _stoa_trash"), 1);
    assert_eq!(world.owner().restore("plant", last).unwrap(), 400);
    assert_eq!(world.number("select count(*) from plant where deleted_at is null"), 400);
}

#[test]
fn the_bin_is_shown_by_the_page_newest_first() {
    let world = world();
    let desk = world.owner();
    let ids: Vec<RecordId> = (0..5).map(|at| plant(&world, json!({ "name": at.to_string() }))).collect();
    plant(&world, json!({ "name": "branch", "stem": ids[4] }));
    for id in &ids[1..] {
        world.clock.advance(1_000);
        desk.delete("plant", *id).unwrap();
    }
    let first = desk.bin("plant", 2, None).unwrap();
    let row = &first["data"][0];
    assert_eq!((first["data"].as_array().unwrap().len(), &row["version"]), (2, &json!(2)));
    assert_eq!(row["cohort"], first["data"][1]["cohort"], "a branch went with the last");
    assert_eq!(row["deleted_at"], "2023-11-14T22:13:24.000Z");
    assert_eq!(row["deleted_by"], json!(desk.scope.caller.principal.id));
    let mut seen = ids_of(&first);
    let mut cursor = first["next_cursor"].as_str().map(str::to_owned);
    while let Some(text) = cursor {
        let page = desk.bin("plant", 2, Some(text)).unwrap();
        seen.extend(ids_of(&page));
        cursor = page["next_cursor"].as_str().map(str::to_owned);
    }
    assert_eq!((seen.len(), seen[2], seen[4]), (5, ids[3], ids[1]));
    assert!(matches!(
        desk.bin("plant", 2, Some("x".into())),
        Err(RecordError::BadRequest { code: "invalid_cursor", .. })
    ));
    assert_eq!(desk.bin("fruit", 2, None).unwrap(), json!({ "data": [], "next_cursor": null }));
}

/// The orchard, in which a rep may also bring back and throw away what is his.
fn shared() -> World {
    let mut world = world();
    let grants: Vec<_> = ["read", "create", "update", "delete", "restore", "purge"]
        .into_iter()
        .flat_map(|action| {
            ["garden.plant", "garden.fruit"].map(|object| grant("rep", object, action, Reach::Own))
        })
        .chain([grant("reader", "garden.plant", "read", Reach::Org)])
        .collect();
    world.policy = world.runtime.block_on(Policy::new().load(world.organization.id, &grants)).unwrap();
    world
}

#[test]
fn the_bin_shows_and_gives_back_what_the_caller_may_restore() {
    let world = shared();
    let (ann, bob) = (world.person("Ann", "rep", None), world.person("Bob", "rep", None));
    let reader = acting(world.organization.id, PrincipalId::new(), "reader", &[]);
    let mine = world.desk(ann.clone()).create("plant", json!({ "name": "mine" })).unwrap();
    let his = world.desk(bob.clone()).create("plant", json!({ "name": "his" })).unwrap();
    for id in [mine, his] {
        world.owner().delete("plant", id).unwrap();
    }
    assert_eq!(ids_of(&world.desk(ann.clone()).bin("plant", 50, None).unwrap()), [mine]);
    assert_eq!(ids_of(&world.owner().bin("plant", 50, None).unwrap()).len(), 2);
    assert!(matches!(
        world.desk(reader.clone()).bin("plant", 50, None),
        Err(RecordError::Forbidden { action, .. }) if action == "restore"
    ));
    let forbidden = world.desk(reader).restore("plant", mine);
    assert!(matches!(forbidden, Err(RecordError::Forbidden { .. })), "{forbidden:?}");
    assert!(matches!(world.desk(ann.clone()).restore("plant", his), Err(RecordError::NotFound)));
    assert!(matches!(world.desk(ann.clone()).purge("plant", his, false), Err(RecordError::NotFound)));
    // What is not in the bin is neither brought back nor thrown away, and nobody hears of what he may not read.
    assert_eq!(world.desk(ann.clone()).restore("plant", mine).unwrap(), 1);
    assert_eq!(conflict(world.desk(ann.clone()).restore("plant", mine)), "not_deleted");
    assert_eq!(conflict(world.desk(ann).purge("plant", mine, false)), "not_deleted");
    assert!(matches!(world.desk(bob).restore("plant", mine), Err(RecordError::NotFound)));
    assert!(matches!(world.owner().restore("plant", RecordId::new()), Err(RecordError::NotFound)));
    assert!(matches!(world.owner().restore("fruit", his), Err(RecordError::NotFound)));
}

#[test]
fn what_nothing_refers_to_is_thrown_away_and_stays_in_the_log() {
    let world = world();
    let desk = world.owner();
    let tree = plant(&world, json!({ "name": "tree", "external_ids": { "old": "7" } }));
    let branch = plant(&world, json!({ "name": "branch", "stem": tree, "friends": [tree] }));
    let friend = plant(&world, json!({ "name": "friend", "friends": [tree, branch] }));
    assert_eq!(conflict(desk.purge("plant", tree, false)), "not_deleted");
    desk.delete("plant", tree).unwrap();
    // In the bin, the branch still says that it stands on the tree.
    assert_eq!(conflict(desk.purge("plant", tree, false)), "record_in_use");
    desk.purge("plant", branch, false).unwrap();
    desk.purge("plant", tree, false).unwrap();
    assert_eq!(world.number("select count(*) from plant"), 1);
    assert_eq!(world.number("select count(*) from _stoa_trash"), 0);
    assert_eq!(world.number("select count(*) from _stoa_changes where operation = 'delete'"), 2);
    assert!(matches!(desk.restore("plant", tree), Err(RecordError::NotFound)));
    assert_eq!(desk.get("plant", friend).unwrap()["friends"], Json::Null);

    let tree = plant(&world, json!({ "name": "tree" }));
    plant(&world, json!({ "name": "branch", "stem": tree }));
    desk.delete("plant", tree).unwrap();
    assert_eq!(desk.purge("plant", tree, true).unwrap(), 2);
    assert_eq!(world.number("select count(*) from plant"), 1);
}

#[test]
fn what_cannot_do_without_its_reference_keeps_the_record() {
    let world = world();
    let desk = world.owner();
    let tree = plant(&world, json!({ "name": "tree" }));
    plant(&world, json!({ "name": "mate", "mate": tree }));
    let script = super::world::Script::new(|_, hook, _, drafts| {
        for draft in drafts.iter_mut().filter(|_| hook == crate::records::tx::Hook::BeforeUpdate) {
            draft.faults.push(crate::records::Fault::at("mate", "needed", "no"));
        }
        Ok(())
    });
    assert_eq!(faults(desk.with(&script).delete("plant", tree)), ["/mate needed"]);
    assert!(!gone(&world, "plant", tree));
}
