//! Saved views on real files: who sees one, and what becomes of one whose entity has changed.

use std::sync::Arc;

use serde_json::json;

use super::garden::{entity, field, module};
use super::world::{Desk, World, acting, faults, told};
use crate::ids::{OrganizationId, PrincipalId, ViewId};
use crate::records::RecordError;
use crate::records::mutation::Manner;
use crate::records::schema::Kind;
use crate::records::views::{Audience, Content};

fn content(audience: Audience) -> Content {
    Content {
        name: "Young".to_owned(),
        entity: "garden.tree".to_owned(),
        filter: Some(json!({ "field": "name", "op": "starts", "value": "y" })),
        sort: Some("name".to_owned()),
        fields: Some(vec!["name".to_owned()]),
        audience,
        team: None,
        is_default: false,
    }
}

fn save(desk: &Desk<'_>, content: Content) -> Result<ViewId, RecordError> {
    let world = desk.world;
    let saved = world.records.create_view(&desk.scope, content, Manner::default());
    world.runtime.block_on(saved).map(|came| came.after.unwrap().id)
}

#[test]
fn a_teams_view_is_the_teams_and_changed_by_its_owner_and_by_who_manages() {
    let world = World::new();
    let (north, south) = (world.team("North"), world.team("South"));
    let ann = world.desk(world.person("Ann", "rep", Some(north)));
    let bob = world.desk(world.person("Bob", "rep", Some(north)));
    let eve = world.desk(world.person("Eve", "rep", Some(south)));
    let id = save(&ann, content(Audience::Team)).unwrap();
    let seen = |desk: &Desk<'_>| world.records.saved_view(&desk.scope, id);
    assert_eq!(seen(&bob).unwrap().content.team, Some(north));
    assert!(matches!(seen(&eve), Err(RecordError::NotFound)));
    assert_eq!(world.records.views(&bob.scope, Some("garden.tree"), None, 10).unwrap().len(), 1);
    assert!(world.records.views(&eve.scope, None, None, 10).unwrap().is_empty());

    let renamed = |desk: &Desk<'_>| {
        let change = |content: Content| Content { name: "Old".to_owned(), ..content };
        let changed = world.records.change_view(&desk.scope, (id, None), change, Manner::default());
        world.runtime.block_on(changed).map(|came| came.after.unwrap())
    };
    assert!(matches!(renamed(&bob), Err(RecordError::Forbidden { .. })));
    assert!(matches!(renamed(&eve), Err(RecordError::NotFound)));
    let manager = world.desk(acting(world.organization.id, PrincipalId::new(), "owner", &[north]));
    assert_eq!(renamed(&manager).unwrap().version, 2);
    assert_eq!(renamed(&ann).unwrap().version, 2, "nothing changed");

    // Another team takes the right; a team that is none is refused even then.
    let theirs = Content { team: Some(south), ..content(Audience::Team) };
    assert!(matches!(save(&ann, theirs.clone()), Err(RecordError::Forbidden { .. })));
    assert!(save(&manager, theirs).is_ok());
    let nobody = Content { team: Some(crate::ids::TeamId::new()), ..content(Audience::Team) };
    assert_eq!(faults(save(&manager, nobody)), ["/team team_not_found"]);
    let alone = world.desk(world.person("Zoe", "rep", None));
    assert_eq!(faults(save(&alone, content(Audience::Team))), ["/team required"]);
}

#[test]
fn a_view_that_does_not_fit_any_more_says_where() {
    let old = module(
        "1",
        vec![entity("tree", vec![field("name", Kind::Text), field("age", Kind::Integer)], &[])],
        Vec::new(),
    );
    let world = World::of(OrganizationId::new(), old);
    let desk = world.owner();
    let ages = Content {
        filter: Some(json!({ "field": "age", "op": "gt", "value": 3 })),
        sort: Some("-age".to_owned()),
        fields: Some(vec!["name".to_owned(), "age".to_owned()]),
        ..content(Audience::Private)
    };
    let id = save(&desk, ages).unwrap();
    let tree = world.entity("tree");
    let applied = world.records.applied_view(&desk.scope, &tree, id).unwrap();
    assert_eq!((applied.sort.as_deref(), applied.fields.as_deref()), (Some("-age"), Some("name,age")));

    let next = module("2", vec![entity("tree", vec![field("name", Kind::Text)], &[])], Vec::new());
    let tree = next.entity("tree").unwrap();
    let scope = crate::records::Scope { modules: Arc::from([next]), ..desk.scope.clone() };
    match world.records.applied_view(&scope, &tree, id) {
        Err(RecordError::Conflict { code, faults, .. }) => {
            assert_eq!(code, "view_outdated");
            assert_eq!(
                told(&faults),
                ["/filter unknown_field", "/sort invalid_sort", "/fields/1 unknown_field"]
            );
        }
        other => panic!("{other:?}"),
    }
    let leaf = entity("leaf", vec![field("name", Kind::Text)], &[]);
    let foreign = world.records.applied_view(&desk.scope, &leaf, id);
    assert!(matches!(foreign, Err(RecordError::BadRequest { code: "view_of_other_entity", .. })));
}
