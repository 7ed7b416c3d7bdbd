//! Writes that meet their likes.

use std::collections::BTreeSet;

use serde_json::json;

use super::{because, checked, conflict, ids, person, rules, world};
use crate::caller::{Caller, Source};
use crate::ids::{OrganizationId, PrincipalId};
use crate::policy::{Policy, Scope as Reach};
use crate::records::RecordError;
use crate::records::duplicates::check::{self, Subjects};
use crate::records::duplicates::{rule, sets};
use crate::records::tests::garden::module;
use crate::records::tests::world::{World, acting, grant, told};

#[test]
fn a_write_that_would_make_a_duplicate_is_refused_with_what_it_duplicates() {
    let world = world("block");
    let owner = world.owner();
    let ada = owner.create("person", json!({ "name": "Ada Lovelace", "email": "Ada@Example.com" })).unwrap();
    let again = json!({ "name": "Somebody", "email": "ada@example.COM" });
    let (code, listed, hidden) = conflict(owner.create("person", again));
    assert_eq!((code.as_str(), hidden), ("duplicate_found", json!(0)));
    assert_eq!(ids(&listed), BTreeSet::from([ada.to_string()]));
    let first = &listed[0];
    assert_eq!(
        (&first["title"], &first["score"], &first["rule"]),
        (&json!("Ada Lovelace"), &json!(100), &json!("mail"))
    );
    assert_eq!(first["explanation"][0]["similarity"], 100);
    assert_eq!(world.number("select count(*) from person"), 1);
}

#[test]
fn a_warning_is_passed_with_a_reason_and_a_block_only_by_whoever_may() {
    for (policy, code) in [("warn", "duplicate_warning"), ("block", "duplicate_found")] {
        let world = world(policy);
        let row = json!({ "name": "Ada", "email": "ada@example.com" });
        world.owner().create("person", row.clone()).unwrap();
        let rep = world.person("rep", "rep", None);
        let (refused, listed, hidden) = conflict(world.desk(rep.clone()).create("person", row.clone()));
        assert_eq!(
            (refused.as_str(), listed, hidden),
            (code, json!([]), json!(1)),
            "only a count of the hidden"
        );

        let outcome = because(world.desk(rep), "two people at one desk").create("person", row.clone());
        match policy {
            "warn" => assert!(outcome.is_ok()),
            _ => assert!(
                matches!(outcome, Err(RecordError::Forbidden { action, .. }) if action == "bypass-duplicates")
            ),
        }
        because(world.owner(), "it is another Ada").create("person", row).unwrap();
        let sql = "select count(*) from _stoa_duplicate_bypasses where reason = 'it is another Ada' and json_array_length(matches) > 0";
        assert_eq!(world.number(sql), 1);
    }
}

#[test]
fn what_is_only_reported_is_written_and_stands_in_a_set() {
    let world = world("allow_and_report");
    let owner = world.owner();
    for name in ["Ada", "Bea", "Cleo"] {
        owner.create("person", json!({ "name": name, "email": "desk@example.com" })).unwrap();
    }
    owner.create("person", json!({ "name": "Dora", "email": "dora@example.com" })).unwrap();
    assert_eq!(world.number("select count(*) from _stoa_duplicate_sets where status = 'open'"), 1);
    assert_eq!(world.number("select count(*) from _stoa_duplicate_members"), 3);
}

#[test]
fn the_set_of_a_record_is_found_without_going_through_all_sets() {
    let world = world("allow_and_report");
    let steps = world.raw(|conn| {
        let mut statement = conn.prepare(&format!("explain query plan {}", sets::OPEN_SET_OF))?;
        let steps =
            statement.query_map(rusqlite::params![[0_u8; 16], "person"], |row| row.get::<_, String>(3))?;
        Ok(steps.collect::<rusqlite::Result<Vec<_>>>()?)
    });
    assert!(
        steps[0].starts_with("SEARCH m USING COVERING INDEX _stoa_duplicate_members_of (record=?"),
        "{steps:?}"
    );
    assert!(steps[1].starts_with("SEARCH s USING PRIMARY KEY (id=?"), "{steps:?}");
}

