//! The table `issuer_keys` of an identity file.

use rusqlite::{OptionalExtension, Row, params};

use crate::clock::UnixMillis;
use crate::ids::RecordId;
use crate::storage::{Connection, StorageError};

use super::{KeyState, SigningAlgorithm, SigningKey};

type Result<T> = std::result::Result<T, StorageError>;

/// A key to store.
pub(super) struct NewKey {
    pub(super) key: SigningKey,
    pub(super) sealed: Vec<u8>,
}

/// Every key, destroyed ones included, in the order of their making.
pub(super) fn list(connection: &Connection) -> Result<Vec<SigningKey>> {
    let mut statement = connection.prepare("select * from issuer_keys order by created_at, id")?;
    Ok(statement.query_map([], read)?.collect::<rusqlite::Result<_>>()?)
}

/// Key id and sealed private part of the key that signs.
pub(super) fn active(
    connection: &Connection,
    algorithm: SigningAlgorithm,
) -> Result<Option<(String, Vec<u8>)>> {
    let mut statement = connection
        .prepare("select kid, private_key from issuer_keys where algorithm = ?1 and state = 'active'")?;
    Ok(statement.query_row([algorithm.as_str()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// Adds a key.
pub(super) fn insert(connection: &Connection, new: &NewKey) -> Result<()> {
    let key = &new.key;
    connection.execute(
        "insert into issuer_keys (id, kid, algorithm, state, public_key, private_key, created_at, activated_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            key.id.as_bytes(),
            key.kid,
            key.algorithm.as_str(),
            key.state.as_str(),
            key.public,
            new.sealed,
            key.created_at,
            key.activated_at
        ],
    )?;
    Ok(())
}

/// Lets a next key sign.
pub(super) fn activate(connection: &Connection, id: RecordId, now: UnixMillis) -> Result<()> {
    let sql = "update issuer_keys set state = 'active', activated_at = ?2 where id = ?1 and state = 'next'";
    connection.execute(sql, params![id.as_bytes(), now])?;
    Ok(())
}

/// Lets a key sign no more: its private part goes.
pub(super) fn retire(
    connection: &Connection,
    id: RecordId,
    now: UnixMillis,
    verifies_until: UnixMillis,
) -> Result<()> {
    connection.execute(
        "update issuer_keys set state = 'retired', retired_at = ?2, verifies_until = ?3, private_key = null
         where id = ?1",
        params![id.as_bytes(), now, verifies_until],
    )?;
    Ok(())
}

/// Lets a key verify no more.
pub(super) fn destroy(connection: &Connection, id: RecordId, now: UnixMillis) -> Result<()> {
    let sql =
        "update issuer_keys set state = 'destroyed', destroyed_at = ?2, private_key = null where id = ?1";
    connection.execute(sql, params![id.as_bytes(), now])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<SigningKey> {
    let (algorithm, state): (String, String) = (row.get("algorithm")?, row.get("state")?);
    Ok(SigningKey {
        id: RecordId::from_bytes(row.get("id")?),
        kid: row.get("kid")?,
        algorithm: SigningAlgorithm::parse(&algorithm).unwrap_or(SigningAlgorithm::EdDsa),
        state: KeyState::stored(&state),
        public: row.get("public_key")?,
        created_at: row.get("created_at")?,
        activated_at: row.get("activated_at")?,
        retired_at: row.get("retired_at")?,
        destroyed_at: row.get("destroyed_at")?,
        verifies_until: row.get("verifies_until")?,
    })
}

/// How many keys still have a private part.
#[cfg(test)]
pub(super) fn private_parts(connection: &Connection) -> Result<i64> {
    let mut statement = connection.prepare("select count(private_key) from issuer_keys")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}
