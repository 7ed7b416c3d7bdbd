//! Row scopes: no operation shows or changes a record outside of what the policy allows, and all agree on which that are.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value as Json, json};

use super::world::{Desk, World, grant};
use crate::caller::Caller;
use crate::ids::{PrincipalId, RecordId, TeamId};
use crate::policy::{Effect, Grant, Policy, RowScope, Scope as Reach};
use crate::records::RecordError;

const ACTIONS: [&str; 3] = ["read", "update", "delete"];

fn reach() -> impl Strategy<Value = (Reach, Effect)> {
    let scope = prop::sample::select(vec![Reach::Own, Reach::Team, Reach::Org]);
    (scope, prop_oneof![3 => Just(Effect::Allow), 1 => Just(Effect::Deny)])
}

/// Up to three grants for each action.
fn policy() -> impl Strategy<Value = Vec<Grant>> {
    let of_action = || prop::collection::vec(reach(), 0..3);
    (of_action(), of_action(), of_action()).prop_map(|(read, update, delete)| {
        // Naming the entities is what gives the platform its rights on them.
        let mut grants = vec![
            grant("rep", "garden.leaf", "read", Reach::Org),
            grant("rep", "garden.tree", "export", Reach::Own),
        ];
        for (action, reaches) in ACTIONS.into_iter().zip([read, update, delete]) {
            for (scope, effect) in reaches {
                grants.push(Grant { effect, ..grant("rep", "garden.tree", action, scope) });
            }
        }
        grants.sort_by_key(|one| format!("{one:?}"));
        grants.dedup();
        grants
    })
}

struct Cast {
    callers: Vec<Caller>,
    owners: Vec<Option<PrincipalId>>,
    teams: Vec<Option<TeamId>>,
}

fn cast(world: &World) -> Cast {
    let (north, south) = (world.team("North"), world.team("South"));
    let people = [("Ann", Some(north)), ("Bob", Some(north)), ("Eve", Some(south)), ("Zoe", None)];
    let callers: Vec<Caller> = people.iter().map(|(name, team)| world.person(name, "rep", *team)).collect();
    let owners = callers.iter().map(|caller| Some(caller.principal.id)).chain([None]).collect();
    Cast { callers, owners, teams: vec![Some(north), Some(south), None] }
}

/// A record for every owner and team, none of each included.
fn records(world: &World, cast: &Cast) -> Vec<(RecordId, Option<PrincipalId>, Option<TeamId>)> {
    let desk = world.desk(world.platform());
    let mut made = Vec::new();
    for owner in &cast.owners {
        for team in &cast.teams {
            let mut members = json!({ "name": "n", "team_id": team });
            if let Some(owner) = owner {
                members["owner_id"] = json!(owner);
            }
            made.push((desk.create("tree", members).unwrap(), *owner, *team));
        }
    }
    made
}

