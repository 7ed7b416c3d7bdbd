//! An organization arranges its own schema over REST: fields on the modules' entities, objects of its own, option sets,
//! rules. What it publishes is in force with the next request, and can be taken back.

use std::time::Duration;

use serde_json::{Value, json};
use stoa_testkit::{Answer, Client, Host};
use stoa_tests::{count, id};

const ACCOUNTS: &str = "/api/v1/crm/accounts";
const DRAFT: &str = "/api/v1/configuration/draft";

fn add(owner: &Client, path: &str, body: &Value) {
    owner.post(&format!("{DRAFT}/{path}"), body).ok();
}

#[track_caller]
fn publish(owner: &Client) -> Value {
    owner.post("/api/v1/configuration/publish", &json!({"note": "for the story"})).created()
}

#[track_caller]
fn put(owner: &Client, document: &Value) -> Answer {
    owner.call("PUT", DRAFT).header("If-Match", "*").json(document).send()
}

fn project() -> Value {
    json!({
        "key": "project", "plural": "projects", "label": "Project", "title": "name",
        "fields": [
            {"key": "number", "type": "auto_number", "format": "P-{0000}"},
            {"key": "name", "type": "text", "required": true, "searchable": 5},
            {"key": "account", "type": "reference", "references": "crm.account", "inverse": "projects"},
            {"key": "budget", "type": "money"},
            {"key": "phase", "type": "option", "options": [{"key": "plan", "label": "Plan"}, {"key": "build", "label": "Build"}], "default": "plan"},
        ],
        "grants": {"rep": {"actions": ["read", "create", "update"], "scope": "own"}},
    })
}

#[test]
fn a_custom_field_is_written_listed_filtered_and_sorted_at_once() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let old = owner.post(ACCOUNTS, &json!({"name": "Initech"})).created();
    assert_eq!(owner.get("/api/v1/configuration").ok()["version"], 0);

    add(
        &owner,
        "entities/crm.account/fields",
        &json!({"key": "c_tier", "type": "integer", "label": "Tier", "indexed": true, "min": 1, "max": 5}),
    );
    add(
        &owner,
        "entities/crm.account/fields",
        &json!({"key": "c_fee", "type": "decimal", "scale": 2, "help": "Per month."}),
    );
    owner.post(ACCOUNTS, &json!({"name": "Early", "c_tier": 1})).problem(422, "validation_failed");
    let check = owner.post(&format!("{DRAFT}/check"), &json!({})).ok();
    assert_eq!((&check["publishable"], &check["impact"]), (&json!(true), &json!([])), "{check}");
    assert_eq!(publish(&owner)["version"], 1);

    let path = format!("{ACCOUNTS}/{}", id(&old));
    assert_eq!(owner.get(&path).ok()["c_tier"], Value::Null);
    owner.patch(&path, &json!({"c_tier": 3, "c_fee": "12.50"})).ok();
    owner.post(ACCOUNTS, &json!({"name": "Hooli", "c_tier": 5})).created();
    owner.post(ACCOUNTS, &json!({"name": "Globex", "c_tier": 6})).problem(422, "validation_failed");
    assert_eq!(count(&owner, &format!("{ACCOUNTS}?c_tier[gte]=4")), 1);
    let sorted = owner.get(&format!("{ACCOUNTS}?sort=-c_tier&fields=name,c_tier")).ok();
    assert_eq!(sorted["data"][0]["name"], "Hooli");
    assert_eq!(owner.get(&path).ok()["c_fee"], "12.50");

    let spec = json!({
        "entity": "crm.account", "mode": "create", "external_id": {"source": "erp", "column": "no"},
        "mapping": {"name": {"column": "name"}, "c_tier": {"column": "tier"}},
    });
    let job = owner
        .finished(&owner.import(&spec, b"no,name,tier\n1,Umbrella,4\n2,Wonka,9\n"), Duration::from_secs(60));
    assert_eq!((&job["progress"]["done"], &job["progress"]["failed"]), (&json!(2), &json!(1)), "{job}");
    assert_eq!(count(&owner, &format!("{ACCOUNTS}?c_tier=4")), 1);

    let document = owner.get("/openapi.json").ok();
    assert!(document["components"]["schemas"].to_string().contains("\"c_tier\""), "not in the document");
}

