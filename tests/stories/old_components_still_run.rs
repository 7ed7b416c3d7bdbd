//! The museum: components as they were compiled with the SDK of each published contract (`tests/museum/<version>`), run by the
//! present host. What is there is never compiled again; `cargo xtask museum` adds the exhibits of a new version.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stoa_testkit::{Host, Organization};
use stoa_tests::{id, text};

use super::a_plugin_of_another_language_runs as another_language;

const PIECES: &str = "/api/v1/exhibit/pieces";

fn folder(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(of)
}

fn names(of: &Path) -> BTreeSet<String> {
    let name =
        |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().to_string_lossy().into_owned();
    fs::read_dir(of).unwrap().map(name).collect()
}

#[test]
fn every_published_contract_has_exhibits_that_are_small_and_made_for_it() {
    let published = names(&folder("../sdk/wit/published"));
    assert_eq!(names(&folder("museum")), published, "`cargo xtask museum` makes what is missing");
    for version in published {
        let rooms = folder("museum").join(&version);
        assert!(rooms.join("exhibit").is_dir(), "{version}");
        for exhibit in names(&rooms) {
            let parts = names(&rooms.join(&exhibit));
            assert!(parts.iter().eq(["component.wasm", "manifest.json", "sql.json"]), "{exhibit}: {parts:?}");
            let component = fs::read(rooms.join(&exhibit).join("component.wasm")).unwrap();
            assert!(component.len() < 300 << 10, "{exhibit} of {version}: {} bytes", component.len());
            let made_for = format!("stoa:plugin/actions@{version}");
            let found = component.windows(made_for.len()).any(|bytes| bytes == made_for.as_bytes());
            assert!(found, "{exhibit} was not made for {version}");
        }
    }
}

#[test]
fn components_of_every_published_contract_run_in_this_host() {
    for version in names(&folder("museum")) {
        let rooms = folder("museum").join(&version);
        let host = Host::start_with(&rooms);
        let exhibits = names(&rooms);
        let modules: Vec<&str> = exhibits.iter().map(String::as_str).collect();
        let acme = host.organization("acme", &modules);
        tour(&acme, &host);
        if exhibits.contains("iban") {
            another_language::its_story(&acme);
        }
    }
}

/// What an exhibit does: hooks, an action that writes, one that reads, a report, SQL, settings, the log.
fn tour(acme: &Organization<'_>, host: &Host) {
    let owner = acme.owner();
    let vase = json!({
        "name": "  Vase ", "weight": 2500, "value": {"amount": "1200.00", "currency": "EUR"}, "found_on": "2001-05-04",
    });
    let vase = owner.post(PIECES, &vase).created();
    let path = format!("{PIECES}/{}", id(&vase));
    let read = owner.get(&path).ok();
    assert_eq!((text(&read, "name"), &read["looks"]), ("Vase", &json!(0)), "before_create changed it");
    let labels = owner.all("/api/v1/exhibit/labels");
    assert_eq!(labels.len(), 1, "after_create wrote one");
    assert_eq!((text(&labels[0], "text"), text(&labels[0], "piece")), ("Vase, new", id(&vase)));
    let refusal = owner
        .post(PIECES, &json!({"name": "Robot", "found_on": "2999-01-01"}))
        .problem(422, "validation_failed");
    assert_eq!(
        (text(&refusal["errors"][0], "code"), text(&refusal["errors"][0], "pointer")),
        ("in_the_future", "/found_on")
    );
    owner.patch(&path, &json!({"name": " Old vase "})).ok();
    assert_eq!(text(&owner.get(&path).ok(), "name"), "Old vase", "before_update changed it");

    let look = format!("{path}/look");
    owner.post(&look, &json!({"name": "Ann"})).ok();
    let seen = owner.post(&look, &json!({"name": "Ann"})).ok();
    let expected = json!({
        "looks": 2, "visits": 2, "organization": "acme", "source": "api", "may_delete": true, "greeting": "Welcome",
    });
    assert_eq!(seen, expected, "the action wrote the record and its private table");
    assert!(host.log().contains("Ann looked at Old vase"));
    let refusal = owner.post(&look, &json!({"name": "nobody"})).problem(409, "nobody_looks");
    assert_eq!(refusal["allowed"], json!(["anybody"]), "{refusal}");
    assert_eq!(owner.get(&path).ok()["looks"], json!(2), "nothing of a refused action is kept");

    owner.post(PIECES, &json!({"name": "Coin", "weight": 8})).created();
    let weighed = |path: &str| owner.get(path).ok();
    assert_eq!(weighed(&format!("{PIECES}/weigh?weight=100")), json!({"count": 1, "weight": 2500}));
    let rep = acme.key("rep");
    assert_eq!(rep.post(&format!("{PIECES}/weigh"), &json!({})).ok(), json!({"count": 0, "weight": 0}));

    let report = owner.get("/api/v1/exhibit/reports/catalogue").ok();
    let rows: Vec<&Value> = report["rows"].as_array().unwrap().iter().collect();
    assert_eq!(
        (rows.len(), text(rows[0], "name"), text(rows[1], "name")),
        (2, "Coin", "Old vase"),
        "{report}"
    );
    assert_eq!(rows[1]["value"], json!({"amount": "1200.00", "currency": "EUR"}));
    assert_eq!((&rows[0]["value"], text(rows[1], "found_on")), (&Value::Null, "2001-05-04"));
}
