//! The write pipeline: what it refuses, what it stores, and when hooks have their say.

use serde_json::{Value as Json, json};

use super::world::{Script, World, faults, told};
use crate::ids::RecordId;
use crate::records::cells::push;
use crate::records::tx::{Authority, Hook};
use crate::records::value::Value;
use crate::records::write::{self, Cellwise, Change, Changes};
use crate::records::{Fault, RecordError};

/// The change log's entries about records.
const CHANGES: &str = "select count(*) from _stoa_changes";

#[test]
fn a_new_record_hears_of_all_its_faults_at_once() {
    let world = World::new();
    let desk = world.owner();
    desk.create("tree", json!({ "name": "first", "code": "A", "external_ids": { "old": "1" } })).unwrap();
    let bad = json!({
        "body": 5, "amount": "1", "ratio": "1.2345", "price": 12.5, "share": "x", "done": "yes", "day": "2024-02-30",
        "at": "noon", "color": "purple", "parent": RecordId::new(), "email": "nobody", "phone": "call me",
        "site": "javascript:alert(1)", "rank": 10, "stamp": 1, "nothing": 1, "id": "x", "code": "A",
        "owner_id": "me", "external_ids": { "old": "1" },
    });
    assert_eq!(
        faults(desk.create("tree", bad)),
        [
            "/amount wrong_type",
            "/at invalid_instant",
            "/body wrong_type",
            "/code not_unique",
            "/color unknown_option",
            "/day invalid_date",
            "/done wrong_type",
            "/email invalid_email",
            "/external_ids/old not_unique",
            "/id read_only",
            "/name required",
            "/nothing unknown_field",
            "/owner_id invalid_id",
            "/parent reference_not_found",
            "/phone invalid_phone",
            "/price money_must_be_string",
            "/rank too_large",
            "/ratio invalid_decimal",
            "/share invalid_decimal",
            "/site invalid_url",
            "/stamp read_only",
        ]
    );
    assert_eq!(world.number("select count(*) from tree"), 1);
}

#[test]
fn every_kind_of_value_comes_back_as_it_was_sent() {
    let world = World::new();
    let desk = world.owner();
    let parent = desk.create("tree", json!({ "name": "parent" })).unwrap();
    let sent = json!({
        "name": "Zürich \"x\" \\ 💶", "body": "a\n\tb", "amount": i64::MIN, "ratio": "-0.001",
        "price": { "amount": "-1234.50", "currency": "EUR" }, "share": "63.15", "done": true, "day": "2024-02-29",
        "at": "2024-02-29T12:00:00.123Z", "spell": 0, "color": "blue", "root": null, "parent": parent,
        "email": "ann@example.com", "phone": "+43 (1) 5-0", "site": "https://example.com/ü?a=b", "extra": { "a": [1, "x"] },
        "code": "c", "rank": 0, "external_ids": { "old": "7" },
    });
    let id = desk.create("tree", sent.clone()).unwrap();
    let seen = desk.get("tree", id).unwrap();
    for (key, value) in sent.as_object().unwrap() {
        assert_eq!(seen[key], *value, "{key}");
    }
    assert_eq!((&seen["version"], &seen["source"], &seen["stamp"]), (&json!(1), &json!("api"), &Json::Null));

    // A client that sends back all it has read changes nothing.
    let before = world.number(CHANGES);
    assert_eq!(desk.update("tree", id, Some(1), seen).unwrap(), 1);
    assert_eq!(world.number(CHANGES), before);
}

#[test]
fn what_the_platform_made_can_be_sent_back_by_those_who_read_it() {
    let world = World::new();
    let id = world.desk(world.platform()).create("tree", json!({ "name": "x" })).unwrap();
    let seen = world.owner().get("tree", id).unwrap();
    assert_eq!(seen["owner_id"], Json::Null);
    assert_eq!(world.owner().update("tree", id, None, seen).unwrap(), 1);
}

#[test]
fn defaults_fill_what_is_left_out_and_null_empties_it() {
    let world = World::new();
    let desk = world.owner();
    let id = desk.create("tree", json!({ "name": "x", "body": "text" })).unwrap();
    assert_eq!(desk.get("tree", id).unwrap()["rank"], 5);
    let without = desk.create("tree", json!({ "name": "x", "rank": null })).unwrap();
    assert_eq!(desk.get("tree", without).unwrap()["rank"], Json::Null);

    let price = json!({ "amount": "1.00", "currency": "EUR" });
    assert_eq!(desk.update("tree", id, None, json!({ "price": price })).unwrap(), 2);
    assert_eq!(desk.update("tree", id, None, json!({ "rank": null, "body": "", "price": null })).unwrap(), 3);
    let seen = desk.get("tree", id).unwrap();
    assert_eq!((&seen["rank"], &seen["body"], &seen["price"]), (&Json::Null, &Json::Null, &Json::Null));
    assert_eq!(world.number("select count(*) from tree where price_currency is not null"), 0);
    assert_eq!(faults(desk.update("tree", id, None, json!({ "name": null }))), ["/name required"]);
}

