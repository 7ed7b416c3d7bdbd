//! Signing keys, and principals as a bearer needs them, in an identity file.

use std::sync::Arc;

use rusqlite::{OptionalExtension, Row, params};

use crate::caller::{Principal, PrincipalKind};
use crate::clock::UnixMillis;
use crate::identity::{keys, people};
use crate::ids::{PrincipalId, RecordId};
use crate::storage::{Connection, StorageError};

type Result<T> = std::result::Result<T, StorageError>;

/// An active person, with the epochs of the file and of their tokens in the same snapshot.
pub(super) struct Found {
    pub(super) principal: Principal,
    pub(super) token_epoch: i64,
    pub(super) epoch: i64,
}

/// A signing key to store.
pub(super) struct NewKey {
    pub(super) id: RecordId,
    pub(super) kid: String,
    pub(super) public: [u8; 32],
    pub(super) sealed: Vec<u8>,
    pub(super) now: UnixMillis,
}

/// The person or the service account, if they are active.
pub(super) fn find_principal(connection: &Connection, id: PrincipalId) -> Result<Option<Found>> {
    let mut statement = connection
        .prepare("select name, roles, token_epoch from users where id = ?1 and status = 'active'")?;
    let read = |row: &Row<'_>| {
        let name: Arc<str> = row.get("name")?;
        let token_epoch: i64 = row.get("token_epoch")?;
        Ok((name, people::roles_of(row)?, token_epoch))
    };
    let epoch = crate::identity::store::epoch(connection)?;
    let Some((name, roles, token_epoch)) = statement.query_row([id.as_bytes()], read).optional()? else {
        let service = keys::service_principal(connection, id)?;
        return Ok(service.map(|(principal, token_epoch)| Found { principal, token_epoch, epoch }));
    };
    let teams = people::teams_of(connection, id)?;
    let principal = Principal::new(id, PrincipalKind::User, name)
        .with_roles(roles)
        .with_subteams(people::subteams_of(connection, &teams)?)
        .with_teams(teams);
    Ok(Some(Found { principal, token_epoch, epoch }))
}

/// Key id and public key of every key that verifies.
pub(super) fn verifying_keys(connection: &Connection) -> Result<Vec<(String, [u8; 32])>> {
    let mut statement = connection.prepare("select kid, public_key from signing_keys order by id")?;
    let keys = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(keys.collect::<rusqlite::Result<_>>()?)
}

/// Key id and sealed private key of the key that signs.
pub(super) fn active_key(connection: &Connection) -> Result<Option<(String, Vec<u8>)>> {
    let mut statement =
        connection.prepare("select kid, private_key from signing_keys where state = 'active'")?;
    Ok(statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// Adds the active key.
pub(super) fn insert_key(connection: &Connection, key: &NewKey) -> Result<()> {
    connection.execute(
        "insert into signing_keys (id, kid, state, public_key, private_key, created_at)
         values (?1, ?2, 'active', ?3, ?4, ?5)",
        params![key.id.as_bytes(), key.kid, key.public, key.sealed, key.now],
    )?;
    Ok(())
}
