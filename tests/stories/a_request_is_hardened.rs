//! Raw bytes over TCP: what two servers could read differently is refused before anything routes it, slow and greedy
//! clients are cut off, and every refusal is a problem with the headers that browsers heed.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stoa_testkit::{Host, Setup};

/// Everything the host says to `sent` until it closes the connection.
pub(super) fn raw(host: &Host, sent: &[u8]) -> String {
    let mut stream = TcpStream::connect(host.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    // The host may close before it has read everything.
    let _ = stream.write_all(sent);
    rest(&mut stream)
}

pub(super) fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut piece) {
        answer.extend_from_slice(&piece[..length]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// A request whose answer ends the connection.
pub(super) fn get(host: &Host, target: &str, headers: &str) -> String {
    let head =
        format!("GET {target} HTTP/1.1\r\nConnection: close\r\nHost: {}\r\n{headers}\r\n", host.address());
    raw(host, head.as_bytes())
}

#[track_caller]
pub(super) fn refused(answer: &str, status: u16, code: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status} {code}: {answer}");
    assert!(answer.contains("content-type: application/problem+json"), "{answer}");
    assert!(answer.contains("x-request-id: "), "{answer}");
    let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(
        (body["code"].as_str(), body["status"].as_u64()),
        (Some(code), Some(status.into())),
        "{answer}"
    );
}

#[test]
fn i1_what_two_servers_could_read_differently_is_refused_and_the_connection_closed() {
    let host = Host::start();
    let _acme = host.organization("acme", &[]);
    let smuggled = "GET /t/acme/docs HTTP/1.1\r\nHost: x\r\n\r\n";
    for bad in [
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: x, chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "Content-Length: +2\r\n\r\n{}",
        "Content-Length : 2\r\n\r\n{}",
        "X-One: a\r\n folded: b\r\n\r\n",
        "X-One: a\nX-Two: b\r\n\r\n",
        "X-One: a\rb\r\n\r\n",
    ] {
        let sent = format!("POST /t/acme/api/v1/auth/login HTTP/1.1\r\nHost: x\r\n{bad}{smuggled}");
        let answer = raw(&host, sent.as_bytes());
        refused(&answer, 400, "malformed_request");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{bad:?} let a second request through: {answer}");
    }
    let chunked = "POST /t/acme/api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                   Transfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\n\r\n";
    let answer = raw(&host, format!("{chunked}{smuggled}").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 400 ") || answer.is_empty(), "{answer}");
    assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{answer}");
    let pipelined = format!(
        "GET /t/acme/docs HTTP/1.1\r\nHost: {0}\r\n\r\nGET / HTTP/1.1\nHost: {0}\r\n\r\n",
        host.address()
    );
    let answer = raw(&host, pipelined.as_bytes());
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.contains("HTTP/1.1 400 "),
        "in their order: {answer}"
    );
}

#[test]
fn i2_a_request_names_one_host_that_this_installation_goes_by() {
    let setup = Setup::default().environment("STOA_BASE_DOMAIN", "crm.test");
    let host = setup.start();
    let acme = host.organization("acme", &[]);
    let key = format!("Authorization: Bearer {}", acme.api_key());
    let ask = |target: &str, hosts: &str| {
        let head = format!("GET {target} HTTP/1.1\r\nConnection: close\r\n{key}\r\n{hosts}\r\n");
        raw(&host, head.as_bytes())
    };
    for good in ["Host: acme.crm.test", "Host: ACME.crm.test:8443", "Host: acme.crm.test."] {
        let answer = ask("/api/v1/me", &format!("{good}\r\n"));
        assert!(answer.starts_with("HTTP/1.1 200 "), "{good}: {answer}");
    }
    assert!(ask("http://acme.crm.test/api/v1/me", "Host: acme.crm.test\r\n").starts_with("HTTP/1.1 200 "));
    refused(&ask("http://globex.crm.test/api/v1/me", "Host: acme.crm.test\r\n"), 400, "invalid_host");
    for bad in [
        "",
        "Host: acme.crm.test\r\nHost: acme.crm.test\r\n",
        "Host: acme.crm.test\r\nHost: globex.crm.test\r\n",
        "Host: acme.crm.test:1:2\r\n",
        "Host: acme.crm.test:99999\r\n",
        "Host: acme.crm.test@evil.test\r\n",
        "Host: acme.crm.test/x\r\n",
        "Host: a_b.crm.test\r\n",
        "Host:\r\n",
    ] {
        refused(&ask("/api/v1/me", bad), 400, "invalid_host");
    }
    for unknown in ["evil.test", "10.0.0.1", "evilcrm.test", "a.b.crm.test", "acme.crm.test.evil.test"] {
        refused(&ask("/api/v1/me", &format!("Host: {unknown}\r\n")), 421, "unknown_host");
    }
}

#[test]
fn i3_headers_of_proxies_are_not_believed_unless_the_operator_trusts_the_peer() {
    let spoofed = "X-Forwarded-For: 203.0.113.7\r\nX-Real-IP: 203.0.113.7\r\nForwarded: for=203.0.113.7;host=evil.test\r\n\
                   X-Forwarded-Host: evil.test\r\nX-Forwarded-Proto: https\r\nX-Original-URL: /t/acme/docs\r\n\
                   X-Rewrite-URL: /t/acme/docs\r\n";
    let host = Setup::default().environment("STOA_RATE_STRANGER", "1:3").start();
    let _acme = host.organization("acme", &[]);
    // Strangers are counted by address: whoever writes a new one for each request is still one.
    let statuses: Vec<String> = (0..6)
        .map(|n| {
            let spoofed = spoofed.replace("203.0.113.7", &format!("203.0.113.{n}"));
            get(&host, "/t/acme/api/v1/me", &spoofed).split(' ').nth(1).unwrap_or_default().to_owned()
        })
        .collect();
    assert_eq!(statuses[..3], ["401", "401", "401"]);
    assert!(statuses[3..].contains(&"429".to_owned()), "{statuses:?}");
    assert!(get(&host, "/nowhere", spoofed).starts_with("HTTP/1.1 404 "), "no header moves a request");
    // Behind a proxy that is trusted, each of them is a client of its own.
    let setup = Setup::default().environment("STOA_RATE_STRANGER", "1:3");
    let host = setup.environment("STOA_TRUSTED_PROXY", "127.0.0.0/8").start();
    let _acme = host.organization("acme", &[]);
    for n in 0..6 {
        let said = format!("X-Forwarded-For: 192.0.2.1, 203.0.113.{n}\r\n");
        assert!(get(&host, "/t/acme/api/v1/me", &said).starts_with("HTTP/1.1 401 "), "{n}");
    }
}

#[test]
fn i4_a_client_that_never_ends_its_head_is_cut_off_after_ten_seconds_and_others_are_served() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let started = Instant::now();
    let mut slow: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut stream = TcpStream::connect(host.address()).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            stream.write_all(b"GET /t/acme/api/v1/me HTTP/1.1\r\nHost: a\r\nX: ").unwrap();
            stream
        })
        .collect();
    acme.owner().get("/api/v1/me").ok();
    for stream in &mut slow {
        let _ = stream.write_all(b"y");
        refused(&rest(stream), 408, "request_too_slow");
    }
    let took = started.elapsed();
    assert!(took > Duration::from_secs(9) && took < Duration::from_secs(20), "{took:?}");
    acme.owner().get("/api/v1/me").ok();
}

