//! Roles and policies of an organization: made, checked whole, explained, in force at the next request.

use serde_json::{Value, json};
use stoa_testkit::Host;
use stoa_tests::{count, id};

const ACCOUNTS: &str = "/api/v1/crm/accounts";

fn row(subject: &str, action: &str, effect: &str) -> Value {
    json!({
        "subject": subject, "object": "crm.account", "action": action, "scope": "org", "effect": effect,
        "reason": "as agreed",
    })
}

#[test]
fn a_role_is_made_and_a_policy_counts_from_the_next_request_on() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let (owner, rep) = (acme.owner(), acme.key("rep"));
    let role = json!({"name": "auditor", "label": "Auditor", "inherits": ["readonly"]});
    owner.post("/api/v1/roles", &role).created();
    owner.post("/api/v1/roles", &role).problem(409, "taken");
    assert!(owner.get("/api/v1/roles").ok().to_string().contains("auditor"));
    let eve = json!({"name": "Eve", "email": "eve@acme.example", "roles": ["auditor"]});
    let eve = owner.post("/api/v1/users", &eve).created();
    owner.delete("/api/v1/roles/auditor").problem(409, "role_in_use");
    owner.patch(&format!("/api/v1/users/{}", id(&eve)), &json!({"roles": ["readonly"]})).ok();
    owner.patch("/api/v1/roles/auditor", &json!({"inherits": ["auditor"]})).expect(422);
    owner.patch("/api/v1/roles/rep", &json!({"label": "x"})).problem(409, "role_is_shipped");
    rep.post("/api/v1/roles", &json!({"name": "mine", "label": "Mine"})).expect(403);
    rep.post("/api/v1/policies", &row("role:rep", "delete", "allow")).expect(403);

    rep.post(ACCOUNTS, &json!({"name": "One"})).created();
    let before = count(&rep, ACCOUNTS);
    let denied = owner.post("/api/v1/policies", &row("role:rep", "read", "deny")).created();
    rep.get(ACCOUNTS).expect(403);
    owner.delete(&format!("/api/v1/policies/{}", id(&denied))).expect(204);
    assert_eq!(count(&rep, ACCOUNTS), before);

    let mut small = row("role:rep", "read", "deny");
    small["condition"] = json!({"field": "name", "op": "starts", "value": "O"});
    let conditional = owner.post("/api/v1/policies", &small).created();
    assert_eq!(count(&rep, ACCOUNTS), before - 1);
    let question = json!({"object": "crm.account", "action": "read"});
    let explained = owner.post("/api/v1/authz/explain", &question).ok();
    assert_eq!(explained["allowed"], true);
    rep.post("/api/v1/authz/explain", &question).expect(403);
    let checked = rep.post(
        "/api/v1/authz/check",
        &json!({"items": [question, {"object": "host.user", "action": "delete"}]}),
    );
    let allowed: Vec<Value> =
        checked.ok()["results"].as_array().unwrap().iter().map(|one| one["allowed"].clone()).collect();
    assert_eq!(allowed, [json!(true), json!(false)]);
    owner.delete(&format!("/api/v1/policies/{}", id(&conditional))).expect(204);
    owner.delete("/api/v1/roles/auditor").expect(204);
}

#[test]
fn a_strange_policy_is_refused_and_the_one_before_goes_on() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let (owner, rep) = (acme.owner(), acme.key("rep"));
    let with = |member: &str, value: Value| {
        let mut changed = row("role:rep", "read", "deny");
        changed[member] = value;
        changed
    };
    let deep = (0..33).fold(json!({"field": "name", "value": "x"}), |inner, _| json!({ "not": inner }));
    for bad in [
        with("subject", json!("role:nobody")),
        with("subject", json!("")),
        with("object", json!("crm.nothing")),
        with("object", json!("crm.account#nothing")),
        with("action", json!("burn")),
        with("effect", json!("Deny")),
        with("scope", json!("all")),
        with("condition", json!("name < 5")),
        with("condition", json!({"field": "nothing", "value": 1})),
        with("condition", json!({"field": "name", "op": "gt", "value": 99_999_999_999_999_999_999_f64})),
        with("condition", deep),
        row("role:owner", "read", "deny"),
    ] {
        owner.post("/api/v1/policies", &bad).expect(422);
    }
    rep.get(ACCOUNTS).ok();
    assert!(owner.get("/api/v1/policies").ok()["data"].as_array().unwrap().is_empty());
}

