//! People of an organization sign in with a certified OpenID provider that others wrote: arranged over REST, made or linked by the
//! rules, and kept out as soon as something is not as it must be.

use serde_json::{Value, json};
use stoa_testkit::{Client, encode};
use stoa_tests::{id, text};

use crate::door::{PASSWORD, person};
use crate::elsewhere::{
    Elsewhere, PROVIDERS, arrive, away, depart, exchange, host, present, refused, signed_in, visit, voucher,
};

/// Lets the real provider send people back to these.
fn registered(elsewhere: &Elsewhere, providers: &[&Value]) {
    let back = providers.iter().map(|one| format!("to={}", encode(text(one, "callback_url"))));
    elsewhere.tell(&format!("/redirects?{}", back.collect::<Vec<_>>().join("&")));
}

/// The people of the organization with this name.
fn named(owner: &Client, name: &str) -> Vec<Value> {
    let all = owner.get("/api/v1/users").ok();
    all["data"].as_array().unwrap().iter().filter(|one| one["name"] == name).cloned().collect()
}

#[test]
fn somebody_new_is_made_once_with_the_roles_of_their_groups() {
    let (host, elsewhere) = (host(), Elsewhere::real());
    let acme = host.organization("acme", &[]);
    let owner = acme.owner_in_person();
    let provider = elsewhere.arranged(&owner, &json!({}));
    registered(&elsewhere, &[&provider]);
    let path = format!("{PROVIDERS}/{}", id(&provider));
    let listed = owner.get(PROVIDERS);
    assert_eq!(listed.ok()["data"].as_array().unwrap().len(), 1);
    assert!(!listed.text().contains("only-the-two-of-us"), "a secret is never shown");
    let options = acme.anonymous().get("/api/v1/auth/federation").ok();
    assert_eq!(options["data"], json!([{"id": provider["id"], "name": "Elsewhere"}]));

    for _ in 0..2 {
        let (ann, acr) = signed_in(&acme, &elsewhere, &provider);
        assert_eq!(acr, "aal1");
        let me = ann.get("/api/v1/me/profile").ok();
        assert_eq!((&me["name"], &me["email"]), (&json!("Ann Elsewhere"), &json!("ann@elsewhere.example")));
        ann.get(PROVIDERS).problem(403, "forbidden");
    }
    let people = named(&owner, "Ann Elsewhere");
    assert_eq!((people.len(), &people[0]["roles"]), (1, &json!(["rep"])));

    elsewhere.tell("/become/bob");
    refused(&visit(&acme, &elsewhere, &provider).0);
    assert!(named(&owner, "Bob Elsewhere").is_empty(), "none of his groups has a role");
    for role in ["owner", "admin"] {
        let mapped = json!({"group_roles": [{"group": "*", "role": role}]});
        owner.patch(&path, &mapped).problem(422, "validation_failed");
    }
    owner.patch(&path, &json!({"group_roles": [{"group": "*", "role": "manager"}]})).ok();
    signed_in(&acme, &elsewhere, &provider);
    assert_eq!(named(&owner, "Bob Elsewhere")[0]["roles"], json!(["manager"]));
    owner.patch(&path, &json!({"provisions": false})).ok();
    elsewhere.tell("/become/boss");
    refused(&visit(&acme, &elsewhere, &provider).0);

    owner.delete(&path).expect(204);
    assert_eq!(acme.anonymous().get("/api/v1/auth/federation").ok()["data"], json!([]));
    assert_eq!(named(&owner, "Ann Elsewhere").len(), 1, "people stay");
}

