//! Many operations in one request: all or nothing, or each for itself, with hooks in batches.

use serde_json::{Value as Json, json};

use super::orchard::world;
use super::world::{Desk, Script, World, acting, faults};
use crate::ids::{PrincipalId, RecordId};
use crate::records::tx::Hook;
use crate::records::{Fault, RecordError, bulk};

impl Desk<'_> {
    fn bulk(&self, entity: &str, body: Json) -> Result<Json, RecordError> {
        let entity = self.world.entity(entity);
        let Json::Object(members) = body else { panic!("no object") };
        let read = bulk::read(&entity, members)?;
        let answer = self.write(move |tx| bulk::run(tx, &entity, read))?;
        Ok(serde_json::from_slice(&answer).unwrap())
    }
}

fn create(fields: Json) -> Json {
    json!({ "op": "create", "fields": fields })
}

fn update(id: RecordId, fields: Json) -> Json {
    json!({ "op": "update", "id": id, "fields": fields })
}

fn each(operations: &[Json]) -> Json {
    json!({ "atomic": false, "operations": operations })
}

fn all(operations: &[Json]) -> Json {
    json!({ "atomic": true, "operations": operations })
}

/// `status pointer code …` of every result.
fn told(answer: &Json) -> Vec<String> {
    let rows = answer["results"].as_array().unwrap().iter().enumerate().map(|(at, row)| {
        assert_eq!(row["index"], at);
        let errors = row["errors"].as_array().into_iter().flatten();
        let errors = errors.map(|error| {
            let pointer = error["pointer"].as_str().unwrap();
            let own = pointer.strip_prefix(&format!("/operations/{at}")).unwrap();
            format!(" {own} {}", error["code"].as_str().unwrap())
        });
        format!("{}{}", row["status"], errors.collect::<String>())
    });
    rows.collect()
}

fn plants(world: &World) -> i64 {
    world.number("select count(*) from plant where deleted_at is null")
}

