//! Many changes of one entity in one request and one transaction: all or nothing, or every row for itself.
//!
//! Neighbours of the same kind go through the pipeline together, so that hooks run once for many rows. A batch that a hook
//! refuses as a whole is undone and goes again row by row, which finds out whose fault it was.

mod read;
mod rows;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value as Json, json};

pub use self::read::{Bulk, read};
use self::rows::Rows;
use super::error::{Fault, RecordError};
use super::schema::Entity;
use super::tx::Tx;
use super::write::{Changes, RowOutcome};
use crate::ids::RecordId;

/// Most operations of one request.
pub const OPERATIONS: usize = 1_000;

/// Rows that go through the pipeline together.
const BATCH: usize = 250;

/// The file's writer is not held longer: other requests wait for it.
const LONGEST: Duration = Duration::from_secs(30);

/// One operation.
#[derive(Debug)]
pub(super) enum Operation {
    /// A new record.
    Create(Map<String, Json>),
    /// A change of the record with this id.
    Update { id: RecordId, version: Option<u64>, fields: Map<String, Json> },
    /// A change of the record that is known by a value, or a new one.
    Upsert { by: By, fields: Map<String, Json> },
    /// To the recycle bin.
    Delete { id: RecordId, version: Option<u64> },
}

/// What a record is known by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum By {
    /// Its id in another system.
    External { source: String, value: String },
    /// The value of a unique field.
    Field { key: Arc<str>, value: Json },
}

impl Operation {
    /// Operations with the same answer here can go together.
    const fn kind(&self) -> u8 {
        match self {
            Self::Create(_) => 0,
            Self::Update { .. } => 1,
            Self::Upsert { .. } => 2,
            Self::Delete { .. } => 3,
        }
    }
}

/// What became of one operation.
#[derive(Debug)]
pub(super) enum Done {
    Created(RecordId),
    Updated(RecordId),
    Deleted(RecordId),
    Failed(Option<RecordId>, RecordError),
}

/// Does the operations, and answers the results as JSON.
///
/// # Errors
/// [`RecordError::Invalid`] with every fault of every row when all was to be done or nothing; the file fails.
pub fn run(tx: &Tx, entity: &Arc<Entity>, bulk: Bulk) -> Result<Vec<u8>, RecordError> {
    let mut rows =
        Rows { tx, entity, started: Instant::now(), done: Vec::with_capacity(bulk.operations.len()) };
    let mut run: Vec<(usize, Operation)> = Vec::new();
    for (index, operation) in bulk.operations.into_iter().enumerate() {
        rows.done.push(None);
        let operation = match operation {
            Ok(operation) => operation,
            Err(faults) => {
                rows.set(index, Done::Failed(None, RecordError::Invalid(faults)));
                continue;
            }
        };
        let fits = |(_, first): &(usize, Operation)| first.kind() == operation.kind();
        if run.len() >= BATCH || !run.first().is_none_or(fits) {
            rows.batch(std::mem::take(&mut run))?;
        }
        run.push((index, operation));
    }
    rows.batch(run)?;

    let done: Vec<Done> = rows.done.into_iter().flatten().collect();
    if bulk.atomic {
        let faults: Vec<Fault> =
            done.iter().enumerate().flat_map(|(index, done)| faults_of(index, done)).collect();
        if !faults.is_empty() {
            return Err(RecordError::Invalid(faults));
        }
    }
    answer(tx, entity, &done)
}

