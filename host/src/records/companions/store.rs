//! SQL of what moves and goes with a record, and of the events that say what happened to its companions.

use std::rc::Rc;

use rusqlite::{params, params_from_iter};

use super::event::{Event, Happened};
use super::moving::{MovedFollower, MovedTag};
use super::tag::TagCount;
use crate::clock::UnixMillis;
use crate::ids::{PrincipalId, RecordId};
use crate::records::filter::bind;
use crate::records::list::write_visible;
use crate::records::schema::Entity;
use crate::records::value::Value;
use crate::records::{RecordError, Scope};
use crate::storage::Connection;

/// A table whose rows have an id, an entity and a record.
pub(super) type Table = &'static str;
pub(super) const COMMENTS: Table = "_stoa_comments";
pub(super) const ATTACHMENTS: Table = "_stoa_attachments";
pub(super) const EVENTS: Table = "_stoa_companion_events";

/// Says what happened to a record's companions.
pub(super) fn add_event(conn: &Rc<Connection>, event: &Event) -> Result<(), RecordError> {
    let sql = "insert into _stoa_companion_events (id, entity, record, at, principal, kind, detail) \
               values (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    conn.execute(
        sql,
        params![
            event.id.as_bytes(),
            event.entity,
            event.record.as_bytes(),
            event.at,
            event.by.as_bytes(),
            event.kind.as_str(),
            event.detail.to_string()
        ],
    )?;
    Ok(())
}

/// What happened to a record's companions, of these kinds, the newest first.
pub(super) fn events(
    conn: &Rc<Connection>,
    entity: &str,
    record: RecordId,
    (at, id): (UnixMillis, RecordId),
    kinds: &[Happened],
    limit: usize,
) -> Result<Vec<Event>, RecordError> {
    let words: Vec<String> = kinds.iter().map(|kind| format!("'{}'", kind.as_str())).collect();
    let sql = format!(
        "{EVENT} where entity = ?1 and record = ?2 and (at, id) < (?3, ?4) and kind in ({}) \
         order by at desc, id desc limit ?5",
        words.join(", ")
    );
    read_events(conn, &sql, params![entity, record.as_bytes(), at, id.as_bytes(), limit as i64])
}

/// Everything that was said in this file later than an id was made, in order.
pub(super) fn events_since(conn: &Rc<Connection>, before: RecordId) -> Result<Vec<Event>, RecordError> {
    read_events(conn, &format!("{EVENT} where id > ?1 order by id"), params![before.as_bytes()])
}

const EVENT: &str = "select id, at, principal, kind, detail, entity, record from _stoa_companion_events";

/// The events that a query over [`EVENT`] finds.
fn read_events(
    conn: &Rc<Connection>,
    sql: &str,
    params: impl rusqlite::Params,
) -> Result<Vec<Event>, RecordError> {
    let mut statement = conn.prepare(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(kind) = Happened::parse(row.get_ref(3)?.as_str().unwrap_or_default()) else { continue };
        let detail = serde_json::from_str(row.get_ref(4)?.as_str().unwrap_or_default()).unwrap_or_default();
        found.push(Event {
            id: RecordId::from_bytes(row.get(0)?),
            entity: row.get(5)?,
            record: RecordId::from_bytes(row.get(6)?),
            at: row.get(1)?,
            by: PrincipalId::from_bytes(row.get(2)?),
            kind,
            detail,
        });
    }
    Ok(found)
}

/// Moves all rows of one record to another; answers their ids.
pub(super) fn move_rows(
    conn: &Rc<Connection>,
    table: Table,
    entity: &str,
    from: RecordId,
    to: RecordId,
) -> Result<Vec<RecordId>, RecordError> {
    let sql = format!("select id from {table} where entity = ?1 and record = ?2");
    let ids = ids(conn, &sql, params![entity, from.as_bytes()])?;
    let sql = format!("update {table} set record = ?3 where entity = ?1 and record = ?2");
    conn.execute(&sql, params![entity, from.as_bytes(), to.as_bytes()])?;
    Ok(ids)
}

/// Moves rows back, if they are still where they were moved to.
pub(super) fn return_rows(
    conn: &Rc<Connection>,
    table: Table,
    ids: &[RecordId],
    from: RecordId,
    to: RecordId,
) -> Result<(), RecordError> {
    let sql = format!("update {table} set record = ?2 where id = ?1 and record = ?3");
    for id in ids {
        conn.execute(&sql, params![id.as_bytes(), from.as_bytes(), to.as_bytes()])?;
    }
    Ok(())
}

pub(super) fn ids(
    conn: &Rc<Connection>,
    sql: &str,
    params: impl rusqlite::Params,
) -> Result<Vec<RecordId>, RecordError> {
    let mut statement = conn.prepare(sql)?;
    let ids = statement.query_map(params, |row| row.get::<_, [u8; 16]>(0))?;
    Ok(ids.map(|id| id.map(RecordId::from_bytes)).collect::<rusqlite::Result<_>>()?)
}

