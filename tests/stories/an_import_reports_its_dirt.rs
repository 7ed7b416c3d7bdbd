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

fn people(dry_run: bool) -> Value {
    json!({
        "entity": "users", "mode": "create", "dry_run": dry_run,
        "external_id": {"source": "hr", "column": "id"},
        "mapping": {
            "name": {"column": "name"}, "email": {"column": "email"},
            "team": {"column": "team"}, "roles": {"column": "roles"},
        },
    })
}

#[test]
fn a_dirty_file_of_people_costs_its_bad_lines_and_a_dry_run_says_so_before() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let csv =
        b"\xef\xbb\xbfid,name,email,team,roles\n1,Ann,ann@acme.example,East,rep\n2,\xff,,East,rep\n3,Bob\n\
        4,Cid,ANN@acme.example,,rep\n5,Dan,,West,boss\n6,Eve,,east,rep\n1,Ann,,,rep\n";
    let before = owner.all("/api/v1/users").len();
    for dry_run in [true, false] {
        let path = owner.import(&people(dry_run), csv);
        let job = owner.finished(&path, LIMIT);
        assert_eq!((job["state"].as_str(), progress(&job)), (Some("succeeded"), (7, 5)), "{job}");
        assert_eq!(job["result"]["created"], 2, "{job}");
        let errors = owner.get(&format!("{path}/errors")).text();
        for code in ["not_utf8", "wrong_cell_count", "taken", "unknown_role", "not_unique"] {
            assert!(errors.contains(code), "{code}: {errors}");
        }
        let made = if dry_run { (0, 0) } else { (2, 1) };
        assert_eq!((owner.all("/api/v1/users").len() - before, owner.all("/api/v1/teams").len()), made);
    }
}

#[test]
fn a_name_of_two_people_is_a_reported_row() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    for name in ["Twin", "Twin", "Single"] {
        owner.post("/api/v1/users", &json!({"name": name, "roles": ["rep"]})).created();
    }
    let spec = json!({
        "entity": "crm.account", "mode": "create",
        "mapping": {"name": {"column": "name"}, "owner_id": {"column": "owner", "lookup": {"by": "name"}}},
    });
    let path = owner.import(&spec, b"name,owner\nA,Single\nB,Twin\nC,Single\n");
    let job = owner.finished(&path, LIMIT);
    assert_eq!((job["state"].as_str(), progress(&job)), (Some("succeeded"), (3, 1)), "{job}");
    let errors = owner.get(&format!("{path}/errors")).text();
    assert!(errors.contains("reference_ambiguous"), "{errors}");
}

#[test]
fn a_parent_may_stand_earlier_in_the_same_file() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let spec = json!({
        "entity": "crm.account", "mode": "create",
        "mapping": {"name": {"column": "name"}, "parent": {"column": "parent", "lookup": {"by": "name"}}},
    });
    let job = run(&owner, &spec, "name,parent\nRoot,\nChild,Root\nGrandchild,Child\nEarly,Late\nLate,\n");
    assert_eq!(progress(&job), (5, 1), "{job}");
    let child = owner.get(&format!("{ACCOUNTS}?name=Grandchild&expand=parent")).ok();
    assert_eq!(child["data"][0]["parent"]["name"], "Child");
}

#[test]
fn an_upload_is_gone_when_its_job_is_over() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    run(&owner, &spec("create"), "number,name,sector,remark\n1,Initech,software,\n");
    owner.try_import(&spec("create"), b"number,name\n1,Initech\n").expect(422);
    let organizations = host.data().join("organizations");
    stoa_testkit::wait_for("the uploads to be deleted", LIMIT, || {
        let folders = std::fs::read_dir(&organizations).unwrap();
        let uploads =
            folders.filter_map(|folder| std::fs::read_dir(folder.unwrap().path().join("imports")).ok());
        let left: usize = uploads.map(Iterator::count).sum();
        (left == 0).then_some(())
    });
}

#[test]
fn a_specification_that_cannot_work_is_refused_at_once() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let refused = |change: &dyn Fn(&mut Value), csv: &str, word: &str| {
        let mut spec = spec("create");
        change(&mut spec);
        let answer = owner.try_import(&spec, csv.as_bytes());
        assert_eq!(answer.status(), 422, "{}", answer.text());
        assert!(answer.text().contains(word), "{}", answer.text());
        assert!(!answer.text().contains("struct"), "{}", answer.text());
    };
    let csv = "number,name,sector,remark\n";
    refused(&|spec| spec["delimiter"] = json!("\""), csv, "delimiter");
    refused(&|spec| spec["mapping"] = json!([1]), csv, "`dry_run`");
    let lookup = |by: &'static str| {
        move |spec: &mut Value| spec["mapping"]["parent"] = json!({"column": "remark", "lookup": {"by": by}})
    };
    refused(&lookup("colour"), csv, "colour");
    refused(&lookup("employees"), csv, "employees");
    let owner_by = |spec: &mut Value| {
        spec["mapping"]["owner_id"] = json!({"column": "remark", "lookup": {"by": "external_id:erp"}});
    };
    refused(&owner_by, csv, "email");
    let wide: Vec<String> = (0..1_001).map(|column| format!("c{column}")).collect();
    refused(&|_| (), &format!("{}\n", wide.join(",")), "too_many_columns");
    let users = json!({"entity": "users", "mapping": {"name": {"column": "name"}}});
    owner.try_import(&users, b"name\n").expect(422);
    assert!(owner.get("/api/v1/jobs").ok()["data"].as_array().unwrap().is_empty());
}

#[test]
fn whoever_reads_the_own_jobs_only_gets_full_pages_of_them() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let (owner, manager) = (acme.owner(), acme.key("manager"));
    let csv = "number,name,sector,remark\n";
    let own = manager.import(&spec("create"), csv.as_bytes());
    for _ in 0..2 {
        run(&owner, &spec("create"), csv);
    }
    let page = manager.get("/api/v1/jobs?limit=1").ok();
    assert_eq!(page["data"].as_array().map(Vec::len), Some(1), "{page}");
    assert!(own.ends_with(page["data"][0]["id"].as_str().unwrap()), "{page}");
    assert!(page["next_cursor"].is_null(), "{page}");
    assert_eq!(owner.all("/api/v1/jobs?limit=1").len(), 3);
}
