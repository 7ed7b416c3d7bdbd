//! Second factors on a real identity file.

use super::*;
use crate::identity::fixture::{PASSWORD, World, acting, visitor};
use crate::identity::login::{External, Step};
use crate::identity::{User, Visitor};

struct Enrolled {
    ann: User,
    by: Caller,
    codes: Vec<String>,
}

fn proof<'a>(code: Option<&'a str>, visitor: &'a Visitor) -> Proof<'a> {
    Proof { password: PASSWORD, code, visitor }
}

/// The present code of the person's app.
fn code(world: &World, user: PrincipalId) -> String {
    let stored = world.identity.read(world.acme.id, |connection| Ok(store::find(connection, user)?)).unwrap();
    let key = world.identity.secrets.open_sealed(&purpose(user), &stored.unwrap().secret).unwrap();
    totp::code(&key, world.clock.now())
}

async fn enrolled(world: &World) -> Enrolled {
    let ann = world.member("ann", "rep").await;
    enrol(world, ann).await
}

async fn enrol(world: &World, ann: User) -> Enrolled {
    let by = acting(world.acme.id, &ann);
    let begun = world.identity.begin_totp(&by, &world.acme, &proof(None, &visitor())).await.unwrap();
    assert!(begun.address.contains(&begun.secret));
    let first = code(world, ann.id);
    world.clock.advance(totp::STEP);
    let second = code(world, ann.id);
    let codes = world.identity.confirm_totp(&by, &world.acme, &first, &second).await.unwrap();
    world.clock.advance(totp::STEP);
    Enrolled { ann, by, codes }
}

async fn password_said(world: &World) -> (String, Vec<Step>) {
    let (cookie, _) = world.identity.begin_login(&world.acme).await.unwrap();
    world.identity.login_identify(&world.acme, &cookie, "ann@example.com").await.unwrap();
    let next = world.identity.login_password(&world.acme, &cookie, PASSWORD, &visitor()).await.unwrap();
    (cookie, next)
}

#[tokio::test]
async fn a_second_factor_is_asked_of_whoever_has_one_and_cannot_be_walked_around() {
    let world = World::new();
    let Enrolled { ann, .. } = enrolled(&world).await;
    let direct = world.log_in("ann").await;
    assert!(matches!(direct, Err(IdentityError::SecondFactorRequired)), "not by the short way");

    let (cookie, next) = password_said(&world).await;
    assert_eq!(next, [Step::Totp, Step::Recovery]);
    let complete = async |cookie: &str| world.identity.complete_login(&world.acme, cookie, &visitor()).await;
    assert!(matches!(complete(&cookie).await, Err(IdentityError::LoginIncomplete)), "skipped");
    let (second_tab, _) = password_said(&world).await;
    assert!(matches!(complete(&second_tab).await, Err(IdentityError::LoginIncomplete)), "a second tab");
    let next = world.identity.login_identify(&world.acme, &cookie, "ann@example.com").await.unwrap();
    assert_eq!(next, [Step::Password], "begun again, with nothing done");
    assert!(complete(&cookie).await.is_err());

    let (cookie, _) = password_said(&world).await;
    let next =
        world.identity.login_totp(&world.acme, &cookie, &code(&world, ann.id), &visitor()).await.unwrap();
    assert_eq!(next, [Step::Complete]);
    let session = complete(&cookie).await.unwrap().session;
    assert_eq!((session.acr(), session.amr().join(" ")), ("aal2", "pwd otp mfa".to_owned()));
}

#[tokio::test]
async fn what_was_added_during_a_login_is_asked_in_it() {
    let world = World::new();
    let ann = world.member("ann", "rep").await;
    let (cookie, next) = password_said(&world).await;
    assert_eq!(next, [Step::Complete]);
    let _ = enrol(&world, ann).await;
    let completed = world.identity.complete_login(&world.acme, &cookie, &visitor()).await;
    assert!(matches!(completed, Err(IdentityError::LoginIncomplete)));
}

