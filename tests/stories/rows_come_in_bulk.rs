//! Many rows in one request: all or nothing, or every row for itself; and what strangers may try with it.

use std::time::Instant;

use serde_json::{Value, json};
use stoa_testkit::Host;
use stoa_tests::{count, id};

const BULK: &str = "/api/v1/crm/accounts/bulk";
const ACCOUNTS: &str = "/api/v1/crm/accounts";

fn create(name: &str) -> Value {
    json!({"op": "create", "fields": {"name": name}})
}

/// A row as a real client sends it: about 700 bytes.
fn realistic(at: usize) -> Value {
    json!({"op": "create", "fields": {
        "name": format!("Company {at}"), "legal_name": format!("Company {at} Incorporated"), "industry": "software",
        "website": format!("https://company-{at}.example.com"), "country": "Austria", "year_founded": 1990,
        "employees": at, "revenue": {"amount": "1000000.00", "currency": "EUR"},
        "description": "What they do. ".repeat(30), "external_ids": {"old": at.to_string()},
    }})
}

#[test]
fn a_thousand_rows_are_one_transaction() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let operations: Vec<Value> = (0..1_000).map(realistic).collect();
    let started = Instant::now();
    let answer = owner.post(BULK, &json!({"atomic": true, "operations": operations})).ok();
    println!("1,000 creates with hooks: {:?}", started.elapsed());
    let counts = ["created", "updated", "deleted", "failed"].map(|key| answer[key].as_u64().unwrap());
    assert_eq!(counts, [1_000, 0, 0, 0]);
    assert_eq!(count(&owner, ACCOUNTS), 1_000);

    // The same again by what the rows are known by: nothing new.
    let operations: Vec<Value> = (0..1_000)
        .map(|at| {
            json!({"op": "upsert", "by": "external_id:old", "value": at.to_string(), "fields": {"employees": at + 1}})
        })
        .collect();
    let answer = owner.post(BULK, &json!({"atomic": true, "operations": operations})).ok();
    assert_eq!((&answer["updated"], &answer["results"][7]["version"]), (&json!(1_000), &json!(2)));
    let operations: Vec<Value> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| json!({"op": "delete", "id": row["id"]}))
        .collect();
    let answer = owner.post(BULK, &json!({"operations": operations})).ok();
    assert_eq!((&answer["deleted"], &answer["results"][0]["status"]), (&json!(1_000), &json!(204)));
    assert_eq!(count(&owner, ACCOUNTS), 0);
}

#[test]
fn one_bad_row_costs_itself_or_everything() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let parent = owner.post(ACCOUNTS, &json!({"name": "Initech"})).created();
    let operations = json!([
        create("Globex"),
        {"op": "create", "fields": {"name": "", "industry": "magic"}},
        {"op": "update", "id": id(&parent), "fields": {"parent": id(&parent)}},
        {"op": "update", "id": id(&parent), "version": 9, "fields": {"name": "x"}},
    ]);
    let refused = owner.post(BULK, &json!({"atomic": true, "operations": operations}));
    refused.problem(422, "validation_failed");
    let expected = [
        "/operations/1/fields/industry",
        "/operations/1/fields/name",
        "/operations/2/fields/parent",
        "/operations/3/version",
    ];
    assert_eq!(refused.pointers(), expected);
    assert_eq!(count(&owner, ACCOUNTS), 1);

    let answer = owner.post(BULK, &json!({"atomic": false, "operations": operations})).ok();
    let statuses: Vec<u64> =
        answer["results"].as_array().unwrap().iter().map(|row| row["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 422, 422, 412], "{answer}");
    let wrong = &answer["results"][1]["errors"][0];
    assert!(
        wrong["pointer"].as_str().unwrap().starts_with("/operations/1/fields/")
            && wrong["detail"].is_string()
    );
    assert_eq!(count(&owner, ACCOUNTS), 2);
    assert_eq!(owner.get(&format!("{ACCOUNTS}/{}", id(&parent))).ok()["version"], 1);
}

#[test]
fn a_bulk_is_tried_and_done_once_like_any_request() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let body = json!({"atomic": true, "operations": [create("Globex"), create("Initech")]});
    let tried = owner.post(&format!("{BULK}?dry_run=true"), &body).ok();
    assert_eq!((&tried["result"]["created"], tried["changes"].as_array().unwrap().len()), (&json!(2), 2));
    assert_eq!(count(&owner, ACCOUNTS), 0);
    let first = owner.post_once(BULK, "k1", &body);
    let second = owner.post_once(BULK, "k1", &body);
    assert_eq!(first.ok(), second.ok());
    assert_eq!(
        (first.header("idempotent-replayed"), second.header("idempotent-replayed")),
        (None, Some("true"))
    );
    assert_eq!(count(&owner, ACCOUNTS), 2);
}

