//! Checks without writing, and the stored keys that they live on.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use super::{checked, conflict, ids, named, person, rules, world};
use crate::ids::{OrganizationId, RecordId};
use crate::records::RecordError;
use crate::records::duplicates::check::{self, Subjects};
use crate::records::duplicates::normalize::Region;
use crate::records::duplicates::pair::{End, forms, score};
use crate::records::duplicates::rule::{Rule, check_all};
use crate::records::duplicates::{COMMON, keys};
use crate::records::schema::{Kind, Module};
use crate::records::tests::garden::{field, module};
use crate::records::tests::world::{World, told};
use crate::records::value::Value;

#[test]
fn a_check_answers_scores_and_writes_nothing() {
    let world = world("block");
    let owner = world.owner();
    let jon = owner.create("person", json!({ "name": "Jonathan Smith", "phone": "+49 30 901820" })).unwrap();
    let firm = owner.create("person", json!({ "name": "X", "firm": "Müller GmbH" })).unwrap();
    let before = world.number("select count(*) from _stoa_changes");

    let found = checked(&owner, json!({ "name": "Jon Smith", "phone": "0049 (0)30 90 18 20" }));
    assert_eq!(ids(&found["duplicates"]), BTreeSet::from([jon.to_string()]));
    assert_eq!(found["duplicates"][0]["rule"], "name");
    // The same name alone reaches the threshold only if the missing number counts as equal: one of the two has one.
    assert_eq!(checked(&owner, json!({ "name": "Jon Smith" }))["duplicates"], json!([]));

    let found = checked(&owner, json!({ "firm": "Mueller AG" }));
    assert_eq!(ids(&found["duplicates"]), BTreeSet::from([firm.to_string()]));
    let (score, automatic) = (&found["duplicates"][0]["score"], &found["duplicates"][0]["automatic"]);
    assert_eq!(
        (score, automatic),
        (&json!(100), &json!(false)),
        "another legal form is never merged by itself"
    );
    assert_eq!(checked(&owner, json!({ "firm": "Mueller gmbh" }))["duplicates"][0]["automatic"], true);

    let rep = world.desk(world.person("rep", "rep", None));
    let found = checked(&rep, json!({ "firm": "Mueller" }));
    assert_eq!((&found["duplicates"], &found["hidden"]), (&json!([]), &json!(1)));
    assert_eq!(world.number("select count(*) from _stoa_changes"), before);

    let entity = world.entity("person");
    let wrong = vec![json!({ "email": 5, "nose": 1 }).as_object().unwrap().clone()];
    match check::check(&world.records, &owner.scope, &entity, &Subjects::Records(wrong)) {
        Err(RecordError::Invalid(faults)) => {
            let mut told = told(&faults);
            told.sort();
            assert_eq!(told, ["/records/0/email wrong_type", "/records/0/nose unknown_field"]);
        }
        other => panic!("{other:?}"),
    }
    let unknown = Subjects::Ids(vec![RecordId::new()]);
    assert!(matches!(
        check::check(&world.records, &owner.scope, &entity, &unknown),
        Err(RecordError::Invalid(_))
    ));
}

#[test]
fn keys_that_too_many_records_have_are_skipped_and_counted() {
    let world = world("allow_and_report");
    let owner = world.owner();
    let rows = (0..=COMMON).map(|_| json!({ "name": "x", "firm": "Acme" })).collect();
    owner.create_all("person", rows).unwrap();
    let found = checked(&owner, json!({ "firm": "Acme" }));
    assert_eq!((&found["duplicates"], &found["skipped_keys"]), (&json!([]), &json!(1)));
}

#[test]
fn new_rules_and_another_region_make_the_keys_anew() {
    let silent = module("1", vec![person(Vec::new())], Vec::new());
    let world = World::of(OrganizationId::new(), silent);
    let rows = (0..3_000).map(|n| json!({ "name": "x", "email": format!("p{n}@example.com") })).collect();
    world.owner().create_all("person", rows).unwrap();
    assert_eq!(world.number("select count(*) from sqlite_schema where name = '_stoa_person.tokens'"), 0);

    let ruled = module("2", vec![person(rules("block"))], Vec::new());
    let plan = Arc::clone(&ruled);
    let more = world.raw(move |conn| keys::prepare(conn, &plan, Region::of_locale("de")));
    assert!(more, "3,000 rows are more than one step");
    assert!(world.number("select count(*) from \"_stoa_person.tokens\" where term glob 'emailn*'") < 3_000);
    let entity = ruled.entity("person").unwrap();
    while world.raw({
        let entity = Arc::clone(&entity);
        move |conn| keys::step(conn, &entity)
    }) {}
    assert_eq!(world.number("select count(*) from \"_stoa_person.tokens\" where term glob 'emailn*'"), 3_000);

    // The same rules and region: nothing to do. Another region: all anew. No rules: all gone.
    let prepare = |module: &Arc<Module>, locale: &'static str| {
        let module = Arc::clone(module);
        world.raw(move |conn| keys::prepare(conn, &module, Region::of_locale(locale)))
    };
    assert!(!prepare(&ruled, "de"));
    assert!(prepare(&ruled, "fr"));
    let bare = module("3", vec![person(Vec::new())], Vec::new());
    while prepare(&bare, "fr") {}
    assert_eq!(world.number("select count(*) from \"_stoa_person.tokens\""), 0);
}

