//! Imports say what they could not use: unmapped columns before the start, bad rows with number and reason, never silence.

use std::time::Duration;

use serde_json::{Value, json};
use stoa_testkit::{Client, Host};
use stoa_tests::count;

const LIMIT: Duration = Duration::from_secs(60);
const ACCOUNTS: &str = "/api/v1/crm/accounts";

fn spec(mode: &str) -> Value {
    json!({
        "entity": "crm.account",
        "mode": mode,
        "external_id": {"source": "erp", "column": "number"},
        "mapping": {
            "name": {"column": "name"},
            "industry": {"column": "sector", "values": {"technolgy": "technology"}},
        },
        "ignore": ["remark"],
    })
}

fn run(owner: &Client, spec: &Value, csv: &str) -> Value {
    owner.finished(&owner.import(spec, csv.as_bytes()), LIMIT)
}

fn progress(job: &Value) -> (u64, u64) {
    let number =
        |member: &str| job["progress"][member].as_u64().unwrap_or_else(|| panic!("no {member} in {job}"));
    (number("done"), number("failed"))
}

#[test]
fn a_file_becomes_records_with_their_external_ids() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let csv = "number,name,sector,remark\n1,Initech,software,x\n2,\"Gekko & Co, Ltd\",retail,\n3,Globex,technolgy,\"a\nb\"\n";
    let job = run(&owner, &spec("create"), csv);
    assert_eq!((job["state"].as_str(), progress(&job).1), (Some("succeeded"), 0), "{job}");
    let globex = owner.get(&format!("{ACCOUNTS}?name=Globex")).ok();
    assert_eq!(globex["data"][0]["industry"], "technology");
    assert_eq!(globex["data"][0]["external_ids"]["erp"], "3");
    assert_eq!(globex["data"][0]["source"], "import");
    assert_eq!(count(&owner, ACCOUNTS), 3);
}

#[test]
fn a_column_that_nobody_mentions_is_refused_before_anything_happens() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let refused =
        owner.try_import(&spec("create"), b"number,name,sector,remark,phone\n1,Initech,software,,5\n");
    assert_eq!(refused.status(), 422, "{}", refused.text());
    assert!(refused.text().contains("phone"), "{}", refused.text());
    let refused = owner.try_import(&spec("create"), b"number,name,remark\n1,Initech,\n");
    assert_eq!(refused.status(), 422, "{}", refused.text());
    assert!(refused.text().contains("sector"), "{}", refused.text());
    let mut unknown = spec("create");
    unknown["mapping"]["colour"] = json!({"constant": "red"});
    assert_eq!(owner.try_import(&unknown, b"number,name,sector,remark\n").status(), 422);
    assert_eq!(count(&owner, ACCOUNTS), 0);
}

#[test]
fn a_bad_row_is_reported_with_number_column_and_reason_and_the_others_are_kept() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let csv =
        "number,name,sector,remark\n1,Initech,software,\n2,,software,\n3,Globex,retail,\n4,Hooli,sorcery\n";
    let path = owner.import(&spec("create"), csv.as_bytes());
    let job = owner.finished(&path, LIMIT);
    let failed = progress(&job).1;
    assert!(failed >= 1, "{job}");
    let errors = owner.get(&format!("{path}/errors"));
    errors.expect(200);
    assert!(errors.header("content-type").is_some_and(|kind| kind.starts_with("text/csv")));
    let text = errors.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len() as u64, failed + 1, "{text}");
    assert!(lines[1].contains("name"), "{text}");
    assert_eq!(count(&owner, ACCOUNTS), 4 - failed);
}

#[test]
fn an_upsert_changes_what_is_there_and_a_second_run_changes_nothing() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    run(&owner, &spec("create"), "number,name,sector,remark\n1,Initech,software,\n");
    let csv = "number,name,sector,remark\n1,Initrode,software,\n2,Globex,retail,\n";
    for _ in 0..2 {
        let job = run(&owner, &spec("upsert"), csv);
        assert_eq!(progress(&job).1, 0, "{job}");
    }
    let names: Vec<Value> =
        owner.all(&format!("{ACCOUNTS}?sort=name")).into_iter().map(|a| a["name"].clone()).collect();
    assert_eq!(names, ["Globex", "Initrode"]);
    // Created twice under one external id: the second is refused, not doubled.
    let job = run(&owner, &spec("create"), csv);
    assert_eq!(progress(&job).1, 2, "{job}");
    assert_eq!(count(&owner, ACCOUNTS), 2);
}

#[test]
fn a_dry_run_reports_and_keeps_nothing() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let mut dry = spec("create");
    dry["dry_run"] = json!(true);
    let job = run(&owner, &dry, "number,name,sector,remark\n1,Initech,software,\n2,,software,\n");
    assert_eq!(progress(&job).1, 1, "{job}");
    assert_eq!(count(&owner, ACCOUNTS), 0);
}

#[test]
fn a_lookup_that_finds_nothing_or_too_much_is_a_reported_row() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    for name in ["Twin", "Twin", "Single"] {
        owner.post(ACCOUNTS, &json!({"name": name})).created();
    }
    let spec = json!({
        "entity": "crm.account", "mode": "create",
        "mapping": {"name": {"column": "name"}, "parent": {"column": "parent", "lookup": {"by": "name"}}},
    });
    let path = owner.import(&spec, b"name,parent\nA,Single\nB,Twin\nC,Nobody\nD,\n");
    let job = owner.finished(&path, LIMIT);
    assert_eq!(progress(&job).1, 2, "{job}");
    let errors = owner.get(&format!("{path}/errors")).text();
    assert!(errors.contains("parent"), "{errors}");
    assert_eq!(count(&owner, ACCOUNTS), 5);
}
