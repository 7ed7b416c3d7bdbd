//! Filters: nested, through relations into another module, over what is not there, relative to today. The address and the
//! JSON form mean the same.

use serde_json::{Value, json};
use stoa_testkit::{Client, Host, encode};
use stoa_tests::{count, id, text};

const ACCOUNTS: &str = "/api/v1/crm/accounts";
const CONTACTS: &str = "/api/v1/crm/contacts";
const OPPORTUNITIES: &str = "/api/v1/sales/opportunities";

/// Three accounts, contacts at two of them, deals with two of them and one with nobody.
fn fill(owner: &Client) {
    let account = |body: Value| id(&owner.post(ACCOUNTS, &body).created()).to_owned();
    let holding = account(json!({"name": "Öl Holding", "industry": "finance", "employees": 9}));
    let shop =
        account(json!({"name": "Corner Shop", "industry": "retail", "parent": holding, "country": "AT"}));
    account(json!({"name": "Lonely Ltd", "industry": "software", "employees": 3}));
    for (name, at, email) in [
        ("Ann", &shop, "ann@example.com"),
        ("Bob", &shop, "bob@example.com"),
        ("Cid", &holding, "cid@example.org"),
    ] {
        owner.post(CONTACTS, &json!({"last_name": name, "account": at, "email": email})).created();
    }
    for (name, at, close) in [
        ("Till", json!(shop), json!("2020-02-29")),
        ("Loan", json!(holding), json!(null)),
        ("Stray", json!(null), json!(null)),
    ] {
        owner
            .post(OPPORTUNITIES, &json!({"name": name, "account": at, "expected_close_on": close}))
            .created();
    }
}

fn names(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|record| text(record, "name")).collect()
}

fn listed(owner: &Client, path: &str, query: &str) -> Vec<String> {
    let page = owner.get(&format!("{path}?{query}&sort=name")).ok();
    names(&page).into_iter().map(str::to_owned).collect()
}

fn queried(owner: &Client, path: &str, filter: Value) -> Vec<String> {
    let page = owner.post(&format!("{path}/query"), &json!({"filter": filter, "sort": ["name"]})).ok();
    names(&page).into_iter().map(str::to_owned).collect()
}

#[test]
fn a_test_reaches_through_references_into_another_module() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    fill(&owner);
    assert_eq!(listed(&owner, OPPORTUNITIES, "account.industry=retail"), ["Till"]);
    assert_eq!(listed(&owner, OPPORTUNITIES, "account.industry[in]=retail,finance"), ["Loan", "Till"]);
    assert_eq!(listed(&owner, OPPORTUNITIES, "account.parent.name[starts]=öl"), ["Till"]);
    // What is negative over a relation is the complement of what is positive.
    assert_eq!(listed(&owner, OPPORTUNITIES, "account.industry[ne]=retail"), ["Loan", "Stray"]);
    assert_eq!(listed(&owner, OPPORTUNITIES, "account.parent.name[empty]=true"), ["Loan", "Stray"]);
    assert_eq!(listed(&owner, ACCOUNTS, "parent.industry=finance"), ["Corner Shop"]);
    // People and teams are asked by name; everything here belongs to the key that made it.
    let page = owner.get(&format!("{ACCOUNTS}?expand=owner&limit=1")).ok();
    let who = encode(text(&page["data"][0]["owner"], "name"));
    assert_eq!(listed(&owner, ACCOUNTS, &format!("owner.name={who}")).len(), 3);
    assert_eq!(listed(&owner, ACCOUNTS, &format!("owner_id.name[ne]={who}")).len(), 0);
}