/// What every operation makes of one record, against what the scopes say.
fn judged(desk: &Desk<'_>, leaf: RecordId, id: RecordId, [read, update, delete]: [bool; 3], never: bool) {
    let found = desk.get("tree", id);
    assert_eq!(found.is_ok(), read, "{found:?}");
    assert!(read || matches!(found, Err(RecordError::NotFound)));

    let expanded = desk.get_expanded("leaf", leaf, Some("tree")).unwrap();
    assert_eq!(expanded["tree"].get("name").is_some(), read, "{expanded}");
    assert_eq!(expanded["tree"]["id"], id.to_string());

    let by_id = desk.ids("tree", &json!({ "field": "id", "value": id }));
    match by_id {
        Ok(ids) => assert_eq!(ids == [id], read),
        Err(RecordError::Forbidden { .. }) => assert!(never),
        other => panic!("{other:?}"),
    }
    let changed = desk.update("tree", id, None, json!({ "body": "seen" }));
    let deleted = desk.delete("tree", id);
    for (outcome, may) in [(changed.map(drop), update), (deleted, delete)] {
        match outcome {
            Ok(()) => assert!(read && may),
            Err(RecordError::NotFound) => assert!(!read),
            Err(RecordError::Forbidden { .. }) => assert!(read && !may),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn no_operation_reaches_a_record_outside_of_its_scope() {
    let mut world = World::new();
    let cast = cast(&world);
    let case = (policy(), 0..cast.callers.len());
    let mut runner = TestRunner::new(Config::with_cases(24));
    let world = std::cell::RefCell::new(&mut world);
    let run = runner.run(&case, |(grants, who)| {
        let mut world = world.borrow_mut();
        let policy = world.runtime.block_on(Policy::new().load(world.organization.id, &grants)).unwrap();
        world.policy = Arc::clone(&policy);
        let world = &**world;
        world.clear();
        let records = records(world, &cast);
        let (caller, host) = (&cast.callers[who], world.desk(world.platform()));
        let [read, update, delete] =
            ACTIONS.map(|action| policy.decide(&caller.principal, "garden.tree", action).rows());
        let permits = |scope: RowScope, owner, team| scope.permits(&caller.principal, owner, team);
        let desk = world.desk(caller.clone());

        let readable = records.iter().filter(|(_, owner, team)| permits(read, *owner, *team)).count();
        match desk.page("tree", &Json::Null, "name", 200, None) {
            Ok(page) => {
                assert_eq!(page["data"].as_array().unwrap().len(), readable);
                assert_eq!(page["count"], readable);
            }
            Err(RecordError::Forbidden { .. }) => assert!(read.never()),
            other => panic!("{other:?}"),
        }
        for (id, owner, team) in records {
            // The platform is nobody's principal: what it makes and what it sees is outside of the scopes.
            let leaf = host.create("leaf", json!({ "name": "l", "tree": id })).unwrap();
            let may = [read, update, delete].map(|scope| permits(scope, owner, team));
            judged(&desk, leaf, id, may, read.never());
        }
        Ok(())
    });
    run.unwrap();
}

#[test]
fn a_record_can_neither_be_made_nor_given_away_beyond_the_scope() {
    let world = World::new();
    let (ann, bob) = (world.person("Ann", "rep", None), world.person("Bob", "rep", None));
    let (owner, desk) = (world.owner(), world.desk(ann));
    let to_bob = json!({ "name": "x", "owner_id": bob.principal.id });
    assert_eq!(super::world::faults(desk.create("tree", to_bob.clone())), ["/owner_id owner_not_allowed"]);
    let id = desk.create("tree", json!({ "name": "x" })).unwrap();
    assert_eq!(super::world::faults(desk.update("tree", id, None, to_bob)), ["/owner_id owner_not_allowed"]);
    assert_eq!(owner.get("tree", id).unwrap()["version"], 1);
}

#[test]
fn a_reference_to_what_one_may_not_read_is_one_to_nothing() {
    let world = World::new();
    let (ann, bob) = (world.person("Ann", "rep", None), world.person("Bob", "rep", None));
    let of_bob = world.desk(bob).create("tree", json!({ "name": "his" })).unwrap();
    let nothing = RecordId::new();
    for id in [of_bob, nothing] {
        let outcome = world.desk(ann.clone()).create("leaf", json!({ "name": "l", "tree": id }));
        assert_eq!(super::world::faults(outcome), ["/tree reference_not_found"]);
    }
}

#[test]
fn an_owner_brings_his_team_and_a_stranger_is_no_owner() {
    let world = World::new();
    let (north, south) = (world.team("North"), world.team("South"));
    let (ann, eve) = (world.person("Ann", "rep", Some(north)), world.person("Eve", "rep", Some(south)));
    let desk = world.owner();
    let of_ann = desk.create("tree", json!({ "name": "x", "owner_id": ann.principal.id })).unwrap();
    assert_eq!(desk.get("tree", of_ann).unwrap()["team_id"], north.to_string());
    desk.update("tree", of_ann, None, json!({ "owner_id": eve.principal.id })).unwrap();
    let seen = desk.get("tree", of_ann).unwrap();
    assert_eq!((&seen["owner_id"], &seen["team_id"]), (&json!(eve.principal.id), &json!(south)));

    let both = json!({ "owner_id": ann.principal.id, "team_id": south });
    desk.update("tree", of_ann, None, both).unwrap();
    assert_eq!(desk.get("tree", of_ann).unwrap()["team_id"], south.to_string());

    let stranger = json!({ "owner_id": PrincipalId::new(), "team_id": TeamId::new() });
    assert_eq!(
        super::world::faults(desk.update("tree", of_ann, None, stranger)),
        ["/owner_id reference_not_found", "/team_id reference_not_found"]
    );
}
