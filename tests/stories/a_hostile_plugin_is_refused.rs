//! A plugin that misbehaves gets a typed refusal; the next request, of whomever, is served.
//!
//! The plugin is `tests/guests`' `hostile`; its package lies in the folder named by `STOA_GUESTS`, which `cargo xtask test` sets.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use stoa_testkit::{Answer, Client, Host, Organization};
use stoa_tests::text;
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

use crate::staff::claim;

/// The packages of the guests, or the line that says why a story is skipped.
pub(super) fn guests() -> Option<PathBuf> {
    let folder = std::env::var_os("STOA_GUESTS").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: STOA_GUESTS names no packages; `cargo xtask test` builds them");
    }
    folder
}

pub(super) fn organization<'a>(host: &'a Host, guests: &std::path::Path, slug: &str) -> Organization<'a> {
    let manifest = fs::read_to_string(guests.join("hostile/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let modules: Vec<&str> = ["sales", "thief"].into_iter().chain(manifest["module"].as_str()).collect();
    host.organization(slug, &modules)
}

/// Calls an action of the plugin; where it is served, the organization's own document says.
pub(super) fn act(owner: &Client, verb: &str) -> Answer {
    act_of(owner, "hostile", verb)
}

fn act_of(owner: &Client, plugin: &str, verb: &str) -> Answer {
    let document = owner.get("/openapi.json").ok();
    let paths = document["paths"].as_object().unwrap();
    let of_plugin = format!("/{plugin}/");
    let served = |path: &&String| {
        path.contains(&of_plugin) && !path.contains('{') && path.ends_with(&format!("/{verb}"))
    };
    let spelled = verb.replace('_', "-");
    let other = |path: &&String| {
        path.contains(&of_plugin) && !path.contains('{') && path.ends_with(&format!("/{spelled}"))
    };
    let path = paths.keys().find(served).or_else(|| paths.keys().find(other));
    let path = path.unwrap_or_else(|| panic!("no action `{verb}` of {plugin} in {:?}", paths.keys()));
    owner.post(path, &json!({}))
}

/// What a refusal must be: a problem with a code that names the reason.
pub(super) fn refused(answer: &Answer) -> String {
    assert!(answer.status() >= 400, "{} {}", answer.status(), answer.text());
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{}", answer.text());
    let problem = answer.json();
    let code = text(&problem, "code").to_owned();
    assert_ne!(code, "internal", "{problem}");
    for leak in ["sqlite", "/organizations/", "wasm backtrace", "_stoa_changes"] {
        assert!(!answer.text().to_lowercase().contains(leak), "`{leak}` leaks: {problem}");
    }
    code
}

fn others_are_served(owner: &Client) {
    owner.post("/api/v1/crm/accounts", &json!({"name": "Still served"})).created();
    owner.get("/api/v1/crm/accounts?limit=1").ok();
}

#[test]
fn a_plugin_that_loops_eats_memory_or_panics_is_stopped_with_the_reason() {
    let Some(guests) = guests() else { return };
    let host = Host::start_with(&guests);
    let acme = organization(&host, &guests, "acme");
    let owner = acme.owner();
    let mut codes = Vec::new();
    for verb in ["loop", "balloon", "panic"] {
        let code = refused(&act(&owner, verb));
        assert!(code.starts_with("plugin_"), "{verb}: {code}");
        codes.push(code);
        others_are_served(&owner);
    }
    codes.dedup();
    assert_eq!(codes.len(), 3, "the reasons are told apart: {codes:?}");
}

#[test]
fn a_plugin_cannot_reach_host_tables_other_files_or_entities_by_sql() {
    let Some(guests) = guests() else { return };
    let host = Host::start_with(&guests);
    let acme = organization(&host, &guests, "acme");
    let owner = acme.owner();
    for verb in ["host_table", "attach", "other_file", "entity_write"] {
        refused(&act(&owner, verb));
        others_are_served(&owner);
    }
    assert_eq!(owner.all("/api/v1/crm/accounts").len(), 4);
}

#[test]
fn a_plugin_that_misbehaves_often_still_harms_nobody_else() {
    let Some(guests) = guests() else { return };
    let host = Host::start_with(&guests);
    let (acme, globex) = (organization(&host, &guests, "acme"), organization(&host, &guests, "globex"));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for verb in ["loop", "panic", "balloon"] {
                    refused(&act(&acme.owner(), verb));
                }
            });
        }
        for _ in 0..10 {
            others_are_served(&globex.owner());
        }
    });
    others_are_served(&acme.owner());
}

