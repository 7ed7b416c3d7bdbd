//! The whole extract comes in twice and is undone twice: 8,800 again, then as before, then nothing.

use serde_json::{Value, json};
use stoa_testkit::{Client, Host};
use stoa_tests::tutorial::{self, LIMIT};
use stoa_tests::{Extract, count, id};

const OPPORTUNITIES: &str = "/api/v1/sales/opportunities";
const HISTORY: &str = "/api/v1/sales/stage-history";

/// Imports with upsert; the job's id.
fn upsert(owner: &Client, spec: &Value, file: &[u8]) -> String {
    let mut spec = spec.clone();
    spec["mode"] = json!("upsert");
    let job = owner.finished(&owner.import(&spec, file), LIMIT);
    assert_eq!((&job["state"], &job["progress"]["failed"]), (&json!("succeeded"), &json!(0)), "{job}");
    id(&job).to_owned()
}

fn undo(owner: &Client, job: &str, query: &str) -> Value {
    let undo = owner.call("POST", &format!("/api/v1/imports/{job}/undo{query}")).send().accepted();
    let undo = owner.finished(&format!("/api/v1/jobs/{}", id(&undo)), LIMIT);
    assert_eq!(undo["state"], "succeeded", "{undo}");
    undo["result"].clone()
}

/// Everything that people see of the records, but for what every change changes.
fn seen(owner: &Client) -> String {
    let fields = "id,external_ids,name,owner_id,account,product,stage,amount,opened_on,closed_on,created_at";
    let answer = owner.get(&format!("{OPPORTUNITIES}/export?format=csv&fields={fields}"));
    answer.expect(200);
    answer.text()
}

#[test]
fn the_extract_comes_in_twice_and_both_are_undone() {
    let extract = Extract::any();
    let host = Host::start();
    let acme = host.organization("maven", &["sales"]);
    let owner = acme.owner();
    tutorial::prepare(&owner, &extract);
    let (spec, file) = (tutorial::spec("opportunities"), extract.file("sales_pipeline.csv"));
    let history = count(&owner, HISTORY);
    let first = upsert(&owner, &spec, &file);
    assert_eq!(count(&owner, OPPORTUNITIES), Extract::OPPORTUNITIES);
    let before = seen(&owner);
    assert_eq!(before.lines().count() as u64, Extract::OPPORTUNITIES + 1);

    // The second time every record has another name, and a hundred are new.
    let mut again = spec.clone();
    again["mapping"]["name"] = json!({"constant": "renamed"});
    let text = String::from_utf8(file).unwrap();
    let mut more = text.clone();
    for (at, line) in text.lines().skip(1).take(100).enumerate() {
        let (_, rest) = line.split_once(',').unwrap();
        more.push_str(&format!("NEW{at:05},{rest}\n"));
    }
    let second = upsert(&owner, &again, more.as_bytes());
    assert_eq!(count(&owner, OPPORTUNITIES), Extract::OPPORTUNITIES + 100);
    assert_ne!(seen(&owner), before);

    let dry = undo(&owner, &second, "?dry_run=true");
    assert_eq!(
        (&dry["deleted"], &dry["restored"], &dry["skipped"]),
        (&json!(100), &json!(8_800), &json!(0)),
        "{dry}"
    );
    let result = undo(&owner, &second, "");
    assert_eq!(
        (&result["deleted"], &result["restored"], &result["skipped"]),
        (&json!(100), &json!(8_800), &json!(0))
    );
    assert!(seen(&owner) == before, "an undo leaves everything as before");

    // Somebody works on one of them: it stays, and is told.
    let worked_on = owner.get(&format!("{OPPORTUNITIES}?limit=1")).ok()["data"][0].clone();
    owner.patch(&format!("{OPPORTUNITIES}/{}", id(&worked_on)), &json!({"name": "mine"})).ok();
    let result = undo(&owner, &first, "");
    assert_eq!((&result["deleted"], &result["skipped"]), (&json!(8_799), &json!(1)), "{result}");
    assert_eq!(
        (&result["errors"][0]["record"], &result["errors"][0]["fields"], &result["errors"][0]["code"]),
        (&worked_on["id"], &json!(["name"]), &json!("changed_since"))
    );
    assert_eq!(count(&owner, OPPORTUNITIES), 1);
    assert!(
        count(&owner, &format!("{HISTORY}?opportunity={}", id(&worked_on))) > 0,
        "its history stays with it"
    );
    let result = undo(&owner, &first, "?force=true");
    assert_eq!((&result["deleted"], &result["skipped"]), (&json!(1), &json!(0)), "{result}");
    assert_eq!(count(&owner, OPPORTUNITIES), 0);
    assert_eq!(count(&owner, HISTORY), history, "what hooks made for them went along");
}

#[test]
fn an_undo_is_for_whoever_may_and_for_what_can_be_undone() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let spec = json!({"entity": "crm.account", "mapping": {"name": {"column": "name"}}, "dry_run": true});
    let dry = owner.finished(&owner.import(&spec, b"name\nInitech\n"), LIMIT);
    let path = format!("/api/v1/imports/{}/undo", id(&dry));
    owner.post(&path, &json!({})).problem(409, "import_not_undoable");
    acme.anonymous().post(&path, &json!({})).problem(401, "invalid_token");
    let unknown = "/api/v1/imports/00000000-0000-7000-8000-000000000000/undo";
    owner.post(unknown, &json!({})).problem(404, "job_not_found");
    owner.call("POST", &format!("{path}?forse=true")).send().problem(400, "unknown_parameter");
}
