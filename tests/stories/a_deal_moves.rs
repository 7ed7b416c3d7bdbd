//! A deal goes through its stages, is won, lost and reopened; its history says when.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stoa_testkit::{Client, Host};
use stoa_tests::{id, text};

const OPPORTUNITIES: &str = "/api/v1/sales/opportunities";

/// A pipeline with four stages; their ids by name.
struct Pipeline {
    id: String,
    stages: BTreeMap<&'static str, String>,
}

impl Pipeline {
    fn make(owner: &Client) -> Self {
        let pipeline = owner.post("/api/v1/sales/pipelines", &json!({"name": "Direct"})).created();
        let mut stages = BTreeMap::new();
        for (position, (name, kind, probability)) in
            [("Talk", "open", "20"), ("Offer", "open", "60"), ("Signed", "won", "100"), ("Gone", "lost", "0")]
                .into_iter()
                .enumerate()
        {
            let stage = json!({
                "pipeline": id(&pipeline), "name": name, "position": position + 1, "kind": kind, "probability": probability,
            });
            stages.insert(name, id(&owner.post("/api/v1/sales/stages", &stage).created()).to_owned());
        }
        Self { id: id(&pipeline).to_owned(), stages }
    }

    fn stage(&self, name: &str) -> &str {
        &self.stages[name]
    }

    fn deal(&self, caller: &Client, name: &str) -> Value {
        let amount = json!({"amount": "1200.00", "currency": "USD"});
        let body = json!({"name": name, "pipeline": self.id, "stage": self.stage("Talk"), "amount": amount});
        caller.post(OPPORTUNITIES, &body).created()
    }
}

fn act(caller: &Client, deal: &Value, action: &str, body: &Value) -> stoa_testkit::Answer {
    caller.post(&format!("{OPPORTUNITIES}/{}/{action}", id(deal)), body)
}

fn read(caller: &Client, deal: &Value) -> Value {
    caller.get(&format!("{OPPORTUNITIES}/{}", id(deal))).ok()
}

fn history(caller: &Client, deal: &Value) -> Vec<Value> {
    caller.all(&format!("/api/v1/sales/stage-history?opportunity={}&sort=entered_at", id(deal)))
}

#[test]
fn a_move_changes_the_stage_and_leaves_one_open_interval() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let pipeline = Pipeline::make(&owner);
    let deal = pipeline.deal(&owner, "Initech: 10 seats");
    act(&owner, &deal, "move", &json!({"stage": pipeline.stage("Offer")})).success();
    assert_eq!(read(&owner, &deal)["stage"], pipeline.stage("Offer"));

    let history = history(&owner, &deal);
    assert_eq!(history.len(), 2, "{history:?}");
    assert_eq!(history[0]["exited_at"], history[1]["entered_at"], "intervals are contiguous");
    assert_eq!(
        (&history[1]["exited_at"], &history[1]["to_stage"]),
        (&Value::Null, &json!(pipeline.stage("Offer")))
    );
}

#[test]
fn history_is_written_by_moves_and_by_nobody_else() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let pipeline = Pipeline::make(&owner);
    let deal = pipeline.deal(&owner, "Initech");
    let entry = &history(&owner, &deal)[0];
    let path = format!("/api/v1/sales/stage-history/{}", id(entry));
    for answer in [owner.patch(&path, &json!({"entered_at": "2020-01-01T00:00:00Z"})), owner.delete(&path)] {
        assert!(matches!(answer.status(), 403..=405), "{} {}", answer.status(), answer.text());
    }
    assert_eq!(&history(&owner, &deal)[0], entry);
}

#[test]
fn a_stage_of_another_pipeline_is_refused() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let (one, other) = (Pipeline::make(&owner), Pipeline::make(&owner));
    let deal = one.deal(&owner, "Initech");
    let refused = act(&owner, &deal, "move", &json!({"stage": other.stage("Offer")}));
    assert!(matches!(refused.status(), 409 | 422), "{} {}", refused.status(), refused.text());
    assert_eq!(read(&owner, &deal)["stage"], one.stage("Talk"));
}

