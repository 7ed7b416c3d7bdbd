//! Clients that prove themselves by a key of their own, with lives of tokens and origins of pages of their own.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use stoa_testkit::{Answer, Client, Host, Organization};
use stoa_tests::{id, text};

use crate::programs::installed;

use super::a_program_signs_people_in::{
    Registered, code, exchange, form, member, query, refused, registered, sign_in,
};

const CLIENTS: &str = "/api/v1/clients";
const PAGE: &str = "https://app.example.com";
const OTHER: &str = "https://other.example.com";

#[test]
fn a_client_that_others_wrote_proves_itself_by_its_key_once() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let boss = acme.owner_in_person();
    let account =
        boss.post("/api/v1/service-accounts", &json!({"name": "Robot", "roles": ["rep"]})).created();
    let secretive = json!({
        "name": "Old robot", "kind": "service", "auth_method": "client_secret_post", "scopes": ["read"],
        "grants": ["client_credentials"], "service_account": id(&account),
    });
    let secretive = registered(&acme, &member(&acme), &secretive);
    let input = json!({
        "issuer": format!("http://{}/t/acme", host.address()), "token": boss.token(), "account": id(&account),
        "secretive": { "id": secretive.id, "secret": secretive.secret },
    });
    let script = installed("clients", &["key_holder.mjs"]).join("key_holder.mjs");
    let mut child = Command::new("node")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("Node 20 or later is needed (`node`): {error}"));
    child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}\n\nthe host said:\n{}", host.log());
}

