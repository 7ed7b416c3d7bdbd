//! Consent, and the families of refresh tokens.

use std::sync::Arc;

use super::*;
use crate::identity::fixture::acting;
use crate::identity::oauth::grants::generations;
use crate::identity::{UserChange, UserStatus};

#[tokio::test]
async fn consent_is_remembered_revocable_and_may_be_refused() {
    let stage = Stage::of(web()).await;
    let (identity, acme) = (&stage.world.identity, &stage.world.acme);
    let Authorization::Consent(request) = stage.ask(&[], true).await.unwrap() else { panic!("not asked") };
    let question = identity.consent_question(acme, &request, &stage.person).unwrap();
    assert_eq!(question.scopes, ["openid", "profile", "offline_access"]);
    let hours = |hours: UnixMillis| hours * 3_600 * SECOND;
    assert_eq!((question.lasts.longest, question.lasts.unused), (hours(24), Some(hours(8))));
    identity.answer_consent(acme, &request, &stage.person, false).await.unwrap();
    let next = identity.authorize(acme, Ask::Known(&request), Some(&stage.person)).await.unwrap();
    let Authorization::Answer(answer) = next else { panic!("{next:?}") };
    assert!(answer.parameters.contains(&("error", "access_denied".to_owned())));

    let answer = stage.tokens().await;
    assert!(matches!(stage.ask(&[], true).await.unwrap(), Authorization::Answer(_)), "asked once");
    assert!(matches!(stage.ask(&[("scope", "email")], true).await.unwrap(), Authorization::Consent(_)));
    let by = acting(acme.id, &stage.user);
    assert_eq!(identity.consents(acme.id, stage.user.id).unwrap().len(), 1);
    identity.revoke_consent(&by, stage.client.id).await.unwrap();
    assert!(!stage.works(&answer.access_token));
    invalid_grant(stage.refresh(&token_of(&answer)).await);
    assert!(identity.consents(acme.id, stage.user.id).unwrap().is_empty());
}

#[tokio::test]
async fn b13_a_refresh_token_is_good_once_and_its_answer_may_be_asked_for_again_at_once() {
    let stage = Stage::new().await;
    let first = token_of(&stage.tokens().await);
    let second = token_of(&stage.refresh(&first).await.unwrap());
    stage.world.clock.advance(SECOND);
    assert_eq!(token_of(&stage.refresh(&first).await.unwrap()), second, "the same successor");
    let third = stage.refresh(&second).await.unwrap();
    invalid_grant(stage.refresh(&first).await);
    assert!(!stage.works(&third.access_token), "two generations old: the family is dead");
    invalid_grant(stage.refresh(&token_of(&third)).await);
}

#[tokio::test]
async fn b13_after_ten_seconds_a_used_refresh_token_ends_the_family() {
    let stage = Stage::new().await;
    let first = token_of(&stage.tokens().await);
    let second = stage.refresh(&first).await.unwrap();
    stage.world.clock.advance(11 * SECOND);
    invalid_grant(stage.refresh(&first).await);
    assert!(!stage.works(&second.access_token));
    invalid_grant(stage.refresh(&token_of(&second)).await);
}

#[tokio::test]
async fn b13_a_confidential_client_has_no_second_chance() {
    let stage = Stage::of(web()).await;
    let answer = stage.tokens().await;
    let second = stage.refresh(&token_of(&answer)).await.unwrap();
    invalid_grant(stage.refresh(&token_of(&answer)).await);
    invalid_grant(stage.refresh(&token_of(&second)).await);
}

#[tokio::test]
async fn b14_64_parallel_uses_of_one_refresh_token_make_one_new_generation() {
    let stage = Arc::new(Stage::new().await);
    let first = token_of(&stage.tokens().await);
    let mut tasks = Vec::new();
    for _ in 0..64 {
        let (stage, first) = (Arc::clone(&stage), first.clone());
        tasks.push(tokio::spawn(async move { stage.refresh(&first).await.map(|answer| token_of(&answer)) }));
    }
    let mut successors = Vec::new();
    for task in tasks {
        successors.push(task.await.unwrap().unwrap());
    }
    successors.dedup();
    assert_eq!(successors.len(), 1);
    let count = stage.world.identity.read(stage.world.acme.id, |connection| Ok(generations(connection)?));
    assert_eq!(count.unwrap(), 2, "the first one and its successor");
}

