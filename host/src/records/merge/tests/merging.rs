//! What a merge does, and what it refuses.

use serde_json::{Value as Json, json};

use super::estate::{Estate, conflict, id_of};
use crate::ids::RecordId;
use crate::records::RecordError;
use crate::records::merge::Which;
use crate::records::mutation::Manner;
use crate::records::tests::world::{Script, faults};
use crate::records::tx::Hook;

#[test]
fn the_survivor_takes_what_it_lacks_and_everybody_follows() {
    let estate = Estate::new();
    let desk = estate.desk();
    let far = estate.tree(json!({ "name": "Far" }));
    let oak = estate.tree(json!({
        "name": "Oak", "marks": ["tall"], "external_ids": { "erp": "1" }, "place": { "city": "Wien" },
    }));
    let elm = estate.tree(json!({
        "name": "Elm", "amount": 7, "price": { "amount": "2.50", "currency": "EUR" }, "marks": ["old"], "code": "E",
        "friends": [far], "external_ids": { "erp": "2", "crm": "9" }, "place": { "street": "Ring 1", "city": "Graz" },
    }));
    let ash = estate.tree(json!({ "name": "Ash", "amount": 8, "email": "ash@example.com" }));
    let leaf = desk.create("leaf", json!({ "name": "l", "tree": elm })).unwrap();
    let nest = desk.create("nest", json!({ "name": "n", "tree": ash })).unwrap();
    let one = estate.basket(json!({ "name": "b", "tree": elm, "trees": [ash, oak, elm, far] })).unwrap();

    let answer = estate.merge(oak, &[elm, ash]).unwrap();
    assert_eq!(answer["merge"]["state"], "done");
    let merged = desk.get("tree", oak).unwrap();
    assert_eq!(answer["record"], merged);
    for (field, value) in [
        ("name", json!("Oak")),
        ("amount", json!(7)),
        ("price", json!({ "amount": "2.50", "currency": "EUR" })),
        ("email", json!("ash@example.com")),
        ("marks", json!(["old", "tall"])),
        ("friends", json!([far])),
        ("code", json!("E")),
        ("place", json!({ "city": "Wien" })),
        ("number", json!("T-002")),
        ("external_ids", json!({ "crm": "9", "erp": "1" })),
    ] {
        assert_eq!(merged[field], value, "{field}");
    }
    assert_eq!(answer["fields"]["email"], json!({ "from": ash }));
    assert_eq!(answer["fields"]["marks"], json!({ "from": "all" }));
    assert_eq!(desk.get("leaf", leaf).unwrap()["tree"], json!(oak));
    assert_eq!(desk.get("nest", nest).unwrap()["tree"], json!(oak));
    let basket = estate.basket_of(one, None);
    assert_eq!((&basket["tree"], &basket["trees"]), (&json!(oak), &json!([oak, far])));
    assert_eq!(basket["updated_by"], json!(estate.owner.principal.id));
    assert!(matches!(desk.get("tree", elm), Err(RecordError::NotFound)));
    let counts: Vec<(&Json, &Json, &Json)> = answer["moved"]
        .as_array()
        .unwrap()
        .iter()
        .map(|moved| (&moved["entity"], &moved["field"], &moved["count"]))
        .collect();
    let told = |entity: &str, field: &str| (json!(entity), json!(field), json!(1));
    let expected = [
        told("garden.leaf", "tree"),
        told("garden.nest", "tree"),
        told("orchard.basket", "tree"),
        told("orchard.basket", "trees"),
    ];
    assert_eq!(counts, expected.iter().map(|(a, b, c)| (a, b, c)).collect::<Vec<_>>());
}

#[test]
fn an_external_id_without_room_still_finds_the_survivor() {
    let estate = Estate::new();
    let oak = estate.tree(json!({ "name": "Oak", "external_ids": { "erp": "1" } }));
    let elm = estate.tree(json!({ "name": "Elm", "external_ids": { "erp": "2" } }));
    let ash = estate.tree(json!({ "name": "Ash" }));
    let find = |value: &'static str| {
        let tree = estate.world.entity("tree");
        estate.world.raw(move |conn| crate::records::store::by_external_id(conn, &tree, "erp", value))
    };
    estate.merge(oak, &[elm]).unwrap();
    assert_eq!((find("1"), find("2")), (Some(oak), Some(oak)));
    let second = estate.merge(ash, &[oak]).unwrap();
    assert_eq!((find("1"), find("2")), (Some(ash), Some(ash)));
    let twin = estate.desk().create("tree", json!({ "name": "x", "external_ids": { "erp": "2" } }));
    assert_eq!(faults(twin), ["/external_ids/erp not_unique"]);
    estate.undo(&second, false).unwrap();
    assert_eq!((find("1"), find("2")), (Some(oak), Some(oak)));
}

