//! A host that dies between the files: what is left to do is done later, and nobody is led astray meanwhile.

use serde_json::{Value as Json, json};

use super::estate::{Estate, conflict};
use crate::ids::{MergeId, RecordId};
use crate::records::merge::entry::State;
use crate::records::merge::{perform, store, undo};
use crate::records::mutation::Manner;
use crate::records::tests::world::faults;

/// The first transaction of a merge, after which the host dies.
fn merged_and_killed(estate: &Estate, survivor: RecordId, losers: &[RecordId]) -> MergeId {
    let (id, tree, request) = (MergeId::new(), estate.world.entity("tree"), estate.request(survivor, losers));
    estate.desk().write(move |tx| perform::perform(tx, &tree, &request, id).map(drop)).unwrap();
    id
}

fn resumed(estate: &Estate) {
    let scope = estate.scope(&estate.world.platform());
    estate.world.runtime.block_on(estate.world.records.resume_merges(&scope, &estate.code())).unwrap();
}

fn state(estate: &Estate, id: MergeId) -> State {
    estate.world.raw(move |conn| store::find(conn, id)).unwrap().state
}

#[test]
fn between_the_files_a_loser_is_shown_as_the_survivor_and_named_by_nobody_new() {
    let estate = Estate::new();
    let (oak, elm) = (estate.tree(json!({ "name": "Oak" })), estate.tree(json!({ "name": "Elm" })));
    let basket = estate.basket(json!({ "tree": elm })).unwrap();
    let id = merged_and_killed(&estate, oak, &[elm]);
    assert_eq!(state(&estate, id), State::Pending);
    assert_eq!(estate.basket_of(basket, None)["tree"], json!(elm));
    assert_eq!(estate.basket_of(basket, Some("tree"))["tree"]["name"], "Oak");
    let refused = faults(estate.basket(json!({ "tree": elm, "trees": [elm] })));
    assert_eq!(refused, ["/tree reference_merged", "/trees reference_merged"]);
    // The survivor stays until those who are still to follow it have done so.
    assert_eq!(conflict(estate.desk().delete("tree", oak)), "merge_pending");

    resumed(&estate);
    assert_eq!(state(&estate, id), State::Done);
    let followed = estate.basket_of(basket, None);
    assert_eq!((&followed["tree"], &followed["version"]), (&json!(oak), &json!(2)));
    assert_eq!(followed["updated_by"], json!(estate.owner.principal.id), "whoever merged, not the platform");
    resumed(&estate);
    assert_eq!(estate.basket_of(basket, None)["version"], 2);
}

#[test]
fn an_undoing_that_was_cut_off_is_finished_too() {
    let estate = Estate::new();
    let (oak, elm) =
        (estate.tree(json!({ "name": "Oak" })), estate.tree(json!({ "name": "Elm", "code": "E" })));
    let basket = estate.basket(json!({ "tree": elm, "trees": [oak, elm] })).unwrap();
    let before = estate.everything();
    let id = merged_and_killed(&estate, oak, &[elm]);
    resumed(&estate);
    estate.desk().write(move |tx| undo::undo(tx, id).map(drop)).unwrap();
    assert_eq!(state(&estate, id), State::Undoing);
    assert_eq!(estate.basket_of(basket, None)["tree"], json!(oak));
    assert_eq!(conflict(estate.desk().delete("tree", elm)), "merge_pending");
    assert_eq!(conflict(estate.undo_as(&estate.owner, id, false)), "merge_undone");
    resumed(&estate);
    assert_eq!(state(&estate, id), State::Undone);
    assert_eq!(estate.everything(), before);
}

#[test]
fn what_an_earlier_merge_left_is_done_before_the_next() {
    let estate = Estate::new();
    let [oak, elm, ash] = ["Oak", "Elm", "Ash"].map(|name| estate.tree(json!({ "name": name })));
    let basket = estate.basket(json!({ "tree": elm })).unwrap();
    let id = merged_and_killed(&estate, oak, &[elm]);
    let tried = estate.merge_as(&estate.owner, estate.request(ash, &[oak]), true);
    assert_eq!(conflict(tried), "merge_pending");
    estate.merge(ash, &[oak]).unwrap();
    assert_eq!(state(&estate, id), State::Done);
    assert_eq!(estate.basket_of(basket, None)["tree"], json!(ash));
}

#[test]
fn more_than_a_batch_follows_and_comes_back() {
    let estate = Estate::new();
    let (oak, elm) = (estate.tree(json!({ "name": "Oak" })), estate.tree(json!({ "name": "Elm" })));
    estate
        .picks(move |tx| {
            let basket = tx.module.entity("basket").unwrap();
            let inputs =
                (0..1_100).map(|_| json!({ "tree": elm, "trees": [elm] }).as_object().unwrap().clone());
            let inputs = inputs.map(crate::records::write::members).collect();
            crate::records::write::create(tx, &basket, inputs)
        })
        .unwrap();
    let before = estate.everything();
    let merged = estate.merge(oak, &[elm]).unwrap();
    let counts: Vec<&Json> =
        merged["moved"].as_array().unwrap().iter().map(|moved| &moved["count"]).collect();
    assert_eq!(counts, [&json!(1_100), &json!(1_100)]);
    let undone = estate.undo(&merged, false).unwrap();
    assert_eq!(undone["moved"], merged["moved"]);
    assert_eq!(estate.everything(), before);
}

#[test]
fn a_module_that_comes_later_follows_too() {
    let estate = Estate::new();
    let (oak, elm) = (estate.tree(json!({ "name": "Oak" })), estate.tree(json!({ "name": "Elm" })));
    let basket = estate.basket(json!({ "tree": elm })).unwrap();
    let modules = vec![std::sync::Arc::clone(&estate.world.module)].into();
    let alone = crate::records::Scope { modules, ..estate.scope(&estate.owner) };
    let (tree, request) = (estate.world.entity("tree"), estate.request(oak, &[elm]));
    let hooks = estate.code();
    let merge = estate.world.records.merge(&alone, &tree, &hooks, request, Manner::default());
    let outcome = estate.world.runtime.block_on(merge);
    assert!(!outcome.unwrap().open);
    assert_eq!(estate.basket_of(basket, None)["tree"], json!(elm));
    resumed(&estate);
    assert_eq!(estate.basket_of(basket, None)["tree"], json!(oak));
}

#[test]
fn whoever_is_about_to_name_a_loser_keeps_it_from_being_merged() {
    let estate = Estate::new();
    let (oak, elm) = (estate.tree(json!({ "name": "Oak" })), estate.tree(json!({ "name": "Elm" })));
    let (tree, organization) = (estate.world.entity("tree"), estate.world.organization.id);
    let pointing = estate.world.records.claims.point(organization, &tree, elm);
    assert!(pointing.is_some());
    assert_eq!(conflict(estate.merge(oak, &[elm])), "record_in_use");
    drop(pointing);
    estate.merge(oak, &[elm]).unwrap();
}
