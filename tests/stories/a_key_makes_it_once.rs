//! A request with an `Idempotency-Key` may be sent as often as a shaky line demands: it is done once.

use serde_json::json;
use stoa_testkit::Host;
use stoa_tests::{count, id};

const ACCOUNTS: &str = "/api/v1/crm/accounts";

#[test]
fn the_same_request_is_answered_again_and_done_once() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let body = json!({"name": "Initech"});
    let first = owner.post_once(ACCOUNTS, "order-1", &body);
    let again = owner.post_once(ACCOUNTS, "order-1", &body);
    assert_eq!(first.created(), again.created());
    for header in ["location", "etag"] {
        assert!(first.header(header).is_some() && first.header(header) == again.header(header), "{header}");
    }
    assert_eq!(
        (first.header("idempotent-replayed"), again.header("idempotent-replayed")),
        (None, Some("true"))
    );
    assert_eq!(count(&owner, ACCOUNTS), 1);

    // Another body, another address, another condition: another request.
    owner.post_once(ACCOUNTS, "order-1", &json!({"name": "Globex"})).problem(422, "idempotency_key_reused");
    owner.post_once("/api/v1/crm/contacts", "order-1", &body).problem(422, "idempotency_key_reused");
    // Somebody else's key is somebody else's.
    acme.key("rep").post_once(ACCOUNTS, "order-1", &json!({"name": "Globex"})).created();
    assert_eq!(count(&owner, ACCOUNTS), 2);
}

#[test]
fn it_survives_the_end_of_the_host() {
    let mut host = Host::start();
    let (token, first) = {
        let acme = host.organization("acme", &["sales"]);
        let first = acme.owner().post_once(ACCOUNTS, "k", &json!({"name": "Initech"})).created();
        (acme.api_key().to_owned(), first)
    };
    host.kill9();
    host.restart();
    let client = host.bare().with_token(&token);
    let again = client.post_once("/t/acme/api/v1/crm/accounts", "k", &json!({"name": "Initech"}));
    assert_eq!((again.created(), again.header("idempotent-replayed")), (first, Some("true")));
}

#[test]
fn those_who_send_it_at_once_get_one_record() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let ids: Vec<String> = std::thread::scope(|threads| {
        let senders: Vec<_> = (0..16)
            .map(|_| {
                threads
                    .spawn(|| id(&owner.post_once(ACCOUNTS, "k", &json!({"name": "x"})).created()).to_owned())
            })
            .collect();
        senders.into_iter().map(|sender| sender.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(count(&owner, ACCOUNTS), 1);
}

#[test]
fn what_was_refused_or_tried_leaves_the_key_free() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    owner.post_once(ACCOUNTS, "k", &json!({"name": ""})).problem(422, "validation_failed");
    owner.post_once(&format!("{ACCOUNTS}?dry_run=true"), "k", &json!({"name": "a"})).ok();
    let made = owner.post_once(ACCOUNTS, "k", &json!({"name": "a"}));
    made.created();
    assert_eq!(made.header("idempotent-replayed"), None);
    for bad in ["", &"k".repeat(256), "schl\u{fc}ssel"] {
        owner.post_once(ACCOUNTS, bad, &json!({"name": "a"})).problem(400, "invalid_idempotency_key");
    }
    let twice = owner.call("POST", ACCOUNTS).header("Idempotency-Key", "a").header("Idempotency-Key", "b");
    twice.json(&json!({"name": "a"})).send().problem(400, "invalid_idempotency_key");
    assert_eq!(count(&owner, ACCOUNTS), 1);
}

#[test]
fn actions_and_the_bin_take_a_key_too() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let pipeline = owner.post("/api/v1/sales/pipelines", &json!({"name": "Direct"})).created();
    let stage = |name: &str, kind: &str, position: u32| {
        let stage = json!({"pipeline": id(&pipeline), "name": name, "kind": kind, "position": position, "probability": "50"});
        id(&owner.post("/api/v1/sales/stages", &stage).created()).to_owned()
    };
    let (talk, offer) = (stage("Talk", "open", 1), stage("Offer", "open", 2));
    let deal = json!({"name": "Desks", "pipeline": id(&pipeline), "stage": talk});
    let deal = owner.post("/api/v1/sales/opportunities", &deal).created();
    let path = format!("/api/v1/sales/opportunities/{}", id(&deal));
    let tried = owner.post(&format!("{path}/move?dry_run=true"), &json!({"stage": offer})).ok();
    assert_eq!(tried["changes"][0]["after"]["stage"], json!(offer), "{tried}");
    let first = owner.post_once(&format!("{path}/move"), "m", &json!({"stage": offer}));
    let again = owner.post_once(&format!("{path}/move"), "m", &json!({"stage": offer}));
    assert_eq!(first.ok(), again.ok());
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let history = owner.all(&format!("/api/v1/sales/stage-history?opportunity={}", id(&deal)));
    assert_eq!(history.len(), 2, "one move only");

    owner.delete(&path).success();
    let restore = format!("{path}/restore");
    owner.post_once(&restore, "r", &json!({})).ok();
    owner.post_once(&restore, "r", &json!({})).ok();
    owner.post_once(&restore, "s", &json!({})).problem(409, "not_deleted");
}

