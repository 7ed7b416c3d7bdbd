//! The table `_stoa_sessions` of an identity file.

use rusqlite::{OptionalExtension, Row, params};

use crate::clock::UnixMillis;
use crate::ids::{PrincipalId, SessionId};
use crate::storage::{Connection, StorageError};

use super::{ABSOLUTE, IDLE, Method, Session};

type Result<T> = std::result::Result<T, StorageError>;

/// What makes a session live. Ending a person's tokens moves their epoch, so it ends their sessions, too.
const LIVE: &str = "from _stoa_sessions s join users u on u.id = s.user_id
    where s.ended_at is null and u.status = 'active' and u.token_epoch = s.token_epoch
      and s.last_seen > :now - :idle and s.created_at > :now - :absolute";

/// The live session that this hash opens.
pub(super) fn find_by_hash(
    connection: &Connection,
    hash: &[u8; 32],
    now: UnixMillis,
) -> Result<Option<Session>> {
    let mut statement = connection.prepare(&format!("select s.* {LIVE} and s.hash = :hash"))?;
    let bound = rusqlite::named_params! { ":now": now, ":idle": IDLE, ":absolute": ABSOLUTE, ":hash": hash };
    Ok(statement.query_row(bound, read).optional()?)
}

/// Whether a session is live.
pub(in crate::identity) fn is_live(connection: &Connection, id: SessionId, now: UnixMillis) -> Result<bool> {
    let mut statement = connection.prepare(&format!("select 1 {LIVE} and s.id = :id"))?;
    let bound =
        rusqlite::named_params! { ":now": now, ":idle": IDLE, ":absolute": ABSOLUTE, ":id": id.as_bytes() };
    Ok(statement.exists(bound)?)
}

/// The live sessions of a person, the newest first.
pub(super) fn list(connection: &Connection, user: PrincipalId, now: UnixMillis) -> Result<Vec<Session>> {
    let sql = format!("select s.* {LIVE} and s.user_id = :user order by s.created_at desc, s.id desc");
    let mut statement = connection.prepare(&sql)?;
    let bound = rusqlite::named_params! { ":now": now, ":idle": IDLE, ":absolute": ABSOLUTE, ":user": user.as_bytes() };
    Ok(statement.query_map(bound, read)?.collect::<rusqlite::Result<_>>()?)
}

/// Whose session it is, live or not.
pub(super) fn owner(connection: &Connection, id: SessionId) -> Result<Option<PrincipalId>> {
    let mut statement = connection.prepare("select user_id from _stoa_sessions where id = ?1")?;
    let read = |row: &Row<'_>| Ok(PrincipalId::from_bytes(row.get(0)?));
    Ok(statement.query_row([id.as_bytes()], read).optional()?)
}

/// Stores a session of an active person; `false` when there is no such.
pub(super) fn insert(connection: &Connection, session: &Session, hash: &[u8; 32]) -> Result<bool> {
    let methods: Vec<&str> = session.methods.iter().map(|method| method.as_str()).collect();
    let inserted = connection.execute(
        "insert into _stoa_sessions
             (id, hash, user_id, token_epoch, created_at, last_seen, auth_time, methods, acr, device, network, agent)
         select ?1, ?2, id, token_epoch, ?4, ?4, ?5, ?6, ?7, ?8, ?9, ?10 from users where id = ?3 and status = 'active'",
        params![
            session.id.as_bytes(),
            hash,
            session.user.as_bytes(),
            session.created_at,
            session.auth_time,
            serde_json::Value::from(methods).to_string(),
            session.acr,
            session.device,
            session.network,
            session.agent,
        ],
    )?;
    Ok(inserted == 1)
}

/// It was used now.
pub(in crate::identity) fn touch(connection: &Connection, id: SessionId, now: UnixMillis) -> Result<()> {
    let sql = "update _stoa_sessions set last_seen = max(last_seen, ?2) where id = ?1";
    connection.execute(sql, params![id.as_bytes(), now])?;
    Ok(())
}

/// Ends a session; `false` when it had ended before.
pub(in crate::identity) fn end(connection: &Connection, id: SessionId, now: UnixMillis) -> Result<bool> {
    let sql = "update _stoa_sessions set ended_at = ?2 where id = ?1 and ended_at is null";
    Ok(connection.execute(sql, params![id.as_bytes(), now])? == 1)
}

/// Ends every session of a person but one.
pub(in crate::identity) fn end_sessions_of(
    connection: &Connection,
    user: PrincipalId,
    but: Option<SessionId>,
    now: UnixMillis,
) -> Result<()> {
    let sql =
        "update _stoa_sessions set ended_at = ?2 where user_id = ?1 and ended_at is null and id is not ?3";
    connection.execute(sql, params![user.as_bytes(), now, but.map(|id| *id.as_bytes())])?;
    Ok(())
}

/// Lets a session outlive the end of the person's earlier tokens: the one in which they changed their password.
pub(in crate::identity) fn keep(connection: &Connection, id: SessionId) -> Result<()> {
    let sql = "update _stoa_sessions
        set token_epoch = (select token_epoch from users where users.id = user_id) where id = ?1";
    connection.execute(sql, [id.as_bytes()])?;
    Ok(())
}

/// Drops what ended long ago.
pub(super) fn forget_old(connection: &Connection, now: UnixMillis) -> Result<()> {
    let before = now.saturating_sub(ABSOLUTE.saturating_mul(60));
    connection.execute("delete from _stoa_sessions where created_at < ?1", [before])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Session> {
    let methods: String = row.get("methods")?;
    let methods: Vec<String> = serde_json::from_str(&methods).unwrap_or_default();
    Ok(Session {
        id: SessionId::from_bytes(row.get("id")?),
        user: PrincipalId::from_bytes(row.get("user_id")?),
        created_at: row.get("created_at")?,
        last_seen: row.get("last_seen")?,
        auth_time: row.get("auth_time")?,
        methods: methods.iter().filter_map(|text| Method::stored(text)).collect(),
        acr: row.get("acr")?,
        device: row.get("device")?,
        network: row.get("network")?,
        agent: row.get("agent")?,
    })
}