#[test]
fn j1_a_plugin_that_recurses_or_asks_without_end_is_stopped() {
    let Some(guests) = guests() else { return };
    let host = Host::start_with(&guests);
    let acme = organization(&host, &guests, "acme");
    let owner = acme.owner();
    for verb in ["deep", "slow_sql", "loop_in_write", "calls"] {
        refused(&act(&owner, verb));
        others_are_served(&owner);
    }
    // What a plugin logs is bounded, and its lines forge none of the host's.
    act(&owner, "chatter");
    others_are_served(&owner);
    assert!(host.log().len() < 8 << 20 && !host.log().contains('\u{1b}'), "{}", host.log().len());
    assert!(!host.log().lines().any(|line| line.starts_with("and a forged one")));
}

#[test]
fn j2_a_plugin_reaches_no_schema_and_no_other_plugin() {
    let Some(guests) = guests() else { return };
    let host = Host::start_with(&guests);
    let acme = organization(&host, &guests, "acme");
    let owner = acme.owner();
    let verbs = ["host_table_write", "schema", "pragma", "vacuum_into", "transaction", "ddl", "other_entity"];
    for verb in verbs {
        refused(&act(&owner, verb));
        others_are_served(&owner);
    }
    assert_eq!(owner.all("/api/v1/crm/accounts").len(), verbs.len());
    for entry in fs::read_dir(host.data()).unwrap() {
        assert!(!entry.unwrap().file_name().to_string_lossy().contains("stolen"));
    }
}

#[test]
fn j3_a_plugin_has_no_authority_that_nobody_gave_it() {
    let Some(guests) = guests() else { return };
    let host = Host::start_with(&guests);
    let acme = organization(&host, &guests, "acme");
    let owner = acme.owner();
    for verb in ["as_plugin", "write_in_read"] {
        refused(&act(&owner, verb));
    }
    let things = "/api/v1/hostile/things";
    assert!(owner.all(things).is_empty(), "nothing was written");
    owner.post(things, &json!({"name": "secret"})).created();
    // A report runs with its caller's eyes: around the view there is no way to the table.
    let rep = acme.key("rep");
    for report in ["table", "shadow", "honest"] {
        for caller in [&owner, &rep] {
            let answer = caller.get(&format!("/api/v1/hostile/reports/{report}"));
            let sees = std::ptr::eq(caller, &owner) && report == "honest";
            assert_eq!(answer.text().contains("secret"), sees, "{report}: {}", answer.text());
        }
    }
}

#[test]
fn a_version_that_fails_in_many_organizations_is_paused_in_all() {
    let Some(guests) = guests() else { return };
    let host = Host::start_with(&guests);
    let slugs = ["one", "two", "three", "four", "five", "six"];
    let all: Vec<_> = slugs.iter().map(|slug| organization(&host, &guests, slug)).collect();
    let staff = claim(&host).client;
    let organizations = staff.all("/admin/v1/organizations");
    let six = organizations.iter().find(|one| one["slug"] == "six").unwrap();
    let plugin = format!("/admin/v1/organizations/{}/plugins/hostile", text(six, "id"));
    let version = staff.get(&plugin).ok()["version"].clone();
    staff.call("PUT", &plugin).json(&json!({ "version": version })).send().ok();
    let fleet = || staff.get("/admin/v1/fleet?plugin=hostile").ok()["versions"][0].clone();
    let (failing, good) = all.split_at(5);

    for organization in &failing[..4] {
        assert_eq!(refused(&act(&organization.owner(), "panic")), "plugin_panicked");
    }
    act(&good[0].owner(), "ping").ok();
    assert!(fleet()["paused_until"].is_null(), "four are not many");
    assert_eq!(refused(&act(&failing[4].owner(), "panic")), "plugin_panicked");
    let answer = act(&good[0].owner(), "ping");
    answer.expect(503);
    assert_eq!(refused(&answer), "plugin_paused", "nothing failed here");
    assert!(answer.header("retry-after").is_some());
    assert!(fleet()["paused_until"].is_string(), "{}", fleet());
    assert!(host.operations().get("/metrics").text().contains("stoa_plugin_versions_paused 1"));
    others_are_served(&good[0].owner());
}

