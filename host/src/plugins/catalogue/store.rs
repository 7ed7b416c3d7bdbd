//! The tables `publishers`, `publisher_keys` and `plugin_versions` of the control database.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqlitePool};

use super::{Killed, Publisher, PublisherKey, Version};
use crate::clock::UnixMillis;
use crate::ids::PrincipalId;
use crate::plugins::{PublicKey, Trust};
use crate::storage::StorageError;

/// Everybody, with their keys.
pub(super) async fn publishers(pool: &SqlitePool) -> Result<Vec<Publisher>, StorageError> {
    let rows = sqlx::query("select * from publishers order by id").fetch_all(pool).await?;
    let keys = sqlx::query("select * from publisher_keys order by publisher, created_at, id")
        .fetch_all(pool)
        .await?;
    let mut found: Vec<Publisher> = rows.iter().map(read_publisher).collect::<Result<_, _>>()?;
    for row in &keys {
        let of: String = row.try_get("publisher")?;
        if let Some(publisher) = found.iter_mut().find(|one| one.id == of) {
            publisher.keys.push(read_key(row)?);
        }
    }
    Ok(found)
}

/// Adds a publisher with a first key; `false` when the id or the key is taken.
pub(super) async fn add_publisher(
    pool: &SqlitePool,
    publisher: &Publisher,
    key: &PublicKey,
    by: PrincipalId,
) -> Result<bool, StorageError> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let added = sqlx::query(
        "insert into publishers (id, name, trust, created_by, created_at) values ($1, $2, $3, $4, $5)
         on conflict do nothing",
    )
    .bind(&publisher.id)
    .bind(&publisher.name)
    .bind(publisher.trust.as_str())
    .bind(by.as_bytes().as_slice())
    .bind(publisher.created_at)
    .execute(&mut *transaction)
    .await?;
    let keyed = sqlx::query(KEY)
        .bind(key.id())
        .bind(&publisher.id)
        .bind(key.to_string())
        .bind(by.as_bytes().as_slice())
        .bind(publisher.created_at)
        .execute(&mut *transaction)
        .await?;
    if added.rows_affected() == 0 || keyed.rows_affected() == 0 {
        return Ok(false); // Nothing is committed.
    }
    transaction.commit().await?;
    Ok(true)
}

const KEY: &str = "insert into publisher_keys (id, publisher, public_key, created_by, created_at)
    values ($1, $2, $3, $4, $5) on conflict do nothing";

/// Adds a key; `false` when it is taken.
pub(super) async fn add_key(
    pool: &SqlitePool,
    publisher: &str,
    key: &PublicKey,
    by: PrincipalId,
    now: UnixMillis,
) -> Result<bool, StorageError> {
    let done = sqlx::query(KEY)
        .bind(key.id())
        .bind(publisher)
        .bind(key.to_string())
        .bind(by.as_bytes().as_slice())
        .bind(now)
        .execute(pool)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Revokes a key of the publisher; `false` when there is none. One that was revoked stays as it was.
pub(super) async fn revoke(
    pool: &SqlitePool,
    publisher: &str,
    key: &str,
    by: PrincipalId,
    now: UnixMillis,
) -> Result<bool, StorageError> {
    let done = sqlx::query(
        "update publisher_keys set revoked_at = coalesce(revoked_at, $3), revoked_by = coalesce(revoked_by, $4)
         where id = $1 and publisher = $2",
    )
    .bind(key)
    .bind(publisher)
    .bind(now)
    .bind(by.as_bytes().as_slice())
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Every version, in the order of their coming.
pub(super) async fn versions(pool: &SqlitePool) -> Result<Vec<Version>, StorageError> {
    let rows = sqlx::query("select * from plugin_versions order by uploaded_at, plugin, version")
        .fetch_all(pool)
        .await?;
    rows.iter().map(read_version).collect()
}

/// Adds a version; `false` when it is there.
pub(super) async fn add_version(pool: &SqlitePool, version: &Version) -> Result<bool, StorageError> {
    let done = sqlx::query(
        "insert into plugin_versions (plugin, version, publisher, key, sha256, size, uploaded_by, uploaded_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing",
    )
    .bind(&version.plugin)
    .bind(&version.version)
    .bind(&version.publisher)
    .bind(&version.key)
    .bind(&version.sha256)
    .bind(version.size)
    .bind(version.uploaded_by.as_bytes().as_slice())
    .bind(version.uploaded_at)
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Stops a version, or lets it run again; `false` when there is none.
pub(super) async fn kill(
    pool: &SqlitePool,
    (plugin, version): (&str, &str),
    killed: Option<&Killed>,
) -> Result<bool, StorageError> {
    let done = sqlx::query(
        "update plugin_versions set killed_reason = $3, killed_by = $4, killed_at = $5
         where plugin = $1 and version = $2",
    )
    .bind(plugin)
    .bind(version)
    .bind(killed.map(|killed| killed.reason.as_str()))
    .bind(killed.map(|killed| killed.by.as_bytes().as_slice()))
    .bind(killed.map(|killed| killed.at))
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

fn read_publisher(row: &SqliteRow) -> Result<Publisher, StorageError> {
    Ok(Publisher {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        trust: Trust::parse(row.try_get("trust")?).unwrap_or(Trust::Community),
        created_at: row.try_get("created_at")?,
        keys: Vec::new(),
    })
}

fn read_key(row: &SqliteRow) -> Result<PublisherKey, StorageError> {
    Ok(PublisherKey {
        id: row.try_get("id")?,
        public_key: row.try_get("public_key")?,
        created_at: row.try_get("created_at")?,
        revoked_at: row.try_get("revoked_at")?,
    })
}

fn read_version(row: &SqliteRow) -> Result<Version, StorageError> {
    let killed = match row.try_get::<Option<String>, _>("killed_reason")? {
        Some(reason) => Some(Killed {
            reason,
            by: PrincipalId::from_slice(row.try_get("killed_by")?)?,
            at: row.try_get("killed_at")?,
        }),
        None => None,
    };
    Ok(Version {
        plugin: row.try_get("plugin")?,
        version: row.try_get("version")?,
        publisher: row.try_get("publisher")?,
        key: row.try_get("key")?,
        sha256: row.try_get("sha256")?,
        size: row.try_get("size")?,
        uploaded_by: PrincipalId::from_slice(row.try_get("uploaded_by")?)?,
        uploaded_at: row.try_get("uploaded_at")?,
        killed,
    })
}
