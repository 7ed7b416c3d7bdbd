//! The recycle bin. What was deleted together is a cohort: it is kept together, shown, brought back together ([`restore`])
//! or thrown away for good ([`purge`]).
//!
//! A record in the bin keeps its row and all its values; it is found by nothing but this folder. Beside it stands who
//! deleted it, with which cohort, and which references to it were emptied then, so that they can be set again.

mod page;
mod purge;
mod reattach;
mod restore;
mod store;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::RecordError;
use super::merge;
use super::schema::{Entity, Module};
use super::tx::Tx;
use super::value::Value;
use super::write::delete::Part;
use super::write::detach::ByTarget;
use super::write::reach::{permits, reach};
use crate::clock::UnixMillis;
use crate::ids::{PrincipalId, RecordId};
use crate::storage::Connection;

pub use self::page::{Page, page};
pub use self::purge::purge;
pub use self::restore::{Wish, restore};

/// The action that brings a record back.
pub const RESTORE: &str = "restore";
/// The action that throws a record away for good.
pub const PURGE: &str = "purge";

/// A reference that was emptied because what it pointed at was deleted.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Detached {
    /// The entity of the record that refers.
    pub(super) entity: String,
    /// The record that refers.
    pub(super) record: RecordId,
    /// Its field.
    pub(super) field: String,
    /// Every id that stood there.
    pub(super) was: Vec<RecordId>,
    /// The record's version once it was emptied.
    pub(super) version: u64,
}

/// A record in the bin.
#[derive(Clone, Debug)]
struct Entry {
    record: RecordId,
    entity: String,
    cohort: RecordId,
    root: RecordId,
    place: i64,
    at: UnixMillis,
    by: PrincipalId,
    detached: Vec<Detached>,
}

/// Notes what one deletion moved to the bin.
///
/// # Errors
/// The file fails.
pub(super) fn keep(
    tx: &Tx,
    root: RecordId,
    parts: &[Part],
    mut detached: ByTarget,
) -> Result<(), RecordError> {
    let cohort = RecordId::new();
    for (place, part) in (0..).zip(parts) {
        for draft in &part.drafts {
            let entry = Entry {
                record: draft.id,
                entity: part.entity.key.to_string(),
                cohort,
                root,
                place,
                at: tx.now,
                by: tx.scope.caller.principal.id,
                detached: detached.remove(&draft.id).unwrap_or_default(),
            };
            store::insert(&tx.conn, &entry)?;
        }
    }
    Ok(())
}

/// Takes up what was deleted before there was this table: each record a cohort of its own. Once for each file.
///
/// # Errors
/// The file fails.
pub(super) fn adopt(conn: &Connection, module: &Module) -> Result<(), RecordError> {
    if store::adopted(conn)? {
        return Ok(());
    }
    for entity in &module.entities {
        store::adopt(conn, &entity.key)?;
    }
    store::mark_adopted(conn)
}

/// A record in the bin that the caller may read and reach with `action`, with its values.
///
/// # Errors
/// [`RecordError::NotFound`], [`RecordError::Forbidden`]; [`RecordError::Conflict`] when it is not in the bin.
fn find(
    tx: &Tx,
    entity: &Arc<Entity>,
    id: RecordId,
    action: &str,
) -> Result<(Entry, Vec<Value>), RecordError> {
    let row = store::row(&tx.conn, entity, id)?.filter(|row| reaches(tx, entity, "read", row));
    let row = row.ok_or(RecordError::NotFound)?;
    if !reaches(tx, entity, action, &row) {
        return Err(RecordError::Forbidden { object: entity.object.to_string(), action: action.to_owned() });
    }
    merge::refuse_merged(tx, entity, id)?;
    let entry = store::entry(&tx.conn, id)?;
    let entry = entry.ok_or_else(|| {
        RecordError::conflict("not_deleted", "this record is not in the recycle bin; delete it first")
    })?;
    Ok((entry, row))
}

/// Whether this row is one of those that the authority reaches with `action`.
fn reaches(tx: &Tx, entity: &Entity, action: &str, row: &[Value]) -> bool {
    let rows = reach(tx, entity, action);
    !rows.as_ref().is_some_and(crate::policy::Decision::never) && permits(tx, entity, &rows, row)
}
