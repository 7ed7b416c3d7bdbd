//! What a publisher uploads is looked at before anything compiles it, and a call has what its manifest asks for and no more.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stoa_testkit::{Answer, Client, Host};
use stoa_tests::text;
use wit_component::StringEncoding;

use super::a_hostile_plugin_is_refused::{act, guests, refused, wanting};
use super::a_package_is_published::{Desk, organization, put, trust, upload};
use super::packages_are_signed::bomb;
use crate::staff::claim;

/// What an upload is told, the place and the words.
fn faults(answer: &Answer) -> Vec<(String, String)> {
    let problem = answer.problem(422, "package_refused");
    let faults = problem["errors"].as_array().unwrap().iter();
    faults.map(|fault| (text(fault, "pointer").to_owned(), text(fault, "detail").to_owned())).collect()
}

#[test]
fn a_component_that_no_host_should_compile_is_refused_by_name_and_not_kept() {
    let (desk, host) = (Desk::new(), Host::start());
    let staff = claim(&host).client;
    trust(&staff, "acme", "verified", &desk.key("acme")).created();
    let asks = |package: &str, interface: &str, encoding| {
        wanting((package, interface, "1.0.0"), "write: func(level: string, message: string);", encoding)
    };
    for (version, component, words) in [
        ("1.0.0", asks("wasi:sockets", "tcp", StringEncoding::UTF8), "`wasi:sockets/tcp@1.0.0`"),
        ("1.0.1", asks("wasi:filesystem", "types", StringEncoding::UTF8), "`wasi:filesystem/types@1.0.0`"),
        ("1.0.2", asks("stoa:plugin", "log", StringEncoding::UTF16), "UTF-16"),
        ("1.0.3", asks("stoa:plugin", "log", StringEncoding::CompactUTF16), "UTF-16"),
        ("1.0.4", bomb(), "divide it"),
        ("1.0.5", asks("stoa:plugin", "log", StringEncoding::UTF8), "`stoa:plugin/hooks@1.0.0`"),
    ] {
        let package = desk.package_with(version, "acme", Some(&component), |_| ());
        let started = Instant::now();
        let told = faults(&upload(&staff, &package));
        assert!(started.elapsed() < Duration::from_secs(20), "nothing was compiled: {:?}", started.elapsed());
        let named = told.iter().any(|(place, said)| place == "/component.wasm" && said.contains(words));
        assert!(named, "{version}: {told:?}");
        // An author hears the same before publishing.
        fs::write(desk.path("bad.stoa"), &package).unwrap();
        let checked = desk.said(&["check", "bad.stoa", "--trust", "verified"]);
        assert!(!checked.0 && checked.1.contains(words), "{version}: {}", checked.1);
    }
    let listed = staff.get("/admin/v1/plugins").ok();
    assert!(listed["data"].as_array().unwrap().iter().all(|one| one["plugin"] != "kitchen"), "{listed}");
    let kept = fs::read_dir(host.data().join("plugins")).map_or(0, Iterator::count);
    assert_eq!(kept, 0, "nothing of what was refused is kept");
}

#[test]
fn limits_are_asked_for_up_to_the_ceiling_and_agreed_to() {
    let (desk, host) = (Desk::new(), Host::start());
    let staff = claim(&host).client;
    for (publisher, level) in [("acme", "verified"), ("globex", "private")] {
        trust(&staff, publisher, level, &desk.key(publisher)).created();
    }
    let asks = |limits: Value| move |manifest: &mut Value| manifest["limits"] = limits;
    for (version, key, limits, place, allowed) in [
        ("1.0.0", "acme", json!({ "memory_mib": 257 }), "/limits/memory_mib", "256"),
        ("1.0.1", "acme", json!({ "hook": { "cpu_ms": 501 } }), "/limits/hook/cpu_ms", "500"),
        ("1.0.2", "globex", json!({ "host_calls": 50_001 }), "/limits/host_calls", "50000"),
        ("1.0.3", "globex", json!({ "rows": 0 }), "/limits/rows", "at least 1"),
    ] {
        let told = faults(&upload(&staff, &desk.package(version, key, asks(limits))));
        assert!(
            matches!(&told[..], [(file, said)] if file == "/manifest.json" && said.contains(place) && said.contains(allowed)),
            "{told:?}"
        );
    }
    let raised = json!({ "memory_mib": 128, "log_kib": 16 });
    upload(&staff, &desk.package("1.1.0", "globex", asks(raised))).ok();
    drop(host.organization("customer", &["kitchen"]));
    let plugin = format!("{}/plugins/kitchen", organization(&staff, "customer"));
    let asked = put(&staff, &plugin, "1.1.0", &json!([])).problem(409, "consent_required")["added"].clone();
    let limits: Vec<_> =
        asked.as_array().unwrap().iter().filter(|word| text_of(word).starts_with("limit:")).collect();
    assert_eq!(limits, [&json!("limit:memory_mib:128")], "what is lowered needs nobody's consent");
    put(&staff, &plugin, "1.1.0", &asked).ok();
}

