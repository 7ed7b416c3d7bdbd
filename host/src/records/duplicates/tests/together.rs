//! Keys that are made for many rows together are those that each row gets alone.

use proptest::prelude::{ProptestConfig, Strategy, prop, prop_assert, prop_assert_eq, proptest};
use serde_json::{Value as Json, json};

use super::{person, rules};
use crate::ids::OrganizationId;
use crate::records::duplicates::gate;
use crate::records::duplicates::rule::Rule;
use crate::records::import::importing;
use crate::records::tests::garden::module;
use crate::records::tests::world::{Desk, World};

/// What a row has in the table of keys.
type Keys = Vec<(i64, String)>;

/// The rules, none of which says what an import is to be told.
fn silent() -> Vec<Rule> {
    let mut rules = serde_json::to_value(rules("allow_and_report")).unwrap();
    for rule in rules.as_array_mut().unwrap() {
        rule.as_object_mut().unwrap().remove("on");
    }
    serde_json::from_value(rules).unwrap()
}

fn world(rules: Vec<Rule>) -> World {
    World::of(OrganizationId::new(), module("1", vec![person(rules)], Vec::new()))
}

fn importer(world: &World) -> Desk<'_> {
    world.desk(importing(&world.owner().scope.caller))
}

/// The keys of all rows, which are numbered as they were written.
fn keys(world: &World) -> Keys {
    world.raw(|conn| {
        let sql = "select p._row, k.term from \"_stoa_person.tokens\" k join person p on p._row = k.doc order by 1, 2";
        let mut statement = conn.prepare(sql)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    })
}

fn rows() -> impl Strategy<Value = Vec<Json>> {
    let one_of = |values: &[Option<&'static str>]| prop::sample::select(values.to_vec());
    let row = (
        one_of(&[None, Some("Ada Lovelace"), Some("Lovelace, Ada"), Some("Dr. Bob O'Neill"), Some("李")]),
        one_of(&[None, Some("ada@example.com"), Some("ADA@example.com"), Some("bob@example.org")]),
        one_of(&[None, Some("+49 30 1234567"), Some("030 1234567"), Some("+1 212 555 0100")]),
        one_of(&[None, Some("Initech GmbH"), Some("Initech"), Some("The Umbrella Corporation")]),
    );
    let row = row.prop_map(
        |(name, email, phone, firm)| json!({ "name": name, "email": email, "phone": phone, "firm": firm }),
    );
    prop::collection::vec(row, 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn rows_that_come_together_have_the_keys_that_they_have_alone(rows in rows()) {
        let (alone, together) = (world(silent()), world(silent()));
        for row in &rows {
            alone.owner().create("person", row.clone()).unwrap();
        }
        let written = importer(&together).create_all("person", rows).unwrap();
        prop_assert!(written.iter().all(Result::is_ok));
        prop_assert_eq!(keys(&together), keys(&alone));
    }
}

#[test]
fn only_where_a_rule_looks_at_imports_does_a_row_of_a_file_meet_the_one_before_it() {
    let row = json!({ "name": "Ada Lovelace", "email": "ada@example.com" });
    for (rules, looks) in [(silent(), false), (rules("block"), true)] {
        let world = world(rules);
        let (desk, entity) = (importer(&world), world.entity("person"));
        assert_eq!(desk.write(move |tx| Ok(gate::looks(tx, &entity))).unwrap(), looks);
        let written = desk.create_all("person", vec![row.clone(), row.clone()]).unwrap();
        assert_eq!(written.iter().filter(|outcome| outcome.is_ok()).count(), if looks { 1 } else { 2 });
        assert!(!keys(&world).is_empty());
    }
}
