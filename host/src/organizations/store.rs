//! The tables `organizations` and `domain_holders` of the control database.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};

use crate::clock::UnixMillis;
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

/// Who holds the domain.
pub(super) async fn holder_of(
    pool: &SqlitePool,
    domain: &str,
) -> Result<Option<OrganizationId>, StorageError> {
    let row = sqlx::query("select organization_id from domain_holders where domain = $1")
        .bind(domain)
        .fetch_optional(pool)
        .await?;
    row.as_ref().map(|row| id(row, "organization_id")).transpose()
}

/// Makes an organization the domain's holder.
pub(super) async fn hold(
    pool: &SqlitePool,
    domain: &str,
    holder: OrganizationId,
    now: UnixMillis,
) -> Result<(), StorageError> {
    sqlx::query(
        "insert into domain_holders (domain, organization_id, held_at) values ($1, $2, $3)
         on conflict (domain) do update set organization_id = excluded.organization_id, held_at = excluded.held_at",
    )
    .bind(domain)
    .bind(holder.as_bytes().as_slice())
    .bind(now)
    .execute(pool)
    .await?;
    Ok(())
}

/// Takes the domain from this holder.
pub(super) async fn release(
    pool: &SqlitePool,
    domain: &str,
    holder: OrganizationId,
) -> Result<(), StorageError> {
    sqlx::query("delete from domain_holders where domain = $1 and organization_id = $2")
        .bind(domain)
        .bind(holder.as_bytes().as_slice())
        .execute(pool)
        .await?;
    Ok(())
}

fn id(row: &SqliteRow, column: &str) -> Result<OrganizationId, StorageError> {
    let id: Vec<u8> = row.try_get(column)?;
    Ok(OrganizationId::from_slice(&id).map_err(|error| sqlx::Error::Decode(Box::new(error)))?)
}

fn read(row: &SqliteRow) -> Result<Organization, StorageError> {
    let status: String = row.try_get("status")?;
    Ok(Organization {
        id: id(row, "id")?,
        slug: Slug::stored(row.try_get("slug")?),
        name: row.try_get("name")?,
        status: Status::stored(&status),
        zone: row.try_get("zone")?,
        locale: row.try_get("locale")?,
        currency: row.try_get("currency")?,
        created_at: row.try_get("created_at")?,
    })
}
