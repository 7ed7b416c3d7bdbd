//! Every refusal is a problem document with a stable code, and a refused request changes nothing.

use serde_json::json;
use stoa_testkit::Host;
use stoa_tests::id;

#[test]
fn nobody_gets_in_without_a_valid_token() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let paths = ["/api/v1/crm/accounts", "/api/v1/sales/opportunities", "/api/v1/jobs", "/api/v1/users"];
    for path in paths {
        acme.anonymous().get(path).problem(401, "invalid_token");
        for wrong in ["x", "stoa_k1_0000_0000_0000", "e30.e30.e30", "eyJhbGciOiJub25lIn0.e30."] {
            acme.with_token(wrong).get(path).problem(401, "invalid_token");
        }
    }
    let key = acme.api_key();
    let (head, last) = key.split_at(key.len() - 1);
    let changed = format!("{head}{}", if last == "0" { "1" } else { "0" });
    acme.with_token(&changed).get("/api/v1/crm/accounts").problem(401, "invalid_token");
}

#[test]
fn a_token_opens_its_own_organization_only() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let globex = host.organization("globex", &["sales"]);
    let account = acme.owner().post("/api/v1/crm/accounts", &json!({"name": "Initech"})).created();
    let path = format!("/api/v1/crm/accounts/{}", id(&account));

    // Another organization's key is no key here.
    let stranger = acme.with_token(globex.api_key()).get(&path);
    assert!(matches!(stranger.status(), 401 | 404), "{}", stranger.text());
    // Another organization's record does not exist here.
    globex.owner().get(&path).expect(404);
    globex.owner().patch(&path, &json!({"name": "Stolen"})).expect(404);
    globex.owner().delete(&path).expect(404);
    let reference = json!({"name": "Child", "parent": id(&account)});
    globex.owner().post("/api/v1/crm/accounts", &reference).problem(422, "validation_failed");
    // An organization that does not exist answers like one that one may not know of.
    let nobody = host.bare().with_token(acme.api_key()).get("/t/nobody/api/v1/crm/accounts");
    assert!(matches!(nobody.status(), 401 | 404), "{}", nobody.text());
    assert_eq!(acme.owner().get(&path).ok()["name"], "Initech");
}

#[test]
fn a_query_that_asks_for_the_impossible_is_malformed() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    owner.get("/api/v1/crm/accounts?colour=red").problem(400, "unknown_parameter");
    owner.get("/api/v1/crm/accounts?name[like]=x").problem(400, "unknown_operator");
    owner.get("/api/v1/crm/accounts?fields=colour").problem(400, "unknown_field");
    owner.get("/api/v1/crm/accounts?sort=colour").problem(400, "invalid_sort");
    owner.get("/api/v1/crm/accounts?cursor=abc").problem(400, "invalid_cursor");
    for query in ["limit=0", "limit=201", "limit=ten", "limit=5&limit=6", "count=maybe", "expand=name"] {
        owner.get(&format!("/api/v1/crm/accounts?{query}")).expect(400);
    }
    owner.post("/api/v1/crm/accounts?colour=red", &json!({"name": "Initech"})).expect(400);
    assert!(owner.all("/api/v1/crm/accounts").is_empty());
}

#[test]
fn all_faults_of_an_input_are_told_at_once() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let refused = acme.owner().post(
        "/api/v1/crm/accounts",
        &json!({"industry": 7, "colour": "red", "website": "javascript:alert(1)"}),
    );
    let problem = refused.problem(422, "validation_failed");
    assert_eq!(refused.pointers(), ["/colour", "/industry", "/name", "/website"], "{problem}");
    for error in problem["errors"].as_array().unwrap() {
        assert!(error["code"].is_string() && error["detail"].is_string(), "{error}");
    }
}

#[test]
fn what_the_host_decides_cannot_be_sent() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    for member in ["id", "version", "created_at", "created_by", "updated_at"] {
        let refused = owner.post("/api/v1/crm/accounts", &json!({"name": "Initech", member: "1"}));
        refused.problem(422, "validation_failed");
        assert_eq!(refused.pointers(), [format!("/{member}")]);
    }
    let account = owner.post("/api/v1/crm/accounts", &json!({"name": "Initech"})).created();
    let path = format!("/api/v1/crm/accounts/{}", id(&account));
    owner.patch(&path, &json!({"version": 7})).problem(422, "validation_failed");
    // What was read may be sent back, as long as it is unchanged.
    owner.patch(&path, &json!({"id": account["id"], "version": 1, "name": "Initrode"})).ok();
}

#[test]
fn a_body_that_is_not_one_json_object_is_malformed() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let path = "/api/v1/crm/accounts";
    for body in ["", "{", "[]", "7", "{\"name\":\"a\"} x", "{\"name\":\"a\",\"name\":\"b\"}"] {
        let refused = owner.raw(path, "application/json", body.as_bytes());
        assert!(matches!(refused.status(), 400 | 422), "{body}: {}", refused.text());
        assert!(!refused.text().contains("at line"), "the parser's own words leak: {}", refused.text());
    }
    owner.raw(path, "text/plain", br#"{"name": "Initech"}"#).expect(415);
    owner.raw(path, "application/json", &vec![b' '; 1024 * 1024 + 1]).expect(413);
    assert!(owner.all(path).is_empty());
}

#[test]
fn a_path_that_is_not_served_is_a_problem_too() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    for path in ["/api/v1/crm/colours", "/api/v1/nothing/at-all", "/api/v2/crm/accounts"] {
        let refused = owner.get(path);
        assert_eq!(refused.status(), 404, "{path}");
        assert_eq!(refused.header("content-type"), Some("application/problem+json"), "{path}");
    }
    owner.get("/api/v1/crm/accounts/00000000-0000-7000-8000-000000000000").expect(404);
    owner.get("/api/v1/crm/accounts/not-an-id").expect(404);
    let refused = owner.call("PUT", "/api/v1/crm/accounts").json(&json!({})).send();
    assert!(matches!(refused.status(), 404 | 405), "{}", refused.text());
}

#[test]
fn every_answer_names_its_request() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let refused = acme.anonymous().get("/api/v1/crm/accounts");
    let problem = refused.problem(401, "invalid_token");
    assert_eq!(refused.header("x-request-id"), problem["request_id"].as_str());
    assert!(acme.owner().get("/api/v1/crm/accounts").header("x-request-id").is_some());
    for header in ["x-content-type-options", "cache-control"] {
        assert!(refused.header(header).is_some(), "{header}");
    }
}
