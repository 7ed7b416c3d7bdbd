//! The write pipeline, which every change passes, whoever asks for it: permission, shape, declared rules, plugin hooks,
//! store, all in the caller's one transaction. All failures of an input are reported, not the first.
//!
//! Reading order: `reach.rs` (which records), `shape.rs` (which values), `check.rs` (declared rules), `hooks.rs`,
//! `create.rs`, `update.rs`, `keep.rs` (into the file), `delete.rs` and `detach.rs` (to the recycle bin; out of it:
//! [`super::trash`]).

pub(in crate::records) mod check;
mod create;
pub(in crate::records) mod delete;
pub(in crate::records) mod detach;
pub(in crate::records) mod hooks;
pub(in crate::records) mod keep;
pub(in crate::records) mod reach;
pub(crate) mod rewrite;
pub(in crate::records) mod shape;
mod update;

use serde_json::{Map, Value as Json};

use super::error::{Fault, RecordError};
use crate::ids::RecordId;

pub use self::create::{create, create_one};
pub use self::delete::delete;
pub use self::reach::{find, readable};
pub(crate) use self::reach::{fresh, permits};
pub use self::shape::{Cellwise, Changes};
pub(crate) use self::shape::{fits, unless_empty};
pub use self::update::{update, update_each, update_rows};

/// What became of one row of a batch.
pub type RowOutcome = Result<RecordId, Vec<Fault>>;
/// What became of one change of a batch: the record's version.
pub type UpdateOutcome = Result<u64, Vec<Fault>>;

/// What became of one change: the record's version, or why it was not done, whatever the reason.
pub type ChangeOutcome = Result<u64, RecordError>;

/// A change of one record.
#[derive(Debug)]
pub struct Change {
    /// The record.
    pub id: RecordId,
    /// The version that the change was decided on, if it matters.
    pub version: Option<u64>,
    /// What changes.
    pub changes: Changes,
}

/// The members of a JSON object as changes.
#[must_use]
pub fn members(object: Map<String, Json>) -> Changes {
    Changes::Members(object)
}
