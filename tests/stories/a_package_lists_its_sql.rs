//! A plugin runs the SQL that its package lists and no other; and a package whose SQL costs too much is not loaded at all.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stoa_testkit::{Finished, Host, Setup};

fn guests() -> Option<PathBuf> {
    let folder = std::env::var_os("STOA_GUESTS").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: STOA_GUESTS names no packages; `cargo xtask test` builds them");
    }
    folder
}

fn listing(texts: &[&str]) -> String {
    let mut texts = texts.to_vec();
    texts.sort_unstable();
    let texts: Vec<Value> = texts.iter().map(|text| json!({ "text": text })).collect();
    json!({ "v": 1, "texts": texts }).to_string()
}

/// What a host says to a package that lists these texts.
fn offered(host: &Host, texts: &[&str]) -> Finished {
    let folder = tempfile::tempdir().unwrap();
    let package = folder.path().join("thief");
    fs::create_dir(&package).unwrap();
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/thief/manifest.json");
    fs::copy(manifest, package.join("manifest.json")).unwrap();
    let component = Path::new(env!("CARGO_MANIFEST_DIR")).join("museum/1.0.0/exhibit/component.wasm");
    fs::copy(component, package.join("component.wasm")).unwrap();
    fs::write(package.join("sql.json"), listing(texts)).unwrap();
    host.cli(&["org", "list", "--plugins", &folder.path().to_string_lossy()])
}

/// Each level names the one below twice; how, says `level`.
fn doubled(levels: usize, level: impl Fn(usize) -> String) -> String {
    let levels: Vec<String> = (1..=levels).map(level).collect();
    format!("with c0 (x) as (values (1)), {} select count(*) from c{}", levels.join(", "), levels.len())
}

fn stopped() -> Host {
    let mut host = Host::start();
    host.stop();
    host
}

#[test]
fn texts_that_explode_while_they_are_compiled_keep_their_package_out() {
    let host = stopped();
    let union =
        doubled(24, |n| format!("c{n} (x) as (select x from c{0} union select x + 1 from c{0})", n - 1));
    let join = doubled(24, |n| format!("c{n} (x) as (select a.x + b.x from c{0} a, c{0} b)", n - 1));
    // Small, but planning it takes minutes.
    let slow = doubled(14, |n| format!("c{n} (x) as (select a.x + b.x from c{0} a, c{0} b)", n - 1));
    let once =
        doubled(24, |n| format!("c{n} (x) as materialized (select a.x + b.x from c{0} a, c{0} b)", n - 1));
    let nested =
        (0..28).fold("select 1 as x".to_owned(), |inner, _| format!("select x + x as x from ({inner})"));
    for bomb in [union, join, slow, once, nested] {
        let started = Instant::now();
        let answer = offered(&host, &["select 1", &bomb]);
        assert!(!answer.succeeded, "{bomb}");
        assert!(answer.stderr.contains(&bomb[..60]), "the text is named: {}", answer.stderr);
        // Two seconds of the child's processor time, on whatever machine this is.
        assert!(started.elapsed() < Duration::from_secs(60), "{bomb}: {:?}", started.elapsed());
    }
    offered(&host, &["select 1", "select count(*) from visible_thing"]).ok();
}

#[test]
fn texts_that_a_plugin_may_not_use_keep_its_package_out() {
    let host = stopped();
    for (text, why) in [
        ("select entity from _stoa_changes", "not allowed"),
        ("pragma database_list", "not allowed"),
        ("attach database 'crm.sqlite' as other", "not allowed"),
        ("update thing set name = 'broken'", "not allowed"),
        ("select name from account", "no such table"),
        ("select", "incomplete input"),
    ] {
        let answer = offered(&host, &["select 1", text]);
        assert!(!answer.succeeded && answer.stderr.contains(text), "{text}: {}", answer.stderr);
        assert!(answer.stderr.contains(why), "{text}: {}", answer.stderr);
    }
}

#[test]
fn a_package_is_compiled_once() {
    let Some(guests) = guests() else { return };
    let mut host = Setup::default().plugins(&guests).fresh().start();
    let compiled = |host: &Host| host.log().lines().filter(|line| line.contains("compiling SQL")).count();
    let first = compiled(&host);
    assert!(first > 0, "{}", host.log());
    host.restart();
    assert_eq!(compiled(&host), first, "{}", host.log());
}

#[test]
fn a_text_that_its_package_does_not_list_is_refused_before_it_is_looked_at() {
    let Some(guests) = guests() else { return };
    let folder = tempfile::tempdir().unwrap();
    for (package, with_sql) in [("hostile", true), ("kitchen", false)] {
        let (from, to) = (guests.join(package), folder.path().join(package));
        fs::create_dir(&to).unwrap();
        for file in ["manifest.json", "component.wasm", "sql.json"] {
            if with_sql || file != "sql.json" {
                fs::copy(from.join(file), to.join(file)).unwrap();
            }
        }
    }
    let host = Host::start_with(folder.path());
    let module = |name: &str| {
        let manifest = fs::read_to_string(folder.path().join(name).join("manifest.json")).unwrap();
        serde_json::from_str::<Value>(&manifest).unwrap()["module"].as_str().map(str::to_owned)
    };
    let modules: Vec<String> = ["hostile", "kitchen"].into_iter().filter_map(module).collect();
    let modules: Vec<&str> = modules.iter().map(String::as_str).collect();
    let owner = host.organization("acme", &modules).owner();
    owner.get("/api/v1/hostile/reports/honest").ok();
    owner.post("/api/v1/hostile/things/host_table", &json!({})).problem(502, "plugin_forbidden");
    let refusals = |log: &str| log.lines().filter(|line| line.contains("sql_not_listed")).count();
    assert_eq!(refusals(&host.log()), 1, "{}", host.log());
    // A package without a list may use no SQL, whatever it is; and the operator is told at the start.
    owner.post("/api/v1/kitchen/open", &json!({})).problem(502, "plugin_forbidden");
    assert_eq!(refusals(&host.log()), 2, "{}", host.log());
    assert!(host.log().contains("do not stand in sql.json"), "{}", host.log());
}
