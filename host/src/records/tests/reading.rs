//! Reading lists: expansions of two levels and of several records, orders by ranges of an index, days that stay what they
//! were while somebody walks.

use serde_json::{Value as Json, json};

use super::agreement::plot;
use super::world::{World, ids_of};
use crate::ids::OrganizationId;
use crate::records::RecordError;
use crate::records::filter::Filter;
use crate::records::list::{Count, Query, View, statement};
use crate::records::sort::{After, Sort};
use crate::records::value::Value;

#[test]
fn several_references_are_expanded_and_so_is_what_they_refer_to() {
    let world = World::of(OrganizationId::new(), plot());
    let desk = world.owner();
    let north = desk.create("bed", json!({ "name": "north" })).unwrap();
    let south = desk.create("bed", json!({ "name": "south", "north_id": north })).unwrap();
    let mint = desk.create("herb", json!({ "name": "mint", "bed": south })).unwrap();
    let dill = desk.create("herb", json!({ "name": "dill", "bed": north })).unwrap();
    let sage = desk.create("herb", json!({ "name": "sage", "mates": [mint, dill], "bed": south })).unwrap();
    desk.delete("herb", dill).unwrap();

    let seen = desk.get_expanded("herb", sage, Some("mates.bed,bed.north")).unwrap();
    assert_eq!(seen["mates"][0]["name"], "mint", "{seen}");
    assert_eq!(seen["mates"][0]["bed"]["name"], "south");
    let mates: Vec<&Json> = seen["mates"].as_array().unwrap().iter().collect();
    assert!(mates.len() == 1 || *mates[1] == json!({ "id": dill }), "{seen}");
    assert_eq!(seen["bed"]["north"]["name"], "north");
    assert_eq!(seen["bed"]["north_id"], json!(north));
    assert_eq!(desk.get_expanded("herb", mint, Some("mates")).unwrap()["mates"], Json::Null);

    let (herb, asking) = (world.entity("herb"), |text: &str| {
        View::within(&desk.scope, &world.entity("herb"), None, Some(text))
    });
    for bad in
        ["bed.north.north", "bed.nothing", "owner.name", "name", "bed,bed", "bed.north,bed.north", "id", ""]
    {
        let outcome = asking(bad);
        assert!(matches!(outcome, Err(RecordError::BadRequest { code: "invalid_expand", .. })), "{bad}");
    }
    assert!(View::parse(&herb, None, Some("bed.north")).is_err(), "host code expands one level");
}

#[test]
fn a_page_however_deep_is_a_range_of_the_index() {
    let world = World::new();
    let tree = world.entity("tree");
    let plan = |sort: &str, after: &After| -> String {
        let sort = Sort::parse(&tree, sort).unwrap();
        let view = View::parse(&tree, Some("name"), None).unwrap();
        let query = Query {
            filter: Filter::all(),
            words: None,
            sort,
            limit: 50,
            cursor: None,
            view,
            count: Count::None,
        };
        let (sql, params) = statement("\"tree\"", &query, after, 51, ("deleted_at is null", &[]), &[]);
        world.raw(move |conn| {
            let mut statement = conn.prepare(&format!("explain query plan {sql}"))?;
            let steps =
                statement.query_map(rusqlite::params_from_iter(&params), |row| row.get::<_, String>(3))?;
            Ok(steps.collect::<rusqlite::Result<Vec<_>>>()?.join("; "))
        })
    };
    let index = "SEARCH tree USING INDEX _stoa_tree.ratio (ratio";
    for (sort, value, bounds) in [
        ("ratio", Value::Integer(5), vec!["=? AND rowid>?", ">?"]),
        ("ratio", Value::Null, vec!["=? AND rowid>?", ">?"]),
        ("-ratio", Value::Integer(5), vec!["=? AND rowid<?", "<?", "=?)"]),
        ("-ratio", Value::Null, vec!["=? AND rowid<?"]),
    ] {
        let ranges = Sort::parse(&tree, sort).unwrap().after(&[value], 7);
        assert_eq!(ranges.len(), bounds.len(), "{sort}");
        for (after, bound) in ranges.iter().zip(bounds) {
            let steps = plan(sort, after);
            assert!(
                steps.starts_with(&format!("{index}{bound}")) && !steps.contains("TEMP"),
                "{sort}: {steps}"
            );
        }
    }
    let newest = plan("-created_at", &Sort::newest().after(&[], 7)[0]);
    assert!(newest.starts_with("SEARCH tree USING INTEGER PRIMARY KEY (rowid<?)"), "{newest}");
}

#[test]
fn a_walk_keeps_the_day_on_which_it_began() {
    let world = World::of(OrganizationId::new(), plot());
    let desk = world.owner();
    for at in ["2023-11-14T01:00:00Z", "2023-11-14T20:00:00Z", "2023-11-15T01:00:00Z"] {
        desk.create("herb", json!({ "name": "mint", "at": at })).unwrap();
    }
    let today = json!({ "field": "at", "op": "within", "value": "today" });
    let first = desk.page("herb", &today, "at", 1, None).unwrap();
    assert_eq!(first["count"], 2);
    world.clock.advance(3 * 3_600_000); // past midnight
    let cursor = first["next_cursor"].as_str().unwrap().to_owned();
    let second = desk.page("herb", &today, "at", 1, Some(cursor.clone())).unwrap();
    assert_eq!((&second["count"], &second["next_cursor"]), (&json!(2), &Json::Null));
    assert_ne!(ids_of(&first), ids_of(&second));
    assert_eq!(desk.page("herb", &today, "at", 1, None).unwrap()["count"], 1);
    let tomorrow = json!({ "field": "at", "op": "within", "value": "tomorrow" });
    let foreign = desk.page("herb", &tomorrow, "at", 1, Some(cursor));
    assert!(matches!(foreign, Err(RecordError::BadRequest { code: "invalid_cursor", .. })), "{foreign:?}");
}
