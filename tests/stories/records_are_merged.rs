//! Two companies turn out to be one. What named either, in whatever module, names the one that stays; and when that was a
//! mistake, everything is as it was.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use stoa_testkit::{Client, Host, wait_for};
use stoa_tests::{id, text};

const ACCOUNTS: &str = "/api/v1/crm/accounts";
const CONTACTS: &str = "/api/v1/crm/contacts";
const DEALS: &str = "/api/v1/sales/opportunities";
const MERGE: &str = "/api/v1/crm/accounts/merge";

fn made(client: &Client, path: &str, body: &Value) -> String {
    id(&client.post(path, body).created()).to_owned()
}

/// The names of the records of a list, in alphabetical order.
fn names(client: &Client, path: &str) -> Vec<String> {
    let mut names: Vec<String> =
        client.all(path).iter().map(|record| text(record, "name").to_owned()).collect();
    names.sort();
    names
}

/// What a merge must not lose: a record without its version and who changed it last.
fn lasting(client: &Client, path: &str) -> Value {
    let mut record = client.get(path).ok();
    for passing in ["version", "updated_at", "updated_by"] {
        record.as_object_mut().unwrap().remove(passing);
    }
    record
}

#[test]
fn two_accounts_become_one_and_two_again() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let first = made(&owner, ACCOUNTS, &json!({"name": "Initech", "external_ids": {"erp": "1"}}));
    let second = made(
        &owner,
        ACCOUNTS,
        &json!({"name": "Initech Inc.", "industry": "software", "external_ids": {"erp": "2", "web": "w"}}),
    );
    let person = made(&owner, CONTACTS, &json!({"last_name": "Lumbergh", "account": second}));
    let deal = made(&owner, DEALS, &json!({"name": "Printers", "account": second}));
    made(&owner, DEALS, &json!({"name": "Staplers", "account": first}));
    let (one, other) = (format!("{ACCOUNTS}/{first}"), format!("{ACCOUNTS}/{second}"));
    let paths = [one.clone(), other.clone(), format!("{CONTACTS}/{person}"), format!("{DEALS}/{deal}")];
    let before: Vec<Value> = paths.iter().map(|path| lasting(&owner, path)).collect();

    let body = json!({"survivor_id": first, "loser_ids": [second]});
    let tried = owner.post(&format!("{MERGE}?dry_run=true"), &body).ok();
    assert_eq!(paths.iter().map(|path| lasting(&owner, path)).collect::<Vec<_>>(), before);
    let done = owner.post(MERGE, &body).ok();
    let result = &tried["result"];
    assert_eq!((&result["moved"], &result["fields"]), (&done["moved"], &done["fields"]));
    assert_eq!(tried["changes"][0]["operation"], "deleted", "{tried}");
    assert_eq!(done["merge"]["state"], "done");
    assert_eq!(
        (&done["record"]["name"], &done["record"]["industry"]),
        (&json!("Initech"), &json!("software"))
    );
    assert_eq!(done["record"]["external_ids"], json!({"erp": "1", "web": "w"}));

    assert_eq!(names(&owner, &format!("{DEALS}?account={first}")), ["Printers", "Staplers"]);
    assert!(names(&owner, &format!("{DEALS}?account={second}")).is_empty());
    assert_eq!(owner.get(&paths[2]).ok()["account"], json!(first));
    assert_eq!(names(&owner, ACCOUNTS), ["Initech"]);

    let merge = format!("/api/v1/merges/{}", text(&done["merge"], "id"));
    let logged = owner.get(&merge).ok();
    assert_eq!(logged["before"][&second]["name"], "Initech Inc.");
    assert_eq!(owner.get(&format!("/api/v1/merges?record={second}")).ok()["data"], json!([done["merge"]]));

    let undone = owner.post(&format!("{merge}/undo"), &json!({})).ok();
    assert_eq!((&undone["merge"]["state"], &undone["refused_count"]), (&json!("undone"), &json!(0)));
    assert_eq!(paths.iter().map(|path| lasting(&owner, path)).collect::<Vec<_>>(), before);
    owner.post(&format!("{merge}/undo"), &json!({})).problem(409, "merge_undone");
}

#[test]
fn whoever_asks_for_a_merged_record_is_told_where_it_went() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let [first, second, third] = ["A", "B", "C"].map(|name| made(&owner, ACCOUNTS, &json!({"name": name})));
    let merge = |survivor: &str, loser: &str| {
        owner.post(MERGE, &json!({"survivor_id": survivor, "loser_ids": [loser]})).ok()
    };
    merge(&first, &second);
    let gone = format!("{ACCOUNTS}/{second}");
    let moved = owner.get(&gone);
    assert_eq!(moved.problem(301, "merged")["into"], json!(first));
    assert!(moved.header("location").unwrap().ends_with(&format!("/t/acme{ACCOUNTS}/{first}")));
    merge(&third, &first);
    let moved = owner.get(&format!("{gone}?fields=name"));
    assert_eq!(moved.problem(301, "merged")["into"], json!(third));
    assert!(moved.header("location").unwrap().ends_with(&format!("{ACCOUNTS}/{third}?fields=name")));
    assert_eq!(owner.patch(&gone, &json!({"name": "x"})).problem(409, "merged")["into"], json!(third));
    owner.delete(&gone).problem(409, "merged");
    let refused = owner.post(CONTACTS, &json!({"last_name": "x", "account": second}));
    refused.problem(422, "validation_failed");
    assert!(
        refused.text().contains("reference_merged") && refused.text().contains(&third),
        "{}",
        refused.text()
    );
    owner.post(DEALS, &json!({"name": "x", "account": second})).problem(422, "validation_failed");
    owner.get(&format!("{ACCOUNTS}/00000000-0000-7000-8000-000000000000")).problem(404, "record_not_found");
    acme.anonymous().get(&gone).expect(401);
}

