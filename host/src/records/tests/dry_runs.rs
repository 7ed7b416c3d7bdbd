//! What a dry run tells, and that it leaves nothing.

use serde_json::{Value as Json, json};

use super::orchard::{conflict, snapshot, world};
use super::world::{Desk, Script, World};
use crate::ids::RecordId;
use crate::records::RecordError;
use crate::records::mutation::{Manner, Reply, perform};
use crate::records::trash::{self, Wish};
use crate::records::tx::{Authority, Hook, Hooks, Tx};
use crate::records::write::{self, Change, members};

impl Desk<'_> {
    /// Runs `f` in this manner, as a request would.
    pub(super) fn perform(
        &self,
        manner: Manner,
        f: impl FnOnce(&Tx) -> Result<Reply, RecordError> + Send + 'static,
    ) -> Result<Reply, RecordError> {
        let hooks: std::sync::Arc<dyn Hooks + Send + Sync> = std::sync::Arc::clone(&self.hooks) as _;
        let records = &self.world.records;
        records.write_blocking(&self.scope, &self.world.module, &hooks, move |tx| perform(tx, &manner, f))
    }

    fn tried(
        &self,
        f: impl FnOnce(&Tx) -> Result<Reply, RecordError> + Send + 'static,
    ) -> Result<Json, RecordError> {
        let reply = self.perform(Manner { dry_run: true, asked: None }, f)?;
        assert_eq!((reply.status, &reply.location, reply.version), (200, &None, None));
        let body: Json = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(body["dry_run"], true);
        Ok(body)
    }
}

fn object(json: Json) -> serde_json::Map<String, Json> {
    json.as_object().cloned().unwrap()
}

/// `operation entity` of every change.
fn told(body: &Json) -> Vec<String> {
    let changes = body["changes"].as_array().unwrap().iter();
    changes
        .map(|change| {
            let entity = change["entity"].as_str().unwrap().strip_prefix("garden.").unwrap();
            format!("{} {entity}", change["operation"].as_str().unwrap())
        })
        .collect()
}

#[test]
fn a_change_is_told_in_the_forms_of_the_api() {
    let world = World::new();
    let desk = world.owner();
    let id = desk
        .create("tree", json!({ "name": "x", "price": { "amount": "1.00", "currency": "EUR" }, "rank": 1 }))
        .unwrap();
    let tree = world.entity("tree");
    let before = world.number("select count(*) from _stoa_changes");
    let fields = json!({ "price": { "amount": "2.50", "currency": "EUR" }, "share": "12.5", "done": true, "extra": { "a": 1 } });
    let body = desk
        .tried(move |tx| {
            let change = Change { id, version: Some(1), changes: members(object(fields)) };
            write::update(tx, &tree, vec![change])?;
            Ok(Reply::ok(b"{\"answer\":1}".to_vec()))
        })
        .unwrap();
    assert_eq!(body["result"], json!({ "answer": 1 }));
    assert_eq!((told(&body), &body["hidden"]), (vec!["updated tree".to_owned()], &json!(0)));
    let change = &body["changes"][0];
    assert_eq!(change["id"], json!(id));
    let without_stamps = |state: &Json| {
        let mut state = object(state.clone());
        state.remove("updated_by");
        Json::Object(state)
    };
    assert_eq!(
        without_stamps(&change["before"]),
        json!({ "version": 1, "price": { "amount": "1.00", "currency": "EUR" }, "share": null, "done": null, "extra": null })
    );
    assert_eq!(
        without_stamps(&change["after"]),
        json!({ "version": 2, "price": { "amount": "2.50", "currency": "EUR" }, "share": "12.5", "done": true, "extra": { "a": 1 } })
    );
    assert_eq!(desk.get("tree", id).unwrap()["version"], 1);
    assert_eq!(world.number("select count(*) from _stoa_changes"), before);
}

