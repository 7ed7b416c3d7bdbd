//! The `jobs` table of the control database. Every change names the state it expects, so two runners cannot both win.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};

use crate::clock::UnixMillis;
use crate::ids::{JobId, OrganizationId, PrincipalId};
use crate::storage::StorageError;

use super::{Failure, Job, JobState, Progress};

/// Adds a waiting job.
pub(super) async fn insert(pool: &SqlitePool, job: &Job) -> Result<(), StorageError> {
    sqlx::query(
        "insert into jobs (id, organization_id, kind, state, spec, created_by, created_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(job.id.as_bytes().as_slice())
    .bind(job.organization.as_bytes().as_slice())
    .bind(job.kind.as_str())
    .bind(job.state.as_str())
    .bind(job.spec.as_str())
    .bind(job.created_by.as_bytes().as_slice())
    .bind(job.created_at)
    .execute(pool)
    .await?;
    Ok(())
}

/// The organization's job with this id.
pub(super) async fn find(
    pool: &SqlitePool,
    organization: OrganizationId,
    id: JobId,
) -> Result<Option<Job>, StorageError> {
    let row = sqlx::query("select * from jobs where id = $1 and organization_id = $2")
        .bind(id.as_bytes().as_slice())
        .bind(organization.as_bytes().as_slice())
        .fetch_optional(pool)
        .await?;
    row.as_ref().map(read).transpose()
}

/// The organization's jobs before `before`, newest first; only those that `created_by` asked for, if that is given.
pub(super) async fn list(
    pool: &SqlitePool,
    organization: OrganizationId,
    created_by: Option<PrincipalId>,
    before: Option<JobId>,
    limit: u32,
) -> Result<Vec<Job>, StorageError> {
    let last = [0xff; 16]; // sorts after every id
    let before = before.as_ref().map_or(last.as_slice(), |id| id.as_bytes().as_slice());
    let rows = sqlx::query(
        "select * from jobs where organization_id = $1 and id < $2 and ($3 is null or created_by = $3)
         order by id desc limit $4",
    )
    .bind(organization.as_bytes().as_slice())
    .bind(before)
    .bind(created_by.as_ref().map(|id| id.as_bytes().as_slice()))
    .bind(i64::from(limit))
    .fetch_all(pool)
    .await?;
    rows.iter().map(read).collect()
}

/// Makes the oldest waiting job a running one.
pub(super) async fn claim_next(pool: &SqlitePool, now: UnixMillis) -> Result<Option<Job>, StorageError> {
    let row = sqlx::query(
        "update jobs set state = 'running', started_at = $1
         where id = (select id from jobs where state = 'queued' order by id limit 1) and state = 'queued'
         returning *",
    )
    .bind(now)
    .fetch_optional(pool)
    .await?;
    row.as_ref().map(read).transpose()
}

/// Makes this waiting job a running one.
pub(super) async fn claim(
    pool: &SqlitePool,
    id: JobId,
    now: UnixMillis,
) -> Result<Option<Job>, StorageError> {
    let row = sqlx::query(
        "update jobs set state = 'running', started_at = $1 where id = $2 and state = 'queued' returning *",
    )
    .bind(now)
    .bind(id.as_bytes().as_slice())
    .fetch_optional(pool)
    .await?;
    row.as_ref().map(read).transpose()
}

/// Stores the progress of a running job and tells whether it was asked to stop; `None` when it is not running.
pub(super) async fn set_progress(
    pool: &SqlitePool,
    id: JobId,
    progress: Progress,
) -> Result<Option<bool>, StorageError> {
    let row = sqlx::query(
        "update jobs set done = $1, total = $2, failed = $3 where id = $4 and state = 'running' returning cancel",
    )
    .bind(progress.done)
    .bind(progress.total)
    .bind(progress.failed)
    .bind(id.as_bytes().as_slice())
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| row.try_get::<i64, _>("cancel")).transpose()?.map(|cancel| cancel != 0))
}

/// Ends a running job; `false` when it is not running.
pub(super) async fn end(
    pool: &SqlitePool,
    id: JobId,
    (state, result, failure): (JobState, Option<&str>, Option<&Failure>),
    now: UnixMillis,
) -> Result<bool, StorageError> {
    let done = sqlx::query(
        "update jobs set state = $1, result = $2, error_code = $3, error_detail = $4, finished_at = $5
         where id = $6 and state = 'running'",
    )
    .bind(state.as_str())
    .bind(result)
    .bind(failure.map(|failure| failure.code.as_str()))
    .bind(failure.map(|failure| failure.detail.as_str()))
    .bind(now)
    .bind(id.as_bytes().as_slice())
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends a waiting job and marks a running one.
pub(super) async fn cancel(
    pool: &SqlitePool,
    organization: OrganizationId,
    id: JobId,
    now: UnixMillis,
) -> Result<(), StorageError> {
    sqlx::query(
        "update jobs set cancel = 1,
             finished_at = case when state = 'queued' then $1 else finished_at end,
             state = case when state = 'queued' then 'cancelled' else state end
         where id = $2 and organization_id = $3 and state in ('queued', 'running')",
    )
    .bind(now)
    .bind(id.as_bytes().as_slice())
    .bind(organization.as_bytes().as_slice())
    .execute(pool)
    .await?;
    Ok(())
}

/// Puts running jobs back to the queue and tells how many.
pub(super) async fn resume(pool: &SqlitePool) -> Result<u64, StorageError> {
    let done = sqlx::query("update jobs set state = 'queued' where state = 'running'").execute(pool).await?;
    Ok(done.rows_affected())
}

fn read(row: &SqliteRow) -> Result<Job, StorageError> {
    let id: Vec<u8> = row.try_get("id")?;
    let organization: Vec<u8> = row.try_get("organization_id")?;
    let created_by: Vec<u8> = row.try_get("created_by")?;
    let state: String = row.try_get("state")?;
    let code: Option<String> = row.try_get("error_code")?;
    let detail: Option<String> = row.try_get("error_detail")?;
    let foreign = |error| sqlx::Error::Decode(Box::new(error));
    Ok(Job {
        id: JobId::from_slice(&id).map_err(foreign)?,
        organization: OrganizationId::from_slice(&organization).map_err(foreign)?,
        kind: row.try_get("kind")?,
        state: JobState::stored(&state)
            .ok_or_else(|| sqlx::Error::Decode("unknown state of a job".into()))?,
        progress: Progress {
            done: row.try_get("done")?,
            total: row.try_get("total")?,
            failed: row.try_get("failed")?,
        },
        spec: row.try_get("spec")?,
        result: row.try_get("result")?,
        failure: code.map(|code| Failure { code, detail: detail.unwrap_or_default() }),
        cancelling: row.try_get::<i64, _>("cancel")? != 0,
        created_by: PrincipalId::from_slice(&created_by).map_err(foreign)?,
        created_at: row.try_get("created_at")?,
        started_at: row.try_get("started_at")?,
        finished_at: row.try_get("finished_at")?,
    })
}

/// A row to refer to: the module of organizations stands above this one.
#[cfg(test)]
pub(super) async fn insert_organization(pool: &SqlitePool) -> Result<OrganizationId, StorageError> {
    let id = OrganizationId::new();
    sqlx::query(
        "insert into organizations (id, slug, name, status, zone, locale, currency, created_at)
         values ($1, 'acme', 'Acme', 'active', 'UTC', 'en', 'EUR', 0)",
    )
    .bind(id.as_bytes().as_slice())
    .execute(pool)
    .await?;
    Ok(id)
}
