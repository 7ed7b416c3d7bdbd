//! A provider whose ID tokens are not what they must be: nobody is signed in by them. Each lie stands beside the truth, which is
//! taken before and after.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use stoa_tests::{id, text};

use super::a_second_factor_is_asked::enrol;
use crate::door::{PASSWORD, person};
use crate::elsewhere::{
    Elsewhere, PROVIDERS, arrive, away, depart, exchange, host, present, refused, signed_in, visit, voucher,
};

/// What is wrong, and how to say it.
fn lies() -> Vec<(&'static str, Value)> {
    let claim = |name: &str, value: Value| json!({"claims": {name: value}});
    vec![
        ("another issuer", claim("iss", json!("https://idp.example"))),
        ("no issuer", claim("iss", Value::Null)),
        ("another audience", claim("aud", json!("another"))),
        ("two audiences", claim("aud", json!(["stoa", "another"]))),
        ("no audience", claim("aud", Value::Null)),
        ("another party", claim("azp", json!("another"))),
        ("another nonce", claim("nonce", json!("another"))),
        ("no nonce", claim("nonce", Value::Null)),
        ("expired", json!({"later": {"exp": -120}})),
        ("no end", claim("exp", Value::Null)),
        ("made in the future", json!({"later": {"iat": 600, "exp": 900}})),
        ("made long ago", json!({"later": {"iat": -1200}})),
        ("not yet good", json!({"later": {"nbf": 600}})),
        ("an empty subject", claim("sub", json!(""))),
        ("a blank subject", claim("sub", json!("  "))),
        ("the subject null", claim("sub", json!("null"))),
        ("no subject", claim("sub", Value::Null)),
        ("a number as subject", claim("sub", json!(7))),
        ("another access token", claim("at_hash", json!("AAAAAAAAAAAAAAAAAAAAAA"))),
        ("unsigned", json!({"header": {"alg": "none"}, "signed": "nobody"})),
        ("a signature taken off", json!({"signed": "nobody"})),
        ("its public key as a shared secret", json!({"header": {"alg": "HS256"}, "signed": "public-key"})),
        ("our secret as a shared secret", json!({"header": {"alg": "HS256"}, "signed": "secret"})),
        ("a stranger's signature", json!({"signed": "stranger"})),
        ("an unknown key", json!({"header": {"kid": "another"}, "signed": "stranger"})),
        ("an access token", json!({"header": {"typ": "at+jwt"}})),
        ("a critical extension", json!({"header": {"crit": ["exp"]}})),
        ("no ID token", json!({"token": {"access_token": "a", "token_type": "Bearer"}})),
        (
            "no token at all",
            json!({"token": {"access_token": "a", "token_type": "Bearer", "id_token": "a.b.c"}}),
        ),
        ("the way back names another", json!({"iss": "https://idp.example"})),
    ]
}

#[test]
fn b26_an_id_token_that_is_not_as_it_must_be_signs_nobody_in() {
    let (host, elsewhere) = (host(), Elsewhere::lying());
    let acme = host.organization("acme", &[]);
    let owner = acme.owner_in_person();
    let provider = elsewhere.arranged(&owner, &json!({"group_roles": [{"group": "*", "role": "rep"}]}));
    signed_in(&acme, &elsewhere, &provider);
    let before = owner.get("/api/v1/users").ok()["data"].as_array().unwrap().len();
    for (what, lie) in lies() {
        elsewhere.lie(&lie);
        let (back, _) = visit(&acme, &elsewhere, &provider);
        assert!(!back.header("location").unwrap().contains("voucher"), "{what}");
        refused(&back);
    }
    assert_eq!(owner.get("/api/v1/users").ok()["data"].as_array().unwrap().len(), before, "nobody was made");
    elsewhere.lie(&json!({}));
    signed_in(&acme, &elsewhere, &provider);
}

#[test]
fn b26_an_unknown_key_makes_the_host_ask_again_once() {
    let (host, elsewhere) = (host(), Elsewhere::lying());
    let acme = host.organization("acme", &[]);
    let provider = elsewhere.arranged(&acme.owner_in_person(), &json!({}));
    for _ in 0..2 {
        signed_in(&acme, &elsewhere, &provider);
    }
    assert_eq!(elsewhere.keys_asked(), 1, "the keys are kept");
    for kid in ["one", "two", "three"] {
        elsewhere.lie(&json!({"header": {"kid": kid}}));
        refused(&visit(&acme, &elsewhere, &provider).0);
    }
    assert_eq!(elsewhere.keys_asked(), 2, "asked for again, once a minute at most");
    elsewhere.lie(&json!({}));
    signed_in(&acme, &elsewhere, &provider);
    assert_eq!(elsewhere.keys_asked(), 2);
}

