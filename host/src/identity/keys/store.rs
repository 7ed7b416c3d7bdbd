//! The table `api_keys` of an identity file.

use rusqlite::{OptionalExtension, Row, params};

use crate::clock::UnixMillis;
use crate::ids::PrincipalId;
use crate::storage::{Connection, StorageError};

use super::ApiKey;

type Result<T> = std::result::Result<T, StorageError>;

/// A key with the hash of its secret.
pub(in crate::identity) struct StoredKey {
    pub(in crate::identity) key: ApiKey,
    pub(in crate::identity) hash: [u8; 32],
}

/// Adds a key.
pub(super) fn insert(connection: &Connection, key: &ApiKey, hash: &[u8; 32]) -> Result<()> {
    connection.execute(
        "insert into api_keys (id, name, role, secret_hash, expires_at, created_at, created_by)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            key.id.as_bytes(),
            key.name,
            key.role,
            hash,
            key.expires_at,
            key.created_at,
            key.created_by.as_bytes()
        ],
    )?;
    Ok(())
}

/// The key with this id.
pub(in crate::identity) fn find(connection: &Connection, id: PrincipalId) -> Result<Option<StoredKey>> {
    let mut statement = connection.prepare("select * from api_keys where id = ?1")?;
    let read = |row: &Row<'_>| Ok(StoredKey { key: read(row)?, hash: row.get("secret_hash")? });
    Ok(statement.query_row([id.as_bytes()], read).optional()?)
}

/// Every key, by id.
pub(super) fn list(connection: &Connection) -> Result<Vec<ApiKey>> {
    let mut statement = connection.prepare("select * from api_keys order by id")?;
    Ok(statement.query_map([], read)?.collect::<rusqlite::Result<_>>()?)
}

/// Revokes a key that is not revoked.
pub(super) fn revoke(connection: &Connection, id: PrincipalId, now: UnixMillis) -> Result<()> {
    let sql = "update api_keys set revoked_at = ?2 where id = ?1 and revoked_at is null";
    connection.execute(sql, params![id.as_bytes(), now])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<ApiKey> {
    Ok(ApiKey {
        id: PrincipalId::from_bytes(row.get("id")?),
        name: row.get("name")?,
        role: row.get("role")?,
        expires_at: row.get("expires_at")?,
        revoked_at: row.get("revoked_at")?,
        created_at: row.get("created_at")?,
        created_by: PrincipalId::from_bytes(row.get("created_by")?),
    })
}