#[test]
fn programs_act_with_roles_of_the_organizations_own() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let (owner, in_person) = (acme.owner(), acme.owner_in_person());
    let key = json!({"name": "Nightly", "role": "auditor"});
    in_person.post("/api/v1/api-keys", &key).expect(422);
    owner.post("/api/v1/roles", &json!({"name": "auditor", "label": "Auditor"})).created();
    owner.post("/api/v1/policies", &row("role:auditor", "read", "allow")).created();
    owner.post("/api/v1/policies", &row("role:auditor", "list", "allow")).created();
    let made = in_person.post("/api/v1/api-keys", &key).created();
    let program = acme.with_token(made["secret"].as_str().unwrap());
    owner.post(ACCOUNTS, &json!({"name": "One"})).created();
    assert_eq!(count(&program, ACCOUNTS), count(&owner, ACCOUNTS));
    program.post(ACCOUNTS, &json!({"name": "Two"})).expect(403);
    program.post("/api/v1/authz/filter", &json!({"object": "crm.account", "action": "read"})).expect(403);

    let robot = json!({"name": "Robot", "roles": ["auditor"]});
    let robot = in_person.post("/api/v1/service-accounts", &robot).created();
    assert_eq!(robot["roles"], json!(["auditor"]));
    let manager = acme.key("manager");
    manager.post("/api/v1/service-accounts", &json!({"name": "Mine", "roles": ["auditor"]})).expect(403);
    in_person.delete(&format!("/api/v1/api-keys/{}", id(&made["api_key"]))).success();
    for policy in owner.get("/api/v1/policies").ok()["data"].as_array().unwrap() {
        owner.delete(&format!("/api/v1/policies/{}", id(policy))).expect(204);
    }
    owner.delete("/api/v1/roles/auditor").problem(409, "role_in_use");
    let path = format!("/api/v1/service-accounts/{}", id(&robot));
    in_person.patch(&path, &json!({"roles": ["readonly"]})).ok();
    owner.delete("/api/v1/roles/auditor").expect(204);
}

#[test]
fn an_administrator_sees_the_filter_that_lists_of_somebody_carry() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let (owner, rep) = (acme.owner(), acme.key("rep"));
    let me = rep.get("/api/v1/authz/me").ok()["principal"].clone();
    let ask = |object: &str, action: &str| {
        let question = json!({"principal": me, "object": object, "action": action});
        owner.post("/api/v1/authz/filter", &question).ok()
    };
    assert_eq!(ask("crm.account", "read")["outcome"], "always");
    assert_eq!(ask("crm.account", "delete")["outcome"], "never");
    let own = ask("crm.account", "update");
    let lent = json!({"shared_with": [me], "level": "update"});
    assert_eq!(own["filter"], json!({"or": [{"field": "owner_id", "value": me}, lent]}), "{own}");
    let team = ask("crm.contact", "read");
    assert_eq!(team["filter"]["or"].as_array().unwrap().len(), 3, "{team}");

    let mut small = row("role:rep", "update", "deny");
    small["condition"] = json!({"field": "owner_id", "op": "ne", "value": {"var": "user.id"}});
    owner.post("/api/v1/policies", &small).created();
    let text = ask("crm.account", "update")["filter"].to_string();
    assert!(text.contains("\"not\"") && !text.contains("var"), "{text}");
    assert_eq!(owner.get(&format!("{ACCOUNTS}?limit=1")).status(), 200);
    let stranger = json!({"principal": "nobody", "object": "crm.account", "action": "read"});
    owner.post("/api/v1/authz/filter", &stranger).expect(422);
    rep.post("/api/v1/authz/filter", &json!({"object": "crm.account", "action": "read"})).expect(403);
}