#[test]
fn what_cascades_and_what_hooks_do_is_told_too() {
    let world = World::new();
    let script = Script::new(|tx, hook, entity, drafts| {
        if hook == Hook::AfterCreate && &*entity.key == "tree" {
            let leaf = tx.module.entity("leaf").unwrap();
            for draft in drafts.iter() {
                let fields = json!({ "name": "sprout", "tree": draft.id });
                write::create_one(&tx.on(Authority::Plugin), &leaf, members(object(fields)))?;
                let change = Change {
                    id: draft.id,
                    version: None,
                    changes: members(object(json!({ "body": "grown" }))),
                };
                write::update(&tx.on(Authority::Plugin), entity, vec![change])?;
            }
        }
        Ok(())
    });
    let desk = world.owner().with(&script);
    let tree = world.entity("tree");
    let body = desk
        .tried(move |tx| {
            write::create_one(tx, &tree, members(object(json!({ "name": "x" }))))?;
            Ok(Reply { status: 201, location: Some("/x".into()), version: Some(2), ..Reply::default() })
        })
        .unwrap();
    assert_eq!(
        (told(&body), &body["result"]),
        (vec!["created tree".into(), "created leaf".into()], &Json::Null)
    );
    let change = &body["changes"][0];
    assert_eq!((&change["before"], &change["after"]["body"]), (&Json::Null, &json!("grown")));
    assert_eq!((&change["after"]["version"], change["after"].get("parent")), (&json!(2), None));
    assert_eq!(world.number("select count(*) from tree") + world.number("select count(*) from leaf"), 0);

    let id = world.owner().create("tree", json!({ "name": "x" })).unwrap();
    world.owner().create("note", json!({ "name": "n", "tree": id })).unwrap();
    world.owner().create("leaf", json!({ "name": "l", "tree": id })).unwrap();
    let tree = world.entity("tree");
    let body = world
        .owner()
        .tried(move |tx| {
            write::delete(tx, &tree, id, None).map(|()| Reply { status: 204, ..Reply::default() })
        })
        .unwrap();
    assert_eq!(told(&body), ["deleted tree", "deleted leaf", "updated note"]);
    let change = &body["changes"][0];
    assert_eq!((&change["before"]["deleted_at"], &change["before"]["version"]), (&Json::Null, &json!(1)));
    assert_eq!(change["after"]["deleted_at"], "2023-11-14T22:13:20.000Z");
    assert_eq!(body["changes"][2]["before"]["tree"], json!(id));
    assert_eq!(world.number("select count(*) from _stoa_trash"), 0);
}

#[test]
fn rows_that_the_caller_may_not_read_are_only_counted() {
    let world = World::new();
    let (ann, bob) = (world.person("Ann", "rep", None), world.person("Bob", "rep", None));
    let id = world.desk(ann.clone()).create("tree", json!({ "name": "x" })).unwrap();
    let fields = json!({ "name": "secret", "tree": id, "owner_id": bob.principal.id });
    world.desk(world.platform()).create("leaf", fields).unwrap();
    let tree = world.entity("tree");
    let body = world
        .desk(ann)
        .tried(move |tx| write::delete(tx, &tree, id, None).map(|()| Reply::default()))
        .unwrap();
    assert_eq!((told(&body), &body["hidden"]), (vec!["deleted tree".to_owned()], &json!(1)));
    assert!(!body.to_string().contains("secret"));
}

#[test]
fn a_return_and_a_purge_are_tried_like_everything_else() {
    let world = world();
    let desk = world.owner();
    let tree = desk.create("plant", json!({ "name": "tree", "external_ids": { "old": "1" } })).unwrap();
    let friend = desk.create("plant", json!({ "name": "friend", "friends": [tree] })).unwrap();
    desk.delete("plant", tree).unwrap();
    let before = snapshot(&world);
    let plant = world.entity("plant");
    let restore = move |tx: &Tx| trash::restore(tx, &plant, tree, Wish::default()).map(|_| Reply::default());
    let body = desk.tried(restore).unwrap();
    assert_eq!(told(&body), ["restored plant", "updated plant"]);
    assert_eq!(body["changes"][1]["id"], json!(friend));
    assert_eq!(body["changes"][1]["after"]["friends"], json!([tree]));
    let plant = world.entity("plant");
    let body = desk.tried(move |tx| trash::purge(tx, &plant, tree, false).map(|_| Reply::default())).unwrap();
    assert_eq!(told(&body), ["purged plant"]);
    assert_eq!(
        (&body["changes"][0]["before"]["name"], &body["changes"][0]["after"]),
        (&json!("tree"), &Json::Null)
    );
    assert_eq!(snapshot(&world), before);
}

#[test]
fn what_would_be_refused_is_refused() {
    let world = world();
    let plant = world.entity("plant");
    let id = world.owner().create("plant", json!({ "name": "x" })).unwrap();
    let purge = move |tx: &Tx| trash::purge(tx, &plant, id, false).map(|_| Reply::default());
    assert_eq!(conflict(world.owner().tried(purge)), "not_deleted");
    let plant = world.entity("plant");
    let missing = RecordId::new();
    let outcome =
        world.owner().tried(move |tx| write::delete(tx, &plant, missing, None).map(|()| Reply::default()));
    assert!(matches!(outcome, Err(RecordError::NotFound)));
}
