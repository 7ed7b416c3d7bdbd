//! Every operation of the platform's document, asked as everybody: each role, nobody, an organization's people. What is
//! called is read from the document, so that an operation without a case here fails.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stoa_testkit::{Answer, Client, Host};
use stoa_tests::{id, text};

use crate::staff::{self, OWNER, claim, invited};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
const NOBODY: &str = "00000000-0000-7000-8000-000000000000";
const ROLES: [&str; 6] = ["support", "operator", "billing", "security", "auditor", "owner"];
const ALL: &[&str] = &ROLES;

/// What an operation answers to those who may, and who they are; `None`: it is a way in and needs no token.
struct Case {
    status: u16,
    may: Option<&'static [&'static str]>,
    body: Value,
}

fn case(operation: &str) -> Case {
    let readers: &[&str] = &["support", "operator", "security", "auditor", "owner"];
    let security: &[&str] = &["security", "owner"];
    let (status, may, body): (u16, Option<&[&str]>, Value) = match operation {
        "claim_platform" => {
            let body =
                json!({ "code": "x", "email": "a@b.example", "name": "A", "password": "violet tram nine" });
            (401, None, body)
        }
        "accept_platform_invitation" => (401, None, json!({ "token": "x", "password": "violet tram nine" })),
        "sign_in_administrator" => (401, None, json!({ "email": "no@b.example", "password": "violet tram" })),
        "renew_administrator_token" => (403, None, Value::Null),
        "sign_out_administrator" => (204, Some(ALL), Value::Null),
        "get_administrator_self" => (200, Some(ALL), Value::Null),
        "change_administrator_password" => {
            (401, Some(ALL), json!({ "current": "not this one", "new": "some other words here" }))
        }
        "begin_administrator_factor" => (401, Some(ALL), json!({ "password": "not this one" })),
        "confirm_administrator_factor" => (409, Some(ALL), json!({ "code": "000000" })),
        "list_administrators" => (200, Some(readers), Value::Null),
        "invite_administrator" => {
            (409, Some(security), json!({ "email": OWNER, "name": "O", "roles": ["security"] }))
        }
        "get_administrator" => (404, Some(readers), Value::Null),
        "change_administrator" => (404, Some(security), json!({ "name": "N" })),
        "invite_administrator_again" | "reset_administrator_factor" => (404, Some(security), Value::Null),
        "list_administrator_sessions" => (200, Some(ALL), Value::Null),
        "end_administrator_session" => (404, Some(ALL), Value::Null),
        "list_platform_events" => (200, Some(ALL), Value::Null),
        "rotate_platform_keys" => (200, Some(security), json!({})),
        "list_organizations" => (200, Some(ALL), Value::Null),
        "create_organization" => {
            let body = json!({ "slug": "acme", "name": "Acme", "owner_email": "a@acme.example" });
            (409, Some(&["operator", "owner"]), body)
        }
        "get_organization" | "list_licences" => (404, Some(ALL), Value::Null),
        "suspend_organization" => (404, Some(&["operator", "security", "owner"]), Value::Null),
        "resume_organization" => (404, Some(&["operator", "owner"]), Value::Null),
        "license_module" => (404, Some(&["billing", "owner"]), json!({})),
        "revoke_licence" => (404, Some(&["billing", "security", "owner"]), Value::Null),
        "list_organization_domains" => (404, Some(ALL), Value::Null),
        "list_plugin_usage" | "list_plugin_usage_periods" => (200, Some(readers), Value::Null),
        "verify_organization_domain" => (404, Some(security), json!({ "record": "x" })),
        other => return case_of_plugins(other),
    };
    Case { status, may, body }
}