#[test]
fn a_choice_wins_over_the_rule() {
    let estate = Estate::new();
    let oak = estate.tree(json!({ "name": "Oak", "amount": 1, "rank": 3, "marks": ["tall"] }));
    let elm = estate.tree(json!({ "name": "Elm", "amount": 2, "marks": ["old"] }));
    let mut request = estate.request(oak, &[elm]);
    let choices = json!({ "name": elm, "amount": { "value": 5 }, "rank": { "value": null }, "marks": elm });
    request.choices = choices.as_object().unwrap().clone();
    let answer = estate.merge_as(&estate.owner, request, false).unwrap();
    let record = &answer["record"];
    assert_eq!(
        (&record["name"], &record["amount"], &record["rank"]),
        (&json!("Elm"), &json!(5), &Json::Null)
    );
    assert_eq!(record["marks"], json!(["old"]));
    assert_eq!(answer["fields"]["amount"], json!({ "from": "choice" }));
}

#[test]
fn a_circle_of_parents_is_broken_and_told() {
    let estate = Estate::new();
    let desk = estate.desk();
    // oak is below mid, mid is below elm; oak and elm become one
    let elm = estate.tree(json!({ "name": "Elm" }));
    let mid = estate.tree(json!({ "name": "Mid", "parent": elm }));
    let oak = estate.tree(json!({ "name": "Oak", "parent": mid, "root": elm }));
    let before = estate.everything();
    let answer = estate.merge(oak, &[elm]).unwrap();
    let merged = desk.get("tree", oak).unwrap();
    assert_eq!((&merged["parent"], &merged["root"]), (&Json::Null, &Json::Null));
    assert_eq!(desk.get("tree", mid).unwrap()["parent"], json!(oak));
    let mut broken: Vec<&str> =
        answer["broken"].as_array().unwrap().iter().map(|one| one["field"].as_str().unwrap()).collect();
    broken.sort_unstable();
    assert_eq!(broken, ["parent", "root"]);
    estate.undo(&answer, false).unwrap();
    assert_eq!(estate.everything(), before);
}

#[test]
fn a_parent_that_is_merged_gives_way_to_the_grandparent() {
    let estate = Estate::new();
    let top = estate.tree(json!({ "name": "Top" }));
    let elm = estate.tree(json!({ "name": "Elm", "parent": top }));
    let oak = estate.tree(json!({ "name": "Oak", "parent": elm }));
    let answer = estate.merge(oak, &[elm]).unwrap();
    assert_eq!(answer["record"]["parent"], json!(top));
    assert_eq!(answer["fields"]["parent"], json!({ "from": elm }));
}

#[test]
fn a_request_that_makes_no_sense_is_refused_with_every_fault() {
    let estate = Estate::new();
    let (oak, elm) = (estate.tree(json!({ "name": "Oak" })), estate.tree(json!({ "name": "Elm" })));
    assert_eq!(faults(estate.merge(oak, &[])), ["/loser_ids wrong_number"]);
    assert_eq!(faults(estate.merge(oak, &[oak])), ["/loser_ids/0 merged_with_itself"]);
    assert_eq!(faults(estate.merge(oak, &[elm, elm])), ["/loser_ids/1 duplicate_id"]);
    let many: Vec<RecordId> = (0..21).map(|_| RecordId::new()).collect();
    let refused = faults(estate.merge(oak, &many));
    assert!(refused.contains(&"/loser_ids wrong_number".to_owned()), "{refused:?}");
    let leaf = estate.desk().create("leaf", json!({ "name": "l" })).unwrap();
    assert_eq!(faults(estate.merge(oak, &[leaf])), ["/loser_ids/0 record_not_found"]);
    estate.desk().delete("tree", elm).unwrap();
    assert_eq!(
        faults(estate.merge(elm, &[oak, RecordId::new()])),
        ["/loser_ids/1 record_not_found", "/survivor_id record_not_found"]
    );
    assert_eq!(estate.desk().get("tree", oak).unwrap()["version"], 1);
}

