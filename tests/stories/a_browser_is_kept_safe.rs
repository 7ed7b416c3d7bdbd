//! What pages, answers and their cookies do in a browser: fields of passwords, types, redirects, folders, what is kept; and
//! what an operator and an owner see of it.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stoa_testkit::{Client, Host, Setup};
use stoa_tests::{id, text};

use super::a_program_signs_people_in::{member, registered};
use super::a_request_is_hardened::raw;
use crate::door::{Door, PASSWORD, mails, person, token};

/// The pages of an organization, and the script of each.
const PAGES: [(&str, &str); 6] = [
    ("/auth/sign-in", "/auth/sign-in.js"),
    ("/auth/reset", "/auth/reset.js"),
    ("/auth/email", "/auth/email.js"),
    ("/auth/consent", "/auth/consent.js"),
    ("/auth/setup", "/auth/setup/setup.js"),
    ("/docs", "/docs/start.js"),
];

#[test]
fn fields_of_passwords_are_masked_and_take_what_is_pasted() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let mut fields = 0;
    for (page, script) in PAGES {
        let html = acme.anonymous().get(page).expect(200).text();
        for input in html.split("<input ").skip(1).filter_map(|rest| rest.split('>').next()) {
            if !input.contains("-password\"") && !input.contains("id=\"password\"") {
                continue;
            }
            assert!(input.contains("type=\"password\""), "{page}: {input}");
            assert!(
                input.contains("autocomplete=\"current-password\"")
                    || input.contains("autocomplete=\"new-password\""),
                "a password manager knows it: {page}: {input}"
            );
            fields += 1;
        }
        let code = acme.anonymous().get(script).expect(200).text();
        for hindrance in ["paste", "oncopy", "oncontextmenu", "beforeinput"] {
            assert!(!html.contains(hindrance) && !code.contains(hindrance), "{page}: {hindrance}");
        }
    }
    assert!(fields >= 4, "{fields}");
}

#[test]
fn pages_keep_nothing_take_no_messages_and_ask_nobody_else() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    for (page, script) in PAGES {
        let html = acme.anonymous().get(page).expect(200).text();
        let code = acme.anonymous().get(script).expect(200).text();
        // The sign-in page keeps the name of the request to go on with while its person is with a provider, and nothing else.
        let kept = code.matches("sessionStorage").count();
        let named: usize = ["getItem(kept)", "setItem(kept, request)", "removeItem(kept)"]
            .map(|use_of| code.matches(&format!("sessionStorage.{use_of}")).count())
            .iter()
            .sum();
        assert!(kept == named && (kept == 0 || page == "/auth/sign-in"), "{page} keeps something");
        for way in [
            "localStorage",
            "indexedDB",
            "document.cookie",
            "postMessage",
            "\"message\"",
            "onmessage",
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "<object",
            "<embed",
            "<applet",
            "<iframe",
            "http://",
            "https://",
        ] {
            assert!(!html.contains(way) && !code.contains(way), "{page}: {way}");
        }
    }
}

#[test]
fn every_answer_says_what_it_is() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    owner.post("/api/v1/crm/accounts", &json!({"name": "Initech"})).created();
    let kind = |client: &Client, path: &str| client.get(path).header("content-type").map(str::to_owned);
    for (path, expected) in [
        ("/api/v1/me", "application/json"),
        ("/api/v1/crm/accounts", "application/json"),
        ("/openapi.json", "application/vnd.oai.openapi+json;version=3.1"),
        ("/.well-known/openid-configuration", "application/json"),
        ("/oauth/jwks", "application/json"),
        ("/api/v1/nothing", "application/problem+json"),
        ("/api/v1/crm/accounts?limit=x", "application/problem+json"),
        ("/oauth/authorize", "text/html; charset=utf-8"),
        ("/docs", "text/html; charset=utf-8"),
        ("/docs/swagger-ui.js", "text/javascript; charset=utf-8"),
        ("/docs/swagger-ui.css", "text/css; charset=utf-8"),
        ("/auth/sign-in", "text/html; charset=utf-8"),
        ("/auth/sign-in.js", "text/javascript; charset=utf-8"),
        ("/auth/page.css", "text/css; charset=utf-8"),
        ("/api/v1/crm/accounts/export?format=csv", "text/csv; charset=utf-8; header=present"),
        ("/api/v1/crm/accounts/export?format=jsonl", "application/jsonl; charset=utf-8"),
    ] {
        let said = kind(&owner, path).unwrap_or_default();
        let plain = said.strip_suffix("; charset=utf-8").filter(|kind| kind.ends_with("json"));
        assert_eq!(plain.unwrap_or(&said), expected, "{path}");
    }
    let metrics = kind(&host.operations(), "/metrics").unwrap_or_default();
    assert!(metrics.starts_with("text/plain") && metrics.ends_with("charset=utf-8"), "{metrics}");
}

