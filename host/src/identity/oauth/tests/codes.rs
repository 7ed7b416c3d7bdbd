//! Signing in to a client: what is asked, what is answered, and what a code is good for.

use std::sync::Arc;

use super::*;
use crate::identity::secret;

#[tokio::test]
async fn a_person_signs_in_and_the_client_learns_who_and_gets_no_more_than_was_allowed() {
    let stage = Stage::new().await;
    let answer = stage.tokens().await;
    let caller = stage.world.authenticate(&answer.access_token).unwrap();
    assert_eq!(caller.principal.id, stage.user.id);
    assert_eq!(caller.principal.session, Some(stage.person.session));
    let limits: Vec<_> = caller.principal.limits.as_ref().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(limits, ["openid", "profile", "offline_access"]);
    let claims = answer.id_token.as_ref().unwrap().split('.').nth(1).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&secret::decode(claims).unwrap()).unwrap();
    assert_eq!(claims["iss"], stage.world.identity.issuer(&stage.world.acme));
    assert_eq!(claims["aud"], stage.client.id.to_string());
    assert_eq!((&claims["nonce"], &claims["acr"]), (&"n-0S6".into(), &"aal1".into()));
    assert!(claims["at_hash"].is_string() && claims["sid"].is_string() && claims["auth_time"].is_i64());
    let info = stage.world.identity.user_info(&caller).unwrap().unwrap();
    assert_eq!((info.name.as_deref(), info.email), (Some("ann"), None));
}

#[tokio::test]
async fn a7_an_id_token_and_a_refresh_token_are_no_access_tokens() {
    let stage = Stage::new().await;
    let answer = stage.tokens().await;
    assert!(stage.works(&answer.access_token));
    assert!(!stage.works(answer.id_token.as_ref().unwrap()) && !stage.works(&token_of(&answer)));
}

#[tokio::test]
async fn b1_without_pkce_s256_there_is_no_code() {
    let stage = Stage::new().await;
    for bad in [
        &[("code_challenge", "")][..],
        &[("code_challenge_method", "plain")],
        &[("code_challenge_method", "")],
        &[("code_challenge", &CHALLENGE[1..])],
        &[("code_challenge", "+9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")],
    ] {
        assert_eq!(stage.answered(bad, "error").await.as_deref(), Some("invalid_request"), "{bad:?}");
    }
}

#[tokio::test]
async fn b2_b3_a_wrong_verifier_burns_the_code() {
    let stage = Stage::new().await;
    let (identity, acme) = (&stage.world.identity, &stage.world.acme);
    for bad in ["", &VERIFIER[1..], &"a".repeat(42), &"a".repeat(43), &"a".repeat(129), CHALLENGE] {
        let code = stage.code().await;
        invalid_grant(identity.exchange_code(acme, &stage.client, &code, Some(BACK), bad).await);
        invalid_grant(stage.exchange(&code).await);
    }
}

#[tokio::test]
async fn b4_a_code_that_is_used_twice_ends_all_that_came_of_it() {
    let stage = Stage::new().await;
    let code = stage.code().await;
    let answer = stage.exchange(&code).await.unwrap();
    assert!(stage.works(&answer.access_token));
    stage.world.clock.advance(30 * SECOND);
    invalid_grant(stage.exchange(&code).await);
    assert!(!stage.works(&answer.access_token));
    invalid_grant(stage.refresh(&token_of(&answer)).await);
}

/// The one whom the file lets use the code up is answered, however fast the others are; and what it was answered is worth
/// nothing any more, since each of the others presented a used code. (RFC 6749, 4.1.2)
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn b4_of_64_exchanges_at_once_one_wins() {
    for _ in 0..8 {
        let stage = Arc::new(Stage::new().await);
        let code = stage.code().await;
        let mut tasks = Vec::new();
        for _ in 0..64 {
            let (stage, code) = (Arc::clone(&stage), code.clone());
            tasks.push(tokio::spawn(async move { stage.exchange(&code).await }));
        }
        let mut won = Vec::new();
        for task in tasks {
            match task.await.unwrap() {
                Ok(answer) => won.push(answer),
                refused => invalid_grant(refused),
            }
        }
        assert_eq!(won.len(), 1);
        assert!(!stage.works(&won[0].access_token));
        invalid_grant(stage.refresh(&token_of(&won[0])).await);
    }
}

