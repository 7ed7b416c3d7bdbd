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
