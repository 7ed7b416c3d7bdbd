//! Documents in force: files brought to them, records held to them, versions taken back.

use serde_json::{Value as Json, json};

use super::shop::Shop;
use crate::records::RecordError;
use crate::records::configuration::{Impact, edit};
use crate::records::tests::garden::{entity, module, tree_fields};
use crate::records::tests::world::faults;
use crate::records::tx::Hook;

fn tree(fields: &Json) -> Json {
    json!({"entities": {"garden.tree": {"fields": fields}}})
}

fn conflict<T: std::fmt::Debug>(outcome: Result<T, RecordError>) -> (String, Json) {
    match outcome {
        Err(RecordError::Conflict { code, extra, .. }) => (code.into_owned(), extra.into()),
        other => panic!("{other:?} is no conflict"),
    }
}

fn impact(shop: &Shop, json: &Json) -> Vec<(&'static str, Option<u64>)> {
    shop.draft(json);
    let report = shop.configuration.check(&shop.scope(), &shop.ground).unwrap();
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    report.impact.iter().map(|Impact { code, count, .. }| (*code, *count)).collect()
}

#[test]
fn a_field_is_there_at_once_and_survives_an_upgrade_of_the_plugin() {
    let mut shop = Shop::new();
    let old = shop.desk().create("tree", json!({"name": "old"})).unwrap();
    shop.publish(&tree(
        &json!([{"key": "c_price", "type": "money"}, {"key": "c_code", "type": "text", "unique": true}]),
    ))
    .unwrap();
    let price = json!({"amount": "1.50", "currency": "EUR"});
    shop.desk().update("tree", old, None, json!({"c_price": price, "c_code": "A"})).unwrap();
    assert_eq!(shop.desk().get("tree", old).unwrap()["c_price"], price);
    assert_eq!(
        faults(shop.desk().create("tree", json!({"name": "x", "c_code": "A"}))),
        ["/c_code not_unique"]
    );
    let logged = shop.world.number("select count(*) from _stoa_changes where new like '%\"c_price\":150%'");
    assert_eq!(logged, 1);

    // The plugin's next version declares another field; the organization's own stand behind it as before.
    let mut fields = tree_fields();
    fields.push(crate::records::tests::garden::field("height", crate::records::schema::Kind::Integer));
    let mut entities = shop.ground.declared[0].entities.clone();
    entities[0] = entity("tree", fields, &Hook::ALL);
    shop.ground.declared = vec![module("2", entities, Vec::new())].into();
    let published = shop.configuration.published(shop.ground.organization.id).unwrap();
    shop.enter(&published);
    let upgraded = shop.world.module.clone();
    shop.world.runtime.block_on(shop.world.records.prepare(&shop.ground.organization, &upgraded)).unwrap();
    shop.desk().update("tree", old, None, json!({"height": 7})).unwrap();
    let seen = shop.desk().get("tree", old).unwrap();
    assert_eq!((&seen["height"], &seen["c_price"], &seen["c_code"]), (&json!(7), &price, &json!("A")));
}

#[test]
fn an_object_of_its_own_has_records_and_points_at_others() {
    let mut shop = Shop::new();
    let tree = shop.desk().create("tree", json!({"name": "oak"})).unwrap();
    let json = json!({"objects": [{"key": "select", "plural": "selects", "label": "Visit", "title": "name", "fields": [
        {"key": "name", "type": "text", "required": true},
        {"key": "number", "type": "auto_number", "format": "V-{000}"},
        {"key": "tree", "type": "reference", "references": "garden.tree", "inverse": "visits"},
        {"key": "from", "type": "date"}, {"key": "where", "type": "reference", "references": "custom.select"},
    ]}]});
    shop.publish(&json).unwrap();
    let visit = shop
        .create("select", json!({"name": "first", "tree": tree.to_string(), "from": "2026-01-01"}))
        .unwrap();
    let seen = shop.get("select", visit);
    assert_eq!((&seen["number"], &seen["tree"]), (&json!("V-001"), &json!(tree.to_string())));
    assert_eq!(faults(shop.create("select", json!({"from": "x"}))), ["/from invalid_date", "/name required"]);
    assert_eq!(
        conflict(shop.desk().delete("tree", tree)).0,
        "record_in_use",
        "a reference of another file holds"
    );
}