fn text_of(word: &Value) -> &str {
    word.as_str().unwrap_or_default()
}

/// A host with the guest that misbehaves, which asks for these limits.
fn with_limits(guests: &std::path::Path, limits: &Value) -> (tempfile::TempDir, Host) {
    let folder = tempfile::tempdir().unwrap();
    let (from, to): (PathBuf, PathBuf) = (guests.join("hostile"), folder.path().join("hostile"));
    fs::create_dir(&to).unwrap();
    for file in ["component.wasm", "sql.json"] {
        fs::copy(from.join(file), to.join(file)).unwrap();
    }
    let mut manifest: Value = serde_json::from_slice(&fs::read(from.join("manifest.json")).unwrap()).unwrap();
    manifest["limits"] = limits.clone();
    fs::write(to.join("manifest.json"), manifest.to_string()).unwrap();
    let host = Host::start_with(folder.path());
    (folder, host)
}

/// A figure of the plugin's actions.
fn most(staff: &Client, figure: &str) -> u64 {
    let usage = staff.get("/admin/v1/plugin-usage").ok();
    let hostile = usage["data"].as_array().unwrap().iter().find(|one| one["plugin"] == "hostile").unwrap();
    let calls = hostile["calls"].as_array().unwrap().iter().find(|calls| calls["kind"] == "action").unwrap();
    calls[figure].as_u64().unwrap()
}

#[test]
fn a_call_gets_what_was_raised_for_it() {
    let Some(guests) = guests() else { return };
    let limits =
        json!({ "memory_mib": 128, "host_calls": 200_000, "action": { "cpu_ms": 4_000, "wall_ms": 25_000 } });
    let (_folder, host) = with_limits(&guests, &limits);
    let acme = host.organization("acme", &["hostile"]);
    let (owner, staff) = (acme.owner(), claim(&host).client);
    assert_eq!(
        act(&owner, "calls").ok()["done"],
        true,
        "a hundred thousand host calls are too many for others"
    );
    assert_eq!(refused(&act(&owner, "balloon")), "plugin_memory_limit");
    let memory = most(&staff, "memory");
    assert!(memory > 96 << 20 && memory <= 128 << 20, "{memory}");
    let started = Instant::now();
    assert_eq!(refused(&act(&owner, "loop")), "plugin_cpu_limit");
    assert!(started.elapsed() >= Duration::from_millis(3_900), "{:?}", started.elapsed());
}

#[test]
fn a_call_is_stopped_at_what_was_lowered_for_it() {
    let Some(guests) = guests() else { return };
    let limits =
        json!({ "memory_mib": 4, "host_calls": 500, "rows": 1, "hook": { "wall_ms": 100 }, "log_kib": 1 });
    let (_folder, host) = with_limits(&guests, &limits);
    let acme = host.organization("acme", &["hostile"]);
    let (owner, staff) = (acme.owner(), claim(&host).client);
    assert_eq!(refused(&act(&owner, "balloon")), "plugin_memory_limit");
    let memory = most(&staff, "memory");
    assert!(memory <= 4 << 20, "{memory}");
    assert_eq!(refused(&act(&owner, "calls")), "plugin_host_call_limit");
    let things = "/api/v1/hostile/things";
    owner.post(things, &json!({ "name": "one" })).created();
    owner.get("/api/v1/hostile/reports/honest").ok();
    owner.post(things, &json!({ "name": "two" })).created();
    let cut = owner.get("/api/v1/hostile/reports/honest");
    assert!(cut.status() >= 400, "a result of two rows is cut, which the guest notices: {}", cut.text());
    // What is logged beyond a kilobyte is not.
    act(&owner, "chatter");
    assert!(!host.log().contains(&"x".repeat(2_048)), "a line of sixteen kilobytes was written");
}