#[test]
fn an_object_made_over_rest_has_everything_at_once() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let (owner, rep, other) = (acme.owner(), acme.key("rep"), acme.key("rep"));
    owner.get("/api/v1/custom/projects").problem(404, "not_found");
    add(&owner, "objects", &project());
    publish(&owner);

    let account = owner.post(ACCOUNTS, &json!({"name": "Initech"})).created();
    let body =
        json!({"name": "Roof", "account": id(&account), "budget": {"amount": "100.00", "currency": "EUR"}});
    let roof = owner.post("/api/v1/custom/projects", &body).created();
    assert_eq!((&roof["number"], &roof["phase"]), (&json!("P-0001"), &json!("plan")));
    let path = format!("/api/v1/custom/projects/{}", id(&roof));
    owner.patch(&path, &json!({"phase": "build"})).ok();
    owner.patch(&path, &json!({"phase": "paint"})).problem(422, "validation_failed");
    owner.post("/api/v1/custom/projects", &json!({})).problem(422, "validation_failed");
    assert_eq!(count(&owner, "/api/v1/custom/projects?phase=build&account.name=Initech"), 1);
    let page = owner.get("/api/v1/custom/projects?sort=-name&expand=account").ok();
    assert_eq!(page["data"][0]["account"]["name"], "Initech");
    // What points at a record of another module holds it.
    owner.delete(&format!("{ACCOUNTS}/{}", id(&account))).problem(409, "record_in_use");

    let history = owner.get(&format!("{path}/history")).ok();
    let logged = history["data"].to_string();
    assert!(logged.contains("\"build\"") && logged.contains("\"created\""), "{history}");

    // The grants of the document, and nobody else's rows.
    let own = rep.post("/api/v1/custom/projects", &json!({"name": "Mine"})).created();
    assert_eq!((count(&rep, "/api/v1/custom/projects"), count(&other, "/api/v1/custom/projects")), (1, 0));
    rep.get(&path).expect(404);
    let own = format!("/api/v1/custom/projects/{}", id(&own));
    other.get(&own).expect(404);
    rep.delete(&own).problem(403, "forbidden");
    acme.key("readonly").get("/api/v1/custom/projects").problem(403, "forbidden");

    let spec = json!({
        "entity": "custom.project", "mode": "create", "external_id": {"source": "erp", "column": "no"},
        "mapping": {"name": {"column": "name"}},
    });
    let job = owner.finished(&owner.import(&spec, b"no,name\n1,Cellar\n2,\n"), Duration::from_secs(60));
    assert_eq!((&job["progress"]["done"], &job["progress"]["failed"]), (&json!(2), &json!(1)), "{job}");
    assert_eq!(owner.get("/api/v1/custom/projects?name=Cellar").ok()["data"][0]["number"], "P-0003");

    let found = owner.get("/api/v1/custom/projects/search?q=roo").ok();
    assert_eq!(found["data"].as_array().map(Vec::len), Some(1), "{found}");
    let file = owner.get("/api/v1/custom/projects/export?format=csv&fields=number,name&sort=number").text();
    assert!(file.lines().any(|line| line.ends_with("P-0003,Cellar")), "{file}");
    let document = owner.get("/openapi.json").ok();
    let paths = document["paths"].as_object().unwrap();
    for path in ["/api/v1/custom/projects", "/api/v1/custom/projects/{id}"] {
        assert!(paths.contains_key(path), "{path} is not in the document");
    }
}

#[test]
fn a_rule_holds_in_rest_bulk_and_import() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let big = owner.post(ACCOUNTS, &json!({"name": "Old", "kind": "customer"})).created();
    add(
        &owner,
        "entities/crm.account/rules",
        &json!({
            "key": "country_of_customer", "message": "A customer has a country.", "field": "country",
            "condition": {"or": [{"field": "kind", "op": "ne", "value": "customer"}, {"field": "country", "op": "empty", "value": false}]},
        }),
    );
    owner
        .patch(
            &format!("{DRAFT}/entities/crm.account"),
            &json!({"required_when": {"industry": {"field": "kind", "value": "partner"}}}),
        )
        .ok();
    let check = owner.post(&format!("{DRAFT}/check"), &json!({})).ok();
    let impact = &check["impact"][0];
    assert_eq!(
        (&impact["code"], &impact["count"], &impact["ids"][0]),
        (&json!("rule"), &json!(1), &big["id"]),
        "{check}"
    );
    publish(&owner);

    let refused =
        owner.post(ACCOUNTS, &json!({"name": "New", "kind": "customer"})).problem(422, "validation_failed");
    let fault = &refused["errors"][0];
    assert_eq!(
        (&fault["pointer"], &fault["code"], &fault["detail"]),
        (&json!("/country"), &json!("rule_country_of_customer"), &json!("A customer has a country."))
    );
    let refused = owner.post(ACCOUNTS, &json!({"name": "New", "kind": "partner"}));
    assert_eq!(refused.pointers(), ["/industry"]);
    // What broke the rule before it was there stays, and is asked for when it is saved.
    owner
        .patch(&format!("{ACCOUNTS}/{}", id(&big)), &json!({"phone": "+1 2"}))
        .problem(422, "validation_failed");
    owner.patch(&format!("{ACCOUNTS}/{}", id(&big)), &json!({"country": "FR"})).ok();

    let bulk = json!({"atomic": false, "operations": [
        {"op": "create", "fields": {"name": "A", "kind": "customer"}},
        {"op": "create", "fields": {"name": "B", "kind": "customer", "country": "IT"}},
    ]});
    let done = owner.post(&format!("{ACCOUNTS}/bulk"), &bulk).json();
    assert_eq!((&done["created"], &done["failed"]), (&json!(1), &json!(1)), "{done}");
    assert!(done.to_string().contains("rule_country_of_customer"), "{done}");

    let spec = json!({
        "entity": "crm.account", "mode": "create", "external_id": {"source": "erp", "column": "no"},
        "mapping": {"name": {"column": "name"}, "kind": {"column": "kind"}, "country": {"column": "country"}},
    });
    let job = owner.import(&spec, b"no,name,kind,country\n1,C,customer,ES\n2,D,customer,\n");
    let job = owner.finished(&job, Duration::from_secs(60));
    assert_eq!(job["progress"]["failed"], 1, "{job}");
    assert_eq!(count(&owner, ACCOUNTS), 3);
}