#[test]
fn rules_and_conditional_requirements_hold_on_every_write() {
    let mut shop = Shop::new();
    let root = shop.desk().create("tree", json!({"name": "root", "done": true})).unwrap();
    let json = json!({"entities": {"garden.tree": {
        "fields": [{"key": "c_why", "type": "text", "required_when": {"field": "color", "value": "red"}}],
        "required_when": {"day": {"field": "amount", "op": "gte", "value": "10"}},
        "rules": [
            {"key": "cheap", "condition": {"not": {"field": "rank", "op": "gt", "value": "7"}}, "message": "Too high.", "field": "rank"},
            {"key": "open", "condition": {"or": [{"field": "parent", "op": "empty", "value": true}, {"field": "parent.done", "value": false}]}, "message": "The parent is done."},
            {"key": "asleep", "condition": {"field": "name", "value": "never"}, "message": "m", "active": false},
        ],
    }}});
    shop.publish(&json).unwrap();
    let desk = shop.desk();
    let create = |json: Json| faults(desk.create("tree", json));
    assert_eq!(
        create(json!({"name": "x", "color": "red", "amount": 10, "rank": 8})),
        ["/c_why required", "/day required", "/rank rule_cheap"]
    );
    assert_eq!(create(json!({"name": "x", "parent": root.to_string()})), [" rule_open"]);
    let tree =
        desk.create("tree", json!({"name": "x", "color": "red", "c_why": "because", "rank": 7})).unwrap();
    assert_eq!(faults(desk.update("tree", tree, None, json!({"c_why": null}))), ["/c_why required"]);
    assert_eq!(faults(desk.update("tree", tree, None, json!({"rank": 9}))), ["/rank rule_cheap"]);
    desk.update("tree", root, None, json!({"done": false})).unwrap();
    desk.update("tree", tree, None, json!({"parent": root.to_string()})).unwrap();
}

#[test]
fn an_archived_option_stays_where_it_is_and_is_not_chosen_anew() {
    let mut shop = Shop::new();
    let options = |archived: bool| {
        let items = json!([{"key": "a", "label": "A", "archived": archived}, {"key": "b", "label": "B"}]);
        tree(
            &json!([{"key": "c_one", "type": "option", "options": items}, {"key": "c_some", "type": "options", "options": items}]),
        )
    };
    shop.publish(&options(false)).unwrap();
    let old = shop.desk().create("tree", json!({"name": "x", "c_one": "a", "c_some": ["a"]})).unwrap();
    let counted = impact(&shop, &options(true));
    assert_eq!(counted, [("option_archived", Some(1)), ("option_archived", Some(1))]);
    shop.publish(&options(true)).unwrap();
    let desk = shop.desk();
    // A client that sends back what it read is not refused.
    desk.update("tree", old, None, json!({"name": "y", "c_one": "a", "c_some": ["a", "b"]})).unwrap();
    assert_eq!(
        faults(desk.create("tree", json!({"name": "z", "c_one": "a", "c_some": ["a", "b"]}))),
        ["/c_one archived_option", "/c_some archived_option"]
    );
    desk.update("tree", old, None, json!({"c_one": "b"})).unwrap();
    assert_eq!(faults(desk.update("tree", old, None, json!({"c_one": "a"}))), ["/c_one archived_option"]);
}

#[test]
fn an_option_gives_way_to_another_in_every_record_and_in_the_change_log() {
    let mut shop = Shop::new();
    let with = |archived: bool, replace: &Json| {
        json!({
            "option_sets": [{"key": "s", "label": "S", "options": [
                {"key": "a", "label": "A", "archived": archived}, {"key": "b", "label": "B"}, {"key": "c", "label": "C"},
            ], "replace": replace}],
            "entities": {"garden.tree": {"fields": [
                {"key": "c_one", "type": "option", "option_set": "s"}, {"key": "c_some", "type": "options", "option_set": "s"},
            ]}},
        })
    };
    shop.publish(&with(false, &json!([]))).unwrap();
    let rows = (0..1_200).map(|n| json!({"name": format!("t{n}"), "c_one": "a"})).collect();
    shop.desk().create_all("tree", rows).unwrap();
    let several = shop.desk().create("tree", json!({"name": "several", "c_some": ["a", "c"]})).unwrap();
    let replacing = with(true, &json!([{"from": "a", "to": "c"}]));
    let counted = impact(&shop, &replacing);
    assert!(counted.contains(&("option_replaced", Some(1_200))), "{counted:?}");
    let published = shop.publish(&replacing).unwrap();
    assert!(published.document.option_sets[0].replace.is_empty(), "done once");
    assert_eq!(shop.world.number("select count(*) from tree where c_one = 'c' and version = 2"), 1_200);
    let logged =
        "select count(*) from _stoa_changes where operation = 'update' and old like '%\"c_one\":\"a\"%'";
    assert_eq!(shop.world.number(logged), 1_200);
    let seen = shop.desk().get("tree", several).unwrap();
    assert_eq!((&seen["c_some"], &seen["version"]), (&json!(["c"]), &json!(2)));
    assert_eq!(shop.world.raw(|conn| Ok(conn.verify_changes()?)), 1_201 * 2);
}

