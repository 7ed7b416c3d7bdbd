//! Shares: a colleague is let into one record, for a while, and no further.

use serde_json::{Value, json};
use stoa_testkit::{Client, Host};
use stoa_tests::{count, id};

const ACCOUNTS: &str = "/api/v1/crm/accounts";

fn me(client: &Client) -> Value {
    client.get("/api/v1/authz/me").ok()["principal"].clone()
}

#[test]
fn a_colleague_is_let_into_one_record_until_it_is_taken_back() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let (owner, ann, bob) = (acme.owner(), acme.key("rep"), acme.key("rep"));
    let row = |action: &str, scope: &str| {
        json!({
            "subject": "role:rep", "object": "sales.opportunity", "action": action, "scope": scope, "effect": "allow",
            "reason": "shares count",
        })
    };
    // The shipped rows let a rep read and change what was shared with him; another row would say it twice.
    owner.post("/api/v1/policies", &row("read", "shared")).expect(422);

    let account = ann.post(ACCOUNTS, &json!({"name": "Acme"})).created();
    let path = format!("{ACCOUNTS}/{}", id(&account));
    let shares = format!("{path}/shares");
    if bob.get(&path).status() == 404 {
        assert_eq!(count(&bob, ACCOUNTS), 0);
        ann.post(&shares, &json!({"user": me(&bob), "level": "read"})).created();
        bob.get(&path).ok();
        assert_eq!(count(&bob, ACCOUNTS), 1);
    } else {
        ann.post(&shares, &json!({"user": me(&bob), "level": "read"})).created();
    }
    let listed = ann.get(&shares).ok();
    assert_eq!(listed["data"][0]["subject"], me(&bob));
    ann.post(&shares, &json!({"user": "nobody"})).expect(422);
    ann.post(&shares, &json!({"user": me(&bob), "expires_at": "2001-01-01T00:00:00Z"})).expect(422);
    let share = listed["data"][0]["id"].as_str().unwrap().to_owned();
    bob.delete(&format!("{shares}/{share}")).expect(403);
    ann.delete(&format!("{shares}/{share}")).expect(204);
    ann.delete(&format!("{shares}/{share}")).expect(404);
    assert!(ann.get(&shares).ok()["data"].as_array().unwrap().is_empty());
}