#[test]
fn every_row_has_its_own_result_and_good_ones_are_kept() {
    let world = world();
    let desk = world.owner();
    let [a, b, c] =
        ["a", "b", "c"].map(|name| desk.create("plant", json!({ "name": name, "code": name })).unwrap());
    desk.create("sign", json!({ "name": "s", "names": [c] })).unwrap();
    let operations = [
        create(json!({ "name": "d" })),
        create(json!({ "height": "tall" })),
        update(a, json!({ "name": "aa" })),
        json!({ "op": "update", "id": b, "version": 7, "fields": { "name": "x" } }),
        update(RecordId::new(), json!({ "name": "x" })),
        update(b, json!({ "code": "a" })),
        json!({ "op": "delete", "id": c }),
        json!({ "op": "delete", "id": b, "version": 1 }),
        update(b, json!({ "name": "too late" })),
        json!({ "op": "delete", "id": RecordId::new() }),
        create(json!({ "name": "e", "code": "b" })),
    ];
    let answer = desk.bulk("plant", each(&operations)).unwrap();
    let expected = [
        "201",
        "422 /fields/height wrong_type /fields/name required",
        "200",
        "412 /version version_conflict",
        "404 /id record_not_found",
        "422 /fields/code not_unique",
        "409  record_in_use",
        "204",
        "404 /id record_not_found",
        "404 /id record_not_found",
        "201",
    ];
    assert_eq!(told(&answer), expected);
    let counts = ["created", "updated", "deleted", "failed"].map(|key| answer[key].as_u64().unwrap());
    assert_eq!(counts, [2, 1, 1, 7]);
    let rows = &answer["results"];
    assert_eq!((&rows[2]["id"], &rows[2]["version"]), (&json!(a), &json!(2)));
    assert_eq!((&rows[3]["version"], &rows[6]["id"]), (&json!(1), &json!(c)));
    let made: RecordId = rows[0]["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(desk.get("plant", made).unwrap()["name"], "d");
    assert_eq!(plants(&world), 4);
    world.raw(|conn| Ok(conn.verify_changes()?));
}

#[test]
fn all_or_nothing_tells_every_fault_at_its_place_and_keeps_nothing() {
    let world = world();
    let desk = world.owner();
    let id = desk.create("plant", json!({ "name": "a" })).unwrap();
    let before = super::orchard::snapshot(&world);
    let operations = [
        create(json!({ "name": "b" })),
        create(json!({ "name": 1 })),
        update(id, json!({ "name": "x" })),
        update(RecordId::new(), json!({})),
        json!({ "op": "paint" }),
        create(json!({ "mate": RecordId::new() })),
    ];
    let expected = [
        "/operations/1/fields/name wrong_type",
        "/operations/3/id record_not_found",
        "/operations/4/op unknown_operation",
        "/operations/5/fields/mate reference_not_found",
        "/operations/5/fields/name required",
    ];
    assert_eq!(faults(desk.bulk("plant", all(&operations))), expected);
    assert_eq!(super::orchard::snapshot(&world), before);
    // It is what happens when nothing is said.
    let silent = json!({ "operations": [create(json!({ "name": "b" })), create(json!({}))] });
    assert_eq!(faults(desk.bulk("plant", silent)), ["/operations/1/fields/name required"]);
    let good = all(&[create(json!({ "name": "b" })), update(id, json!({ "name": "x" }))]);
    assert_eq!(told(&desk.bulk("plant", good).unwrap()), ["201", "200"]);
}

#[test]
fn neighbours_of_a_kind_share_their_hooks() {
    let world = world();
    let script = Script::silent();
    let desk = world.owner().with(&script);
    let operations: Vec<Json> = (0..600).map(|at| create(json!({ "name": at.to_string() }))).collect();
    let answer = desk.bulk("plant", all(&operations)).unwrap();
    let batches: Vec<usize> = script
        .ran
        .lock()
        .unwrap()
        .iter()
        .filter(|(hook, ..)| *hook == Hook::Validate)
        .map(|(.., drafts)| *drafts)
        .collect();
    assert_eq!(batches, [250, 250, 100]);
    let operations: Vec<Json> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| json!({ "op": "update", "id": row["id"], "fields": { "height": 1 } }))
        .collect();
    script.ran.lock().unwrap().clear();
    assert_eq!(desk.bulk("plant", each(&operations)).unwrap()["updated"], 600);
    assert_eq!(script.ran.lock().unwrap().len(), 9);
}

#[test]
fn a_batch_that_a_hook_refuses_as_a_whole_costs_only_the_row_that_it_is_about() {
    let world = world();
    let script = Script::new(|_, hook, entity, drafts| {
        let name = entity.field("name").unwrap().column;
        let bad = drafts.iter().any(|draft| draft.after[name].text() == Some("bad"));
        match hook {
            Hook::AfterCreate | Hook::BeforeUpdate if bad => {
                Err(RecordError::Invalid(vec![Fault::at("name", "unwanted", "no")]))
            }
            Hook::Validate if drafts.iter().any(|draft| draft.after[name].text() == Some("worse")) => {
                Err(RecordError::Plugin {
                    plugin: "garden".into(),
                    code: "plugin_panicked",
                    detail: "it panicked".into(),
                })
            }
            _ => Ok(()),
        }
    });
    let desk = world.owner().with(&script);
    let named = |name: &str| create(json!({ "name": name }));
    let operations = [named("a"), named("bad"), named("b"), named("worse"), named("c")];
    let answer = desk.bulk("plant", each(&operations)).unwrap();
    assert_eq!(told(&answer), ["201", "422 /fields/name unwanted", "201", "502  plugin_panicked", "201"]);
    assert_eq!(plants(&world), 3);
    let ids: Vec<RecordId> = ["0", "2"]
        .map(|at| answer["results"][at.parse::<usize>().unwrap()]["id"].as_str().unwrap().parse().unwrap())
        .into();
    let operations = [update(ids[0], json!({ "name": "bad" })), update(ids[1], json!({ "name": "good" }))];
    let answer = desk.bulk("plant", each(&operations)).unwrap();
    assert_eq!(told(&answer), ["422 /fields/name unwanted", "200"]);
    assert_eq!(
        faults(desk.bulk("plant", all(&[named("x"), named("bad")]))),
        ["/operations/1/fields/name unwanted"]
    );
}

