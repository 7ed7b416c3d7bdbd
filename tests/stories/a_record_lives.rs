//! A record is created, read, changed and deleted, and nobody overwrites what they have not seen.

use serde_json::json;
use stoa_testkit::Host;
use stoa_tests::{id, text};

#[test]
fn a_record_is_created_read_patched_and_deleted() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();

    let created = owner.post("/api/v1/crm/accounts", &json!({"name": "Initech", "industry": "software"}));
    let account = created.created();
    let path = format!("/api/v1/crm/accounts/{}", id(&account));
    assert!(
        created.header("location").is_some_and(|place| place.ends_with(&path)),
        "{:?}",
        created.response.headers
    );
    assert_eq!(
        (&account["name"], &account["industry"], &account["version"]),
        (&json!("Initech"), &json!("software"), &json!(1))
    );
    assert!(text(&account, "created_at").ends_with('Z'));

    let read = owner.get(&path);
    assert_eq!(read.ok(), account);
    assert_eq!(read.etag(), created.etag());

    let patched = owner.patch_if(&path, &read.etag(), &json!({"industry": "finance"}));
    let changed = patched.ok();
    assert_eq!(
        (&changed["name"], &changed["industry"], &changed["version"]),
        (&json!("Initech"), &json!("finance"), &json!(2))
    );
    assert_ne!(patched.etag(), read.etag());

    owner.delete(&path).success();
    owner.get(&path).expect(404);
    assert!(owner.all("/api/v1/crm/accounts").is_empty());
}

#[test]
fn the_members_that_everybody_needs_come_first() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let answer = acme.owner().post("/api/v1/crm/accounts", &json!({"name": "Initech"}));
    let body = answer.text();
    let at =
        |member: &str| body.find(&format!("\"{member}\"")).unwrap_or_else(|| panic!("no {member} in {body}"));
    assert!(
        at("id") < at("version") && at("version") < at("created_at") && at("created_at") < at("updated_at"),
        "{body}"
    );
    assert!(at("updated_at") < at("name"), "{body}");
}

#[test]
fn null_removes_a_value_and_a_missing_member_keeps_it() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let account =
        owner.post("/api/v1/crm/accounts", &json!({"name": "Initech", "industry": "software"})).created();
    let path = format!("/api/v1/crm/accounts/{}", id(&account));
    let changed = owner.patch(&path, &json!({"industry": null})).ok();
    assert_eq!((&changed["name"], &changed["industry"]), (&json!("Initech"), &json!(null)));
    owner.patch(&path, &json!({"name": null})).problem(422, "validation_failed");
}

#[test]
fn a_change_based_on_an_old_version_is_refused_with_the_current_record() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let created = owner.post("/api/v1/crm/accounts", &json!({"name": "Initech"}));
    let path = format!("/api/v1/crm/accounts/{}", id(&created.created()));
    let old = created.etag();
    owner.patch_if(&path, &old, &json!({"name": "Initrode"})).ok();

    let refused = owner.patch_if(&path, &old, &json!({"name": "Intertrode"}));
    assert_eq!(refused.status(), 412, "{}", refused.text());
    let problem = refused.problem(412, "version_conflict");
    assert_eq!(problem["current"]["name"], "Initrode", "{problem}");
    let changed = problem["changed_since"].as_array().unwrap();
    assert_eq!((changed.len(), &changed[0]["field"]), (1, &json!("name")), "{problem}");
    assert!(text(&changed[0], "at").ends_with('Z') && changed[0]["by"] == problem["current"]["updated_by"]);
    owner.call("DELETE", &path).header("If-Match", &old).send().expect(412);
    assert_eq!(owner.get(&path).ok()["name"], "Initrode");
    owner.patch_if(&path, &owner.get(&path).etag(), &json!({"name": "Intertrode"})).ok();
}

#[test]
fn a_dry_run_tells_what_would_be_answered_and_changed_and_changes_nothing() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let answer = owner.post("/api/v1/crm/accounts?dry_run=true", &json!({"name": "Initech"}));
    let tried = answer.ok();
    assert_eq!((&tried["dry_run"], &tried["result"]["name"]), (&json!(true), &json!("Initech")));
    assert_eq!((tried["changes"].as_array().unwrap().len(), &tried["hidden"]), (1, &json!(0)), "{tried}");
    let change = &tried["changes"][0];
    assert_eq!(
        (&change["entity"], &change["operation"], &change["before"], &change["after"]["name"]),
        (&json!("crm.account"), &json!("created"), &json!(null), &json!("Initech"))
    );
    assert!(answer.header("location").is_none() && answer.header("etag").is_none());
    owner.post("/api/v1/crm/accounts?dry_run=true", &json!({"name": ""})).problem(422, "validation_failed");
    assert!(owner.all("/api/v1/crm/accounts").is_empty());

    let account = owner.post("/api/v1/crm/accounts", &json!({"name": "Initech"})).created();
    let path = format!("/api/v1/crm/accounts/{}", id(&account));
    let tried = owner.patch(&format!("{path}?dry_run=true"), &json!({"name": "Initrode"})).ok();
    assert_eq!(tried["result"]["version"], 2);
    assert_eq!(
        (&tried["changes"][0]["before"]["name"], &tried["changes"][0]["after"]["name"]),
        (&json!("Initech"), &json!("Initrode"))
    );
    let tried = owner.delete(&format!("{path}?dry_run=true")).ok();
    assert_eq!((&tried["result"], &tried["changes"][0]["operation"]), (&json!(null), &json!("deleted")));
    assert_eq!(owner.get(&path).ok(), account);
}

#[test]
fn an_acknowledged_record_survives_a_restart_and_a_kill() {
    let mut host = Host::start();
    let (token, path) = {
        let acme = host.organization("acme", &["sales"]);
        let account = acme.owner().post("/api/v1/crm/accounts", &json!({"name": "Initech"})).created();
        (acme.api_key().to_owned(), format!("/t/acme/api/v1/crm/accounts/{}", id(&account)))
    };
    host.restart();
    assert_eq!(host.bare().with_token(&token).get(&path).ok()["name"], "Initech");
    host.bare().with_token(&token).patch(&path, &json!({"name": "Initrode"})).ok();
    host.kill9();
    host.restart();
    assert_eq!(host.bare().with_token(&token).get(&path).ok()["name"], "Initrode");
}
