//! SQL of comments and mentions.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use rusqlite::{OptionalExtension as _, Row, params, params_from_iter};

use super::comment::Comment;
use crate::clock::UnixMillis;
use crate::ids::{PrincipalId, RecordId};
use crate::records::RecordError;
use crate::storage::Connection;

const COLUMNS: &str = "id, at, principal, text, edited_at, deleted_at, version";

fn comment(row: &Row<'_>) -> rusqlite::Result<Comment> {
    let version: i64 = row.get(6)?;
    Ok(Comment {
        id: RecordId::from_bytes(row.get(0)?),
        at: row.get(1)?,
        by: PrincipalId::from_bytes(row.get(2)?),
        text: row.get(3)?,
        edited_at: row.get(4)?,
        deleted_at: row.get(5)?,
        version: version.unsigned_abs(),
    })
}

pub(super) fn insert(
    conn: &Rc<Connection>,
    entity: &str,
    record: RecordId,
    comment: &Comment,
) -> Result<(), RecordError> {
    let sql = "insert into _stoa_comments (id, entity, record, at, principal, text) \
               values (?1, ?2, ?3, ?4, ?5, ?6)";
    conn.execute(
        sql,
        params![
            comment.id.as_bytes(),
            entity,
            record.as_bytes(),
            comment.at,
            comment.by.as_bytes(),
            comment.text
        ],
    )?;
    Ok(())
}

pub(super) fn update(
    conn: &Rc<Connection>,
    id: RecordId,
    text: &str,
    at: UnixMillis,
) -> Result<(), RecordError> {
    let sql = "update _stoa_comments set text = ?2, edited_at = ?3, version = version + 1 where id = ?1";
    conn.execute(sql, params![id.as_bytes(), text, at])?;
    Ok(())
}

pub(super) fn bury(conn: &Rc<Connection>, id: RecordId, at: UnixMillis) -> Result<(), RecordError> {
    let sql = "update _stoa_comments set deleted_at = ?2, version = version + 1 where id = ?1";
    conn.execute(sql, params![id.as_bytes(), at])?;
    conn.execute("delete from _stoa_mentions where comment = ?1", [id.as_bytes()])?;
    Ok(())
}

/// A comment of this record, deleted or not.
pub(super) fn find(
    conn: &Rc<Connection>,
    entity: &str,
    record: RecordId,
    id: RecordId,
) -> Result<Option<Comment>, RecordError> {
    let sql = format!("select {COLUMNS} from _stoa_comments where id = ?1 and entity = ?2 and record = ?3");
    let params = params![id.as_bytes(), entity, record.as_bytes()];
    Ok(conn.prepare(&sql)?.query_row(params, comment).optional()?)
}

/// These comments, deleted ones too, in one query.
pub(super) fn by_ids(
    conn: &Rc<Connection>,
    ids: &[RecordId],
) -> Result<HashMap<RecordId, Comment>, RecordError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let places = vec!["?"; ids.len()].join(", ");
    let sql = format!("select {COLUMNS} from _stoa_comments where id in ({places})");
    let mut statement = conn.prepare(&sql)?;
    let found = statement.query_map(params_from_iter(ids.iter().map(RecordId::as_bytes)), comment)?;
    Ok(found.map(|comment| comment.map(|comment| (comment.id, comment))).collect::<rusqlite::Result<_>>()?)
}

/// A page of the comments that are not deleted, the newest first.
pub(super) fn page(
    conn: &Rc<Connection>,
    entity: &str,
    record: RecordId,
    after: Option<(UnixMillis, RecordId)>,
    limit: usize,
) -> Result<Vec<Comment>, RecordError> {
    let (at, id) = after.map_or((i64::MAX, [0xff; 16]), |(at, id)| (at, *id.as_bytes()));
    let sql = format!(
        "select {COLUMNS} from _stoa_comments where entity = ?1 and record = ?2 and (at, id) < (?3, ?4) \
         and deleted_at is null order by at desc, id desc limit ?5"
    );
    let mut statement = conn.prepare(&sql)?;
    let found = statement.query_map(params![entity, record.as_bytes(), at, id, limit as i64], comment)?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Whom a comment calls.
pub(super) fn mentions(conn: &Rc<Connection>, id: RecordId) -> Result<BTreeSet<PrincipalId>, RecordError> {
    let mut statement = conn.prepare("select user from _stoa_mentions where comment = ?1")?;
    let found = statement.query_map([id.as_bytes()], |row| row.get::<_, [u8; 16]>(0))?;
    Ok(found.map(|id| id.map(PrincipalId::from_bytes)).collect::<rusqlite::Result<_>>()?)
}

/// Whom each of these comments calls, in one query.
pub(super) fn mentions_of(
    conn: &Rc<Connection>,
    ids: &[RecordId],
) -> Result<HashMap<RecordId, BTreeSet<PrincipalId>>, RecordError> {
    let mut called: HashMap<RecordId, BTreeSet<PrincipalId>> = HashMap::new();
    if ids.is_empty() {
        return Ok(called);
    }
    let places = vec!["?"; ids.len()].join(", ");
    let sql = format!("select comment, user from _stoa_mentions where comment in ({places})");
    let mut statement = conn.prepare(&sql)?;
    let mut rows = statement.query(params_from_iter(ids.iter().map(RecordId::as_bytes)))?;
    while let Some(row) = rows.next()? {
        let (comment, user) = (RecordId::from_bytes(row.get(0)?), PrincipalId::from_bytes(row.get(1)?));
        called.entry(comment).or_default().insert(user);
    }
    Ok(called)
}

/// Replaces whom a comment calls.
pub(super) fn set_mentions(
    conn: &Rc<Connection>,
    id: RecordId,
    called: &BTreeSet<PrincipalId>,
) -> Result<(), RecordError> {
    conn.execute("delete from _stoa_mentions where comment = ?1", [id.as_bytes()])?;
    for user in called {
        let sql = "insert into _stoa_mentions (comment, user) values (?1, ?2)";
        conn.execute(sql, params![id.as_bytes(), user.as_bytes()])?;
    }
    Ok(())
}