#[test]
fn i5_one_client_cannot_hold_every_connection() {
    let host = Setup::default().environment("STOA_CONNECTIONS_PER_CLIENT", "8").start();
    let _acme = host.organization("acme", &[]);
    let mut held: Vec<TcpStream> = (0..8).map(|_| TcpStream::connect(host.address()).unwrap()).collect();
    for stream in &mut held {
        let head = format!("GET /t/acme/docs HTTP/1.1\r\nHost: {}\r\n\r\n", host.address());
        stream.write_all(head.as_bytes()).unwrap();
        assert_eq!(stream.read(&mut [0; 8]).unwrap(), 8, "served");
    }
    assert_eq!(get(&host, "/t/acme/docs", ""), "", "the ninth is closed");
    for stream in &held {
        stream.shutdown(Shutdown::Both).unwrap();
    }
    drop(held);
    stoa_testkit::wait_for("a free place", Duration::from_secs(10), || {
        get(&host, "/t/acme/docs", "").starts_with("HTTP/1.1 200 ").then_some(())
    });
    assert!(host.operations().get("/metrics").text().contains("stoa_http_connections_refused_total"));
}

#[test]
fn i6_heads_have_bounds() {
    let host = Host::start();
    refused(&get(&host, "/t/acme/docs", &"A: b\r\n".repeat(101)), 431, "headers_too_large");
    refused(
        &get(&host, "/t/acme/docs", &format!("A: {}\r\n", "b".repeat(1 << 20))),
        431,
        "headers_too_large",
    );
    refused(&get(&host, &format!("/{}", "a".repeat(64 << 10)), ""), 414, "address_too_long");
    let method = format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", "M".repeat(8 << 10));
    refused(&raw(&host, method.as_bytes()), 400, "malformed_request");
}

