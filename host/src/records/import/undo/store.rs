//! SQL of undos: the entries of an import in the change log, and how far an undo came.

use std::rc::Rc;

use rusqlite::{OptionalExtension as _, params};

use crate::clock::UnixMillis;
use crate::ids::{JobId, RecordId, RequestId};
use crate::records::error::RecordError;
use crate::records::schema::{Entity, Field, Kind};
use crate::storage::Connection;

/// An entry of the change log: the last of its record for phase 0, the one that made it for the others.
pub(super) struct Entry {
    pub(super) seq: i64,
    pub(super) entity: String,
    pub(super) record: RecordId,
}

/// How far an undo came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    pub(super) phase: i64,
    pub(super) round: i64,
    pub(super) freed: i64,
    pub(super) before: i64,
    pub(super) restored: i64,
    pub(super) deleted: i64,
    pub(super) unchanged: i64,
}

/// The phase of records that the import changed.
pub(super) const CHANGED: i64 = 0;
/// The phase of records that it made.
const MADE: i64 = 1;
/// The phase of records of other entities that hooks made.
pub(super) const ALONG: i64 = 2;
/// Over.
pub(super) const DONE: i64 = 3;

impl Progress {
    const START: Self =
        Self { phase: CHANGED, round: 0, freed: 0, before: i64::MAX, restored: 0, deleted: 0, unchanged: 0 };

    /// Past these entries.
    pub(super) fn after(self, entries: &[Entry]) -> Self {
        Self { before: entries.last().map_or(self.before, |entry| entry.seq), ..self }
    }

    /// Goes on to the next phase; after the last to the next round, if that may free what was left.
    pub(super) fn next_phase(&mut self, again: bool) {
        self.before = i64::MAX;
        self.phase += 1;
        if self.phase < DONE {
            return;
        }
        if again && self.freed > 0 && self.round + 1 < super::ROUNDS {
            (self.phase, self.round, self.freed) = (CHANGED, self.round + 1, 0);
        }
    }
}

/// How far the undo came.
pub(super) fn progress(conn: &Rc<Connection>, job: JobId) -> Result<Progress, RecordError> {
    let sql = "select phase, round, freed, before_seq, restored, deleted, unchanged from _stoa_import_undo where job = ?1";
    let found = conn
        .prepare(sql)?
        .query_row([job.as_bytes()], |row| {
            Ok(Progress {
                phase: row.get(0)?,
                round: row.get(1)?,
                freed: row.get(2)?,
                before: row.get(3)?,
                restored: row.get(4)?,
                deleted: row.get(5)?,
                unchanged: row.get(6)?,
            })
        })
        .optional()?;
    Ok(found.unwrap_or(Progress::START))
}

/// Keeps how far the undo came.
pub(super) fn keep_progress(
    conn: &Rc<Connection>,
    job: JobId,
    progress: &Progress,
    now: UnixMillis,
) -> Result<(), RecordError> {
    let sql = "insert or replace into _stoa_import_undo (job, phase, round, freed, before_seq, restored, deleted, unchanged, \
         updated_at) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    conn.prepare(sql)?.execute(params![
        job.as_bytes(),
        progress.phase,
        progress.round,
        progress.freed,
        progress.before,
        progress.restored,
        progress.deleted,
        progress.unchanged,
        now
    ])?;
    Ok(())
}

