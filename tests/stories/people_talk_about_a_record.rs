//! Comments with mentions, tags, followers, timeline and history: of every entity, without a line in a plugin.

use serde_json::{Value, json};
use stoa_testkit::{Client, Host};
use stoa_tests::{id, text};

const ACCOUNTS: &str = "/api/v1/crm/accounts";

fn account(caller: &Client, name: &str) -> String {
    format!("{ACCOUNTS}/{}", id(&caller.post(ACCOUNTS, &json!({"name": name})).created()))
}

/// Someone with an account of their own, logged in; and their id.
fn person(host: &Host, owner: &Client, name: &str, role: &str) -> (Client, String) {
    let email = format!("{}@acme.example", name.to_lowercase());
    let user = owner.post("/api/v1/users", &json!({"name": name, "email": email, "roles": [role]})).created();
    let invitation = owner.post(&format!("/api/v1/users/{}/invitation", id(&user)), &json!({})).created();
    let (_, token) = text(&invitation, "setup_url").split_once("#token=").unwrap();
    let password = "a walk under one roof";
    let door = Client::new(host.address(), "/t/acme", None);
    door.post("/api/v1/auth/setup", &json!({"token": token, "password": password})).success();
    let session = door.post("/api/v1/auth/login", &json!({"email": email, "password": password})).ok();
    (door.with_token(text(&session, "access_token")), id(&user).to_owned())
}

fn names(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect()
}

#[test]
fn people_comment_call_each_other_and_follow() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let (ann, ann_id) = person(&host, &owner, "Ann", "rep");
    let (bob, bob_id) = person(&host, &owner, "Bob", "rep");
    let path = account(&ann, "Initech");
    let comments = format!("{path}/comments");

    let said = ann.post(&comments, &json!({"text": format!("Ask @[{ann_id}] about it.\nSoon.")}));
    let comment = said.created();
    assert_eq!((&comment["by"]["name"], &comment["mentions"][0]["id"]), (&json!("Ann"), &json!(ann_id)));
    let place = said.header("location").unwrap().trim_start_matches("/t/acme").to_owned();
    assert_eq!(place, format!("{comments}/{}", id(&comment)));
    assert_eq!(ann.get(&place).ok(), comment);
    assert_eq!(names(&ann.get(&format!("{path}/followers")).ok()), ["Ann"], "a commenter follows");

    // Whoever may not read the record cannot be called, nor anybody who does not exist.
    let stage = {
        let pipeline = owner.post("/api/v1/sales/pipelines", &json!({"name": "Direct"})).created();
        let stage = json!({"pipeline": id(&pipeline), "name": "Talk", "position": 1, "kind": "open", "probability": "20"});
        let stage = owner.post("/api/v1/sales/stages", &stage).created();
        json!({"name": "Ann's", "pipeline": id(&pipeline), "stage": id(&stage), "amount": {"amount": "1.00", "currency": "USD"}})
    };
    let own = ann.post("/api/v1/sales/opportunities", &stage).created();
    let own = format!("/api/v1/sales/opportunities/{}", id(&own));
    bob.get(&own).expect(404);
    let refused = ann.post(&format!("{own}/comments"), &json!({"text": "x", "mentions": [bob_id]}));
    let problem = refused.problem(422, "validation_failed").to_string();
    assert!(problem.contains("mention_not_allowed") && problem.contains(&bob_id), "{problem}");
    let nobody = "00000000-0000-7000-8000-000000000000";
    let refused = ann.post(&comments, &json!({"text": format!("@[{nobody}]")}));
    assert!(refused.problem(422, "validation_failed").to_string().contains(nobody));

    // One's own comment is changed, under its version; somebody else's is not.
    owner.patch(&place, &json!({"text": "Mine"})).problem(403, "forbidden");
    let edited = ann.patch_if(&place, &said.etag(), &json!({"text": "Later."})).ok();
    assert_eq!((&edited["text"], &edited["version"]), (&json!("Later."), &json!(2)));
    assert!(edited["edited_at"].is_string());
    let stale = ann.patch_if(&place, &said.etag(), &json!({"text": "Now."})).problem(412, "version_conflict");
    assert_eq!(stale["current"]["text"], "Later.");
    owner.delete(&format!("{place}?dry_run=true")).success();
    assert_eq!(ann.get(&comments).ok()["data"].as_array().unwrap().len(), 1);
    owner.delete(&place).expect(204); // who may delete the record
    ann.get(&place).problem(404, "comment_not_found");
    assert!(ann.all(&comments).is_empty());

    owner.call("PUT", &format!("{path}/followers")).send().expect(204);
    ann.call("DELETE", &format!("{path}/followers")).send().expect(204);
    assert!(!names(&ann.get(&format!("{path}/followers")).ok()).contains(&"Ann"));
}

#[test]
fn a_comment_that_is_wrong_is_refused_with_every_fault() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    let comments = format!("{}/comments", account(&owner, "Initech"));
    for (body, pointers) in [
        (json!({}), vec!["/text"]),
        (json!({"text": "x".repeat(10_001)}), vec!["/text"]),
        (json!({"text": "a\u{0}b"}), vec!["/text"]),
        (json!({"text": 1, "by": "me", "mentions": {}}), vec!["/by", "/mentions", "/text"]),
    ] {
        let refused = owner.post(&comments, &body);
        refused.problem(422, "validation_failed");
        assert_eq!(refused.pointers(), pointers, "{body}");
    }
    owner.raw(&comments, "text/plain", b"hello").problem(415, "unsupported_media_type");
    owner.get(&format!("{comments}?limit=0")).problem(400, "invalid_limit");
    owner.get(&format!("{comments}?page=2")).problem(400, "unknown_parameter");
    owner.get(&format!("{comments}?cursor=AAAA")).problem(400, "invalid_cursor");
    owner.call("PUT", &comments).json(&json!({})).send().problem(405, "method_not_allowed");
    owner.get(&format!("{comments}/not-an-id")).problem(404, "comment_not_found");
    assert!(owner.all(&comments).is_empty());
}

