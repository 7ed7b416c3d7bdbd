//! Words are searched: in one entity and in all modules, ranked, shown with their places, and only what one may see.

use serde_json::{Value, json};
use stoa_testkit::{Client, Host};
use stoa_tests::{id, text};

fn found(client: &Client, path: &str) -> Vec<(String, String)> {
    let answer = client.get(path).ok();
    let hits = answer["data"].as_array().unwrap();
    hits.iter().map(|hit| (text(hit, "entity").to_owned(), text(hit, "title").to_owned())).collect()
}

/// A piece of business that belongs to `by`; its id.
fn business(owner: &Client, by: &Client, name: &str) -> String {
    let pipeline = owner.post("/api/v1/sales/pipelines", &json!({"name": format!("For {name}")})).created();
    let stage = json!({"pipeline": id(&pipeline), "name": "Talk", "position": 1, "kind": "open", "probability": "20"});
    let stage = owner.post("/api/v1/sales/stages", &stage).created();
    let body = json!({"name": name, "pipeline": id(&pipeline), "stage": id(&stage)});
    id(&by.post("/api/v1/sales/opportunities", &body).created()).to_owned()
}

fn pair(entity: &str, title: &str) -> (String, String) {
    (entity.to_owned(), title.to_owned())
}

#[test]
fn one_search_covers_every_module_that_the_caller_may_see() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let rep = acme.key("rep");
    let account = owner.post("/api/v1/crm/accounts", &json!({"name": "Möbelhaus Nord"})).created();
    owner.post("/api/v1/crm/accounts", &json!({"name": "Nordwind", "legal_name": "Mobel & Co"})).created();

    let all = owner.get("/api/v1/search?q=mobel&count=capped").ok();
    assert_eq!((&all["count"], &all["complete"]), (&json!(2), &json!(true)));
    let first = &all["data"][0];
    assert_eq!((text(first, "title"), id(first)), ("Möbelhaus Nord", id(&account)));
    assert_eq!(
        owner.get(text(first, "href").strip_prefix("/t/acme").unwrap()).ok()["name"],
        "Möbelhaus Nord"
    );
    assert_eq!(first["snippets"][0], json!({"field": "name", "text": "Möbelhaus Nord", "hits": [[0, 9]]}));
    assert_eq!(
        found(&owner, "/api/v1/search?q=nord&entities=crm.account"),
        [pair("crm.account", "Nordwind"), pair("crm.account", "Möbelhaus Nord")]
    );
    // What a rep may not read he neither finds nor counts: of the business of others, nothing.
    let theirs = business(&owner, &owner, "Mobel for all");
    let own = business(&owner, &rep, "Mobel for one");
    assert_ne!(theirs, own);
    let seen = rep.get("/api/v1/search?q=mobel&entities=sales.opportunity&count=capped").ok();
    assert_eq!((seen["data"][0]["id"].as_str(), &seen["count"]), (Some(own.as_str()), &json!(1)), "{seen}");
    let all = owner.get("/api/v1/search?q=mobel&entities=sales.opportunity&count=capped").ok();
    assert_eq!(all["count"], 2);
    let listed = rep.all("/api/v1/sales/opportunities?q=mobel");
    assert_eq!(listed.iter().map(id).collect::<Vec<_>>(), [own.as_str()]);
}

#[test]
fn one_entity_is_searched_at_its_own_address() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    for name in ["Rome", "Rome Foods", "Old Rome"] {
        owner.post("/api/v1/crm/accounts", &json!({"name": name})).created();
    }
    let titles: Vec<String> =
        found(&owner, "/api/v1/crm/accounts/search?q=rome").into_iter().map(|(_, title)| title).collect();
    assert_eq!(titles, ["Rome", "Rome Foods", "Old Rome"]);
    let gone = owner.get("/api/v1/crm/accounts/search?q=%22old%20rome%22").ok();
    owner.delete(&format!("/api/v1/crm/accounts/{}", id(&gone["data"][0]))).success();
    assert_eq!(found(&owner, "/api/v1/crm/accounts/search?q=rome&limit=5").len(), 2);
    let listed = owner.get("/api/v1/crm/accounts?q=rome&sort=-name&fields=name&count=exact").ok();
    let names: Vec<&Value> = listed["data"].as_array().unwrap().iter().map(|row| &row["name"]).collect();
    assert_eq!((names, &listed["count"]), (vec![&json!("Rome Foods"), &json!("Rome")], &json!(2)));
}

#[test]
fn a_list_by_words_is_paged_like_any_other() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    for number in 0..25 {
        owner.post("/api/v1/crm/accounts", &json!({"name": format!("Paged {number}")})).created();
    }
    assert_eq!(owner.all("/api/v1/crm/accounts?q=paged&limit=7").len(), 25);
    let page = owner.get("/api/v1/crm/accounts?q=paged&limit=7").ok();
    let cursor = stoa_testkit::encode(text(&page, "next_cursor"));
    owner.get(&format!("/api/v1/crm/accounts?q=other&cursor={cursor}")).problem(400, "invalid_cursor");
}

#[test]
fn a_search_that_cannot_be_says_why() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let owner = acme.owner();
    for (path, code) in [
        ("/api/v1/search?q=%22%22", "invalid_search"),
        ("/api/v1/search?q=a&limit=0", "invalid_parameter"),
        ("/api/v1/search?q=a&entities=crm.nothing", "unknown_entity"),
        ("/api/v1/search?q=a&entities=sales.product", "unknown_entity"),
        ("/api/v1/crm/accounts/search", "invalid_search"),
        ("/api/v1/crm/accounts/search?q=a&x=1", "unknown_parameter"),
    ] {
        owner.get(path).problem(400, code);
    }
    owner.get(&format!("/api/v1/search?q={}", "a".repeat(201))).problem(400, "invalid_search");
    acme.anonymous().get("/api/v1/search?q=a").expect(401);
}
