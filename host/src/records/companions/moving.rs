//! What becomes of a record's companions when the record does not stay what it was: two become one, one falls apart again,
//! one is gone for good.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::store;
use crate::clock::UnixMillis;
use crate::ids::{PrincipalId, RecordId};
use crate::records::RecordError;
use crate::storage::Connection;

/// Companions of one kind that went from one record to another: what [`put_back`] needs, as JSON in the log of a merge.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Move {
    /// The entity's key.
    pub entity: String,
    /// Where they were.
    pub from: RecordId,
    /// Where they are now.
    pub to: RecordId,
    /// What went.
    pub moved: Moved,
}

/// What went from one record to another.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Moved {
    /// Comments, by id.
    Comments(Vec<RecordId>),
    /// Files, by id.
    Files(Vec<RecordId>),
    /// What the timeline says of companions, by id.
    Events(Vec<RecordId>),
    /// Tags.
    Tags(Vec<MovedTag>),
    /// Followers.
    Followers(Vec<MovedFollower>),
}

/// A tag as the record had it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct MovedTag {
    /// As it is compared.
    pub fold: String,
    /// As it is written.
    pub tag: String,
    /// Since when.
    pub at: UnixMillis,
    /// Who gave it.
    pub principal: PrincipalId,
    /// Whether the other record did not have it.
    pub new: bool,
}

/// A follower as the record had one.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct MovedFollower {
    /// Who.
    pub user: PrincipalId,
    /// Since when.
    pub at: UnixMillis,
    /// Whether the other record did not have them.
    pub new: bool,
}

/// Gives everything beside the record `from` to the record `to`: comments, files and their history move, tags and followers
/// are united. Answers what [`put_back`] needs. In the caller's transaction.
///
/// # Errors
/// The file fails.
pub fn reassign(
    conn: &Rc<Connection>,
    entity: &str,
    from: RecordId,
    to: RecordId,
) -> Result<Vec<Move>, RecordError> {
    let moved = [
        Moved::Comments(store::move_rows(conn, store::COMMENTS, entity, from, to)?),
        Moved::Files(store::move_rows(conn, store::ATTACHMENTS, entity, from, to)?),
        Moved::Events(store::move_rows(conn, store::EVENTS, entity, from, to)?),
        Moved::Tags(store::move_tags(conn, entity, from, to)?),
        Moved::Followers(store::move_followers(conn, entity, from, to)?),
    ];
    let made = moved.into_iter().filter(|moved| !moved.is_empty());
    Ok(made.map(|moved| Move { entity: entity.to_owned(), from, to, moved }).collect())
}

impl Moved {
    fn is_empty(&self) -> bool {
        match self {
            Self::Comments(ids) | Self::Files(ids) | Self::Events(ids) => ids.is_empty(),
            Self::Tags(tags) => tags.is_empty(),
            Self::Followers(followers) => followers.is_empty(),
        }
    }
}

/// Undoes [`reassign`]: what came from the one record goes back to it. What was done to it meanwhile stays done; what is
/// gone meanwhile stays gone.
///
/// # Errors
/// The file fails.
pub fn put_back(conn: &Rc<Connection>, moves: &[Move]) -> Result<(), RecordError> {
    for Move { entity, from, to, moved } in moves {
        let (from, to) = (*from, *to);
        match moved {
            Moved::Comments(ids) => store::return_rows(conn, store::COMMENTS, ids, from, to)?,
            Moved::Files(ids) => store::return_rows(conn, store::ATTACHMENTS, ids, from, to)?,
            Moved::Events(ids) => store::return_rows(conn, store::EVENTS, ids, from, to)?,
            Moved::Tags(tags) => store::return_tags(conn, entity, tags, from, to)?,
            Moved::Followers(followers) => store::return_followers(conn, entity, followers, from, to)?,
        }
    }
    Ok(())
}

/// Removes everything beside a record, for good: the record is purged. The contents of its files are on the disk until
/// [`Records::sweep_left`](crate::records::Records::sweep_left) is called after the commit, as every upload and deletion of a
/// file of this module does, and every start.
///
/// # Errors
/// The file fails.
pub fn forget(conn: &Rc<Connection>, entity: &str, record: RecordId) -> Result<(), RecordError> {
    store::forget(conn, entity, record)
}
