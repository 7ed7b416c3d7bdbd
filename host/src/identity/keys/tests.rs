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

fn account(name: &str, role: &str) -> NewServiceAccount {
    NewServiceAccount { name: name.to_owned(), description: None, roles: vec![role.to_owned()] }
}

fn key_of(service: PrincipalId) -> NewApiKey {
    NewApiKey { name: "One of several".to_owned(), service: Some(service), ..NewApiKey::default() }
}

#[tokio::test]
async fn a_service_account_acts_through_each_of_its_keys_until_it_is_disabled() {
    let world = World::new();
    let by = world.platform();
    let sync = world.identity.create_service_account(&by, account("Sync", "rep")).await.unwrap();
    let limited = NewApiKey {
        scopes: Some(vec!["read".to_owned()]),
        networks: Some(vec!["192.0.2.1/24".parse().unwrap()]),
        ..key_of(sync.id)
    };
    let (_, one) = world.identity.create_api_key(&by, key_of(sync.id)).await.unwrap();
    let (_, two) = world.identity.create_api_key(&by, limited).await.unwrap();
    let caller = world.authenticate(one.reveal()).unwrap();
    assert_eq!((caller.principal.id, caller.principal.kind), (sync.id, PrincipalKind::Service));
    assert!(caller.principal.limits.is_none() && !caller.principal.administers);
    let caller = world.authenticate(two.reveal()).unwrap();
    assert_eq!(caller.principal.limits.as_deref().map(|all| all.len()), Some(1));
    assert!(
        caller.principal.admits("192.0.2.77".parse().ok())
            && !caller.principal.admits("192.0.3.1".parse().ok())
    );
    assert_eq!(&*world.identity.names(world.acme.id, &[sync.id]).unwrap()[&sync.id], "Sync");

    let off = ServiceAccountChange { status: Some(UserStatus::Disabled), ..ServiceAccountChange::default() };
    world.identity.update_service_account(&by, sync.id, off).await.unwrap();
    refused(&world, one.reveal());
    refused(&world, two.reveal());
    let more = world.identity.create_api_key(&by, key_of(sync.id)).await;
    assert!(matches!(more, Err(IdentityError::ServiceAccountDisabled)));
}

#[tokio::test]
async fn a_program_is_never_stronger_than_its_maker_and_never_an_owner() {
    let world = World::new();
    let manager = acting(world.acme.id, &world.person("manager", "manager").await);
    let owner = world.identity.create_service_account(&world.platform(), account("Boss", "owner")).await;
    assert!(matches!(owner, Err(IdentityError::Invalid { field: "roles", .. })));
    let rep = acting(world.acme.id, &world.person("rep", "rep").await);
    let above = world.identity.create_service_account(&rep, account("Above", "manager")).await;
    assert!(matches!(above, Err(IdentityError::RoleRequired(_))));
    let theirs = world.identity.create_service_account(&manager, account("Theirs", "manager")).await.unwrap();
    let key = world.identity.create_api_key(&rep, key_of(theirs.id)).await;
    assert!(matches!(key, Err(IdentityError::RoleRequired(_))), "a key to somebody stronger");
}

#[tokio::test]
async fn e19_a_key_administers_people_only_when_it_was_made_for_that() {
    let world = World::new();
    let plain = NewApiKey { administers: false, ..key("manager") };
    let (_, secret) = world.identity.create_api_key(&world.platform(), plain).await.unwrap();
    let program = world.authenticate(secret.reveal()).unwrap();
    let refused = |error| matches!(error, IdentityError::KeyCannotAdminister);
    assert!(refused(world.try_person(&program, "eve", "rep").await.unwrap_err()));
    let account = world.identity.create_service_account(&program, account("X", "rep")).await;
    assert!(refused(account.unwrap_err()));
    let (_, secret) = world.identity.create_api_key(&world.platform(), key("manager")).await.unwrap();
    let program = world.authenticate(secret.reveal()).unwrap();
    assert!(world.try_person(&program, "eve", "rep").await.is_ok());
}

