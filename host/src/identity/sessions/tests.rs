//! Sessions and logins in steps, on a real identity file.

use super::*;
use crate::identity::fixture::{PASSWORD, World, acting, visitor};
use crate::identity::login::{External, PATIENCE, Step};
use crate::identity::{FactorProof, IssueToken, LIFETIME, SignInFilter, User, UserChange, UserStatus};

async fn password_said(world: &World, name: &str) -> String {
    let (cookie, next) = world.identity.begin_login(&world.acme).await.unwrap();
    assert_eq!(next, [Step::Identify]);
    let email = format!("{name}@example.com");
    let next = world.identity.login_identify(&world.acme, &cookie, &email).await.unwrap();
    assert_eq!(next, [Step::Password]);
    world.identity.login_password(&world.acme, &cookie, PASSWORD, &visitor()).await.unwrap();
    cookie
}

async fn signed_in(world: &World, name: &str) -> Started {
    let cookie = password_said(world, name).await;
    world.identity.complete_login(&world.acme, &cookie, &visitor()).await.unwrap()
}

/// An access token of this session.
async fn token(world: &World, started: &Started) -> String {
    let session = &started.session;
    let token = IssueToken {
        organization: &world.acme,
        user: session.user,
        session: Some(session.id),
        client: None,
        scope: "",
        grant: None,
        auth_time: session.auth_time,
        amr: &session.amr(),
        acr: session.acr(),
        life: LIFETIME,
    };
    world.identity.issue(token).await.unwrap().token
}

async fn live(world: &World, started: &Started) -> bool {
    world.identity.session(&world.acme, &started.cookie).await.unwrap().is_some()
}

async fn disable(world: &World, user: &User) {
    let disabled = UserChange { status: Some(UserStatus::Disabled), ..UserChange::default() };
    world.identity.update_user(&world.platform(), user.id, disabled).await.unwrap();
}

#[tokio::test]
async fn a_session_is_new_at_every_login_and_says_how_somebody_got_in() {
    let world = World::new();
    let ann = world.member("ann", "rep").await;
    let (one, other) = (signed_in(&world, "ann").await, signed_in(&world, "ann").await);
    assert_ne!(one.cookie, other.cookie);
    let session = world.identity.session(&world.acme, &one.cookie).await.unwrap().unwrap();
    assert_eq!((session.user, session.acr(), session.amr()), (ann.id, "aal1", vec!["pwd".to_owned()]));
    assert!(
        world.identity.session(&world.globex, &one.cookie).await.unwrap().is_none(),
        "of another organization"
    );
    for invented in ["", "x", &one.cookie[1..], &"a".repeat(5_000)] {
        assert!(world.identity.session(&world.acme, invented).await.unwrap().is_none(), "{invented}");
    }
}

#[tokio::test]
async fn a_session_ends_without_use_and_in_any_case_after_half_a_day() {
    let world = World::new();
    world.member("ann", "rep").await;
    let idle = signed_in(&world, "ann").await;
    world.clock.advance(IDLE - 1);
    assert!(live(&world, &idle).await, "used in time");
    world.clock.advance(IDLE - 1);
    assert!(live(&world, &idle).await, "the use before counted");
    world.clock.advance(IDLE);
    assert!(!live(&world, &idle).await);

    let busy = signed_in(&world, "ann").await;
    let mut left = ABSOLUTE - IDLE / 2;
    while left > 0 {
        world.clock.advance(IDLE / 2);
        assert!(live(&world, &busy).await);
        left -= IDLE / 2;
    }
    world.clock.advance(IDLE / 2);
    assert!(!live(&world, &busy).await, "however busy");
}

#[tokio::test]
async fn a_session_dies_with_logout_a_new_password_disabling_and_the_end_of_tokens() {
    let world = World::new();
    let ann = world.member("ann", "rep").await;
    let started = signed_in(&world, "ann").await;
    world.identity.log_out(&world.acme, &started.cookie).await.unwrap();
    assert!(!live(&world, &started).await, "logout");

    let started = signed_in(&world, "ann").await;
    world.identity.set_password(&world.platform(), &world.acme, ann.id, PASSWORD).await.unwrap();
    assert!(!live(&world, &started).await, "a new password");

    let started = signed_in(&world, "ann").await;
    world.identity.end_tokens(&world.platform(), ann.id).await.unwrap();
    assert!(!live(&world, &started).await, "ended tokens");

    let started = signed_in(&world, "ann").await;
    world.identity.end_session(&acting(world.acme.id, &ann), started.session.id).await.unwrap();
    assert!(!live(&world, &started).await, "ended by herself");

    let (started, half) = (signed_in(&world, "ann").await, password_said(&world, "ann").await);
    disable(&world, &ann).await;
    assert!(!live(&world, &started).await, "disabled");
    let completed = world.identity.complete_login(&world.acme, &half, &visitor()).await;
    assert!(completed.is_err(), "disabled between two steps");
}

