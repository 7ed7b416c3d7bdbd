//! A list shows what a point decision lets and what casbin says, whatever there is (`agreement.rs`); shares end and are not
//! passed on; what is masked is masked everywhere.

mod agreement;
mod generated;
mod strategies;

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::branches;
use super::shares::{self, Level, NewShare, With};
use crate::ids::{PolicyId, PrincipalId, RecordId};
use crate::policy::{Addition, Overlay, Policy, PolicyIndex, Scope as Reach, Words};
use crate::records::RecordError;
use crate::records::filter::Filter;
use crate::records::list::{self, Count, Query, View};
use crate::records::sort::{After, Sort};
use crate::records::tests::world::{Desk, World, grant};

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

#[test]
fn a_walk_through_shared_records_goes_on_when_time_does() {
    let mut world = World::new();
    let (ann, bob) = (world.person("Ann", "rep", None), world.person("Bob", "rep", None));
    let own = |action| words(["role:rep", "garden.tree", action, "own", "", "allow"]);
    let lent = |action| words(["role:rep", "garden.tree", action, "shared", "", "allow"]);
    world.policy = policy(&world, [own("read"), own("create"), own("update"), lent("read")]);
    let anns = world.desk(ann);
    let oaks = ["a", "b", "c"].map(|name| anns.create("tree", json!({ "name": name })).unwrap());
    for id in oaks {
        share(&anns, id, With::User(bob.principal.id), Level::Read, None).unwrap();
    }
    let bobs = world.desk(bob);
    let mut seen = bobs.ids("tree", &Json::Null).unwrap();
    assert_eq!(seen.len(), 3);
    let (mut cursor, mut walked) = (None, Vec::new());
    loop {
        let page = bobs.page("tree", &Json::Null, "", 1, cursor).unwrap();
        walked.extend(crate::records::tests::world::ids_of(&page));
        world.clock.advance(10);
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = Some(next.to_owned());
    }
    seen.sort_unstable();
    walked.sort_unstable();
    assert_eq!(walked, seen);
}

#[test]
fn a_list_of_several_scopes_walks_one_index_for_each() {
    let mut world = World::new();
    let ann = world.person("Ann", "rep", Some(world.team("North")));
    let read = |scope| words(["role:rep", "garden.tree", "read", scope, "", "allow"]);
    world.policy = policy(&world, [read("own"), read("team")]);
    let (scope, tree) = (world.scope(ann), world.entity("tree"));
    let plan: String = world.raw(move |conn| {
        let (mut condition, mut params) = (String::new(), Vec::new());
        list::write_visible(&scope, &tree, "read", &mut condition, &mut params)?;
        let branches = branches(&scope, &tree, &list::visible(&scope, &tree, "read")?, &mut params)?;
        let view = View::within(&scope, &tree, Some("name"), None)?;
        let (filter, sort) = (Filter::all(), Sort::newest());
        let query = Query { filter, words: None, sort, limit: 50, cursor: None, view, count: Count::None };
        let (sql, params) =
            list::statement("\"tree\"", &query, &After::start(), 51, (&condition, &branches), &params);
        let mut statement = conn.prepare(&format!("explain query plan {sql}"))?;
        let steps =
            statement.query_map(rusqlite::params_from_iter(&params), |row| row.get::<_, String>(3))?;
        Ok(steps.collect::<rusqlite::Result<Vec<_>>>()?.join("; "))
    });
    for index in ["_stoa_tree.owner_id (owner_id=?)", "_stoa_tree.team_id (team_id=?)"] {
        assert!(plan.contains(index), "{plan}");
    }
    assert!(
        plan.contains("MERGE (UNION ALL)") && !plan.contains("TEMP B-TREE"),
        "they are not sorted: {plan}"
    );
    assert!(!plan.contains("MULTI-INDEX OR"), "{plan}");
}
