//! Every status that the conventions promise for a refusal has a request that gets it; and input that is meant to harm is
//! refused, or kept as what it is. Many requests to one host: what is refused changes nothing, so they do not disturb each
//! other. 429 belongs to the edge; its stories stand with it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stoa_testkit::{Client, Host, Part};
use stoa_tests::{count, id, text};

const ACCOUNTS: &str = "/api/v1/crm/accounts";

fn account(caller: &Client, name: &str) -> String {
    format!("{ACCOUNTS}/{}", id(&caller.post(ACCOUNTS, &json!({"name": name})).created()))
}

#[test]
fn every_status_of_a_refusal_is_told_with_its_code() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let path = account(&owner, "Initech");
    let put = |path: &str| owner.call("PUT", path).json(&json!({})).send();

    owner.raw(ACCOUNTS, "application/json", b"{").problem(400, "malformed_json");
    owner.get(&format!("{ACCOUNTS}?x=1")).problem(400, "unknown_parameter");
    owner.get(&format!("{ACCOUNTS}?limit=1&limit=2")).problem(400, "duplicate_parameter");
    owner.patch(&format!("{path}?dry_run=yes"), &json!({})).problem(400, "invalid_dry_run");
    owner.patch_if(&path, "3", &json!({})).problem(400, "invalid_if_match");
    acme.anonymous().get(&path).problem(401, "invalid_token");
    acme.key("readonly").patch(&path, &json!({"name": "x"})).problem(403, "forbidden");
    owner.get(&format!("{ACCOUNTS}/00000000-0000-7000-8000-000000000000")).problem(404, "record_not_found");
    let refused = put(ACCOUNTS);
    refused.problem(405, "method_not_allowed");
    assert_eq!(refused.header("allow"), Some("GET, POST"));
    owner.post(&format!("{path}/restore"), &json!({})).problem(409, "not_deleted");
    let stale = owner.patch_if(&path, "\"9\"", &json!({"name": "x"})).problem(412, "version_conflict");
    assert_eq!((&stale["current"]["name"], stale["changed_since"].is_array()), (&json!("Initech"), true));
    owner.raw(ACCOUNTS, "application/json", &vec![b' '; 1024 * 1024 + 1]).problem(413, "body_too_large");
    owner.raw(ACCOUNTS, "text/plain", b"{}").problem(415, "unsupported_media_type");
    let packed = owner.call("POST", ACCOUNTS).header("Content-Encoding", "gzip").json(&json!({"name": "x"}));
    packed.send().problem(415, "unsupported_media_type");
    owner.post(ACCOUNTS, &json!({"name": 7, "colour": "red"})).problem(422, "validation_failed");
    let draft = owner.call("PUT", "/api/v1/configuration/draft").json(&json!({})).send();
    draft.problem(428, "precondition_required");
    assert_eq!((count(&owner, ACCOUNTS), &owner.get(&path).ok()["version"]), (1, &json!(1)));
}

#[test]
fn a_module_that_is_not_licensed_says_so_and_one_that_is_not_there_does_not() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    let refused = owner.get("/api/v1/sales/opportunities");
    assert!(matches!(refused.status(), 403 | 404), "{}", refused.text());
    owner.get("/api/v1/nothing/at-all").problem(404, "not_found");
}

#[test]
fn what_cannot_be_tried_is_refused_and_not_done() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    let team = json!({"name": "North"});
    let refused = owner.post("/api/v1/teams?dry_run=true", &team);
    if refused.status() != 200 {
        refused.problem(422, "dry_run_not_offered");
    }
    let teams = owner.get("/api/v1/teams").ok();
    assert!(!teams.to_string().contains("North"), "{teams}");
    owner.get("/api/v1/teams?dry_run=true").problem(400, "unknown_parameter");
    let check = owner.call("POST", "/api/v1/configuration/draft/check?dry_run=true").send();
    check.problem(422, "dry_run_not_offered");
}

