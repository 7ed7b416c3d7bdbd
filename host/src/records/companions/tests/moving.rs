//! Merged, taken apart again, purged.

use serde_json::json;

use super::{Bench, first, set};
use crate::records::companions::timeline::Part;
use crate::records::companions::{Move, forget, put_back, reassign};
use crate::records::tests::world::World;

#[test]
fn what_is_beside_one_record_goes_to_another_and_back() {
    let world = World::new();
    let (ann, bob) = (world.person("Ann", "owner", None), world.person("Bob", "owner", None));
    let (bench, other) = (Bench::of(world.desk(ann)), Bench::of(world.desk(bob)));
    let (oak, elm) = (bench.plant("Oak"), bench.plant("Elm"));
    bench.comment(oak, json!({"text": "of the oak"})).unwrap();
    other.comment(elm, json!({"text": "of the elm"})).unwrap();
    bench.tag(oak, set(&["both", "oak"])).unwrap();
    bench.tag(elm, set(&["BOTH", "elm"])).unwrap();
    let snapshot = |record| {
        let tags =
            bench.read(|conn| super::tag::of_record(conn, &bench.desk.scope, &bench.tree, record)).unwrap();
        let comments = bench.comments(record, &first(50)).unwrap().data;
        let texts: Vec<String> = comments.into_iter().map(|comment| comment.text).collect();
        (tags, texts, bench.followers(record).unwrap(), bench.told(record, &Part::ALL))
    };
    let before = (snapshot(oak), snapshot(elm));

    let moves = bench.desk.write(move |tx| reassign(&tx.conn, "tree", elm, oak)).unwrap();
    let (tags, texts, followers, _) = snapshot(oak);
    assert_eq!(
        (tags, followers),
        (vec!["both".into(), "elm".into(), "oak".into()], vec!["Ann".into(), "Bob".into()])
    );
    assert_eq!(texts, ["of the elm", "of the oak"]);
    let (tags, texts, followers, told) = snapshot(elm);
    assert!(tags.is_empty() && texts.is_empty() && followers.is_empty());
    assert_eq!(told, ["changes created"], "its own changes stay its own");

    // As a merge log keeps them.
    let kept: Vec<Move> = serde_json::from_str(&serde_json::to_string(&moves).unwrap()).unwrap();
    assert_eq!(kept, moves);
    bench.desk.write(move |tx| put_back(&tx.conn, &kept)).unwrap();
    assert_eq!((snapshot(oak), snapshot(elm)), before);
}

#[test]
fn what_was_done_since_a_merge_stays_done_when_it_is_undone() {
    let world = World::new();
    let bench = Bench::of(world.owner());
    let (oak, elm) = (bench.plant("Oak"), bench.plant("Elm"));
    bench.comment(elm, json!({"text": "of the elm"})).unwrap();
    bench.tag(elm, set(&["elm"])).unwrap();
    let moves = bench.desk.write(move |tx| reassign(&tx.conn, "tree", elm, oak)).unwrap();
    bench.comment(oak, json!({"text": "since"})).unwrap();
    bench.tag(oak, set(&["since"])).unwrap();
    bench.desk.write(move |tx| put_back(&tx.conn, &moves)).unwrap();
    let tags = |record| {
        bench.read(|conn| super::tag::of_record(conn, &bench.desk.scope, &bench.tree, record)).unwrap()
    };
    assert_eq!((tags(oak), tags(elm)), (vec!["since".to_owned()], vec!["elm".to_owned()]));
    assert_eq!(bench.comments(oak, &first(9)).unwrap().data[0].text, "since");
    assert_eq!(bench.comments(elm, &first(9)).unwrap().data[0].text, "of the elm");
}

#[test]
fn nothing_is_left_beside_a_record_that_is_purged() {
    let world = World::new();
    let eve = world.person("Eve", "owner", None);
    let (eve_id, bench) = (eve.principal.id, Bench::of(world.desk(eve)));
    let (oak, elm) = (bench.plant("Oak"), bench.plant("Elm"));
    for tree in [oak, elm] {
        bench.comment(tree, json!({"text": format!("@[{eve_id}]")})).unwrap();
        bench.tag(tree, set(&["x"])).unwrap();
    }
    bench.desk.write(move |tx| forget(&tx.conn, "tree", oak)).unwrap();
    for table in ["_stoa_comments", "_stoa_mentions", "_stoa_tags", "_stoa_followers"] {
        let left = world.raw(move |conn| {
            let sql = format!("select count(*) from {table}");
            Ok(conn.prepare(&sql)?.query_row([], |row| row.get::<_, i64>(0))?)
        });
        assert_eq!(left, 1, "{table}: only the other record's");
    }
    assert_eq!(bench.told(oak, &Part::ALL), ["changes created"]);
    assert_eq!(bench.told(elm, &Part::ALL).len(), 4);
}