const TAG: &str = "insert or ignore into _stoa_tags (entity, record, fold, tag, at, principal) \
                   values (?1, ?2, ?3, ?4, ?5, ?6)";
const FOLLOW: &str =
    "insert or ignore into _stoa_followers (entity, record, user, at) values (?1, ?2, ?3, ?4)";
const UNFOLLOW: &str = "delete from _stoa_followers where entity = ?1 and record = ?2 and user = ?3";
const UNTAG: &str = "delete from _stoa_tags where entity = ?1 and record = ?2 and fold = ?3";

/// Unites the tags of two records at the second.
pub(super) fn move_tags(
    conn: &Rc<Connection>,
    entity: &str,
    from: RecordId,
    to: RecordId,
) -> Result<Vec<MovedTag>, RecordError> {
    let sql = "select fold, tag, at, principal from _stoa_tags where entity = ?1 and record = ?2";
    let mut tags = {
        let mut statement = conn.prepare(sql)?;
        let tags = statement.query_map(params![entity, from.as_bytes()], |row| {
            let principal = PrincipalId::from_bytes(row.get(3)?);
            Ok(MovedTag { fold: row.get(0)?, tag: row.get(1)?, at: row.get(2)?, principal, new: false })
        })?;
        tags.collect::<rusqlite::Result<Vec<_>>>()?
    };
    for tag in &mut tags {
        let MovedTag { fold, tag: text, at, principal, .. } = &*tag;
        let added =
            conn.execute(TAG, params![entity, to.as_bytes(), fold, text, at, principal.as_bytes()])?;
        tag.new = added > 0;
    }
    conn.execute(
        "delete from _stoa_tags where entity = ?1 and record = ?2",
        params![entity, from.as_bytes()],
    )?;
    Ok(tags)
}

/// Gives tags back to the record that they came from.
pub(super) fn return_tags(
    conn: &Rc<Connection>,
    entity: &str,
    tags: &[MovedTag],
    from: RecordId,
    to: RecordId,
) -> Result<(), RecordError> {
    for MovedTag { fold, tag, at, principal, new } in tags {
        if *new {
            conn.execute(UNTAG, params![entity, to.as_bytes(), fold])?;
        }
        conn.execute(TAG, params![entity, from.as_bytes(), fold, tag, at, principal.as_bytes()])?;
    }
    Ok(())
}

/// Unites the followers of two records at the second.
pub(super) fn move_followers(
    conn: &Rc<Connection>,
    entity: &str,
    from: RecordId,
    to: RecordId,
) -> Result<Vec<MovedFollower>, RecordError> {
    let sql = "select user, at from _stoa_followers where entity = ?1 and record = ?2";
    let mut followers = {
        let mut statement = conn.prepare(sql)?;
        let followers = statement.query_map(params![entity, from.as_bytes()], |row| {
            Ok(MovedFollower { user: PrincipalId::from_bytes(row.get(0)?), at: row.get(1)?, new: false })
        })?;
        followers.collect::<rusqlite::Result<Vec<_>>>()?
    };
    for follower in &mut followers {
        follower.new = follow(conn, entity, to, follower.user, follower.at)?;
        unfollow(conn, entity, from, follower.user)?;
    }
    Ok(followers)
}

/// Gives followers back to the record that they came from.
pub(super) fn return_followers(
    conn: &Rc<Connection>,
    entity: &str,
    followers: &[MovedFollower],
    from: RecordId,
    to: RecordId,
) -> Result<(), RecordError> {
    for MovedFollower { user, at, new } in followers {
        if *new {
            unfollow(conn, entity, to, *user)?;
        }
        follow(conn, entity, from, *user, *at)?;
    }
    Ok(())
}

/// Makes somebody a follower; whether they were none before.
pub(super) fn follow(
    conn: &Rc<Connection>,
    entity: &str,
    record: RecordId,
    user: PrincipalId,
    at: UnixMillis,
) -> Result<bool, RecordError> {
    Ok(conn.execute(FOLLOW, params![entity, record.as_bytes(), user.as_bytes(), at])? > 0)
}

/// Makes somebody no follower any more; whether they were one.
pub(super) fn unfollow(
    conn: &Rc<Connection>,
    entity: &str,
    record: RecordId,
    user: PrincipalId,
) -> Result<bool, RecordError> {
    Ok(conn.execute(UNFOLLOW, params![entity, record.as_bytes(), user.as_bytes()])? > 0)
}

/// How many follow a record.
pub(super) fn follower_count(
    conn: &Rc<Connection>,
    entity: &str,
    record: RecordId,
) -> Result<u32, RecordError> {
    let sql = "select count(*) from _stoa_followers where entity = ?1 and record = ?2";
    Ok(conn.prepare(sql)?.query_row(params![entity, record.as_bytes()], |row| row.get(0))?)
}

