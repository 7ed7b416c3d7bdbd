//! Other issuers as a way to get at secrets and rights: rows B25, B28, B29, C19, H7 and H10 of the catalogue of attacks. The
//! issuer is a few lines on this machine that signs nothing: what is refused is refused before it is asked for tokens.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use stoa_testkit::{Answer, Client, Host, Organization, Setup};
use stoa_tests::{id, text};

use crate::door::PASSWORD;

const PROVIDERS: &str = "/api/v1/identity-providers";

/// A server on this machine, for as long as the test runs.
struct Issuer {
    address: String,
    /// The first lines of what it was asked.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Issuer {
    /// One that says this to everything; `{issuer}` is its address.
    fn saying(status: &'static str, said: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (body, asked) = (said.replace("{issuer}", &address), Arc::default());
        let heard: Arc<Mutex<Vec<String>>> = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let mut request = [0; 4096];
                let length = stream.read(&mut request).unwrap_or_default();
                let line = String::from_utf8_lossy(&request[..length]).lines().next().map(str::to_owned);
                heard.lock().unwrap().extend(line);
                let length = body.len();
                let head =
                    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nX-Inside: canary-head\r\n");
                let _ = stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes());
            }
        });
        Self { address, asked }
    }

    fn good() -> Self {
        Self::saying("200 OK", GOOD)
    }

    /// Whether anybody brought a code.
    fn was_brought_a_code(&self) -> bool {
        self.asked.lock().unwrap().iter().any(|line| line.starts_with("POST /t "))
    }
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
pub(super) fn person(acme: &Organization<'_>, name: &str, roles: &[&str]) -> Client {
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
    let made = owner.post(PROVIDERS, &provider(&Issuer::good().address));
    assert_eq!(made.created()["has_client_secret"], true);
    assert!(!made.text().contains("canary"), "it is never shown");
    let path = format!("{PROVIDERS}/{}", id(&made.created()));
    let named = owner.patch(&path, &json!({"name": "Corporation"})).ok();
    assert_eq!(named["has_client_secret"], true);
    let moved = owner.patch(&path, &json!({"issuer": Issuer::good().address})).ok();
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
        let refused = owner.post(PROVIDERS, &provider(&Issuer::saying(status, said).address));
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
    let address = Issuer::good().address;
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
    // Whom the organization believes about addresses and second factors, and who that is, owners say.
    for change in [
        json!({"authoritative": true}),
        json!({"second_factor_acrs": ["aal2"]}),
        json!({"issuer": Issuer::good().address}),
        json!({"client_id": "mine"}),
    ] {
        delegate.patch(&path, &change).problem(403, "forbidden");
    }
    let mut new = provider(&address);
    (new["name"], new["authoritative"]) = (json!("Believed"), json!(true));
    delegate.post(PROVIDERS, &new).problem(403, "forbidden");
    owner.patch(&path, &json!({"authoritative": true})).ok();
    delegate.patch(&path, &json!({"name": "Corporation", "authoritative": true})).ok();
    let mine = owner.get("/api/v1/users").ok();
    let mine = mine["data"].as_array().unwrap().iter().find(|one| one["name"] == "dee").unwrap().clone();
    let raised = delegate.patch(&format!("/api/v1/users/{}", id(&mine)), &json!({"roles": ["manager"]}));
    assert_eq!(raised.status(), 403, "{}", raised.text());
}

/// Begins to sign in with a provider: the state, and the cookie of the browser.
fn departed(acme: &Organization<'_>, provider: &str) -> (String, String) {
    let gone = acme.anonymous().post("/api/v1/auth/federation", &json!({"provider": provider}));
    let address = text(&gone.ok(), "authorization_url").to_owned();
    let (_, state) = address.split_once("state=").unwrap();
    let cookie = gone.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    (state.split('&').next().unwrap().to_owned(), cookie)
}

/// Comes back to the callback of a provider with a code.
fn returned(acme: &Organization<'_>, provider: &str, state: &str, cookie: &str) -> Answer {
    let path = format!("/auth/callback/{provider}?code=stolen&state={state}");
    acme.anonymous().call("GET", &path).header("Cookie", cookie).send()
}

#[track_caller]
fn refused(answer: &Answer) {
    assert_eq!(answer.status(), 303, "{}", answer.text());
    assert!(answer.header("location").unwrap().ends_with("/auth/sign-in#error=federation_refused"));
    assert_eq!(answer.header("set-cookie"), None);
}