fn case_of_plugins(operation: &str) -> Case {
    let security: &[&str] = &["security", "owner"];
    let (status, may, body): (u16, Option<&[&str]>, Value) = match operation {
        "list_installations" | "get_installation" | "list_installation_events" => {
            (404, Some(ALL), Value::Null)
        }
        // They name a plugin in the query.
        "preview_installation" | "get_fleet" => (400, Some(ALL), Value::Null),
        "install_plugin" => (404, Some(&["operator", "owner"]), json!({ "version": "1.0.0" })),
        "roll_back_plugin" | "enable_plugin" | "disable_plugin" | "pin_plugin" | "unpin_plugin"
        | "uninstall_plugin" => (404, Some(&["operator", "owner"]), Value::Null),
        "list_rollouts" => (200, Some(ALL), Value::Null),
        "begin_rollout" => {
            (404, Some(&["operator", "owner"]), json!({ "plugin": "nothing", "version": "1.0.0" }))
        }
        "get_rollout" => (404, Some(ALL), Value::Null),
        "stop_rollout" => (404, Some(&["operator", "owner"]), Value::Null),
        "list_publishers" | "list_plugins" => (200, Some(ALL), Value::Null),
        "get_publisher" | "get_plugin_version" | "download_plugin" => (404, Some(ALL), Value::Null),
        "trust_publisher" => {
            let body =
                json!({ "id": "acme", "name": "Acme", "trust": "private", "public_key": "?".repeat(44) });
            (422, Some(security), body)
        }
        "add_publisher_key" => (422, Some(security), json!({ "public_key": "?".repeat(44) })),
        "revoke_publisher_key" => (404, Some(security), Value::Null),
        "upload_plugin" => (422, Some(&["operator", "owner"]), Value::Null),
        "kill_plugin_version" => (404, Some(security), json!({ "reason": "x" })),
        "revive_plugin_version" => (404, Some(security), Value::Null),
        other => panic!("the operation `{other}` has no case: say here who may call it"),
    };
    Case { status, may, body }
}

struct Operation {
    id: String,
    method: String,
    path: String,
    open: bool,
}

fn operations(host: &Host) -> Vec<Operation> {
    let document = host.platform().get("/admin/openapi.json").ok();
    assert!(text(&document, "openapi").starts_with("3.1"));
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, spec) in
            item.as_object().unwrap().iter().filter(|(name, _)| METHODS.contains(&name.as_str()))
        {
            assert!(spec["summary"].is_string(), "{method} {path} says nothing");
            let filled: Vec<&str> =
                path.split('/').map(|part| if part.starts_with('{') { NOBODY } else { part }).collect();
            found.push(Operation {
                id: text(spec, "operationId").to_owned(),
                method: method.to_uppercase(),
                path: filled.join("/"),
                open: spec["security"].as_array().is_some_and(Vec::is_empty),
            });
        }
    }
    // Whoever signs out can do nothing after.
    found.sort_by_key(|operation| operation.id == "sign_out_administrator");
    found
}

fn call(client: &Client, operation: &Operation, body: &Value) -> Answer {
    if operation.id == "upload_plugin" {
        return client.raw(&operation.path, "application/octet-stream", b"no package");
    }
    let call = client.call(&operation.method, &operation.path);
    if body.is_null() { call.send() } else { call.json(body).send() }
}

/// An organization's owner with an access token, a key of it, and whoever has no token at all.
fn strangers(host: &Host, owner: &staff::Staff) -> Vec<Client> {
    let acme = host.organization("acme", &["sales"]);
    let body = json!({ "slug": "globex", "name": "Globex", "owner_email": "gus@globex.example", "modules": ["sales"] });
    let made = owner.client.post("/admin/v1/organizations", &body).created();
    let token = text(&made, "setup_url").split_once("#token=").unwrap().1;
    let globex = Client::new(host.address(), "/t/globex", None);
    let password = json!({ "token": token, "password": "grey herons wade slowly" });
    globex.post("/api/v1/auth/setup", &password).expect(204);
    let login = json!({ "email": "gus@globex.example", "password": "grey herons wade slowly" });
    let login = globex.post("/api/v1/auth/login", &login).ok();
    let platform = host.platform();
    vec![
        platform.with_token(text(&login, "access_token")),
        platform.with_token(acme.api_key()),
        platform.with_token("e30.e30.e30"),
        platform,
    ]
}

