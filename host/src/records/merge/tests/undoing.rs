//! What the undoing of a merge gives back, and what it leaves because somebody changed it since.

use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::estate::{Estate, conflict, id_of};
use crate::ids::RecordId;
use crate::records::RecordError;
use crate::records::companions;

#[test]
fn everything_is_as_before() {
    let estate = Estate::new();
    let desk = estate.desk();
    let elm = estate.tree(
        json!({ "name": "Elm", "code": "E", "marks": ["old"], "external_ids": { "a": "1", "b": "2" } }),
    );
    let oak = estate.tree(json!({ "name": "Oak", "code": "O", "parent": elm, "external_ids": { "a": "3" } }));
    let ash = estate.tree(json!({ "name": "Ash", "parent": oak, "root": elm, "friends": [elm, oak] }));
    desk.create("leaf", json!({ "name": "l", "tree": elm })).unwrap();
    estate.basket(json!({ "tree": ash, "trees": [ash, elm, oak] })).unwrap();
    let before = estate.everything();
    let mut request = estate.request(oak, &[elm, ash]);
    request.choices = json!({ "code": elm, "name": { "value": "Grove" } }).as_object().unwrap().clone();
    let merged = estate.merge_as(&estate.owner, request, false).unwrap();
    assert_eq!(merged["record"]["code"], "E");
    assert_ne!(estate.everything(), before);
    let undone = estate.undo(&merged, false).unwrap();
    assert_eq!((&undone["merge"]["state"], &undone["kept"]), (&json!("undone"), &json!([])));
    assert_eq!(estate.everything(), before);
    assert_eq!(conflict(estate.undo(&merged, false)), "merge_undone");
    estate.merge(elm, &[oak]).unwrap();
}

#[test]
fn what_was_changed_since_is_kept_and_told() {
    let estate = Estate::new();
    let desk = estate.desk();
    let far = estate.tree(json!({ "name": "Far" }));
    let oak = estate.tree(json!({ "name": "Oak" }));
    let elm = estate.tree(
        json!({ "name": "Elm", "amount": 1, "email": "elm@example.com", "external_ids": { "a": "1" } }),
    );
    let moved = desk.create("leaf", json!({ "name": "l", "tree": elm })).unwrap();
    let changed = desk.create("leaf", json!({ "name": "m", "tree": elm })).unwrap();
    let (kept, left) =
        (estate.basket(json!({ "tree": elm })).unwrap(), estate.basket(json!({ "trees": [elm] })).unwrap());
    let merged = estate.merge(oak, &[elm]).unwrap();
    desk.update("tree", oak, None, json!({ "amount": 2, "external_ids": { "c": "3" } })).unwrap();
    desk.update("leaf", changed, None, json!({ "tree": far })).unwrap();
    estate.repick(kept, json!({ "tree": far }));
    let tried = estate.undo(&merged, true).unwrap();
    let undone = estate.undo(&merged, false).unwrap();
    for member in ["kept", "refused", "moved", "refused_count"] {
        assert_eq!(tried["result"][member], undone[member], "{member}");
    }
    assert_eq!(
        undone["kept"],
        json!([
            { "field": "amount", "reason": "changed_since" },
            { "field": "external_ids", "reason": "changed_since" },
        ])
    );
    assert_eq!(
        undone["refused"],
        json!([
            { "entity": "garden.leaf", "field": "tree", "record": changed, "reason": "changed_since" },
            { "entity": "orchard.basket", "field": "tree", "record": kept, "reason": "changed_since" },
        ])
    );
    let survivor = desk.get("tree", oak).unwrap();
    assert_eq!((&survivor["amount"], &survivor["email"]), (&json!(2), &Json::Null));
    assert_eq!(survivor["external_ids"], json!({ "c": "3" }));
    let back = desk.get("tree", elm).unwrap();
    assert_eq!((&back["amount"], &back["external_ids"]), (&json!(1), &json!({ "a": "1" })));
    assert_eq!(desk.get("leaf", moved).unwrap()["tree"], json!(elm));
    assert_eq!(desk.get("leaf", changed).unwrap()["tree"], json!(far));
    assert_eq!(estate.basket_of(left, None)["trees"], json!([elm]));
    let scope = estate.scope(&estate.owner);
    let logged = estate.world.records.merge_entry(&scope, id_of(&merged)).unwrap();
    assert_eq!((&logged["state"], &logged["undo"]["refused"]), (&json!("undone"), &undone["refused"]));
    assert_eq!(logged["before"][elm.to_string()]["email"], "elm@example.com");
}