/// F1, F5: what would mean something to a database is a value here, or no name of anything.
#[test]
fn words_of_a_database_are_values_or_unknown_names() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    for name in ["O'Neil; drop table account --", "100% real", "a_b", "\"quoted\" NEAR(x)"] {
        account(&owner, name);
    }
    let before = count(&owner, ACCOUNTS);
    for query in [
        "name='%20or%201=1%20--",
        "name[contains]=%25",
        "name[contains]=_b",
        "q=%22%20NEAR(",
        "q=*",
        "q=name:x%20OR%20y",
        "name[starts]=%22%29%3B",
    ] {
        let answer = owner.get(&format!("{ACCOUNTS}?{query}"));
        assert!(matches!(answer.status(), 200 | 400), "{query}: {}", answer.text());
        assert!(!answer.text().to_lowercase().contains("sqlite"), "{query}: {}", answer.text());
    }
    let found = |query: &str| owner.all(&format!("{ACCOUNTS}?{query}")).len();
    assert_eq!((found("name[contains]=%25"), found("name[contains]=_")), (1, 1), "a wildcard is a letter");
    assert_eq!(found("name=O'Neil%3B%20drop%20table%20account%20--"), 1);
    for query in ["sort=random()", "sort=name;drop", "sort=(select%201)", "fields=name,rowid", "sort=_row"] {
        owner.get(&format!("{ACCOUNTS}?{query}")).expect(400);
    }
    for name in ["name'--", "name%22%29", "deleted_at%20is%20null%20or%201"] {
        owner.get(&format!("{ACCOUNTS}?{name}=1")).problem(400, "unknown_parameter");
    }
    assert_eq!(count(&owner, ACCOUNTS), before);
}

/// F2, F3, F4, F6: what costs too much is refused before it costs anything.
#[test]
fn a_filter_that_is_too_much_is_refused_at_once() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let query = format!("{ACCOUNTS}/query");
    let mut deep = json!({"field": "name", "value": "x"});
    for _ in 0..100 {
        deep = json!({ "not": deep });
    }
    let many: Vec<Value> = (0..10_000).map(|_| json!({"field": "name", "value": "x"})).collect();
    let start = Instant::now();
    owner.post(&query, &json!({"filter": deep})).problem(400, "filter_too_deep");
    owner.post(&query, &json!({"filter": {"or": many}})).problem(400, "filter_too_large");
    let thousand =
        format!("{}{{}}{}", "{\"filter\":".to_owned() + &"{\"not\":".repeat(1_000), "}".repeat(1_001));
    let refused = owner.raw(&query, "application/json", thousand.as_bytes());
    assert!(matches!(refused.status(), 400 | 422), "{}", refused.text());
    assert!(start.elapsed() < Duration::from_secs(5), "refused in {:?}", start.elapsed());
    let fifty = vec!["name"; 50].join(",");
    owner.get(&format!("{ACCOUNTS}?sort={fifty}")).problem(400, "invalid_sort");
    for limit in ["0", "-1", "NaN", "1000000000", "1e3", "201", ""] {
        owner.get(&format!("{ACCOUNTS}?limit={limit}")).problem(400, "invalid_limit");
    }
    owner.get(&format!("{ACCOUNTS}?offset=1000000000000")).problem(400, "unknown_parameter");
    owner.get(&format!("{ACCOUNTS}?name=a&name=b")).problem(400, "duplicate_parameter");
    owner.get(&format!("{ACCOUNTS}?name[]=a")).expect(400);
    owner.get(&format!("{ACCOUNTS}?name[like]=a")).problem(400, "unknown_operator");
}