#[tokio::test]
async fn the_twenty_first_session_ends_the_oldest_and_the_person_is_told() {
    let world = World::new();
    world.member("ann", "rep").await;
    let oldest = signed_in(&world, "ann").await;
    for _ in 1..MOST {
        world.clock.advance(1);
        assert_eq!(signed_in(&world, "ann").await.displaced, 0);
    }
    assert!(live(&world, &oldest).await);
    world.clock.advance(1);
    assert_eq!(signed_in(&world, "ann").await.displaced, 1);
    assert!(!live(&world, &oldest).await);
    assert_eq!(world.mails("A session was ended").len(), 1);
}

#[tokio::test]
async fn a_login_ends_the_session_that_its_browser_had_and_no_other() {
    let world = World::new();
    let ann = world.member("ann", "rep").await;
    world.member("bob", "rep").await;
    let (here, elsewhere) = (signed_in(&world, "ann").await, signed_in(&world, "ann").await);
    let token = token(&world, &here).await;
    assert!(world.authenticate(&token).is_ok());
    let said = password_said(&world, "bob").await;
    let browser = Visitor { session: Some(here.cookie.clone()), ..visitor() };
    let next = world.identity.complete_login(&world.acme, &said, &browser).await.unwrap();
    assert!(world.authenticate(&token).is_err(), "at once, although it was remembered");
    assert_eq!((live(&world, &here).await, live(&world, &elsewhere).await), (false, true));
    assert!(live(&world, &next).await);
    let hers = SignInFilter { user: Some(ann.id), ..SignInFilter::default() };
    let events = world.identity.sign_ins(world.acme.id, &hers, None, 1).unwrap();
    let ended = (events[0].kind.as_str(), events[0].about.clone());
    assert_eq!(ended, ("session_ended", Some(here.session.id.to_string())));
}

#[tokio::test]
async fn nobody_ends_the_session_of_somebody_with_more_rights() {
    let world = World::new();
    let owner = world.member("owner", "owner").await;
    let rep = acting(world.acme.id, &world.member("rep", "rep").await);
    let started = signed_in(&world, "owner").await;
    let refused = world.identity.end_session(&rep, started.session.id).await;
    assert!(matches!(refused, Err(IdentityError::RoleRequired(_))));
    world.identity.end_session(&acting(world.acme.id, &owner), started.session.id).await.unwrap();
}

#[tokio::test]
async fn no_step_is_skipped_and_no_cookie_invented() {
    let world = World::new();
    world.member("ann", "rep").await;
    let complete = async |cookie: &str| world.identity.complete_login(&world.acme, cookie, &visitor()).await;
    let (cookie, _) = world.identity.begin_login(&world.acme).await.unwrap();
    assert!(matches!(complete(&cookie).await, Err(IdentityError::LoginIncomplete)), "nobody");
    world.identity.login_identify(&world.acme, &cookie, "ann@example.com").await.unwrap();
    assert!(matches!(complete(&cookie).await, Err(IdentityError::LoginIncomplete)), "no password");
    let totp = world.identity.login_totp(&world.acme, &cookie, "123456", &visitor()).await;
    assert!(matches!(totp, Err(IdentityError::LoginIncomplete)), "not asked for");
    for forged in ["", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        assert!(matches!(complete(forged).await, Err(IdentityError::InvalidLogin)), "{forged}");
    }
    let said = password_said(&world, "ann").await;
    let elsewhere = world.identity.complete_login(&world.globex, &said, &visitor()).await;
    assert!(matches!(elsewhere, Err(IdentityError::InvalidLogin)), "another organization's");
    complete(&said).await.unwrap();
    assert!(matches!(complete(&said).await, Err(IdentityError::InvalidLogin)), "once");
    let late = password_said(&world, "ann").await;
    world.clock.advance(PATIENCE);
    assert!(matches!(complete(&late).await, Err(IdentityError::InvalidLogin)), "too late");
}

