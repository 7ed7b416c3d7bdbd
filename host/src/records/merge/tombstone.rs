//! Who stands for a record that was merged away, and what is said to whoever asks for it.

use std::rc::Rc;

use serde_json::Map;

use super::store;
use crate::ids::{MergeId, RecordId};
use crate::records::error::{Fault, RecordError};
use crate::records::schema::Entity;
use crate::records::tx::Tx;
use crate::records::write::readable;
use crate::records::{Records, Scope};
use crate::storage::Connection;

/// Longest chain of merges that is followed: a record that was merged into one that was merged, and so on.
const CHAIN: usize = 1_000;

/// The record that stands for `record` today, and the merge by which it went.
///
/// # Errors
/// The file fails.
pub(in crate::records) fn successor(
    conn: &Rc<Connection>,
    entity: &Entity,
    record: RecordId,
) -> Result<Option<(RecordId, MergeId)>, RecordError> {
    let Some((mut last, merge)) = store::successor(conn, &entity.key, record)? else {
        return Ok(None);
    };
    for _ in 0..CHAIN {
        match store::successor(conn, &entity.key, last)? {
            Some((next, _)) => last = next,
            None => break,
        }
    }
    Ok(Some((last, merge)))
}

/// The record that an external id of a merged record finds today.
///
/// # Errors
/// The file fails.
pub(in crate::records) fn by_spare_id(
    conn: &Rc<Connection>,
    entity: &Entity,
    source: &str,
    value: &str,
) -> Result<Option<RecordId>, RecordError> {
    let Some(found) = store::by_spare_id(conn, &entity.key, source, value)? else {
        return Ok(None);
    };
    Ok(Some(successor(conn, entity, found)?.map_or(found, |(last, _)| last)))
}

/// The fault of a reference to a record that was merged away.
#[must_use]
pub(in crate::records) fn fault(field: &str, label: &str, into: RecordId) -> Fault {
    let detail = format!(
        "{label} names a record that was merged; send the id of the record it is part of now: {into}"
    );
    Fault::at(field, "reference_merged", detail)
}

/// What is answered to whoever wants to do something with a record that was merged away.
#[must_use]
pub fn refusal(record: RecordId, into: RecordId, merge: MergeId) -> RecordError {
    let mut extra = Map::new();
    extra.insert("record".into(), record.to_string().into());
    extra.insert("into".into(), into.to_string().into());
    extra.insert("merge".into(), merge.to_string().into());
    RecordError::Conflict {
        code: "merged".into(),
        detail: format!(
            "record {record} was merged into {into}; use that one, or take the merge back with \
             POST /api/v1/merges/{merge}/undo"
        ),
        extra,
        faults: Vec::new(),
    }
}

impl Records {
    /// The record that stands for one that was merged away, and the merge, if the caller may read that record.
    ///
    /// # Errors
    /// A file fails.
    pub fn merged_into(
        &self,
        scope: &Scope,
        entity: &Entity,
        record: RecordId,
    ) -> Result<Option<(RecordId, MergeId)>, RecordError> {
        let module = scope.module(&entity.plugin).ok_or(RecordError::NotFound)?;
        self.read(scope, module, |conn| {
            let found = successor(conn, entity, record)?;
            let Some((into, _)) = found else { return Ok(None) };
            Ok(if readable(conn, scope, entity, into)?.is_some() { found } else { None })
        })
    }

    /// Of records that are not there, those that were merged away, each with the record that stands for it.
    ///
    /// # Errors
    /// A file fails.
    pub(in crate::records) fn stand_ins(
        &self,
        scope: &Scope,
        entity: &Entity,
        missing: &[RecordId],
    ) -> Result<Vec<(RecordId, RecordId)>, RecordError> {
        let Some(module) = scope.module(&entity.plugin).filter(|_| !missing.is_empty()) else {
            return Ok(Vec::new());
        };
        self.read(scope, module, |conn| {
            let mut found = Vec::new();
            for record in missing {
                found.extend(successor(conn, entity, *record)?.map(|(into, _)| (*record, into)));
            }
            Ok(found)
        })
    }
}

/// Refuses what must not be done to a record that was merged away: restoring it from the recycle bin above all.
///
/// # Errors
/// [`RecordError::Conflict`] `merged` with the survivor, the merge and how to undo it; the file fails.
pub fn refuse_merged(tx: &Tx, entity: &Entity, record: RecordId) -> Result<(), RecordError> {
    match successor(&tx.conn, entity, record)? {
        Some((into, merge)) => Err(refusal(record, into, merge)),
        None => Ok(()),
    }
}

/// Refuses to let go of a record while a merge that it takes part in has still to change files of other modules.
///
/// # Errors
/// [`RecordError::Conflict`] `merge_pending`; the file fails.
pub(in crate::records) fn refuse_pending(
    tx: &Tx,
    entity: &Entity,
    record: RecordId,
) -> Result<(), RecordError> {
    for entry in store::unfinished_of(&tx.conn, &entity.key, record)? {
        for (module, state) in store::steps(&tx.conn, entry.id)? {
            // A module that the organization has no more does not hold anybody up; it follows when it is back.
            if !state.open() || tx.scope.module(&module).is_none() {
                continue;
            }
            let mut extra = Map::new();
            extra.insert("merge".into(), entry.id.to_string().into());
            return Err(RecordError::Conflict {
                code: "merge_pending".into(),
                detail: format!(
                    "merge {} of this record is not finished in `{module}`; try again in a moment",
                    entry.id
                ),
                extra,
                faults: Vec::new(),
            });
        }
    }
    Ok(())
}
