//! What a plugin hoards, forgets, leaves in memory or leaves half done is gone with its call; what is not offered says so.
//!
//! The plugin is `tests/guests`' `hostile`; its package lies in the folder named by `STOA_GUESTS`, which `cargo xtask test` sets.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use stoa_testkit::{Answer, Client, Host, Organization, wait_for};
use stoa_tests::text;

const THINGS: &str = "/api/v1/hostile/things";

/// A host with the guests, or the line that says why a story is skipped.
fn host() -> Option<Host> {
    let guests = std::env::var_os("STOA_GUESTS");
    if guests.is_none() {
        println!("skipped: STOA_GUESTS names no packages; `cargo xtask test` builds them");
    }
    guests.map(|guests| Host::start_with(Path::new(&guests)))
}

fn organization<'a>(host: &'a Host, slug: &str) -> Organization<'a> {
    host.organization(slug, &["hostile"])
}

fn act(owner: &Client, verb: &str) -> Answer {
    owner.post(&format!("{THINGS}/{verb}"), &json!({}))
}

/// What an action that got through saw.
fn seen(owner: &Client, verb: &str) -> String {
    text(&act(owner, verb).ok(), "seen").to_owned()
}

/// A call that was ended for one of these reasons.
fn stopped(answer: &Answer, reasons: &[&str]) {
    assert_eq!(answer.status(), 502, "{}", answer.text());
    let problem = answer.json();
    assert!(reasons.contains(&text(&problem, "code")), "{problem}");
}

fn names(owner: &Client) -> Vec<String> {
    owner.all(THINGS).iter().map(|thing| text(thing, "name").to_owned()).collect()
}

#[test]
fn a_plugin_that_hoards_cursors_is_refused_and_leaves_none_open() {
    let Some(host) = host() else { return };
    let acme = organization(&host, "acme");
    let owner = acme.owner();
    for _ in 0..3 {
        assert_eq!(seen(&owner, "hoard"), "8 too_many_cursors", "each call begins with none open");
    }
    assert_eq!(seen(&owner, "fat"), "cursor_too_big");
    stopped(&act(&owner, "leak"), &["plugin_host_call_limit", "plugin_cpu_limit"]);
    assert_eq!(seen(&owner, "hoard"), "8 too_many_cursors");
}

#[test]
fn a_cursor_shows_what_stood_there_when_it_was_opened() {
    let Some(host) = host() else { return };
    let acme = organization(&host, "acme");
    let owner = acme.owner();
    assert_eq!(seen(&owner, "write_meanwhile"), "0 and 1");
    assert_eq!(seen(&owner, "write_meanwhile"), "1 and 2");
    assert_eq!(names(&owner), ["meanwhile", "meanwhile"]);
}

#[test]
fn a_plugin_that_waits_in_the_host_is_stopped_when_its_time_is_over() {
    let Some(host) = host() else { return };
    let acme = organization(&host, "acme");
    let owner = acme.owner();
    // The statements of a reading call have two seconds together; then there is nothing to wait for any more.
    stopped(&act(&owner, "dawdle"), &["plugin_time_limit", "plugin_cpu_limit"]);
    act(&owner, "ping").ok();
}

#[test]
fn nothing_that_a_call_left_in_memory_is_seen_by_another() {
    let Some(host) = host() else { return };
    let (acme, globex) = (organization(&host, "acme"), organization(&host, "globex"));
    let (one, other) = (acme.owner(), globex.owner());
    // More often than there are places for instances, so that each is used again, some of them after a fall.
    for round in 0..40 {
        assert_eq!(seen(&one, "imprint"), "true", "what was written is found by whoever wrote it");
        if round % 16 == 0 {
            act(&one, "balloon").problem(502, "plugin_memory_limit");
        }
        for owner in [&one, &other] {
            assert_eq!(seen(owner, "recall"), "false", "round {round}");
            assert_eq!(seen(owner, "remember"), "0", "round {round}");
        }
    }
}

#[test]
fn a_call_after_a_fall_begins_anew() {
    let Some(host) = host() else { return };
    let acme = organization(&host, "acme");
    let owner = acme.owner();
    // A stack ends in the guest's memory or in the engine, whichever comes first.
    let falls: [(&str, &[&str]); 4] = [
        ("panic", &["plugin_panicked"]),
        ("deep", &["plugin_stack_limit", "plugin_trapped"]),
        ("balloon", &["plugin_memory_limit"]),
        ("loop", &["plugin_cpu_limit"]),
    ];
    for (verb, reasons) in falls {
        stopped(&act(&owner, verb), reasons);
        assert_eq!(seen(&owner, "remember"), "0", "after {verb}");
        assert_eq!(seen(&owner, "recall"), "false", "after {verb}");
    }
    owner.post(THINGS, &json!({ "name": "after all" })).created();
    assert_eq!(names(&owner), ["after all"]);
}

#[test]
fn a_caller_who_leaves_in_the_middle_of_a_write_leaves_no_half_of_it() {
    let Some(host) = host() else { return };
    let acme = organization(&host, "acme");
    let owner = acme.owner();
    for left in 1..4 {
        let request = owner.call("POST", &format!("{THINGS}/halves")).json(&json!({})).rendered(true);
        let mut stream = TcpStream::connect(host.address()).unwrap();
        stream.write_all(&request).unwrap();
        let halfway = || host.log().lines().filter(|line| line.contains("between the halves")).count();
        wait_for("the action to be half done", Duration::from_secs(30), || (halfway() == left).then_some(()));
        drop(stream);
        // The file is written by one after another: this waits for the end of what was left behind.
        owner.post(THINGS, &json!({ "name": "usable" })).created();
        let names = names(&owner);
        let count = |name: &str| names.iter().filter(|one| *one == name).count();
        assert_eq!(count("first half"), count("second half"), "{names:?}");
        assert_eq!(count("usable"), left);
    }
    act(&owner, "ping").ok();
}

#[test]
fn a_panic_of_a_megabyte_stays_with_the_operator_in_one_short_line() {
    let Some(host) = host() else { return };
    let acme = organization(&host, "acme");
    let owner = acme.owner();
    let before = host.log().len();
    let answer = act(&owner, "rant");
    answer.problem(502, "plugin_panicked");
    assert!(!answer.text().contains("forged") && answer.text().len() < 2_000, "{}", answer.text());
    let log = host.log();
    assert!(log.len() - before < 128 << 10, "{} bytes", log.len() - before);
    assert!(
        log.contains("and a forged one") && !log.contains('\u{1b}'),
        "it is there, and its signs are not"
    );
    assert!(!log.lines().any(|line| line.starts_with("and a forged one")));
}

#[test]
fn what_is_not_offered_yet_says_so_and_does_nothing() {
    let Some(host) = host() else { return };
    let acme = organization(&host, "acme");
    let told = seen(&acme.owner(), "reach");
    let interfaces =
        ["http-client", "events", "jobs", "mail", "files", "peers", "license", "documents", "realtime"];
    let expected: Vec<String> = interfaces.iter().map(|name| format!("{name} not_available")).collect();
    assert_eq!(told, expected.join(", "));
    let spool = host.data().join("spool/mail");
    assert!(!spool.exists() || std::fs::read_dir(spool).unwrap().next().is_none(), "no mail went out");
}
