//! C1: whether somebody is there cannot be told from the work or the time of an answer. The work is counted, which is exact;
//! the times are compared by the Kolmogorov-Smirnov statistic of samples that were taken in turns, so that whatever else the
//! machine does meets all of them alike.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::*;
use crate::identity::UserChange;
use crate::identity::fixture::{World, visitor};
use crate::identity::sign_ins::SignInFilter;

const DAY: i64 = 24 * 3_600_000;

/// Addresses of somebody with a password, nobody, somebody disabled, somebody who never chose one.
const CLASSES: [&str; 4] = ["ann@example.com", "nobody@example.com", "eve@example.com", "bob@example.com"];

async fn world() -> World {
    let world = World::new();
    world.member("ann", "rep").await;
    world.person("bob", "rep").await;
    let eve = world.member("eve", "rep").await;
    let disabled = UserChange { status: Some(UserStatus::Disabled), ..UserChange::default() };
    world.identity.update_user(&world.platform(), eve.id, disabled).await.unwrap();
    world
}

async fn guess(world: &World, email: &str) {
    let refused = world.identity.log_in(&world.acme, email, "a violet tram 8 west", &visitor()).await;
    assert!(matches!(refused, Err(IdentityError::InvalidCredentials)), "{email}");
}

/// The largest distance between the two empirical distributions.
pub(super) fn distance(one: &[Duration], other: &[Duration]) -> f64 {
    let share = |of: &[Duration], at: Duration| {
        let below = u32::try_from(of.iter().filter(|time| **time <= at).count()).unwrap();
        f64::from(below) / f64::from(u32::try_from(of.len()).unwrap())
    };
    let gap = |at: &Duration| (share(one, *at) - share(other, *at)).abs();
    one.iter().chain(other).map(gap).fold(0.0, f64::max)
}

/// The distance that samples of one distribution exceed once in a million runs.
pub(super) fn critical(samples: usize) -> f64 {
    let samples = f64::from(u32::try_from(samples).unwrap());
    ((2_000_000.0_f64).ln() / 2.0).sqrt() * (2.0 / samples).sqrt()
}

#[tokio::test]
async fn c1_a_refused_login_does_the_same_work_whoever_is_there() {
    let world = world().await;
    let spent = || world.identity.hasher.spent.load(Ordering::Acquire);
    let written =
        || world.identity.sign_ins(world.acme.id, &SignInFilter::default(), None, 200).unwrap().len();
    for email in CLASSES {
        let before = (spent(), written());
        guess(&world, email).await;
        assert_eq!((spent() - before.0, written() - before.1), (1, 1), "{email}: one hash, one row");
    }
    // A second factor is not looked for before the password is right.
    let (cookie, _) = world.identity.begin_login(&world.acme).await.unwrap();
    for email in CLASSES {
        let before = (spent(), written());
        world.identity.login_identify(&world.acme, &cookie, email).await.unwrap();
        world.identity.request_reset(&world.acme, email, &visitor()).await.unwrap();
        assert_eq!((spent() - before.0, written() - before.1), (0, 1), "{email}");
    }
}

#[tokio::test]
async fn c1_the_times_of_refused_logins_are_of_one_distribution() {
    const SAMPLES: usize = 60;
    let world = world().await;
    let mut times: [Vec<Duration>; 3] = Default::default();
    for round in 0..SAMPLES {
        world.clock.advance(DAY); // what was counted is forgotten
        for turn in 0..times.len() {
            let class = (round + turn) % times.len();
            let started = Instant::now();
            guess(&world, CLASSES[class]).await;
            times[class].push(started.elapsed());
        }
    }
    let [known, unknown, disabled] = &times;
    for other in [unknown, disabled] {
        let found = distance(known, other);
        assert!(found < critical(SAMPLES), "{found}: {known:?} {other:?}");
    }
    // The comparison would notice: no hash at all is another distribution.
    let nothing = vec![Duration::from_micros(300); SAMPLES];
    assert!(distance(known, &nothing) > critical(SAMPLES));
}

#[tokio::test]
async fn c1_answers_to_an_address_alone_take_as_long_whoever_is_there() {
    const SAMPLES: usize = 20;
    let mut world = world().await;
    world.identity.floor = FLOOR;
    let identify = async |email: &str| {
        let (cookie, _) = world.identity.begin_login(&world.acme).await.unwrap();
        let started = Instant::now();
        world.identity.login_identify(&world.acme, &cookie, email).await.unwrap();
        started.elapsed()
    };
    let reset = async |email: &str| {
        let started = Instant::now();
        world.identity.request_reset(&world.acme, email, &visitor()).await.unwrap();
        started.elapsed()
    };
    let (mut identified, mut asked): ([Vec<Duration>; 2], [Vec<Duration>; 2]) = Default::default();
    for _ in 0..SAMPLES {
        world.clock.advance(DAY);
        // At once, so that whatever else the machine does meets all of them.
        let (one, two, three, four) =
            tokio::join!(identify(CLASSES[0]), identify(CLASSES[1]), reset(CLASSES[0]), reset(CLASSES[1]));
        identified[0].push(one);
        identified[1].push(two);
        asked[0].push(three);
        asked[1].push(four);
    }
    for [known, unknown] in [&identified, &asked] {
        let found = distance(known, unknown);
        assert!(found < critical(SAMPLES), "{found}: {known:?} {unknown:?}");
        assert!(known.iter().chain(unknown).all(|time| *time >= FLOOR));
    }
}