/// F7, F8, F9: a number is exact or refused; a text is what was sent, or refused.
#[test]
fn numbers_are_exact_and_texts_without_control_characters() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let body = |member: &str, value: &str| format!("{{\"name\":\"x\",\"{member}\":{value}}}");
    for value in ["9223372036854775808", "1e400", "1.5", "\"7\"", "-0.5", "true"] {
        let refused = owner.raw(ACCOUNTS, "application/json", body("employees", value).as_bytes());
        assert!(matches!(refused.status(), 400 | 422), "{value}: {}", refused.text());
    }
    for amount in
        ["\"1e5\"", "1234.50", "\"99999999999999999999999999999999999999.99\"", "\"1.234\"", "\"NaN\""]
    {
        let money = format!("{{\"amount\":{amount},\"currency\":\"EUR\"}}");
        let refused = owner.raw(ACCOUNTS, "application/json", body("revenue", &money).as_bytes());
        assert!(matches!(refused.status(), 400 | 422), "{amount}: {}", refused.text());
    }
    for name in ["a\u{0}b", "a\r\nSet-Cookie: x", "a\u{7}", "a\u{1b}[31m"] {
        owner.post(ACCOUNTS, &json!({"name": name})).problem(422, "validation_failed");
    }
    for bytes in [&b"{\"name\":\"\xff\xfe\"}"[..], b"{\"name\":\"\xc0\xaf\"}", b"{\"name\":\"\\ud800\"}"] {
        let refused = owner.raw(ACCOUNTS, "application/json", bytes);
        assert!(matches!(refused.status(), 400 | 422), "{}", refused.text());
    }
    let name = "Caf\u{e9} \u{1f600} \u{4e2d}";
    assert_eq!(owner.post(ACCOUNTS, &json!({"name": name})).created()["name"], name);
    assert_eq!(count(&owner, ACCOUNTS), 1);
}

/// F10, F11: bodies that are too big, too deep, twofold or of another kind.
#[test]
fn a_body_of_the_wrong_size_or_kind_is_refused() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let raw = |kind: &str, body: &[u8]| owner.raw(ACCOUNTS, kind, body);
    let big = format!("{{\"name\":\"{}\"}}", "x".repeat(10 * 1024 * 1024));
    raw("application/json", big.as_bytes()).problem(413, "body_too_large");
    let deep = format!("{{\"name\":{}{}}}", "[".repeat(200), "]".repeat(200));
    assert!(matches!(raw("application/json", deep.as_bytes()).status(), 400 | 422));
    let long = format!("{{\"name\":[{}1]}}", "1,".repeat(100_000));
    raw("application/json", long.as_bytes()).problem(422, "validation_failed");
    raw("application/json", br#"{"name":"a","name":"b"}"#).problem(422, "validation_failed");
    for kind in [
        "text/plain",
        "application/xml",
        "application/json; charset=utf-7",
        "application/x-www-form-urlencoded",
    ] {
        raw(kind, br#"{"name":"a"}"#).problem(415, "unsupported_media_type");
    }
    raw("application/json", b"\xef\xbb\xbf{\"name\":\"a\"}").problem(400, "malformed_json");
    assert_eq!(count(&owner, ACCOUNTS), 0);
}

/// F12, F13: of those who change one version at once, one does; a key is used once.
#[test]
fn of_many_who_change_one_version_one_does() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    let path = account(&owner, "Initech");
    let statuses: Vec<u16> = std::thread::scope(|threads| {
        let all: Vec<_> = (0..8)
            .map(|at| {
                let (owner, path) = (&owner, &path);
                threads
                    .spawn(move || owner.patch_if(path, "\"1\"", &json!({"name": format!("{at}")})).status())
            })
            .collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 7, "{statuses:?}");
    assert_eq!(owner.get(&path).ok()["version"], 2);
}

/// F14: validators take time in proportion.
#[test]
fn a_validator_is_not_kept_busy() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let start = Instant::now();
    for (member, value) in [
        ("website", format!("https://{}!", "a.".repeat(100_000))),
        ("phone", "+".repeat(200_000)),
        ("phone", format!("+1{}x", " (1".repeat(60_000))),
    ] {
        owner.post(ACCOUNTS, &json!({"name": "x", member: value})).problem(422, "validation_failed");
    }
    let email = format!("{}@{}", "a.".repeat(50_000), "b.".repeat(50_000));
    let contact = json!({"last_name": "x", "email": email});
    owner.post("/api/v1/crm/contacts", &contact).problem(422, "validation_failed");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

/// E4, G7: what the host decides is not taken from a body, nor from a file.
#[test]
fn what_the_host_decides_is_not_assigned() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let path = account(&owner, "Initech");
    for member in [
        "id",
        "tenant_id",
        "organization",
        "role",
        "is_admin",
        "version",
        "created_by",
        "_label",
        "deleted_at",
    ] {
        let refused = owner.post(ACCOUNTS, &json!({"name": "x", member: "1"}));
        refused.problem(422, "validation_failed");
        assert_eq!(refused.pointers(), [format!("/{member}")]);
        let refused = owner.patch(&path, &json!({member: "1"}));
        assert!(matches!(refused.status(), 403 | 422), "{member}: {}", refused.text());
    }
    for field in ["created_by", "created_at", "version", "tenant_id"] {
        let spec = json!({"entity": "crm.account", "mode": "create",
            "mapping": {"name": {"column": "name"}, field: {"column": field}}});
        let refused = owner.try_import(&spec, format!("name,{field}\nx,1\n").as_bytes());
        refused.problem(422, "validation_failed");
    }
    assert_eq!(count(&owner, ACCOUNTS), 1);
}

