//! The table `oauth_clients` of an identity file, and the assertions that clients used.

use rusqlite::{OptionalExtension, Row, params};

use super::{Client, ClientAuth, ClientKind, GrantType, Lives};
use crate::clock::UnixMillis;
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
                                    scopes, service_id, id_token_alg, trusted, created_at, created_by, updated_at, updated_by,
                                    keys, origins, access_life, idle_life, longest_life)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
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
            json(&client.keys),
            json(&client.origins),
            client.lives.access,
            client.lives.idle,
            client.lives.longest,
        ],
    )?;
    Ok(())
}

/// Stores what can change of a client.
pub(super) fn update(connection: &Connection, client: &Client) -> Result<()> {
    connection.execute(
        "update oauth_clients set version = ?2, name = ?3, redirect_uris = ?4, logout_uris = ?5, scopes = ?6,
                id_token_alg = ?7, trusted = ?8, active = ?9, updated_at = ?10, updated_by = ?11, keys = ?12, origins = ?13,
                access_life = ?14, idle_life = ?15, longest_life = ?16 where id = ?1",
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
            json(&client.keys),
            json(&client.origins),
            client.lives.access,
            client.lives.idle,
            client.lives.longest,
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

/// Whether an active client has this origin.
pub(super) fn knows_origin(connection: &Connection, origin: &str) -> Result<bool> {
    let mut statement = connection.prepare(
        "select 1 from oauth_clients, json_each(oauth_clients.origins) as one where active = 1 and one.value = ?1",
    )?;
    Ok(statement.exists([origin])?)
}

/// Keeps an assertion as used until it is over; those that are over go. Answers whether it was not used before.
pub(super) fn use_assertion(
    connection: &Connection,
    hash: &[u8; 32],
    until: UnixMillis,
    now: UnixMillis,
) -> Result<bool> {
    connection.execute("delete from _stoa_oauth_assertions where expires_at <= ?1", [now])?;
    let sql = "insert into _stoa_oauth_assertions (hash, expires_at) values (?1, ?2) on conflict do nothing";
    Ok(connection.execute(sql, params![hash, until])? == 1)
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
        keys: serde_json::from_str(&word("keys")?).unwrap_or_default(),
        origins: texts(row, "origins")?,
        lives: Lives {
            access: row.get("access_life")?,
            idle: row.get("idle_life")?,
            longest: row.get("longest_life")?,
        },
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

#[cfg(test)]
mod tests {
    #[test]
    fn clients_of_before_keep_what_they_are_and_what_people_allowed_them() {
        let file = rusqlite::Connection::open_in_memory().unwrap();
        file.execute_batch(
            "pragma foreign_keys = on; create table users (id blob primary key); insert into users values (zeroblob(16));",
        )
        .unwrap();
        file.execute_batch(include_str!("../../../../../migrations/identity/0003_oauth.sql")).unwrap();
        for (id, kind, auth) in [(1_u8, "native", "none"), (2, "web", "client_secret_post")] {
            file.execute(
                "insert into oauth_clients (id, name, kind, auth_method, redirect_uris, logout_uris, grants, scopes,
                     id_token_alg, trusted, created_at, created_by, updated_at, updated_by)
                 values (?1, 'n', ?2, ?3, '[]', '[]', '[]', '[]', 'RS256', 0, 0, x'', 0, x'')",
                rusqlite::params![[id; 16], kind, auth],
            )
            .unwrap();
            file.execute(
                "insert into oauth_consents values (?1, zeroblob(16), ?1, '[]', 0, 0)",
                rusqlite::params![[id; 16]],
            )
            .unwrap();
        }
        file.execute_batch(include_str!("../../../../../migrations/identity/0015_clients.sql")).unwrap();
        let mut statement = file
            .prepare("select auth_method, idle_life, longest_life, access_life, keys from oauth_clients order by id")
            .unwrap();
        let found: Vec<(String, i64, i64, i64, String)> = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let expected = |auth: &str, idle, longest| (auth.to_owned(), idle, longest, 600, "[]".to_owned());
        assert_eq!(
            found,
            [expected("none", 2_592_000, 7_776_000), expected("client_secret_post", 28_800, 86_400)]
        );
        let consents: i64 =
            file.query_row("select count(*) from oauth_consents", [], |row| row.get(0)).unwrap();
        assert_eq!(consents, 2);
        let unknown = file.execute("update oauth_clients set auth_method = 'x'", []);
        assert!(unknown.is_err(), "the check stands");
    }
}
