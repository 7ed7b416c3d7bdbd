//! The engine's part: keys in step with rows, writes that meet their likes, sets that grow and are dismissed.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::check::{self, Subjects};
use super::normalize::Region;
use super::pair::{End, forms, score};
use super::rule::{Rule, check_all};
use super::{blocking, keys};
use crate::caller::{Caller, Source};
use crate::ids::{OrganizationId, PrincipalId, RecordId};
use crate::policy::{Policy, Scope as Reach};
use crate::records::RecordError;
use crate::records::schema::{Entity, Field, Kind, Module, Operations, Parts};
use crate::records::tests::garden::{PLUGIN, field, module};
use crate::records::tests::world::{Desk, World, acting, grant, told};
use crate::records::value::Value;

fn rules(policy: &str) -> Vec<Rule> {
    serde_json::from_value(json!([
        {
            "key": "mail", "label": "Same e-mail address", "criteria": [{ "field": "email", "kind": "email" }],
            "on": { "create": policy, "update": policy, "import": policy }
        },
        {
            "key": "name", "label": "Same name and number", "threshold": 80,
            "criteria": [
                { "field": "name", "kind": "person", "method": "jaro_winkler", "threshold": 85, "weight": 3 },
                { "field": "phone", "kind": "phone", "weight": 1, "null_matches": true }
            ]
        },
        { "key": "firm", "label": "Same company", "criteria": [{ "field": "firm", "kind": "company" }] }
    ]))
    .unwrap()
}

fn person_fields() -> Vec<Field> {
    vec![
        field("name", Kind::Text),
        field("email", Kind::Email),
        field("phone", Kind::Phone),
        field("firm", Kind::Text),
    ]
}

fn person(rules: Vec<Rule>) -> Arc<Entity> {
    named("person", person_fields(), rules)
}

fn named(key: &str, fields: Vec<Field>, duplicates: Vec<Rule>) -> Arc<Entity> {
    let parts = Parts {
        key: key.to_owned(),
        plural: format!("{key}s"),
        label: key.to_owned(),
        title: Some("name".to_owned()),
        fields,
        hooks: std::collections::HashSet::new(),
        operations: Operations { create: true, update: true, delete: true },
        duplicates,
    };
    Arc::new(Entity::new(PLUGIN, parts))
}

fn people(policy: &str) -> Arc<Module> {
    module("1", vec![person(rules(policy))], Vec::new())
}

fn world(policy: &str) -> World {
    World::of(OrganizationId::new(), people(policy))
}

fn conflict<T: std::fmt::Debug>(outcome: Result<T, RecordError>) -> (String, Json, Json) {
    match outcome {
        Err(RecordError::Conflict { code, extra, .. }) => {
            (code.into_owned(), extra["duplicates"].clone(), extra["hidden"].clone())
        }
        other => panic!("{other:?} is no conflict"),
    }
}

fn ids(listed: &Json) -> BTreeSet<String> {
    listed.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

fn checked(desk: &Desk<'_>, payload: Json) -> Json {
    let Json::Object(members) = payload else { panic!("no object") };
    let entity = desk.world.entity("person");
    let subjects = Subjects::Records(vec![members]);
    let found = check::check(&desk.world.records, &desk.scope, &entity, &subjects).unwrap();
    assert_eq!(found["complete"], true);
    found["data"][0].clone()
}

fn because<'w>(desk: Desk<'w>, reason: &str) -> Desk<'w> {
    let mut desk = desk;
    desk.scope.allow_duplicates = Some(reason.into());
    desk
}

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
    rules[0].on.import = Some(super::rule::Policy::AllowAndReport);
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
    assert_eq!(world.number("select count(*) from _stoa_block_keys"), 0);
    owner.create("person", json!({ "name": "Ada", "email": "ada@example.com" })).unwrap();
}

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
    let rows = (0..=super::COMMON).map(|_| json!({ "name": "x", "firm": "Acme" })).collect();
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
    assert_eq!(world.number("select count(*) from _stoa_block_keys"), 0);

    let ruled = module("2", vec![person(rules("block"))], Vec::new());
    let plan = Arc::clone(&ruled);
    let more = world.raw(move |conn| keys::prepare(conn, &plan, Region::of_locale("de")));
    assert!(more, "3,000 rows are more than one step");
    assert!(world.number("select count(*) from _stoa_block_keys where key_type = 'email.n'") < 3_000);
    let entity = ruled.entity("person").unwrap();
    while world.raw({
        let entity = Arc::clone(&entity);
        move |conn| keys::step(conn, &entity)
    }) {}
    assert_eq!(world.number("select count(*) from _stoa_block_keys where key_type = 'email.n'"), 3_000);

    // The same rules and region: nothing to do. Another region: all anew. No rules: all gone.
    let prepare = |module: &Arc<Module>, locale: &'static str| {
        let module = Arc::clone(module);
        world.raw(move |conn| keys::prepare(conn, &module, Region::of_locale(locale)))
    };
    assert!(!prepare(&ruled, "de"));
    assert!(prepare(&ruled, "fr"));
    let bare = module("3", vec![person(Vec::new())], Vec::new());
    while prepare(&bare, "fr") {}
    assert_eq!(world.number("select count(*) from _stoa_block_keys"), 0);
}