#[test]
fn roles_of_groups_follow_at_each_sign_in_and_others_stay() {
    let (host, elsewhere) = (host(), Elsewhere::lying());
    let acme = host.organization("acme", &[]);
    let owner = acme.owner_in_person();
    let mapped = json!([{"group": "sales", "role": "rep"}, {"group": "chiefs", "role": "manager"}]);
    let provider = elsewhere.arranged(&owner, &json!({"group_roles": mapped}));
    let path = format!("{PROVIDERS}/{}", id(&provider));
    let in_groups = |groups: Value| {
        elsewhere.lie(&json!({"claims": {"groups": groups}}));
        visit(&acme, &elsewhere, &provider).0
    };
    let roles = || named(&owner, "Ann Elsewhere")[0]["roles"].clone();
    let (ann, _) = signed_in(&acme, &elsewhere, &provider);
    assert_eq!(roles(), json!(["rep"]));
    ann.get("/api/v1/users").ok();
    voucher(&in_groups(json!(["sales", "chiefs"])));
    assert_eq!(roles(), json!(["manager", "rep"]));
    voucher(&in_groups(json!(["chiefs"])));
    assert_eq!(roles(), json!(["manager"]), "what a group gave it takes");

    let her = format!("/api/v1/users/{}", id(&named(&owner, "Ann Elsewhere")[0]));
    owner.patch(&her, &json!({"roles": ["manager", "readonly"]})).ok();
    owner.patch(&path, &json!({"group_roles": [{"group": "chiefs", "role": "rep"}]})).ok();
    voucher(&in_groups(json!(["chiefs"])));
    assert_eq!(roles(), json!(["readonly", "rep"]), "what the mapping gives now, and what an owner gave");
    voucher(&in_groups(json!([])));
    assert_eq!(roles(), json!(["readonly"]));
    owner.patch(&her, &json!({"roles": ["rep"]})).ok();
    voucher(&in_groups(json!(["chiefs"])));
    voucher(&in_groups(json!([])));
    assert_eq!(roles(), json!(["rep"]), "the owner gave it before the group did");

    // Nothing is left of somebody who had only what their groups gave.
    let eve =
        json!({"claims": {"sub": "sub-eve", "name": "Eve", "email": Value::Null, "groups": ["chiefs"]}});
    elsewhere.lie(&eve);
    let (eve, _) = signed_in(&acme, &elsewhere, &provider);
    eve.get("/api/v1/users").ok();
    elsewhere.lie(&json!({"claims": {"sub": "sub-eve", "name": "Eve", "email": Value::Null, "groups": []}}));
    refused(&visit(&acme, &elsewhere, &provider).0);
    assert_eq!(named(&owner, "Eve")[0]["roles"], json!([]));
    eve.get("/api/v1/users").problem(403, "forbidden");
}

#[test]
fn b25_what_a_browser_brings_back_is_good_once_at_the_provider_it_went_to() {
    let (host, elsewhere) = (host(), Elsewhere::real());
    let acme = host.organization("acme", &[]);
    let owner = acme.owner_in_person();
    let one = elsewhere.arranged(&owner, &json!({}));
    let other = elsewhere.arranged(&owner, &json!({"name": "Other"}));
    registered(&elsewhere, &[&one, &other]);
    let elsewhere_of = |address: &str| address.replace(id(&one), id(&other));

    let gone = depart(&acme, &one);
    let back = elsewhere.browse(&gone.address);
    assert!(back.starts_with(text(&one, "callback_url")) && back.contains("iss="));
    refused(&arrive(&elsewhere_of(&back), &gone.cookie));
    refused(&arrive(&back, &gone.cookie)); // its state is used up by whoever presented it

    let gone = depart(&acme, &one);
    let back = elsewhere.browse(&gone.address);
    let (without, _) = back.split_once("&iss=").unwrap();
    refused(&arrive(without, &gone.cookie)); // this provider announces that its answers name it
    let gone = depart(&acme, &one);
    let back = elsewhere.browse(&gone.address);
    refused(&arrive(&back, &depart(&acme, &one).cookie)); // another browser

    let gone = depart(&acme, &one);
    let back = elsewhere.browse(&gone.address);
    let arrived = arrive(&back, &gone.cookie);
    refused(&arrive(&back, &gone.cookie)); // replayed
    let voucher = voucher(&arrived);
    present(&acme, &voucher, &gone.cookie).1.ok();
    present(&acme, &voucher, &gone.cookie).1.problem(401, "federation_refused");
    exchange(&acme, &voucher, &gone.cookie).problem(401, "federation_refused");
    let (back, _) = visit(&acme, &elsewhere, &one);
    let stolen = crate::elsewhere::voucher(&back);
    exchange(&acme, &stolen, &gone.cookie).problem(401, "federation_refused");
}

#[test]
fn b27_who_somebody_is_comes_from_the_token_and_from_no_form() {
    let (host, elsewhere) = (host(), Elsewhere::real());
    let acme = host.organization("acme", &[]);
    let owner = acme.owner_in_person();
    let provider = elsewhere.arranged(&owner, &json!({}));
    registered(&elsewhere, &[&provider]);
    let gone = depart(&acme, &provider);
    let back = elsewhere.browse(&gone.address);
    let forged = "&email=owner@acme.example&name=The+owner&groups=owner&roles=owner&sub=sub-boss";
    let voucher = voucher(&arrive(&format!("{back}{forged}"), &gone.cookie));
    let (client, path) = (acme.anonymous(), "/api/v1/auth/federation/token");
    let call = client.call("POST", path).header("Cookie", &format!("stoa_fed={}", gone.cookie));
    let refused = call.json(&json!({"voucher": voucher, "email": "owner@acme.example"})).send();
    assert!(matches!(refused.status(), 400 | 422), "{}", refused.text());
    let token = exchange(&acme, &voucher, &gone.cookie).ok();
    let me = acme.with_token(text(&token, "access_token")).get("/api/v1/me/profile").ok();
    assert_eq!((&me["name"], &me["email"]), (&json!("Ann Elsewhere"), &json!("ann@elsewhere.example")));
    assert_eq!(named(&owner, "Ann Elsewhere")[0]["roles"], json!(["rep"]));
}

