//! What a demo organization has to look at: products, and deals in every stage of the default pipeline.

use serde_json::{Value, json};
use stoa_sdk::manifest::Seed;

pub(crate) fn records() -> Vec<Seed> {
    let product = |key: &str, name: &str, price: &str| json!({ "external_id": key, "name": name, "sku": key.to_uppercase(), "list_price": usd(price), "active": true });
    let products = vec![
        product("desk", "Standing desk", "740.00"),
        product("chair", "Task chair", "310.00"),
        product("lamp", "Reading lamp", "59.50"),
    ];
    vec![Seed::new("product", products), Seed::new("opportunity", opportunities())]
}

fn usd(amount: &str) -> Value {
    json!({ "amount": amount, "currency": "USD" })
}

/// Name, account, product, stage, amount, the day it was opened, the day it was closed.
type Deal = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    Option<&'static str>,
);

fn opportunities() -> Vec<Value> {
    let deals: [Deal; 8] = [
        ("40 desks for Oslo", "northwind", "desk", "won", "29600.00", "2026-06-02", Some("2026-07-14")),
        ("Chairs for the new wing", "alpine", "chair", "won", "46500.00", "2026-05-11", Some("2026-08-20")),
        ("Lamps, second order", "northwind", "lamp", "lost", "5950.00", "2026-07-01", Some("2026-09-03")),
        ("Desks for Porto", "harbour-labs", "desk", "negotiation", "22200.00", "2026-09-15", None),
        ("Call centre chairs", "meridian", "chair", "proposal", "93000.00", "2026-10-05", None),
        ("Ward lamps", "alpine", "lamp", "proposal", "11900.00", "2026-10-12", None),
        ("Nairobi head office", "meridian", "desk", "qualification", "148000.00", "2026-11-02", None),
        ("Standing desks, pilot", "harbour-labs", "desk", "prospecting", "3700.00", "2026-11-16", None),
    ];
    deals.into_iter().map(opportunity).collect()
}

fn opportunity((name, account, product, stage, amount, opened, closed): Deal) -> Value {
    json!({
        "external_id": name.to_lowercase().replace([' ', ','], "-"),
        "name": name,
        "account": { "external_id": account },
        "product": { "external_id": product },
        "pipeline": { "external_id": "default" },
        "stage": { "external_id": format!("default-{stage}") },
        "amount": usd(amount),
        "opened_on": opened,
        "closed_on": closed,
    })
}
