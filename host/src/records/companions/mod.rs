//! Companions: what people put beside a record of any entity. Comments with mentions, tags, followers, files; and the
//! timeline, in which all of that and the record's own changes are one feed.
//!
//! A plugin declares nothing for it: the tables are the host's, in the same file as the records (`0008_companions`), so
//! that a companion and the event that says what happened to it are one transaction. The change log does not see host
//! tables; `event.rs` stands in for it.
//!
//! Reading order: `access.rs` (who may), `event.rs`, `comment.rs` and `mention.rs`, `tag.rs`, `follower.rs`, `attachment/`
//! and `link.rs` (files; their contents are in `records/blobs.rs`), `moving.rs` (merges and purges), `changes.rs`,
//! `history.rs`, `timeline.rs` with `children.rs` and `item.rs`.
//!
//! **Invariant:** nothing of a record that the caller may not read is shown, counted or changed, not even that it is there.

mod access;
pub mod attachment;
pub mod changes;
mod children;
pub mod comment;
mod comment_store;
mod event;
pub mod follower;
pub mod history;
pub mod item;
pub mod link;
mod mention;
mod moving;
mod store;
pub mod tag;
#[cfg(test)]
mod tests;
pub mod timeline;

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::cursor;
use super::schema::Entity;
use super::tx::Tx;
use super::value::Value;
use super::{RecordError, Records, Scope};
use crate::ids::{MergeId, PrincipalId, RecordId};

pub use self::event::Happened;
pub use self::moving::{Move, Moved, MovedFollower, MovedTag, forget, put_back, reassign};

/// Says at every one of these records that a merge made them one, or that its undoing made them several again.
///
/// # Errors
/// The file fails.
pub(super) fn say_merge(
    tx: &Tx,
    entity: &Entity,
    (merge, survivor, losers): (MergeId, RecordId, &[RecordId]),
    (kind, at): (Happened, &[RecordId]),
) -> Result<(), RecordError> {
    let request = tx.scope.caller.request;
    let detail = json!({ "merge": merge, "survivor_id": survivor, "loser_ids": losers, "request": request });
    at.iter().try_for_each(|record| event::say(tx, entity, *record, kind, detail.clone()))
}

/// What this transaction said, later than `before`, of records that the caller may read.
///
/// # Errors
/// The file fails.
pub(super) fn said_since(tx: &Tx, before: RecordId) -> Result<Vec<Json>, RecordError> {
    let mut told = Vec::new();
    for event in store::events_since(&tx.conn, before)? {
        let Some(entity) = tx.module.entity(&event.entity) else { continue };
        match access::read(&tx.conn, &tx.scope, &entity, event.record) {
            Err(RecordError::NotFound | RecordError::Forbidden { .. }) => {}
            other => {
                other?;
                told.push(json!({
                    "entity": &*entity.object,
                    "id": event.record,
                    "event": event.kind.as_str(),
                    "detail": event.detail,
                }));
            }
        }
    }
    Ok(told)
}

/// How much of a list is asked for.
#[derive(Clone, Debug)]
pub struct Paging {
    /// How many: 1 to 200.
    pub limit: usize,
    /// Where to go on.
    pub cursor: Option<String>,
}

/// A page of a list.
#[derive(Debug, Serialize)]
pub struct Page<T> {
    /// The items.
    pub data: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next_cursor: Option<String>,
}

/// Somebody, as lists show them.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Person {
    /// Who.
    pub id: PrincipalId,
    /// Their name, while they have one.
    pub name: Option<String>,
}

/// Names of those who occur on a page.
struct Names(HashMap<PrincipalId, Arc<str>>);

impl Names {
    fn of(
        engine: &Records,
        scope: &Scope,
        ids: impl Iterator<Item = PrincipalId>,
    ) -> Result<Self, RecordError> {
        let ids: Vec<PrincipalId> = ids.collect();
        Ok(Self(engine.people.names(scope.organization.id, &ids)?))
    }

    fn person(&self, id: PrincipalId) -> Person {
        Person { id, name: self.0.get(&id).map(|name| (**name).to_owned()) }
    }
}

/// What the cursors of a list beside a record are bound to.
fn binding(list: &str, scope: &Scope, entity: &Entity, record: Option<RecordId>) -> String {
    let record = record.map(|id| id.to_string()).unwrap_or_default();
    format!("{list} {} {} {record}", scope.organization.id, entity.object)
}

/// The values of a cursor, if one was sent.
fn opened(
    engine: &Records,
    binding: &str,
    paging: &Paging,
    width: usize,
) -> Result<Option<Vec<Value>>, RecordError> {
    let Some(text) = &paging.cursor else { return Ok(None) };
    let values = cursor::open(&engine.cursor_key, binding, text).map(|(values, _)| values);
    values.filter(|values| values.len() == width).map(Some).ok_or_else(|| {
        RecordError::bad("invalid_cursor", "this cursor does not belong to this list; start without one")
    })
}

fn sealed(engine: &Records, binding: &str, values: &[Value]) -> String {
    cursor::seal(&engine.cursor_key, binding, values, 0)
}

/// A page of a list and the cursor of the next: `read` finds so many items behind the values of a cursor, of which there
/// are as many as `place` gives for an item.
fn paged<T, const WIDTH: usize>(
    engine: &Records,
    binding: &str,
    paging: &Paging,
    read: impl FnOnce(Option<Vec<Value>>, usize) -> Result<Vec<T>, RecordError>,
    place: impl Fn(&T) -> [Value; WIDTH],
) -> Result<(Vec<T>, Option<String>), RecordError> {
    let mut items = read(opened(engine, binding, paging, WIDTH)?, paging.limit + 1)?;
    let more = items.len() > paging.limit;
    items.truncate(paging.limit);
    let last = items.last().filter(|_| more).map(place);
    Ok((items, last.map(|values| sealed(engine, binding, &values))))
}

/// Where a list in the order of (instant, id) was read to.
fn after(values: Option<Vec<Value>>) -> Option<(i64, RecordId)> {
    let values = values?;
    Some((values.first()?.integer()?, values.get(1)?.id()?))
}
