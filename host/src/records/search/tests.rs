//! Search on real files: what is found, in which order, by whom, and after what.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::{Found, Search, Words};
use crate::ids::{OrganizationId, RecordId};
use crate::records::schema::{Field, Kind};
use crate::records::tests::garden::{entity, field, module};
use crate::records::tests::world::{Desk, World};

fn searched(key: &str, kind: Kind, weight: u8) -> Field {
    Field { searchable: weight, ..field(key, kind) }
}

fn library() -> World {
    let fields = vec![
        searched("name", Kind::Text, 10),
        searched("note", Kind::RichText, 1),
        searched("phone", Kind::Phone, 3),
        searched("place", Kind::Address, 2),
        field("secret", Kind::Text),
    ];
    World::of(OrganizationId::new(), module("1", vec![entity("book", fields, &[])], Vec::new()))
}

fn find(desk: &Desk<'_>, text: &str) -> Found {
    let search = Search { words: Words::parse(text).unwrap(), limit: 20, count: true };
    let book = desk.world.entity("book");
    desk.world.records.search(&desk.scope, &book, &search).unwrap()
}

fn ids(found: &Found) -> Vec<RecordId> {
    found.hits.iter().map(|hit| hit.id).collect()
}

#[test]
fn a_record_is_found_by_every_word_without_case_and_diacritics() {
    let world = library();
    let owner = world.owner();
    let cafe = owner.create("book", json!({"name": "Café Müller", "note": "Two\nwords here"})).unwrap();
    owner.create("book", json!({"name": "Cafeteria", "secret": "words"})).unwrap();
    assert_eq!(ids(&find(&owner, "cafe ")), [cafe]);
    assert_eq!(ids(&find(&owner, "cafe")).len(), 2, "the last word is open");
    assert_eq!(ids(&find(&owner, "muller WORDS")), [cafe], "over several fields");
    assert_eq!(ids(&find(&owner, "\"two words\"")), [cafe]);
    assert!(ids(&find(&owner, "\"words two\"")).is_empty());
    assert!(ids(&find(&owner, "cafe missing")).is_empty());
    assert_eq!(ids(&find(&owner, "words ")), [cafe], "a field that is not searchable is not searched");
}

#[test]
fn numbers_and_addresses_are_found_as_people_write_them() {
    let world = library();
    let owner = world.owner();
    let id = owner
        .create(
            "book",
            json!({"name": "A", "phone": "+49 (30) 123-45", "place": {"city": "Wien", "country": "AT"}}),
        )
        .unwrap();
    for text in ["493012345", "123-45", "30 123", "wien", "AT"] {
        assert_eq!(ids(&find(&owner, text)), [id], "{text}");
    }
    assert!(ids(&find(&owner, "country")).is_empty(), "the names of an address's parts are no text");
}

#[test]
fn the_best_fit_comes_first_and_says_why() {
    let world = library();
    let owner = world.owner();
    let exact = owner.create("book", json!({"name": "Rome"})).unwrap();
    let begins = owner.create("book", json!({"name": "Rome and after"})).unwrap();
    let within = owner.create("book", json!({"name": "Old Rome"})).unwrap();
    let noted = owner.create("book", json!({"name": "Italy", "note": "All about Rome"})).unwrap();
    let found = find(&owner, "rome ");
    assert_eq!(ids(&found), [exact, begins, within, noted]);
    assert_eq!((found.count, found.complete), (Some(4), true));
    let last = &found.hits[3];
    assert_eq!((last.title.as_str(), &*last.object), ("Italy", "garden.book"));
    assert_eq!(
        (last.snippets[0].field.as_str(), last.snippets[0].hits.as_slice()),
        ("note", &[[10, 14]][..])
    );
}

#[test]
fn what_changes_is_found_as_it_is_now() {
    let world = library();
    let owner = world.owner();
    let id = owner.create("book", json!({"name": "First"})).unwrap();
    owner.update("book", id, None, json!({"name": "Second"})).unwrap();
    assert!(ids(&find(&owner, "first")).is_empty());
    assert_eq!(ids(&find(&owner, "second")), [id]);
    owner.update("book", id, None, json!({"secret": "x"})).unwrap();
    assert_eq!(ids(&find(&owner, "second")), [id]);
    owner.delete("book", id).unwrap();
    assert!(ids(&find(&owner, "second")).is_empty(), "the recycle bin is not searched");
}

#[test]
fn people_find_and_count_only_what_they_may_read() {
    let world = library();
    let (ann, bob) = (world.person("Ann", "rep", None), world.person("Bob", "rep", None));
    let bobs = bob.principal.id;
    let (ann, bob, owner) = (world.desk(ann), world.desk(bob), world.owner());
    for number in 0..30 {
        ann.create("book", json!({"name": format!("Shared word {number}")})).unwrap();
    }
    let own = bob.create("book", json!({"name": "Shared word"})).unwrap();
    let found = find(&bob, "shared");
    assert_eq!((ids(&found), found.count), (vec![own], Some(1)));
    assert_eq!(find(&owner, "shared").count, Some(31));
    let moved = ann.create("book", json!({"name": "Handed over"})).unwrap();
    assert!(ids(&find(&bob, "handed")).is_empty());
    owner.update("book", moved, None, json!({"owner_id": bobs.to_string()})).unwrap();
    assert_eq!(ids(&find(&bob, "handed")), [moved], "the index follows the owner");
}

#[test]
fn an_index_over_new_fields_is_built_beside_other_writes() {
    let organization = OrganizationId::new();
    let before = entity("book", vec![field("name", Kind::Text), field("note", Kind::RichText)], &[]);
    let world = World::of(organization, module("1", vec![before], Vec::new()));
    let rows = (0..2_500).map(|number| json!({"name": format!("Old {number}"), "note": "stone"})).collect();
    world.owner().create_all("book", rows).unwrap();
    let after =
        entity("book", vec![searched("name", Kind::Text, 5), searched("note", Kind::RichText, 1)], &[]);
    let world = World::in_place(
        (world.folder, world.runtime, world.clock),
        world.organization,
        module("2", vec![after], Vec::new()),
    );
    let owner = world.owner();
    let new = owner.create("book", json!({"name": "New one", "note": "stone"})).unwrap();
    assert_eq!(ids(&find(&owner, "one")), [new], "what is written meanwhile is found at once");
    let mut patience = 1_000;
    while !find(&owner, "stone").complete {
        patience -= 1;
        assert!(patience > 0, "the index is never complete");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(find(&owner, "stone").count, Some(2_501));
    assert_eq!(find(&owner, "\"old 1234\"").hits.len(), 1);
}

#[test]
fn no_text_breaks_the_search() {
    let world = library();
    let owner = world.owner();
    owner.create("book", json!({"name": "Anything"})).unwrap();
    let book = world.entity("book");
    proptest!(ProptestConfig::with_cases(256), |(text in "\\PC{0,40}|[\"*():^{}+ a-z\\-]{0,40}")| {
        if let Ok(words) = Words::parse(&text) {
            let search = Search { words, limit: 5, count: true };
            world.records.search(&owner.scope, &book, &search).unwrap();
        }
    });
}
