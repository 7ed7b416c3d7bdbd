//! Comments, mentions, tags and followers.

use std::sync::Arc;

use serde_json::json;

use super::{Bench, first, set, words};
use crate::ids::{PrincipalId, RecordId};
use crate::records::RecordError;
use crate::records::companions::timeline::Part;
use crate::records::companions::{comment, follower, tag};
use crate::records::tests::world::{World, faults};

#[test]
fn those_who_are_called_may_read_the_record_and_follow_it() {
    let world = World::new();
    let (ann, eve, bob) = (
        world.person("Ann", "owner", None),
        world.person("Eve", "owner", None),
        world.person("Bob", "rep", None),
    );
    let (eve_id, bob_id, nobody) = (eve.principal.id, bob.principal.id, PrincipalId::new());
    let bench = Bench::of(world.desk(ann));
    let oak = bench.plant("Oak");

    bench.comment(oak, json!({"text": format!("Look, @[{eve_id}]!")})).unwrap();
    assert_eq!(bench.followers(oak).unwrap(), ["Ann", "Eve"]);
    let refused =
        bench.comment(oak, json!({"text": "x", "mentions": [bob_id.to_string(), nobody.to_string()]}));
    let Err(RecordError::Invalid(told)) = refused else { panic!("{refused:?}") };
    for (id, code) in [(bob_id, "mention_not_allowed"), (nobody, "user_not_found")] {
        assert!(
            told.iter().any(|fault| fault.code == code && fault.detail.contains(&id.to_string())),
            "{told:?}"
        );
    }
    let page = bench.comments(oak, &first(50)).unwrap();
    assert_eq!(page.data.len(), 1, "what was refused left nothing");
    assert_eq!(page.data[0].mentions[0].name.as_deref(), Some("Eve"));
    assert_eq!(page.data[0].by.name.as_deref(), Some("Ann"));
}

#[test]
fn a_comment_is_changed_by_its_writer_and_deleted_by_whoever_may_delete_the_record() {
    let world = World::new();
    let (ann, eve, bob) = (
        world.person("Ann", "owner", None),
        world.person("Eve", "owner", None),
        world.person("Bob", "readonly", None),
    );
    let (bob_id, boss) = (bob.principal.id, Bench::of(world.desk(eve)));
    let bench = Bench::of(world.desk(ann));
    let oak = bench.plant("Oak");
    let id = bench.comment(oak, json!({"text": "frist"})).unwrap();
    let edit = |bench: &Bench<'_>, version: Option<u64>, text: &str| {
        let (tree, words) = (Arc::clone(&bench.tree), words(json!({ "text": text })));
        bench.desk.write(move |tx| comment::edit(tx, &tree, (oak, id), version, &words?))
    };
    let delete = |bench: &Bench<'_>, version: Option<u64>| {
        let tree = Arc::clone(&bench.tree);
        bench.desk.write(move |tx| comment::delete(tx, &tree, (oak, id), version))
    };

    assert!(
        matches!(edit(&boss, None, "mine"), Err(RecordError::Forbidden { .. })),
        "not even who may delete it"
    );
    edit(&bench, Some(1), "first").unwrap();
    edit(&bench, Some(2), "first").unwrap(); // changes nothing
    let stale = edit(&bench, Some(1), "third");
    let Err(RecordError::Stale { current: 2, sent: 1, record, .. }) = stale else { panic!("{stale:?}") };
    assert!(String::from_utf8(record).unwrap().contains("\"text\":\"first\""));
    let page = bench.comments(oak, &first(50)).unwrap();
    assert_eq!((page.data[0].text.as_str(), page.data[0].version), ("first", 2));
    assert!(page.data[0].edited_at.is_some());

    let reader = Bench::of(world.desk(crate::records::tests::world::acting(
        world.organization.id,
        bob_id,
        "readonly",
        &[],
    )));
    assert!(delete(&reader, None).is_err());
    assert!(matches!(delete(&boss, Some(1)), Err(RecordError::Stale { .. })));
    delete(&boss, None).unwrap();
    assert!(matches!(delete(&boss, None), Err(RecordError::NotFound)));
    assert!(bench.comments(oak, &first(50)).unwrap().data.is_empty());
    assert_eq!(
        bench.told(oak, &[Part::Comments]),
        ["comments comment_deleted", "comments comment_edited", "comments commented"]
    );
    let page = bench.timeline(oak, &[Part::Comments], &first(50)).unwrap();
    let text = serde_json::to_string(&page).unwrap();
    assert!(!text.contains("frist") && !text.contains("\"first\""), "what is deleted is not shown: {text}");
}