#[test]
fn every_operation_answers_each_role_as_the_matrix_says() {
    let host = Host::start();
    let owner = claim(&host);
    let strangers = strangers(&host, &owner);
    let operations = operations(&host);
    assert!(operations.len() >= 25, "{}", operations.len());
    for operation in &operations {
        let case = case(&operation.id);
        assert_eq!(case.may.is_none(), operation.open, "{} is open, or not", operation.id);
        for stranger in &strangers {
            let answer = call(stranger, operation, &case.body);
            if operation.open {
                assert!(answer.status() == case.status || answer.status() == 429, "{}", answer.text());
            } else {
                answer.problem(401, "invalid_token");
            }
        }
    }
    let others: Vec<staff::Staff> =
        ROLES.iter().filter(|role| **role != "owner").map(|role| invited(&host, &owner, role)).collect();
    let mut wrong = Vec::new();
    for (role, staff) in ROLES.iter().zip(others.iter().chain([&owner])) {
        for operation in operations.iter().filter(|operation| !operation.open) {
            let case = case(&operation.id);
            let expected = if case.may.unwrap().contains(role) { case.status } else { 403 };
            let answer = call(&staff.client, operation, &case.body);
            if answer.status() != expected || answer.text().contains("invalid_token") {
                wrong.push(format!(
                    "{role} {}: {expected}, not {} {}",
                    operation.id,
                    answer.status(),
                    answer.text()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // Everything that was asked with a token is in the log, and what was refused, too.
    let recovery = owner.recovery[0].as_str();
    let token = staff::sign_in(&host, OWNER, Some(recovery)).ok();
    let again = host.platform().with_token(text(&token, "access_token"));
    let events = again.all("/admin/v1/security/events");
    let done: BTreeSet<&str> = events.iter().map(|event| text(event, "action")).collect();
    for operation in &operations {
        assert!(done.contains(operation.id.as_str()), "{} is not in the log", operation.id);
    }
    assert!(events.iter().any(|event| event["outcome"] == "refused" && event["code"] == "forbidden"));
    assert!(events.iter().any(|event| {
        event["action"] == "sign_in_administrator"
            && event["outcome"] == "refused"
            && event["admin_id"].is_null()
    }));
    assert!(!serde_json::to_string(&events).unwrap().contains("violet tram"), "a password is in the log");
}

#[test]
fn e17_the_planes_do_not_reach_each_other() {
    let host = Host::start();
    let owner = claim(&host);
    let acme = host.organization("acme", &["sales"]);
    // An administrator is nobody in an organization.
    let token = owner.client.token().unwrap();
    acme.with_token(token).get("/api/v1/me").problem(401, "invalid_token");
    acme.with_token(token).get("/api/v1/crm/accounts").problem(401, "invalid_token");
    // Neither listener serves what is the other's.
    for path in ["/t/acme/api/v1/me", "/api/v1/me", "/metrics", "/t/acme/openapi.json"] {
        owner.client.get(path).problem(404, "not_found");
    }
    for path in ["/admin/v1/me", "/admin/openapi.json", "/admin/invitation", "/t/acme/admin/v1/me"] {
        host.bare().with_token(token).get(path).expect(404);
        host.operations().get(path).expect(404);
    }
    // A17: a token in the address is none.
    let answer = host.platform().get(&format!("/admin/v1/me?access_token={token}"));
    answer.problem(401, "invalid_token");
    assert!(!host.log().contains(token));
    // Other spellings of an address are other addresses.
    for path in ["/admin/v1/me/", "/admin//v1/me", "/admin/v1/%6de", "/admin/v1/../v1/me", "/ADMIN/v1/me"] {
        owner.client.get(path).expect(404);
    }
    let put = owner.client.call("PUT", "/admin/v1/me").send();
    put.problem(405, "method_not_allowed");
    assert_eq!(put.header("allow"), Some("GET"));
}

#[test]
fn an_organization_is_made_licensed_suspended_and_resumed() {
    let host = Host::start();
    let owner = claim(&host);
    let body =
        json!({ "slug": "acme", "name": "Acme", "owner_email": "ann@acme.example", "modules": ["sales"] });
    let made = owner.client.post("/admin/v1/organizations", &body).created();
    assert!(text(&made, "setup_url").contains("/t/acme/auth/setup#token="));
    let path = format!("/admin/v1/organizations/{}", id(&made["organization"]));
    assert_eq!(owner.client.get(&path).ok()["status"], "active");
    let page = |path: &str| Client::new(host.address(), "/t/acme", None).get(path).status();
    assert_eq!(page("/api/v1/me"), 401);
    assert_eq!(owner.client.call("POST", &format!("{path}/suspend")).send().ok()["status"], "suspended");
    assert_eq!(page("/api/v1/me"), 403);
    assert_eq!(owner.client.call("POST", &format!("{path}/resume")).send().ok()["status"], "active");
    assert_eq!(page("/api/v1/me"), 401);

    let licences = |client: &Client| client.get(&format!("{path}/licences")).ok()["data"].clone();
    assert_eq!(licences(&owner.client)[0]["module"], "sales");
    owner.client.delete(&format!("{path}/licences/sales")).expect(204);
    owner.client.delete(&format!("{path}/licences/sales")).problem(404, "licence_not_found");
    let put = |module: &str, body: &Value| {
        let path = format!("{path}/licences/{module}");
        owner.client.call("PUT", &path).json(body).send()
    };
    put("nothing", &json!({})).problem(404, "module_not_installed");
    put("sales", &json!({ "valid_until": "2001-01-01T00:00:00Z" })).problem(422, "validation_failed");
    put("sales", &json!({ "valid_until": "2999-01-01T00:00:00Z" })).ok();
    assert_eq!(licences(&owner.client)[0]["valid_until"], "2999-01-01T00:00:00.000Z");

    let body = json!({ "slug": "globex", "name": "Globex", "owner_email": "gus@globex.example" });
    owner.client.post("/admin/v1/organizations", &body).created();
    let slugs: Vec<String> = owner
        .client
        .all("/admin/v1/organizations?limit=1")
        .iter()
        .map(|one| text(one, "slug").to_owned())
        .collect();
    assert_eq!(slugs, ["acme", "globex"]);
    owner.client.get("/admin/v1/organizations?cursor=A..").problem(400, "invalid_cursor");
    owner.client.get("/admin/v1/organizations?limit=201").expect(400);
    let events = owner.client.get("/admin/v1/security/events?action=suspend_organization").ok();
    assert_eq!(events["data"][0]["admin_id"], owner.id.as_str());
    assert!(path.ends_with(text(&events["data"][0], "target")));
}

#[test]
fn an_emergency_ends_every_token_and_the_session_gives_a_new_one() {
    let host = Host::start();
    let owner = claim(&host);
    owner.client.post("/admin/v1/keys/rotate", &json!({})).ok();
    owner.client.get("/admin/v1/me").ok();
    let keys = owner.client.post("/admin/v1/keys/rotate", &json!({ "emergency": true })).ok();
    assert_eq!(keys["data"].as_array().unwrap().len(), 1);
    owner.client.get("/admin/v1/me").problem(401, "invalid_token");
    let client = host.platform();
    let renew = client.call("POST", "/admin/v1/auth/token").header("Cookie", &owner.cookie);
    let token = renew.header("X-Stoa-Request", "1").send().ok();
    host.platform().with_token(text(&token, "access_token")).get("/admin/v1/me").ok();
}
