//! Keys in an identity file: made once, published in time, destroyed for good.

use super::ring::PERIOD;
use super::*;
use crate::identity::fixture::World;

fn states(world: &World, algorithm: SigningAlgorithm) -> Vec<KeyState> {
    let keys = world.identity.signing_keys(world.acme.id).unwrap();
    keys.into_iter().filter(|key| key.algorithm == algorithm).map(|key| key.state).collect()
}

#[tokio::test]
async fn a_rotation_leaves_no_token_behind_and_a19_a_retired_key_ends() {
    let world = World::new();
    world.member("ann", "rep").await;
    let old = world.log_in("ann").await.unwrap();
    assert_eq!(states(&world, SigningAlgorithm::EdDsa), [KeyState::Active]);

    world.identity.rotate_keys(&world.platform(), false).await.unwrap();
    assert_eq!(states(&world, SigningAlgorithm::EdDsa), [KeyState::Active, KeyState::Next]);
    world.identity.rotate_keys(&world.platform(), false).await.unwrap();
    assert_eq!(
        states(&world, SigningAlgorithm::EdDsa),
        [KeyState::Active, KeyState::Next],
        "not before a day"
    );
    assert!(world.authenticate(&old).is_ok());

    world.clock.advance(PUBLISHED);
    let before = world.log_in("ann").await.unwrap();
    world.identity.rotate_keys(&world.platform(), false).await.unwrap();
    assert_eq!(states(&world, SigningAlgorithm::EdDsa), [KeyState::Retired, KeyState::Active]);
    assert!(world.authenticate(&before).is_ok(), "a retired key verifies");
    let published = world.identity.key_set(world.acme.id).await.unwrap().to_string();
    for key in world.identity.signing_keys(world.acme.id).unwrap() {
        assert!(published.contains(&key.kid));
    }

    world.clock.advance(RETIRED);
    let fresh = world.log_in("ann").await.unwrap();
    assert_eq!(states(&world, SigningAlgorithm::EdDsa), [KeyState::Destroyed, KeyState::Active]);
    assert!(world.authenticate(&fresh).is_ok() && world.authenticate(&before).is_err());
}

#[tokio::test]
async fn in_an_emergency_every_token_ends_at_once() {
    let world = World::new();
    world.member("ann", "rep").await;
    let token = world.log_in("ann").await.unwrap();
    assert!(world.authenticate(&token).is_ok());
    world.identity.rotate_keys(&world.platform(), true).await.unwrap();
    assert!(world.authenticate(&token).is_err(), "also one that is remembered");
    assert_eq!(states(&world, SigningAlgorithm::EdDsa), [KeyState::Destroyed, KeyState::Active]);
    let token = world.log_in("ann").await.unwrap();
    assert!(world.authenticate(&token).is_ok());
}

#[tokio::test]
async fn both_algorithms_are_published_and_sign_what_their_public_keys_verify() {
    let world = World::new();
    let published = world.identity.key_set(world.acme.id).await.unwrap();
    let kinds: Vec<_> = published["keys"].as_array().unwrap().iter().map(|key| key["kty"].clone()).collect();
    assert_eq!(kinds, ["OKP", "RSA"]);
    assert!(!published.to_string().contains("\"d\""), "no private part");
    let keys = world.identity.verifying_keys(world.acme.id).unwrap();
    for algorithm in SigningAlgorithm::ALL {
        let signer = world.identity.signer(world.acme.id, algorithm).await.unwrap();
        let token = signer.compact("JWT", &json!({ "a": 1 })).unwrap();
        let (message, signature) = token.rsplit_once('.').unwrap();
        let verify =
            |algorithm, message| keys.verify(&signer.kid, algorithm, message, signature, world.clock.now());
        assert_eq!(verify(algorithm, message), Ok(()));
        assert!(verify(algorithm, "e30.e30").is_err());
        let other = SigningAlgorithm::ALL.into_iter().find(|other| *other != algorithm).unwrap();
        assert!(verify(other, message).is_err(), "one algorithm for each key");
    }
}

#[tokio::test]
async fn the_private_part_of_a_retired_key_is_gone() {
    let world = World::new();
    world.member("ann", "rep").await;
    world.log_in("ann").await.unwrap();
    world.clock.advance(PERIOD);
    world.log_in("ann").await.unwrap();
    world.clock.advance(PUBLISHED);
    world.log_in("ann").await.unwrap();
    assert_eq!(states(&world, SigningAlgorithm::EdDsa), [KeyState::Retired, KeyState::Active]);
    let kept =
        world.identity.read(world.acme.id, |connection| Ok(store::private_parts(connection)?)).unwrap();
    assert_eq!(kept, 1);
}
