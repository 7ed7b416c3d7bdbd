//! Masks: a field that a role may not see is absent wherever records come out, and cannot be asked about.

use serde_json::{Value, json};
use stoa_testkit::{Client, Host};
use stoa_tests::id;

const CONTACTS: &str = "/api/v1/crm/contacts";

fn deny(owner: &Client, object: &str, action: &str) -> Value {
    let row = json!({
        "subject": "role:rep", "object": object, "action": action, "scope": "org", "effect": "deny",
        "reason": "not theirs to know",
    });
    owner.post("/api/v1/policies", &row).created()
}

#[test]
fn a_masked_field_comes_out_nowhere_and_answers_no_question() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let (owner, rep) = (acme.owner(), acme.key("rep"));
    let ann = json!({"first_name": "Ann", "last_name": "Smith", "email": "ann@secret.example"});
    let path = format!("{CONTACTS}/{}", id(&rep.post(CONTACTS, &ann).created()));
    assert_eq!(rep.get(&path).ok()["email"], "ann@secret.example");

    let row = deny(&owner, "crm.contact#email", "read");
    let seen = rep.get(&path).ok();
    assert_eq!((seen.get("email"), &seen["_masked"]), (None, &json!(["email"])), "at the next request");
    for asked in [
        format!("{CONTACTS}?email=ann@secret.example"),
        format!("{CONTACTS}?sort=email"),
        format!("{CONTACTS}?fields=email"),
        format!("{CONTACTS}/export?format=csv&fields=email"),
        format!("{path}/history?field=email"),
    ] {
        rep.get(&asked).problem(403, "field_not_readable");
    }
    for read in [
        CONTACTS.to_owned(),
        format!("{CONTACTS}/search?q=ann"),
        format!("{path}/timeline"),
        format!("{path}/history"),
    ] {
        let answer = rep.get(&read);
        answer.success();
        assert!(!answer.text().contains("secret.example"), "{read}: {}", answer.text());
    }
    let changed = rep.patch(&path, &json!({"last_name": "Jones"}));
    changed.ok();
    assert!(!changed.text().contains("secret.example"), "{}", changed.text());
    let dry = rep.patch(&format!("{path}?dry_run=true"), &json!({"email": "other@secret.example"}));
    assert!(!dry.text().contains("secret.example"), "{}", dry.text());
    assert_eq!(owner.get(&path).ok()["email"], "ann@secret.example");

    owner.delete(&format!("/api/v1/policies/{}", id(&row))).expect(204);
    assert_eq!(rep.get(&path).ok()["email"], "ann@secret.example");
}

#[test]
fn a_field_that_is_not_ones_to_write_is_refused_by_name() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let (owner, rep) = (acme.owner(), acme.key("rep"));
    let path = format!(
        "{CONTACTS}/{}",
        id(&rep.post(CONTACTS, &json!({"last_name": "Smith", "email": "a@b.example"})).created())
    );
    deny(&owner, "crm.contact#email", "update");
    let problem = rep.patch(&path, &json!({"email": "x@y.example"})).problem(403, "field_not_writable");
    assert_eq!(problem["errors"][0]["pointer"], "/email");
    rep.post(CONTACTS, &json!({"last_name": "New", "email": "x@y.example"}))
        .problem(403, "field_not_writable");
    rep.patch(&path, &json!({"last_name": "Jones", "email": "a@b.example"})).ok();
    // What belongs to the host is nobody's to write.
    for member in ["version", "created_by", "created_at"] {
        assert!(rep.patch(&path, &json!({ member: "1" })).status() >= 400, "{member}");
    }
}
