//! A list shows what a point decision lets, whatever conditions, denies, shares and teams below there are; and what is masked
//! is masked everywhere.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value as Json, json};

use super::permits;
use super::shares::{self, Level, NewShare, With};
use crate::caller::{Caller, Principal};
use crate::ids::{PolicyId, PrincipalId, RecordId};
use crate::policy::{Addition, Overlay, Policy, PolicyIndex, Scope as Reach, Words};
use crate::records::RecordError;
use crate::records::list::{self, View};
use crate::records::tests::world::{Desk, World, grant, ids_of};

/// Policies that are generated; each is asked of all records in three ways.
const CASES: u32 = 150;
const CONDITIONS: [&str; 9] = [
    "",
    "",
    r#"{"field":"amount","op":"lt","value":5}"#,
    r#"{"not":{"field":"amount","op":"gte","value":5}}"#,
    r#"{"or":[{"field":"color","value":"red"},{"field":"amount","op":"gt","value":7}]}"#,
    r#"{"and":[{"field":"color","op":"ne","value":"red"},{"not":{"field":"amount","value":3}}]}"#,
    r#"{"field":"color","op":"empty","value":true}"#,
    r#"{"field":"created_by","value":{"var":"user.id"}}"#,
    r#"{"not":{"field":"team_id","op":"in","value":{"var":"user.teams"}}}"#,
];

fn overlay(rows: impl IntoIterator<Item = Words>) -> Overlay {
    let row = |words| Addition {
        id: PolicyId::new(),
        words,
        reason: String::new(),
        created_at: 0,
        created_by: PrincipalId::new(),
    };
    Overlay { roles: Vec::new(), rows: rows.into_iter().map(row).collect() }
}

fn words([subject, object, action, scope, condition, effect]: [&str; 6]) -> Words {
    let [subject, object, action, scope, condition, effect] =
        [subject, object, action, scope, condition, effect].map(str::to_owned);
    Words { subject, object, action, scope, condition, effect }
}

fn policy(world: &World, rows: impl IntoIterator<Item = Words>) -> Arc<PolicyIndex> {
    let grants: Vec<_> = ["read", "create", "update", "export"]
        .map(|action| grant("readonly", "garden.tree", action, Reach::Own))
        .into();
    let policies = Policy::with_clock(world.clock.clone());
    let overlay = overlay(rows);
    let build = policies.build(world.organization.id, &grants, &overlay);
    world.runtime.block_on(build).unwrap().index
}

fn row() -> impl Strategy<Value = Words> {
    (
        prop::sample::select(Reach::ALL.to_vec()),
        prop::sample::select(&CONDITIONS[..]),
        prop_oneof![3 => Just("allow"), 1 => Just("deny")],
    )
        .prop_map(|(scope, condition, effect)| {
            words(["role:rep", "garden.tree", "read", scope.as_str(), condition, effect])
        })
}

fn plant(world: &World, owners: &[Option<PrincipalId>]) -> Vec<RecordId> {
    let (desk, mut made) = (world.desk(world.platform()), Vec::new());
    for (at, owner) in owners.iter().cycle().take(24).enumerate() {
        let mut members = json!({ "name": format!("tree {at}") });
        if at % 3 != 0 {
            members["amount"] = json!(at % 10);
        }
        if at % 4 != 0 {
            members["color"] = json!(["red", "green", "blue"][at % 3]);
        }
        if let Some(owner) = owner {
            members["owner_id"] = json!(owner);
        }
        made.push(desk.create("tree", members).unwrap());
    }
    made
}

fn share(
    desk: &Desk<'_>,
    id: RecordId,
    with: With,
    level: Level,
    expires_at: Option<i64>,
) -> Result<(), RecordError> {
    let entity = desk.world.entity("tree");
    desk.write(move |tx| shares::add(tx, &entity, id, &NewShare { with, level, expires_at }).map(drop))
}

fn within(world: &World, caller: &Caller, id: RecordId) -> bool {
    let (scope, entity, caller) = (world.scope(caller.clone()), world.entity("tree"), caller.clone());
    world.raw(move |conn| {
        let values = list::rows(conn, &entity, "id = ?1", "", &[id.into()])?.pop().unwrap();
        let rows = scope.policy.decide(&caller.principal, "garden.tree", "read");
        Ok(!rows.never() && permits(conn, &scope, &entity, &Some(rows), &values))
    })
}

#[test]
fn a_list_shows_what_a_point_decision_lets() {
    let mut world = World::new();
    let (north, south, west) = (world.team("North"), world.team("South"), world.team("West"));
    let ann = world.person("Ann", "rep", Some(north));
    let others = [("Bob", south), ("Eve", west)].map(|(name, team)| world.person(name, "rep", Some(team)));
    let below = Principal { subteams: vec![south].into(), ..(*ann.principal).clone() };
    let ann = Caller { principal: Arc::new(below), ..ann };
    let owners: Vec<_> =
        [&ann].into_iter().chain(&others).map(|one| Some(one.principal.id)).chain([None]).collect();
    let records = plant(&world, &owners);
    let (now, host) = (world.clock.now(), world.platform());
    for (at, id) in records.iter().enumerate().filter(|(at, _)| at % 5 == 0) {
        let with = if at % 2 == 0 { With::User(ann.principal.id) } else { With::Team(north) };
        share(&world.desk(host.clone()), *id, with, Level::Read, Some(now + 1000)).unwrap();
    }
    let mut runner = TestRunner::new(Config::with_cases(CASES));
    let world = std::cell::RefCell::new(&mut world);
    let run = runner.run(&prop::collection::hash_set(row_key(), 1..6), |rows| {
        let mut world = world.borrow_mut();
        world.policy = policy(&world, rows.into_iter().map(|key| key.0));
        let world = &**world;
        let desk = world.desk(ann.clone());
        let lets: Vec<RecordId> = records.iter().copied().filter(|id| within(world, &ann, *id)).collect();
        match desk.page("tree", &Json::Null, "name", 200, None) {
            Ok(page) => {
                let mut shown = ids_of(&page);
                shown.sort_unstable();
                let mut lets = lets.clone();
                lets.sort_unstable();
                prop_assert_eq!(shown, lets);
            }
            Err(RecordError::Forbidden { .. }) => prop_assert!(lets.is_empty()),
            other => panic!("{other:?}"),
        }
        for id in &records {
            prop_assert_eq!(desk.get("tree", *id).is_ok(), lets.contains(id));
        }
        Ok(())
    });
    run.unwrap();
}