fn key(changes: &[(&str, Value)]) -> Value {
    let mut key = json!({"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    for (member, value) in changes {
        key[*member] = value.clone();
    }
    key
}

fn site(changes: &[(&str, Value)]) -> Value {
    let mut site = json!({
        "name": "Site", "kind": "web", "auth_method": "private_key_jwt", "scopes": ["openid"],
        "grants": ["authorization_code"], "redirect_uris": ["https://app.example.com/cb"], "jwks": {"keys": [key(&[])]},
    });
    for (member, value) in changes {
        site[*member] = value.clone();
    }
    site
}

fn pointer(answer: &Answer) -> String {
    text(&answer.problem(422, "validation_failed")["errors"][0], "pointer").to_owned()
}

#[test]
fn only_good_public_keys_are_registered_and_only_where_they_are_used() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let boss = acme.owner_in_person();
    for (changes, at) in [
        (vec![("d", json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"))], "/jwks/keys/0/d"),
        (vec![("kty", json!("oct"))], "/jwks/keys/0/kty"),
        (vec![("alg", json!("HS256"))], "/jwks/keys/0/alg"),
        (vec![("alg", json!("none"))], "/jwks/keys/0/alg"),
        (vec![("use", json!("enc"))], "/jwks/keys/0/use"),
        (vec![("x", json!("AAAA"))], "/jwks/keys/0/x"),
        (vec![("x", json!("!".repeat(43)))], "/jwks"),
        (vec![("alg", json!("RS256"))], "/jwks"),
        (vec![("kty", json!("EC"))], "/jwks"),
        (vec![("crv", Value::Null)], "/jwks"),
    ] {
        let refused = boss.post(CLIENTS, &site(&[("jwks", json!({"keys": [key(&changes)]}))]));
        assert_eq!(pointer(&refused), at, "{changes:?}");
    }
    let small = json!({"kty": "RSA", "e": "AQAB", "n": format!("{}A", "A".repeat(341)), "kid": "r"});
    let refused_at = |client: &Value| pointer(&boss.post(CLIENTS, client));
    assert_eq!(refused_at(&site(&[("jwks", json!({"keys": [small]}))])), "/jwks");
    assert_eq!(
        refused_at(&site(&[("jwks", json!({"keys": [key(&[]), key(&[])]}))])),
        "/jwks",
        "one id twice"
    );
    assert_eq!(refused_at(&site(&[("jwks", json!({"keys": vec![key(&[]); 21]}))])), "/jwks/keys");
    assert_eq!(refused_at(&site(&[("jwks", json!({"keys": []}))])), "/jwks/keys");
    assert_eq!(refused_at(&site(&[("jwks", Value::Null)])), "/jwks");
    assert_eq!(refused_at(&site(&[("auth_method", json!("client_secret_basic"))])), "/jwks");
    assert_eq!(refused_at(&site(&[("auth_method", json!("none"))])), "/jwks");
    let made = boss.post(CLIENTS, &site(&[])).created();
    assert_eq!(
        (&made["client"]["jwks"], &made["client_secret"]),
        (&json!({"keys": [key(&[])]}), &Value::Null)
    );
    let path = format!("{CLIENTS}/{}", id(&made["client"]));
    assert_eq!(pointer(&boss.post(&format!("{path}/rotate-secret"), &json!({}))), "/auth_method");
    let fresh = json!({"keys": [key(&[("kid", json!("b"))]), key(&[])]});
    let changed = boss.patch(&path, &json!({"jwks": fresh})).ok();
    assert_eq!((&changed["jwks"], &changed["version"]), (&fresh, &json!(2)));
    assert_eq!(boss.get(&path).ok()["jwks"], fresh);
    let about = acme.anonymous().get("/.well-known/openid-configuration").ok();
    for endpoint in ["token", "revocation", "introspection"] {
        let methods = about[format!("{endpoint}_endpoint_auth_methods_supported")].as_array().unwrap();
        assert!(methods.contains(&json!("private_key_jwt")), "{endpoint}");
        let algorithms = &about[format!("{endpoint}_endpoint_auth_signing_alg_values_supported")];
        assert_eq!(algorithms, &json!(["RS256", "ES256", "EdDSA"]), "{endpoint}");
    }
}

fn phone(changes: &[(&str, Value)]) -> Value {
    let mut phone = json!({
        "name": "Phone", "kind": "native", "auth_method": "none", "scopes": ["openid", "offline_access"],
        "grants": ["authorization_code", "refresh_token"], "redirect_uris": ["http://127.0.0.1/cb"],
    });
    for (member, value) in changes {
        phone[*member] = value.clone();
    }
    phone
}

#[test]
fn a_client_has_shorter_lives_and_its_tokens_say_so() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let (boss, person, door) = (acme.owner_in_person(), member(&acme), acme.anonymous());
    let client = registered(&acme, &person, &phone(&[("access_token_life", json!(90))]));
    let path = format!("{CLIENTS}/{}", client.id);
    let shown = boss.get(&path).ok();
    let lives = ["access_token_life", "refresh_token_idle_life", "refresh_token_life"];
    assert_eq!(lives.map(|life| shown[life].as_i64().unwrap()), [90, 2_592_000, 7_776_000]);
    let cookie = sign_in(&acme, &person);
    let tokens = exchange(&door, &client, &code(&door, &cookie, &client)).ok();
    assert_eq!(tokens["expires_in"], 90);
    let shorter = json!({"access_token_life": 900, "refresh_token_life": 60, "refresh_token_idle_life": 60});
    boss.patch(&path, &shorter).ok();
    let refresh = [
        ("grant_type", "refresh_token"),
        ("client_id", &client.id),
        ("refresh_token", text(&tokens, "refresh_token")),
    ];
    assert_eq!(form(&door, "/oauth/token", &refresh).ok()["expires_in"], 900, "the signing in was before");
    let tokens = exchange(&door, &client, &code(&door, &cookie, &client)).ok();
    assert!((50..=60).contains(&tokens["expires_in"].as_i64().unwrap()), "{tokens}");
    for life in lives {
        for bad in [json!(59), json!(7_776_001), json!(-1), json!("60"), json!(60.5)] {
            assert_eq!(pointer(&boss.patch(&path, &json!({ life: bad }))), format!("/{life}"), "{bad}");
        }
    }
    let web = json!({
        "name": "Site", "kind": "web", "auth_method": "client_secret_basic", "scopes": ["openid"],
        "grants": ["authorization_code"], "redirect_uris": ["https://app.example.com/cb"],
        "refresh_token_idle_life": 28_801,
    });
    assert_eq!(pointer(&boss.post(CLIENTS, &web)), "/refresh_token_idle_life", "a site is no phone");
}

/// A request of a page with a form.
fn from_page(door: &Client, origin: &str, path: &str, parameters: &[(&str, &str)]) -> Answer {
    let body = query(parameters);
    let call = door.call("POST", path).header("Origin", origin);
    call.header("Content-Type", "application/x-www-form-urlencoded").body(body.as_bytes()).send()
}

fn asked_before(door: &Client, origin: &str, path: &str) -> Answer {
    let call = door.call("OPTIONS", path).header("Origin", origin);
    call.header("Access-Control-Request-Method", "POST").send()
}

fn reader(answer: &Answer) -> Option<&str> {
    assert_eq!(answer.header("vary"), Some("Origin"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    answer.header("access-control-allow-origin")
}

fn two_apps(acme: &Organization<'_>) -> (Registered, Registered) {
    let person = member(acme);
    let app = |origin: &str| registered(acme, &person, &phone(&[("origins", json!([origin]))]));
    (app(PAGE), app(OTHER))
}

#[test]
fn d3_the_pages_of_clients_reach_what_they_call_and_nothing_else() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let door = acme.anonymous();
    two_apps(&acme);
    for path in ["/oauth/token", "/oauth/revoke", "/oauth/userinfo"] {
        let before = asked_before(&door, PAGE, path);
        assert_eq!((before.status(), reader(&before)), (204, Some(PAGE)), "{path}");
    }
    for path in
        ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/oauth/jwks"]
    {
        let read = door.call("GET", path).header("Origin", PAGE).send();
        assert_eq!((read.status(), reader(&read)), (200, Some(PAGE)), "{path}");
    }
    for path in ["/oauth/introspect", "/oauth/authorize", "/api/v1/me", "/api/v1/auth/login"] {
        let before = asked_before(&door, PAGE, path);
        assert_eq!(reader(&before), None, "{path}");
    }
}

#[test]
fn d3_a_page_calls_for_the_client_that_has_its_origin_and_for_no_other() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let (person, door) = (member(&acme), acme.anonymous());
    let (client, other) = two_apps(&acme);
    let cookie = sign_in(&acme, &person);
    let code = code(&door, &cookie, &client);
    let asking = |id: &str| {
        [
            ("grant_type", "authorization_code".to_owned()),
            ("client_id", id.to_owned()),
            ("code", code.clone()),
            ("redirect_uri", "http://127.0.0.1:7777/cb".to_owned()),
            ("code_verifier", super::a_program_signs_people_in::VERIFIER.to_owned()),
        ]
    };
    let exchange = |origin: &str, id: &str| {
        let parameters = asking(id);
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        from_page(&door, origin, "/oauth/token", &parameters)
    };
    let foreign = exchange(OTHER, &client.id);
    refused(&foreign, 400, "unauthorized_client");
    assert_eq!(reader(&foreign), None, "the page of another client");
    for evil in ["https://evil.test", "null", "https://app.example.com.evil.test", "http://app.example.com"] {
        let asked = exchange(evil, &client.id);
        asked.problem(403, "origin_not_allowed");
        assert_eq!(reader(&asked), None, "{evil}");
    }
    let unknown = exchange(PAGE, "x");
    refused(&unknown, 401, "invalid_client");
    assert_eq!(reader(&unknown), None);
    let good = exchange(PAGE, &client.id);
    assert_eq!(reader(&good), Some(PAGE));
    let tokens = good.ok();
    let used = exchange(PAGE, &client.id);
    refused(&used, 400, "invalid_grant");
    assert_eq!(reader(&used), Some(PAGE), "a page reads why its client is refused");
    let info = |origin: &str| {
        let bearer = acme.with_token(text(&tokens, "access_token"));
        bearer.call("GET", "/oauth/userinfo").header("Origin", origin).send()
    };
    assert_eq!(reader(&info(OTHER)), None);
    let revoke = |origin: &str, id: &str| {
        from_page(&door, origin, "/oauth/revoke", &[("client_id", id), ("token", "x")])
    };
    assert_eq!(reader(&revoke(PAGE, &client.id)), Some(PAGE));
    assert_eq!(reader(&revoke(PAGE, &other.id)), None);
}

#[test]
fn d3_a_page_reads_who_signed_in_to_its_client() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let (person, door, boss) = (member(&acme), acme.anonymous(), acme.owner_in_person());
    let (client, _) = two_apps(&acme);
    let cookie = sign_in(&acme, &person);
    let tokens = exchange(&door, &client, &code(&door, &cookie, &client)).ok();
    let bearer = acme.with_token(text(&tokens, "access_token"));
    let info = |origin: &str| bearer.call("GET", "/oauth/userinfo").header("Origin", origin).send();
    assert_eq!((info(PAGE).status(), reader(&info(PAGE))), (200, Some(PAGE)));
    assert_eq!(reader(&info(OTHER)), None);
    assert_eq!(
        reader(
            &host
                .organization("globex", &[])
                .anonymous()
                .call("GET", "/oauth/jwks")
                .header("Origin", PAGE)
                .send()
        ),
        None
    );
    let path = format!("{CLIENTS}/{}", client.id);
    for bad in ["*", "https://*.example.com", "null", "https://a.test/", "http://a.test", "https://A.test"] {
        assert_eq!(pointer(&boss.patch(&path, &json!({"origins": [bad]}))), "/origins", "{bad}");
    }
    assert_eq!(pointer(&boss.patch(&path, &json!({"origins": vec![PAGE; 21]}))), "/origins");
    assert_eq!(
        pointer(&boss.post(CLIENTS, &site(&[("origins", json!([PAGE]))]))),
        "/origins",
        "it has a key"
    );
    let local = json!(["http://localhost:5173", "http://127.0.0.1:3000"]);
    assert_eq!(boss.patch(&path, &json!({"origins": local})).ok()["origins"], local);
    asked_before(&door, PAGE, "/oauth/token").problem(403, "origin_not_allowed");
    assert_eq!(
        reader(&asked_before(&door, "http://localhost:5173", "/oauth/token")),
        Some("http://localhost:5173")
    );
    boss.patch(&path, &json!({"active": false})).ok();
    asked_before(&door, "http://localhost:5173", "/oauth/token").problem(403, "origin_not_allowed");
}