#[test]
fn an_option_is_renamed_archived_and_replaced() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let options = json!([{"key": "a", "label": "A"}, {"key": "b", "label": "B"}]);
    add(&owner, "option-sets", &json!({"key": "class", "label": "Class", "options": options}));
    add(
        &owner,
        "entities/crm.account/fields",
        &json!({"key": "c_class", "type": "option", "option_set": "class"}),
    );
    publish(&owner);
    let account = owner.post(ACCOUNTS, &json!({"name": "Initech", "c_class": "a"})).created();
    let path = format!("{ACCOUNTS}/{}", id(&account));

    let set = format!("{DRAFT}/option-sets/class");
    owner.patch(&set, &json!({"options": [{"key": "a", "label": "Alpha"}, {"key": "c", "label": "C"}]})).ok();
    owner.post(&format!("{set}/replace"), &json!({"from": "a", "to": "x"})).problem(422, "validation_failed");
    let draft = owner.post(&format!("{set}/replace"), &json!({"from": "a", "to": "c"})).ok();
    assert_eq!(
        draft["document"]["option_sets"][0]["options"][0],
        json!({"key": "a", "label": "Alpha", "archived": true})
    );
    let check = owner.post(&format!("{DRAFT}/check"), &json!({})).ok();
    let replaced =
        check["impact"].as_array().unwrap().iter().find(|impact| impact["code"] == "option_replaced");
    assert_eq!(replaced.map(|impact| &impact["count"]), Some(&json!(1)), "{check}");
    publish(&owner);
    let changed = owner.get(&path).ok();
    assert_eq!((&changed["c_class"], &changed["version"]), (&json!("c"), &json!(2)));
    let history = owner.get(&format!("{path}/history")).ok();
    assert!(history["data"][0].to_string().contains("c_class"), "{history}");
    owner.patch(&path, &json!({"c_class": "a"})).problem(422, "validation_failed");
    // An option never disappears from the document.
    let mut document = owner.get("/api/v1/configuration").ok()["document"].clone();
    document["option_sets"][0]["options"].as_array_mut().unwrap().remove(0);
    put(&owner, &document).ok();
    owner.post("/api/v1/configuration/publish", &json!({})).problem(422, "validation_failed");
}

#[test]
fn what_was_published_can_be_taken_back() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    add(&owner, "entities/crm.account/fields", &json!({"key": "c_a", "type": "text"}));
    publish(&owner);
    add(&owner, "objects", &project());
    owner.delete(&format!("{DRAFT}/entities/crm.account/fields/c_a")).ok();
    publish(&owner);
    owner.post(ACCOUNTS, &json!({"name": "x", "c_a": "1"})).problem(422, "validation_failed");
    let roof = owner.post("/api/v1/custom/projects", &json!({"name": "Roof"})).created();

    let back =
        owner.post("/api/v1/configuration/versions/1/rollback", &json!({"note": "too early"})).created();
    assert_eq!((&back["version"], &back["rolled_back_from"]), (&json!(3), &json!(1)));
    owner.post(ACCOUNTS, &json!({"name": "x", "c_a": "1"})).created();
    owner.get("/api/v1/custom/projects").problem(404, "not_found");
    let versions = owner.get("/api/v1/configuration/versions").ok();
    let numbers: Vec<_> =
        versions["data"].as_array().unwrap().iter().map(|version| &version["version"]).collect();
    assert_eq!(numbers, [3, 2, 1]);
    assert_eq!(owner.get("/api/v1/configuration/versions/1").ok()["document"]["objects"], json!([]));
    owner.get("/api/v1/configuration/versions/9").problem(404, "configuration_not_found");

    owner.patch(&format!("{DRAFT}/objects/project"), &json!({"archived": false})).ok();
    publish(&owner);
    assert_eq!(owner.get(&format!("/api/v1/custom/projects/{}", id(&roof))).ok()["name"], "Roof");
}

#[test]
fn what_was_published_survives_a_restart() {
    let mut host = Host::start();
    let (key, path) = {
        let acme = host.organization("acme", &["sales"]);
        let owner = acme.owner();
        add(&owner, "objects", &project());
        publish(&owner);
        let roof = owner.post("/api/v1/custom/projects", &json!({"name": "Roof"})).created();
        (acme.api_key().to_owned(), format!("/t/acme/api/v1/custom/projects/{}", id(&roof)))
    };
    host.kill9();
    host.restart();
    assert_eq!(host.bare().with_token(&key).get(&path).ok()["number"], "P-0001");
}
