//! Grants, codes and refresh tokens in an identity file.

use rusqlite::{OptionalExtension, Row, params};

use super::Grant;
use crate::clock::UnixMillis;
use crate::ids::{ClientId, PrincipalId, RecordId, SessionId};
use crate::storage::{Connection, StorageError};

type Result<T> = std::result::Result<T, StorageError>;

/// A code that was presented, used up by that.
pub(super) struct Code {
    pub(super) grant: RecordId,
    pub(super) client: ClientId,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
    pub(super) expires_at: UnixMillis,
}

/// A refresh token's row.
pub(super) struct Refresh {
    pub(super) grant: RecordId,
    pub(super) generation: i64,
    pub(super) live: bool,
    pub(super) expires_at: UnixMillis,
    pub(super) used_at: Option<UnixMillis>,
    pub(super) successor: Option<Vec<u8>>,
}

/// Adds a grant; those long over go.
pub(super) fn insert(connection: &Connection, grant: &Grant, now: UnixMillis) -> Result<()> {
    let over = now.saturating_sub(86_400_000);
    connection.execute(
        "delete from _stoa_oauth_refresh where grant_id in (select id from _stoa_oauth_grants where ends_at <= ?1)",
        [over],
    )?;
    connection.execute("delete from _stoa_oauth_grants where ends_at <= ?1", [over])?;
    connection.execute(
        "insert into _stoa_oauth_grants (id, client_id, user_id, session_id, scope, nonce, auth_time, amr, acr,
                                         user_epoch, created_at, ends_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            grant.id.as_bytes(),
            grant.client.as_bytes(),
            grant.user.as_bytes(),
            grant.session.map(|id| *id.as_bytes()),
            grant.scope,
            grant.nonce,
            grant.auth_time,
            serde_json::to_string(&grant.amr).unwrap_or_else(|_| "[]".to_owned()),
            grant.acr,
            grant.user_epoch,
            now,
            grant.ends_at,
        ],
    )?;
    Ok(())
}

/// The grant, if it was not revoked and is not over.
pub(super) fn find_live(connection: &Connection, id: RecordId, now: UnixMillis) -> Result<Option<Grant>> {
    let mut statement = connection
        .prepare("select * from _stoa_oauth_grants where id = ?1 and revoked_at is null and ends_at > ?2")?;
    let read = |row: &Row<'_>| {
        Ok(Grant {
            id,
            client: ClientId::from_bytes(row.get("client_id")?),
            user: PrincipalId::from_bytes(row.get("user_id")?),
            session: row.get::<_, Option<[u8; 16]>>("session_id")?.map(SessionId::from_bytes),
            scope: row.get("scope")?,
            nonce: row.get("nonce")?,
            auth_time: row.get("auth_time")?,
            amr: serde_json::from_str(&row.get::<_, String>("amr")?).unwrap_or_default(),
            acr: row.get("acr")?,
            user_epoch: row.get("user_epoch")?,
            ends_at: row.get("ends_at")?,
        })
    };
    Ok(statement.query_row(params![id.as_bytes(), now], read).optional()?)
}

/// Revokes a grant; answers whether it was not before.
pub(super) fn revoke(connection: &Connection, id: RecordId, reason: &str, now: UnixMillis) -> Result<bool> {
    let sql =
        "update _stoa_oauth_grants set revoked_at = ?2, reason = ?3 where id = ?1 and revoked_at is null";
    Ok(connection.execute(sql, params![id.as_bytes(), now, reason])? == 1)
}

/// Revokes every grant of a client, or of a client to one person.
pub(super) fn revoke_all(
    connection: &Connection,
    client: ClientId,
    user: Option<PrincipalId>,
    reason: &str,
    now: UnixMillis,
) -> Result<()> {
    connection.execute(
        "update _stoa_oauth_grants set revoked_at = ?3, reason = ?4
         where client_id = ?1 and (?2 is null or user_id = ?2) and revoked_at is null",
        params![client.as_bytes(), user.map(|id| *id.as_bytes()), now, reason],
    )?;
    Ok(())
}