#[test]
fn nobody_is_sent_from_http_to_https() {
    let host = Setup::default().environment("STOA_PUBLIC_URL", "https://crm.test").start();
    let acme = host.organization("acme", &[]);
    for path in [
        "/t/acme/api/v1/me",
        "/t/acme/api/v1/organization",
        "/t/acme/.well-known/openid-configuration",
        "/t/acme/oauth/jwks",
        "/t/acme/openapi.json",
    ] {
        let head = format!(
            "GET {path} HTTP/1.1\r\nConnection: close\r\nHost: crm.test\r\nX-Forwarded-Proto: http\r\n\
             Authorization: Bearer {}\r\n\r\n",
            acme.api_key()
        );
        let answer = raw(&host, head.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
        assert!(!answer.to_lowercase().contains("\r\nlocation:"), "{path}: {answer}");
    }
}

#[test]
fn no_folder_is_listed_and_nothing_of_the_source_is_served() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let listeners =
        [host.bare().with_token(acme.api_key()), acme.owner(), host.operations(), host.platform()];
    for path in [
        "/.git/HEAD",
        "/.git/config",
        "/.svn/entries",
        "/.hg/store",
        "/.env",
        "/Cargo.toml",
        "/src",
        "/auth/",
        "/auth",
        "/docs/",
        "/api/",
        "/api/v1/",
        "/api/v1",
        "/oauth/",
        "/control.sqlite",
        "/organizations/",
        "/secrets",
        "/master.key",
        "/spool/mail/",
        "/debug/pprof",
        "/server-status",
        "/actuator",
    ] {
        for listener in &listeners {
            let answer = listener.get(path);
            answer.problem(404, answer.json()["code"].as_str().unwrap_or_default());
            assert!(answer.text().len() < 1_000, "{path}: {}", answer.text());
        }
    }
}

#[test]
fn nobody_is_asked_a_secret_question() {
    let host = Host::start();
    let document = host.organization("acme", &[]).owner().get("/openapi.json").ok();
    let mut names = BTreeSet::new();
    members(&document["components"]["schemas"], &mut names);
    assert!(names.contains("password") && names.len() > 100, "{names:?}");
    for name in names.iter().map(|name| name.to_lowercase()) {
        for word in ["question", "hint", "mother", "pet_name"] {
            assert!(!name.contains(word), "{name}");
        }
    }
}

/// The names of the members that schemas declare.
fn members(schema: &Value, names: &mut BTreeSet<String>) {
    if let Some(object) = schema.as_object() {
        names.extend(
            object
                .get("properties")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .map(|one| one.0.clone()),
        );
        object.values().for_each(|value| members(value, names));
    }
    schema.as_array().into_iter().flatten().for_each(|value| members(value, names));
}

