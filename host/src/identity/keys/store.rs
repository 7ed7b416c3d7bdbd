//! The tables `api_keys`, `service_accounts` and `_stoa_key_uses` of an identity file.

use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::UnixMillis;
use crate::identity::people::{UserStatus, roles_of, roles_text};
use crate::ids::PrincipalId;
use crate::storage::{Connection, StorageError};

use super::{ApiKey, ServiceAccount};

type Result<T> = std::result::Result<T, StorageError>;

/// Adds a key.
pub(super) fn insert(connection: &Connection, key: &ApiKey, hash: &[u8; 32]) -> Result<()> {
    connection.execute(
        "insert into api_keys (id, name, role, service_id, scopes, networks, administers, secret_hash, expires_at,
                               created_at, created_by)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            key.id.as_bytes(),
            key.name,
            key.role.as_deref().unwrap_or_default(),
            key.service.as_ref().map(PrincipalId::as_bytes),
            json(key.scopes.as_ref()),
            json(key.networks.as_ref().map(|networks| networks.iter().map(ToString::to_string).collect::<Vec<_>>()).as_ref()),
            key.administers,
            hash,
            key.expires_at,
            key.created_at,
            key.created_by.as_bytes()
        ],
    )?;
    Ok(())
}

/// The key with this id, and the hash of its secret.
pub(super) fn find(connection: &Connection, id: PrincipalId) -> Result<Option<(ApiKey, [u8; 32])>> {
    let mut statement = connection.prepare(
        "select *, (select used_at from _stoa_key_uses where key_id = api_keys.id) as used_at
         from api_keys where id = ?1",
    )?;
    let read = |row: &Row<'_>| Ok((read(row)?, row.get("secret_hash")?));
    Ok(statement.query_row([id.as_bytes()], read).optional()?)
}

/// Every key, by id.
pub(super) fn list(connection: &Connection) -> Result<Vec<ApiKey>> {
    let mut statement = connection.prepare(
        "select *, (select used_at from _stoa_key_uses where key_id = api_keys.id) as used_at
         from api_keys order by id",
    )?;
    Ok(statement.query_map([], read)?.collect::<rusqlite::Result<_>>()?)
}

/// Revokes a key that is not revoked.
pub(super) fn revoke(connection: &Connection, id: PrincipalId, now: UnixMillis) -> Result<()> {
    let sql = "update api_keys set revoked_at = ?2 where id = ?1 and revoked_at is null";
    connection.execute(sql, params![id.as_bytes(), now])?;
    Ok(())
}

/// Whether no use of a key was written down yet.
pub(super) fn first_use(connection: &Connection, id: PrincipalId) -> Result<bool> {
    let mut statement = connection.prepare("select 1 from _stoa_key_uses where key_id = ?1")?;
    Ok(!statement.exists([id.as_bytes()])?)
}

/// Writes down that a key was used.
pub(super) fn note_use(connection: &Connection, id: PrincipalId, now: UnixMillis) -> Result<()> {
    connection.execute(
        "insert into _stoa_key_uses (key_id, used_at) values (?1, ?2)
         on conflict (key_id) do update set used_at = max(used_at, excluded.used_at)",
        params![id.as_bytes(), now],
    )?;
    Ok(())
}

/// Adds a service account.
pub(super) fn insert_service(connection: &Connection, account: &ServiceAccount) -> Result<()> {
    connection.execute(
        "insert into service_accounts (id, version, name, description, status, roles, token_epoch,
                                       created_at, created_by, updated_at, updated_by)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            account.id.as_bytes(),
            account.version,
            account.name,
            account.description,
            account.status.as_str(),
            roles_text(&account.roles),
            account.token_epoch,
            account.created_at,
            account.created_by.as_bytes(),
            account.updated_at,
            account.updated_by.as_bytes(),
        ],
    )?;
    Ok(())
}

/// Stores what can change of a service account.
pub(super) fn update_service(connection: &Connection, account: &ServiceAccount) -> Result<()> {
    connection.execute(
        "update service_accounts set version = ?2, name = ?3, description = ?4, status = ?5, roles = ?6,
                                     token_epoch = ?7, updated_at = ?8, updated_by = ?9 where id = ?1",
        params![
            account.id.as_bytes(),
            account.version,
            account.name,
            account.description,
            account.status.as_str(),
            roles_text(&account.roles),
            account.token_epoch,
            account.updated_at,
            account.updated_by.as_bytes(),
        ],
    )?;
    Ok(())
}

/// The service account with this id.
pub(super) fn find_service(connection: &Connection, id: PrincipalId) -> Result<Option<ServiceAccount>> {
    let mut statement = connection.prepare("select * from service_accounts where id = ?1")?;
    Ok(statement.query_row([id.as_bytes()], read_service).optional()?)
}

/// The service account with this name.
pub(super) fn find_service_by_name(connection: &Connection, name: &str) -> Result<Option<ServiceAccount>> {
    let mut statement = connection.prepare("select * from service_accounts where name = ?1")?;
    Ok(statement.query_row([name], read_service).optional()?)
}

/// Service accounts after `after`, by id.
pub(super) fn list_services(
    connection: &Connection,
    after: Option<PrincipalId>,
    limit: u32,
) -> Result<Vec<ServiceAccount>> {
    let mut statement =
        connection.prepare("select * from service_accounts where id > ?1 order by id limit ?2")?;
    let after = after.as_ref().map_or([0; 16], |id| *id.as_bytes());
    Ok(statement.query_map(params![after, limit], read_service)?.collect::<rusqlite::Result<_>>()?)
}

fn json<T: Serialize>(value: Option<&T>) -> Option<String> {
    value.and_then(|value| serde_json::to_string(value).ok())
}

fn parsed<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    let failed = |error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error));
    text.map(|text| serde_json::from_str(&text).map_err(failed)).transpose()
}

fn read(row: &Row<'_>) -> rusqlite::Result<ApiKey> {
    let service: Option<[u8; 16]> = row.get("service_id")?;
    let role: String = row.get("role")?;
    let networks: Option<Vec<String>> = parsed(row, "networks")?;
    let failed = |error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error));
    let networks = networks
        .map(|networks| networks.iter().map(|text| text.parse().map_err(failed)).collect())
        .transpose()?;
    Ok(ApiKey {
        id: PrincipalId::from_bytes(row.get("id")?),
        name: row.get("name")?,
        role: Some(role).filter(|role| !role.is_empty()),
        service: service.map(PrincipalId::from_bytes),
        scopes: parsed(row, "scopes")?,
        networks,
        administers: row.get("administers")?,
        expires_at: row.get("expires_at")?,
        last_used_at: row.get("used_at")?,
        revoked_at: row.get("revoked_at")?,
        created_at: row.get("created_at")?,
        created_by: PrincipalId::from_bytes(row.get("created_by")?),
    })
}

fn read_service(row: &Row<'_>) -> rusqlite::Result<ServiceAccount> {
    let status: String = row.get("status")?;
    Ok(ServiceAccount {
        id: PrincipalId::from_bytes(row.get("id")?),
        version: row.get("version")?,
        name: row.get("name")?,
        description: row.get("description")?,
        status: UserStatus::stored(&status),
        roles: roles_of(row)?,
        token_epoch: row.get("token_epoch")?,
        created_at: row.get("created_at")?,
        created_by: PrincipalId::from_bytes(row.get("created_by")?),
        updated_at: row.get("updated_at")?,
        updated_by: PrincipalId::from_bytes(row.get("updated_by")?),
    })
}
