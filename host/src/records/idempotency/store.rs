//! The table `_stoa_idempotency`.

use std::rc::Rc;

use rusqlite::{OptionalExtension as _, params};

use crate::clock::UnixMillis;
use crate::ids::PrincipalId;
use crate::records::error::RecordError;
use crate::records::mutation::Reply;
use crate::storage::Connection;

/// The request that came with a key after `since`, and what it was answered.
pub(super) fn find(
    conn: &Rc<Connection>,
    principal: PrincipalId,
    key: &str,
    since: UnixMillis,
) -> Result<Option<([u8; 32], Reply)>, RecordError> {
    let sql = "select request, status, version, location, body from _stoa_idempotency \
               where principal = ?1 and key = ?2 and at > ?3";
    let found = conn.prepare(sql)?.query_row(params![principal.as_bytes(), key, since], |row| {
        let version: Option<i64> = row.get(2)?;
        let reply = Reply {
            status: row.get(1)?,
            version: version.map(i64::unsigned_abs),
            location: row.get(3)?,
            body: row.get(4)?,
            replayed: true,
        };
        Ok((row.get(0)?, reply))
    });
    Ok(found.optional()?)
}

/// Keeps an answer; one that is too old to be found makes room.
pub(super) fn keep(
    conn: &Rc<Connection>,
    principal: PrincipalId,
    key: &str,
    request: &[u8; 32],
    at: UnixMillis,
    reply: &Reply,
) -> Result<(), RecordError> {
    let sql = "insert or replace into _stoa_idempotency (principal, key, request, at, status, version, location, body) \
               values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let version = reply.version.and_then(|version| i64::try_from(version).ok());
    conn.prepare(sql)?.execute(params![
        principal.as_bytes(),
        key,
        request,
        at,
        reply.status,
        version,
        reply.location,
        reply.body
    ])?;
    Ok(())
}

/// Forgets at most `most` answers from before `until`.
pub(super) fn prune(conn: &Rc<Connection>, until: UnixMillis, most: i64) -> Result<(), RecordError> {
    let sql = "delete from _stoa_idempotency where rowid in \
               (select rowid from _stoa_idempotency where at <= ?1 order by at limit ?2)";
    conn.prepare(sql)?.execute(params![until, most])?;
    Ok(())
}
