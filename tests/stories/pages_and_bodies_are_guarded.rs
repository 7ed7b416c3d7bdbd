//! What pages of other origins, odd bodies and strangers' texts must not do: rows D2, D3, D7, D10, F6, F11, A17 and I12 to I14 of
//! the catalogue of attacks, against a served host.

use serde_json::{Value, json};
use stoa_testkit::{Host, Setup};

use super::a_request_is_hardened::raw;

#[test]
fn d2_d3_pages_of_other_origins_change_nothing_and_read_nothing() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let login = json!({"email": "owner@acme.example", "password": "a walk under one roof"});
    let evil = [
        "https://evil.test",
        "null",
        "https://app.example.com.evil.test",
        "http://app.example.com",
        "file://",
    ];
    owner
        .call("PUT", "/api/v1/organization/origins")
        .json(&json!({"origins": ["https://app.example.com"]}))
        .send()
        .ok();
    for origin in evil {
        let page = acme.anonymous();
        let asked = page.call("POST", "/api/v1/auth/login").header("Origin", origin).json(&login).send();
        asked.problem(403, "origin_not_allowed");
        let before = page.call("OPTIONS", "/api/v1/me").header("Origin", origin);
        let before = before.header("Access-Control-Request-Method", "GET").send();
        before.problem(403, "origin_not_allowed");
        let read = owner.call("GET", "/api/v1/me").header("Origin", origin).send();
        for answer in [&asked, &before, &read] {
            assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
            assert_eq!(answer.header("vary"), Some("Origin"), "{origin}");
        }
    }
    // Bytes beyond ASCII are harmless.
    let head = format!(
        "GET /t/acme/api/v1/me HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nOrigin: https://",
        host.address()
    );
    let answer = raw(&host, &[head.as_bytes(), b"\xff\xfe.test\r\n\r\n"].concat());
    assert!(answer.starts_with("HTTP/1.1 401 ") && !answer.contains("allow-origin"), "{answer}");
    let page = acme.anonymous();
    let asked = page.call("OPTIONS", "/api/v1/crm/accounts").header("Origin", "https://app.example.com");
    let asked = asked.header("Access-Control-Request-Method", "PATCH").send();
    assert_eq!(asked.status(), 204);
    assert_eq!(asked.header("access-control-allow-origin"), Some("https://app.example.com"));
    assert!(asked.header("access-control-allow-methods").unwrap().contains("PATCH"));
    assert_eq!(asked.header("access-control-allow-credentials"), None);
    let read = owner.call("GET", "/api/v1/me").header("Origin", "https://app.example.com").send();
    assert_eq!(read.header("access-control-allow-origin"), Some("https://app.example.com"));
    // Another organization has not listed it.
    let globex = host.organization("globex", &[]);
    let read = globex.owner().call("GET", "/api/v1/me").header("Origin", "https://app.example.com").send();
    assert_eq!(read.header("access-control-allow-origin"), None);
    for bad in ["https://*.example.com", "null", "https://a.test/x", "*"] {
        let put = owner.call("PUT", "/api/v1/organization/origins").json(&json!({"origins": [bad]})).send();
        put.problem(422, "validation_failed");
    }
    // A form, a text and a GET do not get in by another way.
    for kind in ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"] {
        acme.anonymous().raw("/api/v1/auth/login", kind, login.to_string().as_bytes()).expect(415);
    }
    let sent = acme.anonymous().get("/api/v1/auth/login?email=a&password=b");
    sent.problem(405, "method_not_allowed");
    assert!(sent.header("allow").unwrap().contains("POST"));
}

