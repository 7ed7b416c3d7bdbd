//! Tokens without people: a program that acts as a service account, and one refresh token that is used by many at once.

use std::collections::HashSet;

use serde_json::{Value, json};
use stoa_testkit::{Answer, Client, Host};
use stoa_tests::{id, text};

use super::a_program_signs_people_in::{
    Registered, code, exchange, form, member, phone, refused, registered, sign_in,
};
use super::a_relying_party::on_stage;

const CONTACTS: &str = "/api/v1/crm/contacts";

fn refresh(door: &Client, client: &Registered, token: &str) -> Answer {
    let mut all =
        vec![("grant_type", "refresh_token"), ("client_id", client.id.as_str()), ("refresh_token", token)];
    all.extend(client.secret.as_deref().map(|secret| ("client_secret", secret)));
    form(door, "/oauth/token", &all)
}

/// The answers to as many uses of one token at once.
fn used_at_once(door: &Client, client: &Registered, token: &str) -> Vec<Answer> {
    std::thread::scope(|threads| {
        let users: Vec<_> = (0..64).map(|_| threads.spawn(|| refresh(door, client, token))).collect();
        users.into_iter().map(|user| user.join().unwrap()).collect()
    })
}

#[test]
fn b14_64_uses_of_one_refresh_token_give_one_new_generation() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let (person, door) = (member(&acme), acme.anonymous());
    let client = phone(&acme, &person);
    let cookie = sign_in(&acme, &person);
    let first = exchange(&door, &client, &code(&door, &cookie, &client)).ok();
    let first = text(&first, "refresh_token");
    let answers: Vec<Value> = used_at_once(&door, &client, first).iter().map(Answer::ok).collect();
    let next: HashSet<&str> = answers.iter().map(|tokens| text(tokens, "refresh_token")).collect();
    assert_eq!(next.len(), 1, "an answer that was lost may be asked for again, and is the same one");
    let next = next.into_iter().next().unwrap();
    let third = refresh(&door, &client, next).ok();
    let bearer = acme.with_token(text(&third, "access_token"));
    bearer.get("/oauth/userinfo").ok();
    refused(&refresh(&door, &client, first), 400, "invalid_grant");
    refused(&refresh(&door, &client, text(&third, "refresh_token")), 400, "invalid_grant");
    assert_eq!(bearer.get("/oauth/userinfo").status(), 401, "the whole family has ended");
}

#[test]
fn b14_of_64_who_have_a_secret_and_one_refresh_token_one_is_answered_and_the_family_ends() {
    on_stage(|stage| {
        let first = stage.tokens(&[("scope", "openid offline_access")]);
        let answers = used_at_once(&stage.door, &stage.client, text(&first, "refresh_token"));
        let (good, bad): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status() == 200);
        assert_eq!(good.len(), 1);
        for answer in bad {
            refused(answer, 400, "invalid_grant");
        }
        let next = good[0].ok();
        refused(&refresh(&stage.door, &stage.client, text(&next, "refresh_token")), 400, "invalid_grant");
        let ended = stage.acme.with_token(text(&next, "access_token")).get("/oauth/userinfo");
        assert_eq!(ended.status(), 401);
    });
}

#[test]
fn a_program_acts_as_its_service_account_within_its_scopes_until_that_is_disabled() {
    let host = Host::start();
    let acme = host.organization("acme", &[]);
    let (person, door, boss) = (member(&acme), acme.anonymous(), acme.owner_in_person());
    let account = json!({"name": "Robot", "roles": ["rep"]});
    let account = id(&boss.post("/api/v1/service-accounts", &account).created()).to_owned();
    let robot = json!({
        "name": "Robot", "kind": "service", "auth_method": "client_secret_post", "grants": ["client_credentials"],
        "scopes": ["crm.contact:read", "crm.contact:create"], "service_account": account,
    });
    let robot = registered(&acme, &person, &robot);
    let secret = robot.secret.as_deref().unwrap();
    let ask = |secret: &str, scope: Option<&str>| {
        let mut all = vec![
            ("grant_type", "client_credentials"),
            ("client_id", robot.id.as_str()),
            ("client_secret", secret),
        ];
        all.extend(scope.map(|scope| ("scope", scope)));
        form(&door, "/oauth/token", &all)
    };
    let all = ask(secret, None).ok();
    assert_eq!(
        (&all["scope"], &all["token_type"]),
        (&json!("crm.contact:read crm.contact:create"), &json!("Bearer"))
    );
    assert!(all.get("refresh_token").is_none() && all.get("id_token").is_none());
    let narrow = ask(secret, Some("crm.contact:read")).ok();
    assert_eq!(narrow["scope"], "crm.contact:read");
    let (writes, reads) =
        (acme.with_token(text(&all, "access_token")), acme.with_token(text(&narrow, "access_token")));
    let contact = json!({"last_name": "Doe"});
    let made = writes.post(CONTACTS, &contact).created();
    reads.get(&format!("{CONTACTS}/{}", id(&made))).ok();
    reads.post(CONTACTS, &contact).expect(403);
    writes.get("/api/v1/crm/accounts").expect(403);
    refused(&ask(secret, Some("crm.account:read")), 400, "invalid_scope");
    refused(&ask("x", None), 401, "invalid_client");
    assert_eq!(writes.get("/oauth/userinfo").status(), 403, "nobody signed in");
    boss.post(&format!("/api/v1/service-accounts/{account}/disable"), &json!({})).success();
    writes.get(CONTACTS).problem(401, "invalid_token");
    refused(&ask(secret, None), 400, "unauthorized_client");
    boss.post(&format!("/api/v1/service-accounts/{account}/enable"), &json!({})).success();
    writes.get(CONTACTS).problem(401, "invalid_token");
}