#[tokio::test]
async fn a15_a_token_ends_with_its_session_and_offline_access_does_not() {
    let stage = Stage::new().await;
    let (identity, acme) = (&stage.world.identity, &stage.world.acme);
    let (answer, code) = (stage.tokens().await, stage.code().await);
    identity.end_session(&acting(acme.id, &stage.user), stage.person.session).await.unwrap();
    assert!(!stage.works(&answer.access_token));
    invalid_grant(stage.exchange(&code).await);
    let next = stage.refresh(&token_of(&answer)).await.unwrap();
    let caller = stage.world.authenticate(&next.access_token).unwrap();
    assert_eq!(caller.principal.session, None);
}

#[tokio::test]
async fn b15_another_process_knows_that_a_refresh_token_was_used() {
    let stage = Stage::new().await;
    let first = token_of(&stage.tokens().await);
    stage.refresh(&first).await.unwrap();
    stage.world.clock.advance(11 * SECOND);
    let other = stage.world.another_process();
    invalid_grant(other.refresh(&stage.world.acme, &stage.client, &first, None).await);
}

#[tokio::test]
async fn b16_a_refresh_takes_the_same_client_the_same_scope_and_somebody_who_may_act() {
    let stage = Stage::new().await;
    let (identity, acme) = (&stage.world.identity, &stage.world.acme);
    let token = token_of(&stage.tokens().await);
    let wider = identity.refresh(acme, &stage.client, &token, Some("openid email")).await;
    assert!(matches!(wider, Err(OAuthError::InvalidScope)));
    let other = register(&stage.world, native()).await.0;
    invalid_grant(identity.refresh(acme, &other, &token, None).await);
    let narrow = identity.refresh(acme, &stage.client, &token, Some("openid")).await.unwrap();
    assert_eq!(narrow.scope, "openid");

    let status = UserChange { status: Some(UserStatus::Disabled), ..UserChange::default() };
    stage.world.member("zoe", "owner").await;
    identity.update_user(&stage.world.platform(), stage.user.id, status).await.unwrap();
    invalid_grant(stage.refresh(&token_of(&narrow)).await);
}

#[tokio::test]
async fn b16_a_changed_password_and_a_removed_client_end_the_family() {
    let mut stage = Stage::new().await;
    let answer = stage.tokens().await;
    let (by, password) = (stage.world.platform(), format!("{PASSWORD} two"));
    stage.world.identity.set_password(&by, &stage.world.acme, stage.user.id, &password).await.unwrap();
    invalid_grant(stage.refresh(&token_of(&answer)).await);
    assert!(!stage.works(&answer.access_token));

    stage.person = sign_in(&stage.world, &password).await;
    let identity = &stage.world.identity;
    let answer = stage.tokens().await;
    assert!(stage.works(&answer.access_token));
    identity.delete_client(&by, stage.client.id).await.unwrap();
    assert!(!stage.works(&answer.access_token));
    invalid_grant(stage.refresh(&token_of(&answer)).await);
}

#[tokio::test]
async fn a_family_ends_when_it_is_idle_and_at_the_latest_after_its_longest_life() {
    let day = 24 * 3_600 * SECOND;
    let stage = Stage::new().await;
    let idle = token_of(&stage.tokens().await);
    let mut busy = token_of(&stage.tokens().await);
    for _ in 0..4 {
        stage.world.clock.advance(20 * day);
        busy = token_of(&stage.refresh(&busy).await.unwrap());
    }
    invalid_grant(stage.refresh(&idle).await);
    stage.world.clock.advance(10 * day);
    invalid_grant(stage.refresh(&busy).await);
}

#[tokio::test]
async fn a_client_uses_the_grants_that_it_is_registered_for() {
    let stage = Stage::new().await;
    let (identity, acme) = (&stage.world.identity, &stage.world.acme);
    let refused = |result: Result<_, OAuthError>| matches!(result, Err(OAuthError::UnauthorizedClient));
    let once = NewClient { grants: vec![GrantType::AuthorizationCode], ..native() };
    let once = register(&stage.world, once).await.0;
    let token = token_of(&stage.tokens().await);
    assert!(refused(identity.refresh(acme, &once, &token, None).await));
    assert!(refused(identity.client_credentials(acme, &once, None).await));
    assert!(refused(identity.client_credentials(acme, &stage.client, Some("crm.contact:read")).await));
}
