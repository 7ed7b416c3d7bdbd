//! SQL of the walk over a table: how far it came, what it found, and the sets that it leaves.

use std::rc::Rc;

use rusqlite::{OptionalExtension as _, params};

use crate::clock::UnixMillis;
use crate::ids::{JobId, RecordId};
use crate::records::duplicates::sets::unite::Built;
use crate::records::duplicates::sets::{Pair, store as sets};
use crate::records::error::RecordError;
use crate::records::schema::Entity;
use crate::storage::Connection;

/// How far a walk came.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Progress {
    pub(super) sort: String,
    pub(super) hash: i64,
    pub(super) walked: i64,
    pub(super) compared: i64,
    pub(super) skipped: i64,
}

/// How far the walk of a job came; the beginning, if it has not begun.
pub(super) fn progress(conn: &Rc<Connection>, job: JobId) -> Result<Progress, RecordError> {
    let sql =
        "select key_type, key_hash, walked, compared, skipped from _stoa_duplicate_walks where job = ?1";
    let found = conn.prepare(sql)?.query_row([job.as_bytes()], |row| {
        Ok(Progress {
            sort: row.get(0)?,
            hash: row.get(1)?,
            walked: row.get(2)?,
            compared: row.get(3)?,
            skipped: row.get(4)?,
        })
    });
    Ok(found.optional()?.unwrap_or_default())
}

/// Remembers how far a walk came and what it found on the way.
pub(super) fn advance(
    conn: &Rc<Connection>,
    job: JobId,
    at: &Progress,
    pairs: &[Pair],
) -> Result<(), RecordError> {
    let sql =
        "insert or replace into _stoa_duplicate_walks (job, key_type, key_hash, walked, compared, skipped)
        values (?1, ?2, ?3, ?4, ?5, ?6)";
    conn.prepare(sql)?.execute(params![
        job.as_bytes(),
        at.sort,
        at.hash,
        at.walked,
        at.compared,
        at.skipped
    ])?;
    let sql = "insert or replace into _stoa_duplicate_pairs (job, a, b, score, rule, automatic) values (?1, ?2, ?3, ?4, ?5, ?6)";
    let mut statement = conn.prepare(sql)?;
    for pair in pairs {
        statement.execute(params![
            job.as_bytes(),
            pair.a.as_bytes(),
            pair.b.as_bytes(),
            pair.score,
            pair.rule,
            pair.automatic
        ])?;
    }
    Ok(())
}

/// Pairs that a walk found, in their order, behind one of them.
pub(super) fn pairs_after(
    conn: &Rc<Connection>,
    job: JobId,
    (a, b): (RecordId, RecordId),
    limit: usize,
) -> Result<Vec<Pair>, RecordError> {
    let sql = "select a, b, score, rule, automatic from _stoa_duplicate_pairs
        where job = ?1 and (a, b) > (?2, ?3) order by a, b limit ?4";
    let mut statement = conn.prepare(sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![job.as_bytes(), a.as_bytes(), b.as_bytes(), limit], |row| {
        Ok(Pair {
            a: RecordId::from_bytes(row.get(0)?),
            b: RecordId::from_bytes(row.get(1)?),
            score: row.get(2)?,
            rule: row.get(3)?,
            automatic: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Stores sets that nobody sees yet.
pub(super) fn build(
    conn: &Rc<Connection>,
    entity: &Entity,
    job: JobId,
    sets: &[Built],
    now: UnixMillis,
) -> Result<(), RecordError> {
    for set in sets {
        let best = Pair { automatic: set.automatic, ..set.best.clone() };
        let id = sets::add_set(conn, entity, &best, Some(job), now)?;
        for record in &set.members {
            sets::add_member(conn, id, *record)?;
        }
    }
    Ok(())
}

/// Takes away what a run of this job that was interrupted had built.
pub(super) fn rebuild(conn: &Rc<Connection>, entity: &Entity) -> Result<(), RecordError> {
    end_sets(conn, entity, "building")
}

/// The sets that a job built take the place of those that were open.
pub(super) fn publish(conn: &Rc<Connection>, entity: &Entity, job: JobId) -> Result<(), RecordError> {
    end_sets(conn, entity, "open")?;
    let sql = "update _stoa_duplicate_sets set status = 'open' where job = ?1 and status = 'building'";
    conn.prepare(sql)?.execute([job.as_bytes()])?;
    for sql in [
        "delete from _stoa_duplicate_pairs where job = ?1",
        "delete from _stoa_duplicate_walks where job = ?1",
    ] {
        conn.prepare(sql)?.execute([job.as_bytes()])?;
    }
    Ok(())
}

fn end_sets(conn: &Rc<Connection>, entity: &Entity, status: &str) -> Result<(), RecordError> {
    let sql = "delete from _stoa_duplicate_members where set_id in
        (select id from _stoa_duplicate_sets where entity = ?1 and status = ?2)";
    conn.prepare(sql)?.execute(params![&*entity.key, status])?;
    let sql = "delete from _stoa_duplicate_sets where entity = ?1 and status = ?2";
    conn.prepare(sql)?.execute(params![&*entity.key, status])?;
    Ok(())
}