#[test]
fn a_unique_value_that_somebody_else_took_stands_in_the_way() {
    let estate = Estate::new();
    let desk = estate.desk();
    let oak = estate.tree(json!({ "name": "Oak", "code": "O" }));
    let elm = estate.tree(json!({ "name": "Elm", "code": "E" }));
    let merged = estate.merge(oak, &[elm]).unwrap();
    let thief = estate.tree(json!({ "name": "Thief", "code": "E" }));
    let before = estate.everything();
    let Err(RecordError::Conflict { code, faults, .. }) = estate.undo(&merged, false) else {
        panic!("no conflict")
    };
    assert_eq!(code, "restore_conflict");
    assert_eq!((faults.len(), faults[0].pointer.as_str()), (1, format!("/losers/{elm}/code").as_str()));
    assert!(faults[0].detail.contains(&thief.to_string()));
    assert_eq!(estate.everything(), before);
    desk.update("tree", thief, None, json!({ "code": null })).unwrap();
    estate.undo(&merged, false).unwrap();
    assert_eq!(desk.get("tree", elm).unwrap()["code"], "E");
}

#[test]
fn merges_in_a_chain_are_undone_from_its_end() {
    let estate = Estate::new();
    let [oak, elm, ash] = ["Oak", "Elm", "Ash"].map(|name| estate.tree(json!({ "name": name })));
    let basket = estate.basket(json!({ "tree": elm })).unwrap();
    let before = estate.everything();
    let first = estate.merge(oak, &[elm]).unwrap();
    let second = estate.merge(ash, &[oak]).unwrap();
    assert_eq!(estate.basket_of(basket, None)["tree"], json!(ash));
    assert_eq!(conflict(estate.undo(&first, false)), "merged");
    estate.undo(&second, false).unwrap();
    estate.undo(&first, false).unwrap();
    assert_eq!(estate.everything(), before);
}

#[test]
fn a_loser_that_was_purged_stays_away_and_the_rest_comes_back() {
    let estate = Estate::new();
    let desk = estate.desk();
    let [oak, elm, ash] = ["Oak", "Elm", "Ash"].map(|name| estate.tree(json!({ "name": name })));
    let of_elm = desk.create("leaf", json!({ "name": "l", "tree": elm })).unwrap();
    let of_ash = estate.basket(json!({ "tree": ash })).unwrap();
    let purged = estate.basket(json!({ "tree": elm })).unwrap();
    let merged = estate.merge(oak, &[elm, ash]).unwrap();
    estate.world.raw(move |conn| Ok(conn.execute("delete from tree where id = ?1", [elm.as_bytes()])?));
    let undone = estate.undo(&merged, false).unwrap();
    assert_eq!(undone["purged"], json!([elm]));
    assert_eq!(
        undone["refused"],
        json!([
            { "entity": "garden.leaf", "field": "tree", "record": of_elm, "reason": "target_purged" },
            { "entity": "orchard.basket", "field": "tree", "record": purged, "reason": "target_purged" },
        ])
    );
    assert_eq!(estate.basket_of(of_ash, None)["tree"], json!(ash));
    assert_eq!(desk.get("tree", ash).unwrap()["name"], "Ash");
}

#[test]
fn a_survivor_in_the_recycle_bin_is_to_be_restored_first() {
    let estate = Estate::new();
    let (oak, elm) = (estate.tree(json!({ "name": "Oak" })), estate.tree(json!({ "name": "Elm" })));
    let merged = estate.merge(oak, &[elm]).unwrap();
    estate.desk().delete("tree", oak).unwrap();
    assert_eq!(conflict(estate.undo(&merged, false)), "survivor_deleted");
}

#[test]
fn what_a_loser_named_and_is_gone_is_emptied() {
    let estate = Estate::new();
    let top = estate.tree(json!({ "name": "Top" }));
    let oak = estate.tree(json!({ "name": "Oak", "parent": estate.tree(json!({ "name": "Other" })) }));
    let elm = estate.tree(json!({ "name": "Elm", "parent": top }));
    let merged = estate.merge(oak, &[elm]).unwrap();
    estate.desk().delete("tree", top).unwrap();
    let undone = estate.undo(&merged, false).unwrap();
    assert_eq!(undone["emptied"], json!([{ "record": elm, "field": "parent", "named": top }]));
    assert_eq!(estate.desk().get("tree", elm).unwrap()["parent"], Json::Null);
}