/// A row that can stand in a set.
#[derive(Clone, Debug)]
struct Key(Words);

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Key {}

impl std::hash::Hash for Key {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        format!("{:?}", self.0).hash(state);
    }
}

fn row_key() -> impl Strategy<Value = Key> {
    row().prop_map(Key)
}

#[test]
fn what_is_absent_makes_an_allow_false_and_a_deny_true() {
    let mut world = World::new();
    let ann = world.person("Ann", "rep", None);
    let bare = world.desk(world.platform()).create("tree", json!({ "name": "bare" })).unwrap();
    let small = r#"{"field":"amount","op":"lt","value":5}"#;
    let large = r#"{"not":{"field":"amount","op":"lt","value":5}}"#;
    for condition in [small, large] {
        world.policy =
            policy(&world, [words(["role:rep", "garden.tree", "read", "org", condition, "allow"])]);
        assert!(world.desk(ann.clone()).get("tree", bare).is_err(), "allow, {condition}");
        world.policy = policy(
            &world,
            [
                words(["role:rep", "garden.tree", "read", "org", "", "allow"]),
                words(["role:rep", "garden.tree", "read", "org", condition, "deny"]),
            ],
        );
        assert!(world.desk(ann.clone()).get("tree", bare).is_err(), "deny, {condition}");
    }
}

#[test]
fn a_share_lets_somebody_in_until_it_ends_and_is_not_passed_on() {
    let mut world = World::new();
    let (ann, bob) = (world.person("Ann", "rep", None), world.person("Bob", "rep", None));
    let eve = world.person("Eve", "rep", None);
    let own = |action| words(["role:rep", "garden.tree", action, "own", "", "allow"]);
    let lent = |action| words(["role:rep", "garden.tree", action, "shared", "", "allow"]);
    world.policy = policy(&world, [own("read"), own("create"), own("update"), lent("read"), lent("update")]);
    let id = world.desk(ann.clone()).create("tree", json!({ "name": "oak" })).unwrap();
    let (anns, bobs) = (world.desk(ann), world.desk(bob.clone()));
    assert!(matches!(bobs.get("tree", id), Err(RecordError::NotFound)));
    let (now, with) = (world.clock.now(), With::User(bob.principal.id));
    assert!(
        matches!(share(&anns, id, with, Level::Read, Some(now)), Err(RecordError::Invalid(_))),
        "it has ended"
    );
    share(&anns, id, with, Level::Read, Some(now + 1000)).unwrap();
    assert!(bobs.get("tree", id).is_ok());
    assert_eq!(bobs.ids("tree", &Json::Null).unwrap(), [id]);
    assert!(matches!(
        bobs.update("tree", id, None, json!({ "body": "x" })),
        Err(RecordError::Forbidden { .. })
    ));
    share(&anns, id, with, Level::Update, Some(now + 1000)).unwrap();
    bobs.update("tree", id, None, json!({ "body": "x" })).unwrap();
    let on = share(&bobs, id, With::User(eve.principal.id), Level::Read, None);
    assert!(matches!(on, Err(RecordError::Forbidden { .. })), "what was lent is not passed on");
    world.clock.advance(1000);
    assert!(matches!(bobs.get("tree", id), Err(RecordError::NotFound)), "it ended");
    assert!(bobs.ids("tree", &Json::Null).unwrap().is_empty());
}

#[test]
fn a_masked_field_is_absent_named_and_cannot_be_asked_about() {
    let mut world = World::new();
    let deny = |action| words(["role:rep", "garden.tree#email", action, "org", "", "deny"]);
    let open = |action| words(["role:rep", "garden.tree", action, "org", "", "allow"]);
    world.policy = policy(&world, [open("read"), open("update"), deny("read"), deny("update")]);
    let id =
        world.desk(world.platform()).create("tree", json!({ "name": "oak", "email": "a@b.cd" })).unwrap();
    let desk = world.desk(world.person("Ann", "rep", None));
    let seen = desk.get("tree", id).unwrap();
    assert_eq!((seen.get("email"), &seen["_masked"]), (None, &json!(["email"])));
    let tree = world.entity("tree");
    for asked in [
        View::within(&desk.scope, &tree, Some("email"), None).map(drop),
        desk.ids("tree", &json!({ "field": "email", "op": "starts", "value": "a" })).map(drop),
        desk.scope.field(&tree, "email").map(drop),
    ] {
        assert!(
            matches!(asked, Err(RecordError::FieldNotReadable { ref field, .. }) if field == "email"),
            "{asked:?}"
        );
    }
    let written = desk.update("tree", id, None, json!({ "email": "x@y.zz" }));
    assert!(matches!(written, Err(RecordError::FieldNotWritable { ref field, .. }) if field == "email"));
    desk.update("tree", id, None, json!({ "body": "open" })).unwrap();
    assert_eq!(world.owner().get("tree", id).unwrap()["email"], "a@b.cd");
}
