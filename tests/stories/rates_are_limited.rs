//! Who asks too much waits; nobody else does.

use serde_json::{Value, json};
use stoa_testkit::{Answer, Client, Host, Setup};

fn limited(answer: &Answer, what: &str) {
    let problem = answer.problem(429, "rate_limited");
    assert_eq!(problem["limit"], what, "{problem}");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!(wait >= 1, "{wait}");
    assert!(answer.header("ratelimit").unwrap().contains("r=0"));
}

/// Asks until it is refused, at most `most` times.
fn exhaust(client: &Client, path: &str, most: usize) -> Option<Answer> {
    (0..most).map(|_| client.get(path)).find(|answer| answer.status() == 429)
}

#[test]
fn i8_an_organization_that_asks_too_much_waits_and_another_does_not() {
    let host = Setup::default().environment("STOA_RATE_HEAVY", "1:5").start();
    let (acme, globex) = (host.organization("acme", &["sales"]), host.organization("globex", &["sales"]));
    let refused = exhaust(&acme.owner(), "/api/v1/search?q=initech", 50).unwrap();
    limited(&refused, "heavy");
    globex.owner().get("/api/v1/search?q=initech").ok();
    // What is not dear goes on, for the same key too.
    acme.owner().get("/api/v1/me").ok();
    assert!(host.operations().get("/metrics").text().contains("stoa_http_rate_limited_total 1"));
}

#[test]
fn one_key_that_asks_too_much_does_not_use_up_anothers_share() {
    let host = Setup::default().environment("STOA_RATE_PROGRAM", "1:10").start();
    let acme = host.organization("acme", &[]);
    let (first, second) = (acme.owner(), acme.key("owner"));
    let answer = first.get("/api/v1/me");
    answer.ok();
    assert_eq!(answer.header("ratelimit-policy"), Some("\"principal\";q=10;w=10"));
    assert!(
        answer.header("ratelimit").unwrap().starts_with("\"principal\";r=9;t="),
        "{:?}",
        answer.header("ratelimit")
    );
    limited(&exhaust(&first, "/api/v1/me", 50).unwrap(), "principal");
    second.get("/api/v1/me").ok();
}

#[test]
fn strangers_are_counted_by_where_they_come_from() {
    let host = Setup::default().environment("STOA_RATE_STRANGER", "1:10").start();
    let acme = host.organization("acme", &[]);
    let guesses = (0..40).map(|_| acme.anonymous().post("/api/v1/auth/login", &json!({})));
    let refused = guesses.into_iter().find(|answer| answer.status() == 429);
    limited(&refused.unwrap(), "address");
    // Whoever has a key is no stranger, wherever they come from.
    acme.owner().get("/api/v1/me").ok();
    limited(&exhaust(&acme.with_token("wrong"), "/api/v1/me", 40).unwrap(), "address");
}

#[test]
fn rows_of_one_request_are_charged_each() {
    let host = Setup::default().environment("STOA_RATE_PROGRAM", "1:100").start();
    let acme = host.organization("acme", &["sales"]);
    let left = |client: &Client| {
        let limits = client.get("/api/v1/organization/limits").ok();
        limits["limits"][0]["remaining"].as_i64().unwrap()
    };
    let before = left(&acme.owner());
    let rows: Vec<Value> =
        (0..200).map(|n| json!({"op": "create", "fields": {"name": format!("Account {n}")}})).collect();
    acme.owner().post("/api/v1/crm/accounts/bulk", &json!({"operations": rows}));
    let spent = before - left(&acme.owner());
    assert!((10..=25).contains(&spent), "{spent}: 20 for the rows, 2 for the requests, less what came back");
}

#[test]
fn an_organization_sees_its_limits_and_tightens_them() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    let limits = owner.get("/api/v1/organization/limits").ok();
    assert_eq!(limits["pool"], "integration");
    let names: Vec<_> =
        limits["limits"].as_array().unwrap().iter().map(|limit| limit["name"].clone()).collect();
    assert_eq!(names, ["principal", "organization", "heavy", "jobs"]);
    assert_eq!(limits["in_flight"], 1);
    let set =
        |client: &Client, body: &Value| client.call("PUT", "/api/v1/organization/limits").json(body).send();
    set(&acme.key("readonly"), &json!({"program": 100})).problem(403, "forbidden");
    set(&owner, &json!({"program": 99})).problem(422, "validation_failed");
    set(&owner, &json!({"programs": 1})).problem(422, "validation_failed");
    // More than the operator allows is no more.
    let allowed = limits["limits"][0]["per_second"].clone();
    set(&owner, &json!({"program": 9_000_000})).ok();
    assert_eq!(owner.get("/api/v1/organization/limits").ok()["limits"][0]["per_second"], allowed);
    set(&owner, &json!({"program": 100})).ok();
    assert_eq!(owner.get("/api/v1/organization/limits").ok()["limits"][0]["per_second"], 100);
    // The others' are as they were, and null is the operator's.
    let globex = host.organization("globex", &[]);
    assert_eq!(globex.owner().get("/api/v1/organization/limits").ok()["limits"][0]["per_second"], allowed);
    set(&owner, &json!({"program": null})).ok();
    assert_eq!(owner.get("/api/v1/organization/limits").ok()["limits"][0]["per_second"], allowed);
}
