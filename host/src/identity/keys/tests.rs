//! API keys on a real identity file.

use super::*;
use crate::identity::fixture::{World, acting};
use crate::ids::RequestId;

fn key(role: &str) -> NewApiKey {
    NewApiKey {
        name: "Nightly sync".to_owned(),
        role: Some(role.to_owned()),
        administers: true,
        ..NewApiKey::default()
    }
}

fn refused(world: &World, bearer: &str) {
    let result = world.authenticate(bearer);
    assert!(matches!(result, Err(IdentityError::InvalidToken)), "{bearer}");
}

#[tokio::test]
async fn a_key_is_a_principal_with_its_role() {
    let world = World::new();
    let (key, secret) = world.identity.create_api_key(&world.platform(), key("rep")).await.unwrap();
    for _ in 0..2 {
        let caller = world.authenticate(secret.reveal()).unwrap();
        assert_eq!((caller.organization, caller.principal.id), (world.acme.id, key.id));
        assert_eq!((caller.principal.kind, &*caller.principal.name), (PrincipalKind::ApiKey, "Nightly sync"));
        assert_eq!((&*caller.principal.roles[0], caller.principal.roles.len()), ("rep", 1));
    }
    assert_eq!(world.identity.api_keys(world.acme.id).unwrap(), std::slice::from_ref(&key));
    assert_eq!(&*world.identity.names(world.acme.id, &[key.id]).unwrap()[&key.id], "Nightly sync");
}

#[tokio::test]
async fn a_forged_foreign_expired_or_revoked_key_is_refused_alike() {
    let world = World::new();
    let by = world.platform();
    let soon = NewApiKey { expires_at: Some(world.clock.now() + 1_000), ..key("rep") };
    let (stored, secret) = world.identity.create_api_key(&by, soon).await.unwrap();
    assert!(world.authenticate(secret.reveal()).is_ok());

    let forged = ApiKeySecret::new(stored.id, &[7; 32]); // the checksum is right
    refused(&world, forged.reveal());
    refused(&world, ApiKeySecret::new(PrincipalId::new(), &[7; 32]).reveal());
    let mut wrong_checksum = secret.reveal().to_owned();
    let last = if wrong_checksum.pop() == Some('0') { '1' } else { '0' };
    refused(&world, &format!("{wrong_checksum}{last}"));
    let elsewhere = world.identity.authenticate(&world.globex, secret.reveal(), RequestId::new());
    assert!(matches!(elsewhere, Err(IdentityError::InvalidToken)));

    world.clock.advance(1_000);
    refused(&world, secret.reveal());

    let (stored, secret) = world.identity.create_api_key(&by, key("rep")).await.unwrap();
    assert!(world.authenticate(secret.reveal()).is_ok());
    let revoked = world.identity.revoke_api_key(&by, stored.id).await.unwrap();
    assert_eq!(revoked.revoked_at, Some(world.clock.now()));
    refused(&world, secret.reveal());
    world.clock.advance(1_000);
    let again = world.identity.revoke_api_key(&by, stored.id).await.unwrap();
    assert_eq!(again.revoked_at, revoked.revoked_at);
}

#[tokio::test]
async fn another_process_that_revokes_a_key_is_noticed_within_a_second() {
    let world = World::new();
    let (key, secret) = world.identity.create_api_key(&world.platform(), key("rep")).await.unwrap();
    assert!(world.authenticate(secret.reveal()).is_ok());
    world.another_process().revoke_api_key(&world.platform(), key.id).await.unwrap();
    world.clock.advance(1_000);
    refused(&world, secret.reveal());
}

#[tokio::test]
async fn keys_do_not_make_keys_and_are_no_stronger_than_their_maker() {
    let world = World::new();
    let (_, secret) = world.identity.create_api_key(&world.platform(), key("owner")).await.unwrap();
    let program = world.authenticate(secret.reveal()).unwrap();
    let made = world.identity.create_api_key(&program, key("readonly")).await;
    assert!(matches!(made, Err(IdentityError::KeyCannotCreateKeys)));
    assert!(matches!(
        world.try_person(&program, "mallory", "owner").await,
        Err(IdentityError::RoleRequired(_))
    ));

    let manager = acting(world.acme.id, &world.person("manager", "manager").await);
    assert!(matches!(
        world.identity.create_api_key(&manager, key("owner")).await,
        Err(IdentityError::RoleRequired(_))
    ));
    assert!(matches!(
        world.identity.create_api_key(&manager, key("boss")).await,
        Err(IdentityError::UnknownRole(_))
    ));
    assert!(world.identity.create_api_key(&manager, key("rep")).await.is_ok());
}

#[tokio::test]
async fn a_key_ends_in_the_future_and_within_a_year() {
    let world = World::new();
    let now = world.clock.now();
    for at in [now, now - 1, now + LONGEST + 1] {
        let new = NewApiKey { expires_at: Some(at), ..key("rep") };
        let made = world.identity.create_api_key(&world.platform(), new).await;
        assert!(matches!(made, Err(IdentityError::Invalid { field: "expires_at", .. })));
    }
}