#[test]
fn a_plugin_that_keeps_failing_is_paused_where_it_fails_and_nowhere_else() {
    let Some(guests) = guests() else { return };
    let host = Host::start_with(&guests);
    let (acme, globex) = (organization(&host, &guests, "acme"), organization(&host, &guests, "globex"));
    let owner = acme.owner();
    act(&owner, "ping").ok();
    for _ in 0..5 {
        assert_eq!(refused(&act(&owner, "panic")), "plugin_panicked");
    }
    let answer = act(&owner, "ping");
    answer.expect(503);
    assert_eq!(refused(&answer), "plugin_paused");
    let seconds: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&seconds), "{seconds}");
    let refusal = owner.post("/api/v1/hostile/things", &json!({ "name": "New" }));
    assert_eq!(
        refused(&refusal),
        "plugin_paused",
        "its hooks are not called either, and without them nothing is written"
    );
    assert!(owner.all("/api/v1/hostile/things").is_empty(), "reading does not need them");
    others_are_served(&owner);
    act(&globex.owner(), "ping").ok();

    let staff = claim(&host);
    let usage = staff.client.get("/admin/v1/plugin-usage").ok();
    let of = |slug: &str| {
        let found =
            usage["data"].as_array().unwrap().iter().find(|one| {
                one["plugin"] == "hostile" && (one["paused_until"].is_string()) == (slug == "acme")
            });
        found.unwrap_or_else(|| panic!("{slug}: {usage}")).clone()
    };
    let (failing, good) = (of("acme"), of("globex"));
    let actions = |one: &Value| {
        one["calls"].as_array().unwrap().iter().find(|calls| calls["kind"] == "action").unwrap().clone()
    };
    assert_eq!((&actions(&failing)["calls"], &actions(&failing)["failures"]), (&json!(6), &json!(5)));
    assert_eq!((&actions(&good)["calls"], &actions(&good)["failures"]), (&json!(1), &json!(0)));
    assert_eq!(actions(&failing)["refused"], json!(1));
    assert!(actions(&good)["cpu_us"].as_u64().unwrap() > 0 && actions(&good)["memory"].as_u64().unwrap() > 0);
    let one = staff
        .client
        .get(&format!("/admin/v1/plugin-usage?organization={}", text(&good, "organization_id")))
        .ok();
    assert!(
        one["data"]
            .as_array()
            .unwrap()
            .iter()
            .all(|other| other["organization_id"] == good["organization_id"])
    );

    let metrics = host.operations().get("/metrics").text().to_owned();
    let line = "stoa_plugin_failures_total{plugin=\"hostile\",version=\"0.1.0\",kind=\"action\"} 5";
    assert!(metrics.contains(line) && metrics.contains("stoa_plugins_paused 1"), "{metrics}");
    assert!(!metrics.contains(text(&good, "organization_id")), "no organization is told there");
}

#[test]
fn what_a_plugin_began_and_did_not_finish_never_happened() {
    let Some(guests) = guests() else { return };
    let host = Host::start_with(&guests);
    let acme = organization(&host, &guests, "acme");
    let owner = acme.owner();
    for (verb, reason) in [("half_then_loop", "plugin_cpu_limit"), ("half_then_panic", "plugin_panicked")] {
        assert_eq!(refused(&act(&owner, verb)), reason);
        assert!(owner.all("/api/v1/hostile/things").is_empty(), "{verb}");
        others_are_served(&owner);
    }
}

