//! What happened to a record's companions. The change log does not see their tables; these events stand in for it.

use std::rc::Rc;

use serde_json::Value as Json;

use super::store;
use crate::clock::UnixMillis;
use crate::ids::{PrincipalId, RecordId};
use crate::records::RecordError;
use crate::records::schema::Entity;
use crate::records::tx::Tx;
use crate::storage::Connection;

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Happened {
    /// A comment was written.
    Commented,
    /// A comment was changed; the detail holds the text before.
    CommentEdited,
    /// A comment was deleted.
    CommentDeleted,
    /// Tags were given or taken.
    Tagged,
    /// Somebody follows.
    Followed,
    /// Somebody follows no more.
    Unfollowed,
    /// A file was added.
    FileAdded,
    /// A file was removed.
    FileRemoved,
    /// Records became one: said of all of them.
    Merged,
    /// They are several again.
    Unmerged,
}

impl Happened {
    /// All of them.
    pub(super) const ALL: [Self; 10] = [
        Self::Commented,
        Self::CommentEdited,
        Self::CommentDeleted,
        Self::Tagged,
        Self::Followed,
        Self::Unfollowed,
        Self::FileAdded,
        Self::FileRemoved,
        Self::Merged,
        Self::Unmerged,
    ];

    /// The word that is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Commented => "commented",
            Self::CommentEdited => "comment_edited",
            Self::CommentDeleted => "comment_deleted",
            Self::Tagged => "tagged",
            Self::Followed => "followed",
            Self::Unfollowed => "unfollowed",
            Self::FileAdded => "file_added",
            Self::FileRemoved => "file_removed",
            Self::Merged => "merged",
            Self::Unmerged => "unmerged",
        }
    }

    /// The kind with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) id: RecordId,
    pub(super) entity: String,
    pub(super) record: RecordId,
    pub(super) at: UnixMillis,
    pub(super) by: PrincipalId,
    pub(super) kind: Happened,
    pub(super) detail: Json,
}

/// Says that the caller of this transaction did something.
///
/// # Errors
/// The file fails.
pub(super) fn say(
    tx: &Tx,
    entity: &Entity,
    record: RecordId,
    kind: Happened,
    detail: Json,
) -> Result<(), RecordError> {
    say_of(&tx.conn, &entity.key, record, (tx.now, tx.scope.caller.principal.id), kind, detail)
}

/// The same for whoever did it then.
///
/// # Errors
/// The file fails.
pub(super) fn say_of(
    conn: &Rc<Connection>,
    entity: &str,
    record: RecordId,
    (at, by): (UnixMillis, PrincipalId),
    kind: Happened,
    detail: Json,
) -> Result<(), RecordError> {
    let event = Event { id: RecordId::new(), entity: entity.to_owned(), record, at, by, kind, detail };
    store::add_event(conn, &event)
}