#[test]
fn comments_come_in_pages_the_newest_first() {
    let world = World::new();
    let bench = Bench::of(world.owner());
    let oak = bench.plant("Oak");
    for number in 0..25 {
        bench.comment(oak, json!({"text": format!("{number}")})).unwrap();
        if number % 3 == 0 {
            world.clock.advance(1); // others share an instant
        }
    }
    let (mut paging, mut seen) = (first(10), Vec::new());
    loop {
        let page = bench.comments(oak, &paging).unwrap();
        seen.extend(page.data.into_iter().map(|comment| comment.text));
        match page.next_cursor {
            Some(cursor) => paging.cursor = Some(cursor),
            None => break,
        }
    }
    let expected: Vec<String> = (0..25).rev().map(|number| number.to_string()).collect();
    assert_eq!(seen, expected);
    let elm = bench.plant("Elm");
    let foreign = bench.comments(elm, &paging);
    assert!(matches!(foreign, Err(RecordError::BadRequest { code: "invalid_cursor", .. })));
}

#[test]
fn tags_are_set_changed_bounded_and_told() {
    let world = World::new();
    let bench = Bench::of(world.owner());
    let (oak, elm) = (bench.plant("Oak"), bench.plant("Elm"));
    assert_eq!(bench.tag(oak, set(&["VIP", "old"])).unwrap(), ["old", "VIP"]);
    assert_eq!(bench.tag(elm, set(&["vip"])).unwrap(), ["VIP"], "written as it was first written");
    let change = tag::Tagging::Change {
        add: vec![tag::Tag::parse("new").unwrap(), tag::Tag::parse("Vip").unwrap()],
        remove: vec![tag::Tag::parse("OLD").unwrap()],
    };
    assert_eq!(bench.tag(oak, change).unwrap(), ["new", "VIP"]);
    assert_eq!(bench.tag(oak, set(&["vip", "NEW"])).unwrap(), ["new", "VIP"]);
    assert_eq!(bench.told(oak, &[Part::Tags]).len(), 2, "what changes nothing is not told");
    let many: Vec<String> = (0..=tag::MOST).map(|number| format!("t{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(faults(bench.tag(oak, set(&many))), ["/tags too_many_tags"]);
    assert_eq!(bench.tag(oak, set(&many[..tag::MOST])).unwrap().len(), tag::MOST);
    assert!(bench.tag(oak, set(&[])).unwrap().is_empty());
}

#[test]
fn tags_are_counted_and_found_among_the_records_that_one_may_read() {
    let world = World::new();
    let ann = world.person("Ann", "rep", None);
    let (all, own) = (Bench::of(world.owner()), Bench::of(world.desk(ann)));
    let (oak, elm) = (all.plant("Oak"), own.plant("Elm"));
    all.tag(oak, set(&["vip", "secret", "50% off"])).unwrap();
    own.tag(elm, set(&["VIP"])).unwrap();
    let counts = |bench: &Bench<'_>, start: &str, limit: usize| {
        let (engine, scope) = (&world.records, &bench.desk.scope);
        let page =
            bench.read(|conn| tag::counts(engine, scope, conn, &bench.tree, (start, &first(limit)))).unwrap();
        let counted = page.data.into_iter().map(|tag| format!("{} {}", tag.tag, tag.count));
        (counted.collect::<Vec<_>>(), page.next_cursor.is_some())
    };
    assert_eq!(counts(&all, "", 50).0, ["50% off 1", "secret 1", "vip 2"]);
    assert_eq!(counts(&own, "", 50).0, ["vip 1"], "nobody learns a tag of what they cannot read");
    assert_eq!(counts(&all, "SE", 50).0, ["secret 1"]);
    assert_eq!(counts(&all, "", 2), (vec!["50% off 1".to_owned(), "secret 1".to_owned()], true));

    let found = |text: &str| -> Vec<RecordId> {
        let mut ids =
            all.desk.ids("tree", &json!({"field": "tags", "op": "contains", "value": text})).unwrap();
        ids.sort();
        ids
    };
    let (oak, elm) = if oak < elm { (oak, elm) } else { (elm, oak) };
    let none = all.desk.ids("tree", &json!({"field": "tags", "op": "empty", "value": true})).unwrap();
    assert!(!none.contains(&oak) && !none.contains(&elm));
    assert_eq!(found(" Vip"), [oak, elm]);
    assert_eq!(found("secret"), [oak]);
    assert!(found("none").is_empty() && found("").is_empty());
}

#[test]
fn followers_are_those_who_may_still_read_the_record() {
    let world = World::new();
    let (ann, bob) = (world.person("Ann", "rep", None), world.person("Bob", "owner", None));
    let (bob_id, ann_id) = (bob.principal.id, ann.principal.id);
    let (own, all) = (Bench::of(world.desk(ann)), Bench::of(world.desk(bob)));
    let oak = own.plant("Oak");
    assert!(own.followers(oak).unwrap().is_empty(), "an owner does not follow for that");
    own.follow(oak).unwrap();
    own.follow(oak).unwrap();
    all.follow(oak).unwrap();
    assert_eq!(all.followers(oak).unwrap(), ["Ann", "Bob"]);
    assert_eq!(all.told(oak, &[Part::Followers]).len(), 2);
    all.desk.update("tree", oak, None, json!({"owner_id": bob_id.to_string()})).unwrap();
    assert_eq!(all.followers(oak).unwrap(), ["Bob"]);
    all.desk.update("tree", oak, None, json!({"owner_id": ann_id.to_string()})).unwrap();
    let tree = Arc::clone(&own.tree);
    own.desk.write(move |tx| follower::unfollow(tx, &tree, oak)).unwrap();
    assert_eq!(all.followers(oak).unwrap(), ["Bob"]);
    assert_eq!(all.told(oak, &[Part::Followers])[0], "followers unfollowed");
}

#[test]
fn nothing_is_beside_a_record_that_one_may_not_read() {
    let world = World::new();
    let ann = world.person("Ann", "rep", None);
    let (all, own) = (Bench::of(world.owner()), Bench::of(world.desk(ann)));
    let oak = all.plant("Oak");
    all.comment(oak, json!({"text": "x"})).unwrap();
    all.tag(oak, set(&["x"])).unwrap();
    let missing = |outcome: Result<(), RecordError>| assert!(matches!(outcome, Err(RecordError::NotFound)));
    missing(own.comment(oak, json!({"text": "x"})).map(drop));
    missing(own.comments(oak, &first(10)).map(drop));
    missing(own.tag(oak, set(&["y"])).map(drop));
    missing(own.follow(oak));
    missing(own.followers(oak).map(drop));
    missing(own.timeline(oak, &Part::ALL, &first(10)).map(drop));
    all.desk.delete("tree", oak).unwrap();
    missing(all.comments(oak, &first(10)).map(drop));
    missing(all.timeline(oak, &Part::ALL, &first(10)).map(drop));
}

#[test]
fn who_only_reads_comments_and_follows_but_tags_nothing() {
    let world = World::new();
    let reader = world.person("Ann", "readonly", None);
    let mut desk = world.desk(reader);
    let grants =
        [crate::records::tests::world::grant("readonly", "garden.tree", "read", crate::policy::Scope::Org)];
    desk.scope.policy =
        world.runtime.block_on(crate::policy::Policy::new().load(world.organization.id, &grants)).unwrap();
    let (all, watcher) = (Bench::of(world.owner()), Bench::of(desk));
    let oak = all.plant("Oak");
    watcher.comment(oak, json!({"text": "seen"})).unwrap();
    watcher.follow(oak).unwrap();
    assert!(matches!(watcher.tag(oak, set(&["x"])), Err(RecordError::Forbidden { .. })));
}
