//! A report of one plugin joins what another publishes: with the caller's rows and fields, and no further.

use serde_json::{Value, json};
use stoa_testkit::{Client, Host};
use stoa_tests::id;

const ACCOUNTS: &str = "/api/v1/crm/accounts";
const OPPORTUNITIES: &str = "/api/v1/sales/opportunities";
const REPORT: &str = "/api/v1/sales/reports/sales_by_industry";

fn account(owner: &Client, name: &str, industry: &str) -> String {
    id(&owner.post(ACCOUNTS, &json!({"name": name, "industry": industry})).created()).to_owned()
}

fn money(amount: &str) -> Value {
    json!({"amount": amount, "currency": "EUR"})
}

fn deal(owner: &Client, account: Option<&str>, amount: &str) -> String {
    let body = json!({"name": "Deal", "account": account, "amount": money(amount)});
    id(&owner.post(OPPORTUNITIES, &body).created()).to_owned()
}

fn line(industry: Option<&str>, open: (u32, &str), won: (u32, &str)) -> Value {
    json!({
        "industry": industry, "open": open.0, "open_amount": money(open.1), "won": won.0, "revenue": money(won.1),
    })
}

/// Two industries, one deal of which is won, and a deal without an account.
fn some_business(owner: &Client) -> [String; 2] {
    let (bank, shop) = (account(owner, "Bank", "finance"), account(owner, "Shop", "retail"));
    deal(owner, Some(&bank), "100.00");
    deal(owner, Some(&bank), "20.50");
    let won = deal(owner, Some(&shop), "7.00");
    owner.post(&format!("{OPPORTUNITIES}/{won}/close-won"), &json!({})).success();
    deal(owner, Some(&shop), "3.00");
    deal(owner, None, "1000.00");
    [bank, shop]
}

fn deny(owner: &Client, object: &str, condition: Option<Value>) -> Value {
    let mut row = json!({
        "subject": "role:readonly", "object": object, "action": "read", "scope": "org", "effect": "deny",
        "reason": "not theirs to know",
    });
    if let Some(condition) = condition {
        row["condition"] = condition;
    }
    owner.post("/api/v1/policies", &row).created()
}

#[test]
fn figures_of_two_plugins_stand_in_one_report_to_the_cent() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let [bank, _] = some_business(&owner);
    let report = owner.get(REPORT).ok();
    let expected = json!([
        line(Some("finance"), (2, "120.50"), (0, "0.00")),
        line(Some("retail"), (1, "3.00"), (1, "7.00"))
    ]);
    assert_eq!(report["rows"], expected, "{report}");
    assert_eq!(report["notes"], json!({"sums_too_large": 0, "without_account": 1}), "{report}");
    // What changes in the other file is seen at the next question.
    owner.patch(&format!("{ACCOUNTS}/{bank}"), &json!({"industry": "retail"})).ok();
    let report = owner.get(REPORT).ok();
    assert_eq!(report["rows"], json!([line(Some("retail"), (3, "123.50"), (1, "7.00"))]), "{report}");
}

#[test]
fn accounts_that_the_caller_may_not_see_are_not_counted_and_masked_fields_are_empty() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let (owner, reader) = (acme.owner(), acme.key("readonly"));
    some_business(&owner);
    assert_eq!(reader.get(REPORT).ok()["rows"], owner.get(REPORT).ok()["rows"]);

    let condition = json!({"field": "name", "value": "Bank"});
    let row = deny(&owner, "crm.account", Some(condition));
    let report = reader.get(REPORT).ok();
    assert_eq!(report["rows"], json!([line(Some("retail"), (1, "3.00"), (1, "7.00"))]), "{report}");
    assert_eq!(report["notes"]["without_account"], 3, "{report}");
    owner.delete(&format!("/api/v1/policies/{}", id(&row))).expect(204);

    let row = deny(&owner, "crm.account#industry", None);
    let report = reader.get(REPORT).ok();
    assert_eq!(report["rows"], json!([line(None, (3, "123.50"), (1, "7.00"))]), "{report}");
    owner.delete(&format!("/api/v1/policies/{}", id(&row))).expect(204);

    deny(&owner, "crm.account", None);
    let report = reader.get(REPORT).ok();
    assert_eq!((&report["rows"], &report["notes"]["without_account"]), (&json!([]), &json!(5)), "{report}");
    assert_eq!(owner.get(REPORT).ok()["rows"].as_array().unwrap().len(), 2);
}

#[test]
fn a_report_joins_the_accounts_of_its_own_organization_only() {
    let host = Host::start();
    let (acme, other) = (host.organization("acme", &["sales"]), host.organization("globex", &["sales"]));
    some_business(&acme.owner());
    let owner = other.owner();
    let theirs = account(&owner, "Mill", "energy");
    deal(&owner, Some(&theirs), "9.00");
    assert_eq!(owner.get(REPORT).ok()["rows"], json!([line(Some("energy"), (1, "9.00"), (0, "0.00"))]));
}