#[test]
fn a_record_that_stands_twice_is_changed_twice_in_order() {
    let world = world();
    let desk = world.owner();
    let id = desk.create("plant", json!({ "name": "a" })).unwrap();
    let operations = [
        update(id, json!({ "name": "b", "height": 1 })),
        update(id, json!({ "name": "c" })),
        json!({ "op": "update", "id": id, "version": 1, "fields": { "name": "d" } }),
        json!({ "op": "delete", "id": id }),
        json!({ "op": "delete", "id": id }),
    ];
    let answer = desk.bulk("plant", each(&operations)).unwrap();
    let expected = ["200", "200", "412 /version version_conflict", "204", "404 /id record_not_found"];
    assert_eq!(told(&answer), expected);
    assert_eq!(answer["results"][2]["version"], 3);
    assert_eq!(world.number("select count(*) from plant where name = 'c' and height = 1 and version = 4"), 1);
}

#[test]
fn an_upsert_finds_what_it_knows_and_makes_what_it_does_not() {
    let world = world();
    let desk = world.owner();
    let by = |by: &str, value: &str, fields: Json| json!({ "op": "upsert", "by": by, "value": value, "fields": fields });
    let operations = [
        by("code", "A", json!({ "name": "a" })),
        by("external_id:old", "7", json!({ "name": "seven", "external_ids": { "other": "x" } })),
        by("code", "A", json!({ "height": 3 })),
        by("external_id:old", "7", json!({ "height": 4 })),
        by("external_id:old", "7", json!({ "code": "B" })),
        by("code", "B", json!({ "name": "b" })),
        by("code", "C", json!({ "code": "D", "name": "c" })),
        by("code", "E", json!({ "height": 1 })),
    ];
    let answer = desk.bulk("plant", each(&operations)).unwrap();
    let expected = [
        "201",
        "201",
        "200",
        "200",
        "200",
        "200",
        "422 /fields/code contradiction",
        "422 /fields/name required",
    ];
    assert_eq!(told(&answer), expected);
    assert_eq!(plants(&world), 2);
    let seven: RecordId = answer["results"][1]["id"].as_str().unwrap().parse().unwrap();
    let seen = desk.get("plant", seven).unwrap();
    assert_eq!((&seen["name"], &seen["height"], &seen["code"]), (&json!("b"), &json!(4), &json!("B")));
    assert_eq!(seen["external_ids"], json!({ "old": "7", "other": "x" }));
}

