//! Other issuers as a way to get at secrets and rights: rows C19, H7 and H10 of the catalogue of attacks. The issuer is a
//! few lines on this machine.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::{Value, json};
use stoa_testkit::{Client, Host, Organization, Setup};
use stoa_tests::{id, text};

use crate::door::PASSWORD;

const PROVIDERS: &str = "/api/v1/identity-providers";

/// An issuer that says this of itself, for as long as the test runs; `{issuer}` is its address.
fn issuer(status: &'static str, said: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let body = said.replace("{issuer}", &address);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let _ = stream.read(&mut [0; 4096]);
            let length = body.len();
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nX-Inside: canary-head\r\n");
            let _ = stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes());
        }
    });
    address
}

const GOOD: &str = r#"{"issuer": "{issuer}", "authorization_endpoint": "{issuer}/a", "token_endpoint": "{issuer}/t",
    "jwks_uri": "{issuer}/k", "id_token_signing_alg_values_supported": ["RS256"]}"#;

fn host() -> Host {
    Setup::default().environment("STOA_ALLOW_LOOPBACK_OUTBOUND", "true").start()
}

fn provider(issuer: &str) -> Value {
    json!({"name": "Corp", "issuer": issuer, "client_id": "stoa", "client_secret": "canary-of-corp"})
}

/// A person of the organization with these roles, signed in.
fn person(acme: &Organization<'_>, name: &str, roles: &[&str]) -> Client {
    let owner = acme.owner_in_person();
    let email = format!("{name}@acme.example");
    let user = owner.post("/api/v1/users", &json!({"name": name, "email": email, "roles": roles})).created();
    let made = owner.post(&format!("/api/v1/users/{}/invitation", id(&user)), &json!({})).created();
    let (_, token) = text(&made, "setup_url").split_once("#token=").unwrap();
    let door = acme.anonymous();
    door.post("/api/v1/auth/setup", &json!({"token": token, "password": PASSWORD})).success();
    let login = door.post("/api/v1/auth/login", &json!({"email": email, "password": PASSWORD})).ok();
    acme.with_token(text(&login, "access_token"))
}

#[test]
fn h10_a_secret_does_not_follow_its_provider_to_another_address() {
    let host = host();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner_in_person();
    let made = owner.post(PROVIDERS, &provider(&issuer("200 OK", GOOD)));
    assert_eq!(made.created()["has_client_secret"], true);
    assert!(!made.text().contains("canary"), "it is never shown");
    let path = format!("{PROVIDERS}/{}", id(&made.created()));
    let named = owner.patch(&path, &json!({"name": "Corporation"})).ok();
    assert_eq!(named["has_client_secret"], true);
    let moved = owner.patch(&path, &json!({"issuer": issuer("200 OK", GOOD)})).ok();
    assert_eq!(moved["has_client_secret"], false, "another issuer");
    let again = owner.patch(&path, &json!({"client_secret": "canary-two"})).ok();
    assert_eq!(again["has_client_secret"], true);
    let client = owner.patch(&path, &json!({"client_id": "somebody-else"})).ok();
    assert_eq!(client["has_client_secret"], false, "another client");
    assert!(!owner.get(PROVIDERS).text().contains("canary"));
}

#[test]
fn h7_nothing_that_an_inner_server_says_is_shown() {
    let host = host();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner_in_person();
    for (status, said) in [
        ("500 Internal Server Error", "canary-body: password=hunter2"),
        ("200 OK", "canary-body: no JSON"),
        ("200 OK", r#"{"issuer": "canary-body"}"#),
        ("302 Found\r\nLocation: http://canary-body.example/", ""),
    ] {
        let refused = owner.post(PROVIDERS, &provider(&issuer(status, said)));
        assert!((400..500).contains(&refused.status()), "{status}: {}", refused.text());
        assert!(
            !refused.text().contains("canary") && !refused.text().contains("hunter2"),
            "{}",
            refused.text()
        );
        assert_eq!(refused.header("x-inside"), None);
    }
    // Without leave of the operator this machine is not asked at all.
    let closed = Host::start();
    let acme = closed.organization("acme", &[]);
    for inside in ["http://127.0.0.1:9/", "https://169.254.169.254", "https://localhost"] {
        acme.owner_in_person().post(PROVIDERS, &provider(inside)).problem(422, "validation_failed");
    }
}

#[test]
fn c19_who_arranges_providers_gives_no_role_that_they_lack() {
    let host = host();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner_in_person();
    owner.post("/api/v1/roles", &json!({"name": "delegate", "label": "Delegate"})).created();
    for action in ["read", "create", "update"] {
        let row = json!({
            "subject": "role:delegate", "object": "host.identity-provider", "action": action, "scope": "org",
            "effect": "allow", "reason": "arranges providers",
        });
        owner.post("/api/v1/policies", &row).created();
    }
    let delegate = person(&acme, "dee", &["rep", "delegate"]);
    let giving = |role: &str| json!([{"group": "staff", "role": role}]);
    let address = issuer("200 OK", GOOD);
    for role in ["owner", "manager", "delegate"] {
        let mut new = provider(&address);
        new["group_roles"] = giving(role);
        let refused = delegate.post(PROVIDERS, &new);
        assert!(matches!(refused.status(), 403 | 422), "{role}: {}", refused.text());
    }
    let made = delegate.post(PROVIDERS, &provider(&address)).created();
    let path = format!("{PROVIDERS}/{}", id(&made));
    for role in ["owner", "manager"] {
        let refused = delegate.patch(&path, &json!({"group_roles": giving(role)}));
        assert!(matches!(refused.status(), 403 | 422), "{role}: {}", refused.text());
    }
    delegate.patch(&path, &json!({"group_roles": giving("rep")})).ok();
    let mine = owner.get("/api/v1/users").ok();
    let mine = mine["data"].as_array().unwrap().iter().find(|one| one["name"] == "dee").unwrap().clone();
    let raised = delegate.patch(&format!("/api/v1/users/{}", id(&mine)), &json!({"roles": ["manager"]}));
    assert_eq!(raised.status(), 403, "{}", raised.text());
}
