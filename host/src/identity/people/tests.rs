//! People and teams on a real identity file.

use super::*;
use crate::identity::fixture::{PASSWORD, World, acting};
use crate::ids::RequestId;

/// Another name, for the first version.
fn named(name: &str) -> TeamChange {
    TeamChange { if_version: Some(1), name: Some(name.to_owned()), ..TeamChange::default() }
}

fn nobody() -> NewUser {
    NewUser {
        email: None,
        name: "Ann".to_owned(),
        roles: vec!["rep".to_owned()],
        team: None,
        external_id: None,
    }
}

fn disabled() -> UserChange {
    UserChange { status: Some(UserStatus::Disabled), ..UserChange::default() }
}

fn roles(role: &str) -> UserChange {
    UserChange { roles: Some(vec![role.to_owned()]), ..UserChange::default() }
}

#[tokio::test]
async fn a_person_is_found_in_every_way() {
    let world = World::new();
    let (identity, acme, by) = (&world.identity, world.acme.id, world.platform());
    let team = identity.create_team(&by, "North").await.unwrap();
    let new = NewUser {
        email: Some(Email::parse("Ann@Example.com").unwrap()),
        team: Some(team.id),
        external_id: Some("A-1".to_owned()),
        ..nobody()
    };
    let ann = identity.create_user(&by, new).await.unwrap();
    assert_eq!(
        (ann.email.as_deref(), ann.teams.as_slice(), ann.version),
        (Some("Ann@Example.com"), [team.id].as_slice(), 1)
    );

    assert_eq!(identity.user(acme, ann.id).unwrap(), ann);
    for found in [
        identity.user_by_email(acme, " aNN@example.COM ").unwrap(),
        identity.user_by_external_id(acme, "A-1").unwrap(),
        identity.user_by_name(acme, "ann").unwrap(),
    ] {
        assert_eq!(found.unwrap(), ann);
    }
    assert_eq!(identity.users(acme, None, 10).unwrap(), std::slice::from_ref(&ann));
    assert!(identity.users(acme, Some(ann.id), 10).unwrap().is_empty());
    let names = identity.names(acme, &[ann.id, PLATFORM, PrincipalId::new()]).unwrap();
    assert_eq!((names.len(), &*names[&ann.id], &*names[&PLATFORM]), (2, "Ann", "Platform"));
    assert!(matches!(identity.user(world.globex.id, ann.id), Err(IdentityError::UserNotFound(_))));
}

#[tokio::test]
async fn an_address_and_a_foreign_key_are_one_persons_within_an_organization() {
    let world = World::new();
    let (identity, by) = (&world.identity, world.platform());
    let new = || NewUser {
        email: Some(Email::parse("ANN@example.com").unwrap()),
        external_id: Some("A-1".to_owned()),
        ..nobody()
    };
    let ann = identity.create_user(&by, new()).await.unwrap();
    let bob = identity.create_user(&by, nobody()).await.unwrap();

    let again = identity.create_user(&by, NewUser { external_id: None, ..new() }).await;
    assert!(matches!(again, Err(IdentityError::Taken { field: "email" })));
    let again = identity.create_user(&by, NewUser { email: None, ..new() }).await;
    assert!(matches!(again, Err(IdentityError::Taken { field: "external_id" })));
    let email = Some(Some(Email::parse("\u{ff41}nn@example.com").unwrap()));
    let change = UserChange { email: email.clone(), ..UserChange::default() };
    assert!(matches!(
        identity.update_user(&by, bob.id, change).await,
        Err(IdentityError::Taken { field: "email" })
    ));
    let own = UserChange { email, ..UserChange::default() };
    assert!(identity.update_user(&by, ann.id, own).await.is_ok(), "one's own address is not taken");

    let elsewhere = crate::identity::platform(world.globex.id, RequestId::new());
    assert!(identity.create_user(&elsewhere, new()).await.is_ok());
    assert!(matches!(identity.user_by_name(world.acme.id, "Ann"), Err(IdentityError::AmbiguousName(_))));
}

#[tokio::test]
async fn the_last_active_owner_stays() {
    let world = World::new();
    let (identity, by) = (&world.identity, world.platform());
    let ann = world.person("ann", "owner").await;
    let bob = world.person("bob", "owner").await;

    identity.update_user(&by, bob.id, disabled()).await.unwrap();
    for change in [disabled(), roles("manager")] {
        assert!(matches!(identity.update_user(&by, ann.id, change).await, Err(IdentityError::LastOwner)));
    }
    assert_eq!(identity.user(world.acme.id, ann.id).unwrap(), ann, "nothing of the refused change is kept");

    let back = UserChange { status: Some(UserStatus::Active), ..UserChange::default() };
    identity.update_user(&by, bob.id, back).await.unwrap();
    identity.update_user(&by, ann.id, roles("manager")).await.unwrap();
}

