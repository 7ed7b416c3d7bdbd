//! A plugin that is not Rust, made of the contract's text alone with tools of the npm registry (`plugins/examples/iban`): its
//! hook corrects and refuses, its action answers, its report counts, as for any other.

use std::process::Command;

use serde_json::{Value, json};
use stoa_testkit::{Host, Organization};
use stoa_tests::text;

const ACCOUNTS: &str = "/api/v1/iban/bank-accounts";
const AUSTRIAN: &str = "AT611904300234573201";
const GERMAN: &str = "DE89370400440532013000";

/// What the plugin does, whatever it was compiled with. The museum tells it of old components.
pub(crate) fn its_story(acme: &Organization<'_>) {
    let owner = acme.owner();

    // The hook stores what was meant and refuses what cannot be.
    let made = owner
        .post(ACCOUNTS, &json!({"holder": "Zoë Ünver 🏦", "iban": "at61 1904-3002 3457\u{a0}3201"}))
        .created();
    let read = owner.get(&format!("{ACCOUNTS}/{}", text(&made, "id"))).ok();
    assert_eq!(
        (text(&read, "iban"), text(&read, "country"), text(&read, "holder")),
        (AUSTRIAN, "AT", "Zoë Ünver 🏦")
    );
    let answer = owner.post(ACCOUNTS, &json!({"holder": "Typo", "iban": "AT611904300234573210"}));
    let refusal = answer.problem(422, "validation_failed");
    let failure = refusal["errors"].as_array().and_then(|all| all.first()).cloned().unwrap_or_default();
    assert_eq!(
        (text(&failure, "pointer"), text(&failure, "code")),
        ("/iban", "iban_check_digits"),
        "{refusal}"
    );
    let path = format!("{ACCOUNTS}/{}", text(&made, "id"));
    owner.patch(&path, &json!({"iban": "de89 3704 0044 0532 0130 00"})).ok();
    assert_eq!(text(&owner.get(&path).ok(), "country"), "DE");

    // Rows come in batches: one call of the hook for all of them.
    let one = |iban: &str| json!({"op": "create", "fields": {"holder": "Batch", "iban": iban}});
    let rows: Vec<Value> =
        (0..100).map(|at| one(if at % 2 == 0 { "gb33 BUKB 2020 1555 5555 55" } else { AUSTRIAN })).collect();
    let bulk = owner.post(&format!("{ACCOUNTS}/bulk"), &json!({"atomic": true, "operations": rows})).ok();
    assert_eq!(bulk["created"], json!(100), "{bulk}");

    // The action reads with its caller's eyes.
    let check = |who: &stoa_testkit::Client, iban: &str| {
        who.post(&format!("{ACCOUNTS}/check"), &json!({"iban": iban})).ok()
    };
    let found = check(&owner, "DE89 3704 0044 0532 0130 00");
    assert_eq!(found, json!({"valid": true, "iban": GERMAN, "country": "DE", "known": true}));
    assert_eq!(check(&acme.key("rep"), GERMAN)["known"], json!(false), "somebody else's account is not told");
    let wrong = check(&owner, "DE\"1\\\u{1}");
    assert_eq!((&wrong["valid"], text(&wrong, "code")), (&json!(false), "iban_length"), "{wrong}");

    let report = owner.get("/api/v1/iban/reports/by_country").ok();
    let rows = report["rows"].as_array().unwrap();
    let counted: Vec<(&str, u64)> =
        rows.iter().map(|row| (text(row, "country"), row["accounts"].as_u64().unwrap())).collect();
    assert_eq!(counted, [("AT", 50), ("DE", 1), ("GB", 50)], "{report}");
}

#[test]
fn a_plugin_without_rust_corrects_answers_and_counts() {
    let packages = stoa_tests::npm::iban().unwrap();
    let size = std::fs::metadata(packages.join("iban/component.wasm")).unwrap().len();
    assert!(size < 100 << 10, "{size} bytes");
    let host = Host::start_with(&packages);
    its_story(&host.organization("acme", &["iban"]));
}

#[test]
fn a_plugin_without_rust_is_packed_signed_and_checked_as_any_other() {
    let packages = stoa_tests::npm::iban().unwrap();
    let desk = tempfile::tempdir().unwrap();
    let binary = std::env::var_os("STOA_BIN").unwrap_or_else(|| "stoa".into());
    let plugin = |words: &[&str]| {
        let output =
            Command::new(&binary).arg("plugin").args(words).current_dir(desk.path()).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    plugin(&["keygen", "example.key"]);
    let folder = packages.join("iban");
    let folder = folder.canonicalize().unwrap();
    let pack = [
        "pack",
        folder.to_str().unwrap(),
        "--publisher",
        "Example",
        "--key",
        "example.key",
        "-o",
        "iban.stoa",
    ];
    plugin(&pack);
    // The strictest level: four megabytes, no authority of its own.
    plugin(&["check", "iban.stoa", "--trust", "community"]);
}