#[test]
fn records_that_are_there_get_numbers_in_the_order_in_which_they_were_made() {
    let mut shop = Shop::new();
    let rows = (0..700).map(|n| json!({"name": format!("t{n}")})).collect();
    shop.desk().create_all("tree", rows).unwrap();
    let json = tree(&json!([{"key": "c_no", "type": "auto_number", "format": "T-{YYYY}-{0000}"}]));
    assert_eq!(impact(&shop, &json), [("numbered", Some(700))]);
    shop.publish(&json).unwrap();
    let last = "select count(*) from tree where name = 't699' and c_no = 'T-2023-0700'";
    assert_eq!(shop.world.number(last), 1);
    let next = shop.desk().create("tree", json!({"name": "new"})).unwrap();
    assert_eq!(shop.desk().get("tree", next).unwrap()["c_no"], "T-2023-0701");
    assert_eq!(faults(shop.desk().update("tree", next, None, json!({"c_no": "x"}))), ["/c_no read_only"]);
}

#[test]
fn the_impact_counts_what_would_break() {
    let mut shop = Shop::new();
    let first = json!([{"key": "c_code", "type": "text"}, {"key": "c_size", "type": "integer"}]);
    shop.publish(&tree(&first)).unwrap();
    for (code, size) in [("A", 1), ("A", 20), ("B", 3), ("long one", 40)] {
        shop.desk().create("tree", json!({"name": "x", "c_code": code, "c_size": size})).unwrap();
    }
    shop.desk().create("tree", json!({"name": "y"})).unwrap();
    let json = json!({"entities": {"garden.tree": {
        "fields": [
            {"key": "c_code", "type": "text", "unique": true, "required": true, "max_length": 3},
            {"key": "c_size", "type": "integer", "max": 10},
            {"key": "c_new", "type": "text", "required": true},
            {"key": "c_when", "type": "text", "required_when": {"field": "c_size", "op": "gt", "value": "2"}},
        ],
        "rules": [{"key": "r", "condition": {"or": [{"field": "c_new", "op": "empty", "value": false}, {"field": "name", "value": "x"}]}, "message": "m"}],
    }}});
    let mut counted = impact(&shop, &json);
    counted.sort_unstable();
    assert_eq!(
        counted,
        [
            ("bounds", Some(2)),
            ("length", Some(1)),
            ("required", Some(1)),
            ("required", Some(5)),
            ("required_when", Some(3)),
            ("rule", Some(1)),
            ("unique", Some(2)),
        ]
    );
    let (code, extra) = conflict(shop.publish(&json));
    assert_eq!((code.as_str(), &extra["impact"][0]["count"]), ("values_not_unique", &json!(2)));
    assert_eq!(extra["impact"][0]["ids"].as_array().unwrap().len(), 2);
    assert_eq!(
        shop.configuration.published(shop.ground.organization.id).unwrap().version.version,
        1,
        "nothing published"
    );
    shop.desk().create("tree", json!({"name": "still works", "c_code": "A"})).unwrap();
}

#[test]
fn going_back_keeps_every_value_and_coming_again_finds_it() {
    let mut shop = Shop::new();
    shop.publish(&tree(&json!([{"key": "c_a", "type": "text"}]))).unwrap();
    shop.publish(&tree(
        &json!([{"key": "c_a", "type": "text"}, {"key": "c_b", "type": "text", "unique": true}]),
    ))
    .unwrap();
    let id = shop.desk().create("tree", json!({"name": "x", "c_a": "1", "c_b": "2"})).unwrap();
    let back = shop.roll_back(1).unwrap();
    assert_eq!((back.version.version, back.version.rolled_back_from), (3, Some(1)));
    assert_eq!(shop.desk().get("tree", id).unwrap().get("c_b"), None);
    assert_eq!(shop.world.number("select count(*) from tree where c_b = '2'"), 1);
    let unique = "select count(*) from sqlite_schema where name = '_stoa_tree.c_b.unique'";
    assert_eq!(shop.world.number(unique), 0, "what nobody sees refuses nothing");
    let again = shop.roll_back(2).unwrap();
    assert_eq!(again.version.version, 4);
    assert_eq!(shop.desk().get("tree", id).unwrap()["c_b"], "2");
    assert_eq!(shop.world.number(unique), 1);
    assert_eq!(conflict(shop.roll_back(4)).0, "nothing_to_publish");
    assert!(matches!(shop.roll_back(9), Err(RecordError::NotFound)));
    let versions = shop.configuration.versions(shop.ground.organization.id, Some(4), 2).unwrap();
    assert_eq!(versions.iter().map(|version| version.version).collect::<Vec<_>>(), [3, 2]);
}

