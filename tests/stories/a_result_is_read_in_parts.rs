//! A report reads more rows than one result may have, in parts, and still with its caller's eyes.
//!
//! The plugin is `plugins/examples/kitchen-sink`; its package lies in the folder named by `STOA_GUESTS`.

use serde_json::{Value, json};
use stoa_testkit::{Client, Host};

const REPORT: &str = "/api/v1/kitchen/reports/portions";
/// Rows that one result may have.
const ROWS: u64 = 10_000;

/// The figure beside the table, and the table.
fn portions(client: &Client, query: &str) -> (u64, Vec<Value>) {
    let report = client.get(&format!("{REPORT}{query}")).ok();
    (report["notes"]["portions"].as_u64().unwrap(), report["rows"].as_array().unwrap().clone())
}

#[test]
fn rows_beyond_the_limit_of_one_result_come_in_parts_to_the_cent() {
    let Some(guests) = std::env::var_os("STOA_GUESTS") else {
        println!("skipped: STOA_GUESTS names no packages; `cargo xtask test` builds them");
        return;
    };
    let host = Host::start_with(std::path::Path::new(&guests));
    let sink = host.organization("sink", &["kitchen"]);
    let owner = sink.owner();
    assert_eq!(portions(&owner, ""), (0, vec![]), "nothing is no error");
    // 120 dishes of 100 portions at 10.01: 99 of ten cents and one of eleven.
    let dish = |number: u32| {
        let price = json!({ "amount": "10.01", "currency": "EUR" });
        let fields = json!({
            "name": format!("Dish {number:03}"), "servings": 100, "price": price, "course": "main",
        });
        json!({ "op": "create", "fields": fields })
    };
    let operations: Vec<Value> = (0..120).map(dish).collect();
    let bulk = json!({ "atomic": true, "operations": operations });
    owner.post("/api/v1/kitchen/dishes/bulk?allow_duplicates=test", &bulk).ok();
    let (all, lines) = portions(&owner, "");
    assert_eq!((all, lines.len()), (12_000, 120));
    assert!(all > ROWS);
    for line in &lines {
        let amount = |key: &str| line[key]["amount"].as_str().unwrap().to_owned();
        assert_eq!((amount("least"), amount("most")), ("0.10".to_owned(), "0.11".to_owned()), "{line}");
        assert_eq!(line["portions"], 100);
    }
    assert_eq!(portions(&owner, "?course=starter"), (0, vec![]), "the parameter is bound");
    // A rep has no dish: the view behind the cursor is the caller's.
    assert_eq!(portions(&sink.key("rep"), ""), (0, vec![]));
}
