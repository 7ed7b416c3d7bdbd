//! What a plugin reads of another plugin's view: the rows and the fields of its caller, and nothing without a grant.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::crossing::shed;
use super::garden::garden;
use super::world::World;
use crate::caller::Caller;
use crate::ids::{OrganizationId, PrincipalId};
use crate::records::cells::{Cell, Cells};
use crate::records::rights::shares::{self, Level, NewShare, With};
use crate::records::schema::{Between, Module, Published, Reading};
use crate::records::{RecordError, Scope, plugin_sql};
use crate::storage::PluginMode;

const COLUMNS: [&str; 4] = ["id", "name", "price", "price_currency"];

/// A garden that publishes its trees.
fn publishing() -> Module {
    let columns = COLUMNS.map(str::to_owned).to_vec();
    let trees = Published { name: "trees".to_owned(), entity: "tree".to_owned(), columns };
    Module { between: Between { published: vec![trees], reads: Vec::new() }, ..(*garden()).clone() }
}

/// A shed that reads them.
fn reading(view: &str, columns: &[&str]) -> Module {
    let columns = columns.iter().map(|name| (*name).to_owned()).collect();
    let reading = Reading { plugin: "garden".into(), view: view.to_owned(), columns, granted: true };
    Module { between: Between { published: Vec::new(), reads: vec![reading] }, ..(*shed()).clone() }
}

fn world() -> World {
    let world = World::of(OrganizationId::new(), Arc::new(publishing()));
    world.runtime.block_on(world.records.prepare(&world.organization, &shed())).unwrap();
    world
}

fn scope(world: &World, caller: Caller, shed: &Arc<Module>) -> Scope {
    Scope { modules: vec![Arc::clone(&world.module), Arc::clone(shed)].into(), ..world.scope(caller) }
}

/// The texts of the first column of a statement of the shed.
fn ask(world: &World, scope: &Scope, shed: &Arc<Module>, text: &str) -> Result<Vec<String>, RecordError> {
    world.records.read(scope, shed, |conn| {
        let sql = plugin_sql::with_views(&world.records, conn, scope, shed, text)?;
        let most = plugin_sql::Most { rows: 10_000, bytes: 4 << 20 };
        let time = Duration::from_secs(1);
        let found = plugin_sql::read(conn, PluginMode::AsCaller, &sql, &[], time, most).unwrap();
        let text = |cell| match cell {
            Cell::Text(text) => text.to_owned(),
            Cell::Integer(number) => number.to_string(),
            _ => "-".to_owned(),
        };
        Ok(Cells::new(&found.cells).map(|cell| text(cell.unwrap())).collect())
    })
}

fn code(outcome: Result<Vec<String>, RecordError>) -> String {
    match outcome {
        Err(RecordError::Conflict { code, .. }) => code.into_owned(),
        other => panic!("{other:?}"),
    }
}

const NAMES: &str = "select name from visible_garden_trees order by name";

#[test]
fn a_view_shows_the_rows_of_the_caller_and_no_deleted_ones() {
    let world = world();
    let (ann, bob) = (world.person("Ann", "rep", None), world.person("Bob", "rep", None));
    let shed = Arc::new(reading("trees", &["id", "name"]));
    let mut last = None;
    for (caller, names) in [(&ann, &["ash", "beech"][..]), (&bob, &["oak"])] {
        let desk = world.desk(caller.clone());
        for name in names {
            last = Some((desk.create("tree", json!({ "name": name })).unwrap(), caller.clone()));
        }
    }
    let names = |caller: &Caller| ask(&world, &scope(&world, caller.clone(), &shed), &shed, NAMES).unwrap();
    assert_eq!(
        (names(&ann), names(&bob)),
        (vec!["ash".to_owned(), "beech".to_owned()], vec!["oak".to_owned()])
    );
    let counted = "select count(*) from visible_garden_trees";
    let ann_s = scope(&world, ann.clone(), &shed);
    assert_eq!(ask(&world, &ann_s, &shed, counted).unwrap(), ["2"]);
    // Who may read none sees none.
    let nobody = super::world::acting(world.organization.id, PrincipalId::new(), "stranger", &[]);
    assert!(names(&nobody).is_empty());
    let (id, caller) = last.unwrap();
    world.desk(caller).delete("tree", id).unwrap();
    assert!(names(&bob).is_empty(), "the recycle bin is not read");
}

#[test]
fn a_field_that_the_caller_may_not_read_is_empty_in_the_view_with_its_currency() {
    let mut world = world();
    let ann = world.person("Ann", "rep", None);
    let shed = Arc::new(reading("trees", &COLUMNS));
    let price = json!({ "name": "ash", "price": { "amount": "2.50", "currency": "EUR" } });
    world.desk(ann.clone()).create("tree", price).unwrap();
    let text =
        "select coalesce(price, 'none') || ' ' || coalesce(price_currency, 'none') from visible_garden_trees";
    assert_eq!(ask(&world, &scope(&world, ann.clone(), &shed), &shed, text).unwrap(), ["250 EUR"]);
    world.rule(&[["role:rep", "garden.tree#price", "read", "org", "deny"]]);
    assert_eq!(ask(&world, &scope(&world, ann, &shed), &shed, text).unwrap(), ["none none"]);
}

#[test]
fn a_view_shows_what_was_shared_in_its_own_file() {
    let mut world = world();
    let (ann, bob) = (world.person("Ann", "rep", None), world.person("Bob", "rep", None));
    world.rule(&[["role:rep", "garden.tree", "read", "shared", "allow"]]);
    let shed = Arc::new(reading("trees", &["id", "name"]));
    let desk = world.desk(ann);
    let ash = desk.create("tree", json!({ "name": "ash" })).unwrap();
    desk.create("tree", json!({ "name": "beech" })).unwrap();
    let entity = world.entity("tree");
    let new = NewShare { with: With::User(bob.principal.id), level: Level::Read, expires_at: None };
    desk.write(move |tx| shares::add(tx, &entity, ash, &new).map(drop)).unwrap();
    assert_eq!(ask(&world, &scope(&world, bob, &shed), &shed, NAMES).unwrap(), ["ash"]);
}

#[test]
fn without_the_grant_or_the_view_the_statement_is_refused_with_a_code() {
    let world = world();
    let ann = world.person("Ann", "rep", None);
    let declared = reading("trees", &["id", "name"]);
    let refused = |shed: Module| {
        let shed = Arc::new(shed);
        code(ask(&world, &scope(&world, ann.clone(), &shed), &shed, NAMES))
    };
    let granting = |keys: &[&str]| {
        let granted: HashSet<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        Module { between: declared.between.granting(&granted), ..declared.clone() }
    };
    assert_eq!(refused(granting(&["garden.leaves"])), "view_not_granted");
    let granted = Arc::new(granting(&["garden.trees"]));
    assert!(ask(&world, &scope(&world, ann.clone(), &granted), &granted, NAMES).unwrap().is_empty());
    // The column was never published, or no longer is.
    assert_eq!(refused(reading("trees", &["id", "name", "email"])), "view_unavailable");
    // The organization does not have the other plugin.
    let shed = Arc::new(declared.clone());
    let alone = Scope { modules: vec![Arc::clone(&shed)].into(), ..world.scope(ann.clone()) };
    assert_eq!(code(ask(&world, &alone, &shed, NAMES)), "view_unavailable");
    let missing = Arc::new(reading("leaves", &["id", "name"]));
    let text = "select name from visible_garden_leaves";
    assert_eq!(code(ask(&world, &scope(&world, ann, &missing), &missing, text)), "view_unavailable");
}
