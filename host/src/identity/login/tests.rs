//! Invitations and logins on a real identity file.

use super::*;
use crate::identity::fixture::{PASSWORD, World, acting, visitor};
use crate::identity::{UserChange, store as file};

async fn refusal(world: &World, email: &str, password: &str) -> String {
    match world.identity.log_in(&world.acme, email, password, &visitor()).await {
        Err(error @ IdentityError::InvalidCredentials) => error.to_string(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("let in"),
    }
}

#[tokio::test]
async fn an_invitation_is_good_for_one_password() {
    let world = World::new();
    let ann = world.person("ann", "rep").await;
    let invitation = world.identity.invite(&world.platform(), ann.id).await.unwrap();
    assert_eq!(invitation.expires_at, world.clock.now() + INVITATION);

    let weak = world.identity.set_up(&world.acme, &invitation.token, "password1234").await;
    assert!(
        matches!(weak, Err(IdentityError::WeakPassword(_))),
        "a refused password leaves the invitation good"
    );
    assert_eq!(world.identity.set_up(&world.acme, &invitation.token, PASSWORD).await.unwrap(), ann.id);
    assert!(world.log_in("ann").await.is_ok());

    let again = world.identity.set_up(&world.acme, &invitation.token, "another violet tram").await;
    assert!(matches!(again, Err(IdentityError::InvalidSetupToken)));
    assert!(world.log_in("ann").await.is_ok(), "the password is still the first one");
}

#[tokio::test]
async fn of_two_who_use_an_invitation_at_once_one_wins() {
    let world = World::new();
    let ann = world.person("ann", "rep").await;
    let token = world.identity.invite(&world.platform(), ann.id).await.unwrap().token;
    let (first, second) = tokio::join!(
        world.identity.set_up(&world.acme, &token, PASSWORD),
        world.identity.set_up(&world.acme, &token, "another violet tram"),
    );
    assert!(first.is_ok() != second.is_ok());
}

#[tokio::test]
async fn a_replaced_late_foreign_or_invented_invitation_is_not_good() {
    let world = World::new();
    let ann = world.person("ann", "rep").await;
    let invite = async || world.identity.invite(&world.platform(), ann.id).await.unwrap().token;
    let refused = async |organization: &Organization, token: &str| {
        let result = world.identity.set_up(organization, token, PASSWORD).await;
        assert!(matches!(result, Err(IdentityError::InvalidSetupToken)), "{token}");
    };

    let replaced = invite().await;
    let token = invite().await;
    refused(&world.acme, &replaced).await;
    refused(&world.globex, &token).await;
    for invented in ["", "stoa_s1_", &token[..token.len() - 1], &format!("{token}A"), "stoa_s1_' or 1=1 --"] {
        refused(&world.acme, invented).await;
    }
    world.clock.advance(INVITATION);
    refused(&world.acme, &token).await;

    let token = invite().await;
    let disabled = UserChange { status: Some(UserStatus::Disabled), ..UserChange::default() };
    world.identity.update_user(&world.platform(), ann.id, disabled).await.unwrap();
    refused(&world.acme, &token).await;
}

#[tokio::test]
async fn whatever_is_wrong_with_credentials_the_answer_is_the_same() {
    let world = World::new();
    world.member("ann", "rep").await;
    world.person("bob", "rep").await; // never chose a password
    let eve = world.member("eve", "rep").await;
    let disabled = UserChange { status: Some(UserStatus::Disabled), ..UserChange::default() };
    world.identity.update_user(&world.platform(), eve.id, disabled).await.unwrap();

    let expected = refusal(&world, "ann@example.com", "violet tram 8 east").await;
    for (email, password) in [
        ("nobody@example.com", PASSWORD),
        ("bob@example.com", PASSWORD),
        ("eve@example.com", PASSWORD),
        ("", ""),
        ("not an address", PASSWORD),
        ("' or 1=1 --", PASSWORD),
        ("ann@example.com", &PASSWORD.to_uppercase()),
        ("ann@example.com", &"a".repeat(1_000_000)),
    ] {
        assert_eq!(refusal(&world, email, password).await, expected, "{email}");
    }
    let token = world.identity.log_in(&world.globex, "ann@example.com", PASSWORD, &visitor()).await;
    assert!(matches!(token, Err(IdentityError::InvalidCredentials)), "another organization");
}

#[tokio::test]
async fn guessing_is_slowed_down_whether_or_not_somebody_has_the_address() {
    let world = World::new();
    world.member("ann", "rep").await;
    for email in ["ann@example.com", "nobody@example.com"] {
        for _ in 0..3 {
            refusal(&world, email, "violet tram 8 east").await;
        }
        let slowed = world.identity.log_in(&world.acme, email, PASSWORD, &visitor()).await;
        assert!(matches!(slowed, Err(IdentityError::Throttled { retry_after: 3 })), "{email}");
    }
    world.clock.advance(3_000);
    assert!(world.log_in("ann").await.is_ok(), "there is no lock");
    assert!(world.log_in("ann").await.is_ok(), "a success forgets failures");
}

#[tokio::test]
async fn a_new_password_ends_earlier_tokens() {
    let world = World::new();
    let ann = world.member("ann", "rep").await;
    let token = world.log_in("ann").await.unwrap();
    assert!(world.authenticate(&token).is_ok());

    let invitation = world.identity.invite(&world.platform(), ann.id).await.unwrap();
    assert!(world.authenticate(&token).is_ok(), "an invitation ends nothing");
    world.identity.set_up(&world.acme, &invitation.token, "another violet tram").await.unwrap();
    assert!(matches!(world.authenticate(&token), Err(IdentityError::InvalidToken)));
    assert!(matches!(world.log_in("ann").await, Err(IdentityError::InvalidCredentials)));
}

#[tokio::test]
async fn a_password_is_good_until_its_person_changes_it() {
    let world = World::new();
    world.member("ann", "rep").await;
    for _ in 0..5 {
        world.clock.advance(366 * 24 * 3_600_000);
        assert!(world.log_in("ann").await.is_ok(), "years later");
    }
}

#[tokio::test]
async fn a_login_brings_the_hash_to_todays_cost_and_keeps_tokens() {
    let world = World::new();
    world.member("ann", "rep").await;
    let token = world.log_in("ann").await.unwrap();
    let hash = || {
        let account = world
            .identity
            .read(world.acme.id, |connection| Ok(store::find_account(connection, "ann@example.com")?));
        account.unwrap().unwrap().hash.unwrap()
    };
    let before = hash();

    let mut dearer = world.identity.clone();
    dearer.hasher = Hasher::new(Cost { passes: 3, ..Cost::FLOOR }, dearer.secrets.key("password-pepper"));
    dearer.log_in(&world.acme, "ann@example.com", PASSWORD, &visitor()).await.unwrap();
    assert!(before.contains("t=2") && hash().contains("t=3"));
    assert!(world.log_in("ann").await.is_ok() && world.authenticate(&token).is_ok());
}

#[tokio::test]
async fn who_invites_has_the_invited_persons_roles_and_nobody_else_sets_passwords() {
    let world = World::new();
    let owner = world.person("owner", "owner").await;
    let manager = acting(world.acme.id, &world.person("manager", "manager").await);
    let refused = world.identity.invite(&manager, owner.id).await;
    assert!(matches!(refused, Err(IdentityError::RoleRequired(_))));
    let owner = acting(world.acme.id, &owner);
    let refused = world.identity.set_password(&owner, &world.acme, manager.principal.id, PASSWORD).await;
    assert!(matches!(refused, Err(IdentityError::RoleRequired(_))));

    let silent = crate::identity::NewUser {
        email: None,
        name: "Silent".to_owned(),
        roles: vec!["rep".to_owned()],
        team: None,
        external_id: None,
    };
    let silent = world.identity.create_user(&owner, silent).await.unwrap();
    assert!(matches!(world.identity.invite(&owner, silent.id).await, Err(IdentityError::NoEmail)));
}

#[tokio::test]
async fn no_secret_reaches_the_change_log() {
    let world = World::new();
    let ann = world.person("ann", "rep").await;
    let invitation = world.identity.invite(&world.platform(), ann.id).await.unwrap();
    world.identity.set_up(&world.acme, &invitation.token, PASSWORD).await.unwrap();
    world.log_in("ann").await.unwrap();

    let log = world.identity.read(world.acme.id, |connection| Ok(file::logged(connection)?)).unwrap();
    assert!(log.contains("users") && log.contains("setup_tokens") && log.contains("issuer_keys"));
    assert!(!log.contains("argon2") && !log.contains(&invitation.token), "{log}");
    let hash = world.identity.setup_hash(world.acme.id, &invitation.token).unwrap();
    assert!(!log.contains(&base64::Engine::encode(&base64::engine::general_purpose::STANDARD, hash)));
}
