//! Saved views: one's own, the organization's; checked when saved, checked again when used.

use serde_json::{Value, json};
use stoa_testkit::Host;
use stoa_tests::{id, text};

const ACCOUNTS: &str = "/api/v1/crm/accounts";
const VIEWS: &str = "/api/v1/views";

fn names(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|record| text(record, "name")).collect()
}

#[test]
fn a_view_selects_orders_and_shows_and_the_request_has_the_last_word() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    for (name, industry, employees) in [("A", "retail", 5), ("B", "retail", 50), ("C", "finance", 500)] {
        owner.post(ACCOUNTS, &json!({"name": name, "industry": industry, "employees": employees})).created();
    }
    let view = owner
        .post(
            VIEWS,
            &json!({
                "name": "Big shops", "entity": "crm.account", "sort": "-employees", "fields": ["name", "employees"],
                "filter": {"field": "industry", "value": "retail"},
            }),
        )
        .created();
    assert_eq!(
        (&view["audience"], &view["may_change"], &view["version"]),
        (&json!("private"), &json!(true), &json!(1))
    );
    let list = |more: &str| owner.get(&format!("{ACCOUNTS}?view={}{more}", id(&view))).ok();
    let page = list("");
    assert_eq!(names(&page), ["B", "A"]);
    assert_eq!(page["data"][0].get("industry"), None);
    assert_eq!(names(&list("&sort=name")), ["A", "B"]);
    assert_eq!(names(&list("&employees[lt]=10")), ["A"]);
    assert_eq!(names(&list("&industry=finance")), Vec::<&str>::new());
    assert_eq!(list("&fields=name,industry")["data"][0]["industry"], "retail");
    let query = json!({"view": id(&view), "filter": {"field": "employees", "op": "gt", "value": 10}});
    assert_eq!(names(&owner.post(&format!("{ACCOUNTS}/query"), &query).ok()), ["B"]);
    // Its cursors are its own.
    let first = list("&limit=1");
    let cursor = stoa_testkit::encode(text(&first, "next_cursor"));
    assert_eq!(names(&list(&format!("&limit=1&cursor={cursor}"))), ["A"]);
    owner.get(&format!("{ACCOUNTS}?limit=1&cursor={cursor}")).problem(400, "invalid_cursor");
    owner.get(&format!("/api/v1/crm/contacts?view={}", id(&view))).problem(400, "view_of_other_entity");
    owner
        .get(&format!("{ACCOUNTS}?view=00000000-0000-7000-8000-000000000000"))
        .problem(404, "view_not_found");
}

#[test]
fn a_view_is_seen_by_its_audience_and_changed_by_who_may() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let (owner, ann, bob) = (acme.owner(), acme.key("rep"), acme.key("rep"));
    let mine = json!({"name": "Mine", "entity": "crm.account"});
    let private = ann.post(VIEWS, &mine).created();
    let path = |view: &Value| format!("{VIEWS}/{}", id(view));
    for stranger in [&bob, &owner] {
        stranger.get(&path(&private)).problem(404, "view_not_found");
        stranger.get(&format!("{ACCOUNTS}?view={}", id(&private))).problem(404, "view_not_found");
        stranger.patch(&path(&private), &json!({"name": "x"})).problem(404, "view_not_found");
        assert_eq!(stranger.get(VIEWS).ok()["data"], json!([]));
    }
    let for_all =
        json!({"name": "Ours", "entity": "crm.account", "audience": "organization", "is_default": true});
    ann.post(VIEWS, &for_all).problem(403, "forbidden");
    ann.patch(&path(&private), &json!({"audience": "organization"})).problem(403, "forbidden");
    let shared = owner.post(VIEWS, &for_all).created();
    let seen = bob.get(&path(&shared)).ok();
    assert_eq!((&seen["name"], &seen["may_change"]), (&json!("Ours"), &json!(false)));
    bob.patch(&path(&shared), &json!({"name": "x"})).problem(403, "forbidden");
    bob.delete(&path(&shared)).problem(403, "forbidden");
    bob.get(&format!("{ACCOUNTS}?view={}", id(&shared))).ok();
    assert_eq!(ann.get(VIEWS).ok()["data"].as_array().unwrap().len(), 2);
    assert_eq!(ann.get(&format!("{VIEWS}?entity=crm.contact")).ok()["data"], json!([]));
    // There is one default for each audience.
    let next =
        json!({"name": "Newer", "entity": "crm.account", "audience": "organization", "is_default": true});
    owner.post(VIEWS, &next).created();
    assert_eq!(owner.get(&path(&shared)).ok()["is_default"], json!(false));
    owner.delete(&path(&shared)).expect(204);
    bob.get(&path(&shared)).problem(404, "view_not_found");
}

#[test]
fn a_view_is_checked_when_it_is_saved_and_its_version_when_it_changes() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let wrong = owner.post(
        VIEWS,
        &json!({
            "name": "Wrong", "entity": "crm.account", "sort": "colour", "fields": ["name", "colour"],
            "filter": {"field": "colour", "value": "red"},
        }),
    );
    wrong.problem(422, "validation_failed");
    assert_eq!(wrong.pointers(), ["/fields/1", "/filter", "/sort"]);
    let elsewhere = owner.post(VIEWS, &json!({"name": "x", "entity": "crm.planet"}));
    elsewhere.problem(422, "validation_failed");
    assert_eq!(elsewhere.pointers(), ["/entity"]);
    let strict =
        owner.post(VIEWS, &json!({"name": "x", "entity": "crm.account", "owner": "me", "audience": "all"}));
    strict.problem(422, "validation_failed");
    assert_eq!(strict.pointers(), ["/audience", "/owner"]);
    owner
        .post(VIEWS, &json!({"name": "x", "entity": "crm.account", "audience": "team"}))
        .problem(422, "validation_failed");

    let view = owner.post(VIEWS, &json!({"name": "v1", "entity": "crm.account", "sort": "name"})).created();
    let path = format!("{VIEWS}/{}", id(&view));
    let changed = owner.patch_if(&path, "\"1\"", &json!({"name": "v2", "sort": null})).ok();
    assert_eq!((&changed["version"], &changed["sort"]), (&json!(2), &Value::Null));
    owner.patch_if(&path, "\"1\"", &json!({"name": "v3"})).problem(412, "version_conflict");
    owner.patch(&path, &json!({"filter": {"field": "colour", "value": 1}})).problem(422, "validation_failed");
    assert_eq!(owner.get(&path).etag(), "\"2\"");
}
