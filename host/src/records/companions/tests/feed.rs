//! Timeline and history.

use serde_json::{Value as Json, json};

use super::{Bench, first, set};
use crate::ids::RecordId;
use crate::records::RecordError;
use crate::records::companions::timeline::Part;
use crate::records::companions::{Page, Paging, history};
use crate::records::tests::world::World;

fn history(bench: &Bench<'_>, record: RecordId, field: Option<&str>, paging: &Paging) -> Page<Json> {
    let (engine, scope) = (&bench.desk.world.records, &bench.desk.scope);
    let field = field.and_then(|key| bench.tree.attribute(key));
    let page =
        bench.read(|conn| history::page(engine, scope, conn, &bench.tree, record, (field, paging))).unwrap();
    let data = page.data.into_iter().map(|change| serde_json::to_value(change).unwrap()).collect();
    Page { data, next_cursor: page.next_cursor }
}

#[test]
fn a_timeline_is_one_feed_of_everything_the_newest_first() {
    let world = World::new();
    let ann = world.person("Ann", "owner", None);
    let bench = Bench::of(world.desk(ann));
    let oak = bench.plant("Oak");
    let pass = || world.clock.advance(1000);
    pass();
    bench.comment(oak, json!({"text": "hello"})).unwrap();
    pass();
    bench.tag(oak, set(&["vip"])).unwrap();
    pass();
    bench.desk.update("tree", oak, None, json!({"amount": 7})).unwrap();
    pass();
    let leaf = bench.desk.create("leaf", json!({"name": "Leaf", "tree": oak.to_string()})).unwrap();
    pass();
    bench.desk.update("leaf", leaf, None, json!({"name": "Leaf 2"})).unwrap();

    let told = bench.told(oak, &Part::ALL);
    assert_eq!(
        told,
        [
            "children updated",
            "children created",
            "changes updated",
            "tags tagged",
            "followers followed",
            "comments commented",
            "changes created"
        ]
    );
    let page = serde_json::to_value(bench.timeline(oak, &Part::ALL, &first(50)).unwrap()).unwrap();
    let items = page["data"].as_array().unwrap();
    assert_eq!(items[0]["record"], json!({"id": leaf, "entity": "garden.leaf", "title": "Leaf 2"}));
    assert_eq!(items[0]["fields"], json!(["name"]));
    assert_eq!(items[2]["changes"], json!([{"field": "amount", "old": null, "new": 7}]));
    assert_eq!(items[2]["by"]["name"], "Ann");
    assert_eq!(items[3]["added"], json!(["vip"]));
    assert_eq!(items[5]["comment"]["text"], "hello");
    assert_eq!(bench.told(oak, &[Part::Tags, Part::Changes]).len(), 3);
}

#[test]
fn a_timeline_in_pages_says_everything_once() {
    let world = World::new();
    let bench = Bench::of(world.owner());
    let oak = bench.plant("Oak");
    for number in 0..40 {
        match number % 4 {
            0 => drop(bench.comment(oak, json!({"text": "x"})).unwrap()),
            1 => drop(bench.tag(oak, set(&[&format!("t{number}")])).unwrap()),
            2 => drop(bench.desk.update("tree", oak, None, json!({"amount": number})).unwrap()),
            _ => drop(bench.desk.create("leaf", json!({"name": "L", "tree": oak.to_string()})).unwrap()),
        }
        if number % 7 == 0 {
            world.clock.advance(1);
        }
    }
    let whole = serde_json::to_value(bench.timeline(oak, &Part::ALL, &first(200)).unwrap()).unwrap();
    for limit in [1, 3, 7] {
        let (mut paging, mut seen) = (first(limit), Vec::new());
        loop {
            let page = bench.timeline(oak, &Part::ALL, &paging).unwrap();
            assert!(page.data.len() <= limit);
            seen.extend(page.data.iter().map(|item| serde_json::to_value(item).unwrap()));
            match page.next_cursor {
                Some(cursor) => paging.cursor = Some(cursor),
                None => break,
            }
        }
        let key = |item: &Json| format!("{} {}", item["type"], item["id"]);
        let (mut expected, mut found): (Vec<String>, Vec<String>) =
            (whole["data"].as_array().unwrap().iter().map(key).collect(), seen.iter().map(key).collect());
        assert_eq!(found.len(), 42, "40, the record itself, and its first comment's writer who follows");
        let at: Vec<&str> = seen.iter().map(|item| item["at"].as_str().unwrap()).collect();
        assert!(at.is_sorted_by(|one, other| one >= other));
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "in pages of {limit}");
    }
}

#[test]
fn children_that_one_may_not_read_are_not_told() {
    let world = World::new();
    let ann = world.person("Ann", "rep", None);
    let (all, own) = (Bench::of(world.owner()), Bench::of(world.desk(ann)));
    let oak = own.plant("Oak");
    all.desk.create("leaf", json!({"name": "Secret", "tree": oak.to_string()})).unwrap();
    own.desk.create("leaf", json!({"name": "Open", "tree": oak.to_string()})).unwrap();
    let page = own.timeline(oak, &[Part::Children], &first(50)).unwrap();
    let text = serde_json::to_string(&page).unwrap();
    assert!(text.contains("Open") && !text.contains("Secret"), "{text}");
    assert_eq!(all.told(oak, &[Part::Children]).len(), 2);
}