#[test]
fn a_test_looks_at_what_refers_to_a_record() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    fill(&owner);
    assert_eq!(listed(&owner, ACCOUNTS, "contacts[has_no]=true"), ["Lonely Ltd"]);
    assert_eq!(listed(&owner, ACCOUNTS, "contacts[has]=true"), ["Corner Shop", "Öl Holding"]);
    assert_eq!(listed(&owner, ACCOUNTS, "opportunities[has_no]=true"), ["Lonely Ltd"]);
    assert_eq!(listed(&owner, ACCOUNTS, "sales.opportunities[has]=true"), ["Corner Shop", "Öl Holding"]);
    let at_example_org = json!({"field": "email", "op": "contains", "value": "@EXAMPLE.org"});
    let has = |op: &str| json!({"field": "contacts", "op": op, "value": at_example_org});
    assert_eq!(queried(&owner, ACCOUNTS, has("has")), ["Öl Holding"]);
    assert_eq!(queried(&owner, ACCOUNTS, has("has_no")), ["Corner Shop", "Lonely Ltd"]);
    let both = json!({"and": [
        {"field": "opportunities", "op": "has", "value": {"field": "name", "value": "Till"}},
        {"not": {"field": "parent", "op": "has", "value": {"field": "industry", "value": "retail"}}},
    ]});
    assert_eq!(queried(&owner, ACCOUNTS, both), ["Corner Shop"]);
}

#[test]
fn the_json_form_nests_and_pages_like_the_address() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    fill(&owner);
    let either = json!({"or": [
        {"field": "employees", "op": "gte", "value": 9},
        {"and": [{"field": "country", "value": "AT"}, {"not": {"field": "name", "op": "contains", "value": "öl"}}]},
    ]});
    assert_eq!(queried(&owner, ACCOUNTS, either.clone()), ["Corner Shop", "Öl Holding"]);
    let mut body =
        json!({"filter": either, "sort": "name", "limit": 1, "fields": ["name"], "count": "exact"});
    let first = owner.post(&format!("{ACCOUNTS}/query"), &body).ok();
    assert_eq!((names(&first), &first["count"]), (vec!["Corner Shop"], &json!(2)));
    assert_eq!(first["data"][0].get("industry"), None);
    body["cursor"] = first["next_cursor"].clone();
    let second = owner.post(&format!("{ACCOUNTS}/query"), &body).ok();
    assert_eq!((names(&second), &second["next_cursor"]), (vec!["Öl Holding"], &Value::Null));
    // The request of the documentation.
    let documented = json!({
        "filter": {"and": [
            {"or": [{"field": "country", "value": "AT"}, {"field": "employees", "op": "gte", "value": 9}]},
            {"not": {"field": "name", "op": "contains", "value": "shop"}},
            {"field": "contacts", "op": "has", "value": {"field": "email", "op": "contains", "value": "@example.org"}},
        ]},
        "sort": ["-employees", "name"], "limit": 20, "count": "capped",
    });
    let page = owner.post(&format!("{ACCOUNTS}/query"), &documented).ok();
    assert_eq!((names(&page), &page["count"]), (vec!["Öl Holding"], &json!(1)));
    let same = owner.get(&format!("{ACCOUNTS}?sort=-name&limit=2")).ok();
    assert_eq!(owner.post(&format!("{ACCOUNTS}/query"), &json!({"sort": "-name", "limit": 2})).ok(), same);
}

#[test]
fn days_are_named_relative_to_today() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    fill(&owner);
    let all = |query: &str| count(&owner, &format!("{OPPORTUNITIES}?{query}"));
    assert_eq!(all("created_at[within]=last_2_days"), 3);
    assert_eq!(all("created_at[within]=this_year"), 3);
    assert_eq!(all("created_at[within]=last_month"), 0);
    assert_eq!(all("expected_close_on[within]=this_fiscal_year"), 0);
    assert_eq!(all("expected_close_on[lt]=2021-01-01"), 1);
    assert_eq!(
        all("account.industry=retail&expected_close_on[within]=this_quarter&expand=account.parent,owner"),
        0
    );
    let walked = owner.all(&format!("{OPPORTUNITIES}?created_at[within]=last_2_days&limit=1"));
    assert_eq!(walked.len(), 3);
}

#[test]
fn expansions_go_two_levels_deep() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    fill(&owner);
    let page =
        owner.get(&format!("{OPPORTUNITIES}?expand=account.parent,account.owner,owner&sort=name")).ok();
    let till = &page["data"][2];
    assert_eq!(till["account"]["name"], "Corner Shop", "{till}");
    assert_eq!(till["account"]["parent"]["name"], "Öl Holding");
    assert!(till["account"]["owner"]["name"].is_string() && till["owner"]["name"].is_string());
    assert_eq!(page["data"][0]["account"]["parent"], Value::Null);
    assert_eq!(page["data"][1]["account"], Value::Null);
    let one = owner.get(&format!("{OPPORTUNITIES}/{}?expand=account.parent", id(till))).ok();
    assert_eq!(one["account"]["parent"]["industry"], "finance");
    for bad in ["account.parent.parent", "owner.name", "account.nothing", "name", "account,account"] {
        owner.get(&format!("{OPPORTUNITIES}?expand={bad}")).problem(400, "invalid_expand");
    }
}