#[test]
fn what_gives_access_is_long_and_never_the_same() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    let email = person(&owner, &acme.anonymous(), "ann");
    let service = json!({"name": "Robot", "role": "readonly"});
    let client = json!({
        "name": "Site", "kind": "web", "auth_method": "client_secret_basic", "scopes": ["openid"],
        "grants": ["authorization_code"], "redirect_uris": ["https://app.example.com/cb"],
    });
    let who = member(&acme);
    let mut secrets = Vec::new();
    for _ in 0..3 {
        let mut door = Door::new(acme.anonymous());
        door.say(&email, PASSWORD).ok();
        secrets.push(door.cookie().to_owned());
        secrets.push(door.complete().0);
        let people = owner.get("/api/v1/users?limit=200").ok();
        let ann = people["data"].as_array().unwrap().iter().find(|one| one["email"] == json!(email)).unwrap();
        let link = owner.post(&format!("/api/v1/users/{}/invitation", id(ann)), &json!({})).created();
        secrets.push(text(&link, "setup_url").split_once("#token=").unwrap().1.to_owned());
        secrets.push(
            text(&acme.owner_in_person().post("/api/v1/api-keys", &service).created(), "secret").to_owned(),
        );
        secrets.push(registered(&acme, &who, &client).secret.unwrap());
        acme.anonymous().post("/api/v1/auth/reset", &json!({"email": email})).accepted();
    }
    secrets.extend(mails(&host, "A new password").iter().map(|mail| token(mail)));
    assert!(secrets.len() >= 16, "{}", secrets.len());
    for secret in &secrets {
        // What stands behind the kind; 43 letters of base64url are 256 bits. A key's id and checksum come on top.
        let random =
            secret.strip_prefix("stoa_").and_then(|rest| rest.split_once('_')).map_or(&**secret, |two| two.1);
        let more = if secret.starts_with("stoa_k1_") { 32 } else { 0 };
        assert!(random.len() >= 43 + more, "{secret}");
        let differs = |other: &String| {
            other == secret
                || secret.bytes().zip(other.bytes()).filter(|(one, other)| one != other).count() > 20
        };
        assert!(secrets.iter().all(differs), "{secret}");
    }
    assert_eq!(secrets.iter().collect::<BTreeSet<_>>().len(), secrets.len(), "each is new");
}

#[test]
fn an_owner_ends_one_session_of_a_person_and_all_of_them() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    let email = person(&owner, &acme.anonymous(), "ann");
    let signed_in = || {
        let mut door = Door::new(acme.anonymous());
        door.say(&email, PASSWORD).ok();
        acme.with_token(&door.complete().1)
    };
    let (desk, phone) = (signed_in(), signed_in());
    let ann = desk.get("/api/v1/me").ok();
    let all = format!("/api/v1/sessions?user={}", id(&ann));
    let of_phone = phone.get("/api/v1/me/sessions").ok();
    let current =
        of_phone["data"].as_array().unwrap().iter().find(|one| one["current"] == json!(true)).unwrap();
    assert_eq!(owner.get(&all).ok()["data"].as_array().map(Vec::len), Some(2));
    desk.get(&all).problem(403, "forbidden");

    owner.delete(&format!("/api/v1/sessions/{}", id(current))).expect(204);
    phone.get("/api/v1/me").problem(401, "invalid_token");
    desk.get("/api/v1/me").ok();
    owner.delete(&all).expect(204);
    desk.get("/api/v1/me").problem(401, "invalid_token");
    assert_eq!(owner.get(&all).ok()["data"], json!([]));
}

#[test]
fn lines_of_the_log_are_objects_with_their_time_in_utc() {
    let host =
        Setup::default().environment("STOA_LOG", "stoa=debug").environment("STOA_LOG_FORMAT", "json").start();
    let acme = host.organization("acme", &[]);
    let asked = acme.owner().get("/api/v1/me");
    asked.ok();
    let _ = acme.owner().call("GET", "/api/v1/a\"b}").attempt();
    let _ = acme.owner().call("GET", "/api/v1/%0a%0dx").attempt();
    acme.anonymous().post("/api/v1/auth/login", &json!({"email": "ann@acme.example", "password": PASSWORD}));
    let log = host.log();
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(lines.len() > 3 && lines.len() + 2 >= log.lines().count(), "each line is one object: {log}");
    for line in &lines {
        let at = text(line, "timestamp");
        assert!(at.ends_with('Z') && at.contains('T') && at.starts_with("20"), "{line}");
        assert!(
            line["level"].is_string() && line["target"].is_string() && line["fields"].is_object(),
            "{line}"
        );
    }
    let id = asked.header("x-request-id").unwrap();
    let served = lines.iter().find(|line| line["fields"]["request"] == json!(id)).unwrap();
    assert_eq!((&served["fields"]["method"], &served["fields"]["status"]), (&json!("GET"), &json!(200)));
    assert!(!log.contains(PASSWORD) && !log.contains(acme.api_key()), "no secret is in it");
}