#[test]
fn two_sets_that_a_record_connects_become_one() {
    let world = world("allow_and_report");
    let owner = world.owner();
    for _ in 0..2 {
        owner.create("person", json!({ "name": "A", "email": "a@example.com" })).unwrap();
        owner.create("person", json!({ "name": "B", "firm": "Acme GmbH" })).unwrap();
    }
    assert_eq!(world.number("select count(*) from _stoa_duplicate_sets"), 2);
    owner.create("person", json!({ "name": "C", "email": "a@example.com", "firm": "ACME AG" })).unwrap();
    assert_eq!(world.number("select count(*) from _stoa_duplicate_sets"), 1);
    assert_eq!(world.number("select count(*) from _stoa_duplicate_members"), 5);
    assert_eq!(world.number("select automatic from _stoa_duplicate_sets"), 0, "the legal forms differ");
}

#[test]
fn rows_of_one_batch_meet_each_other_and_each_has_its_fault() {
    let world = world("block");
    let owner = world.owner();
    let rows = vec![
        json!({ "name": "Ada", "email": "ada@example.com" }),
        json!({ "name": "Bea", "email": "bea@example.com" }),
        json!({ "name": "Ada", "email": "ADA@example.com" }),
    ];
    let outcomes = owner.create_all("person", rows).unwrap();
    let ada = outcomes[0].as_ref().unwrap();
    assert!(outcomes[1].is_ok());
    let faults = outcomes[2].as_ref().unwrap_err();
    assert_eq!(told(faults), [" duplicate_found"]);
    assert!(faults[0].detail.contains(&ada.to_string()), "{}", faults[0].detail);
}

#[test]
fn imports_have_their_own_policy() {
    let mut rules = rules("block");
    rules[0].on.import = Some(rule::Policy::AllowAndReport);
    let world = World::of(OrganizationId::new(), module("1", vec![person(rules)], Vec::new()));
    let row = json!({ "name": "Ada", "email": "ada@example.com" });
    world.owner().create("person", row.clone()).unwrap();
    let mut importing = world.owner();
    importing.scope.caller = Caller { source: Source::Import, ..importing.scope.caller.clone() };
    importing.create("person", row).unwrap();
}

#[test]
fn an_update_is_checked_where_it_changes_what_is_compared() {
    let world = world("block");
    let owner = world.owner();
    let ada = owner.create("person", json!({ "name": "Ada", "email": "ada@example.com" })).unwrap();
    let bea = owner.create("person", json!({ "name": "Bea", "email": "bea@example.com" })).unwrap();
    let (code, listed, _) =
        conflict(owner.update("person", bea, None, json!({ "email": "ada@example.com" })));
    assert_eq!((code.as_str(), ids(&listed)), ("duplicate_found", BTreeSet::from([ada.to_string()])));
    because(world.owner(), "same desk")
        .update("person", bea, None, json!({ "email": "ada@example.com" }))
        .unwrap();
    // It is a duplicate now, but what is compared stays: nothing to ask again.
    owner.update("person", bea, None, json!({ "phone": "+49 30 901820" })).unwrap();
    owner.update("person", bea, None, json!({ "email": "bea@example.com" })).unwrap();
    owner.create("person", json!({ "name": "Other", "email": "cleo@example.com" })).unwrap();
}

#[test]
fn a_deleted_record_is_nobodys_duplicate() {
    let world = world("block");
    let owner = world.owner();
    let ada = owner.create("person", json!({ "name": "Ada", "email": "ada@example.com" })).unwrap();
    owner.delete("person", ada).unwrap();
    assert_eq!(world.number("select count(*) from \"_stoa_person.tokens\""), 0);
    owner.create("person", json!({ "name": "Ada", "email": "ada@example.com" })).unwrap();
}