/// The faults of an operation, at their places in the request.
fn faults_of(index: usize, done: &Done) -> Vec<Fault> {
    let Done::Failed(_, error) = done else { return Vec::new() };
    let at = |member: &str, code: &str, detail: String| Fault {
        pointer: format!("/operations/{index}{member}"),
        code: code.to_owned().into(),
        detail,
    };
    match error {
        RecordError::Invalid(faults) => {
            // Faults of the operation's own form are at their place already.
            let place = |fault: &Fault| match fault.pointer.strip_prefix(read::OWN) {
                Some(own) => at(own, &fault.code, fault.detail.clone()),
                None if fault.pointer.is_empty() => at("", &fault.code, fault.detail.clone()),
                None => at(&format!("/fields{}", fault.pointer), &fault.code, fault.detail.clone()),
            };
            faults.iter().map(place).collect()
        }
        RecordError::Conflict { code, detail, faults, .. } if faults.is_empty() => {
            vec![at("", code, detail.clone())]
        }
        RecordError::Conflict { faults, .. } => faults
            .iter()
            .map(|fault| at(&format!("/fields{}", fault.pointer), &fault.code, fault.detail.clone()))
            .collect(),
        RecordError::NotFound => vec![at("/id", "record_not_found", error.to_string())],
        RecordError::Stale { .. } => vec![at("/version", "version_conflict", error.to_string())],
        RecordError::Forbidden { .. } => vec![at("", "forbidden", error.to_string())],
        RecordError::Plugin { code, .. } => vec![at("", code, error.to_string())],
        RecordError::PluginPaused { .. } => vec![at("", "plugin_paused", error.to_string())],
        other => vec![at("", "refused", other.to_string())],
    }
}

const fn status_of(error: &RecordError) -> u16 {
    match error {
        RecordError::NotFound => 404,
        RecordError::Forbidden { .. } => 403,
        RecordError::Stale { .. } => 412,
        RecordError::Conflict { .. } => 409,
        RecordError::Plugin { .. } => 502,
        RecordError::PluginPaused { .. } => 503,
        _ => 422,
    }
}

/// `{"results":[…],"created":n,"updated":n,"deleted":n,"failed":n}`; a record's version is that after all operations.
fn answer(tx: &Tx, entity: &Entity, done: &[Done]) -> Result<Vec<u8>, RecordError> {
    let (mut results, mut counts) = (Vec::with_capacity(done.len()), [0_u32; 4]);
    let sql = format!("select version from \"{}\" where id = ?1", entity.key);
    let version = |id: &RecordId| -> Result<i64, RecordError> {
        Ok(tx.conn.prepare(&sql)?.query_row([id.as_bytes()], |row| row.get(0))?)
    };
    for (index, one) in done.iter().enumerate() {
        let (at, result) = match one {
            Done::Created(id) => {
                (0, json!({"index": index, "status": 201, "id": id.to_string(), "version": version(id)?}))
            }
            Done::Updated(id) => {
                (1, json!({"index": index, "status": 200, "id": id.to_string(), "version": version(id)?}))
            }
            Done::Deleted(id) => (2, json!({"index": index, "status": 204, "id": id.to_string()})),
            Done::Failed(id, error) => {
                let errors = faults_of(index, one);
                let errors = errors.iter().map(
                    |fault| json!({"pointer": fault.pointer, "code": fault.code, "detail": fault.detail}),
                );
                let mut result =
                    json!({"index": index, "status": status_of(error), "errors": errors.collect::<Json>()});
                if let (Some(members), Some(id)) = (result.as_object_mut(), id) {
                    members.insert("id".to_owned(), id.to_string().into());
                }
                if let (Some(members), RecordError::Stale { current, .. }) = (result.as_object_mut(), error) {
                    members.insert("version".to_owned(), (*current).into());
                }
                (3, result)
            }
        };
        if let Some(count) = counts.get_mut(at) {
            *count += 1;
        }
        results.push(result);
    }
    let [created, updated, deleted, failed] = counts;
    let body = json!({"results": results, "created": created, "updated": updated, "deleted": deleted, "failed": failed});
    Ok(body.to_string().into_bytes())
}

/// The outcome of a create.
pub(super) fn created(outcome: RowOutcome) -> Done {
    match outcome {
        Ok(id) => Done::Created(id),
        Err(faults) => Done::Failed(None, RecordError::Invalid(faults)),
    }
}

/// The members as changes.
pub(super) const fn changes(fields: Map<String, Json>) -> Changes {
    Changes::Members(fields)
}
