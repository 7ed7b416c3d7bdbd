//! The table `oauth_clients` of an identity file.

use rusqlite::{OptionalExtension, Row, params};

use super::{Client, ClientAuth, ClientKind, GrantType};
use crate::identity::SigningAlgorithm;
use crate::ids::{ClientId, PrincipalId};
use crate::storage::{Connection, StorageError};

type Result<T> = std::result::Result<T, StorageError>;

/// A client with the hash of its secret.
pub(super) struct Stored {
    pub(super) client: Client,
    pub(super) secret: Option<[u8; 32]>,
}

/// Adds a client.
pub(super) fn insert(connection: &Connection, client: &Client, secret: Option<&[u8; 32]>) -> Result<()> {
    connection.execute(
        "insert into oauth_clients (id, name, kind, auth_method, secret_hash, redirect_uris, logout_uris, grants,
                                    scopes, service_id, id_token_alg, trusted, created_at, created_by, updated_at, updated_by)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?13, ?14)",
        params![
            client.id.as_bytes(),
            client.name,
            client.kind.as_str(),
            client.auth.as_str(),
            secret,
            json(&client.redirect_uris),
            json(&client.logout_uris),
            json(&client.grants.iter().map(|grant| grant.as_str()).collect::<Vec<_>>()),
            json(&client.scopes),
            client.service.map(|id| *id.as_bytes()),
            client.id_token_algorithm.as_str(),
            client.trusted,
            client.created_at,
            client.created_by.as_bytes(),
        ],
    )?;
    Ok(())
}

/// Stores what can change of a client.
pub(super) fn update(connection: &Connection, client: &Client) -> Result<()> {
    connection.execute(
        "update oauth_clients set version = ?2, name = ?3, redirect_uris = ?4, logout_uris = ?5, scopes = ?6,
                id_token_alg = ?7, trusted = ?8, active = ?9, updated_at = ?10, updated_by = ?11 where id = ?1",
        params![
            client.id.as_bytes(),
            client.version,
            client.name,
            json(&client.redirect_uris),
            json(&client.logout_uris),
            json(&client.scopes),
            client.id_token_algorithm.as_str(),
            client.trusted,
            client.active,
            client.updated_at,
            client.updated_by.as_bytes(),
        ],
    )?;
    Ok(())
}

/// Another secret; the old one is none from now on.
pub(super) fn set_secret(connection: &Connection, id: ClientId, secret: &[u8; 32]) -> Result<()> {
    connection
        .execute("update oauth_clients set secret_hash = ?2 where id = ?1", params![id.as_bytes(), secret])?;
    Ok(())
}

/// Removes a client and what people allowed it.
pub(super) fn delete(connection: &Connection, id: ClientId) -> Result<()> {
    connection.execute("delete from oauth_consents where client_id = ?1", [id.as_bytes()])?;
    connection.execute("delete from oauth_clients where id = ?1", [id.as_bytes()])?;
    Ok(())
}

/// The client with this id.
pub(super) fn find(connection: &Connection, id: ClientId) -> Result<Option<Stored>> {
    let mut statement = connection.prepare("select * from oauth_clients where id = ?1")?;
    let stored = |row: &Row<'_>| Ok(Stored { client: read(row)?, secret: row.get("secret_hash")? });
    Ok(statement.query_row([id.as_bytes()], stored).optional()?)
}

/// Every client, by id.
pub(super) fn list(connection: &Connection) -> Result<Vec<Client>> {
    let mut statement = connection.prepare("select * from oauth_clients order by id")?;
    Ok(statement.query_map([], read)?.collect::<rusqlite::Result<_>>()?)
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "[]".to_owned())
}

fn texts(row: &Row<'_>, column: &str) -> rusqlite::Result<Vec<String>> {
    let text: String = row.get(column)?;
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

/// A word that is not known allows nothing.
fn read(row: &Row<'_>) -> rusqlite::Result<Client> {
    let word = |column| row.get::<_, String>(column);
    Ok(Client {
        id: ClientId::from_bytes(row.get("id")?),
        version: row.get("version")?,
        name: row.get("name")?,
        kind: ClientKind::parse(&word("kind")?).unwrap_or(ClientKind::Service),
        auth: ClientAuth::parse(&word("auth_method")?).unwrap_or(ClientAuth::Basic),
        redirect_uris: texts(row, "redirect_uris")?,
        logout_uris: texts(row, "logout_uris")?,
        grants: texts(row, "grants")?.iter().filter_map(|word| GrantType::parse(word)).collect(),
        scopes: texts(row, "scopes")?,
        service: row.get::<_, Option<[u8; 16]>>("service_id")?.map(PrincipalId::from_bytes),
        id_token_algorithm: SigningAlgorithm::parse(&word("id_token_alg")?)
            .unwrap_or(SigningAlgorithm::Rs256),
        trusted: row.get("trusted")?,
        active: row.get("active")?,
        created_at: row.get("created_at")?,
        created_by: PrincipalId::from_bytes(row.get("created_by")?),
        updated_at: row.get("updated_at")?,
        updated_by: PrincipalId::from_bytes(row.get("updated_by")?),
    })
}