#[test]
fn two_publishers_and_two_editors_do_not_overwrite_each_other() {
    let mut shop = Shop::new();
    let id = shop.ground.organization.id;
    shop.publish(&tree(&json!([{"key": "c_a", "type": "text"}]))).unwrap();
    let draft = shop.configuration.draft(id).unwrap();
    assert_eq!((draft.base, draft.document.entities.len()), (1, 1));
    let caller = shop.world.owner().scope.caller;
    let field = |key: &'static str| {
        move |document: &mut _, _: &_| {
            edit::add_field(document, "garden.tree", &json!({"key": key, "type": "text"}))
        }
    };
    let editing = |revision: i64, key| {
        shop.world.runtime.block_on(shop.configuration.edit(&caller, Some(revision), field(key)))
    };
    let next = editing(draft.revision, "c_b").unwrap();
    let Err(RecordError::Stale { current, .. }) = editing(draft.revision, "c_c") else { panic!("not stale") };
    assert_eq!(current, next.revision.unsigned_abs());
    assert_eq!(faults(editing(next.revision, "c_b")), ["/key duplicate_key"]);

    let publish = |revision| {
        let scope = shop.scope();
        shop.world.runtime.block_on(shop.configuration.publish(
            &scope,
            &shop.ground,
            Some(revision),
            String::new(),
        ))
    };
    assert!(matches!(publish(draft.revision), Err(RecordError::Stale { .. })));
    assert_eq!(publish(next.revision).unwrap().version.version, 2);
    assert!(matches!(publish(next.revision), Err(RecordError::Stale { .. })), "the second comes too late");
    let now = shop.configuration.draft(id).unwrap();
    assert_eq!(conflict(publish(now.revision)).0, "nothing_to_publish");

    // A draft that another version came before is not published over it.
    editing(now.revision, "c_d").unwrap();
    shop.roll_back(1).unwrap();
    let late = shop.configuration.draft(id).unwrap();
    let scope = shop.scope();
    let going = shop.configuration.publish(&scope, &shop.ground, None, String::new());
    assert_eq!(conflict(shop.world.runtime.block_on(going)).0, "draft_outdated");
    let discarded =
        shop.world.runtime.block_on(shop.configuration.discard(&caller, Some(late.revision))).unwrap();
    assert_eq!(discarded.base, 3);
}

#[test]
fn a_version_of_another_process_is_noticed_within_a_second() {
    let mut shop = Shop::new();
    let id = shop.ground.organization.id;
    let other = crate::records::configuration::Configuration::new(shop.world.records.clone());
    assert_eq!(other.version_in_force(id).unwrap(), 0);
    shop.publish(&tree(&json!([{"key": "c_a", "type": "text"}]))).unwrap();
    assert_eq!(shop.configuration.version_in_force(id).unwrap(), 1, "at once here");
    shop.world.clock.advance(1_000);
    assert_eq!(other.version_in_force(id).unwrap(), 1);
}

#[test]
fn a_column_joins_a_large_table_without_rewriting_it() {
    let mut shop = Shop::new();
    shop.world.raw(|conn| {
        Ok(conn.batch(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000) \
             insert into tree (id, version, created_at, created_by, updated_at, updated_by, source, name, amount) \
             select randomblob(16), 1, 0, zeroblob(16), 0, zeroblob(16), 'api', 'tree ' || i, i from n",
        )?)
    });
    let pages = "select page_count from pragma_page_count";
    let before = shop.world.number(pages);
    let started = std::time::Instant::now();
    shop.publish(&tree(&json!([{"key": "c_a", "type": "text"}, {"key": "c_b", "type": "money"}]))).unwrap();
    println!("two fields (three columns) on 100,000 rows: {:?}", started.elapsed());
    assert!(shop.world.number(pages) - before < 20, "no page of the rows was written");
    let started = std::time::Instant::now();
    shop.publish(&tree(
        &json!([{"key": "c_a", "type": "text", "indexed": true}, {"key": "c_b", "type": "money"}]),
    ))
    .unwrap();
    println!("an index on 100,000 rows: {:?}", started.elapsed());
    assert_eq!(shop.world.number("select count(*) from tree where c_a is null"), 100_000);
}