#[test]
fn what_is_too_many_too_big_or_of_no_such_shape_is_refused_as_a_whole() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let many: Vec<Value> = (0..1_001).map(|_| create("x")).collect();
    owner.post(BULK, &json!({"operations": many})).problem(422, "validation_failed");
    let long = "x".repeat(9 * 1024 * 1024);
    owner.post(BULK, &json!({"operations": [create(&long)]})).problem(413, "body_too_large");
    owner.post(ACCOUNTS, &json!({"name": "x".repeat(2 * 1024 * 1024)})).problem(413, "body_too_large");
    for body in [
        json!({}),
        json!({"operations": "all"}),
        json!({"operations": [], "atomic": 1}),
        json!({"operations": [], "where": {}}),
    ] {
        owner.post(BULK, &body).problem(422, "validation_failed");
    }
    owner.raw(BULK, "application/json", b"[]").problem(400, "malformed_json");
    owner.raw(BULK, "text/csv", b"name\nx").expect(415);
    let twice = br#"{"operations":[{"op":"create","fields":{"name":"a","name":"b"}}]}"#;
    owner.raw(BULK, "application/json", twice).problem(422, "validation_failed");
    let deep = format!("{{\"operations\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    owner.raw(BULK, "application/json", deep.as_bytes()).problem(400, "malformed_json");
    owner.get(BULK).problem(405, "method_not_allowed");
    owner.post(&format!("{BULK}?force=true"), &json!({"operations": []})).problem(400, "unknown_parameter");
    acme.anonymous().post(BULK, &json!({"operations": []})).problem(401, "invalid_token");
}

#[test]
fn what_strangers_try_is_refused_row_by_row() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let mine = owner.post(ACCOUNTS, &json!({"name": "Initech"})).created();
    let globex = host.organization("globex", &["sales"]);
    let theirs = globex.owner().post(ACCOUNTS, &json!({"name": "Globex"})).created();

    // What the host decides, what is somebody else's, what is none.
    let fields = json!({
        "name": "x", "id": id(&mine), "version": 7, "created_by": id(&mine), "updated_at": "2020-01-01T00:00:00Z",
        "deleted_at": null, "source": "import", "_row": 1, "tenant_id": "globex", "is_admin": true,
    });
    let long = "k".repeat(300);
    let operations = json!([
        {"op": "create", "fields": fields},
        {"op": "update", "id": id(&theirs), "fields": {"name": "stolen"}},
        {"op": "delete", "id": id(&theirs)},
        {"op": "update", "id": "1 or 1=1", "fields": {}},
        {"op": "create", "fields": {"name": "x", "external_ids": {(long.as_str()): "1"}}},
        {"op": "create", "fields": {"name": "x", (long.as_str()): "1"}},
        {"op": "create", "fields": {"name": ["x"]}},
        {"op": "update", "id": id(&mine), "version": -1, "fields": {}},
        {"op": "merge", "id": id(&mine)},
        {"op": "delete", "id": id(&mine), "cascade": true},
        {"op": "upsert", "by": "external_id:old", "value": 7, "fields": {"name": "x"}},
        {"op": "upsert", "by": "id", "value": id(&theirs), "fields": {"name": "x"}},
    ]);
    let answer = owner.post(BULK, &json!({"atomic": false, "operations": operations})).ok();
    assert_eq!(
        (&answer["failed"], &answer["created"], &answer["updated"]),
        (&json!(12), &json!(0), &json!(0))
    );
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results[0]["errors"].as_array().unwrap().len(), 9, "{}", results[0]);
    assert_eq!((&results[1]["status"], &results[2]["status"]), (&json!(404), &json!(404)));
    assert!(results.iter().skip(3).all(|row| row["status"] == 422), "{answer}");
    assert_eq!(count(&owner, ACCOUNTS), 1);
    assert_eq!(globex.owner().get(&format!("{ACCOUNTS}/{}", id(&theirs))).ok()["name"], "Globex");

    // Who may only read, may do nothing in bulk either; and what is not offered for one is not offered for many.
    let reader = acme.key("readonly");
    let answer = reader.post(BULK, &json!({"atomic": false, "operations": [create("x")]})).ok();
    assert_eq!(answer["results"][0]["status"], 403, "{answer}");
    owner.post("/api/v1/sales/stage-history/bulk", &json!({"operations": []})).problem(404, "not_found");
    assert_eq!(count(&owner, ACCOUNTS), 1);
}
