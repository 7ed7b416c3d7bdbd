//! What goes out: all that the caller may read and export, safe for spreadsheets, with a trail.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use stoa_testkit::{Client, Host, wait_for};

const ACCOUNTS: &str = "/api/v1/crm/accounts";

#[test]
fn an_export_has_the_filter_and_order_of_its_list_and_leaves_a_trail() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    for at in 0..30 {
        let industry = if at % 2 == 0 { "software" } else { "retail" };
        owner.post(ACCOUNTS, &json!({"name": format!("A{at:02}"), "industry": industry})).created();
    }
    let parent = owner.post(ACCOUNTS, &json!({"name": "@Parent"})).created();
    owner.post(ACCOUNTS, &json!({"name": "Child", "parent": parent["id"]})).created();

    let query = "format=csv&fields=name,industry&industry=software&sort=-name";
    let answer = owner.get(&format!("{ACCOUNTS}/export?{query}"));
    answer.expect(200);
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/csv")));
    assert_eq!(answer.header("content-disposition"), Some("attachment; filename=\"accounts.csv\""));
    let text = answer.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        (lines.len(), lines[0], lines[1], lines[15]),
        (16, "name,industry", "A28,software", "A00,software")
    );

    let titled =
        owner.get(&format!("{ACCOUNTS}/export?format=csv&fields=name,parent&titles=true&name=Child")).text();
    assert_eq!(
        titled,
        format!("name,parent,parent.title\r\nChild,{},'@Parent\r\n", parent["id"].as_str().unwrap())
    );
    let lines = owner.get(&format!("{ACCOUNTS}/export?format=jsonl&name=Child")).text();
    let child: Value = serde_json::from_str(lines.trim_end()).unwrap();
    assert_eq!((&child["name"], &child["parent"]), (&json!("Child"), &parent["id"]));

    let trail = owner.get("/api/v1/exports").ok();
    let trail = trail["data"].as_array().unwrap();
    assert_eq!(trail.len(), 3);
    assert_eq!(
        (&trail[2]["query"], &trail[2]["rows"], &trail[2]["outcome"]),
        (&json!(query), &json!(15), &json!("complete"))
    );
    assert_eq!((&trail[0]["entity"], &trail[0]["format"]), (&json!("crm.account"), &json!("jsonl")));
}

#[test]
fn an_export_is_refused_to_whom_may_not_and_for_what_is_not() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    for (query, code) in [
        ("", "invalid_format"),
        ("?format=pdf", "invalid_format"),
        ("?format=csv&fields=secret", "unknown_field"),
        ("?format=csv&limit=5", "unknown_parameter"),
        ("?format=csv&titles=yes", "invalid_parameter"),
        ("?format=csv&format=csv", "duplicate_parameter"),
        ("?format=csv&sort=nothing", "invalid_sort"),
    ] {
        owner.get(&format!("{ACCOUNTS}/export{query}")).problem(400, code);
    }
    let post = owner.post(&format!("{ACCOUNTS}/export?format=csv"), &json!({}));
    post.problem(405, "method_not_allowed");
    acme.anonymous().get(&format!("{ACCOUNTS}/export?format=csv")).problem(401, "invalid_token");
    let reader = acme.key("readonly");
    reader.get(&format!("{ACCOUNTS}/export?format=csv")).problem(403, "forbidden");
    reader.get("/api/v1/exports").problem(403, "forbidden");
}

/// Begins an export and reads no further than that it has begun.
fn stalled(host: &Host, owner: &Client, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(host.address()).unwrap();
    stream.write_all(&owner.call("GET", path).rendered(true)).unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    stream
}

#[test]
fn more_exports_than_there_is_room_for_are_told_when_to_come_back() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    // More than the sockets between them hold: whoever does not read keeps his place.
    let text = "x".repeat(10_000);
    let rows = (0..2_000).map(|row| format!("A{row},{text}\n"));
    let csv = format!("name,description\n{}", rows.collect::<String>());
    let spec = json!({
        "entity": "crm.account",
        "mapping": {"name": {"column": "name"}, "description": {"column": "description"}},
    });
    let made = owner.finished(&owner.import(&spec, csv.as_bytes()), Duration::from_secs(120));
    assert_eq!((&made["state"], &made["progress"]["failed"]), (&json!("succeeded"), &json!(0)));

    let path = format!("{ACCOUNTS}/export?format=jsonl");
    let mut waiting: Vec<TcpStream> = (0..8).map(|_| stalled(&host, &owner, &path)).collect();
    let refused = owner.get(&path);
    refused.problem(503, "busy");
    assert!(refused.header("retry-after").and_then(|seconds| seconds.parse::<u64>().ok()) > Some(0));
    waiting.pop();
    let answer = wait_for("a place to become free", Duration::from_secs(30), || {
        Some(owner.get(&path)).filter(|answer| answer.status() == 200)
    });
    assert_eq!(answer.text().lines().count(), 2_000);
}
