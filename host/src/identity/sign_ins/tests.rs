//! The log of sign-ins and the demand for a second factor, on a real identity file.

use super::*;
use crate::identity::factors::totp;
use crate::identity::fixture::{PASSWORD, World, acting, visitor};
use crate::identity::login::{External, Step};
use crate::identity::{FactorProof, NewApiKey, Visitor};

fn kinds(world: &World, filter: &SignInFilter) -> Vec<String> {
    let events = world.identity.sign_ins(world.acme.id, filter, None, 200).unwrap();
    events
        .iter()
        .rev()
        .map(|event| match &event.cause {
            Some(cause) => format!("{}: {cause}", event.kind),
            None => event.kind.clone(),
        })
        .collect()
}

async fn guess(world: &World, email: &str) {
    let refused = world.identity.log_in(&world.acme, email, "a violet tram 8 west", &visitor()).await;
    assert!(refused.is_err());
}

/// A login in which the password was said.
async fn password_said(world: &World, name: &str) -> (String, Vec<Step>) {
    let (cookie, _) = world.identity.begin_login(&world.acme).await.unwrap();
    let email = format!("{name}@example.com");
    let told = world.identity.login_identify(&world.acme, &cookie, &email).await.unwrap();
    assert_eq!(told, [Step::Password], "nothing is told before the password");
    let next = world.identity.login_password(&world.acme, &cookie, PASSWORD, &visitor()).await.unwrap();
    (cookie, next)
}

/// The bytes of a secret that was shown for typing.
fn typed(secret: &str) -> Vec<u8> {
    let (mut held, mut bits, mut bytes) = (0_u32, 0, Vec::new());
    for letter in secret.bytes() {
        let value = if letter.is_ascii_uppercase() { letter - b'A' } else { letter - b'2' + 26 };
        (held, bits) = ((held << 5) | u32::from(value), bits + 5);
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((held >> bits) & 0xff).unwrap());
        }
    }
    bytes
}

/// Adds the app that the login asks for; its secret and the recovery codes.
async fn enrol(world: &World, cookie: &str) -> (Vec<u8>, Vec<String>) {
    let (begun, next) = world.identity.login_enrol(&world.acme, cookie).await.unwrap();
    assert_eq!(next, [Step::Confirm, Step::Enrol]);
    let key = typed(&begun.secret);
    let first = totp::code(&key, world.clock.now());
    world.clock.advance(totp::STEP);
    let second = totp::code(&key, world.clock.now());
    let wrong = world.identity.login_confirm(&world.acme, cookie, (&second, &second), &visitor()).await;
    assert!(matches!(wrong, Err(IdentityError::InvalidCode)));
    let (codes, next) =
        world.identity.login_confirm(&world.acme, cookie, (&first, &second), &visitor()).await.unwrap();
    assert_eq!(next, [Step::Complete]);
    world.clock.advance(totp::STEP);
    (key, codes)
}

async fn complete(world: &World, cookie: &str) -> Result<String, IdentityError> {
    let started = world.identity.complete_login(&world.acme, cookie, &visitor()).await?;
    Ok(started.session.acr().to_owned())
}

