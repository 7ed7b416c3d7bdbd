//! The timeline of a record: its changes, what people put beside it, and what was changed lately in the records that refer
//! to it, as one feed, the newest first.
//!
//! Each source is read in its own order from its own place, at most one page of it; the page takes the newest of all. The
//! cursor holds the places, so a page costs the same however long the feed is, and nothing is shown twice or left out.

use std::collections::HashMap;
use std::rc::Rc;

use serde_json::Value as Json;

use super::changes::{Amounts, Entry, readable};
use super::children::{self, ChildEntry};
use super::comment::Comment;
use super::event::{Event, Happened};
use super::history::ChangeView;
use super::item::{ChildView, Item, What, detail, touched};
use super::{Names, Page, Paging, access, binding, changes, comment_store, opened, sealed, store};
use crate::clock::rfc3339;
use crate::ids::{PrincipalId, RecordId};
use crate::records::schema::{Entity, Module};
use crate::records::value::Value;
use crate::records::{RecordError, Records, Scope};
use crate::storage::Connection;

/// What a timeline can be made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// The record's own changes.
    Changes,
    /// Comments, and what was done to them.
    Comments,
    /// Files that came and went.
    Files,
    /// Tags given and taken.
    Tags,
    /// Who follows and who no more.
    Followers,
    /// Merges that it took part in, and their undoing.
    Merges,
    /// Changes of records that refer to this one.
    Children,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Changes,
        Self::Comments,
        Self::Files,
        Self::Tags,
        Self::Followers,
        Self::Merges,
        Self::Children,
    ];

    /// The word in addresses and items.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Changes => "changes",
            Self::Comments => "comments",
            Self::Files => "files",
            Self::Tags => "tags",
            Self::Followers => "followers",
            Self::Merges => "merges",
            Self::Children => "children",
        }
    }

    pub(super) const fn of(kind: Happened) -> Self {
        match kind {
            Happened::Commented | Happened::CommentEdited | Happened::CommentDeleted => Self::Comments,
            Happened::Tagged => Self::Tags,
            Happened::Followed | Happened::Unfollowed => Self::Followers,
            Happened::FileAdded | Happened::FileRemoved => Self::Files,
            Happened::Merged | Happened::Unmerged => Self::Merges,
        }
    }

    /// Reads `changes,comments`.
    ///
    /// # Errors
    /// [`RecordError::BadRequest`] for an unknown word, or one that stands twice.
    pub fn parse(text: &str) -> Result<Vec<Self>, RecordError> {
        let mut parts = Vec::new();
        for word in text.split(',') {
            let part = Self::ALL.into_iter().find(|part| part.as_str() == word);
            match part.filter(|part| !parts.contains(part)) {
                Some(part) => parts.push(part),
                None => {
                    let known: Vec<&str> = Self::ALL.iter().map(|part| part.as_str()).collect();
                    let detail = format!("`types` takes some of {}, each once", known.join(", "));
                    return Err(RecordError::bad("invalid_types", detail));
                }
            }
        }
        Ok(parts)
    }
}

/// Where each source was read to.
struct Place {
    changes: i64,
    events: (i64, RecordId),
    children: i64,
    amounts: Amounts,
}

impl Place {
    fn newest(entity: &Entity, values: &[Value]) -> Self {
        Self {
            changes: i64::MAX,
            events: (i64::MAX, RecordId::from_bytes([0xff; 16])),
            children: i64::MAX,
            amounts: Amounts::now(entity, values),
        }
    }

    fn read(values: &[Value]) -> Option<Self> {
        let [changes, at, id, children, amounts] = values else { return None };
        Some(Self {
            changes: changes.integer()?,
            events: (at.integer()?, id.id()?),
            children: children.integer()?,
            amounts: Amounts::read(amounts.text()?),
        })
    }

    fn values(&self, scope: &Scope, entity: &Entity) -> [Value; 5] {
        [
            Value::Integer(self.changes),
            Value::Integer(self.events.0),
            self.events.1.into(),
            Value::Integer(self.children),
            Value::Text(self.amounts.written(|key| readable(scope, entity, key))),
        ]
    }
}

/// The next thing of a source.
enum Next {
    Change(Entry),
    Event(Event),
    Child(ChildEntry),
}

impl Next {
    const fn at(&self) -> i64 {
        match self {
            Self::Change(entry) => entry.at,
            Self::Event(event) => event.at,
            Self::Child(child) => child.entry.at,
        }
    }

    const fn by(&self) -> PrincipalId {
        match self {
            Self::Change(entry) => entry.by,
            Self::Event(event) => event.by,
            Self::Child(child) => child.entry.by,
        }
    }
}

/// What a timeline is asked for: of what, which parts of it, how much.
pub struct Query<'a> {
    /// Where the entity is declared.
    pub module: &'a Module,
    /// The entity.
    pub entity: &'a Entity,
    /// The record.
    pub record: RecordId,
    /// Which parts.
    pub parts: &'a [Part],
    /// How much.
    pub paging: &'a Paging,
}

