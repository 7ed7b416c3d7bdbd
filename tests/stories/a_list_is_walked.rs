//! Lists: filters, sorting, cursors that neither skip nor repeat, fields, expansion.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stoa_testkit::{Client, Host, encode};
use stoa_tests::{count, id, text};

const ACCOUNTS: &str = "/api/v1/crm/accounts";

/// Sixty accounts of three industries, among them names that need care.
fn fill(owner: &Client) {
    for number in 0..57 {
        let industry = ["retail", "software", "finance"][number % 3];
        owner
            .post(ACCOUNTS, &json!({"name": format!("Account {number:02}"), "industry": industry}))
            .created();
    }
    for name in ["Gekko & Co", "100% Pure", "O'Hara_Sons"] {
        owner.post(ACCOUNTS, &json!({"name": name, "industry": "services"})).created();
    }
}

fn names(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| text(record, "name")).collect()
}

#[test]
fn a_cursor_walks_to_the_end_without_a_gap_or_a_repetition() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    fill(&owner);
    for sort in
        ["", "&sort=name", "&sort=-name", "&sort=industry", "&sort=-industry,name", "&sort=-created_at"]
    {
        let walked = owner.all(&format!("{ACCOUNTS}?limit=7{sort}"));
        let ids: BTreeSet<&str> = walked.iter().map(id).collect();
        assert_eq!((walked.len(), ids.len()), (60, 60), "{sort}");
    }
    let sorted = owner.all(&format!("{ACCOUNTS}?limit=7&sort=-industry,name"));
    let keys: Vec<_> =
        sorted.iter().map(|a| (std::cmp::Reverse(text(a, "industry")), text(a, "name"))).collect();
    assert!(keys.is_sorted(), "{keys:?}");
}

#[test]
fn a_walk_is_not_disturbed_by_records_that_appear_behind_it() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    fill(&owner);
    let first = owner.get(&format!("{ACCOUNTS}?limit=20&sort=name")).ok();
    owner.post(ACCOUNTS, &json!({"name": "AAA"})).created();
    let cursor = encode(text(&first, "next_cursor"));
    let second = owner.get(&format!("{ACCOUNTS}?limit=20&sort=name&cursor={cursor}")).ok();
    let seen: BTreeSet<&str> = first["data"].as_array().unwrap().iter().map(id).collect();
    assert!(second["data"].as_array().unwrap().iter().all(|record| !seen.contains(id(record))));
}

#[test]
fn a_cursor_belongs_to_its_list_and_cannot_be_changed() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    fill(&owner);
    let page = owner.get(&format!("{ACCOUNTS}?limit=5&sort=name")).ok();
    let cursor = text(&page, "next_cursor");
    let used =
        |query: &str, cursor: &str| owner.get(&format!("{ACCOUNTS}?{query}&cursor={}", encode(cursor)));
    used("limit=5&sort=name", cursor).ok();
    used("limit=5&sort=-name", cursor).problem(400, "invalid_cursor");
    used("limit=5&sort=name&industry=retail", cursor).problem(400, "invalid_cursor");
    let (head, tail) = cursor.split_at(cursor.len() / 2);
    used("limit=5&sort=name", &format!("{head}A{tail}")).problem(400, "invalid_cursor");
}

#[test]
fn filters_find_what_they_say() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    fill(&owner);
    let found = |query: &str| count(&owner, &format!("{ACCOUNTS}?{query}"));
    assert_eq!(found("industry=retail"), 19);
    assert_eq!(found("industry[ne]=retail"), 41);
    assert_eq!(found("industry[in]=retail,software"), 38);
    assert_eq!(found("industry[nin]=retail,software"), 22);
    assert_eq!(found("name[starts]=account%200"), 10);
    assert_eq!(found("name[contains]=kko%20%26"), 1);
    assert_eq!(found("name[gte]=Account%2050&name[lt]=Account%2055"), 5);
    assert_eq!(found("website[empty]=true"), 60);
    assert_eq!(found("website[empty]=false"), 0);
    assert_eq!(found("industry=retail&name[lt]=Account%2030"), 10);
}

#[test]
fn the_signs_of_sql_patterns_are_plain_letters_in_a_filter() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    fill(&owner);
    for (asked, expected) in
        [("100%25", 1), ("_Sons", 1), ("O%27Hara", 1), ("%25", 1), ("_", 1), ("'%20or%201=1--", 0)]
    {
        assert_eq!(count(&owner, &format!("{ACCOUNTS}?name[contains]={asked}")), expected, "{asked}");
    }
}

#[test]
fn a_caller_chooses_the_fields_and_expands_a_reference() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let parent = owner.post(ACCOUNTS, &json!({"name": "Acme Corporation"})).created();
    let child = owner.post(ACCOUNTS, &json!({"name": "Bluth Company", "parent": id(&parent)})).created();
    assert_eq!(child["parent"], parent["id"]);

    let chosen = owner.get(&format!("{ACCOUNTS}?fields=name&sort=name")).ok();
    let first = chosen["data"][0].as_object().unwrap();
    assert!(
        first.contains_key("name") && !first.contains_key("industry") && !first.contains_key("created_at"),
        "{first:?}"
    );

    let expanded = owner.get(&format!("{ACCOUNTS}/{}?expand=parent,owner", id(&child))).ok();
    assert_eq!(
        (&expanded["parent"]["id"], &expanded["parent"]["name"]),
        (&parent["id"], &parent["name"]),
        "{expanded}"
    );
    let listed = owner.get(&format!("{ACCOUNTS}?expand=parent&sort=name")).ok();
    assert_eq!(listed["data"][1]["parent"]["name"], "Acme Corporation");
    assert_eq!(listed["data"][0]["parent"], Value::Null);
}

#[test]
fn limits_have_a_default_and_bounds() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    fill(&owner);
    let page = owner.get(ACCOUNTS).ok();
    assert_eq!(page["data"].as_array().unwrap().len(), 50);
    assert!(page["next_cursor"].is_string());
    let page = owner.get(&format!("{ACCOUNTS}?limit=200")).ok();
    assert_eq!((page["data"].as_array().unwrap().len(), &page["next_cursor"]), (60, &Value::Null));
    let sorted = owner.all(&format!("{ACCOUNTS}?name[starts]=Account%200&sort=-name"));
    assert_eq!(names(&sorted).first(), Some(&"Account 09"));
}
