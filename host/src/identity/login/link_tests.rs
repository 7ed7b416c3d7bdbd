//! Links that were sent by mail, the known device and the even time of answers, on a real identity file.

use std::time::{Duration, Instant};

use super::even_tests::{critical, distance};
use super::*;
use crate::identity::fixture::{PASSWORD, World, acting, visitor};
use crate::identity::{Email, Visitor};

const NEW: &str = "another violet tram";

async fn ask(world: &World, email: &str) {
    world.identity.request_reset(&world.acme, email, &visitor()).await.unwrap();
}

async fn reset(world: &World, token: &str) -> Result<(), IdentityError> {
    world.identity.reset_password(&world.acme, token, NEW, None).await
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_once_in_time_and_from_the_configured_address() {
    let world = World::new();
    world.member("ann", "rep").await;
    let token = world.log_in("ann").await.unwrap();
    ask(&world, "ann@example.com").await;
    let mail = world.mails("A new password").pop().unwrap();
    assert!(mail.contains("https://crm.example.com/t/acme/auth/reset#token=stoa_m1_"), "{mail}");
    let link = world.mailed("A new password", "token");
    let weak = world.identity.reset_password(&world.acme, &link, "short", None).await;
    assert!(matches!(weak, Err(IdentityError::WeakPassword(_))), "and the link stays good");
    let elsewhere = world.identity.reset_password(&world.globex, &link, NEW, None).await;
    assert!(matches!(elsewhere, Err(IdentityError::InvalidLink)));
    reset(&world, &link).await.unwrap();
    assert!(world.authenticate(&token).is_err(), "every token ends");
    assert_eq!(world.mails("Your password was changed").len(), 1);
    assert!(world.log_in("ann").await.is_err());
    for bad in [link.as_str(), &link[..link.len() - 1], "stoa_m1_", ""] {
        assert!(matches!(reset(&world, bad).await, Err(IdentityError::InvalidLink)), "{bad}");
    }
}

#[tokio::test]
async fn a_link_is_too_old_after_a_quarter_of_an_hour_and_void_after_the_next_one() {
    let world = World::new();
    world.member("ann", "rep").await;
    ask(&world, "ann@example.com").await;
    let first = world.mailed("A new password", "token");
    ask(&world, "ann@example.com").await;
    assert!(matches!(reset(&world, &first).await, Err(IdentityError::InvalidLink)), "replaced");
    let second = world.mails("A new password").into_iter().find(|mail| !mail.contains(&first)).unwrap();
    let second = second.split_once("#token=").unwrap().1.split_whitespace().next().unwrap().to_owned();
    world.clock.advance(15 * 60_000);
    assert!(matches!(reset(&world, &second).await, Err(IdentityError::InvalidLink)), "too old");
}

#[tokio::test]
async fn nobody_learns_by_asking_for_a_link_whether_an_address_is_known() {
    let world = World::new();
    ask(&world, "nobody@example.com").await;
    ask(&world, "not an address").await;
    assert!(world.mails("A new password").is_empty());
    world.member("ann", "rep").await;
    for _ in 0..10 {
        ask(&world, "ann@example.com").await;
    }
    assert!(world.mails("A new password").len() <= 3, "nor is a mailbox filled");
}

#[tokio::test]
async fn a_link_of_one_kind_is_never_good_for_another() {
    let world = World::new();
    let ann = world.member("ann", "rep").await;
    ask(&world, "ann@example.com").await;
    let link = world.mailed("A new password", "token");
    assert!(matches!(
        world.identity.confirm_email(&world.acme, &link).await,
        Err(IdentityError::InvalidLink)
    ));
    assert!(matches!(world.identity.undo_email(&world.acme, &link).await, Err(IdentityError::InvalidLink)));
    let setup = world.identity.set_up(&world.acme, &link, NEW).await;
    assert!(matches!(setup, Err(IdentityError::InvalidSetupToken)));
    let invitation = world.identity.invite(&world.platform(), ann.id).await.unwrap();
    assert!(matches!(reset(&world, &invitation.token).await, Err(IdentityError::InvalidLink)));
}

#[tokio::test]
async fn an_address_changes_when_the_new_one_confirms_and_the_old_one_may_undo_it() {
    let world = World::new();
    let ann = world.member("ann", "rep").await;
    let (by, here) = (acting(world.acme.id, &ann), visitor());
    let email = Email::parse("ann@new.example.com").unwrap();
    let wrong = Proof { password: "a violet tram 8 west", code: None, visitor: &here };
    assert!(world.identity.request_email(&by, &world.acme, &wrong, &email).await.is_err());
    let proof = Proof { password: PASSWORD, code: None, visitor: &here };
    world.identity.request_email(&by, &world.acme, &proof, &email).await.unwrap();
    let known = |email: &str| world.identity.user_by_email(world.acme.id, email).unwrap().is_some();
    assert!(known("ann@example.com"), "nothing changes before");
    ask(&world, "ann@example.com").await;
    let raced = world.mailed("A new password", "token");
    let confirm = world.mailed("Confirm your address", "token");
    world.identity.confirm_email(&world.acme, &confirm).await.unwrap();
    assert!(known("ann@new.example.com") && !known("ann@example.com"));
    assert!(
        matches!(reset(&world, &raced).await, Err(IdentityError::InvalidLink)),
        "sent to the old address"
    );

    let undo = world.mailed("Your address was changed", "undo");
    world.identity.undo_email(&world.acme, &undo).await.unwrap();
    assert!(known("ann@example.com") && !known("ann@new.example.com"));
    assert!(world.identity.undo_email(&world.acme, &undo).await.is_err(), "once");
}

#[tokio::test]
async fn an_address_that_somebody_has_is_not_taken_and_not_told() {
    let world = World::new();
    let ann = world.member("ann", "rep").await;
    world.member("bob", "rep").await;
    let (by, here) = (acting(world.acme.id, &ann), visitor());
    let proof = Proof { password: PASSWORD, code: None, visitor: &here };
    for taken in ["bob@example.com", "BOB@Example.com", "\u{ff42}ob@example.com"] {
        let email = Email::parse(taken).unwrap();
        world.identity.request_email(&by, &world.acme, &proof, &email).await.unwrap();
    }
    assert!(world.mails("Confirm your address").is_empty());
}

#[tokio::test]
async fn a_changed_password_ends_every_other_token_and_goes_on_with_a_new_one() {
    let world = World::new();
    let ann = world.member("ann", "rep").await;
    let (by, here) = (acting(world.acme.id, &ann), visitor());
    let old = world.log_in("ann").await.unwrap();
    let proof = Proof { password: PASSWORD, code: None, visitor: &here };
    let changed = world.identity.change_password(&by, &world.acme, &proof, NEW).await.unwrap();
    assert!(world.authenticate(&old).is_err() && world.authenticate(&changed.token).is_ok());
    let again = world.identity.change_password(&by, &world.acme, &proof, PASSWORD).await;
    assert!(matches!(again, Err(IdentityError::InvalidCredentials)), "that is not the password any more");
}

#[tokio::test]
async fn after_a_hundred_failures_the_person_still_gets_in_from_a_known_device() {
    let world = World::new();
    let ann = world.member("ann", "rep").await;
    let from = |host: u32| Visitor {
        address: std::net::Ipv4Addr::from(0x0a00_0000 + host * 256).into(),
        user_agent: String::new(),
        known_device: None,
        session: None,
    };
    for host in 0..100 {
        let tried =
            world.identity.log_in(&world.acme, "ann@example.com", "violet tram 8 east", &from(host)).await;
        assert!(matches!(tried, Err(IdentityError::InvalidCredentials)), "{host}");
        world.clock.advance(61_000);
    }
    let stranger = world.identity.log_in(&world.acme, "ann@example.com", PASSWORD, &from(200)).await;
    assert!(matches!(stranger, Err(IdentityError::InvalidCredentials)), "not even with the right one");
    let device = world.identity.device_cookie(&world.acme, ann.id).unwrap();
    let known = Visitor { known_device: device, ..from(201) };
    world.identity.log_in(&world.acme, "ann@example.com", PASSWORD, &known).await.unwrap();
    let forged = Visitor { known_device: Some("AAAA".to_owned()), ..from(202) };
    world.clock.advance(61_000);
    assert!(world.identity.log_in(&world.acme, "ann@example.com", PASSWORD, &forged).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_to_known_and_unknown_people_take_the_same_time() {
    let world = World::new();
    let mut identity = world.identity.clone();
    identity.floor = Duration::from_millis(60);
    identity.hasher = Hasher::new(Cost { memory_kib: 64, passes: 1, lanes: 1 }, [1; 32]);
    let hash = identity.hasher.hash(PASSWORD).await.unwrap();
    for number in 0..200 {
        let user = world.person(&format!("known{number}"), "rep").await;
        let hash = hash.clone();
        let by = world.platform();
        let stored = world
            .identity
            .write_quietly(&by, move |connection| Ok(store::set_password(connection, user.id, &hash)?));
        stored.await.unwrap();
    }
    // Two samples of each person, whom two failures do not slow down; each from a place of its own; the classes take
    // turns, five pairs at once, so whatever else the machine does hits both.
    let identity = &identity;
    let took = async |class: &str, sample: u32| {
        let here = Visitor {
            address: std::net::Ipv4Addr::from(0x0a00_0000 + sample * 256).into(),
            user_agent: String::new(),
            known_device: None,
            session: None,
        };
        let (email, started) = (format!("{class}{}@example.com", sample % 200), Instant::now());
        let refused = identity.log_in(&world.acme, &email, "violet tram 8 east", &here).await;
        assert!(matches!(refused, Err(IdentityError::InvalidCredentials)), "{class} {sample}");
        started.elapsed()
    };
    let took = &took;
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for round in 0..80 {
        let batch = (0..5).map(|at| async move {
            let sample = round * 5 + at;
            (took("known", sample).await, took("unknown", sample + 1_000).await)
        });
        for (one, other) in join_all(batch).await {
            known.push(one);
            unknown.push(other);
        }
        // So many strangers in ten minutes would put the organization on guard.
        world.clock.advance(11 * 60_000);
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    assert_eq!((known.len(), unknown.len()), (400, 400));
    let apart = median(&mut known).abs_diff(median(&mut unknown));
    assert!(apart < Duration::from_millis(5), "{apart:?}");
    let found = distance(&known, &unknown);
    assert!(found < critical(known.len()), "Kolmogorov-Smirnov: {found}");
}

/// C5: what does not fit is told to come back, and the next one is served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_logins_at_once_cost_no_more_than_a_few() {
    let world = World::new();
    world.member("ann", "rep").await;
    let all = (0..200_u32).map(|one| {
        let here = Visitor {
            address: std::net::Ipv4Addr::from(0x0a00_0000 + one * 256).into(),
            user_agent: String::new(),
            known_device: None,
            session: None,
        };
        let world = &world;
        async move {
            let email = format!("person{one}@example.com");
            match world.identity.log_in(&world.acme, &email, PASSWORD, &here).await {
                Err(IdentityError::InvalidCredentials) => 1,
                Err(IdentityError::Busy { retry_after }) => i32::from(retry_after == 0),
                _ => 1_000,
            }
        }
    });
    let hashed: i32 = join_all(all).await.into_iter().sum();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    assert!(hashed >= 1 && (hashed < 200 || cores > 30), "{hashed} hashed, the others told to come back");
    let peak = world.identity.hasher.gauge.peak();
    assert!((1..=cores).contains(&peak), "{peak} at once");
    assert!(world.log_in("ann").await.is_ok());
}

/// Runs them all at once.
async fn join_all<T>(work: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut waiting: Vec<_> = work.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        let mut open = false;
        for (future, value) in &mut waiting {
            if value.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(found) => *value = Some(found),
                    std::task::Poll::Pending => open = true,
                }
            }
        }
        if open { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    waiting.into_iter().filter_map(|(_, value)| value).collect()
}