#[test]
fn a_version_that_is_old_is_refused() {
    let estate = Estate::new();
    let (oak, elm) = (estate.tree(json!({ "name": "Oak" })), estate.tree(json!({ "name": "Elm" })));
    estate.desk().update("tree", elm, None, json!({ "amount": 1 })).unwrap();
    for id in [oak, elm] {
        let mut request = estate.request(oak, &[elm]);
        request.versions = [(oak, 1), (elm, 2)].into();
        request.versions.insert(id, 9);
        let outcome = estate.merge_as(&estate.owner, request, false);
        assert!(matches!(outcome, Err(RecordError::Stale { sent: 9, .. })), "{outcome:?}");
    }
    let mut request = estate.request(oak, &[elm]);
    request.versions = [(oak, 1), (elm, 2)].into();
    estate.merge_as(&estate.owner, request, false).unwrap();
}

#[test]
fn a_merged_record_is_refused_with_where_it_went() {
    let estate = Estate::new();
    let [oak, elm, ash] = ["Oak", "Elm", "Ash"].map(|name| estate.tree(json!({ "name": name })));
    estate.merge(oak, &[elm]).unwrap();
    assert_eq!(conflict(estate.merge(ash, &[elm])), "merged");
    estate.merge(ash, &[oak]).unwrap();
    let Err(RecordError::Conflict { extra, .. }) = estate.merge(ash, &[elm]) else { panic!("no conflict") };
    assert_eq!(extra["into"], json!(ash));
    let tree = estate.world.entity("tree");
    let scope = estate.scope(&estate.owner);
    let found = estate.world.records.merged_into(&scope, &tree, elm).unwrap();
    assert_eq!(found.map(|(into, _)| into), Some(ash));
    assert_eq!(estate.world.records.merged_into(&scope, &tree, ash).unwrap(), None);
}

#[test]
fn whoever_may_not_read_update_or_delete_does_not_merge() {
    let estate = Estate::new();
    let (ann, bob) = (estate.world.person("Ann", "rep", None), estate.world.person("Bob", "rep", None));
    let tree = |caller: &_| estate.desk_of(caller).create("tree", json!({ "name": "x" })).unwrap();
    let (first, second, other) = (tree(&ann), tree(&ann), tree(&bob));
    let refused = estate.merge_as(&ann, estate.request(first, &[other]), false);
    assert_eq!(faults(refused), ["/loser_ids/0 record_not_found"]);
    let answer = estate.merge_as(&ann, estate.request(first, &[second]), false).unwrap();
    let stranger = crate::records::tests::world::acting(
        estate.world.organization.id,
        crate::ids::PrincipalId::new(),
        "readonly",
        &[],
    );
    let outcome = estate.merge_as(&stranger, estate.request(first, &[other]), false);
    assert!(matches!(outcome, Err(RecordError::Forbidden { .. })), "{outcome:?}");

    let id = id_of(&answer);
    let records = &estate.world.records;
    assert!(matches!(estate.undo_as(&bob, id, false), Err(RecordError::NotFound)));
    assert!(matches!(records.merge_entry(&estate.scope(&bob), id), Err(RecordError::NotFound)));
    assert!(records.merges(&estate.scope(&bob), &Which::default(), 10).unwrap().is_empty());
    let seen = records.merge_entry(&estate.scope(&ann), id).unwrap();
    assert_eq!(seen["before"][second.to_string()]["name"], "x");
    let listed = records.merges(&estate.scope(&ann), &Which { record: Some(second), ..Which::default() }, 10);
    assert_eq!(listed.unwrap().len(), 1);
    estate.undo_as(&ann, id, false).unwrap();
}

#[test]
fn hooks_of_the_survivor_run_and_may_refuse() {
    let mut estate = Estate::new();
    let (oak, elm) =
        (estate.tree(json!({ "name": "Oak" })), estate.tree(json!({ "name": "Elm", "amount": 1 })));
    let leaf = estate.desk().create("leaf", json!({ "name": "l", "tree": elm })).unwrap();
    estate.hooks = Script::new(|_, hook, entity, drafts| {
        for draft in drafts.iter_mut().filter(|_| hook == Hook::Validate && &*entity.key == "tree") {
            draft.faults.push(crate::records::Fault::at("amount", "odd", "no"));
        }
        Ok(())
    });
    let before = estate.everything();
    assert_eq!(faults(estate.merge(oak, &[elm])), ["/amount odd"]);
    assert_eq!(estate.everything(), before);
    estate.hooks = Script::silent();
    estate.merge(oak, &[elm]).unwrap();
    let ran = estate.hooks.hooks();
    assert_eq!(ran, [Hook::BeforeDelete, Hook::Validate, Hook::BeforeUpdate, Hook::AfterUpdate]);
    assert_eq!(estate.desk().get("leaf", leaf).unwrap()["version"], 2);
}

