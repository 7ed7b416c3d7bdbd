//! `docs/tutorial.md`, step by step, on the real extract: its commands, its specs, its figures.

use serde_json::{Value, json};
use stoa_testkit::{Client, Host};
use stoa_tests::{Extract, count, text, tutorial};

const OPPORTUNITIES: &str = "/api/v1/sales/opportunities";

#[test]
fn the_tutorial_ends_with_the_true_figures() {
    let Some(extract) = Extract::real() else {
        println!(
            "skipped: the real extract is not in ../shared/data; STOA_DATA_SETS may name another folder"
        );
        return;
    };
    let host = Host::start();
    let maven = host.organization("maven", &["sales"]);
    let owner = maven.owner();
    tutorial::pipeline(&owner);
    for (name, file) in
        tutorial::BEFORE_OPPORTUNITIES.into_iter().chain([("opportunities", "sales_pipeline.csv")])
    {
        let (spec, csv) = (tutorial::spec_path(name), extract.path(file));
        let (spec, csv) = (spec.to_string_lossy(), csv.to_string_lossy());
        host.cli(&["import", "--org", "maven", "--spec", &spec, &csv]).ok();
    }
    accounts_products_and_people(&owner);
    opportunities(&owner);
    reports(&owner);
}

fn accounts_products_and_people(owner: &Client) {
    assert_eq!(count(owner, "/api/v1/crm/accounts"), 85);
    assert_eq!(count(owner, "/api/v1/crm/accounts?parent[empty]=false"), 15);
    assert_eq!(count(owner, "/api/v1/crm/accounts?industry=technology"), 12, "`technolgy` is mapped");
    assert_eq!(count(owner, "/api/v1/sales/products"), 7);
    let bluth = owner.get("/api/v1/crm/accounts?name=Bluth%20Company&expand=parent").ok();
    assert_eq!(bluth["data"][0]["parent"]["name"], "Acme Corporation");
    let users = owner.all("/api/v1/users");
    // 35 agents and the owner.
    assert_eq!(users.len(), 36, "{users:?}");
    assert_eq!(owner.all("/api/v1/teams").len(), 6);
}

fn opportunities(owner: &Client) {
    assert_eq!(count(owner, OPPORTUNITIES), 8_800);
    let stages = owner.all("/api/v1/sales/stages");
    for (name, expected) in [("Won", 4_238), ("Lost", 2_473), ("Engaging", 1_589), ("Prospecting", 500)] {
        let full_name = format!("MavenTech / {name}");
        let stage = stages.iter().find(|stage| stage["full_name"] == full_name.as_str());
        let stage = stage.unwrap_or_else(|| panic!("no stage {name} in {stages:?}"));
        assert_eq!(count(owner, &format!("{OPPORTUNITIES}?stage={}", text(stage, "id"))), expected, "{name}");
    }
    assert_eq!(
        count(owner, &format!("{OPPORTUNITIES}?account[empty]=true")),
        1_425,
        "deals without account are kept"
    );
    assert_eq!(count(owner, &format!("{OPPORTUNITIES}?product[empty]=true")), 0, "`GTXPro` is mapped");
    let first = owner.get(&format!("{OPPORTUNITIES}?name=1C1I7A6R&expand=account,product,owner")).ok();
    let deal = &first["data"][0];
    assert_eq!(deal["account"]["name"], "Cancity", "{deal}");
    assert_eq!(
        (&deal["product"]["name"], &deal["owner"]["name"]),
        (&json!("GTX Plus Basic"), &json!("Moses Frase"))
    );
    assert_eq!(deal["amount"], json!({"amount": "1054.00", "currency": "USD"}));
    assert_eq!((&deal["opened_on"], &deal["closed_on"]), (&json!("2016-10-20"), &json!("2017-03-01")));
}

fn reports(owner: &Client) {
    let win_rate = owner.get("/api/v1/sales/reports/win_rate").ok();
    let row = &win_rate["rows"][0];
    assert_eq!((&row["won"], &row["lost"]), (&json!(4_238), &json!(2_473)), "{win_rate}");
    assert!(text(row, "win_rate").starts_with("63.15"), "{win_rate}");
    assert_eq!(
        win_rate["rows"][1]["won_value"],
        json!({"amount": "10005534.00", "currency": "USD"}),
        "{win_rate}"
    );
    let cycle = owner.get("/api/v1/sales/reports/sales_cycle").ok();
    assert!(median_days(&cycle) == 57.0, "{cycle}");
    let by_stage = owner.get("/api/v1/sales/reports/pipeline_by_stage").ok();
    let counted: u64 =
        by_stage["rows"].as_array().unwrap().iter().filter_map(|row| row["count"].as_u64()).sum();
    assert_eq!(counted, 8_800, "{by_stage}");
    let sales = owner.get("/api/v1/sales/reports/sales_by_owner_and_product").ok();
    let total: f64 = sales["rows"].as_array().unwrap().iter().filter_map(|row| amount(&row["revenue"])).sum();
    assert!((total - 10_005_534.0).abs() < 0.001, "{total}");
}

fn median_days(cycle: &Value) -> f64 {
    let rows = cycle["rows"].as_array().unwrap();
    let won = rows.iter().find(|row| row["outcome"] == "won").unwrap_or(&rows[0]);
    let days = &won["median_days"];
    days.as_f64().or_else(|| days.as_str()?.parse().ok()).unwrap_or_else(|| panic!("no median in {cycle}"))
}

fn amount(money: &Value) -> Option<f64> {
    money["amount"].as_str()?.parse().ok()
}

#[test]
fn every_command_of_the_tutorial_names_files_that_exist() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let tutorial = std::fs::read_to_string(root.join("docs/tutorial.md")).unwrap();
    let mut named = 0;
    for word in
        tutorial.split_whitespace().map(|word| word.trim_matches(['`', '(', ')', ',', '.', '"', '\'']))
    {
        if word.starts_with("docs/tutorial/") && word.ends_with(".json") {
            assert!(root.join(word).is_file(), "{word}");
            named += 1;
        }
    }
    assert!(named >= 5, "{named}");
}