#[test]
fn a_unique_value_is_taken_in_a_batch_too_and_freed_by_deletion() {
    let world = World::new();
    let desk = world.owner();
    let rows = vec![
        json!({ "name": "a", "code": "A" }),
        json!({ "name": "b", "code": "A" }),
        json!({ "name": "c" }),
    ];
    let made = desk.create_all("tree", rows).unwrap();
    assert_eq!(made[1].as_ref().map_err(|faults| told(faults)), Err(vec!["/code not_unique".to_owned()]));
    let (first, third) = (made[0].clone().unwrap(), made[2].clone().unwrap());
    assert_eq!(faults(desk.update("tree", third, None, json!({ "code": "A" }))), ["/code not_unique"]);
    assert_eq!(desk.update("tree", first, None, json!({ "code": "A", "name": "z" })).unwrap(), 2);
    desk.delete("tree", first).unwrap();
    desk.update("tree", third, None, json!({ "code": "A" })).unwrap();
}

#[test]
fn an_external_id_names_one_record_and_is_freed_by_deletion() {
    let world = World::new();
    let desk = world.owner();
    let with = |id: &str| json!({ "name": "x", "external_ids": { "old": id, "other": "1" } });
    let first = desk.create("tree", with("7")).unwrap();
    assert_eq!(
        faults(desk.create("tree", with("7"))),
        ["/external_ids/old not_unique", "/external_ids/other not_unique"]
    );
    desk.update("tree", first, None, json!({ "external_ids": { "old": "8", "other": null } })).unwrap();
    let second = desk.create("tree", with("7")).unwrap();
    desk.delete("tree", second).unwrap();
    desk.update("tree", first, None, json!({ "external_ids": { "old": "7" } })).unwrap();
    desk.update("tree", first, None, json!({ "external_ids": null })).unwrap();
    assert_eq!(world.number("select count(*) from _stoa_external_ids"), 0);
    // Another entity has ids of its own.
    desk.create("tree", with("7")).unwrap();
    desk.create("leaf", with("7")).unwrap();
    for bad in [json!({ "a": 1 }), json!({ "": "x" }), json!({ "a": "" }), json!("x"), json!({ "a": "\n" })] {
        let outcome = desk.create("tree", json!({ "name": "x", "external_ids": bad }));
        assert_eq!(faults(outcome), ["/external_ids invalid_external_ids"]);
    }
}

#[test]
fn a_stale_change_is_shown_the_record_as_it_is() {
    let world = World::new();
    let desk = world.owner();
    let id = desk.create("tree", json!({ "name": "x" })).unwrap();
    assert_eq!(desk.update("tree", id, Some(1), json!({ "name": "y" })).unwrap(), 2);
    match desk.update("tree", id, Some(1), json!({ "name": "z" })) {
        Err(RecordError::Stale { current: 2, sent: 1, record, changed }) => {
            assert_eq!(serde_json::from_slice::<Json>(&record).unwrap(), desk.get("tree", id).unwrap());
            assert_eq!(changed.iter().map(|one| &*one.field).collect::<Vec<_>>(), ["name"]);
        }
        other => panic!("{other:?}"),
    }
    let tree = world.entity("tree");
    let outcome = desk.write(move |tx| write::delete(tx, &tree, id, Some(1)));
    assert!(matches!(outcome, Err(RecordError::Stale { current: 2, .. })));
}

#[test]
fn a_change_of_nothing_makes_no_version_no_entry_and_runs_no_hook() {
    let world = World::new();
    let script = Script::silent();
    let id = world.owner().create("tree", json!({ "name": "x", "extra": { "a": 1 } })).unwrap();
    let (desk, before) = (world.owner().with(&script), world.number(CHANGES));
    for same in [json!({}), json!({ "name": "x" }), json!({ "extra": { "a": 1 }, "rank": 5 })] {
        assert_eq!(desk.update("tree", id, None, same).unwrap(), 1);
    }
    assert_eq!((world.number(CHANGES), script.hooks()), (before, Vec::new()));
}