#[tokio::test]
async fn nobody_reaches_above_themselves() {
    let world = World::new();
    let (identity, acme) = (&world.identity, world.acme.id);
    let owner = world.person("owner", "owner").await;
    let manager = acting(acme, &world.person("manager", "manager").await);

    let required = |result: Result<User, IdentityError>| matches!(result, Err(IdentityError::RoleRequired(role)) if role == "owner");
    assert!(required(world.try_person(&manager, "mallory", "owner").await));
    assert!(required(identity.update_user(&manager, manager.principal.id, roles("owner")).await));
    assert!(required(identity.update_user(&manager, owner.id, disabled()).await));
    let email = Some(Some(Email::parse("mallory@example.com").unwrap()));
    let hijack = UserChange { email, ..UserChange::default() };
    assert!(required(identity.update_user(&manager, owner.id, hijack).await));
    assert!(world.try_person(&manager, "rita", "rep").await.is_ok());
}

#[tokio::test]
async fn a_change_based_on_an_old_version_is_refused() {
    let world = World::new();
    let ann = world.person("ann", "rep").await;
    let change =
        |name: &str| UserChange { if_version: Some(1), name: Some(name.to_owned()), ..UserChange::default() };
    let changed = world.identity.update_user(&world.platform(), ann.id, change("Anna")).await.unwrap();
    assert_eq!((changed.name.as_str(), changed.version), ("Anna", 2));
    let late = world.identity.update_user(&world.platform(), ann.id, change("Anne")).await;
    assert!(matches!(late, Err(IdentityError::VersionConflict { current: 2 })));
}

#[tokio::test]
async fn the_primary_team_comes_first_and_changes_alone() {
    let world = World::new();
    let (identity, acme, by) = (&world.identity, world.acme.id, world.platform());
    let north = identity.create_team(&by, "North").await.unwrap().id;
    let south = identity.create_team(&by, "South").await.unwrap().id;
    let ann = identity.create_user(&by, NewUser { team: Some(north), ..nobody() }).await.unwrap();
    identity.add_to_team(&by, ann.id, south).await.unwrap();
    identity.add_to_team(&by, ann.id, south).await.unwrap();
    assert_eq!(identity.user(acme, ann.id).unwrap().teams, [north, south]);

    let moved = UserChange { team: Some(Some(south)), ..UserChange::default() };
    assert_eq!(identity.update_user(&by, ann.id, moved).await.unwrap().teams, [south]);
    assert_eq!(
        (identity.team(acme, north).unwrap().members, identity.team(acme, south).unwrap().members),
        (0, 1)
    );
    identity.remove_from_team(&by, ann.id, south).await.unwrap();
    assert!(identity.user(acme, ann.id).unwrap().teams.is_empty());

    let nowhere = UserChange { team: Some(Some(TeamId::new())), ..UserChange::default() };
    assert!(matches!(identity.update_user(&by, ann.id, nowhere).await, Err(IdentityError::TeamNotFound(_))));
}

#[tokio::test]
async fn a_teams_name_is_unique_in_any_letter_case() {
    let world = World::new();
    let (identity, acme, by) = (&world.identity, world.acme.id, world.platform());
    let north = identity.create_team(&by, " North ").await.unwrap();
    assert!(matches!(identity.create_team(&by, "NORTH").await, Err(IdentityError::Taken { field: "name" })));
    let renamed = identity.update_team(&by, north.id, named("north")).await.unwrap();
    assert_eq!((renamed.name.as_str(), renamed.version), ("north", 2));
    let late = identity.update_team(&by, north.id, named("South")).await;
    assert!(matches!(late, Err(IdentityError::VersionConflict { current: 2 })));
    assert_eq!(identity.team_by_name(acme, "NORTH ").unwrap().unwrap(), renamed);
    assert_eq!(identity.teams(acme, None, 10).unwrap(), [renamed]);
    assert_eq!(&*identity.team_names(acme, &[north.id, TeamId::new()]).unwrap()[&north.id], "north");
}

