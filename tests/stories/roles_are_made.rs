//! Roles and policies of an organization: made, checked whole, explained, in force at the next request.

use serde_json::{Value, json};
use stoa_testkit::{Client, Host, Organization};
use stoa_tests::{count, id, text};

const ACCOUNTS: &str = "/api/v1/crm/accounts";
const POLICIES: &str = "/api/v1/policies";

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

/// Somebody with this role, invited and logged in: what programs may do with the policy is less.
fn in_person(acme: &Organization<'_>, role: &str) -> Client {
    let (email, password) = ("eve@acme.example", "a walk under one roof");
    let owner = acme.owner();
    let user = json!({"name": "Eve", "email": email, "roles": [role]});
    let user = owner.post("/api/v1/users", &user).created();
    let invitation = owner.post(&format!("/api/v1/users/{}/invitation", id(&user)), &json!({})).created();
    let (_, token) = text(&invitation, "setup_url").split_once("#token=").unwrap();
    let door = acme.anonymous();
    door.post("/api/v1/auth/setup", &json!({"token": token, "password": password})).success();
    let session = door.post("/api/v1/auth/login", &json!({"email": email, "password": password})).ok();
    acme.with_token(text(&session, "access_token"))
}

fn of_policy(subject: &str, action: &str, effect: &str) -> Value {
    let mut row = row(subject, action, effect);
    row["object"] = json!("host.policy");
    row
}

#[test]
fn nobody_grants_what_he_lacks_and_nobody_shuts_an_owner_out() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let (owner, boss) = (acme.owner(), acme.owner_in_person());
    let delegate = json!({"name": "delegate", "label": "Delegate", "inherits": ["readonly"]});
    owner.post("/api/v1/roles", &delegate).created();
    for action in ["read", "update"] {
        owner.post(POLICIES, &of_policy("role:delegate", action, "allow")).created();
    }
    let eve = in_person(&acme, "delegate");

    eve.post(POLICIES, &row("role:rep", "delete", "allow")).problem(403, "grant_exceeds_own");
    let made = json!({"name": "mine", "label": "Mine", "inherits": ["manager"]});
    eve.post("/api/v1/roles", &made).problem(403, "grant_exceeds_own");
    let denied = owner.post(POLICIES, &row("role:manager", "delete", "deny")).created();
    let denied = format!("{POLICIES}/{}", id(&denied));
    eve.delete(&denied).problem(403, "grant_exceeds_own");
    owner.delete(&denied).expect(204);
    let own = eve.post(POLICIES, &row("role:delegate", "read", "allow")).created();
    eve.delete(&format!("{POLICIES}/{}", id(&own))).expect(204);

    eve.post(POLICIES, &of_policy("role:delegate", "update", "deny")).problem(409, "would_lock_out");
    let me = text(&boss.get("/api/v1/authz/me").ok(), "principal").to_owned();
    let of_boss = of_policy(&format!("user:{me}"), "update", "deny");
    eve.post(POLICIES, &of_boss).problem(403, "forbidden");
    let team = owner.post("/api/v1/teams", &json!({"name": "Board"})).created();
    owner.patch(&format!("/api/v1/users/{me}"), &json!({"team": id(&team)})).ok();
    eve.post(POLICIES, &row(&format!("team:{}", id(&team)), "read", "deny")).problem(403, "forbidden");
    // Whoever asks: somebody who owns the organization keeps the policy.
    boss.post(POLICIES, &of_boss).problem(409, "would_lock_out");
    owner.post(POLICIES, &of_boss).problem(409, "would_lock_out");
    assert_eq!(boss.get(POLICIES).ok()["data"].as_array().unwrap().len(), 2, "the delegate's two rows");
}

#[test]
fn what_somebody_might_is_explained_and_that_he_was_disabled() {
    let host = Host::start();
    let acme = host.organization("acme", &["sales"]);
    let owner = acme.owner();
    let ann = json!({"name": "Ann", "email": "ann@acme.example", "roles": ["rep"]});
    let ann = id(&owner.post("/api/v1/users", &ann).created()).to_owned();
    let question = json!({"principal": ann, "object": "crm.account", "action": "read"});
    let explained = || {
        let answer = owner.post("/api/v1/authz/explain", &question).ok();
        let stages = answer["stages"].as_array().unwrap().iter();
        let failed = stages.filter(|stage| stage["passed"] == false).map(|stage| stage["stage"].clone());
        (answer["allowed"].clone(), failed.collect::<Vec<_>>())
    };
    assert_eq!(explained(), (json!(true), vec![]));
    owner.post(&format!("/api/v1/users/{ann}/disable"), &json!({})).ok();
    assert_eq!(explained(), (json!(false), vec![json!("principal")]));
    owner.post("/api/v1/authz/filter", &question).expect(422);
}

#[test]
fn a_row_on_what_is_not_licensed_any_more_keeps_nobody_out_and_counts_again_with_the_licence() {
    const OPPORTUNITIES: &str = "/api/v1/sales/opportunities";
    let mut host = Host::start();
    let tokens = {
        let acme = host.organization("acme", &["sales"]);
        [acme.owner(), acme.key("rep")].map(|client| client.token().unwrap().to_owned())
    };
    let clients = |host: &Host| {
        let [owner, rep] = &tokens;
        [owner, rep].map(|token| Client::new(host.address(), "/t/acme", Some(token)))
    };
    let of_sales = |subject: &str, action: &str, effect: &str| {
        let mut row = row(subject, action, effect);
        row["object"] = json!("sales.opportunity");
        row
    };
    let stale = |owner: &Client| -> Vec<Value> {
        let listed = owner.get(POLICIES).ok();
        listed["data"].as_array().unwrap().iter().map(|row| row["stale"].clone()).collect()
    };
    let [owner, rep] = clients(&host);
    let allow = id(&owner.post(POLICIES, &of_sales("role:readonly", "update", "allow")).created()).to_owned();
    let deny = id(&owner.post(POLICIES, &of_sales("role:rep", "read", "deny")).created()).to_owned();
    rep.get(OPPORTUNITIES).problem(403, "forbidden");
    assert_eq!(stale(&owner), [Value::Null, Value::Null]);

    host.cli(&["license", "acme", "sales", "--revoke"]).ok();
    rep.get(OPPORTUNITIES).problem(403, "license_required");
    let other = owner.post(POLICIES, &row("role:rep", "update", "deny")).created();
    owner.delete(&format!("{POLICIES}/{}", id(&other))).expect(204);

    host.restart();
    let [owner, rep] = clients(&host);
    rep.get(ACCOUNTS).ok();
    let gone = json!("there is no object `sales.opportunity`");
    assert_eq!(stale(&owner), [gone.clone(), gone.clone()]);
    assert_eq!(owner.get(&format!("{POLICIES}/{deny}")).ok()["stale"], gone);
    owner.post(POLICIES, &of_sales("role:rep", "update", "deny")).expect(422);
    owner.delete(&format!("{POLICIES}/{allow}")).expect(204);

    host.cli(&["license", "acme", "sales"]).ok();
    rep.get(OPPORTUNITIES).problem(403, "forbidden");
    assert_eq!(stale(&owner), [Value::Null]);
    owner.delete(&format!("{POLICIES}/{deny}")).expect(204);
    rep.get(OPPORTUNITIES).ok();
}