#[test]
fn what_is_no_such_request_is_refused_with_every_fault() {
    let world = world();
    let desk = world.owner();
    let many: Vec<Json> = (0..1_001).map(|_| create(json!({ "name": "x" }))).collect();
    assert_eq!(faults(desk.bulk("plant", all(&many))), ["/operations too_many"]);
    assert_eq!(
        faults(desk.bulk("plant", json!({ "atomic": "yes", "operation": [], "id": 1 }))),
        ["/atomic wrong_type", "/id unknown_field", "/operation unknown_field", "/operations required"]
    );
    assert_eq!(faults(desk.bulk("plant", json!({ "operations": {} }))), ["/operations wrong_type"]);
    assert_eq!(told(&desk.bulk("plant", all(&[])).unwrap()), Vec::<String>::new());
    let operations = [
        json!(7),
        json!({}),
        json!({ "op": "create" }),
        json!({ "op": "create", "fields": [], "id": RecordId::new() }),
        json!({ "op": "update", "id": "x", "version": "1", "fields": {} }),
        json!({ "op": "upsert", "by": "name", "value": "x", "fields": {} }),
        json!({ "op": "upsert", "by": "code", "fields": {} }),
        json!({ "op": "upsert", "by": "external_id:", "value": "x", "fields": { "name": "x" } }),
        json!({ "op": "delete", "id": RecordId::new(), "fields": {} }),
        json!({ "op": "delete", "id": [1] }),
        create(
            json!({ "name": "x", "id": RecordId::new(), "version": 3, "created_by": "me", "deleted_at": null }),
        ),
    ];
    let expected = [
        "422  wrong_type",
        "422 /op unknown_operation",
        "422 /fields required",
        "422 /fields wrong_type /id unknown_field",
        "422 /id invalid_id /version wrong_type",
        "422 /by unknown_field",
        "422 /value required",
        "422 /fields/external_ids invalid_external_ids",
        "422 /fields unknown_field",
        "422 /id invalid_id",
        "422 /fields/created_by read_only /fields/deleted_at unknown_field /fields/id read_only /fields/version read_only",
    ];
    let answer = desk.bulk("plant", each(&operations)).unwrap();
    assert_eq!(told(&answer), expected);
    assert_eq!(plants(&world), 0);
}

#[test]
fn a_bulk_reaches_no_further_than_its_caller() {
    let world = World::new();
    let (ann, bob) = (world.person("Ann", "rep", None), world.person("Bob", "rep", None));
    let his = world.desk(bob).create("tree", json!({ "name": "his" })).unwrap();
    let mine = world.desk(ann.clone()).create("tree", json!({ "name": "mine" })).unwrap();
    let operations = [
        update(his, json!({ "name": "stolen" })),
        update(mine, json!({ "name": "better" })),
        json!({ "op": "delete", "id": his }),
        json!({ "op": "upsert", "by": "code", "value": "x", "fields": { "name": "new" } }),
    ];
    let answer = world.desk(ann).bulk("tree", each(&operations)).unwrap();
    assert_eq!(told(&answer), ["404 /id record_not_found", "200", "404 /id record_not_found", "201"]);
    assert_eq!(world.owner().get("tree", his).unwrap()["name"], "his");
    let nobody = world.desk(acting(world.organization.id, PrincipalId::new(), "nobody", &[]));
    let answer = nobody.bulk("tree", each(&[create(json!({ "name": "x" })), create(json!({}))])).unwrap();
    assert_eq!(told(&answer), ["403  forbidden", "403  forbidden"]);
}

#[test]
fn nothing_is_found_by_a_field_that_is_withheld() {
    let mut world = world();
    world.owner().create("plant", json!({ "name": "Oak", "code": "A1" })).unwrap();
    let open =
        ["read", "create", "update"].map(|action| ["role:rep", "garden.plant", action, "org", "allow"]);
    let withheld = [["role:rep", "garden.plant#code", "read", "org", "deny"]];
    let upsert =
        |value: &str| json!({ "op": "upsert", "by": "code", "value": value, "fields": { "name": "Oak" } });
    world.rule(&open);
    let ann = world.person("Ann", "rep", None);
    let known = world.desk(ann.clone()).bulk("plant", each(&[upsert("A1")])).unwrap();
    assert_eq!(told(&known), ["200"], "nothing is withheld yet");
    world.rule(&[&open[..], &withheld[..]].concat());
    let before = plants(&world);
    for value in ["A1", "B2"] {
        let blind = world.desk(ann.clone()).bulk("plant", each(&[upsert(value)]));
        let blind = blind.map(|answer| told(&answer));
        assert!(
            matches!(&blind, Err(RecordError::FieldNotReadable { .. }))
                || blind.as_ref().is_ok_and(|rows| rows[0].starts_with("400")),
            "{value}: {blind:?}"
        );
    }
    assert_eq!(plants(&world), before);
}