#[test]
fn a_merge_that_makes_no_sense_is_refused_with_what_to_do() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let first = made(&owner, ACCOUNTS, &json!({"name": "A"}));
    let second = made(&owner, ACCOUNTS, &json!({"name": "B"}));
    let nobody = "00000000-0000-7000-8000-000000000000";
    for (body, status, pointers) in [
        (json!({}), 422, vec!["/loser_ids", "/survivor_id"]),
        (json!({"survivor_id": "x", "loser_ids": "y"}), 422, vec!["/loser_ids", "/survivor_id"]),
        (json!({"survivor_id": first, "loser_ids": [7]}), 422, vec!["/loser_ids/0"]),
        (json!({"survivor_id": first, "loser_ids": []}), 422, vec!["/loser_ids"]),
        (json!({"survivor_id": first, "loser_ids": [first]}), 422, vec!["/loser_ids/0"]),
        (json!({"survivor_id": first, "loser_ids": [second, second]}), 422, vec!["/loser_ids/1"]),
        (json!({"survivor_id": first, "loser_ids": [nobody]}), 404, vec!["/loser_ids/0"]),
        (json!({"survivor_id": first, "loser_ids": [second], "dry_run": true}), 422, vec!["/dry_run"]),
        (json!({"survivor_id": first, "loser_ids": [second], "choices": []}), 422, vec!["/choices"]),
        (
            json!({"survivor_id": first, "loser_ids": [second], "choices": {"name": {"value": ""}, "x": second}}),
            422,
            vec!["/choices/name/value", "/choices/x"],
        ),
        (
            json!({"survivor_id": first, "loser_ids": [second], "versions": {nobody: 1}}),
            422,
            vec![&*format!("/versions/{nobody}")],
        ),
    ] {
        let answer = owner.post(MERGE, &body);
        answer.expect(status);
        let mut found = answer.pointers();
        found.sort();
        assert_eq!(found, pointers, "{body}");
    }
    let body = json!({"survivor_id": first, "loser_ids": [second]});
    owner.call("POST", MERGE).header("If-Match", "\"9\"").json(&body).send().problem(412, "version_conflict");
    owner.get(MERGE).problem(405, "method_not_allowed");
    owner.post(&format!("{MERGE}?x=1"), &body).problem(400, "unknown_parameter");
    acme.key("readonly").post(MERGE, &body).problem(403, "forbidden");
    owner.get("/api/v1/merges?entity=crm.nothing").problem(400, "unknown_entity");
    owner.get("/api/v1/merges?record=x").problem(400, "invalid_parameter");
    owner.get(&format!("/api/v1/merges/{nobody}")).problem(404, "merge_not_found");
    owner.post(&format!("/api/v1/merges/{nobody}/undo"), &json!({})).problem(404, "merge_not_found");
    assert_eq!(names(&owner, ACCOUNTS), ["A", "B"]);
}

#[test]
fn a_merge_that_was_killed_is_whole_or_absent() {
    let mut host = Host::start();
    let (token, first, second) = {
        let acme = host.organization("acme", &["sales"]);
        let owner = acme.owner();
        let first = made(&owner, ACCOUNTS, &json!({"name": "A"}));
        let second = made(&owner, ACCOUNTS, &json!({"name": "B"}));
        for deal in 0..300 {
            made(&owner, DEALS, &json!({"name": format!("Deal {deal}"), "account": second}));
        }
        (acme.api_key().to_owned(), first, second)
    };
    let caller = |host: &Host| Client::new(host.address(), "/t/acme", Some(&token));
    let (client, watcher) = (caller(&host), caller(&host));
    let body = json!({"survivor_id": first, "loser_ids": [second]});
    thread::scope(|scope| {
        // Whether an answer comes depends on the moment of the kill.
        let merging = scope.spawn(|| client.call("POST", MERGE).json(&body).attempt().is_ok());
        wait_for("the merge in the log", Duration::from_secs(60), || {
            let merges = watcher.get("/api/v1/merges").ok();
            merges["data"].as_array().is_some_and(|data| !data.is_empty()).then_some(())
        });
        host.kill9();
        merging.join().unwrap();
    });
    host.restart();
    let client = caller(&host);
    assert_eq!(names(&client, &format!("{DEALS}?account={first}")).len(), 300);
    let merges = client.get("/api/v1/merges").ok();
    assert_eq!(merges["data"][0]["state"], "done");
    client.post(&format!("/api/v1/merges/{}/undo", text(&merges["data"][0], "id")), &json!({})).ok();
    assert_eq!(names(&client, &format!("{DEALS}?account={second}")).len(), 300);
}