/// The next entries of a phase, newest first: of each record that the import changed and did not make the last, of each
/// that it made the one that made it. After the first round only of those that were left.
pub(super) fn entries(
    conn: &Rc<Connection>,
    (job, request): (JobId, RequestId),
    object: &str,
    progress: &Progress,
    limit: usize,
) -> Result<Vec<Entry>, RecordError> {
    let of_phase = match progress.phase {
        CHANGED => {
            "c.operation = 'update' and not exists (select 1 from _stoa_changes n where n.record = c.record \
             and n.entity = c.entity and n.request = c.request and (n.seq > c.seq or n.operation = 'insert'))"
        }
        MADE => "c.operation = 'insert' and c.entity = ?5",
        _ => "c.operation = 'insert' and c.entity is not ?5",
    };
    let left = match (progress.round, progress.phase) {
        (0, _) | (_, ALONG) => "?1 is not null", // every parameter has its place
        _ => "c.seq in (select row from _stoa_import_errors where job = ?1)",
    };
    let sql = format!(
        "select c.seq, c.entity, c.record from _stoa_changes c where {left} and c.request = ?2 and c.source = 'import' \
         and c.seq < ?3 and typeof(c.record) = 'blob' and length(c.record) = 16 and ?5 is not null and {of_phase} \
         order by c.seq desc limit ?4"
    );
    let (limit, entity) =
        (i64::try_from(limit).unwrap_or(i64::MAX), object.split_once('.').map_or(object, |(_, key)| key));
    let mut statement = conn.prepare(&sql)?;
    let params = params![job.as_bytes(), request.as_bytes(), progress.before, limit, entity];
    let rows = statement.query_map(params, |row| {
        Ok(Entry { seq: row.get(0)?, entity: row.get(1)?, record: RecordId::from_bytes(row.get(2)?) })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// How many records of its entity the import touched.
pub(super) fn records(conn: &Rc<Connection>, request: RequestId, entity: &str) -> Result<u64, RecordError> {
    let sql = "select count(distinct record) from _stoa_changes where request = ?1 and source = 'import' and entity = ?2";
    let count: i64 = conn.prepare(sql)?.query_row(params![request.as_bytes(), entity], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// Old and new values of one change, as the change log has them.
type Images = (Option<String>, Option<String>);

// One record's entries, by the index of records: the index of imports, which SQLite prefers because it also knows the
// source, would read the whole import for each record.

const HISTORY: &str = "select old, new from _stoa_changes indexed by _stoa_changes_of_record \
     where record = ?1 and request = ?2 and entity = ?3 and source = 'import' order by seq";

const MADE_BY: &str = "select 1 from _stoa_changes indexed by _stoa_changes_of_record \
     where record = ?1 and request = ?2 and source = 'import' and operation = 'insert'";

const LEFT_OF: &str = "select 1 from _stoa_changes c indexed by _stoa_changes_of_record \
     cross join _stoa_import_errors e on e.job = ?1 and e.row = c.seq where c.record = ?2 and c.request = ?3";

/// What the import did to a record, oldest first: operation, old and new values.
pub(super) fn history(
    conn: &Rc<Connection>,
    request: RequestId,
    entry: &Entry,
) -> Result<Vec<Images>, RecordError> {
    let mut statement = conn.prepare(HISTORY)?;
    let rows = statement
        .query_map(params![entry.record.as_bytes(), request.as_bytes(), entry.entity], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Whether the import made this record.
pub(super) fn made(conn: &Rc<Connection>, request: RequestId, record: RecordId) -> Result<bool, RecordError> {
    Ok(conn.prepare(MADE_BY)?.exists(params![record.as_bytes(), request.as_bytes()])?)
}

/// Live records of an entity that point at `target` with a field, of one reference or several: at most `limit`.
pub(super) fn pointing(
    conn: &Rc<Connection>,
    entity: &Entity,
    field: &Field,
    target: RecordId,
    limit: i64,
) -> Result<Vec<RecordId>, RecordError> {
    let sql = match field.kind {
        Kind::References(..) => {
            "select record from _stoa_links where target = ?1 and entity = ?3 and field = ?4 limit ?2"
                .to_owned()
        }
        _ => format!(
            "select id from \"{}\" where \"{}\" = ?1 and deleted_at is null and ?3 || ?4 is not null limit ?2",
            entity.key, field.key
        ),
    };
    let mut statement = conn.prepare(&sql)?;
    let params = params![target.as_bytes(), limit, &*entity.key, &*field.key];
    let ids = statement.query_map(params, |row| row.get::<_, [u8; 16]>(0))?;
    Ok(ids.map(|id| id.map(RecordId::from_bytes)).collect::<rusqlite::Result<_>>()?)
}

/// How many records were left as they are.
pub(super) fn left(conn: &Rc<Connection>, job: JobId) -> Result<u64, RecordError> {
    let sql = "select count(*) from _stoa_import_errors where job = ?1";
    let count: i64 = conn.prepare(sql)?.query_row([job.as_bytes()], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// Whether a record that the import touched was left as it is.
pub(super) fn is_left(
    conn: &Rc<Connection>,
    (job, request): (JobId, RequestId),
    record: RecordId,
) -> Result<bool, RecordError> {
    Ok(conn.prepare(LEFT_OF)?.exists(params![job.as_bytes(), record.as_bytes(), request.as_bytes()])?)
}

/// A record is looked at anew.
pub(super) fn forget_left(conn: &Rc<Connection>, job: JobId, seq: i64) -> Result<(), RecordError> {
    let sql = "delete from _stoa_import_errors where job = ?1 and row = ?2";
    conn.prepare(sql)?.execute(params![job.as_bytes(), seq])?;
    Ok(())
}
