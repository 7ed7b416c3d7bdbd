//! SQL of files: rows in, found, attached, out; and how much is stored.

use std::rc::Rc;

use rusqlite::{OptionalExtension as _, Row, params};

use super::Attachment;
use crate::clock::UnixMillis;
use crate::ids::{PrincipalId, RecordId};
use crate::records::RecordError;
use crate::records::blobs::Digest;
use crate::records::companions::store::ids;
use crate::storage::Connection;

const COLUMNS: &str = "id, entity, record, name, media_type, size, sha256, at, principal";

/// How far a list of files was read: instant and id of the last one.
pub(in crate::records::companions) type After = Option<(UnixMillis, RecordId)>;

fn attachment(row: &Row<'_>) -> rusqlite::Result<Attachment> {
    let record: Option<[u8; 16]> = row.get(2)?;
    let size: i64 = row.get(5)?;
    Ok(Attachment {
        id: RecordId::from_bytes(row.get(0)?),
        entity: row.get(1)?,
        record: record.map(RecordId::from_bytes),
        name: row.get(3)?,
        media_type: row.get(4)?,
        size: size.unsigned_abs(),
        sha256: row.get(6)?,
        at: row.get(7)?,
        by: PrincipalId::from_bytes(row.get(8)?),
    })
}

/// A file by its id.
pub(in crate::records) fn find(
    conn: &Rc<Connection>,
    id: RecordId,
) -> Result<Option<Attachment>, RecordError> {
    let sql = format!("select {COLUMNS} from _stoa_attachments where id = ?1");
    Ok(conn.prepare(&sql)?.query_row([id.as_bytes()], attachment).optional()?)
}

/// A page of a record's files, the newest first.
pub(super) fn page(
    conn: &Rc<Connection>,
    entity: &str,
    record: RecordId,
    after: After,
    limit: usize,
) -> Result<Vec<Attachment>, RecordError> {
    let (at, id) = after.map_or((i64::MAX, [0xff; 16]), |(at, id)| (at, *id.as_bytes()));
    let sql = format!(
        "select {COLUMNS} from _stoa_attachments where entity = ?1 and record = ?2 and (at, id) < (?3, ?4) \
         order by at desc, id desc limit ?5"
    );
    let mut statement = conn.prepare(&sql)?;
    let found = statement.query_map(params![entity, record.as_bytes(), at, id, limit as i64], attachment)?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Adds a row, and counts its content if nothing else has it.
pub(super) fn insert(conn: &Rc<Connection>, file: &Attachment) -> Result<(), RecordError> {
    let size = i64::try_from(file.size).unwrap_or(i64::MAX);
    if !is_referred(conn, &file.sha256)? {
        conn.execute("update _stoa_storage set bytes = bytes + ?1, files = files + 1", [size])?;
    }
    let sql =
        format!("insert into _stoa_attachments ({COLUMNS}) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
    conn.execute(
        &sql,
        params![
            file.id.as_bytes(),
            file.entity,
            file.record.map(|record| *record.as_bytes()),
            file.name,
            file.media_type,
            size,
            file.sha256,
            file.at,
            file.by.as_bytes()
        ],
    )?;
    Ok(())
}

/// Removes a row, and counts its content no more if nothing else has it. Answers the content if so.
pub(in crate::records::companions) fn remove(
    conn: &Rc<Connection>,
    id: RecordId,
) -> Result<Option<[u8; 32]>, RecordError> {
    let sql = "delete from _stoa_attachments where id = ?1 returning sha256, size";
    let row: Option<([u8; 32], i64)> =
        conn.prepare(sql)?.query_row([id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((sha256, size)) = row else { return Ok(None) };
    if is_referred(conn, &sha256)? {
        return Ok(None);
    }
    conn.execute("update _stoa_storage set bytes = bytes - ?1, files = files - 1", [size])?;
    conn.execute("insert or ignore into _stoa_contents_left (sha256) values (?1)", [sha256])?;
    Ok(Some(sha256))
}

/// Contents that no row names any more and that may still lie on the disk, at most `limit`.
pub(super) fn left(conn: &Rc<Connection>, limit: usize) -> Result<Vec<Digest>, RecordError> {
    let mut statement = conn.prepare("select sha256 from _stoa_contents_left limit ?1")?;
    let found = statement.query_map([limit as i64], |row| row.get(0))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// These contents were looked after.
pub(super) fn looked_after(conn: &Rc<Connection>, contents: &[Digest]) -> Result<(), RecordError> {
    for sha256 in contents {
        conn.execute("delete from _stoa_contents_left where sha256 = ?1", [sha256])?;
    }
    Ok(())
}

/// Whether a row says the name of this content.
pub(super) fn is_referred(conn: &Rc<Connection>, sha256: &[u8; 32]) -> Result<bool, RecordError> {
    let sql = "select 1 from _stoa_attachments where sha256 = ?1 limit 1";
    Ok(conn.prepare(sql)?.exists([sha256])?)
}

/// Bytes that are stored in this module.
pub(super) fn stored_bytes(conn: &Rc<Connection>) -> Result<u64, RecordError> {
    let bytes: i64 = conn.prepare("select bytes from _stoa_storage")?.query_row([], |row| row.get(0))?;
    Ok(bytes.max(0).unsigned_abs())
}

/// Gives a loose file to a record; whether it was loose.
pub(super) fn attach(
    conn: &Rc<Connection>,
    id: RecordId,
    entity: &str,
    record: RecordId,
) -> Result<bool, RecordError> {
    let sql = "update _stoa_attachments set record = ?3 where id = ?1 and entity = ?2 and record is null";
    Ok(conn.execute(sql, params![id.as_bytes(), entity, record.as_bytes()])? > 0)
}

/// Loose files that were uploaded before `before`, at most `limit`.
pub(super) fn loose(
    conn: &Rc<Connection>,
    before: UnixMillis,
    limit: usize,
) -> Result<Vec<RecordId>, RecordError> {
    let sql = "select id from _stoa_attachments where record is null and at < ?1 order by at limit ?2";
    ids(conn, sql, params![before, limit as i64])
}