#[test]
fn followers_of_the_records_come_along_and_go_back() {
    let estate = Estate::new();
    let (oak, elm) = (estate.tree(json!({ "name": "Oak" })), estate.tree(json!({ "name": "Elm" })));
    let user = estate.owner.principal.id;
    estate.world.raw(move |conn| {
        let sql = "insert into _stoa_followers (entity, record, user, at) values ('tree', ?1, ?2, 1)";
        Ok(conn.execute(sql, rusqlite::params![elm.as_bytes(), user.as_bytes()])?)
    });
    let following = |tree: RecordId| {
        estate.world.raw(move |conn| {
            let sql = "select count(*) from _stoa_followers where record = ?1";
            Ok(conn.prepare(sql)?.query_row([tree.as_bytes()], |row| row.get::<_, i64>(0))?)
        })
    };
    let merged = estate.merge(oak, &[elm]).unwrap();
    assert_eq!(following(oak), 1);
    estate.undo(&merged, false).unwrap();
    assert_eq!((following(oak), following(elm)), (0, 1));
    let nothing: Vec<companions::Move> = Vec::new();
    assert_eq!(serde_json::to_value(nothing).unwrap(), json!([]));
}

/// A wood of five trees: for each its parent, its root, its friends, its code, an external id and an amount.
type Wood = Vec<(Option<usize>, Option<usize>, Vec<usize>, bool, Option<u8>, Option<i64>)>;

fn wood() -> impl Strategy<Value = Wood> {
    let tree = |at: usize| {
        let other = || prop::option::of(0..5_usize).prop_map(move |n| n.filter(|n| *n < at));
        let friends = prop::collection::btree_set(0..5_usize, 0..3)
            .prop_map(move |all| all.into_iter().filter(|n| *n < at).collect::<Vec<_>>());
        (other(), other(), friends, any::<bool>(), prop::option::of(0..3_u8), prop::option::of(0..3_i64))
    };
    (0..5).map(tree).collect::<Vec<_>>()
}

fn planted(estate: &Estate, wood: &Wood) -> Vec<RecordId> {
    let mut trees: Vec<RecordId> = Vec::new();
    for (at, (parent, root, friends, code, external, amount)) in wood.iter().enumerate() {
        let mut members = Map::new();
        members.insert("name".into(), json!(format!("Tree {at}")));
        members.insert("parent".into(), json!(parent.map(|n| trees[n])));
        members.insert("root".into(), json!(root.map(|n| trees[n])));
        members.insert("friends".into(), json!(friends.iter().map(|n| trees[*n]).collect::<Vec<_>>()));
        members.insert("amount".into(), json!(amount));
        if *code {
            members.insert("code".into(), json!(format!("C{at}")));
        }
        if let Some(source) = external {
            members.insert("external_ids".into(), json!({ format!("s{source}"): format!("{at}") }));
        }
        trees.push(estate.tree(members.into()));
    }
    for (at, tree) in trees.iter().enumerate() {
        estate.desk().create("leaf", json!({ "name": "l", "tree": tree })).unwrap();
        estate.basket(json!({ "tree": tree, "trees": [trees[(at + 1) % 5], tree] })).unwrap();
    }
    // A circle of friends, so that the first ones name the later ones too.
    estate.desk().update("tree", trees[0], None, json!({ "friends": [trees[3], trees[4]] })).unwrap();
    trees
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_merge_that_is_undone_leaves_nothing(
        wood in wood(),
        order in Just([0, 1, 2, 3, 4]).prop_shuffle(),
        losers in 1..=3_usize,
    ) {
        let estate = Estate::new();
        let trees = planted(&estate, &wood);
        let chosen: Vec<RecordId> = order.iter().take(losers + 1).map(|n: &usize| trees[*n]).collect();
        let before = estate.everything();
        let merged = estate.merge(chosen[0], &chosen[1..]).unwrap();
        prop_assert_ne!(&estate.everything(), &before);
        let undone = estate.undo(&merged, false).unwrap();
        prop_assert_eq!((&undone["kept"], &undone["refused"]), (&json!([]), &json!([])));
        prop_assert_eq!(&estate.everything(), &before);
    }
}
