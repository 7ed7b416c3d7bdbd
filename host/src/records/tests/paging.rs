//! Keyset paging: whatever the order and the page's length, every row comes exactly once, and in order.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value as Json, json};

use super::garden::{entity, field, module, tree_fields};
use super::rows::{Row, row, to_json};
use super::world::{Desk, World, faults, ids_of};
use crate::ids::{OrganizationId, RecordId};
use crate::records::RecordError;
use crate::records::schema::{Field, Kind};

const SORTABLE: [&str; 17] = [
    "name",
    "amount",
    "ratio",
    "price",
    "share",
    "done",
    "day",
    "at",
    "spell",
    "color",
    "email",
    "rank",
    "created_at",
    "updated_at",
    "version",
    "owner_id",
    "source",
];

fn sort() -> impl Strategy<Value = Vec<(&'static str, bool)>> {
    let keys = prop::sample::subsequence(SORTABLE.to_vec(), 1..=3).prop_shuffle();
    keys.prop_flat_map(|keys| {
        // What comes after the order of making decides nothing, and is refused.
        let mut keys = keys;
        keys.sort_by_key(|key| *key == "created_at");
        let directions = prop::collection::vec(any::<bool>(), keys.len());
        directions.prop_map(move |down| keys.iter().copied().zip(down).collect())
    })
}

/// All ids in the order that one whole statement gives.
fn in_order(world: &World, entity: &str, keys: &[(&str, bool)]) -> Vec<RecordId> {
    let direction = |down: bool| if down { " desc" } else { "" };
    let mut order: Vec<String> =
        keys.iter().map(|(key, down)| format!("\"{key}\"{}", direction(*down))).collect();
    let decides = keys.iter().find(|(key, _)| *key == "created_at").or(keys.first());
    order.push(format!("_row{}", direction(decides.is_none_or(|(_, down)| *down))));
    let sql = format!("select id from \"{entity}\" where deleted_at is null order by {}", order.join(", "));
    world.raw(move |conn| {
        let mut statement = conn.prepare(&sql)?;
        let ids = statement.query_map([], |row| row.get::<_, [u8; 16]>(0))?;
        Ok(ids.map(|id| id.map(RecordId::from_bytes)).collect::<rusqlite::Result<_>>()?)
    })
}

/// All ids as somebody sees them who walks the pages.
fn walked(desk: &Desk<'_>, entity: &str, sort: &str, limit: usize) -> Vec<RecordId> {
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = desk.page(entity, &Json::Null, sort, limit, cursor).unwrap();
        let ids = ids_of(&page);
        assert!(ids.len() <= limit);
        seen.extend(ids);
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return seen,
        }
    }
}

fn plant(world: &World, rows: &[Row]) {
    let (owner, platform) = (world.owner(), world.desk(world.platform()));
    for (at, chunk) in rows.chunks(7).enumerate() {
        let desk = if at % 2 == 0 { &owner } else { &platform }; // the platform's records have no owner
        let made = desk.create_all("tree", chunk.iter().map(to_json).collect()).unwrap();
        assert!(made.iter().all(Result::is_ok), "{made:?}");
        world.clock.advance(1_000);
    }
}

fn text_of(keys: &[(&str, bool)]) -> String {
    let keys: Vec<String> =
        keys.iter().map(|(key, down)| format!("{}{key}", if *down { "-" } else { "" })).collect();
    keys.join(",")
}

#[test]
fn every_row_comes_once_and_in_order_whatever_the_sort_and_the_page() {
    let world = World::new();
    let case = (prop::collection::vec(row(), 0..40), prop::collection::vec(sort(), 3));
    let run = TestRunner::new(Config::with_cases(24)).run(&case, |(rows, sorts)| {
        world.clear();
        plant(&world, &rows);
        let desk = world.owner();
        prop_assert_eq!(walked(&desk, "tree", "", 7), in_order(&world, "tree", &[]));
        for keys in &sorts {
            let expected = in_order(&world, "tree", keys);
            prop_assert_eq!(expected.len(), rows.len());
            for limit in [1, 2, 7, 200] {
                prop_assert_eq!(&walked(&desk, "tree", &text_of(keys), limit), &expected, "{:?}", keys);
            }
        }
        Ok(())
    });
    run.unwrap();
}

