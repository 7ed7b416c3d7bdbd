//! Attacks on access tokens; the numbers are those of the project's attack catalogue.

use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

use super::forge::{Forge, sign};
use super::*;
use crate::identity::signing::SigningAlgorithm;
use crate::identity::{UserChange, UserStatus};

#[tokio::test]
async fn the_forge_forges_good_tokens() {
    let forge = Forge::new().await;
    forge.accepted(&forge.token);
    forge.accepted(&forge.with(&json!({}), &json!({})));
}

#[tokio::test]
async fn a1_a_token_without_an_algorithm_is_refused() {
    let forge = Forge::new().await;
    for alg in [
        json!("none"),
        json!("None"),
        json!("nOnE"),
        json!("eddsa"),
        json!("ES256"),
        json!(["EdDSA"]),
        Value::Null,
    ] {
        let token = forge.with(&json!({ "alg": alg }), &json!({}));
        forge.refused(&token);
        let (message, _) = token.rsplit_once('.').unwrap();
        forge.refused(&format!("{message}."));
    }
}

#[tokio::test]
async fn a2_the_public_key_is_no_shared_secret() {
    let forge = Forge::new().await;
    let public = forge.world.identity.signing_keys(forge.world.acme.id).unwrap().remove(0).public;
    for alg in ["HS256", "EdDSA"] {
        let mut header = forge.header();
        header["alg"] = json!(alg);
        let message = format!(
            "{}.{}",
            secret::encode(header.to_string().as_bytes()),
            secret::encode(forge.claims().to_string().as_bytes())
        );
        let shared = EncodingKey::from_secret(&public);
        let signature = crypto::sign(message.as_bytes(), &shared, Algorithm::HS256).unwrap();
        forge.refused(&format!("{message}.{signature}"));
    }
}

#[tokio::test]
async fn a3_a_key_id_is_only_compared() {
    let forge = Forge::new().await;
    let long = "k".repeat(2_000);
    for kid in ["../../x", "' or 1=1 --", "a\0b", "https://evil.example/key", "", &long] {
        forge.refused(&forge.with(&json!({ "kid": kid }), &json!({})));
    }
    forge.refused(&forge.with(&json!({ "kid": null }), &json!({})));
    forge.refused(&forge.with(&json!({ "kid": 1 }), &json!({})));
}

#[tokio::test]
async fn a4_another_organizations_key_signs_nothing_here() {
    let forge = Forge::new().await;
    let foreign = forge.world.identity.signer(forge.world.globex.id, SigningAlgorithm::EdDsa).await.unwrap();
    let key = EncodingKey::from_ed_der(foreign.private());
    for kid in [&foreign.kid, &forge.kid] {
        let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": kid });
        forge.refused(&sign(&key, &header.to_string(), &forge.claims().to_string()));
    }
    let result = forge.world.identity.authenticate(&forge.world.globex, &forge.token, RequestId::new());
    assert!(matches!(result, Err(IdentityError::InvalidToken)));
}

#[tokio::test]
async fn a5_a6_a_token_brings_no_key_and_no_extension() {
    let forge = Forge::new().await;
    for extra in [
        json!({ "jwk": { "kty": "OKP", "crv": "Ed25519", "x": "AA" } }),
        json!({ "jku": "https://evil.example/keys" }),
        json!({ "x5u": "https://evil.example/cert" }),
        json!({ "x5c": ["AA"] }),
        json!({ "crit": ["exp"] }),
        json!({ "crit": [] }),
        json!({ "b64": false, "crit": ["b64"] }),
        json!({ "zip": "DEF" }),
    ] {
        forge.refused(&forge.with(&extra, &json!({})));
    }
}

#[tokio::test]
async fn a7_a8_only_access_tokens_are_access_tokens() {
    let forge = Forge::new().await;
    for typ in [json!("JWT"), json!("logout+jwt"), json!(""), json!(["at+jwt"]), Value::Null] {
        forge.refused(&forge.with(&json!({ "typ": typ }), &json!({})));
    }
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        forge.accepted(&forge.with(&json!({ "typ": typ }), &json!({})));
    }
    let user = forge.user.id;
    let invitation = forge.world.identity.invite(&forge.world.platform(), user).await.unwrap();
    forge.refused(&invitation.token);
}

#[tokio::test]
async fn a9_a10_issuer_and_audience_are_one_string_each() {
    let forge = Forge::new().await;
    let ours = forge.world.identity.issuer(&forge.world.acme);
    for iss in [
        Value::Null,
        json!(7),
        json!([ours]),
        json!(""),
        json!(format!("{ours}/")),
        json!(forge.world.identity.issuer(&forge.world.globex)),
    ] {
        forge.refused(&forge.with(&json!({}), &json!({ "iss": iss })));
    }
    for aud in
        [Value::Null, json!({ "stoa": true }), json!(["stoa"]), json!(["stoa", "stranger"]), json!("Stoa")]
    {
        forge.refused(&forge.with(&json!({}), &json!({ "aud": aud })));
    }
}

#[tokio::test]
async fn a11_instants_are_whole_seconds_that_are_now() {
    let forge = Forge::new().await;
    let now = forge.world.clock.now() / 1_000;
    for exp in
        [json!("9999999999"), json!(-1), json!(1e300), json!(now as f64 + 60.5), Value::Null, json!(now - 5)]
    {
        forge.refused(&forge.with(&json!({}), &json!({ "exp": exp })));
    }
    for nbf in [json!(now + 3_600), json!(now + 6), json!("0"), Value::Null] {
        forge.refused(&forge.with(&json!({}), &json!({ "nbf": nbf })));
    }
    forge.refused(&forge.with(&json!({}), &json!({ "exp": now + LONGEST_LIFE + 1 })));
    forge.accepted(&forge.with(&json!({}), &json!({ "exp": now - 4 })));
    forge.accepted(&forge.with(&json!({}), &json!({ "nbf": now + 5 })));
}