#[tokio::test]
async fn adding_and_removing_an_app_ends_the_other_sessions() {
    let world = World::new();
    let ann = world.member("ann", "rep").await;
    let session = async |code: Option<&str>| {
        let (cookie, _) = password_said(&world).await;
        if let Some(code) = code {
            world.identity.login_totp(&world.acme, &cookie, code, &visitor()).await.unwrap();
        }
        world.identity.complete_login(&world.acme, &cookie, &visitor()).await.unwrap().session.id
    };
    let live = || world.identity.sessions_of(world.acme.id, ann.id).unwrap().len();
    session(None).await;
    session(None).await;
    assert_eq!(live(), 2);
    let Enrolled { by, codes, .. } = enrol(&world, ann.clone()).await;
    assert_eq!(live(), 0, "they were begun without it, and none of them added it");
    let here = session(Some(&code(&world, ann.id))).await;
    world.clock.advance(totp::STEP);
    session(Some(&code(&world, ann.id))).await;
    let inside = crate::caller::Principal { session: Some(here), ..(*by.principal).clone() };
    let by = Caller { principal: inside.into(), ..by };
    world.identity.remove_factors(&by, &world.acme, &proof(Some(&codes[0]), &visitor())).await.unwrap();
    assert_eq!(live(), 1, "the one in which it was removed goes on");
}

#[tokio::test]
async fn another_issuers_word_is_one_factor_unless_it_asked_for_two() {
    let world = World::new();
    let Enrolled { ann, .. } = enrolled(&world).await;
    let (cookie, _) = world.identity.begin_login(&world.acme).await.unwrap();
    let hash = world.identity.login_hash(world.acme.id, &cookie).unwrap();
    let vouched = |acr: &str| External { user: ann.id, acr: acr.to_owned(), auth_time: 0 };
    let next = world.identity.finish_external(&world.acme, hash, vouched("aal1")).await.unwrap();
    assert_eq!(next, [Step::Totp, Step::Recovery]);
    let next = world.identity.finish_external(&world.acme, hash, vouched("aal2")).await.unwrap();
    assert_eq!(next, [Step::Complete]);
}

#[tokio::test]
async fn a_link_to_a_new_password_never_stands_for_the_second_factor() {
    let world = World::new();
    let Enrolled { codes, .. } = enrolled(&world).await;
    world.identity.request_reset(&world.acme, "ann@example.com", &visitor()).await.unwrap();
    let link = world.mailed("A new password", "token");
    let reset = async |code: Option<&str>| {
        world.identity.reset_password(&world.acme, &link, "another violet tram", code).await
    };
    assert!(matches!(reset(None).await, Err(IdentityError::SecondFactorRequired)));
    assert!(matches!(reset(Some("AAAAAA")).await, Err(IdentityError::InvalidCredentials)));
    reset(Some(&codes[0])).await.unwrap();
    let direct =
        world.identity.log_in(&world.acme, "ann@example.com", "another violet tram", &visitor()).await;
    assert!(matches!(direct, Err(IdentityError::SecondFactorRequired)), "and it stays");
}

#[tokio::test]
async fn a_code_is_good_once_not_even_in_two_logins_at_once() {
    let world = World::new();
    let Enrolled { ann, .. } = enrolled(&world).await;
    let ((one, _), (other, _)) = (password_said(&world).await, password_said(&world).await);
    let now = code(&world, ann.id);
    let here = visitor();
    let (first, second) = tokio::join!(
        world.identity.login_totp(&world.acme, &one, &now, &here),
        world.identity.login_totp(&world.acme, &other, &now, &here),
    );
    assert!(first.is_ok() != second.is_ok(), "one of two");
    let (third, _) = password_said(&world).await;
    let replayed = world.identity.login_totp(&world.acme, &third, &now, &visitor()).await;
    assert!(matches!(replayed, Err(IdentityError::InvalidCredentials)), "replayed");
    world.clock.advance(totp::STEP);
    let before = world.identity.login_totp(&world.acme, &third, &now, &visitor()).await;
    assert!(before.is_err(), "of the step before, which was used");
}

#[tokio::test]
async fn another_persons_code_is_wrong_and_guessing_is_slowed_down() {
    let world = World::new();
    let Enrolled { ann, .. } = enrolled(&world).await;
    let (cookie, _) = password_said(&world).await;
    let right = code(&world, ann.id);
    let wrong = if right == "000000" { "000001" } else { "000000" };
    for _ in 0..TRIES {
        let refused = world.identity.login_totp(&world.acme, &cookie, wrong, &visitor()).await;
        assert!(matches!(refused, Err(IdentityError::InvalidCredentials)));
    }
    let slowed = world.identity.login_totp(&world.acme, &cookie, &right, &visitor()).await;
    assert!(matches!(slowed, Err(IdentityError::Throttled { .. })), "not even the right one is looked at");
    world.clock.advance(60_000);
    let right = code(&world, ann.id);
    world.identity.login_totp(&world.acme, &cookie, &right, &visitor()).await.unwrap();
}