/// Uses a code up. `None`: there is none, or it was used before.
pub(super) fn take_code(connection: &Connection, hash: &[u8; 32], now: UnixMillis) -> Result<Option<Code>> {
    let mut statement = connection.prepare(
        "update _stoa_oauth_codes set used_at = ?2 where hash = ?1 and used_at is null
         returning grant_id, client_id, redirect_uri, challenge, expires_at",
    )?;
    let read = |row: &Row<'_>| {
        Ok(Code {
            grant: RecordId::from_bytes(row.get(0)?),
            client: ClientId::from_bytes(row.get(1)?),
            redirect_uri: row.get(2)?,
            challenge: row.get(3)?,
            expires_at: row.get(4)?,
        })
    };
    Ok(statement.query_row(params![hash, now], read).optional()?)
}

/// The grant of a code that was used before.
pub(super) fn grant_of_code(connection: &Connection, hash: &[u8; 32]) -> Result<Option<RecordId>> {
    let mut statement = connection.prepare("select grant_id from _stoa_oauth_codes where hash = ?1")?;
    Ok(statement.query_row([hash], |row| Ok(RecordId::from_bytes(row.get(0)?))).optional()?)
}

/// Adds a refresh token that is good.
pub(super) fn insert_refresh(
    connection: &Connection,
    hash: &[u8; 32],
    grant: RecordId,
    generation: i64,
    expires_at: UnixMillis,
) -> Result<()> {
    connection.execute(
        "insert into _stoa_oauth_refresh (hash, grant_id, generation, state, expires_at)
         values (?1, ?2, ?3, 'live', ?4)",
        params![hash, grant.as_bytes(), generation, expires_at],
    )?;
    Ok(())
}

/// Uses a refresh token up and keeps its successor, sealed. `None`: it was not live.
pub(super) fn take_refresh(
    connection: &Connection,
    hash: &[u8; 32],
    successor: &[u8],
    now: UnixMillis,
) -> Result<Option<(RecordId, i64)>> {
    let mut statement = connection.prepare(
        "update _stoa_oauth_refresh set state = 'used', used_at = ?2, successor = ?3
         where hash = ?1 and state = 'live' and expires_at > ?2 returning grant_id, generation",
    )?;
    let read = |row: &Row<'_>| Ok((RecordId::from_bytes(row.get(0)?), row.get(1)?));
    Ok(statement.query_row(params![hash, now, successor], read).optional()?)
}

/// What is known of a refresh token.
pub(super) fn find_refresh(connection: &Connection, hash: &[u8; 32]) -> Result<Option<Refresh>> {
    let mut statement = connection.prepare("select * from _stoa_oauth_refresh where hash = ?1")?;
    let read = |row: &Row<'_>| {
        Ok(Refresh {
            grant: RecordId::from_bytes(row.get("grant_id")?),
            generation: row.get("generation")?,
            live: row.get::<_, String>("state")? == "live",
            expires_at: row.get("expires_at")?,
            used_at: row.get("used_at")?,
            successor: row.get("successor")?,
        })
    };
    Ok(statement.query_row([hash], read).optional()?)
}

/// The generation of the family's live token.
pub(super) fn live_generation(connection: &Connection, grant: RecordId) -> Result<Option<i64>> {
    let mut statement = connection
        .prepare("select generation from _stoa_oauth_refresh where grant_id = ?1 and state = 'live'")?;
    Ok(statement.query_row([grant.as_bytes()], |row| row.get(0)).optional()?)
}

/// Forgets the sealed successors of tokens that were used before this instant.
pub(super) fn forget_successors(connection: &Connection, grant: RecordId, before: UnixMillis) -> Result<()> {
    connection.execute(
        "update _stoa_oauth_refresh set successor = null
         where grant_id = ?1 and successor is not null and used_at < ?2",
        params![grant.as_bytes(), before],
    )?;
    Ok(())
}

/// How many generations a family has.
#[cfg(test)]
pub(in crate::identity::oauth) fn generations(connection: &Connection) -> Result<i64> {
    let mut statement = connection.prepare("select count(*) from _stoa_oauth_refresh")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}