#[tokio::test]
async fn whoever_holds_a_key_can_have_it_revoked_and_nobody_else() {
    let world = World::new();
    let (stored, secret) = world.identity.create_api_key(&world.platform(), key("rep")).await.unwrap();
    for wrong in [ApiKeySecret::new(stored.id, &[7; 32]).reveal().to_owned(), "x".to_owned(), String::new()] {
        world.identity.revoke_leaked(world.acme.id, &wrong).await.unwrap();
        assert!(world.authenticate(secret.reveal()).is_ok(), "{wrong}");
    }
    world.identity.revoke_leaked(world.globex.id, secret.reveal()).await.unwrap();
    assert!(world.authenticate(secret.reveal()).is_ok(), "another organization's business");
    world.identity.revoke_leaked(world.acme.id, secret.reveal()).await.unwrap();
    refused(&world, secret.reveal());
}

#[tokio::test]
async fn the_use_of_a_key_is_noted_once_a_minute_without_moving_the_epoch() {
    let world = World::new();
    let (stored, secret) = world.identity.create_api_key(&world.platform(), key("rep")).await.unwrap();
    let epoch = || world.identity.read(world.acme.id, |c| Ok(crate::identity::store::epoch(c)?)).unwrap();
    let before = epoch();
    assert!(world.authenticate(secret.reveal()).is_ok());
    let used = || world.identity.api_key(world.acme.id, stored.id).unwrap().last_used_at;
    while used().is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!((used(), epoch()), (Some(world.clock.now()), before));
}

#[tokio::test]
async fn a_key_ends_within_a_year_also_when_nobody_says_so() {
    let world = World::new();
    let (stored, _) = world.identity.create_api_key(&world.platform(), key("rep")).await.unwrap();
    assert_eq!(stored.expires_at, Some(world.clock.now() + LONGEST));
}

#[tokio::test]
async fn a_program_gets_a_role_of_the_organizations_own_from_an_owner_and_from_nobody_else() {
    let world = World::new();
    let owner = acting(world.acme.id, &world.person("boss", "owner").await);
    let manager = acting(world.acme.id, &world.person("manager", "manager").await);
    let account = |name: &str, role: &str| NewServiceAccount {
        name: name.to_owned(),
        description: None,
        roles: vec![role.to_owned()],
    };
    let unknown = world.identity.create_api_key(&owner, key("auditor")).await;
    assert!(matches!(unknown, Err(IdentityError::UnknownRole(_))));
    let unknown = world.identity.create_service_account(&owner, account("early", "auditor")).await;
    assert!(matches!(unknown, Err(IdentityError::UnknownRole(_))));

    world.make_role("auditor").await;
    let lacking = world.identity.create_api_key(&manager, key("auditor")).await;
    assert!(matches!(lacking, Err(IdentityError::RoleRequired(role)) if role == "auditor"));
    let lacking = world.identity.create_service_account(&manager, account("weak", "auditor")).await;
    assert!(matches!(lacking, Err(IdentityError::RoleRequired(role)) if role == "auditor"));

    let (_, secret) = world.identity.create_api_key(&owner, key("auditor")).await.unwrap();
    assert_eq!(&*world.authenticate(secret.reveal()).unwrap().principal.roles[0], "auditor");
    let made = world.identity.create_service_account(&owner, account("robot", "rep")).await.unwrap();
    let change = |role: &str| ServiceAccountChange {
        roles: Some(vec![role.to_owned()]),
        ..ServiceAccountChange::default()
    };
    let lacking = world.identity.update_service_account(&manager, made.id, change("auditor")).await;
    assert!(matches!(lacking, Err(IdentityError::RoleRequired(_))));
    let changed = world.identity.update_service_account(&owner, made.id, change("auditor")).await.unwrap();
    assert_eq!(changed.roles, ["auditor"]);
    let lacking = world.identity.update_service_account(&manager, made.id, change("readonly")).await;
    assert!(matches!(lacking, Err(IdentityError::RoleRequired(_))), "nor taken away by somebody weaker");
}