#[test]
fn a_dry_run_tells_everything_and_does_nothing() {
    let estate = Estate::new();
    let (oak, elm) =
        (estate.tree(json!({ "name": "Oak" })), estate.tree(json!({ "name": "Elm", "amount": 1 })));
    estate.desk().create("leaf", json!({ "name": "l", "tree": elm })).unwrap();
    let basket = estate.basket(json!({ "tree": elm })).unwrap();
    let before = estate.everything();
    let tried = estate.merge_as(&estate.owner, estate.request(oak, &[elm]), true).unwrap();
    assert_eq!((&tried["result"]["record"]["amount"], &tried["dry_run"]), (&json!(1), &json!(true)));
    let told: Vec<(&str, &str)> = tried["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| (change["entity"].as_str().unwrap(), change["operation"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("garden.tree", "deleted"), ("garden.leaf", "updated"), ("garden.tree", "updated")]);
    assert_eq!(tried["beside"][0]["event"], "merged");
    assert_eq!(estate.everything(), before);
    assert!(
        estate.world.records.merges(&estate.scope(&estate.owner), &Which::default(), 9).unwrap().is_empty()
    );
    let done = estate.merge(oak, &[elm]).unwrap();
    assert_eq!(tried["result"]["moved"], done["moved"]);
    let after = estate.everything();
    let tried = estate.undo(&done, true).unwrap();
    assert_eq!(
        tried["result"]["moved"][1],
        json!({ "entity": "orchard.basket", "field": "tree", "count": 1, "ids": [basket] })
    );
    assert_eq!(estate.everything(), after);
    let undone = estate.undo(&done, false).unwrap();
    assert_eq!((&tried["result"]["moved"], &undone["refused_count"]), (&undone["moved"], &json!(0)));
    assert_eq!(estate.everything(), before);
}

#[test]
fn what_only_one_may_name_is_refused_before_two_do() {
    let estate = Estate::new();
    let desk = estate.desk();
    let [oak, elm, ash] = ["Oak", "Elm", "Ash"].map(|name| estate.tree(json!({ "name": name })));
    desk.create("sign", json!({ "name": "s", "tree": oak })).unwrap();
    desk.create("sign", json!({ "name": "t", "tree": elm })).unwrap();
    assert_eq!(conflict(estate.merge(oak, &[elm])), "merge_not_unique");
    estate.merge(ash, &[elm]).unwrap();
}

#[test]
fn of_two_merges_of_one_record_one_wins() {
    let estate = Estate::new();
    for _ in 0..10 {
        let [oak, elm, ash] = ["Oak", "Elm", "Ash"].map(|name| estate.tree(json!({ "name": name })));
        let (scope, hooks, tree) = (estate.scope(&estate.owner), estate.code(), estate.world.entity("tree"));
        let records = &estate.world.records;
        let (first, second) = estate.world.runtime.block_on(async {
            tokio::join!(
                records.merge(&scope, &tree, &hooks, estate.request(oak, &[elm]), Manner::default()),
                records.merge(&scope, &tree, &hooks, estate.request(ash, &[elm]), Manner::default()),
            )
        });
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
        assert_eq!(conflict(if first.is_err() { first } else { second }), "merged");
    }
}

#[test]
fn more_than_ten_thousand_followers_are_too_many() {
    let estate = Estate::new();
    let (oak, elm) = (estate.tree(json!({ "name": "Oak" })), estate.tree(json!({ "name": "Elm" })));
    let fill = |count: i64| {
        estate.world.raw(move |conn| {
            let sql = "insert into leaf (id, version, created_at, created_by, updated_at, updated_by, source, name, tree) \
                       with recursive n(i) as (select 1 union all select i + 1 from n where i < ?2) \
                       select randomblob(16), 1, 0, randomblob(16), 0, randomblob(16), 'api', 'l', ?1 from n";
            Ok(conn.execute(sql, rusqlite::params![elm.as_bytes(), count])?)
        });
    };
    fill(10_000);
    let basket = estate.basket(json!({ "tree": elm })).unwrap();
    assert_eq!(conflict(estate.merge(oak, &[elm])), "merge_too_large");
    estate.repick(basket, json!({ "tree": null }));
    let done = estate.merge(oak, &[elm]).unwrap();
    assert_eq!(
        (&done["moved"][0]["count"], done["moved"][0]["ids"].as_array().unwrap().len()),
        (&json!(10_000), 100)
    );
    assert_eq!(estate.undo(&done, false).unwrap()["moved"][0]["count"], 10_000);
}