#[tokio::test]
async fn after_five_wrong_codes_one_is_looked_at_in_each_pause() {
    let world = World::new();
    let Enrolled { ann, .. } = enrolled(&world).await;
    let (cookie, _) = password_said(&world).await;
    let wrong = |right: &str| if right == "000000" { "000001" } else { "000000" };
    for _ in 0..TRIES {
        let wrong = wrong(&code(&world, ann.id));
        let refused = world.identity.login_totp(&world.acme, &cookie, wrong, &visitor()).await;
        assert!(matches!(refused, Err(IdentityError::InvalidCredentials)));
    }
    world.clock.advance(30_000);
    let refused =
        world.identity.login_totp(&world.acme, &cookie, wrong(&code(&world, ann.id)), &visitor()).await;
    assert!(matches!(refused, Err(IdentityError::InvalidCredentials)), "the pause is over");
    let right = code(&world, ann.id);
    let slowed = world.identity.login_totp(&world.acme, &cookie, &right, &visitor()).await;
    assert!(matches!(slowed, Err(IdentityError::Throttled { .. })), "and the next one began");
    world.clock.advance(30_000);
    let right = code(&world, ann.id);
    world.identity.login_totp(&world.acme, &cookie, &right, &visitor()).await.unwrap();
}

#[tokio::test]
async fn a_recovery_code_is_good_once_however_it_is_typed_and_its_person_is_told() {
    let world = World::new();
    let Enrolled { ann, codes, .. } = enrolled(&world).await;
    assert_eq!(codes.len(), RECOVERY_CODES);
    let typed = codes[0].to_lowercase().replace('-', " ");
    let (cookie, _) = password_said(&world).await;
    let next = world.identity.login_recovery(&world.acme, &cookie, &typed, &visitor()).await.unwrap();
    assert_eq!(next, [Step::Enrol], "and goes on to a new app");
    assert_eq!(world.mails("A recovery code was used").len(), 1);
    assert_eq!(world.identity.factors(world.acme.id, ann.id).unwrap().recovery_codes, 9);
    let (cookie, _) = password_said(&world).await;
    let again = world.identity.login_recovery(&world.acme, &cookie, &codes[0], &visitor()).await;
    assert!(matches!(again, Err(IdentityError::InvalidCredentials)));
}

#[tokio::test]
async fn who_changes_factors_proves_who_they_are_with_both() {
    let world = World::new();
    let Enrolled { ann, by, codes } = enrolled(&world).await;
    let here = visitor();
    let wrong = Proof { password: "a violet tram 8 west", code: None, visitor: &here };
    let removed = world.identity.remove_factors(&by, &world.acme, &wrong).await;
    assert!(matches!(removed, Err(IdentityError::InvalidCredentials)));
    let removed = world.identity.remove_factors(&by, &world.acme, &proof(None, &here)).await;
    assert!(matches!(removed, Err(IdentityError::SecondFactorRequired)));
    let again = world.identity.begin_totp(&by, &world.acme, &proof(Some(&codes[1]), &here)).await;
    assert!(matches!(again, Err(IdentityError::Taken { .. })), "one app at a time");
    let fresh =
        world.identity.new_recovery_codes(&by, &world.acme, &proof(Some(&codes[2]), &here)).await.unwrap();
    let old = world.identity.remove_factors(&by, &world.acme, &proof(Some(&codes[3]), &here)).await;
    assert!(old.is_err(), "new codes void the earlier ones");
    world.identity.remove_factors(&by, &world.acme, &proof(Some(&fresh[0]), &here)).await.unwrap();
    assert_eq!(
        world.identity.factors(world.acme.id, ann.id).unwrap(),
        Factors { totp: false, recovery_codes: 0, renew: false }
    );
    assert_eq!(world.mails("Your second factor was removed").len(), 1);
    let mut program = by.clone();
    let limited =
        crate::caller::Principal { limits: Some(std::sync::Arc::new([])), ..(*by.principal).clone() };
    program.principal = limited.into();
    let refused = world.identity.begin_totp(&program, &world.acme, &proof(None, &here)).await;
    assert!(matches!(refused, Err(IdentityError::PersonRequired)), "a client that acts for her is not her");
}

