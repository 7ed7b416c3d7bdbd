//! A schema that cannot be is refused, with every place that is wrong; and so is who may not shape one, or comes too late.

use serde_json::{Value, json};
use stoa_testkit::{Answer, Client, Host};
use stoa_tests::{id, text};

const ACCOUNTS: &str = "/api/v1/crm/accounts";
const DRAFT: &str = "/api/v1/configuration/draft";

#[track_caller]
fn put(owner: &Client, document: &Value) -> Answer {
    owner.call("PUT", DRAFT).header("If-Match", "*").json(document).send()
}

fn codes(check: &Value) -> Vec<String> {
    let faults = check["errors"].as_array().unwrap().iter();
    faults.map(|fault| format!("{} {}", text(fault, "pointer"), text(fault, "code"))).collect()
}

#[test]
fn two_who_shape_at_once_hear_of_each_other() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let field = |key: &str| json!({"key": key, "type": "text"});
    let fields = format!("{DRAFT}/entities/crm.account/fields");
    let tag = owner.post(&fields, &field("c_a")).etag();
    owner.call("POST", &fields).header("If-Match", &tag).json(&field("c_b")).send().ok();
    owner
        .call("POST", &fields)
        .header("If-Match", &tag)
        .json(&field("c_c"))
        .send()
        .problem(412, "version_conflict");
    owner.call("PUT", DRAFT).json(&json!({})).send().problem(428, "precondition_required");
    owner
        .call("PUT", DRAFT)
        .header("If-Match", &tag)
        .json(&json!({}))
        .send()
        .problem(412, "version_conflict");

    let tag = owner.get(DRAFT).etag();
    let racing = || {
        let body = json!({"note": "race"});
        owner
            .call("POST", "/api/v1/configuration/publish")
            .header("If-Match", &tag)
            .json(&body)
            .send()
            .status()
    };
    let mut statuses = std::thread::scope(|scope| {
        let publishers: Vec<_> = (0..2).map(|_| scope.spawn(racing)).collect();
        publishers.into_iter().map(|publisher| publisher.join().unwrap()).collect::<Vec<_>>()
    });
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 412], "one publishes, the other one looks again");
    assert_eq!(owner.get("/api/v1/configuration").ok()["version"], 1);
}

#[test]
fn who_may_not_shape_may_look() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    for role in ["manager", "rep", "readonly"] {
        let caller = acme.key(role);
        caller.get("/api/v1/configuration").ok();
        caller.get("/api/v1/configuration/versions").ok();
        caller.get(DRAFT).problem(403, "forbidden");
        caller
            .post(&format!("{DRAFT}/objects"), &json!({"key": "x", "plural": "xs", "label": "X"}))
            .problem(403, "forbidden");
        caller.post(&format!("{DRAFT}/check"), &json!({})).problem(403, "forbidden");
        caller.post("/api/v1/configuration/publish", &json!({})).problem(403, "forbidden");
        caller.post("/api/v1/configuration/versions/1/rollback", &json!({})).problem(403, "forbidden");
    }
    acme.anonymous().get("/api/v1/configuration").problem(401, "invalid_token");
}

#[test]
fn bad_documents_are_refused_with_every_place() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    for (object, pointer) in [
        (json!({"key": "drop table account", "plural": "xs", "label": "X"}), "/key"),
        (json!({"key": "x\"; --", "plural": "xs", "label": "X"}), "/key"),
        (json!({"key": "_stoa_changes", "plural": "xs", "label": "X"}), "/key"),
        (json!({"key": "x", "plural": "X s", "label": "X"}), "/plural"),
        (json!({"key": "x", "plural": "xs", "label": "x".repeat(10_000)}), "/label"),
        (json!({"key": "x", "plural": "xs", "label": "X", "colour": "red"}), "/colour"),
        (json!({"key": "x", "plural": "xs"}), "/label"),
    ] {
        let refused = owner.post(&format!("{DRAFT}/objects"), &object);
        refused.problem(422, "validation_failed");
        assert_eq!(refused.pointers(), [pointer], "{object}");
    }
    owner
        .call("PUT", DRAFT)
        .header("If-Match", "*")
        .body(b"{\"objects\":")
        .header("Content-Type", "application/json")
        .send()
        .problem(400, "malformed_json");
    put(&owner, &json!({"objects": 7, "entities": [], "x": 1})).problem(422, "validation_failed");

    let document = json!({
        "entities": {
            "crm.account": {"fields": [{"key": "tier", "type": "text"}, {"key": "c_ref", "type": "reference", "references": "sales.opportunity"}],
                "rules": [{"key": "r", "condition": {"field": "nothing", "value": "1"}, "message": "m"}]},
            "sales.opportunity": {"fields": [{"key": "c_x", "type": "text"}]},
        },
        "objects": [
            {"key": "sqlite_master", "plural": "xs", "label": "X"},
            {"key": "visible_x", "plural": "reports", "label": "X"},
        ],
    });
    put(&owner, &document).ok();
    let check = owner.post(&format!("{DRAFT}/check"), &json!({})).ok();
    let mut found = codes(&check);
    found.sort();
    let expected = [
        "/entities/crm.account/fields/0/key invalid_key",
        "/entities/crm.account/fields/1/references unknown_entity",
        "/entities/crm.account/rules/0/condition unknown_field",
        "/entities/sales.opportunity unknown_entity",
        "/objects/0/key invalid_key",
        "/objects/1/key invalid_key",
        "/objects/1/plural duplicate_key",
    ];
    assert_eq!((&check["publishable"], found), (&json!(false), expected.map(str::to_owned).to_vec()));
    let refused = owner.post("/api/v1/configuration/publish", &json!({}));
    refused.problem(422, "validation_failed");
    assert_eq!(refused.pointers().len(), expected.len());
    assert_eq!(owner.get("/api/v1/configuration").ok()["version"], 0);
    // Nothing of it happened.
    owner.post(ACCOUNTS, &json!({"name": "Initech"})).created();
    owner.delete(DRAFT).ok();
    owner.post("/api/v1/configuration/publish", &json!({})).problem(409, "nothing_to_publish");
}

#[test]
fn values_that_are_not_unique_keep_a_field_from_becoming_so() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    owner
        .post(&format!("{DRAFT}/entities/crm.account/fields"), &json!({"key": "c_code", "type": "text"}))
        .ok();
    owner.post("/api/v1/configuration/publish", &json!({})).created();
    for name in ["a", "b", "c"] {
        owner.post(ACCOUNTS, &json!({"name": name, "c_code": "same"})).created();
    }
    owner.patch(&format!("{DRAFT}/entities/crm.account/fields/c_code"), &json!({"unique": true})).ok();
    let check = owner.post(&format!("{DRAFT}/check"), &json!({})).ok();
    let impact = &check["impact"][0];
    assert_eq!(
        (&impact["code"], &impact["count"], &impact["blocks"]),
        (&json!("unique"), &json!(3), &json!(true))
    );
    let refused = owner.post("/api/v1/configuration/publish", &json!({})).problem(409, "values_not_unique");
    assert_eq!(refused["impact"][0]["ids"].as_array().map(Vec::len), Some(3), "{refused}");
    assert_eq!(owner.get("/api/v1/configuration").ok()["version"], 1);
    for account in owner.all(ACCOUNTS).iter().skip(1) {
        owner.patch(&format!("{ACCOUNTS}/{}", id(account)), &json!({"c_code": id(account)})).ok();
    }
    owner.post("/api/v1/configuration/publish", &json!({})).created();
    owner.post(ACCOUNTS, &json!({"name": "d", "c_code": "same"})).problem(422, "validation_failed");
}
