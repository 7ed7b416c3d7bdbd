//! Scopes: a rep sees the own deals, a manager the team's, the owner all; readonly reads. Lists and reports agree.

use serde_json::{Value, json};
use stoa_testkit::{Client, Host};
use stoa_tests::{count, id, text};

const OPPORTUNITIES: &str = "/api/v1/sales/opportunities";

/// A stage to put deals into.
fn open_stage(owner: &Client) -> Value {
    let pipeline = owner.post("/api/v1/sales/pipelines", &json!({"name": "Direct"})).created();
    let stage = json!({"pipeline": id(&pipeline), "name": "Talk", "position": 1, "kind": "open", "probability": "20"});
    json!({"pipeline": id(&pipeline), "stage": id(&owner.post("/api/v1/sales/stages", &stage).created())})
}

fn deal(caller: &Client, stage: &Value, name: &str) -> Value {
    let amount = json!({"amount": "100.00", "currency": "USD"});
    let body =
        json!({"name": name, "pipeline": stage["pipeline"], "stage": stage["stage"], "amount": amount});
    caller.post(OPPORTUNITIES, &body).created()
}

#[test]
fn a_rep_sees_and_changes_the_own_deals_only() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let stage = open_stage(&owner);
    let (ann, bob) = (acme.key("rep"), acme.key("rep"));
    let (of_ann, of_bob) = (deal(&ann, &stage, "Ann's"), deal(&bob, &stage, "Bob's"));

    assert_eq!(
        (count(&ann, OPPORTUNITIES), count(&bob, OPPORTUNITIES), count(&owner, OPPORTUNITIES)),
        (1, 1, 2)
    );
    let path = |deal: &Value| format!("{OPPORTUNITIES}/{}", id(deal));
    ann.get(&path(&of_ann)).ok();
    ann.get(&path(&of_bob)).expect(404);
    ann.patch(&path(&of_bob), &json!({"name": "Mine"})).expect(404);
    ann.post(&format!("{}/close-lost", path(&of_bob)), &json!({"reason": "price"})).expect(404);
    ann.delete(&path(&of_bob)).expect(404);
    // A filter, a sort and an id list reveal nothing either.
    assert_eq!(count(&ann, &format!("{OPPORTUNITIES}?name=Bob's")), 0);
    assert_eq!(owner.get(&path(&of_bob)).ok()["name"], "Bob's");
}

#[test]
fn a_report_counts_what_the_caller_may_see() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let stage = open_stage(&owner);
    let (ann, bob) = (acme.key("rep"), acme.key("rep"));
    for (caller, deals) in [(&ann, 1), (&bob, 2), (&owner, 3)] {
        for number in 0..deals {
            deal(caller, &stage, &format!("Deal {number}"));
        }
    }
    let counted = |caller: &Client| {
        let report = caller.get("/api/v1/sales/reports/pipeline_by_stage").ok();
        let rows = report["rows"].as_array().unwrap();
        rows.iter().filter_map(|row| row["count"].as_u64()).sum::<u64>()
    };
    assert_eq!((counted(&ann), counted(&bob), counted(&owner)), (1, 2, 6));
}

#[test]
fn readonly_reads_everything_and_writes_nothing() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let stage = open_stage(&owner);
    let made = deal(&owner, &stage, "The owner's");
    let reader = acme.key("readonly");
    assert_eq!(count(&reader, OPPORTUNITIES), 1);
    let path = format!("{OPPORTUNITIES}/{}", id(&made));
    reader.patch(&path, &json!({"name": "x"})).problem(403, "forbidden");
    reader.delete(&path).problem(403, "forbidden");
    reader.post(&format!("{path}/close-lost"), &json!({"reason": "price"})).problem(403, "forbidden");
    reader.post("/api/v1/crm/accounts", &json!({"name": "x"})).problem(403, "forbidden");
    let spec = json!({"entity": "crm.account", "mode": "create", "mapping": {"name": {"column": "name"}}});
    reader.try_import(&spec, b"name\nx\n").problem(403, "forbidden");
    assert!(owner.all("/api/v1/crm/accounts").is_empty());
}

