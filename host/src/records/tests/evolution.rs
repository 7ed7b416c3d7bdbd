//! Bringing a file from one declared schema to the next.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::garden::{entity, field, module, tree_fields};
use super::world::{World, faults};
use crate::ids::OrganizationId;
use crate::records::RecordError;
use crate::records::schema::{Field, Kind, Module, Step};

fn small(version: &str, fields: Vec<Field>) -> Arc<Module> {
    module(version, vec![entity("tree", fields, &[])], Vec::new())
}

fn named() -> Field {
    Field { required: true, ..field("name", Kind::Text) }
}

fn world(fields: Vec<Field>) -> World {
    World::of(OrganizationId::new(), small("1", fields))
}

/// The same file under the next schema, or why it was refused.
fn evolve(world: World, next: Arc<Module>) -> Result<World, Box<(World, String)>> {
    match world.runtime.block_on(world.records.prepare(&world.organization, &next)) {
        Ok(()) => Ok(World { module: next, ..world }),
        Err(RecordError::Schema(why)) => Err(Box::new((world, why))),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn a_field_is_added_to_a_table_with_rows() {
    let world = world(vec![named()]);
    let old = world.owner().create("tree", json!({ "name": "old" })).unwrap();
    let mut fields = tree_fields();
    fields.rotate_left(3); // the order of the manifest is not the order of the table
    let world = evolve(world, small("2", fields)).map_err(|refused| refused.1).unwrap();
    let desk = world.owner();
    let seen = desk.get("tree", old).unwrap();
    assert_eq!((&seen["name"], &seen["price"], &seen["rank"]), (&json!("old"), &Json::Null, &Json::Null));
    let price = json!({ "amount": "1.00", "currency": "EUR" });
    desk.update("tree", old, None, json!({ "price": price, "day": "2024-01-01" })).unwrap();
    let seen = desk.get("tree", old).unwrap();
    assert_eq!((&seen["name"], &seen["price"], &seen["day"]), (&json!("old"), &price, &json!("2024-01-01")));
    desk.create("tree", json!({ "name": "new", "code": "A" })).unwrap();
    assert_eq!(faults(desk.create("tree", json!({ "name": "new", "code": "A" }))), ["/code not_unique"]);
}

#[test]
fn a_field_that_is_no_longer_declared_keeps_its_column() {
    let world = world(vec![named(), field("amount", Kind::Integer)]);
    world.owner().create("tree", json!({ "name": "x", "amount": 7 })).unwrap();
    let world = evolve(world, small("2", vec![named()])).map_err(|refused| refused.1).unwrap();
    world.owner().create("tree", json!({ "name": "y" })).unwrap();
    assert_eq!(world.number("select amount from tree where name = 'x'"), 7);
}

#[test]
fn a_field_that_would_read_its_old_values_otherwise_is_refused() {
    for (before, after) in [
        (Kind::Integer, Kind::Text),
        (Kind::Text, Kind::Integer),
        (Kind::Integer, Kind::Boolean),
        (Kind::Integer, Kind::Decimal(2)),
        (Kind::Decimal(2), Kind::Decimal(4)),
        (Kind::Money, Kind::Integer),
        (Kind::DateTime, Kind::Duration),
        (Kind::Text, Kind::Date),
        (Kind::Json, Kind::Text),
    ] {
        let world = world(vec![named(), field("value", before.clone())]);
        let next = small("2", vec![named(), field("value", after.clone())]);
        let (world, why) = *evolve(world, next).map(drop).expect_err(&format!("{before:?} to {after:?}"));
        assert!(why.contains("value"), "{why}");
        world.owner().create("tree", json!({ "name": "still works" })).unwrap();
    }
    for (before, after) in [(Kind::Text, Kind::RichText), (Kind::Text, Kind::Email), (Kind::Url, Kind::Text)]
    {
        let world = world(vec![named(), field("value", before)]);
        evolve(world, small("2", vec![named(), field("value", after)])).map_err(|refused| refused.1).unwrap();
    }
}

#[test]
fn a_unique_field_over_values_that_are_not_is_refused() {
    let plain = || field("code", Kind::Text);
    let indexed = || Field { indexed: true, ..plain() };
    let unique = || Field { unique: true, ..plain() };
    for before in [plain(), indexed()] {
        let world = world(vec![named(), before]);
        let twice = || json!({ "name": "x", "code": "A" });
        let first = world.owner().create("tree", twice()).unwrap();
        world.owner().create("tree", twice()).unwrap();
        let (world, why) =
            *evolve(world, small("2", vec![named(), unique()])).map(drop).expect_err("not unique");
        assert!(why.contains("unique"), "{why}");
        world.owner().delete("tree", first).unwrap();
        let world = evolve(world, small("2", vec![named(), unique()])).map_err(|refused| refused.1).unwrap();
        assert_eq!(faults(world.owner().create("tree", twice())), ["/code not_unique"]);
        // What is no longer unique may stand twice.
        let world = evolve(world, small("3", vec![named(), plain()])).map_err(|refused| refused.1).unwrap();
        world.owner().create("tree", twice()).unwrap();
    }
}

#[test]
fn indexes_of_entities_whose_names_run_together_are_all_made() {
    let unique = |key: &str| Field { unique: true, ..field(key, Kind::Text) };
    let entities = vec![entity("a", vec![unique("b_c")], &[]), entity("a_b", vec![unique("c")], &[])];
    let world = World::of(OrganizationId::new(), module("1", entities, Vec::new()));
    assert_eq!(
        world.number("select count(*) from sqlite_schema where type = 'index' and sql like '%unique%'"),
        2
    );
}

fn with_steps(version: &str, steps: &[(&str, &str)]) -> Arc<Module> {
    let step = |(name, sql): &(&str, &str)| Step { name: (*name).to_owned(), sql: (*sql).to_owned() };
    module(version, vec![entity("tree", vec![named()], &[])], steps.iter().map(step).collect())
}

#[test]
fn private_steps_run_once_in_order_and_are_never_edited() {
    let first = ("0001_counts", "create table counts (name text primary key, value integer) strict");
    let world = World::of(OrganizationId::new(), with_steps("1", &[first]));
    world.raw(|conn| Ok(conn.batch("insert into counts values ('a', 1)")?));
    let second = ("0002_more", "alter table counts add column note text");
    let world = evolve(world, with_steps("2", &[first, second])).map_err(|refused| refused.1).unwrap();
    assert_eq!(world.number("select count(*) from counts where note is null"), 1);
    let edited = ("0001_counts", "create table counts (name text primary key) strict");
    let (world, why) = *evolve(world, with_steps("3", &[edited, second])).map(drop).expect_err("edited");
    assert!(why.contains("0001_counts") && why.contains("edited"), "{why}");
    assert_eq!(world.number("select count(*) from counts"), 1);
}

#[test]
fn private_steps_touch_no_name_of_the_host_and_no_entity() {
    for sql in [
        "create table _stoa_mine (x integer)",
        "create table \"_STOA_mine\" (x integer)",
        "create table tree (x integer)",
        "drop table tree",
        "alter table tree add column x integer",
        "create index mine on tree (name)",
        "create table a (x integer); alter table a rename to _stoa_b",
        "drop table _stoa_changes",
        "delete from _stoa_changes",
        "insert into tree (id) values (x'00')",
        "create trigger t after insert on tree begin select 1; end",
        "create view v as select * from tree",
        "attach 'x.sqlite' as x",
        "pragma journal_mode = delete",
        "not sql at all",
    ] {
        let world = World::of(OrganizationId::new(), with_steps("1", &[]));
        let outcome = evolve(world, with_steps("2", &[("0001_bad", sql)])).map(drop);
        let (world, _) = *outcome.expect_err(sql);
        assert_eq!(
            world.number("select count(*) from sqlite_schema where name in ('a', 'mine', 'v', 't')"),
            0,
            "{sql}"
        );
        world.owner().create("tree", json!({ "name": "still works" })).unwrap();
    }
}
