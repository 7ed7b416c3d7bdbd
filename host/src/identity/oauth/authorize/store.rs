//! Requests that wait, codes and consents in an identity file.

use rusqlite::{OptionalExtension, Row, params};

use crate::clock::UnixMillis;
use crate::identity::oauth::{Client, Consent};
use crate::ids::{ClientId, PrincipalId, RecordId};
use crate::storage::{Connection, StorageError};

use super::request::Request;

type Result<T> = std::result::Result<T, StorageError>;

/// A code to store.
pub(super) struct NewCode {
    pub(super) hash: [u8; 32],
    pub(super) grant: RecordId,
    pub(super) client: ClientId,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
    pub(super) expires_at: UnixMillis,
}

/// Keeps a request; those that waited too long go.
pub(super) fn put_request(
    connection: &Connection,
    hash: &[u8; 32],
    request: &Request,
    expires_at: UnixMillis,
    now: UnixMillis,
) -> Result<()> {
    connection.execute("delete from _stoa_oauth_requests where expires_at <= ?1", [now])?;
    let body = serde_json::to_string(request).unwrap_or_default();
    connection.execute(
        "insert into _stoa_oauth_requests (hash, body, expires_at) values (?1, ?2, ?3)
         on conflict (hash) do update set body = excluded.body",
        params![hash, body, expires_at],
    )?;
    Ok(())
}

/// A request that still waits.
pub(super) fn find_request(
    connection: &Connection,
    hash: &[u8; 32],
    now: UnixMillis,
) -> Result<Option<(Request, UnixMillis)>> {
    let mut statement = connection
        .prepare("select body, expires_at from _stoa_oauth_requests where hash = ?1 and expires_at > ?2")?;
    let read = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get(1)?));
    let found = statement.query_row(params![hash, now], read).optional()?;
    Ok(found.and_then(|(body, expires_at)| Some((serde_json::from_str(&body).ok()?, expires_at))))
}

/// Whether the request was there to be removed.
pub(super) fn take_request(connection: &Connection, hash: &[u8; 32]) -> Result<bool> {
    Ok(connection.execute("delete from _stoa_oauth_requests where hash = ?1", [hash])? == 1)
}

/// Adds a code. Old ones go a day after they ended: until then, a replay is recognized.
pub(super) fn insert_code(connection: &Connection, code: &NewCode, now: UnixMillis) -> Result<()> {
    connection
        .execute("delete from _stoa_oauth_codes where expires_at <= ?1", [now.saturating_sub(86_400_000)])?;
    connection.execute(
        "insert into _stoa_oauth_codes (hash, grant_id, client_id, redirect_uri, challenge, expires_at)
         values (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            code.hash,
            code.grant.as_bytes(),
            code.client.as_bytes(),
            code.redirect_uri,
            code.challenge,
            code.expires_at
        ],
    )?;
    Ok(())
}

/// What this person has allowed this client.
pub(super) fn consented(connection: &Connection, user: PrincipalId, client: ClientId) -> Result<Vec<String>> {
    let mut statement =
        connection.prepare("select scopes from oauth_consents where user_id = ?1 and client_id = ?2")?;
    let scopes: Option<String> =
        statement.query_row(params![user.as_bytes(), client.as_bytes()], |row| row.get(0)).optional()?;
    Ok(scopes.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

/// Remembers what a person has allowed a client, besides what they had.
pub(super) fn put_consent(
    connection: &Connection,
    user: PrincipalId,
    client: &Client,
    scopes: &[String],
    now: UnixMillis,
) -> Result<()> {
    let mut all = consented(connection, user, client.id)?;
    all.extend(scopes.iter().filter(|scope| !all.contains(scope)).cloned().collect::<Vec<_>>());
    connection.execute(
        "insert into oauth_consents (id, user_id, client_id, scopes, created_at, updated_at)
         values (?1, ?2, ?3, ?4, ?5, ?5)
         on conflict (user_id, client_id) do update set scopes = excluded.scopes, updated_at = excluded.updated_at",
        params![
            RecordId::new().as_bytes(),
            user.as_bytes(),
            client.id.as_bytes(),
            serde_json::to_string(&all).unwrap_or_else(|_| "[]".to_owned()),
            now
        ],
    )?;
    Ok(())
}

/// Everything a person has allowed.
pub(super) fn consents(connection: &Connection, user: PrincipalId) -> Result<Vec<Consent>> {
    let mut statement = connection.prepare(
        "select client_id, name, oauth_consents.scopes, oauth_consents.created_at, oauth_consents.updated_at
         from oauth_consents join oauth_clients on oauth_clients.id = client_id where user_id = ?1 order by client_id",
    )?;
    let read = |row: &Row<'_>| {
        Ok(Consent {
            client: ClientId::from_bytes(row.get(0)?),
            client_name: row.get(1)?,
            scopes: serde_json::from_str(&row.get::<_, String>(2)?).unwrap_or_default(),
            created_at: row.get(3)?,
            updated_at: row.get(4)?,
        })
    };
    Ok(statement.query_map([user.as_bytes()], read)?.collect::<rusqlite::Result<_>>()?)
}

/// Whether there was one to remove.
pub(super) fn delete_consent(connection: &Connection, user: PrincipalId, client: ClientId) -> Result<bool> {
    let sql = "delete from oauth_consents where user_id = ?1 and client_id = ?2";
    Ok(connection.execute(sql, params![user.as_bytes(), client.as_bytes()])? == 1)
}