#[test]
fn i7_a_body_without_end_is_refused_at_the_limit_and_not_kept() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let mut stream = TcpStream::connect(host.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = format!(
        "POST /t/acme/api/v1/crm/accounts HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        host.address(),
        acme.api_key()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let piece = [b' '; 64 * 1024];
    let mut sent = 0_usize;
    // A gigabyte, if anybody took it.
    while sent < 1 << 30 {
        let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), &piece, b"\r\n"].concat();
        if stream.write_all(&chunk).is_err() {
            break;
        }
        sent += piece.len();
    }
    assert!(sent < 64 << 20, "{sent} bytes were taken");
    let owner = acme.owner();
    let announced = owner.call("POST", "/api/v1/crm/accounts");
    let answer = announced.header("Content-Type", "application/json").body(&vec![b' '; (1 << 20) + 1]).send();
    answer.problem(413, "body_too_large");
}

#[test]
fn e15_e21_a_path_has_one_spelling_and_an_organization_one_name() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let key = format!("Authorization: Bearer {}\r\n", acme.api_key());
    assert!(get(&host, "/t/acme/api/v1/me", &key).starts_with("HTTP/1.1 200 "));
    for path in [
        "/t/acme//api/v1/me",
        "/t/acme/api/v1/./me",
        "/t/acme/api/v1/x/../me",
        "/t/acme/api/v1/me/",
        "/t/acme/api/v1/me.",
        "/t/acme/api/v1/me;x=1",
        "/t/acme/api/v1%2fme",
        "/t/acme/api/v1/%6de",
        "/t/acme/api/v1/ME",
        "/T/acme/api/v1/me",
        "/t/ACME/api/v1/me",
        "/t/acme/api/v1/me%00",
        "/t/acme/api/v1/me%20",
        "/t/acme\\api/v1/me",
        "/t/../api/v1/me",
        "/t/..%2facme/api/v1/me",
        "/t/a_b/api/v1/me",
        "/t/%00/api/v1/me",
        "/t/con/api/v1/me",
        "/t/acm%/api/v1/me",
        "/t/xn--80ak6aa92e/api/v1/me",
        "/t//api/v1/me",
        "/t/acme/api/v1/..%2f..%2fetc%2fpasswd",
    ] {
        let answer = get(&host, path, &key);
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
        assert!(answer.contains("application/problem+json"), "{path}: {answer}");
    }
    let long = format!("/t/{}/api/v1/me", "a".repeat(64));
    refused(&get(&host, &long, &key), 404, "organization_not_found");
    assert!(!host.data().join("etc").exists());
}

#[test]
fn e16_no_header_changes_the_method_and_every_method_meets_the_same_guard() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let account = owner.post("/api/v1/crm/accounts", &json!({"name": "Initech"})).created();
    let path = format!("/api/v1/crm/accounts/{}", stoa_tests::id(&account));
    for name in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"] {
        owner.call("GET", &path).header(name, "DELETE").send().ok();
        owner.get(&path).ok();
    }
    owner.get(&format!("{path}?_method=DELETE")).expect(400);
    for method in ["HEAD", "OPTIONS", "TRACE", "PROPFIND"] {
        for path in [path.as_str(), "/api/v1/users", "/api/v1/me"] {
            let head = |token: &str| {
                let (slug, at) = (acme.slug(), host.address());
                let line =
                    format!("{method} /t/{slug}{path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n");
                raw(&host, format!("{line}{token}\r\n").as_bytes())
            };
            assert!(head("").starts_with("HTTP/1.1 401 "), "{method} {path}: {}", head(""));
            let known = head(&format!("Authorization: Bearer {}\r\n", acme.api_key()));
            if method == "HEAD" {
                assert!(known.starts_with("HTTP/1.1 200 "), "{path}: {known}");
            } else {
                assert!(known.starts_with("HTTP/1.1 405 "), "{method} {path}: {known}");
                assert!(known.contains("\r\nallow: ") && known.contains("GET"), "{method} {path}: {known}");
            }
        }
    }
}