#[test]
fn a_dismissed_pair_is_not_reported_again() {
    let world = world("block");
    let owner = world.owner();
    let row = json!({ "name": "Ada", "email": "ada@example.com" });
    let ada = owner.create("person", row.clone()).unwrap();
    let other = because(world.owner(), "somebody else").create("person", row).unwrap();
    world.raw(move |conn| {
        let by = crate::identity::PLATFORM;
        let sql =
            "insert into _stoa_duplicate_dismissals (entity, a, b, at, by) values ('person', ?1, ?2, 0, ?3)";
        conn.execute(
            sql,
            rusqlite::params![ada.min(other).as_bytes(), ada.max(other).as_bytes(), by.as_bytes()],
        )?;
        Ok(())
    });
    let (entity, subjects) = (world.entity("person"), Subjects::Ids(vec![ada]));
    let found = check::check(&world.records, &owner.scope, &entity, &subjects).unwrap();
    assert_eq!(found["data"][0]["duplicates"], json!([]));
    owner.update("person", ada, None, json!({ "email": "x@example.com" })).unwrap();
    owner.update("person", ada, None, json!({ "email": "ada@example.com" })).unwrap();
}

#[test]
fn the_right_to_bypass_can_be_granted() {
    let world = world("block");
    let grants = [
        grant("clerk", "garden.person", "create", Reach::Org),
        grant("clerk", "garden.person", "bypass-duplicates", Reach::Org),
    ];
    let policy = world.runtime.block_on(Policy::new().load(world.organization.id, &grants)).unwrap();
    let row = json!({ "name": "Ada", "email": "ada@example.com" });
    world.owner().create("person", row.clone()).unwrap();
    let mut clerk =
        because(world.desk(acting(world.organization.id, PrincipalId::new(), "clerk", &[])), "sure");
    clerk.scope.policy = policy;
    clerk.create("person", row).unwrap();
}

#[test]
fn nobody_learns_from_a_match_what_a_withheld_field_holds() {
    let mut world = world("block");
    let owner = world.owner();
    let ada = owner.create("person", json!({ "name": "Ada", "email": "ada@example.com" })).unwrap();
    let firm = json!({ "name": "Bob", "firm": "Initech" });
    owner.create("person", firm.clone()).unwrap();
    owner.create("person", json!({ "name": "Rob", "firm": "Initech GmbH" })).unwrap();
    drop(owner);
    let open =
        ["read", "create", "update"].map(|action| ["role:rep", "garden.person", action, "org", "allow"]);
    let withheld = [["role:rep", "garden.person#email", "read", "org", "deny"]];
    let rows = [&open[..], &withheld[..]].concat();
    world.rule(&open);
    let ann = world.person("Ann", "rep", None);
    let guess = json!({ "name": "Somebody", "email": "ada@example.com" });
    let open = checked(&world.desk(ann.clone()), guess.clone());
    assert_eq!(ids(&open["duplicates"]), BTreeSet::from([ada.to_string()]), "nothing is withheld yet");

    world.rule(&rows);
    let desk = world.desk(ann);
    let blind = checked(&desk, guess.clone());
    assert_eq!((&blind["duplicates"], &blind["hidden"]), (&json!([]), &json!(0)), "a check is no oracle");
    let (code, listed, hidden) = conflict(desk.create("person", guess));
    assert_eq!((code.as_str(), listed, hidden), ("duplicate_found", json!([]), json!(1)), "the rule holds");
    assert_eq!(ids(&checked(&desk, firm)["duplicates"]).len(), 2, "what is not withheld is told");
}

#[test]
fn sets_that_a_rule_on_withheld_fields_found_are_not_listed() {
    let mut world = world("allow_and_report");
    for name in ["Ada", "Zoe"] {
        world.owner().create("person", json!({ "name": name, "email": "ada@example.com" })).unwrap();
    }
    let read = ["role:rep", "garden.person", "read", "org", "allow"];
    let listed = |world: &World, caller: &Caller| {
        let (scope, entity) = (world.scope(caller.clone()), world.entity("person"));
        world.raw(move |conn| sets::listed(conn, &scope, &entity))
    };
    world.rule(&[read]);
    let ann = world.person("Ann", "rep", None);
    assert_eq!(listed(&world, &ann), [(2, true)]);
    world.rule(&[read, ["role:rep", "garden.person#name", "read", "org", "deny"]]);
    assert_eq!(listed(&world, &ann), [(2, false)], "what people call them is a field like any other");
    world.rule(&[read, ["role:rep", "garden.person#email", "read", "org", "deny"]]);
    assert_eq!(listed(&world, &ann), []);
}
