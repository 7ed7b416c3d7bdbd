//! What a dry run tells: the answer that would have been given, and every record that would have changed, out of what the
//! change log had recorded by then. So the changes of hooks and cascades are in it like those of the request itself. What
//! stands beside records is not in the change log; its events are told instead.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::Arc;

use serde_json::Value as Json;

use super::Scope;
use super::companions;
use super::error::RecordError;
use super::json::{write_id, write_text};
use super::list;
use super::mutation::Reply;
use super::schema::{DELETED_AT, Entity, Field};
use super::shown::{columns, fields, write_deleted_at, write_members};
use super::tx::Tx;
use super::value::Value;
use super::write::permits;
use crate::ids::RecordId;
use crate::storage::{ChangeMark, TouchKind, Touched};

/// Where a trial began.
pub(super) struct Mark {
    changes: ChangeMark,
    /// Older than every event of the trial: ids grow with time, and the file has one writer.
    events: RecordId,
}

impl Mark {
    /// The state of the transaction as it is now.
    pub(super) fn now(tx: &Tx) -> Self {
        Self { changes: tx.conn.change_mark(), events: RecordId::new() }
    }
}

/// `{"dry_run":true,"result":…,"changes":[…],"hidden":n,"beside":[…]}` of what was done since `mark`.
///
/// # Errors
/// The file fails.
pub(super) fn report(tx: &Tx, mark: &Mark, reply: &Reply) -> Result<Vec<u8>, RecordError> {
    let mut out = b"{\"dry_run\":true,\"result\":".to_vec();
    out.extend_from_slice(if reply.body.is_empty() { b"null" } else { &reply.body });
    out.extend_from_slice(b",\"changes\":[");
    let (mut hidden, mut written) = (0_usize, false);
    for history in histories(tx.conn.changes_since(mark.changes)?) {
        // Tables that are no entity's are the plugin's private matter.
        let Some(entity) = tx.module.entity(&history.table) else { continue };
        let id = RecordId::from_bytes(history.id);
        let now = list::rows(&tx.conn, &entity, "id = ?1", "", &[id.into()])?.pop();
        let before = history.before(&entity, now.as_deref());
        if before == now {
            continue;
        }
        if !readable(tx, &entity, [before.as_deref(), now.as_deref()]) {
            hidden += 1;
            continue;
        }
        if std::mem::replace(&mut written, true) {
            out.push(b',');
        }
        write_change(&tx.scope, &entity, id, [before.as_deref(), now.as_deref()], &mut out);
    }
    let beside = companions::said_since(tx, mark.events)?;
    // Writing into a vector cannot fail.
    let _ = write!(out, "],\"hidden\":{hidden},\"beside\":{}}}", Json::Array(beside));
    Ok(out)
}

/// All that happened to one row.
struct History {
    table: Box<str>,
    id: [u8; 16],
    /// Whether the first that happened was that it came to be.
    is_new: bool,
    /// The first value that every changed column had.
    first: HashMap<String, Value>,
}

/// The rows that were touched, each once, in the order in which they were touched first.
fn histories(touched: Vec<Touched>) -> Vec<History> {
    // A private table of the plugin may be keyed by the same id.
    let mut all: Vec<History> = Vec::new();
    let mut places: HashMap<(Box<str>, [u8; 16]), usize> = HashMap::new();
    for Touched { table, id, kind, before } in touched {
        let at = *places.entry((table.clone(), id)).or_insert_with(|| {
            let is_new = kind == TouchKind::Inserted;
            all.push(History { table, id, is_new, first: HashMap::new() });
            all.len() - 1
        });
        let Some(history) = all.get_mut(at) else { continue };
        for (column, value) in before {
            history.first.entry(column).or_insert_with(|| Value::from_sql((&value).into()));
        }
    }
    all
}

impl History {
    /// The row as it stood before all of it: as it stands now, with what was changed put back.
    fn before(mut self, entity: &Entity, now: Option<&[Value]>) -> Option<Vec<Value>> {
        if self.is_new {
            return None;
        }
        let mut values = now.map_or_else(|| vec![Value::Null; entity.width], <[Value]>::to_vec);
        for (name, slot) in entity.columns().zip(&mut values) {
            if let Some(value) = self.first.remove(&name) {
                *slot = value;
            }
        }
        Some(values)
    }
}

/// Whether the caller may read the record in each of its states.
fn readable(tx: &Tx, entity: &Entity, states: [Option<&[Value]>; 2]) -> bool {
    let rows = tx.scope.policy.decide(&tx.scope.caller.principal, &entity.object, "read");
    let rows = Some(rows).filter(|rows| !rows.never());
    rows.is_some() && states.into_iter().flatten().all(|values| permits(tx, entity, &rows, values))
}

fn write_change(
    scope: &Scope,
    entity: &Arc<Entity>,
    id: RecordId,
    [before, after]: [Option<&[Value]>; 2],
    out: &mut Vec<u8>,
) {
    let in_bin = |values: &[Value]| values.get(DELETED_AT).is_some_and(|at| !at.is_null());
    let operation = match (before, after) {
        (None, _) => "created",
        (Some(_), None) => "purged",
        (Some(before), Some(after)) => match (in_bin(before), in_bin(after)) {
            (false, true) => "deleted",
            (true, false) => "restored",
            _ => "updated",
        },
    };
    out.extend_from_slice(b"{\"entity\":");
    write_text(&entity.object, out);
    out.extend_from_slice(b",\"id\":");
    write_id(id.as_bytes(), out);
    let _ = write!(out, ",\"operation\":\"{operation}\"");
    for (name, state) in [("before", before), ("after", after)] {
        let _ = write!(out, ",\"{name}\":");
        match (state, before.zip(after)) {
            (None, _) => out.extend_from_slice(b"null"),
            (Some(values), Some((before, after))) => {
                write_difference(scope, entity, [before, after], values, out)
            }
            (Some(values), None) => {
                out.push(b'{');
                let shown = fields(entity).filter(|field| has(field, values) && scope.shows(entity, field));
                write_members(shown, values, out);
                out.push(b'}');
            }
        }
    }
    out.push(b'}');
}

/// The fields in which two states differ, with the values of one of them.
fn write_difference(
    scope: &Scope,
    entity: &Entity,
    [before, after]: [&[Value]; 2],
    values: &[Value],
    out: &mut Vec<u8>,
) {
    let differs =
        |field: &&Field| columns(field, before) != columns(field, after) && scope.shows(entity, field);
    out.push(b'{');
    if before.get(DELETED_AT) != after.get(DELETED_AT) {
        write_deleted_at(values, out);
        if fields(entity).any(|field| differs(&field)) {
            out.push(b',');
        }
    }
    write_members(fields(entity).filter(differs), values, out);
    out.push(b'}');
}

fn has(field: &Field, values: &[Value]) -> bool {
    !columns(field, values).0.is_null()
}
