//! Shares: a colleague is let into one record, for a while, and no further.

use std::time::Duration;

use serde_json::{Value, json};
use stoa_testkit::{Client, Host, Setup};
use stoa_tests::{count, id};

/// A rep reads and changes the own ones.
const CONTACTS: &str = "/api/v1/crm/contacts";

fn me(client: &Client) -> Value {
    client.get("/api/v1/authz/me").ok()["principal"].clone()
}

#[test]
fn a_colleague_is_let_into_one_record_until_it_is_taken_back() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let (owner, ann, bob) = (acme.owner(), acme.key("rep"), acme.key("rep"));
    let row = json!({
        "subject": "role:rep", "object": "sales.opportunity", "action": "read", "scope": "shared", "effect": "allow",
        "reason": "shares count",
    });
    // The shipped rows let a rep read and change what was shared with him; another row would say it twice.
    owner.post("/api/v1/policies", &row).expect(422);

    let contact = |name: &str| {
        let made = ann.post(CONTACTS, &json!({ "last_name": name })).created();
        format!("{CONTACTS}/{}", id(&made))
    };
    let (path, other) = (contact("Smith"), contact("Jones"));
    let shares = format!("{path}/shares");
    bob.get(&path).expect(404);
    assert_eq!(count(&bob, CONTACTS), 0);

    ann.post(&shares, &json!({"user": me(&bob), "level": "read"})).created();
    bob.get(&path).ok();
    assert_eq!(count(&bob, CONTACTS), 1);
    bob.get(&other).expect(404);
    bob.patch(&path, &json!({"last_name": "Taken"})).expect(403);
    let listed = ann.get(&shares).ok();
    assert_eq!(listed["data"][0]["subject"], me(&bob));
    let share = format!("{shares}/{}", id(&listed["data"][0]));
    bob.delete(&share).expect(403);
    bob.post(&shares, &json!({"user": me(&owner), "level": "read"})).expect(403);

    ann.delete(&share).expect(204);
    bob.get(&path).expect(404);
    assert_eq!(count(&bob, CONTACTS), 0);
    ann.delete(&share).expect(404);
    assert!(ann.get(&shares).ok()["data"].as_array().unwrap().is_empty());
    ann.post(&shares, &json!({"user": "nobody"})).expect(422);
    ann.post(&shares, &json!({"user": me(&bob), "expires_at": "2001-01-01T00:00:00Z"})).expect(422);
}

#[test]
fn a_share_for_changing_lets_change_and_ends_when_it_was_to_end() {
    /// 2 March 2026, nine o'clock.
    const MONDAY: i64 = 1_772_442_000_000;
    let mut host = Setup::default().at(MONDAY).start();
    let (ann, bob) = {
        let acme = host.organization("acme", &["sales"]);
        (acme.key("rep"), acme.key("rep"))
    };
    let made = ann.post(CONTACTS, &json!({"last_name": "Smith"})).created();
    let path = format!("{CONTACTS}/{}", id(&made));
    bob.get(&path).expect(404);
    let share = json!({"user": me(&bob), "level": "update", "expires_at": "2026-03-02T10:00:00Z"});
    ann.post(&format!("{path}/shares"), &share).created();
    bob.patch(&path, &json!({"last_name": "Smythe"})).ok();
    assert_eq!(count(&bob, CONTACTS), 1);

    host.advance(Duration::from_secs(59 * 60));
    bob.get(&path).ok();
    host.advance(Duration::from_secs(60));
    bob.get(&path).expect(404);
    bob.patch(&path, &json!({"last_name": "Late"})).expect(404);
    assert_eq!(count(&bob, CONTACTS), 0);
    assert!(ann.get(&format!("{path}/shares")).ok()["data"].as_array().unwrap().is_empty());
}