#[test]
fn b28_a_known_address_is_linked_by_whoever_proves_that_it_is_theirs() {
    let (host, elsewhere) = (host(), Elsewhere::real());
    let acme = host.organization("acme", &[]);
    let owner = acme.owner_in_person();
    // Authoritative, but the organization has not shown that the domain is its own.
    let provider = elsewhere.arranged(&owner, &json!({"authoritative": true}));
    registered(&elsewhere, &[&provider]);
    let email = person(&owner, &acme.anonymous(), "boss");
    elsewhere.tell("/become/boss");
    refused(&visit(&acme, &elsewhere, &provider).0);
    let login =
        acme.anonymous().post("/api/v1/auth/login", &json!({"email": email, "password": PASSWORD})).ok();
    let boss = acme.with_token(text(&login, "access_token"));
    let path = format!("{PROVIDERS}/{}/link", id(&provider));
    let wrong = boss.post(&path, &json!({"password": "a walk under another roof"}));
    wrong.problem(401, "insufficient_user_authentication");
    assert_eq!(wrong.header("set-cookie"), None);
    acme.anonymous().post(&path, &json!({"password": PASSWORD})).expect(401);

    let gone = away(&boss.post(&path, &json!({"password": PASSWORD})));
    voucher(&arrive(&elsewhere.browse(&gone.address), &gone.cookie));
    let (again, _) = signed_in(&acme, &elsewhere, &provider);
    assert_eq!(again.get("/api/v1/me/profile").ok()["email"], email);
    assert_eq!(named(&owner, "boss").len(), 1);
    // Nobody else becomes who the boss is there.
    let email = person(&owner, &acme.anonymous(), "eve");
    let login =
        acme.anonymous().post("/api/v1/auth/login", &json!({"email": email, "password": PASSWORD})).ok();
    let eve = acme.with_token(text(&login, "access_token"));
    let gone = away(&eve.post(&path, &json!({"password": PASSWORD})));
    refused(&arrive(&elsewhere.browse(&gone.address), &gone.cookie));
}

#[test]
fn b29_a_disabled_provider_and_a_disabled_person_are_refused_at_every_step() {
    let (host, elsewhere) = (host(), Elsewhere::real());
    let acme = host.organization("acme", &[]);
    let owner = acme.owner_in_person();
    let provider = elsewhere.arranged(&owner, &json!({}));
    registered(&elsewhere, &[&provider]);
    let path = format!("{PROVIDERS}/{}", id(&provider));
    signed_in(&acme, &elsewhere, &provider);
    let turned = |status: &str| owner.patch(&path, &json!({"status": status})).ok();

    let gone = depart(&acme, &provider);
    let back = elsewhere.browse(&gone.address);
    turned("disabled");
    refused(&arrive(&back, &gone.cookie));
    let door = acme.anonymous();
    let again = door.post("/api/v1/auth/federation", &json!({"provider": id(&provider)}));
    again.problem(401, "federation_refused");
    assert_eq!(door.get("/api/v1/auth/federation").ok()["data"], json!([]));
    // With the voucher in hand already.
    turned("active");
    let came: Vec<_> = (0..2).map(|_| visit(&acme, &elsewhere, &provider)).collect();
    turned("disabled");
    present(&acme, &voucher(&came[0].0), &came[0].1).1.problem(401, "federation_refused");
    exchange(&acme, &voucher(&came[1].0), &came[1].1).problem(401, "federation_refused");

    turned("active");
    let came: Vec<_> = (0..2).map(|_| visit(&acme, &elsewhere, &provider)).collect();
    let ann = named(&owner, "Ann Elsewhere").remove(0);
    owner.post(&format!("/api/v1/users/{}/disable", id(&ann)), &json!({})).ok();
    present(&acme, &voucher(&came[0].0), &came[0].1).1.problem(401, "federation_refused");
    exchange(&acme, &voucher(&came[1].0), &came[1].1).problem(401, "federation_refused");
    refused(&visit(&acme, &elsewhere, &provider).0);
}

#[test]
fn a_new_key_of_the_provider_is_learned_at_once() {
    let (host, elsewhere) = (host(), Elsewhere::real());
    let acme = host.organization("acme", &[]);
    let provider = elsewhere.arranged(&acme.owner_in_person(), &json!({}));
    registered(&elsewhere, &[&provider]);
    signed_in(&acme, &elsewhere, &provider);
    elsewhere.tell("/rotate");
    signed_in(&acme, &elsewhere, &provider);
}