#[test]
fn prepared_files_have_their_keys_made_behind_them() {
    let world = World::of(OrganizationId::new(), module("1", vec![person(Vec::new())], Vec::new()));
    let rows = (0..5_000).map(|n| json!({ "name": "x", "email": format!("p{n}@example.com") })).collect();
    world.owner().create_all("person", rows).unwrap();
    let ruled = module("2", vec![person(rules("block"))], Vec::new());
    world.runtime.block_on(world.records.prepare(&world.organization, &ruled)).unwrap();
    let patience = std::time::Instant::now();
    while world.number("select count(*) from \"_stoa_person.tokens\" where term glob 'emailn*'") < 5_000 {
        assert!(patience.elapsed().as_secs() < 60, "the keys are not made");
        std::thread::yield_now();
    }
}

#[test]
fn rules_compare_records_of_two_entities() {
    let lead_rules: Vec<Rule> = serde_json::from_value(json!([{
        "key": "known", "label": "Known person", "against": "garden.person",
        "criteria": [{ "field": "contact_email", "other": "email", "kind": "email" }],
        "on": { "create": "block" }
    }]))
    .unwrap();
    let guest =
        named("visitor", vec![field("name", Kind::Text), field("contact_email", Kind::Email)], lead_rules);
    let module = module("1", vec![person(rules("block")), Arc::clone(&guest)], Vec::new());
    assert_eq!(told(&check_all(&guest.duplicates, &guest, |_| module.entity("person"))), [""; 0]);
    let world = World::of(OrganizationId::new(), module);
    let owner = world.owner();
    let ada = owner.create("person", json!({ "name": "Ada", "email": "ada@example.com" })).unwrap();
    let (_, listed, _) =
        conflict(owner.create("visitor", json!({ "name": "A", "contact_email": "ADA@example.com" })));
    assert_eq!(
        (&listed[0]["entity"], ids(&listed)),
        (&json!("garden.person"), BTreeSet::from([ada.to_string()]))
    );
    owner.create("visitor", json!({ "name": "B", "contact_email": "bea@example.com" })).unwrap();
}

#[test]
fn a_search_by_keys_finds_what_comparing_with_every_record_would() {
    let world = world("allow_and_report");
    let owner = world.owner();
    let (names, firms) =
        (["Ada Byron", "Bob Smith", "Robert Smyth", "Ada Lovelace"], ["Acme GmbH", "ACME AG", "Zenith"]);
    let phones = ["+49 30 901820", "0049 (0)30 90 18 20", "+49 30 901821"];
    let mut rows = Vec::new();
    for n in 0..48 {
        let mut row = json!({ "name": names[n % 4] });
        if n % 3 > 0 {
            row["phone"] = phones[n % 3].into();
        }
        if n % 5 == 0 {
            row["firm"] = firms[n % 3].into();
        }
        if n % 7 == 0 {
            row["email"] = format!("p{}@example.com", n % 2).into();
        }
        rows.push(row);
    }
    owner.create_all("person", rows).unwrap();
    let entity = world.entity("person");
    let read = Arc::clone(&entity);
    let all = world.raw(move |conn| crate::records::list::rows(conn, &read, "true", "", &[]));
    for one in &all {
        let id = one[0].id().unwrap();
        let subjects = Subjects::Ids(vec![id]);
        let found = check::check(&world.records, &owner.scope, &entity, &subjects).unwrap();
        let expected: BTreeSet<String> = all
            .iter()
            .filter(|other| other[0] != one[0])
            .filter(|other| {
                entity.duplicates.iter().any(|rule| {
                    let side = |row: &[Value]| forms(rule, End::Own, &entity, row, Region::of_locale("en"));
                    score(rule, &side(one), &side(other)).matches
                })
            })
            .map(|other| other[0].id().unwrap().to_string())
            .collect();
        assert!(!expected.is_empty());
        assert_eq!(ids(&found["data"][0]["duplicates"]), expected, "{one:?}");
    }
}
