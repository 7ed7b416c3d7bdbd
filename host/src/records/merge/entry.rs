//! A merge as the log knows it.

use serde_json::{Value as Json, json};

use crate::clock::{UnixMillis, rfc3339};
use crate::ids::{MergeId, PrincipalId, RecordId, RequestId};
use crate::records::value::Value;

/// How far a merge, or its step in one module, is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// The records are one; references of other modules are still to follow.
    Pending,
    /// Everything followed.
    Done,
    /// The records are apart again; references of other modules are still to come back.
    Undoing,
    /// As it was before.
    Undone,
}

impl State {
    /// The word that is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Done => "done",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
        }
    }

    /// The state of a stored word; the table holds no other.
    pub(super) fn parse(word: &str) -> Self {
        match word {
            "pending" => Self::Pending,
            "undoing" => Self::Undoing,
            "undone" => Self::Undone,
            _ => Self::Done,
        }
    }

    /// Whether files of other modules are still to be changed.
    #[must_use]
    pub const fn open(self) -> bool {
        matches!(self, Self::Pending | Self::Undoing)
    }

    /// What an open state becomes once nothing is left to do.
    pub(super) const fn settled(self) -> Self {
        match self {
            Self::Pending | Self::Done => Self::Done,
            Self::Undoing | Self::Undone => Self::Undone,
        }
    }
}

/// One merge of the log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its id.
    pub id: MergeId,
    /// The entity's key.
    pub entity: String,
    /// The record that stayed.
    pub survivor: RecordId,
    /// Those that became part of it, in the order given.
    pub losers: Vec<RecordId>,
    /// How far it is.
    pub state: State,
    /// When.
    pub at: UnixMillis,
    /// By whom.
    pub by: PrincipalId,
    /// In which request.
    pub request: RequestId,
    /// When it was undone.
    pub undone_at: Option<UnixMillis>,
    /// By whom it was undone.
    pub undone_by: Option<PrincipalId>,
    /// The survivor's owner when they were merged.
    pub(super) owner: Value,
    /// The survivor's team when they were merged.
    pub(super) team: Value,
}

impl Entry {
    /// Everybody who takes part, the survivor first.
    pub(super) fn records(&self) -> impl Iterator<Item = RecordId> + '_ {
        std::iter::once(self.survivor).chain(self.losers.iter().copied())
    }

    /// As the API shows it; `object` is `plugin.entity`.
    pub(super) fn shown(&self, object: &str) -> Json {
        json!({
            "id": self.id,
            "entity": object,
            "survivor_id": self.survivor,
            "loser_ids": self.losers,
            "state": self.state.as_str(),
            "at": rfc3339(self.at),
            "by": self.by,
            "undone_at": self.undone_at.map(rfc3339),
            "undone_by": self.undone_by,
        })
    }
}

/// What the log keeps beside an [`Entry`]. All JSON.
#[derive(Clone, Debug, Default)]
pub(super) struct Images {
    /// What the caller chose.
    pub(super) choices: Json,
    /// Where values came from, by field.
    pub(super) origins: Json,
    /// The rows before: `{"survivor": …, "losers": […]}`.
    pub(super) before: Json,
    /// The survivor's row after.
    pub(super) after: Json,
    /// References that were emptied.
    pub(super) broken: Json,
    /// The companions of the losers that moved.
    pub(super) beside: Json,
    /// What the undoing said; null: it was not undone.
    pub(super) undo: Json,
}

impl Images {
    /// The images of the losers, in order.
    pub(super) fn losers(&self) -> &[Json] {
        self.before.get("losers").and_then(Json::as_array).map_or(&[], Vec::as_slice)
    }

    /// The losers that the undoing found gone for good.
    pub(super) fn missing(&self) -> Vec<RecordId> {
        let listed = self.undo.get("purged").cloned().unwrap_or_default();
        serde_json::from_value(listed).unwrap_or_default()
    }
}

/// A reference that followed a merge.
#[derive(Clone, Debug)]
pub(super) struct Move {
    /// The key of the entity that refers.
    pub(super) entity: String,
    /// Its field.
    pub(super) field: String,
    /// The record that refers.
    pub(super) record: RecordId,
    /// The column before.
    pub(super) old: Json,
    /// The column after.
    pub(super) new: Json,
    /// The record's version after.
    pub(super) version: i64,
    /// Why it was not moved back.
    pub(super) reason: Option<String>,
}
