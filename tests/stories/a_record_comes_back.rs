//! What was deleted lies in the recycle bin: it is shown there, comes back with all that went along, or goes for good.

use serde_json::{Value, json};
use stoa_testkit::Host;
use stoa_tests::{count, id, text};

const ACCOUNTS: &str = "/api/v1/crm/accounts";
const CONTACTS: &str = "/api/v1/crm/contacts";

#[test]
fn a_deleted_account_comes_back_with_its_people() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let account = json!({"name": "Initech", "external_ids": {"erp": "7"}});
    let account = owner.post(ACCOUNTS, &account).created();
    let path = format!("{ACCOUNTS}/{}", id(&account));
    let bill = owner.post(CONTACTS, &json!({"last_name": "Lumbergh", "account": id(&account)})).created();
    let bill = format!("{CONTACTS}/{}", id(&bill));
    owner.delete(&path).success();
    owner.get(&path).problem(404, "record_not_found");
    assert_eq!(owner.get(&bill).ok()["account"], Value::Null);

    let page = owner.get(&format!("{ACCOUNTS}/deleted?limit=5")).ok();
    let shown = &page["data"][0];
    assert_eq!(
        (&shown["id"], &shown["name"], &page["next_cursor"]),
        (&account["id"], &json!("Initech"), &Value::Null)
    );
    assert!(text(shown, "deleted_at").ends_with('Z'));
    assert!(shown["deleted_by"].is_string() && shown["cohort"].is_string());
    assert!(owner.all(ACCOUNTS).is_empty());

    let back = owner.post(&format!("{path}/restore"), &json!({}));
    assert_eq!((&back.ok()["version"], back.etag()), (&json!(3), "\"3\"".to_owned()));
    assert_eq!(owner.get(&path).ok()["external_ids"], json!({"erp": "7"}));
    assert_eq!(owner.get(&bill).ok()["account"], account["id"]);
    assert!(owner.all(&format!("{ACCOUNTS}/deleted")).is_empty());
    owner.call("POST", &format!("{path}/restore")).send().problem(409, "not_deleted");
}

#[test]
fn what_took_its_place_meanwhile_is_told_and_can_be_settled() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let known = |name: &str| json!({"name": name, "external_ids": {"erp": "7"}});
    let old = owner.post(ACCOUNTS, &known("old")).created();
    let path = format!("{ACCOUNTS}/{}", id(&old));
    owner.delete(&path).success();
    owner.post(ACCOUNTS, &known("new")).created();
    let refused = owner.post(&format!("{path}/restore"), &json!({}));
    let problem = refused.problem(409, "restore_conflict");
    assert_eq!(refused.pointers(), [format!("/changes/{}/external_ids/erp", id(&old))]);
    let conflict = &problem["conflicts"][0];
    assert_eq!((&conflict["record"], &conflict["entity"]), (&old["id"], &json!("crm.account")));
    let settle = |fields: Value| json!({"changes": {(id(&old)): fields}});
    owner
        .post(&format!("{path}/restore"), &settle(json!({"version": 1, "colour": "x"})))
        .problem(422, "validation_failed");
    let settled = owner.post(&format!("{path}/restore"), &settle(json!({"external_ids": {"erp": "8"}}))).ok();
    assert_eq!(settled["external_ids"], json!({"erp": "8"}));
}

#[test]
fn a_record_does_not_come_back_to_what_is_gone_in_another_file() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let account = owner.post(ACCOUNTS, &json!({"name": "Initech"})).created();
    let account = format!("{ACCOUNTS}/{}", id(&account));
    let pipeline = owner.post("/api/v1/sales/pipelines", &json!({"name": "Direct"})).created();
    let stage = json!({"pipeline": id(&pipeline), "name": "Talk", "kind": "open", "position": 1, "probability": "50"});
    let stage = owner.post("/api/v1/sales/stages", &stage).created();
    let deal = json!({
        "name": "Desks", "pipeline": id(&pipeline), "stage": id(&stage), "account": text(&owner.get(&account).ok(), "id"),
    });
    let deal = owner.post("/api/v1/sales/opportunities", &deal).created();
    let path = format!("/api/v1/sales/opportunities/{}", id(&deal));
    owner.delete(&account).problem(409, "record_in_use");
    let history = || count(&owner, &format!("/api/v1/sales/stage-history?opportunity={}", id(&deal)));
    assert_eq!(history(), 1);
    owner.delete(&path).success();
    assert_eq!(history(), 0, "its history went along");
    owner.delete(&account).success();
    let refused = owner.post(&format!("{path}/restore"), &json!({}));
    refused.problem(409, "restore_conflict");
    assert_eq!(refused.pointers(), [format!("/changes/{}/account", id(&deal))]);
    // While something in a bin still names it, the account is not thrown away.
    owner.post(&format!("{account}/purge"), &json!({})).problem(409, "record_in_use");
    owner.post(&format!("{account}/restore"), &json!({})).ok();
    owner.post(&format!("{path}/restore"), &json!({})).ok();
    assert_eq!(history(), 1, "and came back");
}

#[test]
fn what_is_thrown_away_is_gone_and_only_from_the_bin() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let account = owner.post(ACCOUNTS, &json!({"name": "Initech"})).created();
    let path = format!("{ACCOUNTS}/{}", id(&account));
    owner.post(&format!("{path}/purge"), &json!({})).problem(409, "not_deleted");
    owner.delete(&path).success();
    let tried = owner.post(&format!("{path}/purge?dry_run=true"), &json!({})).ok();
    assert_eq!(
        (&tried["result"]["purged"], &tried["changes"][0]["operation"]),
        (&json!(1), &json!("purged"))
    );
    owner.post(&format!("{path}/purge"), &json!({"force": true})).problem(422, "validation_failed");
    assert_eq!(owner.post(&format!("{path}/purge"), &json!({})).ok(), json!({"purged": 1}));
    owner.post(&format!("{path}/restore"), &json!({})).problem(404, "record_not_found");
    assert!(owner.all(&format!("{ACCOUNTS}/deleted")).is_empty());
}

#[test]
fn the_bin_is_no_way_around_the_policy() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let account = owner.post(ACCOUNTS, &json!({"name": "Initech"})).created();
    let path = format!("{ACCOUNTS}/{}", id(&account));
    owner.delete(&path).success();
    let reader = acme.key("readonly");
    reader.get(&format!("{ACCOUNTS}/deleted")).problem(403, "forbidden");
    reader.post(&format!("{path}/restore"), &json!({})).problem(403, "forbidden");
    reader.post(&format!("{path}/purge"), &json!({})).problem(403, "forbidden");
    let stranger = host.organization("globex", &["sales"]);
    stranger.owner().post(&format!("{path}/restore"), &json!({})).problem(404, "record_not_found");
    for query in ["limit=0", "limit=201", "cursor=x", "name=Initech", "limit=1&limit=2"] {
        owner.get(&format!("{ACCOUNTS}/deleted?{query}")).expect(400);
    }
    owner.get(&format!("{path}/restore")).problem(405, "method_not_allowed");
    owner.post(&format!("{ACCOUNTS}/deleted"), &json!({})).problem(405, "method_not_allowed");
    for body in [
        json!({"only_this": 1}),
        json!({"changes": []}),
        json!({"changes": {"x": {}}}),
        json!({"changes": {(id(&account)): 1}}),
        json!({"all": true}),
    ] {
        owner.post(&format!("{path}/restore"), &body).problem(422, "validation_failed");
    }
}