#[test]
fn a_deal_is_won_once() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let pipeline = Pipeline::make(&owner);
    let deal = pipeline.deal(&owner, "Initech");
    owner.patch(&format!("{OPPORTUNITIES}/{}", id(&deal)), &json!({"opened_on": "2020-01-15"})).ok();
    act(&owner, &deal, "close-won", &json!({"closed_on": "2020-03-01"})).success();
    let won = read(&owner, &deal);
    assert_eq!((&won["stage"], &won["closed_on"]), (&json!(pipeline.stage("Signed")), &json!("2020-03-01")));
    assert_eq!((&won["is_won"], &won["probability"]), (&json!(true), &json!("100")));
    let again = act(&owner, &deal, "close-won", &json!({})).problem(409, "opportunity_closed");
    assert_eq!(again["allowed"][0]["action"], "reopen", "{again}");
    let moved = act(&owner, &deal, "move", &json!({"stage": pipeline.stage("Talk")}));
    moved.problem(409, "opportunity_closed");
    let patched =
        owner.patch(&format!("{OPPORTUNITIES}/{}", id(&deal)), &json!({"stage": pipeline.stage("Talk")}));
    patched.problem(409, "opportunity_closed");
}

#[test]
fn only_who_may_backdate_closes_on_another_day() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let pipeline = Pipeline::make(&acme.owner());
    let rep = acme.key("rep");
    let deal = pipeline.deal(&rep, "Initech");
    let refused = act(&rep, &deal, "close-won", &json!({"closed_on": "2020-03-01"}));
    refused.problem(422, "validation_failed");
    assert!(refused.pointers().contains(&"/closed_on".to_owned()), "{}", refused.text());
    act(&rep, &deal, "close-won", &json!({})).success();
    assert!(read(&rep, &deal)["closed_on"].is_string());
}

#[test]
fn a_deal_without_an_amount_cannot_be_won() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let pipeline = Pipeline::make(&owner);
    let body = json!({"name": "Nothing yet", "pipeline": pipeline.id, "stage": pipeline.stage("Talk")});
    let deal = owner.post(OPPORTUNITIES, &body).created();
    let refused = act(&owner, &deal, "close-won", &json!({}));
    assert!(matches!(refused.status(), 409 | 422), "{} {}", refused.status(), refused.text());
    assert_eq!(read(&owner, &deal)["stage"], pipeline.stage("Talk"));
}

#[test]
fn a_lost_deal_is_reopened_and_keeps_its_history() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let pipeline = Pipeline::make(&owner);
    let deal = pipeline.deal(&owner, "Initech");
    act(&owner, &deal, "close-lost", &json!({"reason": "price"})).success();
    assert_eq!(read(&owner, &deal)["stage"], pipeline.stage("Gone"));
    act(&owner, &deal, "reopen", &json!({"stage": pipeline.stage("Offer"), "reason": "They called back"}))
        .success();
    let open = read(&owner, &deal);
    assert_eq!((&open["stage"], &open["closed_on"]), (&json!(pipeline.stage("Offer")), &Value::Null));
    let history = history(&owner, &deal);
    assert_eq!(history.iter().filter(|entry| entry["exited_at"].is_null()).count(), 1, "{history:?}");
    assert!(history.len() >= 3, "{history:?}");
    let refused = act(&owner, &deal, "reopen", &json!({"stage": pipeline.stage("Talk"), "reason": "Again"}));
    assert!(matches!(refused.status(), 409 | 422), "an open deal is not reopened: {}", refused.text());
}

#[test]
fn an_action_under_an_old_etag_is_refused() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let pipeline = Pipeline::make(&owner);
    let deal = pipeline.deal(&owner, "Initech");
    let path = format!("{OPPORTUNITIES}/{}", id(&deal));
    let old = owner.get(&path).etag();
    owner.patch(&path, &json!({"name": "Initrode"})).ok();
    let action = format!("{path}/move");
    let body = json!({"stage": pipeline.stage("Offer")});
    owner.call("POST", &action).header("If-Match", &old).json(&body).send().expect(412);
    assert_eq!(read(&owner, &deal)["stage"], pipeline.stage("Talk"));
}

