//! Companions on real files: who may, what is kept, what is told, what moves and goes.

mod feed;
mod files;
mod moving;
mod talk;

use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::comment::{self, CommentView, Words};
use super::item::Item;
use super::tag::{self, Tag, Tagging};
use super::timeline::{self, Part, Query};
use super::{Page, Paging, follower};
use crate::ids::RecordId;
use crate::records::RecordError;
use crate::records::schema::Entity;
use crate::records::tests::world::{Desk, World};
use crate::storage::Connection;

/// What the tests say of one record of `tree`.
struct Bench<'w> {
    desk: Desk<'w>,
    tree: Arc<Entity>,
}

impl<'w> Bench<'w> {
    fn of(desk: Desk<'w>) -> Self {
        Self { tree: desk.world.entity("tree"), desk }
    }

    fn plant(&self, name: &str) -> RecordId {
        self.desk.create("tree", json!({ "name": name })).unwrap()
    }

    fn read<T>(&self, f: impl FnOnce(&Rc<Connection>) -> Result<T, RecordError>) -> Result<T, RecordError> {
        let World { records, module, .. } = self.desk.world;
        records.read(&self.desk.scope, module, f)
    }

    fn comment(&self, record: RecordId, json: Json) -> Result<RecordId, RecordError> {
        let (tree, words) = (Arc::clone(&self.tree), words(json));
        self.desk.write(move |tx| comment::add(tx, &tree, record, &words?))
    }

    fn comments(&self, record: RecordId, paging: &Paging) -> Result<Page<CommentView>, RecordError> {
        let (engine, scope) = (&self.desk.world.records, &self.desk.scope);
        self.read(|conn| comment::page(engine, scope, conn, &self.tree, record, paging))
    }

    fn tag(&self, record: RecordId, tagging: Tagging) -> Result<Vec<String>, RecordError> {
        let tree = Arc::clone(&self.tree);
        self.desk.write(move |tx| tag::change(tx, &tree, record, tagging))
    }

    fn follow(&self, record: RecordId) -> Result<(), RecordError> {
        let tree = Arc::clone(&self.tree);
        self.desk.write(move |tx| follower::follow(tx, &tree, record))
    }

    fn followers(&self, record: RecordId) -> Result<Vec<String>, RecordError> {
        let (engine, scope) = (&self.desk.world.records, &self.desk.scope);
        let page = self.read(|conn| follower::page(engine, scope, conn, &self.tree, record, &first(200)))?;
        let mut names: Vec<String> =
            page.data.into_iter().map(|follower| follower.person.name.unwrap_or_default()).collect();
        names.sort();
        Ok(names)
    }

    fn timeline(&self, record: RecordId, parts: &[Part], paging: &Paging) -> Result<Page<Item>, RecordError> {
        let World { records, module, .. } = self.desk.world;
        let query = Query { module, entity: &self.tree, record, parts, paging };
        self.read(|conn| timeline::page(records, &self.desk.scope, conn, &query))
    }

    /// `type event` of every item, the newest first.
    fn told(&self, record: RecordId, parts: &[Part]) -> Vec<String> {
        let page = self.timeline(record, parts, &first(200)).unwrap();
        let page = serde_json::to_value(page).unwrap();
        let items = page["data"].as_array().unwrap();
        let word = |item: &Json, name: &str| item[name].as_str().unwrap().to_owned();
        items.iter().map(|item| format!("{} {}", word(item, "type"), word(item, "event"))).collect()
    }
}

fn words(json: Json) -> Result<Words, RecordError> {
    Words::parse(json.as_object().unwrap())
}

fn first(limit: usize) -> Paging {
    Paging { limit, cursor: None }
}

fn set(tags: &[&str]) -> Tagging {
    Tagging::Set(tags.iter().map(|tag| Tag::parse(tag).unwrap()).collect())
}