#[test]
fn one_record_twice_in_a_batch_gets_both_changes_and_two_versions() {
    let world = World::new();
    let desk = world.owner();
    let id = desk.create("tree", json!({ "name": "x" })).unwrap();
    let tree = world.entity("tree");
    let change = move |json: Json| Change {
        id,
        version: None,
        changes: write::members(json.as_object().cloned().unwrap()),
    };
    let versions = desk
        .write(move |tx| {
            write::update(tx, &tree, vec![change(json!({ "name": "y" })), change(json!({ "amount": 1 }))])
        })
        .unwrap();
    let seen = desk.get("tree", id).unwrap();
    assert_eq!((versions, &seen["version"]), (vec![2, 3], &json!(3)));
    assert_eq!((&seen["name"], &seen["amount"]), (&json!("y"), &json!(1)));
}

#[test]
fn hooks_run_in_their_order_and_a_failure_of_the_last_undoes_everything() {
    let world = World::new();
    let script = Script::silent();
    let desk = world.owner().with(&script);
    let id = desk.create("tree", json!({ "name": "x" })).unwrap();
    desk.update("tree", id, None, json!({ "name": "y" })).unwrap();
    desk.delete("tree", id).unwrap();
    let order = [
        Hook::Validate,
        Hook::BeforeCreate,
        Hook::AfterCreate,
        Hook::Validate,
        Hook::BeforeUpdate,
        Hook::AfterUpdate,
        Hook::BeforeDelete,
        Hook::AfterDelete,
    ];
    assert_eq!(script.hooks(), order);

    let id = world.owner().create("tree", json!({ "name": "x" })).unwrap();
    let before = world.number(CHANGES);
    let failing = Script::new(|tx, hook, _, _| match hook {
        Hook::AfterCreate | Hook::AfterUpdate | Hook::AfterDelete => {
            tx.conn.execute("update tree set body = 'touched'", [])?;
            Err(RecordError::invalid("name", "no", "no"))
        }
        _ => Ok(()),
    });
    let desk = world.owner().with(&failing);
    assert_eq!(
        faults(desk.create("tree", json!({ "name": "y", "external_ids": { "a": "1" } }))),
        ["/name no"]
    );
    assert_eq!(faults(desk.update("tree", id, None, json!({ "name": "y" }))), ["/name no"]);
    assert_eq!(faults(desk.delete("tree", id)), ["/name no"]);
    let seen = world.owner().get("tree", id).unwrap();
    assert_eq!((&seen["name"], &seen["body"], &seen["version"]), (&json!("x"), &Json::Null, &json!(1)));
    assert_eq!(world.number("select count(*) from tree where deleted_at is null"), 1);
    assert_eq!(world.number("select count(*) from _stoa_external_ids"), 0);
    assert_eq!(world.number(CHANGES), before);
}

#[test]
fn a_batch_keeps_its_order_and_only_good_rows_reach_the_later_hooks() {
    let world = World::new();
    let script = Script::new(|_, hook, entity, drafts| {
        let name = entity.field("name").unwrap().column;
        for draft in drafts.iter_mut().filter(|_| hook == Hook::BeforeCreate) {
            if draft.after[name] == Value::Text("refused".into()) {
                draft.faults.push(Fault::at("name", "refused", "no"));
            }
        }
        Ok(())
    });
    let desk = world.owner().with(&script);
    let names = [json!("a"), json!(1), json!("refused"), json!("b"), Json::Null, json!("c")];
    let made = desk.create_all("tree", names.iter().map(|name| json!({ "name": name })).collect()).unwrap();
    let outcomes: Vec<Result<Json, Vec<String>>> = made
        .iter()
        .map(|one| match one {
            Ok(id) => Ok(desk.get("tree", *id).unwrap()["name"].clone()),
            Err(faults) => Err(told(faults)),
        })
        .collect();
    let fault = |code: &str| Err(vec![format!("/name {code}")]);
    let expected = [
        Ok(json!("a")),
        fault("wrong_type"),
        fault("refused"),
        Ok(json!("b")),
        fault("required"),
        Ok(json!("c")),
    ];
    assert_eq!(outcomes, expected);
    let counts: Vec<usize> = script.ran.lock().unwrap().iter().map(|(_, _, drafts)| *drafts).collect();
    assert_eq!(counts, [6, 4, 3]);
}

#[test]
fn a_hook_sets_what_only_the_plugin_writes() {
    let world = World::new();
    let script = Script::new(|_, hook, entity, drafts| {
        let stamp = entity.field("stamp").unwrap().column;
        for draft in drafts.iter_mut().filter(|_| hook == Hook::BeforeCreate) {
            draft.after[stamp] = Value::Integer(7);
        }
        Ok(())
    });
    let id = world.owner().with(&script).create("tree", json!({ "name": "x" })).unwrap();
    assert_eq!(world.owner().get("tree", id).unwrap()["stamp"], 7);
}