#[tokio::test]
async fn who_identifies_as_somebody_else_begins_anew() {
    let world = World::new();
    world.member("ann", "rep").await;
    world.member("bob", "rep").await;
    let cookie = password_said(&world, "ann").await;
    let next = world.identity.login_identify(&world.acme, &cookie, "bob@example.com").await.unwrap();
    assert_eq!(next, [Step::Password]);
    let completed = world.identity.complete_login(&world.acme, &cookie, &visitor()).await;
    assert!(matches!(completed, Err(IdentityError::LoginIncomplete)), "the password was somebody else's");
}

#[tokio::test]
async fn another_issuers_word_stands_for_the_password_of_an_active_person() {
    let world = World::new();
    let ann = world.member("ann", "rep").await;
    let begin = async || {
        let (cookie, _) = world.identity.begin_login(&world.acme).await.unwrap();
        (world.identity.login_hash(world.acme.id, &cookie).unwrap(), cookie)
    };
    let vouched = External { user: ann.id, acr: "aal1".to_owned(), auth_time: world.clock.now() };
    let (hash, cookie) = begin().await;
    let next = world.identity.finish_external(&world.acme, hash, vouched.clone()).await.unwrap();
    assert_eq!(next, [Step::Complete]);
    let started = world.identity.complete_login(&world.acme, &cookie, &visitor()).await.unwrap();
    assert_eq!((started.session.user, started.session.amr()), (ann.id, vec!["fed".to_owned()]));
    disable(&world, &ann).await;
    let (hash, _) = begin().await;
    assert!(world.identity.finish_external(&world.acme, hash, vouched).await.is_err());
}

#[tokio::test]
async fn ending_other_sessions_takes_a_password_or_of_who_has_none_a_sign_in_of_a_moment_ago() {
    let world = World::new();
    let (ann, zoe) = (world.member("ann", "rep").await, world.person("zoe", "rep").await);
    let vouched = async |user: &User| {
        let (cookie, _) = world.identity.begin_login(&world.acme).await.unwrap();
        let hash = world.identity.login_hash(world.acme.id, &cookie).unwrap();
        let external = External { user: user.id, acr: "aal1".to_owned(), auth_time: world.clock.now() };
        world.identity.finish_external(&world.acme, hash, external).await.unwrap();
        world.identity.complete_login(&world.acme, &cookie, &visitor()).await.unwrap()
    };
    let within = |user: &User, started: &Started| {
        let by = acting(world.acme.id, user);
        let inside =
            crate::caller::Principal { session: Some(started.session.id), ..(*by.principal).clone() };
        Caller { principal: inside.into(), ..by }
    };
    let end = async |by: &Caller, one: Option<SessionId>, password: Option<&str>| {
        let here = visitor();
        let proof = password.map(|password| FactorProof { password, code: None, visitor: &here });
        world.identity.end_own_sessions(by, &world.acme, one, proof.as_ref()).await
    };
    let step_up = |result: Result<(), IdentityError>| matches!(result, Err(IdentityError::StepUpRequired));

    let (old, here) = (vouched(&zoe).await, vouched(&zoe).await);
    let by = within(&zoe, &here);
    world.clock.advance(5 * 60_000);
    assert!(step_up(end(&by, Some(old.session.id), None).await), "too long ago");
    assert!(step_up(end(&acting(world.acme.id, &zoe), None, None).await), "without a session");
    assert!(live(&world, &old).await);
    let again = vouched(&zoe).await;
    world.clock.advance(5 * 60_000 - 1);
    end(&within(&zoe, &again), Some(old.session.id), None).await.unwrap();
    assert_eq!((live(&world, &old).await, live(&world, &here).await), (false, true));
    end(&within(&zoe, &again), None, None).await.unwrap();
    assert_eq!((live(&world, &here).await, live(&world, &again).await), (false, true));

    let hers = vouched(&ann).await;
    let by = within(&ann, &hers);
    assert!(step_up(end(&by, None, None).await), "whoever has a password says it");
    let wrong = end(&by, None, Some("a violet tram 8 west")).await;
    assert!(matches!(wrong, Err(IdentityError::InvalidCredentials)));
    end(&by, Some(hers.session.id), Some(PASSWORD)).await.unwrap();
    let foreign = end(&by, Some(again.session.id), Some(PASSWORD)).await;
    assert!(matches!(foreign, Err(IdentityError::SessionNotFound(_))));
}
