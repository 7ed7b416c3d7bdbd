//! Items of a timeline: what a change, an event and a change of a child look like.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::changes::Entry;
use super::children::Child;
use super::comment::Comment;
use super::event::Event;
use super::history::ChangeView;
use super::timeline::Part;
use super::{Names, Person};
use crate::clock::rfc3339;
use crate::ids::RecordId;
use crate::records::Scope;

/// One item of a timeline.
#[derive(Debug, Serialize)]
pub struct Item {
    /// Which part it belongs to.
    #[serde(rename = "type")]
    pub part: &'static str,
    /// What it is.
    #[serde(flatten)]
    pub what: What,
}

/// What an item says, by its part.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum What {
    /// A change of the record.
    Change(ChangeView),
    /// Something that happened to a companion; `detail` by its event.
    Happened {
        /// Its id.
        id: RecordId,
        /// What happened.
        event: &'static str,
        /// When.
        at: String,
        /// Who.
        by: Person,
        /// The comment, the file, the tags, the follower.
        #[serde(flatten)]
        detail: Map<String, Json>,
    },
    /// A change of a record that refers to this one.
    Child {
        /// Its number in the log.
        id: String,
        /// `created`, `updated`, `deleted`, `restored`.
        event: &'static str,
        /// When.
        at: String,
        /// Who.
        by: Person,
        /// Which record.
        record: ChildView,
        /// The fields that were changed.
        fields: Vec<String>,
    },
}

/// A record that refers, as a timeline shows it.
#[derive(Debug, Serialize)]
pub struct ChildView {
    /// Its id.
    pub id: RecordId,
    /// `plugin.entity`.
    pub entity: String,
    /// What people call it.
    pub title: Option<String>,
}

/// The keys of the fields that an entry of a child touches; of a new one there is no need to say.
pub(super) fn touched(scope: &Scope, child: &Child, entry: &Entry) -> Vec<String> {
    if entry.operation == "insert" {
        return Vec::new();
    }
    let fields = child.entity.fields.iter().chain(child.entity.attribute("owner_id"));
    let keys = fields.filter(|field| scope.shows(&child.entity, field)).filter(|field| {
        entry.new.contains_key(&*field.key) || entry.new.contains_key(&format!("{}_currency", field.key))
    });
    keys.map(|field| field.key.to_string()).collect()
}

/// What an event says beyond who and when.
pub(super) fn detail(
    event: &Event,
    names: &Names,
    comments: &HashMap<RecordId, Comment>,
) -> Map<String, Json> {
    let mut members = Map::new();
    let stored = |name: &str| event.detail.get(name).cloned().unwrap_or_default();
    let id = |name: &str| event.detail.get(name).and_then(Json::as_str).map(str::to_owned);
    match Part::of(event.kind) {
        Part::Comments => {
            let comment =
                id("comment").and_then(|id| id.parse().ok()).and_then(|id: RecordId| comments.get(&id));
            let live = comment.filter(|comment| comment.deleted_at.is_none());
            members.insert(
                "comment".into(),
                serde_json::json!({
                    "id": stored("comment"),
                    "text": live.map(|comment| &comment.text),
                    "edited_at": comment.and_then(|comment| comment.edited_at).map(rfc3339),
                    "deleted": live.is_none(),
                }),
            );
        }
        Part::Tags => {
            members.insert("added".into(), stored("added"));
            members.insert("removed".into(), stored("removed"));
        }
        Part::Followers => {
            let user = id("user").and_then(|id| id.parse().ok()).map(|id| names.person(id));
            members.insert("user".into(), serde_json::to_value(user).unwrap_or_default());
        }
        Part::Files => {
            members.insert("file".into(), event.detail.clone());
        }
        Part::Merges => {
            for name in ["merge", "survivor_id", "loser_ids"] {
                members.insert(name.into(), stored(name));
            }
        }
        Part::Changes | Part::Children => {}
    }
    members
}