/// The cells of a plugin that sets these fields.
fn cellwise(fields: &[&str], values: &[Value]) -> Changes {
    let mut cells = Vec::new();
    values.iter().for_each(|value| push(value, &mut cells));
    Changes::Cells(Cellwise { fields: fields.iter().map(|key| (*key).to_owned()).collect(), cells })
}

#[test]
fn cells_that_do_not_fit_their_fields_are_refused() {
    let world = World::new();
    let text = |text: &str| Value::Text(text.into());
    let cases: Vec<(&str, Vec<Value>)> = vec![
        ("amount", vec![]),
        ("amount", vec![text("1")]),
        ("amount", vec![Value::Integer(1), Value::Integer(2)]),
        ("name", vec![Value::Integer(1)]),
        ("parent", vec![text("x")]),
        ("price", vec![Value::Integer(1)]),
        ("price", vec![Value::Integer(1), Value::Integer(2)]),
        ("price", vec![Value::Integer(1), Value::Null]),
        ("price", vec![Value::Null, text("EUR")]),
        ("nothing", vec![Value::Null]),
        ("team_id", vec![Value::Null]),
        ("external_ids", vec![text("{}")]),
        ("id", vec![Value::Null]),
    ];
    for (field, values) in cases {
        let (tree, changes) = (world.entity("tree"), cellwise(&[field], &values));
        let outcome = world
            .owner()
            .write(move |tx| write::create(&tx.on(Authority::PluginForCaller), &tree, vec![changes]));
        let refused = matches!(outcome, Err(RecordError::Plugin { code: "plugin_bad_cells", .. }));
        assert!(refused, "{field} {values:?} {outcome:?}");
    }
}

#[test]
fn the_declared_rules_hold_for_what_a_hook_sets() {
    let world = World::new();
    let script = Script::new(|_, hook, entity, drafts| {
        let at = |key: &str| entity.field(key).unwrap().column;
        for draft in drafts.iter_mut().filter(|_| hook == Hook::BeforeCreate) {
            draft.after[at("rank")] = Value::Integer(10);
            draft.after[at("extra")] = Value::Text("{".into());
            draft.after[at("price")] = Value::Integer(1);
            draft.after[at("price") + 1] = Value::Text("ABC".into());
            draft.after[at("parent")] = RecordId::new().into();
            draft.after[at("name")] = Value::Null;
        }
        Ok(())
    });
    let expected = [
        "/extra wrong_type",
        "/name required",
        "/parent reference_not_found",
        "/price unknown_currency",
        "/rank too_large",
    ];
    assert_eq!(faults(world.owner().with(&script).create("tree", json!({ "name": "x" }))), expected);
}

#[test]
fn what_was_stored_under_older_rules_is_not_judged_again() {
    let world = World::new();
    let id = world.owner().create("tree", json!({ "name": "x" })).unwrap();
    world.raw(|conn| {
        Ok(conn.batch("update tree set color = 'purple', rank = 99, price = 1, price_currency = 'XYZ'")?)
    });
    assert_eq!(world.owner().update("tree", id, None, json!({ "name": "y" })).unwrap(), 2);
    let again = json!({ "price": { "amount": "0.01", "currency": "EUR" }, "rank": 98 });
    assert_eq!(faults(world.owner().update("tree", id, None, again)), ["/rank too_large"]);
}

#[test]
fn the_declared_rules_hold_for_what_a_plugin_writes() {
    let world = World::new();
    let text = |text: &str| Value::Text(text.into());
    let cases: Vec<(&str, Vec<Value>, &str)> = vec![
        ("rank", vec![Value::Integer(10)], "too_large"),
        ("code", vec![text("longer than twenty characters")], "too_long"),
        ("name", vec![text("a\u{0}b")], "control_character"),
        ("name", vec![text("")], "required"),
        ("color", vec![text("purple")], "unknown_option"),
        ("day", vec![text("someday")], "invalid_date"),
        ("done", vec![Value::Integer(7)], "wrong_type"),
        ("extra", vec![text("{no json")], "wrong_type"),
        ("email", vec![text("nobody")], "invalid_email"),
        ("price", vec![Value::Integer(1), text("ABC")], "unknown_currency"),
        ("at", vec![Value::Integer(i64::MAX)], "invalid_instant"),
    ];
    for (field, values, code) in cases {
        let (tree, changes) = (world.entity("tree"), cellwise(&[field], &values));
        let id = world.owner().create("tree", json!({ "name": "x" })).unwrap();
        let outcome = world.owner().write(move |tx| {
            let change = Change { id, version: None, changes };
            write::update(&tx.on(Authority::PluginForCaller), &tree, vec![change])
        });
        assert_eq!(faults(outcome), [format!("/{field} {code}")]);
    }
}
