//! Matching rules: a write that would make a duplicate is refused, asked about or reported; payloads can be checked; a
//! whole table is searched as a job; what somebody says is not a duplicate is not reported again.
//!
//! The plugin is a manifest of the story's own on the component of a guest, whose code is never called.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use stoa_testkit::{Answer, Client, Host, encode};
use stoa_tests::id;

const MEMBERS: &str = "/api/v1/club/members";
const PATIENCE: Duration = Duration::from_secs(60);

/// A host with the club, or nothing when there is no guest whose component it could stand on.
fn club() -> Option<(tempfile::TempDir, Host)> {
    let Some(guests) = std::env::var_os("STOA_GUESTS").map(std::path::PathBuf::from) else {
        println!("skipped: STOA_GUESTS names no packages; `cargo xtask test` builds them");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let package = folder.path().join("club");
    fs::create_dir(&package).unwrap();
    fs::copy(guests.join("hostile/component.wasm"), package.join("component.wasm")).unwrap();
    fs::write(package.join("manifest.json"), manifest().to_string()).unwrap();
    let host = Host::start_with(folder.path());
    Some((folder, host))
}

fn manifest() -> Value {
    let field = |key: &str, kind: &str| json!({ "key": key, "type": kind, "label": key });
    let every = ["list", "read", "create", "update", "delete", "import"];
    let grant = |role: &str, scope: &str| json!({ "role": role, "object": "club.member", "actions": every, "scope": scope });
    json!({
        "v": 1, "id": "club", "name": "Club", "version": "1.0.0", "contract": "1.0", "module": null,
        "entities": [{
            "key": "member", "plural": "members", "label": "Member", "title": "name",
            "fields": [field("name", "text"), field("email", "email"), field("phone", "phone"), field("firm", "text")],
            "operations": ["create", "update", "delete"],
            "duplicates": [
                {
                    "key": "mail", "label": "Same e-mail address",
                    "criteria": [{ "field": "email", "kind": "email" }],
                    "on": { "create": "block", "update": "block" }
                },
                {
                    "key": "phone", "label": "Same number",
                    "criteria": [{ "field": "phone", "kind": "phone" }],
                    "on": { "create": "warn", "update": "warn", "import": "allow_and_report" }
                },
                { "key": "firm", "label": "Same firm", "criteria": [{ "field": "firm", "kind": "company" }] }
            ]
        }],
        "grants": [grant("owner", "org"), grant("rep", "own"), grant("manager", "org")]
    })
}

fn add(caller: &Client, member: Value) -> Answer {
    caller.post(MEMBERS, &member)
}

fn sets(caller: &Client, status: &str) -> Vec<Value> {
    caller.all(&format!("/api/v1/duplicates/sets?entity=club.member&status={status}"))
}

/// Runs the job to its end and gives its result.
fn search(caller: &Client) -> Value {
    let job = caller.post("/api/v1/duplicates/jobs", &json!({ "entity": "club.member" })).accepted();
    assert_eq!(job["kind"], "duplicates");
    let job = caller.finished(&format!("/api/v1/jobs/{}", id(&job)), PATIENCE);
    assert_eq!(job["state"], "succeeded", "{job}");
    job["result"].clone()
}

#[test]
fn a_duplicate_is_refused_asked_about_or_reported() {
    let Some((_folder, host)) = club() else { return };
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    let ada =
        add(&owner, json!({ "name": "Ada", "email": "Ada@Example.com", "phone": "+49 30 901820" })).created();

    let refused =
        add(&owner, json!({ "name": "A.", "email": "ada@example.com" })).problem(409, "duplicate_found");
    assert_eq!(refused["duplicates"][0]["id"], ada["id"]);
    assert_eq!(refused["duplicates"][0]["title"], "Ada");
    assert_eq!(refused["duplicates"][0]["score"], 100);
    assert_eq!(refused["duplicates"][0]["rule"], "mail");
    assert_eq!(refused["duplicates"][0]["explanation"][0]["field"], "email");
    assert_eq!(refused["hidden"], 0);

    let bea = json!({ "name": "Bea", "phone": "0049 (0)30 / 90 18 20" });
    add(&owner, bea.clone()).problem(409, "duplicate_warning");
    let reason = encode("they share a desk");
    owner.post(&format!("{MEMBERS}?allow_duplicates="), &bea).problem(400, "invalid_allow_duplicates");
    let dry = owner.post(&format!("{MEMBERS}?allow_duplicates={reason}&dry_run=true"), &bea).ok();
    assert_eq!(dry["dry_run"], true);
    let bea = owner.post(&format!("{MEMBERS}?allow_duplicates={reason}"), &bea).created();

    // What is only reported is written; all three ways lead to the sets.
    let cleo = add(&owner, json!({ "name": "Cleo", "firm": "Müller GmbH" })).created();
    add(&owner, json!({ "name": "Dora", "firm": "Mueller AG" })).created();
    let open = sets(&owner, "open");
    assert_eq!(open.len(), 2, "{open:?}");
    let of = |member: &Value| {
        let stands =
            |set: &&Value| set["members"].as_array().unwrap().iter().any(|one| one["id"] == member["id"]);
        open.iter().find(stands).unwrap()
    };
    assert_eq!(of(&bea), of(&ada));
    assert_eq!(of(&ada)["automatic"], true);
    assert_eq!(of(&cleo)["automatic"], false, "another legal form is never merged by itself");

    // An update is checked where it changes what is compared.
    let path = format!("{MEMBERS}/{}", id(&cleo));
    owner.patch(&path, &json!({ "email": "ADA@example.com" })).problem(409, "duplicate_found");
    owner.patch(&path, &json!({ "name": "Cleopatra" })).ok();
}

#[test]
fn what_the_caller_may_not_read_is_counted_only() {
    let Some((_folder, host)) = club() else { return };
    let acme = host.organization("acme", &[]);
    let (ann, bob) = (acme.key("rep"), acme.key("rep"));
    add(&ann, json!({ "name": "Ada", "email": "ada@example.com" })).created();
    let refused =
        add(&bob, json!({ "name": "Ada", "email": "ada@example.com" })).problem(409, "duplicate_found");
    assert_eq!((&refused["duplicates"], &refused["hidden"]), (&json!([]), &json!(1)));
    assert!(!refused.to_string().contains("Ada"), "{refused}");

    // A rep may not pass a rule that blocks, whatever the reason; an owner may.
    let path = format!("{MEMBERS}?allow_duplicates={}", encode("sure"));
    bob.post(&path, &json!({ "name": "Ada", "email": "ada@example.com" })).problem(403, "forbidden");
    let mine = acme.owner().post(&path, &json!({ "name": "Ada", "email": "ada@example.com" })).created();
    assert_eq!(sets(&acme.owner(), "open").len(), 1);
    assert_eq!(sets(&ann, "open"), Vec::<Value>::new(), "of two members the caller reads one");

    let found = bob
        .post(&format!("{MEMBERS}/duplicates"), &json!({ "records": [{ "email": "ada@example.com" }] }))
        .ok();
    assert_eq!((&found["data"][0]["duplicates"], &found["data"][0]["hidden"]), (&json!([]), &json!(2)));
    let found = acme.owner().post(&format!("{MEMBERS}/duplicates"), &json!({ "ids": [mine["id"]] })).ok();
    assert_eq!(found["data"][0]["duplicates"].as_array().unwrap().len(), 1);
    bob.post(&format!("{MEMBERS}/duplicates"), &json!({ "ids": [mine["id"]] }))
        .problem(422, "validation_failed");
}

#[test]
fn a_check_takes_a_thousand_payloads_and_says_what_is_wrong_with_them() {
    let Some((_folder, host)) = club() else { return };
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    for number in 0..5 {
        add(&owner, json!({ "name": "x", "email": format!("p{number}@example.com") })).created();
    }
    let payloads: Vec<Value> = (0..1_000).map(|n| json!({ "email": format!("P{n}@example.com") })).collect();
    let path = format!("{MEMBERS}/duplicates");
    let found = owner.post(&path, &json!({ "records": payloads })).ok();
    let hits: Vec<usize> = (0..1_000).filter(|n| found["data"][n]["duplicates"] != json!([])).collect();
    assert_eq!(hits, [0, 1, 2, 3, 4]);
    assert_eq!(found["complete"], true);

    owner.get(&path).problem(405, "method_not_allowed");
    owner.post(&path, &json!({})).problem(422, "validation_failed");
    owner.post(&path, &json!({ "records": [], "x": 1 })).problem(422, "validation_failed");
    let wrong = owner.post(&path, &json!({ "records": [{}, { "email": "no", "nose": 1 }, 5] }));
    assert_eq!(wrong.pointers(), ["/records/2"]);
    let wrong = owner.post(&path, &json!({ "records": [{}, { "email": "no", "nose": 1 }] }));
    let mut pointers = wrong.pointers();
    pointers.sort();
    assert_eq!(pointers, ["/records/1/email", "/records/1/nose"]);
}

#[test]
fn a_whole_table_is_searched_and_what_is_dismissed_stays_so() {
    let Some((_folder, host)) = club() else { return };
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    let column = |name: &str| json!({ "column": name });
    let mapping = json!({ "name": column("name"), "phone": column("phone"), "firm": column("firm") });
    let spec = json!({ "entity": "club.member", "mode": "create", "mapping": mapping });
    let csv = "name,phone,firm\nAda,+49 30 901820,\nBea,030 901820,\nCleo,,Acme GmbH\nDora,,ACME gmbh\nEve,,Zenith\n";
    let job = owner.finished(&owner.import(&spec, csv.as_bytes()), PATIENCE);
    assert_eq!((&job["state"], &job["result"]["created"]), (&json!("succeeded"), &json!(5)), "{job}");

    let result = search(&owner);
    assert_eq!((&result["sets"], &result["members"]), (&json!(1), &json!(2)), "{result}");
    // The region of an English organization reads `030 901820` otherwise: one set, of the two firms.
    let open = sets(&owner, "open");
    assert_eq!((open.len(), &open[0]["rule"], &open[0]["automatic"]), (1, &json!("firm"), &json!(true)));
    let names: Vec<&Value> = open[0]["members"].as_array().unwrap().iter().map(|one| &one["title"]).collect();
    assert_eq!(names, ["Cleo", "Dora"]);

    let set = format!("/api/v1/duplicates/sets/{}/dismiss", id(&open[0]));
    acme.key("rep").post(&set, &json!({})).problem(404, "duplicate_set_not_found");
    assert_eq!(owner.post(&set, &json!({})).ok()["status"], "dismissed");
    owner.post(&set, &json!({})).problem(409, "set_not_open");
    assert_eq!((sets(&owner, "open").len(), sets(&owner, "dismissed").len()), (0, 1));
    assert_eq!(search(&owner)["sets"], 0, "a dismissed pair is not reported again");
    let dora = &open[0]["members"][1]["id"];
    let found = owner.post(&format!("{MEMBERS}/duplicates"), &json!({ "ids": [dora] })).ok();
    assert_eq!(found["data"][0]["duplicates"], json!([]));

    // Deleting one of two leaves no set to look at.
    let twin = add(&owner, json!({ "name": "Fay", "firm": "Zenith Ltd" })).created();
    assert_eq!(sets(&owner, "open").len(), 1);
    owner.delete(&format!("{MEMBERS}/{}", id(&twin))).expect(204);
    assert_eq!(sets(&owner, "open").len(), 0);

    owner.get("/api/v1/duplicates/sets?entity=club.nothing").problem(400, "invalid_parameter");
    owner.get("/api/v1/duplicates/sets?entity=club.member&status=odd").problem(400, "invalid_parameter");
    owner.get("/api/v1/duplicates/sets?entity=club.member&cursor=odd").problem(400, "invalid_cursor");
    owner
        .post("/api/v1/duplicates/jobs", &json!({ "entity": "club.nothing" }))
        .problem(422, "validation_failed");
    let reader = acme.key("readonly");
    reader.post("/api/v1/duplicates/jobs", &json!({ "entity": "club.member" })).problem(403, "forbidden");
}