#[test]
fn b25_a_provider_that_says_it_is_another_is_not_set_up() {
    let (host, elsewhere) = (host(), Elsewhere::lying());
    let acme = host.organization("acme", &[]);
    let owner = acme.owner_in_person();
    for issuer in [format!("{}/", elsewhere.issuer), elsewhere.issuer.replace("127.0.0.1", "localhost")] {
        let new = json!({"name": "Elsewhere", "issuer": issuer, "client_id": "stoa"});
        owner.post(PROVIDERS, &new).problem(422, "validation_failed");
    }
    assert_eq!(owner.get(PROVIDERS).ok()["data"], json!([]));
}

#[test]
fn a_second_factor_elsewhere_counts_only_as_the_organization_listed_it() {
    let (host, elsewhere) = (host(), Elsewhere::lying());
    let acme = host.organization("acme", &[]);
    let owner = acme.owner_in_person();
    let provider = elsewhere.arranged(&owner, &json!({}));
    assert_eq!(provider["second_factor_acrs"], json!([]));
    let path = format!("{PROVIDERS}/{}", id(&provider));
    let email = person(&owner, &acme.anonymous(), "ann");
    let login =
        acme.anonymous().post("/api/v1/auth/login", &json!({"email": email, "password": PASSWORD})).ok();
    let ann = acme.with_token(text(&login, "access_token"));
    let gone = away(&ann.post(&format!("{path}/link"), &json!({"password": PASSWORD})));
    voucher(&arrive(&elsewhere.browse(&gone.address), &gone.cookie));
    enrol(&ann);

    let said = |acr: Value| elsewhere.lie(&json!({"claims": {"acr": acr}}));
    let asked = || {
        let (back, bound) = visit(&acme, &elsewhere, &provider);
        present(&acme, &voucher(&back), &bound).1.ok()["next"].clone()
    };
    let second = json!(["totp", "recovery"]);
    said(json!("mfa"));
    assert_eq!(asked(), second, "nothing is listed");
    let (back, bound) = visit(&acme, &elsewhere, &provider);
    exchange(&acme, &voucher(&back), &bound).problem(401, "second_factor_required");
    for bad in [json!(["with space"]), json!([""]), json!(vec!["a"; 21])] {
        owner.patch(&path, &json!({"second_factor_acrs": bad})).problem(422, "validation_failed");
    }
    let listed = owner.patch(&path, &json!({"second_factor_acrs": ["mfa", "urn:two"]})).ok();
    assert_eq!(listed["second_factor_acrs"], json!(["mfa", "urn:two"]));
    let gone = depart(&acme, &provider);
    assert!(gone.address.contains("acr_values=mfa+urn%3Atwo"), "{}", gone.address);
    for other in [json!("pwd"), json!("MFA"), json!(["mfa"]), json!(2), Value::Null] {
        said(other.clone());
        assert_eq!(asked(), second, "{other}");
    }
    said(json!("mfa"));
    assert_eq!(signed_in(&acme, &elsewhere, &provider).1, "aal2");
    let (back, bound) = visit(&acme, &elsewhere, &provider);
    exchange(&acme, &voucher(&back), &bound).ok();
}

#[test]
fn the_same_subject_of_two_providers_is_two_people() {
    let (host, elsewhere) = (host(), Elsewhere::lying());
    let acme = host.organization("acme", &[]);
    let owner = acme.owner_in_person();
    let one = elsewhere.arranged(&owner, &json!({}));
    let other = elsewhere.arranged(&owner, &json!({"name": "Other"}));
    signed_in(&acme, &elsewhere, &one);
    refused(&visit(&acme, &elsewhere, &other).0); // the address is somebody's
    elsewhere.lie(&json!({"claims": {"email": null}}));
    signed_in(&acme, &elsewhere, &other);
    let people = owner.get("/api/v1/users").ok();
    let named = people["data"].as_array().unwrap().iter().filter(|one| one["name"] == "Ann Elsewhere");
    assert_eq!(named.count(), 2);
}

#[test]
fn the_sign_in_page_offers_the_enabled_providers_and_goes_on_after_them() {
    let (host, elsewhere) = (host(), Elsewhere::lying());
    let acme = host.organization("acme", &[]);
    let owner = acme.owner_in_person();
    elsewhere.arranged(&owner, &json!({"name": "<b>Elsewhere</b>"}));
    let disabled = elsewhere.arranged(&owner, &json!({"name": "Disabled"}));
    owner.patch(&format!("{PROVIDERS}/{}", id(&disabled)), &json!({"status": "disabled"})).ok();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("provider/page.mjs");
    let mut page =
        Command::new("node").arg(script).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let input = json!({"origin": format!("http://{}/t/acme", host.address())});
    page.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let ended = page.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}