#[test]
fn prepared_files_have_their_keys_made_behind_them() {
    let world = World::of(OrganizationId::new(), module("1", vec![person(Vec::new())], Vec::new()));
    let rows = (0..5_000).map(|n| json!({ "name": "x", "email": format!("p{n}@example.com") })).collect();
    world.owner().create_all("person", rows).unwrap();
    let ruled = module("2", vec![person(rules("block"))], Vec::new());
    world.runtime.block_on(world.records.prepare(&world.organization, &ruled)).unwrap();
    let patience = std::time::Instant::now();
    while world.number("select count(*) from _stoa_block_keys where key_type = 'email.n'") < 5_000 {
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
    let lead =
        named("visitor", vec![field("name", Kind::Text), field("contact_email", Kind::Email)], lead_rules);
    let module = module("1", vec![person(rules("block")), Arc::clone(&lead)], Vec::new());
    assert_eq!(told(&check_all(&lead.duplicates, &lead, |_| module.entity("person"))), [""; 0]);
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
fn every_fault_of_a_rule_is_told_with_its_place() {
    let entity = person(Vec::new());
    let wrong: Vec<Rule> = serde_json::from_value(json!([
        { "key": "A b", "label": "", "criteria": [], "threshold": 0 },
        { "key": "x", "label": "x", "criteria": [
            { "field": "nose", "kind": "text" },
            { "field": "email", "kind": "phone" },
            { "field": "email", "kind": "email", "method": "trigram" },
            { "field": "name+email", "kind": "email" },
            { "field": "name", "kind": "person", "threshold": 101, "weight": 0, "provider_rules": true, "other": "name" }
        ] },
        { "key": "x", "label": "x", "against": "garden.person", "criteria": [{ "field": "name", "kind": "person" }] }
    ]))
    .unwrap();
    let mut told = told(&check_all(&wrong, &entity, |_| None));
    told.sort();
    assert_eq!(
        told,
        [
            "/0/criteria invalid_criteria",
            "/0/key invalid_key",
            "/0/label required",
            "/0/threshold invalid_threshold",
            "/1/criteria/0/field unknown_field",
            "/1/criteria/1/field invalid_field",
            "/1/criteria/2/method invalid_method",
            "/1/criteria/3/field invalid_field",
            "/1/criteria/4/other invalid_other",
            "/1/criteria/4/provider_rules invalid_provider_rules",
            "/1/criteria/4/threshold invalid_threshold",
            "/1/criteria/4/weight invalid_weight",
            "/2/against invalid_against",
            "/2/key duplicate_key",
        ]
    );
    let elsewhere: Vec<Rule> = serde_json::from_value(json!([
        { "key": "x", "label": "x", "against": "crm.contact", "criteria": [{ "field": "name", "kind": "person" }] }
    ]))
    .unwrap();
    let other = person(Vec::new());
    assert_eq!(self::told_of(&elsewhere, &entity, &other), ["/0/criteria/0/field no_keys"]);
    assert!(check_all(&rules("warn"), &entity, |_| None).is_empty());
}

fn told_of(rules: &[Rule], entity: &Entity, other: &Arc<Entity>) -> Vec<String> {
    told(&check_all(rules, entity, |_| Some(Arc::clone(other))))
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

fn value() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "Ada",
        "ada",
        "Lovelace",
        "Bob",
        "Robert",
        "Müller",
        "Mueller",
        "GmbH",
        "AG",
        "Acme",
        "x@example.com",
        "X@EXAMPLE.com",
        "+49 30 901820",
        "030 901820",
        "Dr.",
        "",
    ]);
    let text = prop::collection::vec(words, 1..4).prop_map(|words| words.join(" "));
    prop_oneof![1 => Just(Value::Null), 6 => text.prop_map(Value::Text)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn scores_are_symmetric_and_equality_never_lacks_a_key(
        one in prop::collection::vec(value(), 4), other in prop::collection::vec(value(), 4),
    ) {
        let entity = person(rules("warn"));
        let row = |values: &[Value]| {
            let mut row = vec![Value::Null; entity.width];
            for (field, value) in entity.fields.iter().zip(values) {
                row[field.column] = value.clone();
            }
            row
        };
        let (one, other) = (row(&one), row(&other));
        let region = Region::of_locale("de");
        for rule in entity.duplicates.iter() {
            let (a, b) = (forms(rule, End::Own, &entity, &one, region), forms(rule, End::Own, &entity, &other, region));
            let there = score(rule, &a, &b);
            prop_assert_eq!(&there, &score(rule, &b, &a));
            prop_assert!(there.total <= 100);
            let keys = |forms| blocking::keys(rule, End::Own, forms);
            let (left, right) = (keys(&a), keys(&b));
            let equal = a.iter().zip(&b).any(|(a, b)| a.is_some() && a.as_ref().map(|form| &form.text) == b.as_ref().map(|form| &form.text));
            if equal {
                prop_assert!(left.iter().any(|key| right.contains(key)), "no key in common");
            }
        }
    }
}