#[test]
fn a_manager_sees_the_team_and_not_the_others() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let stage = open_stage(&owner);
    let east = team(&owner, "East");
    let west = team(&owner, "West");
    let manager = person(&host, &owner, "Mona", "manager", &east);
    let (ann, bob) = (person(&host, &owner, "Ann", "rep", &east), person(&host, &owner, "Bob", "rep", &west));
    let (of_ann, of_bob) = (deal(&ann, &stage, "Ann's"), deal(&bob, &stage, "Bob's"));
    assert_eq!(count(&manager, OPPORTUNITIES), 1);
    manager.get(&format!("{OPPORTUNITIES}/{}", id(&of_ann))).ok();
    manager.get(&format!("{OPPORTUNITIES}/{}", id(&of_bob))).expect(404);
}

fn team(owner: &Client, name: &str) -> String {
    id(&owner.post("/api/v1/teams", &json!({"name": name})).created()).to_owned()
}

/// Someone with an account of their own: invited, set up by the link's token, logged in.
fn person(host: &Host, owner: &Client, name: &str, role: &str, team: &str) -> Client {
    let email = format!("{}@acme.example", name.to_lowercase());
    let user = json!({"name": name, "email": email, "roles": [role], "team": team});
    let user = owner.post("/api/v1/users", &user).created();
    let invitation = owner.post(&format!("/api/v1/users/{}/invitation", id(&user)), &json!({})).created();
    let (_, token) = text(&invitation, "setup_url").split_once("#token=").unwrap();
    let password = "a walk under one roof";
    let door = Client::new(host.address(), "/t/acme", None);
    door.post("/api/v1/auth/setup", &json!({"token": token, "password": password})).success();
    let again =
        door.post("/api/v1/auth/setup", &json!({"token": token, "password": "another walk elsewhere"}));
    assert!(again.status() >= 400, "a set-up link works once: {}", again.text());
    let session = door.post("/api/v1/auth/login", &json!({"email": email, "password": password})).ok();
    door.with_token(text(&session, "access_token"))
}

#[test]
fn a_wrong_password_and_an_unknown_person_get_the_same_answer() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let _ann = person(&host, &owner, "Ann", "rep", &team(&owner, "East"));
    let door = acme.anonymous();
    let tried = |email: &str| {
        let body = json!({"email": email, "password": "a walk under another roof"});
        let mut problem = door.post("/api/v1/auth/login", &body).expect(401).json();
        problem["request_id"] = Value::Null;
        problem
    };
    assert_eq!(tried("ann@acme.example"), tried("nobody@acme.example"));
}

#[test]
fn a_password_must_be_long_enough() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let user = json!({"name": "Ann", "email": "ann@acme.example", "roles": ["rep"]});
    let user = owner.post("/api/v1/users", &user).created();
    let invitation = owner.post(&format!("/api/v1/users/{}/invitation", id(&user)), &json!({})).created();
    let (_, token) = text(&invitation, "setup_url").split_once("#token=").unwrap();
    for weak in ["short", "acmeacmeacme", "123456789012"] {
        let refused = acme.anonymous().post("/api/v1/auth/setup", &json!({"token": token, "password": weak}));
        assert_eq!(refused.status(), 422, "{weak}: {}", refused.text());
    }
}

#[test]
fn a_role_that_is_taken_away_is_gone_at_the_next_request() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let ann = person(&host, &owner, "Ann", "rep", &team(&owner, "East"));
    ann.post("/api/v1/crm/accounts", &json!({"name": "Initech"})).created();
    let users = owner.all("/api/v1/users");
    let user = users.iter().find(|user| user["name"] == "Ann").unwrap();
    let path = format!("/api/v1/users/{}", id(user));
    owner.patch(&path, &json!({"roles": ["readonly"]})).ok();
    ann.post("/api/v1/crm/accounts", &json!({"name": "Globex"})).problem(403, "forbidden");
    owner.patch(&path, &json!({"status": "disabled"})).ok();
    ann.get("/api/v1/crm/accounts").problem(401, "invalid_token");
}