/// A page of a record's timeline.
///
/// # Errors
/// [`RecordError::NotFound`], a cursor of another list, or a file fails.
pub fn page(
    engine: &Records,
    scope: &Scope,
    conn: &Rc<Connection>,
    query: &Query<'_>,
) -> Result<Page<Item>, RecordError> {
    let Query { entity, record, parts, paging, .. } = *query;
    let values = access::read(conn, scope, entity, record)?;
    let words: Vec<&str> = parts.iter().map(|part| part.as_str()).collect();
    let binding = format!("{} {}", binding("timeline", scope, entity, Some(record)), words.join(","));
    let mut place = match opened(engine, &binding, paging, 5)? {
        Some(values) => {
            Place::read(&values).ok_or_else(|| RecordError::bad("invalid_cursor", "start anew"))?
        }
        None => Place::newest(entity, &values),
    };
    let mut found = candidates(conn, scope, query, &place)?;
    // Stable: what happened at the same instant keeps the order of its source.
    found.sort_by_key(|next| std::cmp::Reverse(next.at()));
    let more = found.len() > paging.limit;
    found.truncate(paging.limit);
    let names = Names::of(engine, scope, found.iter().flat_map(people))?;
    let comments = comments_of(conn, &found)?;
    let mut data = Vec::with_capacity(found.len());
    for next in found {
        data.push(item(scope, entity, next, &mut place, &names, &comments));
    }
    let next_cursor = more.then(|| sealed(engine, &binding, &place.values(scope, entity)));
    Ok(Page { data, next_cursor })
}

/// One more than a page of every source.
fn candidates(
    conn: &Rc<Connection>,
    scope: &Scope,
    query: &Query<'_>,
    place: &Place,
) -> Result<Vec<Next>, RecordError> {
    let Query { module, entity, record, parts, paging } = *query;
    let (limit, mut found) = (paging.limit + 1, Vec::new());
    if parts.contains(&Part::Changes) {
        let (entries, _) = changes::entries(conn, entity, record, place.changes, None, limit)?;
        found.extend(entries.into_iter().map(Next::Change));
    }
    let kinds: Vec<Happened> =
        Happened::ALL.into_iter().filter(|kind| parts.contains(&Part::of(*kind))).collect();
    if !kinds.is_empty() {
        let events = store::events(conn, &entity.key, record, place.events, &kinds, limit)?;
        found.extend(events.into_iter().map(Next::Event));
    }
    if parts.contains(&Part::Children) {
        let entries = children::entries(conn, scope, module, (entity, record), place.children, limit)?;
        found.extend(entries.into_iter().map(Next::Child));
    }
    Ok(found)
}

/// Everybody whom an item names.
fn people(next: &Next) -> impl Iterator<Item = PrincipalId> {
    let other = match next {
        Next::Event(event) => event.detail.get("user").and_then(Json::as_str).and_then(|id| id.parse().ok()),
        _ => None,
    };
    std::iter::once(next.by()).chain(other)
}

/// The comments of which the page speaks, in one query.
fn comments_of(conn: &Rc<Connection>, found: &[Next]) -> Result<HashMap<RecordId, Comment>, RecordError> {
    let ids: Vec<RecordId> = found
        .iter()
        .filter_map(|next| match next {
            Next::Event(event) => event.detail.get("comment")?.as_str()?.parse().ok(),
            _ => None,
        })
        .collect();
    comment_store::by_ids(conn, &ids)
}

/// An item, and the place behind it.
fn item(
    scope: &Scope,
    entity: &Entity,
    next: Next,
    place: &mut Place,
    names: &Names,
    comments: &HashMap<RecordId, Comment>,
) -> Item {
    let by = names.person(next.by());
    match next {
        Next::Change(entry) => {
            place.changes = entry.seq;
            let mut changes = place.amounts.step_back(entity, &entry, None);
            changes.retain(|change| readable(scope, entity, &change.field));
            Item { part: Part::Changes.as_str(), what: What::Change(ChangeView::new(&entry, changes, by)) }
        }
        Next::Event(event) => {
            place.events = (event.at, event.id);
            let what = What::Happened {
                id: event.id,
                event: event.kind.as_str(),
                at: rfc3339(event.at),
                by,
                detail: detail(&event, names, comments),
            };
            Item { part: Part::of(event.kind).as_str(), what }
        }
        Next::Child(ChildEntry { child, entry }) => {
            place.children = entry.seq;
            let what = What::Child {
                id: entry.seq.to_string(),
                event: entry.event(),
                at: rfc3339(entry.at),
                by,
                fields: touched(scope, &child, &entry),
                record: ChildView {
                    id: child.id,
                    entity: child.entity.object.to_string(),
                    title: child.title,
                },
            };
            Item { part: Part::Children.as_str(), what }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_known_words_each_once() {
        assert_eq!(Part::parse("tags,changes").unwrap(), [Part::Tags, Part::Changes]);
        for bad in ["", "tags,", "tags,tags", "Tags", "everything"] {
            assert!(Part::parse(bad).is_err(), "{bad}");
        }
    }
}