#[tokio::test]
async fn teams_stand_below_teams_and_never_below_themselves() {
    let world = World::new();
    let (identity, by) = (&world.identity, world.platform());
    let mut chain = vec![identity.create_team(&by, "Level 1").await.unwrap().id];
    for level in 2..=DEEPEST {
        let above = chain.last().copied();
        chain.push(identity.create_team_below(&by, &format!("Level {level}"), above).await.unwrap().id);
    }
    let deeper = identity.create_team_below(&by, "Too deep", chain.last().copied()).await;
    assert!(matches!(deeper, Err(IdentityError::Invalid { field: "parent", .. })));
    let below = |parent| TeamChange { parent: Some(parent), ..TeamChange::default() };
    for parent in [chain[0], chain[7]] {
        let circle = identity.update_team(&by, chain[0], below(Some(parent))).await;
        assert!(matches!(circle, Err(IdentityError::Invalid { field: "parent", .. })));
    }
    let top = identity.create_team(&by, "Top").await.unwrap().id;
    let moved = identity.update_team(&by, chain[0], below(Some(top))).await;
    assert!(matches!(moved, Err(IdentityError::Invalid { .. })), "nine levels");
    let nobody = identity.update_team(&by, top, below(Some(crate::ids::TeamId::new()))).await;
    assert!(matches!(nobody, Err(IdentityError::ParentNotFound(_))));
    let moved = identity.update_team(&by, chain[1], below(Some(top))).await.unwrap();
    assert_eq!(moved.parent, Some(top));
}

#[tokio::test]
async fn a_principal_knows_the_teams_below_its_own() {
    let world = World::new();
    let (identity, by) = (&world.identity, world.platform());
    let north = identity.create_team(&by, "North").await.unwrap().id;
    let city = identity.create_team_below(&by, "City", Some(north)).await.unwrap().id;
    let block = identity.create_team_below(&by, "Block", Some(city)).await.unwrap().id;
    let ann = world.person("ann", "manager").await;
    identity.add_to_team(&by, ann.id, north).await.unwrap();
    let known = |id| identity.principal(world.acme.id, id).unwrap().unwrap();
    let mut below = known(ann.id).subteams.to_vec();
    below.sort_unstable();
    assert_eq!(below, [city, block]);
    let top = TeamChange { parent: Some(None), ..TeamChange::default() };
    identity.update_team(&by, city, top).await.unwrap();
    assert!(known(ann.id).subteams.is_empty());
}

#[tokio::test]
async fn c16_an_invitation_is_worth_what_its_maker_may_give_when_it_is_used() {
    let world = World::new();
    let (identity, by) = (&world.identity, world.platform());
    let boss = world.person("boss", "manager").await;
    let eve = world.try_person(&acting(world.acme.id, &boss), "eve", "manager").await.unwrap();
    let link = identity.invite(&acting(world.acme.id, &boss), eve.id).await.unwrap();
    let demoted = UserChange { roles: Some(vec!["rep".to_owned()]), ..UserChange::default() };
    identity.update_user(&by, boss.id, demoted).await.unwrap();
    let used = identity.set_up(&world.acme, &link.token, PASSWORD).await;
    assert!(matches!(used, Err(IdentityError::InviterLostRights)), "{used:?}");
    let again = identity.invite(&by, eve.id).await.unwrap();
    assert!(identity.set_up(&world.acme, &again.token, PASSWORD).await.is_ok());
}

#[tokio::test]
async fn an_invitation_that_is_taken_back_or_whose_person_is_disabled_is_dead() {
    let world = World::new();
    let (identity, by) = (&world.identity, world.platform());
    let ann = world.person("ann", "rep").await;
    let link = identity.invite(&by, ann.id).await.unwrap();
    assert_eq!(identity.invitation(world.acme.id, ann.id).unwrap().expires_at, link.expires_at);
    identity.revoke_invitation(&by, ann.id).await.unwrap();
    assert!(identity.set_up(&world.acme, &link.token, PASSWORD).await.is_err());
    assert!(matches!(identity.revoke_invitation(&by, ann.id).await, Err(IdentityError::NoInvitation)));
    let link = identity.invite(&by, ann.id).await.unwrap();
    for status in [UserStatus::Disabled, UserStatus::Active] {
        let change = UserChange { status: Some(status), ..UserChange::default() };
        identity.update_user(&by, ann.id, change).await.unwrap();
    }
    assert!(identity.set_up(&world.acme, &link.token, PASSWORD).await.is_err());
}

#[tokio::test]
async fn e20_of_two_owners_who_leave_at_once_one_stays() {
    let world = World::new();
    let (identity, by) = (&world.identity, world.platform());
    let (one, two) = (world.person("one", "owner").await, world.person("two", "owner").await);
    let off = || UserChange { status: Some(UserStatus::Disabled), ..UserChange::default() };
    let demoted = || UserChange { roles: Some(vec!["rep".to_owned()]), ..UserChange::default() };
    let (first, second) =
        tokio::join!(identity.update_user(&by, one.id, off()), identity.update_user(&by, two.id, demoted()));
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    let refused = if first.is_ok() { second } else { first };
    assert!(matches!(refused, Err(IdentityError::LastOwner)));
}