/// E5: a write reaches no further than its record.
#[test]
fn a_write_through_a_relation_is_refused() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let parent = account(&owner, "Parent");
    let id = parent.rsplit('/').next().unwrap();
    for body in [
        json!({"name": "x", "parent": {"id": id, "name": "Stolen"}}),
        json!({"name": "x", "parent.name": "Stolen"}),
        json!({"name": "x", "parent": id, "parent_owner_id": id}),
    ] {
        owner.post(ACCOUNTS, &body).problem(422, "validation_failed");
    }
    assert_eq!(owner.get(&parent).ok()["name"], "Parent");
}

/// G1, G2, G6, G9: files that are meant to burst are refused soon, whatever they are called.
#[test]
fn a_file_that_would_burst_is_refused() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    let spec = json!({"entity": "crm.account", "mode": "create", "mapping": {"name": {"column": "name"}}});
    let start = Instant::now();
    let wide = format!("name{}\nx\n", ",c".repeat(2_000));
    owner.try_import(&spec, wide.as_bytes()).problem(422, "validation_failed");
    let line = format!("name\n{}\n", "x".repeat(2 * 1024 * 1024));
    let refused = owner.try_import(&spec, line.as_bytes());
    assert!(matches!(refused.status(), 202 | 422), "{}", refused.text());
    owner.try_import(&spec, b"PK\x03\x04not a workbook").problem(422, "validation_failed");
    owner
        .try_import(&spec, b"<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY a \"aa\">]><x>&a;</x>")
        .expect(422);
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert_eq!(count(&owner, ACCOUNTS), 0);
}

/// G3, G4: a picture that is also something else is kept as bytes and never shown as what it might do.
#[test]
fn a_file_is_served_as_bytes_whatever_it_is_called() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    let path = account(&owner, "Initech");
    for (name, kind, body) in [
        ("x.svg", "image/svg+xml", &b"<svg onload=alert(1)>"[..]),
        ("x.gif", "text/html", b"GIF89a/*<script>alert(1)</script>*/"),
        ("x.png", "image/png", b"\x89PNG\r\n\x1a\n\0\0"),
        ("con.txt\r\nX: y", "text/html", b"<html><script>1</script>"),
    ] {
        let part = Part { name: "file", file_name: Some(name), content_type: kind, body };
        let sent = owner.multipart(&format!("{path}/files"), &[part]);
        if sent.status() != 201 {
            assert!(matches!(sent.status(), 400 | 422), "{name}: {}", sent.text());
            continue;
        }
        let served = host.bare().get(text(&sent.created(), "url"));
        let kind = served.expect(200).header("content-type").unwrap_or_default().to_owned();
        assert!(!kind.contains("html") && !kind.contains("svg"), "{name}: {kind}");
        assert_eq!(served.header("x-content-type-options"), Some("nosniff"), "{name}");
        assert!(served.header("content-disposition").unwrap().starts_with("attachment"), "{name}");
        assert_eq!(served.header("x"), None);
    }
}