#[tokio::test]
async fn b5_a_code_is_one_clients_and_one_address_and_one_organizations() {
    let stage = Stage::new().await;
    let (identity, acme) = (&stage.world.identity, &stage.world.acme);
    let other = register(&stage.world, native()).await.0;
    let code = stage.code().await;
    invalid_grant(identity.exchange_code(acme, &other, &code, Some(BACK), VERIFIER).await);
    let code = stage.code().await;
    let elsewhere = Some("http://127.0.0.1:7/cb");
    invalid_grant(identity.exchange_code(acme, &stage.client, &code, elsewhere, VERIFIER).await);
    let code = stage.code().await;
    let result =
        identity.exchange_code(&stage.world.globex, &stage.client, &code, Some(BACK), VERIFIER).await;
    invalid_grant(result);
}

#[tokio::test]
async fn b6_a_code_is_good_for_a_minute() {
    let stage = Stage::new().await;
    let code = stage.code().await;
    stage.world.clock.advance(61 * SECOND);
    invalid_grant(stage.exchange(&code).await);
}

#[tokio::test]
async fn b7_b8_nobody_is_redirected_to_an_address_that_is_not_the_clients() {
    let stage = Stage::new().await;
    for bad in [
        &[("redirect_uri", "https://evil.example/cb")][..],
        &[("redirect_uri", "")],
        &[("client_id", "00000000-0000-7000-8000-000000000000")],
        &[("client_id", "x' or 1=1 --")],
        &[("client_id", "")],
    ] {
        let result = stage.ask(bad, true).await;
        assert!(matches!(result, Err(AuthorizeError::Page(_))), "{bad:?}");
    }
    for kind in ["token", "id_token", "none", "code id_token"] {
        let error = stage.answered(&[("response_type", kind)], "error").await;
        assert_eq!(error.as_deref(), Some("unsupported_response_type"), "{kind}");
    }
    assert_eq!(stage.answered(&[("response_type", "")], "error").await.as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn b10_scopes_narrow_and_request_objects_are_refused() {
    let stage = Stage::new().await;
    let beyond = stage.answered(&[("scope", "admin root")], "error").await;
    assert_eq!(beyond.as_deref(), Some("invalid_scope"));
    let unsigned = stage.answered(&[("request", "eyJhbGciOiJub25lIn0.e30.")], "error").await;
    assert_eq!(unsigned.as_deref(), Some("request_not_supported"));
    let fetched = stage.answered(&[("request_uri", "https://evil.example/r")], "error").await;
    assert_eq!(fetched.as_deref(), Some("request_uri_not_supported"));
    let unknown = stage.answered(&[("colour", "red"), ("claims", "{}"), ("ui_locales", "de")], "code").await;
    assert!(unknown.is_some(), "unknown parameters are ignored");
}

#[tokio::test]
async fn prompt_and_max_age_are_heeded() {
    let stage = Stage::of(web()).await;
    let error = |changes: &'static [(&str, &str)]| stage.answered(changes, "error");
    assert_eq!(error(&[("prompt", "none")]).await.as_deref(), Some("consent_required"));
    stage.code().await;
    assert!(stage.answered(&[("prompt", "none")], "code").await.is_some());
    assert_eq!(error(&[("prompt", "none login")]).await.as_deref(), Some("invalid_request"));
    let again = stage.ask(&[("prompt", "consent")], true).await.unwrap();
    assert!(matches!(again, Authorization::Consent(_)));

    stage.world.clock.advance(5 * SECOND);
    for fresh in [&[("prompt", "login")][..], &[("max_age", "1")], &[("max_age", "0")]] {
        let next = stage.ask(fresh, true).await.unwrap();
        let Authorization::SignIn(request) = next else { panic!("{next:?}") };
        let (identity, acme) = (&stage.world.identity, &stage.world.acme);
        let old = identity.authorize(acme, Ask::Known(&request), Some(&stage.person)).await.unwrap();
        assert!(matches!(old, Authorization::SignIn(_)), "the old session is not fresh");
        let anew = SignedIn { auth_time: stage.world.clock.now(), ..stage.person.clone() };
        let next = identity.authorize(acme, Ask::Known(&request), Some(&anew)).await.unwrap();
        assert!(matches!(next, Authorization::Answer(_)), "{next:?}");
        let gone = identity.authorize(acme, Ask::Known(&request), Some(&anew)).await;
        assert!(matches!(gone, Err(AuthorizeError::Page(_))), "a request is answered once");
    }
    assert!(stage.answered(&[("max_age", "10000")], "code").await.is_some());
    assert_eq!(error(&[("max_age", "x")]).await.as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn b23_without_a_session_nobody_is_asked_under_prompt_none() {
    let stage = Stage::new().await;
    let Authorization::Answer(answer) = stage.ask(&[("prompt", "none")], false).await.unwrap() else {
        panic!("not answered")
    };
    assert!(answer.parameters.contains(&("error", "login_required".to_owned())));
    assert!(matches!(stage.ask(&[], false).await.unwrap(), Authorization::SignIn(_)));
}

#[tokio::test]
async fn somebody_is_asked_each_time_by_a_client_that_anybody_could_pass_for() {
    let native_https = NewClient { redirect_uris: vec![SITE.to_owned()], ..native() };
    let own_scheme = NewClient { redirect_uris: vec!["com.example.app:/cb".to_owned()], ..native() };
    for (client, asked_again) in [
        (native(), true),
        (own_scheme.clone(), true),
        (NewClient { trusted: true, ..native() }, true),
        (NewClient { trusted: true, ..own_scheme }, true),
        (native_https.clone(), false),
        (NewClient { auth: ClientAuth::None, ..web() }, false),
        (web(), false),
    ] {
        let stage = Stage::of(client.clone()).await;
        assert!(matches!(stage.ask(&[], true).await.unwrap(), Authorization::Consent(_)), "{client:?}");
        stage.code().await;
        let again = stage.ask(&[], true).await.unwrap();
        assert_eq!(matches!(again, Authorization::Consent(_)), asked_again, "{client:?}");
        let Authorization::Answer(silent) = stage.ask(&[("prompt", "none")], true).await.unwrap() else {
            panic!("prompt=none asks nobody")
        };
        let refused = ("error", "consent_required".to_owned());
        assert_eq!(silent.parameters.contains(&refused), asked_again, "{client:?}");
        assert_eq!(stage.world.identity.consents(stage.world.acme.id, stage.user.id).unwrap().len(), 1);
    }
    for assured in [NewClient { trusted: true, ..web() }, NewClient { trusted: true, ..native_https }] {
        let stage = Stage::of(assured.clone()).await;
        assert!(matches!(stage.ask(&[], true).await.unwrap(), Authorization::Answer(_)), "{assured:?}");
    }
}

#[tokio::test]
async fn an_essential_acr_is_reached_or_the_client_gets_no_code() {
    let stage = Stage::of(NewClient { trusted: true, ..web() }).await;
    let needs = [("claims", r#"{"id_token": {"acr": {"essential": true, "values": ["aal2"]}}}"#)];
    let unmet = "unmet_authentication_requirements";
    assert_eq!(stage.answered(&needs, "error").await.as_deref(), Some(unmet), "there is no second factor");
    let gold = [("claims", r#"{"id_token": {"acr": {"essential": true, "value": "gold"}}}"#)];
    assert_eq!(stage.answered(&gold, "error").await.as_deref(), Some(unmet), "nobody has that");
    let broken = stage.answered(&[("claims", "{")], "error").await;
    assert_eq!(broken.as_deref(), Some("invalid_request"));
    let signs_in = stage.ask(&needs, false).await.unwrap();
    let Authorization::SignIn(request) = signs_in else { panic!("{signs_in:?}") };
    let (identity, acme) = (&stage.world.identity, &stage.world.acme);
    let just_now = SignedIn { auth_time: stage.world.clock.now(), ..stage.person.clone() };
    let next = identity.authorize(acme, Ask::Known(&request), Some(&just_now)).await.unwrap();
    let Authorization::Answer(answer) = next else { panic!("{next:?}") };
    assert!(answer.parameters.contains(&("error", unmet.to_owned())), "nor just now");
    let strong = SignedIn { acr: "aal2".to_owned(), ..just_now };
    let asking = stage.asking(&needs);
    let next = identity.authorize(acme, Ask::New(&asking), Some(&strong)).await.unwrap();
    let Authorization::Answer(answer) = next else { panic!("{next:?}") };
    assert!(answer.parameters.iter().any(|(name, _)| *name == "code"), "{answer:?}");
}