#[tokio::test]
async fn no_secret_of_a_factor_is_in_the_file_in_plain() {
    let world = World::new();
    let Enrolled { ann, codes, .. } = enrolled(&world).await;
    let stored = world
        .identity
        .read(world.acme.id, |connection| Ok(store::find(connection, ann.id)?))
        .unwrap()
        .unwrap();
    assert!(stored.secret.len() > totp::SECRET + 16, "sealed");
    let other = PrincipalId::new();
    assert!(
        world.identity.secrets.open_sealed(&purpose(other), &stored.secret).is_err(),
        "for its person only"
    );
    let typed = codes[0].replace('-', "");
    let plain =
        |hash: &[u8; 32]| hash.windows(4).any(|part| typed.as_bytes().windows(4).any(|other| other == part));
    assert!(!plain(&world.identity.recovery_hash(ann.id, &codes[0]).unwrap()));
}

#[tokio::test]
async fn a_factor_that_is_added_or_removed_ends_the_other_sessions() {
    let world = World::new();
    let live = async |started: &crate::identity::Started| {
        world.identity.session(&world.acme, &started.cookie).await.unwrap().is_some()
    };
    let ann = world.member("ann", "rep").await;
    let (cookie, _) = password_said(&world).await;
    let before = world.identity.complete_login(&world.acme, &cookie, &visitor()).await.unwrap();
    let Enrolled { ann, by, codes } = enrol(&world, ann).await;
    assert!(!live(&before).await, "added elsewhere");

    let signed_in = async || {
        let (cookie, _) = password_said(&world).await;
        let code = code(&world, ann.id);
        world.clock.advance(totp::STEP);
        world.identity.login_totp(&world.acme, &cookie, &code, &visitor()).await.unwrap();
        world.identity.complete_login(&world.acme, &cookie, &visitor()).await.unwrap()
    };
    let (here, other) = (signed_in().await, signed_in().await);
    let mut principal = (*by.principal).clone();
    principal.session = Some(here.session.id);
    let by = Caller { principal: principal.into(), ..by };
    let visitor = visitor();
    world.identity.remove_factors(&by, &world.acme, &proof(Some(&codes[0]), &visitor)).await.unwrap();
    assert!(live(&here).await && !live(&other).await, "this one goes on");
}

#[tokio::test]
async fn nobody_resets_their_own_factor_or_that_of_somebody_with_more_rights() {
    let world = World::new();
    let Enrolled { ann, by: herself, .. } = enrolled(&world).await;
    let olga = world.member("olga", "owner").await;
    let Enrolled { codes, .. } = enrol(&world, olga.clone()).await;
    let max = acting(world.acme.id, &world.member("max", "manager").await);
    let owner = acting(world.acme.id, &olga);
    let reset = async |by: &Caller, of: PrincipalId, code: Option<&str>| {
        let here = visitor();
        world.identity.reset_factors(by, &world.acme, of, Some(&proof(code, &here))).await
    };
    assert!(matches!(reset(&owner, olga.id, Some(&codes[0])).await, Err(IdentityError::NotOneself)));
    for weaker in [&herself, &max] {
        assert!(matches!(reset(weaker, olga.id, None).await, Err(IdentityError::RoleRequired(_))));
    }
    let client =
        crate::caller::Principal { limits: Some(std::sync::Arc::new([])), ..(*max.principal).clone() };
    let client = Caller { principal: client.into(), ..max.clone() };
    assert!(reset(&client, ann.id, None).await.is_err(), "a client that acts for him is not him");
    let without = world.identity.reset_factors(&max, &world.acme, ann.id, None).await;
    assert!(matches!(without, Err(IdentityError::StepUpRequired)));
    let factor = |user| world.identity.factors(world.acme.id, user).unwrap().totp;
    assert!(factor(ann.id) && factor(olga.id));
    reset(&max, ann.id, None).await.unwrap();
    assert!(!factor(ann.id) && factor(olga.id));
}