#[test]
fn a_history_says_what_each_field_was_and_became() {
    let world = World::new();
    let bench = Bench::of(world.owner());
    let oak = bench
        .desk
        .create(
            "tree",
            json!({"name": "Oak", "price": {"amount": "5.00", "currency": "EUR"}, "ratio": "1.5"}),
        )
        .unwrap();
    for patch in [
        json!({"price": {"amount": "6.00", "currency": "EUR"}}),
        json!({"name": "Elm"}),
        json!({"price": {"amount": "6.00", "currency": "USD"}}),
        json!({"price": null}),
    ] {
        bench.desk.update("tree", oak, None, patch).unwrap();
    }
    let money = |amount: &str, currency: &str| json!({"amount": amount, "currency": currency});
    let all = history(&bench, oak, None, &first(50)).data;
    let changes: Vec<&Json> = all.iter().map(|change| &change["changes"]).collect();
    assert_eq!(*changes[0], json!([{"field": "price", "old": money("6.00", "USD"), "new": null}]));
    assert_eq!(
        *changes[1],
        json!([{"field": "price", "old": money("6.00", "EUR"), "new": money("6.00", "USD")}])
    );
    assert_eq!(*changes[2], json!([{"field": "name", "old": "Oak", "new": "Elm"}]));
    assert_eq!(
        *changes[3],
        json!([{"field": "price", "old": money("5.00", "EUR"), "new": money("6.00", "EUR")}])
    );
    assert_eq!(all[4]["event"], "created");
    assert!(changes[4].as_array().unwrap().contains(&json!({"field": "ratio", "old": null, "new": "1.500"})));

    // The same in pages of one, and of one field only.
    let (mut paging, mut seen) = (first(1), Vec::new());
    loop {
        let page = history(&bench, oak, Some("price"), &paging);
        seen.extend(page.data.iter().map(|change| change["changes"].clone()));
        match page.next_cursor {
            Some(cursor) => paging.cursor = Some(cursor),
            None => break,
        }
    }
    let expected: Vec<Json> = [0, 1, 3].map(|at| changes[at].clone()).to_vec();
    assert_eq!(seen[..3], expected[..]);
    assert_eq!(seen[3], json!([{"field": "price", "old": null, "new": money("5.00", "EUR")}]));
    assert_eq!(seen.len(), 4);
}

#[test]
fn a_deleted_and_restored_record_says_so_and_a_bad_field_or_cursor_is_refused() {
    let world = World::new();
    let bench = Bench::of(world.owner());
    let oak = bench.plant("Oak");
    let id = oak;
    bench.desk.delete("tree", oak).unwrap();
    world.raw(move |conn| {
        conn.execute("update tree set deleted_at = null where id = ?1", [id.as_bytes()])?;
        Ok(())
    });
    assert_eq!(bench.told(oak, &[Part::Changes]), ["changes restored", "changes deleted", "changes created"]);
    assert!(matches!(
        history::field(&bench.desk.scope, &bench.tree, "colour"),
        Err(RecordError::BadRequest { code: "unknown_field", .. })
    ));
    let forged = Paging { limit: 5, cursor: Some("AAAA".into()) };
    assert!(bench.timeline(oak, &Part::ALL, &forged).is_err());
    let other = bench.timeline(oak, &Part::ALL, &first(1)).unwrap().next_cursor;
    let moved = Paging { limit: 5, cursor: other };
    assert!(bench.timeline(oak, &[Part::Changes], &moved).is_err(), "a cursor belongs to its parts");
}

#[test]
fn a_page_of_a_record_with_100_000_changes_takes_no_longer_at_its_end() {
    const MANY: i64 = 100_000;
    let world = World::new();
    let bench = Bench::of(world.owner());
    let oak = bench.plant("Oak");
    world.raw(move |conn| {
        conn.batch(&format!(
            "insert into _stoa_changes (seq, at, principal, request, source, as_plugin, entity, record, operation, old, new, hash) \
             with recursive n(i) as (select 2 union all select i + 1 from n where i <= {MANY}) \
             select i, i, zeroblob(16), zeroblob(16), 'api', 0, 'tree', (select id from tree), 'update', \
             '{{\"amount\":' || (i - 1) || '}}', '{{\"amount\":' || i || '}}', zeroblob(32) from n"
        ))?;
        Ok(())
    });
    let plan = "explain query plan select seq from _stoa_changes where record = ?1 and seq < ?2 order by seq desc limit ?3";
    let steps = bench
        .read(|conn| {
            let mut statement = conn.prepare(plan)?;
            let rows = statement
                .query_map(rusqlite::params![oak.as_bytes(), 5, 5], |row| row.get::<_, String>(3))?;
            Ok(rows.map(Result::unwrap).collect::<Vec<_>>().join("; "))
        })
        .unwrap();
    assert!(steps.contains("_stoa_changes_of_record") && !steps.contains("TEMP B-TREE"), "{steps}");
    let (mut paging, mut seen) = (first(200), 0);
    loop {
        let page = history(&bench, oak, None, &paging);
        seen += page.data.len() as i64;
        match page.next_cursor {
            Some(cursor) => paging.cursor = Some(cursor),
            None => break,
        }
    }
    assert_eq!(seen, MANY + 1);
    // What is seldom is found over several short pages, each of bounded work.
    let (mut paging, mut pages, mut found) = (first(10), 0, 0);
    loop {
        let page = history(&bench, oak, Some("name"), &paging);
        (pages, found) = (pages + 1, found + page.data.len());
        match page.next_cursor {
            Some(cursor) => paging.cursor = Some(cursor),
            None => break,
        }
    }
    assert_eq!((pages, found), (11, 1));
}
