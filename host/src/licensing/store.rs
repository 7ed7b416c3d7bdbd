//! The `licences` table of the control database.

use sqlx::{Row, SqlitePool};

use crate::clock::UnixMillis;
use crate::ids::OrganizationId;
use crate::storage::StorageError;

use super::Licence;

/// Adds the licence, or replaces the one the module has.
pub(super) async fn put(
    pool: &SqlitePool,
    organization: OrganizationId,
    licence: &Licence,
    now: UnixMillis,
) -> Result<(), StorageError> {
    sqlx::query(
        "insert into licences (organization_id, module, edition, valid_from, valid_until, created_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (organization_id, module) do update set edition = excluded.edition,
             valid_from = excluded.valid_from, valid_until = excluded.valid_until, created_at = excluded.created_at",
    )
    .bind(organization.as_bytes().as_slice())
    .bind(licence.module.as_str())
    .bind(licence.edition.as_str())
    .bind(licence.valid_from)
    .bind(licence.valid_until)
    .bind(now)
    .execute(pool)
    .await?;
    Ok(())
}

/// Removes the module's licence; `false` when there was none.
pub(super) async fn delete(
    pool: &SqlitePool,
    organization: OrganizationId,
    module: &str,
) -> Result<bool, StorageError> {
    let done = sqlx::query("delete from licences where organization_id = $1 and module = $2")
        .bind(organization.as_bytes().as_slice())
        .bind(module)
        .execute(pool)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// The organization's licences, by module.
pub(super) async fn list(
    pool: &SqlitePool,
    organization: OrganizationId,
) -> Result<Vec<Licence>, StorageError> {
    let rows = sqlx::query(
        "select module, edition, valid_from, valid_until from licences where organization_id = $1 order by module",
    )
    .bind(organization.as_bytes().as_slice())
    .fetch_all(pool)
    .await?;
    let read = |row: &sqlx::sqlite::SqliteRow| {
        Ok(Licence {
            module: row.try_get("module")?,
            edition: row.try_get("edition")?,
            valid_from: row.try_get("valid_from")?,
            valid_until: row.try_get("valid_until")?,
        })
    };
    rows.iter().map(read).collect()
}