#[test]
fn the_board_shows_the_stages_in_order_with_counts_and_sums() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let pipeline = Pipeline::make(&owner);
    for number in 0..3 {
        pipeline.deal(&owner, &format!("Deal {number}"));
    }
    let path = format!("/api/v1/sales/pipelines/{}/board", pipeline.id);
    let board = owner.post(&path, &json!({"cards": 2})).ok();
    let columns = board["columns"].as_array().unwrap();
    let names: Vec<&str> = columns.iter().map(|column| text(column, "name")).collect();
    assert_eq!(names, ["Talk", "Offer", "Signed", "Gone"]);
    assert_eq!((&columns[0]["count"], columns[0]["cards"].as_array().unwrap().len()), (&json!(3), 2));
    assert_eq!(columns[0]["sums"], json!([{"amount": "3600.00", "currency": "USD"}]));
    // An address knows text only: a number in it is still a number to the plugin, and what is none is told.
    let asked = owner.get(&format!("{path}?cards=2")).ok();
    assert_eq!(asked, board);
    let refused = owner.get(&format!("{path}?cards=many")).problem(422, "validation_failed");
    assert_eq!(refused["errors"][0]["code"], "wrong_type", "{refused}");
}

#[test]
fn the_reports_follow_the_deals() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let pipeline = Pipeline::make(&owner);
    let deals: Vec<Value> = (0..4).map(|number| pipeline.deal(&owner, &format!("Deal {number}"))).collect();
    for deal in &deals[..2] {
        act(&owner, deal, "close-won", &json!({})).success();
    }
    act(&owner, &deals[2], "close-lost", &json!({"reason": "price"})).success();
    let report = owner.get("/api/v1/sales/reports/win_rate").ok();
    assert_eq!(report["report"], "win_rate");
    let row = &report["rows"][0];
    assert_eq!((&row["won"], &row["lost"]), (&json!(2), &json!(1)), "{report}");
    assert_eq!(report["rows"][1]["won_value"], json!({"amount": "2400.00", "currency": "USD"}), "{report}");
    assert!(text(row, "win_rate").starts_with("66.6"), "{report}");
    for column in report["columns"].as_array().unwrap() {
        assert!(column["key"].is_string() && column["type"].is_string(), "{column}");
    }
}

#[test]
fn the_history_of_a_deal_goes_to_its_new_owner() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let pipeline = Pipeline::make(&owner);
    let (ann, bob) = (acme.key("rep"), acme.key("rep"));
    let deal = pipeline.deal(&ann, "Initech");
    act(&ann, &deal, "move", &json!({"stage": pipeline.stage("Offer")})).success();
    let kept = pipeline.deal(&ann, "Globex");
    assert_eq!((history(&ann, &deal).len(), history(&bob, &deal).len()), (2, 0));

    let bob_is = bob.get("/api/v1/me").ok();
    owner.patch(&format!("{OPPORTUNITIES}/{}", id(&deal)), &json!({"owner_id": id(&bob_is)})).ok();
    assert_eq!((history(&ann, &deal).len(), history(&bob, &deal).len()), (0, 2));
    assert_eq!((history(&ann, &kept).len(), history(&bob, &kept).len()), (1, 0));
    ann.get(&format!("{OPPORTUNITIES}/{}", id(&deal))).expect(404);

    act(&bob, &deal, "close-won", &json!({})).success();
    assert_eq!((history(&ann, &deal).len(), history(&bob, &deal).len()), (0, 3));
}

#[test]
fn an_amount_that_no_sum_could_hold_is_refused_and_the_largest_are_summed() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let pipeline = Pipeline::make(&owner);
    let deal = |amount: &str| {
        let amount = json!({"amount": amount, "currency": "USD"});
        let body = json!({"name": "Huge", "pipeline": pipeline.id, "stage": pipeline.stage("Talk"), "amount": amount});
        owner.post(OPPORTUNITIES, &body)
    };
    for amount in ["92233720368547758.07", "10000000000000.01"] {
        let problem = deal(amount).problem(422, "validation_failed");
        let error = &problem["errors"][0];
        assert_eq!((text(error, "pointer"), text(error, "code")), ("/amount", "too_large"), "{problem}");
    }
    for _ in 0..2 {
        deal("10000000000000.00").created();
    }
    let sum = json!({"amount": "20000000000000.00", "currency": "USD"});
    let board = owner.post(&format!("/api/v1/sales/pipelines/{}/board", pipeline.id), &json!({})).ok();
    assert_eq!(board["columns"][0]["sums"], json!([sum]), "{board}");
    let report = owner.get("/api/v1/sales/reports/pipeline_by_stage").ok();
    let rows = report["rows"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["amount"] == sum), "{report}");
    assert_eq!(report["notes"]["sums_too_large"], 0, "{report}");
    for name in ["win_rate", "sales_by_owner_and_product"] {
        owner.get(&format!("/api/v1/sales/reports/{name}")).ok();
    }
}