#[test]
fn b25_a_code_of_one_provider_is_brought_to_no_other() {
    let host = host();
    let acme = host.organization("acme", &[]);
    let (one, other) = (Issuer::good(), Issuer::good());
    let ids = [&one, &other].map(|issuer| {
        let mut new = provider(&issuer.address);
        new["name"] = json!(issuer.address);
        id(&acme.owner_in_person().post(PROVIDERS, &new).created()).to_owned()
    });
    let (state, cookie) = departed(&acme, &ids[0]);
    refused(&returned(&acme, &ids[1], &state, &cookie));
    refused(&returned(&acme, &ids[0], &state, &cookie)); // used up by whoever presents it
    let (state, cookie) = departed(&acme, &ids[0]);
    refused(&returned(&acme, &ids[0], &format!("{state}&iss={}", other.address), &cookie));
    let (state, _) = departed(&acme, &ids[0]);
    let (_, elsewhere) = departed(&acme, &ids[0]);
    refused(&returned(&acme, &ids[0], &state, &elsewhere)); // another browser
    refused(&returned(&acme, &ids[0], "invented", &elsewhere));
    assert!(!one.was_brought_a_code() && !other.was_brought_a_code());
    // The right way leads to the provider, which knows nothing of the code.
    let (state, cookie) = departed(&acme, &ids[0]);
    let back = returned(&acme, &ids[0], &state, &cookie);
    assert!(
        !back.header("location").unwrap_or_default().contains("voucher"),
        "{:?}",
        back.header("location")
    );
    assert!(one.was_brought_a_code() && !other.was_brought_a_code());
}

#[test]
fn b28_nobody_is_linked_without_proving_who_they_are() {
    let host = host();
    let acme = host.organization("acme", &[]);
    let made = acme.owner_in_person().post(PROVIDERS, &provider(&Issuer::good().address)).created();
    let path = format!("{PROVIDERS}/{}/link", id(&made));
    let ann = person(&acme, "ann", &["rep"]);
    ann.post(&path, &json!({})).problem(422, "validation_failed");
    let wrong = ann.post(&path, &json!({"password": "a walk under another roof"}));
    assert!(matches!(wrong.status(), 401 | 403), "{}", wrong.text());
    assert_eq!((wrong.header("set-cookie"), &wrong.json()["authorization_url"]), (None, &Value::Null));
    acme.owner().post(&path, &json!({"password": PASSWORD})).problem(403, "forbidden");
    assert!(text(&ann.post(&path, &json!({"password": PASSWORD})).ok(), "authorization_url").contains("/a?"));
}

#[test]
fn a_provider_that_becomes_another_one_forgets_who_was_on_the_way_and_who_was_who() {
    let host = host();
    let acme = host.organization("acme", &[]);
    let (issuer, owner) = (Issuer::good(), acme.owner_in_person());
    let made = owner.post(PROVIDERS, &provider(&issuer.address)).created();
    let path = format!("{PROVIDERS}/{}", id(&made));
    let (state, cookie) = departed(&acme, id(&made));
    owner.patch(&path, &json!({"name": "Still the same"})).ok();
    let (other, elsewhere) = departed(&acme, id(&made));
    owner.patch(&path, &json!({"client_id": "another", "client_secret": "canary-two"})).ok();
    refused(&returned(&acme, id(&made), &state, &cookie));
    refused(&returned(&acme, id(&made), &other, &elsewhere));
    assert!(!issuer.was_brought_a_code());
}

#[test]
fn b29_a_disabled_provider_is_no_way_in() {
    let host = host();
    let acme = host.organization("acme", &[]);
    let issuer = Issuer::good();
    let owner = acme.owner_in_person();
    let made = owner.post(PROVIDERS, &provider(&issuer.address)).created();
    let (state, cookie) = departed(&acme, id(&made));
    let ann = person(&acme, "ann", &["rep"]);
    owner.patch(&format!("{PROVIDERS}/{}", id(&made)), &json!({"status": "disabled"})).ok();
    refused(&returned(&acme, id(&made), &state, &cookie));
    let door = acme.anonymous();
    door.post("/api/v1/auth/federation", &json!({"provider": id(&made)})).problem(401, "federation_refused");
    assert_eq!(door.get("/api/v1/auth/federation").ok()["data"], json!([]));
    let linked = ann.post(&format!("{PROVIDERS}/{}/link", id(&made)), &json!({"password": PASSWORD}));
    linked.problem(401, "federation_refused");
    assert!(!issuer.was_brought_a_code());
}
