//! The `settings` table of the control database.

use std::collections::BTreeMap;

use sqlx::{Row, SqlitePool};

use crate::clock::UnixMillis;
use crate::ids::OrganizationId;
use crate::storage::StorageError;

/// The value of one key.
pub(super) async fn get(
    pool: &SqlitePool,
    organization: OrganizationId,
    plugin: &str,
    key: &str,
) -> Result<Option<String>, StorageError> {
    let row =
        sqlx::query("select value from settings where organization_id = $1 and plugin = $2 and key = $3")
            .bind(organization.as_bytes().as_slice())
            .bind(plugin)
            .bind(key)
            .fetch_optional(pool)
            .await?;
    Ok(row.map(|row| row.try_get("value")).transpose()?)
}

/// The values of one plugin, by key.
pub(super) async fn all(
    pool: &SqlitePool,
    organization: OrganizationId,
    plugin: &str,
) -> Result<BTreeMap<String, String>, StorageError> {
    let rows = sqlx::query("select key, value from settings where organization_id = $1 and plugin = $2")
        .bind(organization.as_bytes().as_slice())
        .bind(plugin)
        .fetch_all(pool)
        .await?;
    rows.iter().map(|row| Ok((row.try_get("key")?, row.try_get("value")?))).collect()
}

/// Adds or replaces (plugin, key, value).
pub(super) async fn put(
    pool: &SqlitePool,
    organization: OrganizationId,
    (plugin, key, value): (&str, &str, &str),
    now: UnixMillis,
) -> Result<(), StorageError> {
    sqlx::query(
        "insert into settings (organization_id, plugin, key, value, updated_at) values ($1, $2, $3, $4, $5)
         on conflict (organization_id, plugin, key) do update set value = excluded.value, updated_at = excluded.updated_at",
    )
    .bind(organization.as_bytes().as_slice())
    .bind(plugin)
    .bind(key)
    .bind(value)
    .bind(now)
    .execute(pool)
    .await?;
    Ok(())
}

/// Removes one key; `false` when it was not set.
pub(super) async fn delete(
    pool: &SqlitePool,
    organization: OrganizationId,
    plugin: &str,
    key: &str,
) -> Result<bool, StorageError> {
    let done = sqlx::query("delete from settings where organization_id = $1 and plugin = $2 and key = $3")
        .bind(organization.as_bytes().as_slice())
        .bind(plugin)
        .bind(key)
        .execute(pool)
        .await?;
    Ok(done.rows_affected() == 1)
}