#[test]
fn what_a_plugin_says_when_it_falls_and_how_much_it_passes_stays_with_the_operator() {
    let Some(guests) = guests() else { return };
    let host = Host::start_with(&guests);
    let acme = organization(&host, &guests, "acme");
    let owner = acme.owner();
    let answer = act(&owner, "spill");
    assert_eq!(refused(&answer), "plugin_panicked");
    assert!(!answer.text().contains("horse"), "{}", answer.text());
    assert!(host.log().contains("correct horse"), "the author finds it in the log");
    // Sixteen megabytes in one argument: no host takes them, and the log does not have them.
    assert!(refused(&act(&owner, "huge")).starts_with("plugin_"));
    assert!(host.log().len() < 4 << 20, "{}", host.log().len());
    others_are_served(&owner);
}

#[test]
fn a_hook_that_falls_within_a_call_leaves_nothing_behind() {
    let Some(guests) = guests() else { return };
    let host = Host::start_with(&guests);
    let acme = organization(&host, &guests, "acme");
    let owner = acme.owner();
    let answer = act(&owner, "stumble");
    let names: Vec<String> =
        owner.all("/api/v1/hostile/things").iter().map(|thing| text(thing, "name").to_owned()).collect();
    assert!(!names.contains(&"panic".to_owned()), "{names:?}");
    assert_eq!(names.len(), usize::from(answer.status() < 300), "{names:?}: {}", answer.text());
    assert!(
        !answer.text().contains("on purpose"),
        "what it said when it fell is not told: {}",
        answer.text()
    );
    others_are_served(&owner);
}

#[test]
fn a_plugin_sees_no_environment_and_no_clock_but_the_host_s() {
    let Some(guests) = guests() else { return };
    let host = Host::start_with(&guests);
    let acme = organization(&host, &guests, "acme");
    let owner = acme.owner();
    for verb in ["environment", "clock"] {
        let answer = act_of(&owner, "thief", verb);
        assert!(answer.status() >= 400 && !answer.text().contains("seen"), "{verb}: {}", answer.text());
        others_are_served(&owner);
    }
}

/// A component that imports this function of this interface, and does nothing.
pub(super) fn wanting(
    (package, interface, version): (&str, &str, &str),
    function: &str,
    encoding: StringEncoding,
) -> Vec<u8> {
    let text = format!(
        "package test:guest;\nworld guest {{ import {package}/{interface}@{version}; }}\n\
         package {package}@{version} {{ interface {interface} {{ {function} }} }}\n"
    );
    let mut resolve = Resolve::default();
    let parsed = resolve.push_source("guest.wit", &text).unwrap();
    let world = resolve.select_world(&[parsed], Some("guest")).unwrap();
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, encoding).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

#[test]
fn a_component_that_wants_what_no_host_gives_is_not_loaded() {
    let mut host = Host::start();
    host.stop();
    for (package, interface, version) in [
        ("wasi:sockets", "instance-network", "0.2.6"),
        ("wasi:http", "outgoing-handler", "0.2.6"),
        ("wasi:filesystem", "preopens", "0.2.6"),
        ("stoa:plugin", "weather", "1.90.0"),
        ("stoa:plugin", "clock", "1.90.0"),
        ("stoa:plugin", "clock", "2.0.0"),
        ("acme:other", "thing", "1.0.0"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let plugin = folder.path().join("thief");
        fs::create_dir(&plugin).unwrap();
        let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("guests/thief/manifest.json");
        fs::copy(manifest, plugin.join("manifest.json")).unwrap();
        fs::write(
            plugin.join("component.wasm"),
            wanting((package, interface, version), "open: func() -> u32;", StringEncoding::UTF8),
        )
        .unwrap();
        let answer = host.cli(&["org", "list", "--plugins", &folder.path().to_string_lossy()]);
        assert!(!answer.succeeded, "{package}/{interface}@{version} was loaded");
        let named = format!("`{package}/{interface}@{version}`");
        assert!(answer.stderr.contains(&named), "it is named: {}", answer.stderr);
    }
}