#[test]
fn a_field_that_became_required_later_is_paged_with_its_empty_rows() {
    let organization = OrganizationId::new();
    let world = World::of(organization, module("1", vec![entity("tree", tree_fields(), &[])], Vec::new()));
    let desk = world.owner();
    for at in 0..5 {
        desk.create("tree", json!({ "name": format!("n{at}") })).unwrap();
    }
    let mut fields = tree_fields();
    fields.push(Field { required: true, ..field("grade", Kind::Integer) });
    let next = module("2", vec![entity("tree", fields, &[])], Vec::new());
    world.runtime.block_on(world.records.prepare(&world.organization, &next)).unwrap();
    let world = World { module: next, ..world };
    let desk = world.owner();
    for at in 0..5 {
        desk.create("tree", json!({ "name": "later", "grade": at })).unwrap();
    }
    for sort in ["grade", "-grade", "-grade,name"] {
        for limit in [1, 3, 4] {
            let (name, down) = sort.strip_prefix('-').map_or((sort, false), |name| (name, true));
            let keys: Vec<(&str, bool)> = name.split(',').zip([down, false]).collect();
            assert_eq!(walked(&desk, "tree", sort, limit), in_order(&world, "tree", &keys), "{sort} {limit}");
        }
    }
}

#[test]
fn a_cursor_is_refused_by_another_list_another_caller_and_when_it_was_changed() {
    let world = World::new();
    let (team, rep) = (world.team("North"), "rep");
    let desk = world.owner();
    let (ann, bob) = (world.person("Ann", rep, Some(team)), world.person("Bob", rep, Some(team)));
    for owner in [&ann, &bob].repeat(3) {
        desk.create("tree", json!({ "name": "n", "owner_id": owner.principal.id })).unwrap();
    }
    let first = world.desk(ann.clone()).page("tree", &Json::Null, "name", 1, None).unwrap();
    assert_eq!(first["count"], 3);
    let cursor = first["next_cursor"].as_str().unwrap().to_owned();
    let refused = |desk: &Desk<'_>, filter: &Json, sort: &str, cursor: &str| {
        let outcome = desk.page("tree", filter, sort, 1, Some(cursor.to_owned()));
        assert!(
            matches!(outcome, Err(RecordError::BadRequest { code: "invalid_cursor", .. })),
            "{sort} {outcome:?}"
        );
    };
    let ann = world.desk(ann);
    assert!(ann.page("tree", &Json::Null, "name", 1, Some(cursor.clone())).is_ok());
    refused(&ann, &Json::Null, "-name", &cursor);
    refused(&ann, &json!({ "field": "name", "value": "n" }), "name", &cursor);
    refused(&world.desk(bob), &Json::Null, "name", &cursor);
    refused(&desk, &Json::Null, "name", &cursor);
    refused(&ann, &Json::Null, "name", &cursor[1..]);
    refused(&ann, &Json::Null, "name", "");
}

#[test]
fn sorts_that_cannot_be_are_refused() {
    let world = World::new();
    for bad in [
        "nothing",
        "extra",
        "name,name",
        "name,-name",
        "name,amount,ratio,day",
        "created_at,name",
        "body",
        "site",
        "",
        "deleted_at",
        "_row",
    ] {
        let tree = world.entity("tree");
        let outcome = crate::records::sort::Sort::parse(&tree, bad);
        assert!(matches!(outcome, Err(RecordError::BadRequest { code: "invalid_sort", .. })), "{bad:?}");
    }
    let unknown = world.owner().create("tree", json!({ "name": "x", "_row": 7, "deleted_at": null }));
    assert_eq!(faults(unknown), ["/_row unknown_field", "/deleted_at unknown_field"]);
}