/// A page of followers in the order of their ids, after one.
pub(super) fn followers(
    conn: &Rc<Connection>,
    entity: &str,
    record: RecordId,
    after: Option<PrincipalId>,
    limit: usize,
) -> Result<Vec<(PrincipalId, UnixMillis)>, RecordError> {
    let sql = "select user, at from _stoa_followers where entity = ?1 and record = ?2 and user > ?3 \
               order by user limit ?4";
    let after = after.map(|id| id.as_bytes().to_vec()).unwrap_or_default();
    let mut statement = conn.prepare(sql)?;
    let found = statement.query_map(params![entity, record.as_bytes(), after, limit as i64], |row| {
        Ok((PrincipalId::from_bytes(row.get(0)?), row.get(1)?))
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// The tags of a record: how each is compared and written, in order.
pub(super) fn tags(
    conn: &Rc<Connection>,
    entity: &str,
    record: RecordId,
) -> Result<Vec<(String, String)>, RecordError> {
    let sql = "select fold, tag from _stoa_tags where entity = ?1 and record = ?2 order by fold";
    let mut statement = conn.prepare(sql)?;
    let found =
        statement.query_map(params![entity, record.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// The tags of an entity that begin with `start` and come after `after`, with the number of readable records that have each.
pub(super) fn tag_counts(
    conn: &Rc<Connection>,
    scope: &Scope,
    entity: &Entity,
    (start, after): (&str, &str),
    limit: usize,
) -> Result<Vec<(String, TagCount)>, RecordError> {
    let (mut sql, mut params) =
        (String::from("select t.fold, min(t.tag), count(*) from _stoa_tags t "), Vec::new());
    // The tags come first, in the order of their index, so that a page ends where it is full.
    sql.push_str(&format!("cross join \"{0}\" on \"{0}\".id = t.record where t.entity = ", entity.key));
    bind(Value::Text(entity.key.to_string()), &mut sql, &mut params);
    sql.push_str(" and t.fold > ");
    bind(Value::Text(after.to_owned()), &mut sql, &mut params);
    if !start.is_empty() {
        sql.push_str(" and t.fold >= ");
        bind(Value::Text(start.to_owned()), &mut sql, &mut params);
        sql.push_str(" and t.fold < ");
        bind(Value::Text(format!("{start}\u{10ffff}")), &mut sql, &mut params);
    }
    sql.push_str(" and ");
    write_visible(scope, entity, "read", &mut sql, &mut params)?;
    sql.push_str(" group by t.fold order by t.fold limit ");
    bind(Value::Integer(limit as i64), &mut sql, &mut params);
    let mut statement = conn.prepare(&sql)?;
    let found = statement.query_map(params_from_iter(&params), |row| {
        let count: i64 = row.get(2)?;
        Ok((row.get(0)?, TagCount { tag: row.get(1)?, count: count.unsigned_abs() }))
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// How a tag is written where it stands already on records of the entity.
pub(super) fn spelling(
    conn: &Rc<Connection>,
    entity: &str,
    fold: &str,
) -> Result<Option<String>, RecordError> {
    let sql = "select tag from _stoa_tags where entity = ?1 and fold = ?2 limit 1";
    let mut statement = conn.prepare(sql)?;
    let mut rows = statement.query(params![entity, fold])?;
    Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
}

/// Gives a record a tag.
pub(super) fn tag(
    conn: &Rc<Connection>,
    entity: &str,
    record: RecordId,
    (fold, tag): (&str, &str),
    (at, by): (UnixMillis, PrincipalId),
) -> Result<(), RecordError> {
    conn.execute(TAG, params![entity, record.as_bytes(), fold, tag, at, by.as_bytes()])?;
    Ok(())
}

/// Takes a tag from a record.
pub(super) fn untag(
    conn: &Rc<Connection>,
    entity: &str,
    record: RecordId,
    fold: &str,
) -> Result<(), RecordError> {
    conn.execute(UNTAG, params![entity, record.as_bytes(), fold])?;
    Ok(())
}

/// Removes everything beside a record.
pub(super) fn forget(conn: &Rc<Connection>, entity: &str, record: RecordId) -> Result<(), RecordError> {
    let sql = "delete from _stoa_mentions where comment in \
               (select id from _stoa_comments where entity = ?1 and record = ?2)";
    conn.execute(sql, params![entity, record.as_bytes()])?;
    let sql = "select id from _stoa_attachments where entity = ?1 and record = ?2";
    for id in ids(conn, sql, params![entity, record.as_bytes()])? {
        super::attachment::store::remove(conn, id)?;
    }
    for table in [COMMENTS, EVENTS, "_stoa_tags", "_stoa_followers"] {
        let sql = format!("delete from {table} where entity = ?1 and record = ?2");
        conn.execute(&sql, params![entity, record.as_bytes()])?;
    }
    Ok(())
}
