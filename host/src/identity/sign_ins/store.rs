//! The tables `_stoa_sign_ins` and `_stoa_sign_in_rules` of an identity file.

use rusqlite::{Row, named_params, params};

use crate::clock::UnixMillis;
use crate::ids::PrincipalId;
use crate::storage::{Connection, StorageError};

use super::{Event, SignIn, SignInFilter};

type Result<T> = std::result::Result<T, StorageError>;

/// Adds an event.
pub(super) fn insert(connection: &Connection, event: &Event, now: UnixMillis) -> Result<()> {
    let mut statement = connection.prepare(
        "insert into _stoa_sign_ins (at, kind, cause, user_id, stranger, network, device, by_id, about)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    statement.execute(params![
        now,
        event.kind.as_str(),
        event.cause,
        event.user.as_ref().map(PrincipalId::as_bytes),
        event.stranger,
        event.network,
        event.device,
        event.by.as_ref().map(PrincipalId::as_bytes),
        event.about,
    ])?;
    Ok(())
}

/// Drops what is too old, and the oldest failures beyond so many; a little each time.
pub(super) fn forget(connection: &Connection, before: UnixMillis, most_failures: i64) -> Result<()> {
    let mut old = connection.prepare(
        "delete from _stoa_sign_ins where seq in
             (select seq from _stoa_sign_ins where at < ?1 order by at limit 100)",
    )?;
    old.execute([before])?;
    let mut many = connection.prepare(
        "delete from _stoa_sign_ins where cause is not null
             and seq <= (select max(seq) from _stoa_sign_ins) - ?1",
    )?;
    many.execute([most_failures])?;
    Ok(())
}

/// The newest events that fit, older than `before`.
pub(super) fn list(
    connection: &Connection,
    filter: &SignInFilter,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<SignIn>> {
    let mut statement = connection.prepare(
        "select * from _stoa_sign_ins
         where seq < :before and (:user is null or user_id = :user) and (:kind is null or kind = :kind)
           and at >= :since
         order by seq desc limit :limit",
    )?;
    let bound = named_params! {
        ":before": before.unwrap_or(i64::MAX),
        ":user": filter.user.as_ref().map(PrincipalId::as_bytes),
        ":kind": filter.kind.map(super::EventKind::as_str),
        ":since": filter.since.unwrap_or(0),
        ":limit": limit,
    };
    Ok(statement.query_map(bound, read)?.collect::<rusqlite::Result<_>>()?)
}

/// Of whom a second factor is demanded.
pub(super) fn demand(connection: &Connection) -> Result<String> {
    let mut statement = connection.prepare("select second_factor from _stoa_sign_in_rules")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// Demands it of others from now on.
pub(super) fn set_demand(connection: &Connection, word: &str) -> Result<()> {
    connection.execute("update _stoa_sign_in_rules set second_factor = ?1", [word])?;
    Ok(())
}

/// Active people, with the names of their roles, who have no confirmed app.
pub(super) fn bare_people(connection: &Connection) -> Result<Vec<(PrincipalId, Vec<String>)>> {
    let mut statement = connection.prepare(
        "select id, roles from users where status = 'active' and not exists
             (select 1 from _stoa_totp where user_id = users.id and confirmed_at is not null)",
    )?;
    let read = |row: &Row<'_>| {
        Ok((PrincipalId::from_bytes(row.get("id")?), crate::identity::people::roles_of(row)?))
    };
    Ok(statement.query_map([], read)?.collect::<rusqlite::Result<_>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<SignIn> {
    let id = |column: &str| -> rusqlite::Result<Option<PrincipalId>> {
        Ok(row.get::<_, Option<[u8; 16]>>(column)?.map(PrincipalId::from_bytes))
    };
    Ok(SignIn {
        seq: row.get("seq")?,
        at: row.get("at")?,
        kind: row.get("kind")?,
        cause: row.get("cause")?,
        user: id("user_id")?,
        stranger: row.get("stranger")?,
        network: row.get("network")?,
        device: row.get("device")?,
        by: id("by_id")?,
        about: row.get("about")?,
    })
}
