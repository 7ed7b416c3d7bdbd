//! The `organizations` table of the control database.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};

use crate::ids::OrganizationId;
use crate::storage::StorageError;

use super::{Organization, Slug, Status};

/// Adds the row. The unique slug, not a check before, decides between racing callers: `false` when it is taken.
pub(super) async fn insert(pool: &SqlitePool, organization: &Organization) -> Result<bool, StorageError> {
    let done = sqlx::query(
        "insert into organizations (id, slug, name, status, zone, locale, currency, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (slug) do nothing",
    )
    .bind(organization.id.as_bytes().as_slice())
    .bind(organization.slug.as_str())
    .bind(organization.name.as_str())
    .bind(organization.status.as_str())
    .bind(organization.zone.as_str())
    .bind(organization.locale.as_str())
    .bind(organization.currency.as_str())
    .bind(organization.created_at)
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The organization with this slug.
pub(super) async fn find_by_slug(
    pool: &SqlitePool,
    slug: &str,
) -> Result<Option<Organization>, StorageError> {
    let row = sqlx::query(
        "select id, slug, name, status, zone, locale, currency, created_at from organizations where slug = $1",
    )
    .bind(slug)
    .fetch_optional(pool)
    .await?;
    row.as_ref().map(read).transpose()
}

/// The organization with this id.
pub(super) async fn find(
    pool: &SqlitePool,
    id: OrganizationId,
) -> Result<Option<Organization>, StorageError> {
    let row = sqlx::query(
        "select id, slug, name, status, zone, locale, currency, created_at from organizations where id = $1",
    )
    .bind(id.as_bytes().as_slice())
    .fetch_optional(pool)
    .await?;
    row.as_ref().map(read).transpose()
}

/// All of them, by slug.
pub(super) async fn list(pool: &SqlitePool) -> Result<Vec<Organization>, StorageError> {
    let rows = sqlx::query(
        "select id, slug, name, status, zone, locale, currency, created_at from organizations order by slug",
    )
    .fetch_all(pool)
    .await?;
    rows.iter().map(read).collect()
}

/// A page of them, by slug.
pub(super) async fn page(
    pool: &SqlitePool,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Organization>, StorageError> {
    let rows = sqlx::query(
        "select id, slug, name, status, zone, locale, currency, created_at from organizations
         where slug > $1 order by slug limit $2",
    )
    .bind(after.unwrap_or_default())
    .bind(limit)
    .fetch_all(pool)
    .await?;
    rows.iter().map(read).collect()
}

/// Changes the status; `false` when there is no such organization.
pub(super) async fn set_status(
    pool: &SqlitePool,
    id: OrganizationId,
    status: Status,
) -> Result<bool, StorageError> {
    let done = sqlx::query("update organizations set status = $1 where id = $2")
        .bind(status.as_str())
        .bind(id.as_bytes().as_slice())
        .execute(pool)
        .await?;
    Ok(done.rows_affected() == 1)
}

fn read(row: &SqliteRow) -> Result<Organization, StorageError> {
    let id: Vec<u8> = row.try_get("id")?;
    let status: String = row.try_get("status")?;
    Ok(Organization {
        id: OrganizationId::from_slice(&id).map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        slug: Slug::stored(row.try_get("slug")?),
        name: row.try_get("name")?,
        status: Status::stored(&status),
        zone: row.try_get("zone")?,
        locale: row.try_get("locale")?,
        currency: row.try_get("currency")?,
        created_at: row.try_get("created_at")?,
    })
}