#[test]
fn what_is_not_readable_is_absent_from_a_filter_too() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    fill(&owner);
    let rep = acme.key("rep");
    rep.post(ACCOUNTS, &json!({"name": "Mine", "industry": "retail"})).created();
    rep.post(OPPORTUNITIES, &json!({"name": "My own"})).created();
    // The rep reads every account but only the own deals: theirs do not show through the accounts.
    assert_eq!(listed(&rep, ACCOUNTS, "opportunities[has]=true"), Vec::<String>::new());
    assert_eq!(listed(&rep, ACCOUNTS, "opportunities[has_no]=true").len(), count(&rep, ACCOUNTS) as usize);
    assert_eq!(listed(&owner, ACCOUNTS, "opportunities[has]=true").len(), 2);
}

#[test]
fn what_cannot_be_asked_is_refused_with_what_would_work() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let refused = |query: &str, code: &str| {
        let problem = owner.get(&format!("{OPPORTUNITIES}?{query}")).problem(400, code);
        assert!(text(&problem, "detail").len() > 20, "{problem}");
    };
    refused("colour=red", "unknown_parameter");
    refused("deleted_at[empty]=false", "unknown_parameter");
    refused("name[like]=x", "unknown_operator");
    refused("name.industry=x", "invalid_filter_path");
    refused("account.colour=x", "unknown_field");
    refused("account.parent.parent.parent.name=x", "path_too_long");
    refused("amount[contains]=1", "operator_not_applicable");
    refused("amount=much", "invalid_filter_value");
    refused("expected_close_on[within]=soon", "invalid_period");
    refused("account=0", "invalid_filter_value");
    let nine: Vec<Value> = (0..9).map(|n| json!({"field": "account.name", "value": n.to_string()})).collect();
    let query = |body: Value| owner.post(&format!("{OPPORTUNITIES}/query"), &body);
    query(json!({"filter": {"or": nine}})).problem(400, "filter_too_costly");
    let wide: Vec<Value> = (0..65).map(|n| json!({"field": "name", "value": n.to_string()})).collect();
    query(json!({"filter": {"or": wide}})).problem(400, "filter_too_large");
    let mut deep = json!({"field": "name", "value": "x"});
    for _ in 0..9 {
        deep = json!({"not": deep});
    }
    query(json!({"filter": deep})).problem(400, "filter_too_deep");
    query(json!({"filter": {"field": "name", "op": "in", "value": vec!["x"; 201]}}))
        .problem(400, "filter_list_too_long");
    query(json!({"filter": {"field": "name"}})).problem(400, "invalid_filter");
    let strict = query(json!({"filters": {}, "limit": "5", "sort": {}}));
    strict.problem(422, "validation_failed");
    assert_eq!(strict.pointers(), ["/filters", "/limit", "/sort"]);
    query(json!({"limit": 201})).problem(400, "invalid_limit");
    query(json!({"sort": "nothing"})).problem(400, "invalid_sort");
    owner.get(&format!("{OPPORTUNITIES}/query")).problem(405, "method_not_allowed");
    owner.post(&format!("{OPPORTUNITIES}/query?limit=1"), &json!({})).problem(400, "unknown_parameter");
}

#[test]
fn an_order_with_absent_values_is_walked_whole() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    for number in 0..20 {
        let employees = if number % 3 == 0 { json!(null) } else { json!(number % 5) };
        owner.post(ACCOUNTS, &json!({"name": format!("A{number:02}"), "employees": employees})).created();
    }
    for sort in ["employees", "-employees", "country", "-country", "-employees,name"] {
        for limit in [1, 3, 7] {
            let walked = owner.all(&format!("{ACCOUNTS}?limit={limit}&sort={sort}"));
            let mut ids: Vec<&str> = walked.iter().map(id).collect();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!((walked.len(), ids.len()), (20, 20), "{sort} {limit}");
        }
    }
}