#[test]
fn tags_are_set_changed_and_counted() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    let (initech, globex) = (account(&owner, "Initech"), account(&owner, "Globex"));
    let put = |path: &str, body: Value| owner.call("PUT", &format!("{path}/tags")).json(&body).send();
    assert_eq!(put(&initech, json!({"tags": [" VIP ", "vip", "Köln"]})).ok()["tags"], json!(["Köln", "VIP"]));
    assert_eq!(put(&globex, json!({"tags": ["Vip"]})).ok()["tags"], json!(["VIP"]));
    let changed = owner.patch(&format!("{initech}/tags"), &json!({"add": ["new"], "remove": ["KÖLN"]}));
    assert_eq!(changed.ok()["tags"], json!(["new", "VIP"]));
    assert_eq!(owner.get(&format!("{initech}/tags")).ok()["tags"], json!(["new", "VIP"]));
    let counted = owner.get(&format!("{ACCOUNTS}/tags")).ok();
    assert_eq!(counted["data"], json!([{"tag": "new", "count": 1}, {"tag": "VIP", "count": 2}]));
    let page = owner.get(&format!("{ACCOUNTS}/tags?limit=1")).ok();
    assert_eq!(page["data"].as_array().unwrap().len(), 1);
    assert_eq!(owner.all(&format!("{ACCOUNTS}/tags?limit=1")).len(), 2);
    assert_eq!(owner.get(&format!("{ACCOUNTS}/tags?q=vi")).ok()["data"][0]["tag"], "VIP");

    let refused = put(&initech, json!({"tags": ["ok", "", "x".repeat(51), 7]}));
    refused.problem(422, "validation_failed");
    assert_eq!(refused.pointers(), ["/tags/1", "/tags/2", "/tags/3"]);
    let many: Vec<String> = (0..31).map(|number| format!("t{number}")).collect();
    put(&initech, json!({"tags": many})).problem(422, "validation_failed");
    assert_eq!(owner.get(&format!("{initech}/tags")).ok()["tags"], json!(["new", "VIP"]));
}

#[test]
fn the_timeline_tells_everything_in_one_feed() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    let path = account(&owner, "Initech");
    owner.post(&format!("{path}/comments"), &json!({"text": "hello"})).created();
    owner.call("PUT", &format!("{path}/tags")).json(&json!({"tags": ["vip"]})).send().ok();
    owner.patch(&path, &json!({"industry": "software"})).ok();
    let record = path.rsplit('/').next().unwrap();
    let contact = json!({"last_name": "Lumbergh", "account": record});
    let contact = owner.post("/api/v1/crm/contacts", &contact);
    let with_child = contact.status() == 201;

    let feed = owner.all(&format!("{path}/timeline"));
    let words: Vec<&str> = feed.iter().map(|item| text(item, "type")).collect();
    for word in ["changes", "comments", "tags"] {
        assert!(words.contains(&word), "{word} is not in {words:?}");
    }
    assert_eq!(words.contains(&"children"), with_child, "{}", contact.text());
    assert!(feed.iter().map(|item| text(item, "at")).is_sorted_by(|one, other| one >= other));
    assert!(feed.iter().all(|item| item["by"]["id"].is_string() && item["id"].is_string()));
    let whole: Vec<&Value> = feed.iter().map(|item| &item["id"]).collect();
    let paged = owner.all(&format!("{path}/timeline?limit=1"));
    assert_eq!(paged.iter().map(|item| &item["id"]).collect::<Vec<_>>(), whole);
    let changes = owner.all(&format!("{path}/timeline?types=changes"));
    assert_eq!(changes.len(), 2);
    assert_eq!(changes[0]["changes"], json!([{"field": "industry", "old": null, "new": "software"}]));
    owner.get(&format!("{path}/timeline?types=gossip")).problem(400, "invalid_types");

    let history = owner.all(&format!("{path}/history?field=industry"));
    assert_eq!(history.len(), 1);
    assert_eq!((&history[0]["source"], &history[0]["event"]), (&json!("api"), &json!("updated")));
    owner.get(&format!("{path}/history?field=colour")).problem(400, "unknown_field");
}

#[test]
fn nothing_is_told_of_a_record_that_one_may_not_read() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let globex = host.organization("globex", &["sales"]);
    let owner = acme.owner();
    let path = account(&owner, "Initech");
    let comment = owner.post(&format!("{path}/comments"), &json!({"text": "secret"})).created();
    let stranger = globex.owner();
    let behind = ["comments", "tags", "followers", "files", "timeline", "history"];
    for word in behind {
        stranger.get(&format!("{path}/{word}")).problem(404, "record_not_found");
        acme.anonymous().get(&format!("{path}/{word}")).problem(401, "invalid_token");
    }
    stranger.patch(&format!("{path}/comments/{}", id(&comment)), &json!({"text": "x"})).expect(404);
    stranger.call("PUT", &format!("{path}/followers")).send().expect(404);
    // Who only reads comments and follows, and tags nothing.
    let reader = acme.key("readonly");
    reader.post(&format!("{path}/comments"), &json!({"text": "seen"})).created();
    reader.call("PUT", &format!("{path}/followers")).send().expect(204);
    reader.call("PUT", &format!("{path}/tags")).json(&json!({"tags": []})).send().problem(403, "forbidden");
    // A record in the recycle bin has nothing beside it.
    owner.delete(&path).success();
    for word in behind {
        owner.get(&format!("{path}/{word}")).problem(404, "record_not_found");
    }
}