#[test]
fn d7_d10_answers_are_not_kept_not_framed_and_not_guessed_at() {
    let setup = Setup::default().environment("STOA_PUBLIC_URL", "https://crm.test");
    let host = setup.start();
    let acme = host.organization("acme", &[]);
    let answer = acme.owner().get("/api/v1/me");
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ("vary", "Origin"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(answer.header("permissions-policy").unwrap().contains("camera=()"));
    assert_eq!((answer.header("server"), answer.header("x-powered-by")), (None, None));
    for path in ["/api/v1/me/x.css", "/api/v1/me.css", "/api/v1/me%0a.css", "/api/v1/me/%2e%2e/x.js"] {
        let answer = acme.owner().get(path);
        answer.expect(404);
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    }
    assert!(
        Host::start().bare().get("/").header("strict-transport-security").is_none(),
        "no https, no promise"
    );
}

#[test]
fn f11_bodies_of_another_kind_packed_or_marked_are_refused() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let (owner, path, body) = (acme.owner(), "/api/v1/crm/accounts", br#"{"name": "Initech"}"#.as_slice());
    for kind in [
        "application/json; charset=utf-7",
        "application/json; charset=utf-16",
        "text/json",
        "application/xml",
    ] {
        owner.raw(path, kind, body).problem(415, "unsupported_media_type");
    }
    for coding in ["gzip", "br", "deflate", "zstd"] {
        let packed = owner.call("POST", path).header("Content-Type", "application/json");
        let packed = packed.header("Content-Encoding", coding).body(&[0x1F, 0x8B, 8, 0]).send();
        packed.problem(415, "unsupported_media_type");
    }
    let marked = [b"\xEF\xBB\xBF".as_slice(), body].concat();
    owner.raw(path, "application/json", &marked).problem(400, "malformed_json");
    let deep = [vec![b'['; 129], vec![b']'; 129]].concat();
    let deep = [br#"{"name":"#.as_slice(), &deep, b"}"].concat();
    owner.raw(path, "application/json", &deep).problem(400, "malformed_json");
    assert!(owner.all(path).is_empty());
}

#[test]
fn f6_a_parameter_is_known_and_stands_once_everywhere() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    for path in ["/api/v1/users", "/api/v1/crm/accounts", "/api/v1/jobs"] {
        for query in ["colour=red", "limit=1&limit=1", "limit[]=1", "limit=1&limit[]=2", "Limit=1"] {
            acme.owner().get(&format!("{path}?{query}")).expect(400);
        }
    }
}

#[test]
fn a17_a_token_outside_its_header_is_no_token_and_is_not_logged() {
    let host = Setup::default().environment("STOA_LOG", "debug").start();
    let acme = host.organization("acme", &["sales"]);
    let key = acme.api_key();
    for name in ["access_token", "token", "api_key"] {
        acme.anonymous().get(&format!("/api/v1/me?{name}={key}")).problem(401, "invalid_token");
    }
    let form = format!("access_token={key}&name=Initech");
    let sent =
        acme.anonymous().raw("/api/v1/crm/accounts", "application/x-www-form-urlencoded", form.as_bytes());
    sent.problem(401, "invalid_token");
    assert!(host.log().contains("/t/acme/api/v1/me"), "requests are logged");
    assert!(!host.log().contains(key), "their secrets are not");
}

#[test]
fn i12_i13_i14_what_strangers_write_stays_out_of_metrics_logs_and_answers() {
    let host = Setup::default().environment("STOA_LOG", "stoa=debug").start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    for path in ["/api/v1/zebra-one", "/api/v1/crm/zebra-two", "/t/zebra-three/api/v1/me", "/zebra%0a%1b[31m"]
    {
        owner.get(path).expect(404);
    }
    let told = owner.call("GET", "/api/v1/me").header("X-Request-Id", "zebra\u{7f}").attempt();
    assert!(told.is_ok());
    let long = format!("/api/v1/{}", "z".repeat(9_000));
    owner.get(&long).expect(404);
    let metrics = host.operations().get("/metrics").text();
    assert!(!metrics.contains("zebra") && metrics.contains("route=\"none\""), "{metrics}");
    let log = host.log();
    let cut = log.lines().filter(|line| line.contains("zzzz")).all(|line| line.len() < 2_000);
    assert!(cut && log.contains("zzzz"), "a long address is cut");
    assert!(!log.contains("\u{1b}[31m") && !log.contains("zebra\n"), "nobody else writes lines or colours");
    // A record that is missing, one of another organization and one that may not be read are told in the same bytes.
    let globex = host.organization("globex", &["sales"]);
    let theirs = globex.owner().post("/api/v1/crm/accounts", &json!({"name": "Theirs"})).created();
    let missing = owner.get("/api/v1/crm/accounts/00000000-0000-7000-8000-000000000000");
    let foreign = owner.get(&format!("/api/v1/crm/accounts/{}", stoa_tests::id(&theirs)));
    let plain = |answer: &stoa_testkit::Answer| {
        let mut body = answer.problem(404, "record_not_found");
        body["request_id"] = Value::Null;
        body
    };
    assert_eq!(plain(&missing), plain(&foreign));
    let refusals = [
        missing.text(),
        owner.get("/api/v1/users?limit=x").text(),
        owner.raw("/api/v1/users", "application/json", b"{").text(),
    ];
    for word in ["sqlite", "select ", ".rs", "panick", "/tmp", "poem", "serde", "hyper", "at line"] {
        assert!(!refusals.iter().any(|text| text.to_lowercase().contains(word)), "{word}: {refusals:?}");
    }
}
