//! Files as people have them: a workbook, a CSV from a spreadsheet in another country, lines of JSON; and files that hurt.

use std::time::Duration;

use serde_json::{Value, json};
use stoa_testkit::{Answer, Client, Host, Part};
use stoa_tests::count;

const LIMIT: Duration = Duration::from_secs(60);
const ACCOUNTS: &str = "/api/v1/crm/accounts";

fn detect(owner: &Client, file: &[u8], spec: &Value) -> Answer {
    let spec = spec.to_string();
    let part = |name, body| Part { name, file_name: None, content_type: "application/octet-stream", body };
    owner.multipart("/api/v1/imports/detect", &[part("spec", spec.as_bytes()), part("file", file)])
}

/// A workbook of accounts, made by exporting some.
fn workbook(owner: &Client) -> Vec<u8> {
    for (name, industry, employees) in [("=Initech", "software", 42), ("Gekko & Co", "finance", 7)] {
        owner.post(ACCOUNTS, &json!({"name": name, "industry": industry, "employees": employees})).created();
    }
    let file = owner.get(&format!("{ACCOUNTS}/export?format=xlsx&fields=name,industry,employees"));
    file.expect(200);
    assert!(file.header("content-type").is_some_and(|kind| kind.contains("spreadsheetml")));
    file.response.body
}

#[test]
fn a_workbook_is_looked_at_mapped_and_imported() {
    let host = Host::start();
    let owner = host.organization("acme", &[]).owner();
    let file = workbook(&owner);
    let other = host.organization("globex", &[]);
    let other = other.owner();
    let found = detect(&other, &file, &json!({"entity": "crm.account"})).ok();
    assert_eq!(
        (&found["format"], &found["rows"], &found["sheet"]),
        (&json!("xlsx"), &json!(2), &json!("accounts"))
    );
    assert_eq!(found["sample"][0]["cells"]["employees"], "42");
    let job = other.finished(&other.import(&found["suggestion"]["spec"], &file), LIMIT);
    assert_eq!((&job["state"], &job["progress"]["failed"]), (&json!("succeeded"), &json!(0)), "{job}");
    let initech = other.get(&format!("{ACCOUNTS}?name={}", stoa_testkit::encode("=Initech"))).ok();
    assert_eq!(initech["data"][0]["employees"], 42, "{initech}");
}

#[test]
fn a_mapping_is_saved_and_used_for_the_next_file() {
    let host = Host::start();
    let owner = host.organization("acme", &[]).owner();
    let spec = json!({
        "entity": "crm.account", "mode": "upsert", "external_id": {"source": "erp", "column": "Nummer"},
        "mapping": {"name": {"column": "Firma"}},
    });
    let mappings = "/api/v1/imports/mappings";
    let saved = owner.post(mappings, &json!({"name": "ERP", "spec": spec})).created();
    assert_eq!((&saved["entity"], &saved["version"]), (&json!("crm.account"), &json!(1)));
    owner.post(mappings, &json!({"name": "erp", "spec": spec})).problem(409, "taken");
    let wrong =
        json!({"name": "x", "spec": {"entity": "crm.account", "mapping": {"nothing": {"column": "a"}}}});
    owner.post(mappings, &wrong).problem(422, "validation_failed");

    // "Müller & Söhne" as a spreadsheet in Vienna saves it.
    let file = b"Nummer;Firma\r\n1;M\xfcller & S\xf6hne\r\n2;Wei\xdf GmbH\r\n3;Gr\xf6\xdfe\r\n";
    let found = detect(&owner, file, &json!({"entity": "crm.account"})).ok();
    assert_eq!((&found["encoding"], &found["delimiter"]), (&json!("windows-1252"), &json!(";")));
    assert_eq!(found["suggestion"]["mapping"]["id"], saved["id"]);
    let job = owner.finished(&owner.import(&json!({"mapping_id": saved["id"]}), file), LIMIT);
    assert_eq!(job["progress"]["failed"], 0, "{job}");
    assert_eq!(count(&owner, &format!("{ACCOUNTS}?name={}", stoa_testkit::encode("Müller & Söhne"))), 1);

    let path = format!("{mappings}/{}", saved["id"].as_str().unwrap());
    let etag = owner.get(&path).etag();
    let changed = json!({"name": "ERP 2", "spec": spec});
    owner.call("PUT", &path).header("If-Match", &etag).json(&changed).send().ok();
    owner.call("PUT", &path).header("If-Match", &etag).json(&changed).send().problem(412, "version_conflict");
    assert_eq!(owner.get(mappings).ok()["data"][0]["name"], "ERP 2");
    owner.delete(&path).expect(204);
    owner.get(&path).problem(404, "mapping_not_found");
}

#[test]
fn a_file_that_hurts_is_refused_in_words_and_the_host_goes_on() {
    let host = Host::start();
    let owner = host.organization("acme", &[]).owner();
    let good = workbook(&owner);
    let spec = json!({"entity": "crm.account", "mapping": {"name": {"column": "name"}}});
    let mut bomb = good.clone();
    // What the archive says of the unpacked size of its first file, in the list at its end.
    let entry = bomb.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    bomb[entry + 24..entry + 28].copy_from_slice(&[0xff, 0xff, 0xff, 0x7f]);
    let mut quote = b"name\n\"".to_vec();
    quote.resize(3 << 20, b'x');
    let cases: [(&str, Vec<u8>, &str); 6] = [
        ("a bomb", bomb, "file_too_large"),
        ("half a workbook", good[..good.len() / 2].to_vec(), "invalid_workbook"),
        ("a quote without end", quote, "line_too_long"),
        ("a picture", [b"\x89PNG\r\n\x1a\n".as_slice(), &[0; 999]].concat(), "unsupported_format"),
        ("an old workbook", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".repeat(99), "unsupported_format"),
        ("nothing", Vec::new(), "invalid_csv"),
    ];
    for (what, file, code) in cases {
        let problem = owner.try_import(&spec, &file).problem(422, "validation_failed");
        assert_eq!(
            (&problem["errors"][0]["pointer"], &problem["errors"][0]["code"]),
            (&json!("/file"), &json!(code)),
            "{what}: {problem}"
        );
    }
    let lines =
        format!("{{\"name\":{}1{}}}\n{{\"name\":\"Hooli\"}}\n", "[".repeat(10_000), "]".repeat(10_000));
    let job = owner.finished(&owner.import(&spec, lines.as_bytes()), LIMIT);
    assert_eq!((&job["progress"]["done"], &job["progress"]["failed"]), (&json!(2), &json!(1)), "{job}");
    assert_eq!(count(&owner, ACCOUNTS), 3);
}
