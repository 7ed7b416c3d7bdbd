//! A request with a key is done once, however often it is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;

use super::world::{Desk, World};
use crate::records::RecordError;
use crate::records::idempotency::{KEPT, Key};
use crate::records::mutation::{Manner, Reply};
use crate::records::write::{self, members};

fn under(key: &str, body: &str) -> Manner {
    Manner {
        dry_run: false,
        asked: Some(Key::new(key).unwrap().of([&b"POST"[..], b"/trees", body.as_bytes()])),
    }
}

/// Makes a tree of this name in this manner.
fn plant(desk: &Desk<'_>, manner: Manner, name: &str) -> Result<Reply, RecordError> {
    let (tree, fields) = (desk.world.entity("tree"), json!({ "name": name }));
    desk.perform(manner, move |tx| {
        let id = write::create_one(tx, &tree, members(fields.as_object().cloned().unwrap()))?;
        let location = Some(format!("/trees/{id}"));
        Ok(Reply {
            status: 201,
            version: Some(1),
            location,
            body: id.to_string().into_bytes(),
            replayed: false,
        })
    })
}

fn trees(world: &World) -> i64 {
    world.number("select count(*) from tree")
}

#[test]
fn the_same_request_gets_the_same_answer_and_another_is_refused() {
    let world = World::new();
    let desk = world.owner();
    let first = plant(&desk, under("k", "a"), "a").unwrap();
    let second = plant(&desk, under("k", "a"), "a").unwrap();
    assert_eq!(second, Reply { replayed: true, ..first.clone() });
    assert!(matches!(plant(&desk, under("k", "b"), "b"), Err(RecordError::KeyReused)));
    assert_eq!(trees(&world), 1);
    // Another key is another request, and so is none.
    assert_ne!(plant(&desk, under("l", "a"), "a").unwrap().body, first.body);
    plant(&desk, Manner::default(), "a").unwrap();
    assert_eq!(trees(&world), 3);
    // Somebody else's key is somebody else's.
    plant(&world.owner(), under("k", "b"), "b").unwrap();
    assert_eq!(trees(&world), 4);
}

#[test]
fn what_was_refused_or_only_tried_is_not_remembered() {
    let world = World::new();
    let desk = world.owner();
    assert!(matches!(plant(&desk, under("k", "a"), ""), Err(RecordError::Invalid(_))));
    assert_eq!(world.number("select count(*) from _stoa_idempotency"), 0);
    plant(&desk, Manner { dry_run: true, ..under("k", "a") }, "a").unwrap();
    assert!(!plant(&desk, under("k", "a"), "a").unwrap().replayed);
    assert_eq!(trees(&world), 1);
}

#[test]
fn an_answer_is_kept_for_a_day_and_old_ones_go() {
    let world = World::new();
    let desk = world.owner();
    for at in 0..20 {
        plant(&desk, under(&format!("old{at}"), "a"), "a").unwrap();
    }
    world.clock.advance(KEPT - 1);
    assert!(plant(&desk, under("old0", "a"), "a").unwrap().replayed);
    world.clock.advance(1);
    assert!(!plant(&desk, under("old0", "b"), "b").unwrap().replayed, "the key is free again");
    plant(&desk, under("new", "a"), "a").unwrap();
    plant(&desk, under("newer", "a"), "a").unwrap();
    assert_eq!(world.number("select count(*) from _stoa_idempotency"), 3);
}

#[test]
fn whoever_sends_it_again_before_it_is_answered_waits_for_the_answer() {
    let world = World::new();
    let desk = world.owner();
    let made = AtomicU32::new(0);
    let answers: Vec<Reply> = std::thread::scope(|threads| {
        let senders: Vec<_> = (0..8)
            .map(|_| {
                threads.spawn(|| {
                    let reply = plant(&desk, under("k", "a"), "a").unwrap();
                    made.fetch_add(u32::from(!reply.replayed), Ordering::Relaxed);
                    reply
                })
            })
            .collect();
        senders.into_iter().map(|sender| sender.join().unwrap()).collect()
    });
    assert_eq!((made.into_inner(), trees(&world)), (1, 1));
    assert!(answers.iter().all(|reply| reply.body == answers[0].body));
}

#[test]
fn an_answer_goes_with_its_write() {
    let world = World::new();
    let desk = world.owner();
    let tree = world.entity("tree");
    let module = Arc::clone(&world.module);
    // The same transaction comes to nothing afterwards: then there is no answer either.
    let hooks: Arc<dyn crate::records::Hooks + Send + Sync> = Arc::clone(&desk.hooks) as _;
    let outcome = world.records.write_blocking(&desk.scope, &module, &hooks, move |tx| {
        crate::records::mutation::perform(tx, &under("k", "a"), |tx| {
            let fields = json!({ "name": "x" });
            write::create_one(tx, &tree, members(fields.as_object().cloned().unwrap()))?;
            Ok(Reply::default())
        })?;
        Err::<crate::storage::Verdict<()>, _>(RecordError::NotFound)
    });
    assert!(outcome.is_err());
    assert!(!plant(&desk, under("k", "a"), "a").unwrap().replayed);
    assert_eq!(trees(&world), 1);
}