#[test]
fn a_merge_and_its_undoing_are_done_once() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let made = |path: &str, body| id(&owner.post(path, &body).created()).to_owned();
    let first = made(ACCOUNTS, json!({"name": "Initech"}));
    let second = made(ACCOUNTS, json!({"name": "Initech Inc.", "industry": "software"}));
    made("/api/v1/sales/opportunities", json!({"name": "Desks", "account": second}));
    let (merge, body) = (format!("{ACCOUNTS}/merge"), json!({"survivor_id": first, "loser_ids": [second]}));
    let done = owner.post_once(&merge, "m", &body);
    let again = owner.post_once(&merge, "m", &body);
    assert_eq!((done.ok(), again.header("idempotent-replayed")), (again.ok(), Some("true")));
    assert_eq!(owner.all("/api/v1/merges").len(), 1);
    let other = json!({"survivor_id": second, "loser_ids": [first]});
    owner.post_once(&merge, "m", &other).problem(422, "idempotency_key_reused");

    let undo = format!("/api/v1/merges/{}/undo", id(&done.ok()["merge"]));
    let undone = owner.post_once(&undo, "u", &json!({}));
    let twice = owner.post_once(&undo, "u", &json!({}));
    assert_eq!((undone.ok(), twice.header("idempotent-replayed")), (twice.ok(), Some("true")));
    owner.post_once(&undo, "v", &json!({})).problem(409, "merge_undone");
    let late = owner.post_once(&merge, "m", &body).ok();
    assert_eq!(
        (&late["merge"]["id"], &late["merge"]["state"]),
        (&done.ok()["merge"]["id"], &json!("undone"))
    );

    // All of it stands where one would look for it, on both sides.
    for record in [&first, &second] {
        let told = owner.all(&format!("{ACCOUNTS}/{record}/timeline?types=merges"));
        let events: Vec<&str> = told.iter().map(|item| stoa_tests::text(item, "event")).collect();
        assert_eq!(events, ["unmerged", "merged"]);
        assert_eq!((&told[0]["merge"], &told[0]["loser_ids"]), (&done.ok()["merge"]["id"], &json!([second])));
        let history = owner.all(&format!("{ACCOUNTS}/{record}/history"));
        let marked = history.iter().filter(|change| change["merge"] == done.ok()["merge"]["id"]).count();
        assert!(marked == 2 && history.last().unwrap().get("merge").is_none(), "{history:?}");
    }
}

#[test]
fn what_stands_beside_a_record_is_written_once_and_can_be_tried() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    let record = format!("{ACCOUNTS}/{}", id(&owner.post(ACCOUNTS, &json!({"name": "Initech"})).created()));
    let keyed = |method: &str, path: &str, key: &str, body: &serde_json::Value| {
        owner.call(method, path).header("Idempotency-Key", key).json(body).send()
    };
    let (comments, tags) = (format!("{record}/comments"), format!("{record}/tags"));
    let said = json!({"text": "Hello"});
    let tried = owner.post(&format!("{comments}?dry_run=true"), &said).ok();
    assert_eq!(
        (&tried["result"]["text"], &tried["beside"][0]["event"]),
        (&json!("Hello"), &json!("commented"))
    );
    assert!(owner.all(&comments).is_empty());
    let first = keyed("POST", &comments, "c", &said);
    let again = keyed("POST", &comments, "c", &said);
    assert_eq!((first.created(), first.etag()), (again.created(), again.etag()));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(owner.all(&comments).len(), 1);
    let comment = format!("{comments}/{}", id(&first.created()));
    for (method, body) in [("PATCH", json!({"text": "Bye"})), ("DELETE", json!({}))] {
        owner.call(method, &format!("{comment}?dry_run=true")).json(&body).send().ok();
        let (done, again) = (keyed(method, &comment, method, &body), keyed(method, &comment, method, &body));
        assert_eq!((done.status(), again.header("idempotent-replayed")), (again.status(), Some("true")));
    }

    let vip = json!({"tags": ["VIP"]});
    let tried = owner.call("PUT", &format!("{tags}?dry_run=true")).json(&vip).send().ok();
    assert_eq!(tried["beside"][0]["detail"]["added"], json!(["VIP"]), "{tried}");
    assert_eq!(owner.get(&tags).ok()["tags"], json!([]));
    assert_eq!(keyed("PUT", &tags, "t", &vip).ok(), keyed("PUT", &tags, "t", &vip).ok());
    keyed("PUT", &tags, "t", &json!({"tags": []})).problem(422, "idempotency_key_reused");
    let followers = format!("{record}/followers");
    assert_eq!(owner.call("PUT", &format!("{followers}?dry_run=true")).send().ok()["result"], json!(null));
    for key in ["", "schl\u{fc}ssel"] {
        let wrong =
            owner.call("PUT", &format!("{followers}?dry_run=true")).header("Idempotency-Key", key).send();
        wrong.problem(400, "invalid_idempotency_key");
    }
}