#[tokio::test]
async fn a_token_ends_also_when_it_is_remembered() {
    let forge = Forge::new().await;
    for _ in 0..LIFETIME {
        forge.accepted(&forge.token);
        forge.world.clock.advance(1_000);
    }
    forge.world.clock.advance(5_000);
    forge.refused(&forge.token);
}

#[tokio::test]
async fn a12_a_claim_occurs_once_and_nothing_else_does() {
    let forge = Forge::new().await;
    let claims = forge.claims().to_string();
    let header = forge.header().to_string();
    for twice in [
        r#""sub":"00000000-0000-0000-0000-000000000000","#,
        r#""tid":"00000000-0000-0000-0000-000000000000","#,
        r#""roles":["owner"],"#,
    ] {
        forge.refused(&forge.sign(&header, &claims.replacen('{', &format!("{{{twice}"), 1)));
    }
    forge.refused(&forge.sign(&header.replacen('{', r#"{"alg":"EdDSA","#, 1), &claims));
    for claim in ["sub", "tid", "iat", "jti", "epoch", "client_id", "scope", "auth_time", "amr", "acr"] {
        forge.refused(&forge.with(&json!({}), &json!({ claim: null })));
    }
}

#[tokio::test]
async fn a13_the_organization_in_the_token_is_the_one_in_the_address() {
    let forge = Forge::new().await;
    forge.refused(&forge.with(&json!({}), &json!({ "tid": forge.world.globex.id })));
    forge.refused(&forge.with(&json!({}), &json!({ "sub": crate::ids::PrincipalId::new() })));
}

#[tokio::test]
async fn a14_what_is_not_three_canonical_parts_is_refused() {
    let forge = Forge::new().await;
    let token = &forge.token;
    let padded = token.replacen('.', "=.", 1);
    for bad in [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        &format!("{token}."),
        &format!("{token}.x"),
        &format!("{token}="),
        &format!(" {token}"),
        &padded,
        &token.replace('.', " "),
        "\u{e9}.\u{e9}.\u{e9}",
        &"a".repeat(5_000),
        &format!("{token}{}", "A".repeat(5_000)),
    ] {
        forge.refused(bad);
    }
}

#[tokio::test]
async fn a15_a_disabled_person_and_an_ended_token_are_refused_at_the_next_request() {
    let forge = Forge::new().await;
    let (identity, by) = (&forge.world.identity, forge.world.platform());
    forge.accepted(&forge.token);
    identity.end_tokens(&by, forge.user.id).await.unwrap();
    forge.refused(&forge.token);

    let token = forge.world.log_in("ann").await.unwrap();
    forge.accepted(&token);
    let status = |status| UserChange { status: Some(status), ..UserChange::default() };
    identity.update_user(&by, forge.user.id, status(UserStatus::Disabled)).await.unwrap();
    forge.refused(&token);
    identity.update_user(&by, forge.user.id, status(UserStatus::Active)).await.unwrap();
    forge.refused(&token);

    let suspended = Organization { status: Status::Suspended, ..forge.world.acme.clone() };
    let token = forge.world.log_in("ann").await.unwrap();
    forge.accepted(&token);
    let result = identity.authenticate(&suspended, &token, RequestId::new());
    assert!(matches!(result, Err(IdentityError::InvalidToken)));
}

#[tokio::test]
async fn a16_no_other_signature_is_good() {
    let forge = Forge::new().await;
    let (message, signature) = forge.token.rsplit_once('.').unwrap();
    let signature = secret::decode(signature).unwrap();
    for bit in 0..signature.len() * 8 {
        let mut flipped = signature.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        forge.refused(&format!("{message}.{}", secret::encode(&flipped)));
    }
    forge.refused(&format!("{message}."));
    forge.refused(&format!("{message}.{}", secret::encode(&[0; 64])));
    forge.refused(&format!("{message}.{}", secret::encode(&signature[..63])));
}

#[tokio::test]
async fn a_changed_role_and_team_bite_at_the_next_request() {
    let forge = Forge::new().await;
    let (identity, by) = (&forge.world.identity, forge.world.platform());
    let principal = || forge.world.authenticate(&forge.token).unwrap().principal;
    assert_eq!(&*principal().roles[0], "rep");

    let team = identity.create_team(&by, "North").await.unwrap().id;
    let change = UserChange {
        roles: Some(vec!["manager".to_owned()]),
        team: Some(Some(team)),
        name: Some("Anna".to_owned()),
        ..UserChange::default()
    };
    identity.update_user(&by, forge.user.id, change).await.unwrap();
    let changed = principal();
    assert_eq!((&*changed.roles[0], &*changed.teams, &*changed.name), ("manager", [team].as_slice(), "Anna"));

    let other = forge.world.another_process();
    let change = UserChange { roles: Some(vec!["readonly".to_owned()]), ..UserChange::default() };
    other.update_user(&by, forge.user.id, change).await.unwrap();
    forge.world.clock.advance(EPOCH_AGE);
    assert_eq!(&*principal().roles[0], "readonly", "another process is noticed within a second");
}

#[tokio::test]
async fn a_remembered_bearer_costs_no_reading() {
    let forge = Forge::new().await;
    let first = forge.world.authenticate(&forge.token).unwrap().principal;
    let again = forge.world.authenticate(&forge.token).unwrap().principal;
    assert!(Arc::ptr_eq(&first, &again));
    forge.world.clock.advance(REMEMBERED);
    let later = forge.world.authenticate(&forge.token).unwrap().principal;
    assert!(!Arc::ptr_eq(&first, &later), "not for longer than a minute");
}