#[tokio::test]
async fn every_attempt_is_written_down_with_its_cause_and_without_what_was_typed() {
    let world = World::new();
    let ann = world.member("ann", "rep").await;
    world.person("bob", "rep").await;
    world.log_in("ann").await.unwrap();
    for email in ["ann@example.com", "bob@example.com", "nobody@example.com"] {
        guess(&world, email).await;
    }
    let all = kinds(&world, &SignInFilter::default());
    let expected = [
        "password_set",
        "sign_in",
        "sign_in: wrong_password",
        "sign_in: no_password",
        "sign_in: unknown_person",
    ];
    assert_eq!(all, expected);
    let hers = SignInFilter { user: Some(ann.id), ..SignInFilter::default() };
    assert_eq!(kinds(&world, &hers), expected[..3]);
    let kind = SignInFilter { kind: Some(EventKind::PasswordSet), ..SignInFilter::default() };
    assert_eq!(kinds(&world, &kind), ["password_set"]);
    let since = SignInFilter { since: Some(world.clock.now() + 1), ..SignInFilter::default() };
    assert!(kinds(&world, &since).is_empty());

    let events = world.identity.sign_ins(world.acme.id, &SignInFilter::default(), None, 200).unwrap();
    let told = format!("{events:?}");
    for secret in ["nobody@", "tram", "203.0.113.9"] {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
    assert_eq!(events[0].network.as_deref(), Some("203.0.113.0/24"));
    assert!(events[0].stranger.is_some() && events[0].user.is_none());
    let page =
        world.identity.sign_ins(world.acme.id, &SignInFilter::default(), Some(events[1].seq), 2).unwrap();
    assert_eq!(page.iter().map(|event| event.seq).collect::<Vec<_>>(), [events[2].seq, events[3].seq]);
    assert!(world.identity.sign_ins(world.globex.id, &SignInFilter::default(), None, 9).unwrap().is_empty());
}

#[tokio::test]
async fn an_event_is_never_changed_and_goes_after_half_a_year() {
    let world = World::new();
    guess(&world, "nobody@example.com").await;
    let change = world.identity.note(world.acme.id, |connection| {
        let changed = connection.execute("update _stoa_sign_ins set cause = null", []);
        changed.map_err(IdentityError::from)
    });
    assert!(change.await.is_err());
    world.clock.advance(KEPT + 1);
    guess(&world, "nobody@example.com").await;
    assert_eq!(kinds(&world, &SignInFilter::default()), ["sign_in: unknown_person"]);
}

#[tokio::test]
async fn nobody_pushes_what_happened_out_of_the_log_by_guessing() {
    let world = World::new();
    world.member("ann", "rep").await;
    world.log_in("ann").await.unwrap();
    let flood = world.identity.note(world.acme.id, |connection| {
        for _ in 0..20 {
            store::insert(connection, &Event::new(EventKind::SignIn).because("unknown_person"), 0)?;
        }
        Ok(store::forget(connection, i64::MIN, 5)?)
    });
    flood.await.unwrap();
    let left = kinds(&world, &SignInFilter::default());
    assert_eq!((left.len(), &left[..2]), (7, &["password_set".to_owned(), "sign_in".to_owned()][..]));
}

#[tokio::test]
async fn guessing_at_one_address_is_told_when_it_is_slowed_down() {
    let world = World::new();
    let ann = world.member("ann", "rep").await;
    for _ in 0..3 {
        guess(&world, "ann@example.com").await;
    }
    guess(&world, "ann@example.com").await; // not looked at, and not written down
    let filter = SignInFilter { user: Some(ann.id), ..SignInFilter::default() };
    assert_eq!(kinds(&world, &filter)[4..], ["throttled"]);
}

#[tokio::test]
async fn what_is_done_to_ways_in_is_written_down() {
    let world = World::new();
    let ann = world.member("ann", "rep").await;
    let by = acting(world.acme.id, &ann);
    let (_, secret) = world
        .identity
        .create_api_key(
            &world.platform(),
            NewApiKey { name: "k".to_owned(), role: Some("rep".to_owned()), ..NewApiKey::default() },
        )
        .await
        .unwrap();
    world.authenticate(secret.reveal()).unwrap();
    let used =
        || kinds(&world, &SignInFilter { kind: Some(EventKind::KeyFirstUsed), ..SignInFilter::default() });
    while used().is_empty() {
        tokio::task::yield_now().await;
    }
    world.identity.revoke_leaked(world.acme.id, secret.reveal()).await.unwrap();
    let (cookie, _) = password_said(&world, "ann").await;
    complete(&world, &cookie).await.unwrap();
    let session = world.identity.sessions_of(world.acme.id, ann.id).unwrap()[0].id;
    world.identity.end_session(&by, session).await.unwrap();
    let here = visitor();
    let proof = FactorProof { password: PASSWORD, code: None, visitor: &here };
    world.identity.change_password(&by, &world.acme, &proof, "another violet tram").await.unwrap();
    let all = kinds(&world, &SignInFilter::default());
    let expected = [
        "password_set",
        "key_made",
        "key_first_used",
        "key_revoked",
        "sign_in",
        "session_ended",
        "password_changed",
    ];
    assert_eq!(all, expected);
}

#[tokio::test]
async fn a_demanded_second_factor_is_added_in_the_login_and_nothing_is_given_before() {
    let world = World::new();
    let owner = world.member("owner", "owner").await;
    let token = world.log_in("owner").await.unwrap();
    let (cookie, _) = password_said(&world, "owner").await;
    complete(&world, &cookie).await.unwrap();
    let rep = world.member("rep", "rep").await;
    let rep_token = world.log_in("rep").await.unwrap();
    world.identity.set_demand(&acting(world.acme.id, &owner), Demand::Administrators).await.unwrap();
    assert_eq!(world.identity.demand(world.acme.id).unwrap(), Demand::Administrators);
    assert!(world.authenticate(&token).is_err(), "whoever has none is signed out");
    assert!(world.identity.sessions_of(world.acme.id, owner.id).unwrap().is_empty());
    assert!(world.authenticate(&rep_token).is_ok() && world.log_in("rep").await.is_ok());

    assert!(
        matches!(world.log_in("owner").await, Err(IdentityError::SecondFactorRequired)),
        "not the short way"
    );
    let (cookie, next) = password_said(&world, "owner").await;
    assert_eq!(next, [Step::Enrol]);
    let incomplete =
        |result: Result<String, IdentityError>| matches!(result, Err(IdentityError::LoginIncomplete));
    assert!(incomplete(complete(&world, &cookie).await), "skipped");
    let guessed = world.identity.login_totp(&world.acme, &cookie, "000000", &visitor()).await;
    assert!(matches!(guessed, Err(IdentityError::LoginIncomplete)), "there is none to be asked for");
    let (other_tab, next) = password_said(&world, "owner").await;
    assert_eq!(next, [Step::Enrol]);
    assert!(incomplete(complete(&world, &other_tab).await), "a second tab");
    let again = world.identity.login_identify(&world.acme, &other_tab, "owner@example.com").await.unwrap();
    assert_eq!(again, [Step::Password], "begun again, with nothing done");
    assert!(complete(&world, &other_tab).await.is_err());

    let (late, _) = password_said(&world, "owner").await;
    let (key, codes) = enrol(&world, &cookie).await;
    assert_eq!((codes.len(), complete(&world, &cookie).await.unwrap().as_str()), (10, "aal2"));
    assert_eq!(world.mails("A second factor was added").len(), 1);
    let refused = world.identity.login_enrol(&world.acme, &late).await;
    assert!(
        matches!(refused, Err(IdentityError::LoginIncomplete)),
        "nobody adds a second one with the password alone"
    );
    let code = totp::code(&key, world.clock.now());
    let next = world.identity.login_totp(&world.acme, &late, &code, &visitor()).await.unwrap();
    assert_eq!(next, [Step::Complete]);
    let events = kinds(&world, &SignInFilter { user: Some(owner.id), ..SignInFilter::default() });
    assert!(events.contains(&"factor_added".to_owned()), "{events:?}");
    assert!(events.contains(&"sign_in: second_factor_required".to_owned()), "{events:?}");
    let by = acting(world.acme.id, &rep);
    let program = crate::caller::Principal { administers: false, ..(*by.principal).clone() };
    let program = Caller { principal: program.into(), ..by };
    let refused = world.identity.set_demand(&program, Demand::Nobody).await;
    assert!(matches!(refused, Err(IdentityError::KeyCannotAdminister)));
}

#[tokio::test]
async fn a_demand_holds_for_a_login_that_began_before_and_for_those_from_elsewhere() {
    let world = World::new();
    let ann = world.member("ann", "rep").await;
    let (cookie, next) = password_said(&world, "ann").await;
    assert_eq!(next, [Step::Complete]);
    world.identity.set_demand(&world.platform(), Demand::Everybody).await.unwrap();
    assert!(matches!(complete(&world, &cookie).await, Err(IdentityError::LoginIncomplete)));
    world.identity.set_demand(&world.platform(), Demand::Nobody).await.unwrap();
    assert!(complete(&world, &cookie).await.is_ok(), "it was never fixed in the row of this login");

    world.identity.set_demand(&world.platform(), Demand::Everybody).await.unwrap();
    let (cookie, _) = world.identity.begin_login(&world.acme).await.unwrap();
    let hash = world.identity.login_hash(world.acme.id, &cookie).unwrap();
    let vouched = External { user: ann.id, acr: "aal1".to_owned(), auth_time: 0 };
    let next = world.identity.finish_external(&world.acme, hash, vouched).await.unwrap();
    assert_eq!(next, [Step::Enrol]);
    world.identity.set_demand(&world.platform(), Demand::Nobody).await.unwrap();
    assert_eq!(world.identity.login_steps(&world.acme, &cookie).unwrap(), [Step::Enrol], "here it was");
    enrol(&world, &cookie).await;
    assert_eq!(complete(&world, &cookie).await.unwrap(), "aal2");
}

#[tokio::test]
async fn a_recovery_code_forces_a_new_app_also_at_a_later_login() {
    let world = World::new();
    let ann = world.member("ann", "rep").await;
    world.identity.set_demand(&world.platform(), Demand::Everybody).await.unwrap();
    let (cookie, _) = password_said(&world, "ann").await;
    let (lost, codes) = enrol(&world, &cookie).await;
    complete(&world, &cookie).await.unwrap();
    let recover = async |code: &str| {
        let (cookie, _) = password_said(&world, "ann").await;
        let next = world.identity.login_recovery(&world.acme, &cookie, code, &visitor()).await;
        next.map(|next| (cookie, next))
    };
    let (cookie, next) = recover(&codes[0]).await.unwrap();
    assert_eq!(next, [Step::Enrol]);
    assert!(complete(&world, &cookie).await.is_err());
    // Left there; the next login takes the app of before once more, and then the same.
    let (cookie, _) = password_said(&world, "ann").await;
    let code = totp::code(&lost, world.clock.now());
    let next = world.identity.login_totp(&world.acme, &cookie, &code, &visitor()).await.unwrap();
    assert_eq!(next, [Step::Enrol]);
    assert!(complete(&world, &cookie).await.is_err());
    let (fresh, _) = enrol(&world, &cookie).await;
    assert_eq!(complete(&world, &cookie).await.unwrap(), "aal2");
    assert_ne!(fresh, lost);
    assert!(recover(&codes[1]).await.is_err(), "the codes of before are void");
    let (cookie, _) = password_said(&world, "ann").await;
    let old = totp::code(&lost, world.clock.now());
    assert!(world.identity.login_totp(&world.acme, &cookie, &old, &visitor()).await.is_err());
    let new = totp::code(&fresh, world.clock.now());
    let next = world.identity.login_totp(&world.acme, &cookie, &new, &visitor()).await.unwrap();
    assert_eq!(next, [Step::Complete]);
    assert!(!world.identity.factors(world.acme.id, ann.id).unwrap().renew);
}

#[tokio::test]
async fn where_one_is_demanded_removing_it_signs_out_everywhere() {
    let world = World::new();
    let ann = world.member("ann", "rep").await;
    world.identity.set_demand(&world.platform(), Demand::Everybody).await.unwrap();
    let (cookie, _) = password_said(&world, "ann").await;
    let (key, _) = enrol(&world, &cookie).await;
    complete(&world, &cookie).await.unwrap();
    let code = totp::code(&key, world.clock.now());
    let here = visitor();
    let proof = FactorProof { password: PASSWORD, code: Some(&code), visitor: &here };
    let by = acting(world.acme.id, &ann);
    world.identity.remove_factors(&by, &world.acme, &proof).await.unwrap();
    assert!(world.identity.sessions_of(world.acme.id, ann.id).unwrap().is_empty());
    assert_eq!(password_said(&world, "ann").await.1, [Step::Enrol]);
}

fn from(host: u32) -> Visitor {
    Visitor { address: std::net::Ipv4Addr::from(0x0a00_0000 + host * 256 + 1).into(), ..visitor() }
}

/// C3: few passwords at many addresses, from many networks.
#[tokio::test]
async fn many_addresses_from_many_networks_are_slowed_down_and_the_owners_are_told() {
    let world = World::new();
    world.member("owner", "owner").await;
    world.log_in("owner").await.unwrap();
    let device = world
        .identity
        .device_cookie(
            &world.acme,
            world.identity.user_by_email(world.acme.id, "owner@example.com").unwrap().unwrap().id,
        )
        .unwrap();
    let mut slowed = 0;
    for person in 0..90_u32 {
        let email = format!("person{person}@example.com");
        match world.identity.log_in(&world.acme, &email, PASSWORD, &from(person)).await {
            Err(IdentityError::Throttled { .. }) => slowed += 1,
            Err(IdentityError::InvalidCredentials) => {}
            _ => panic!("let in"),
        }
    }
    assert_eq!(slowed, 30, "50 failures, ten more, and then two a second");
    assert_eq!(world.mails("Passwords are being tried").len(), 1);
    let spraying = SignInFilter { kind: Some(EventKind::Spraying), ..SignInFilter::default() };
    assert_eq!(kinds(&world, &spraying), ["spraying"]);
    let known = Visitor { known_device: device, ..from(1_000) };
    let owner = world.identity.log_in(&world.acme, "owner@example.com", PASSWORD, &known).await;
    assert!(owner.is_ok(), "on their own device the owner gets in");
    world.clock.advance(500);
    let elsewhere = world.identity.log_in(&world.acme, "owner@example.com", PASSWORD, &from(2_000)).await;
    assert!(elsewhere.is_ok(), "and on a new one after a moment: there is no lock");
}