#[test]
fn a_file_that_is_sent_again_is_kept_once() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    let files = format!("{ACCOUNTS}/{}/files", id(&owner.post(ACCOUNTS, &json!({"name": "x"})).created()));
    let send = |content: &str| {
        let body = format!(
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\n\
             {content}\r\n--b--\r\n"
        );
        let call = owner.call("POST", &files).header("Idempotency-Key", "f");
        call.header("Content-Type", "multipart/form-data; boundary=b").body(body.as_bytes()).send()
    };
    let (first, again) = (send("one"), send("one"));
    assert_eq!(id(&first.created()), id(&again.created()));
    assert_eq!((again.header("idempotent-replayed"), owner.all(&files).len()), (Some("true"), 1));
    let link = stoa_tests::text(&again.created(), "url").to_owned();
    assert_eq!(host.bare().get(&link).expect(200).response.body, b"one");
    send("two").problem(422, "idempotency_key_reused");
    assert_eq!(owner.all(&files).len(), 1);
}

#[test]
fn views_and_mappings_are_saved_once_and_can_be_tried() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    let spec = json!({"entity": "crm.account", "mode": "create", "mapping": {"name": {"column": "Firma"}}});
    for (path, body, change) in [
        (
            "/api/v1/views",
            json!({"name": "Big", "entity": "crm.account"}),
            ("PATCH", json!({"name": "Bigger"})),
        ),
        (
            "/api/v1/imports/mappings",
            json!({"name": "ERP", "spec": spec}),
            ("PUT", json!({"name": "Other", "spec": spec})),
        ),
    ] {
        let all = || owner.get(path).ok()["data"].as_array().unwrap().len();
        let tried = owner.post(&format!("{path}?dry_run=true"), &body).ok();
        assert_eq!(
            (&tried["result"]["name"], &tried["changes"][0]["operation"]),
            (&body["name"], &json!("created"))
        );
        assert_eq!(all(), 0);
        // Views and mappings lie in one file, and a key is one request of it.
        let once = |body| owner.post_once(path, &format!("k {path}"), body);
        let (first, again) = (once(&body), once(&body));
        assert_eq!((first.created(), first.header("location")), (again.created(), again.header("location")));
        assert_eq!((again.header("idempotent-replayed"), all()), (Some("true"), 1));
        let mut other = body.clone();
        other["name"] = json!("Another");
        once(&other).problem(422, "idempotency_key_reused");

        let place = format!("{path}/{}", id(&first.created()));
        let (method, new) = change;
        let tried = owner.call(method, &format!("{place}?dry_run=true")).json(&new).send().ok();
        assert_eq!(tried["changes"][0]["after"]["name"], new["name"]);
        assert_eq!(tried["changes"][0]["before"]["name"], body["name"]);
        // A condition that held the first time does not hold any more; the key says that it is the same request.
        let send = || {
            let call = owner
                .call(method, &place)
                .header("Idempotency-Key", &format!("p {path}"))
                .header("If-Match", "\"1\"");
            call.json(&new).send()
        };
        assert_eq!(
            (send().ok()["version"].clone(), send().header("idempotent-replayed")),
            (json!(2), Some("true"))
        );
        owner.delete(&format!("{place}?dry_run=true")).ok();
        assert_eq!(all(), 1);
        let delete = || owner.call("DELETE", &place).header("Idempotency-Key", &format!("d {path}")).send();
        assert_eq!((delete().status(), delete().header("idempotent-replayed")), (204, Some("true")));
        assert_eq!(all(), 0);
    }
}
