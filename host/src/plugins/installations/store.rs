//! The tables `installations`, `installation_events` and `rollouts` of the control database.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection, SqlitePool};

use super::{Event, EventKind, Installation, Rollout, RolloutState};
use crate::clock::UnixMillis;
use crate::ids::{OrganizationId, PrincipalId, RolloutId};
use crate::plugins::capabilities::Capabilities;
use crate::storage::StorageError;

/// What an organization has, by plugin.
pub(super) async fn of(
    pool: &SqlitePool,
    organization: OrganizationId,
) -> Result<Vec<Installation>, StorageError> {
    let rows = sqlx::query("select * from installations where organization_id = $1 order by plugin")
        .bind(organization.as_bytes().as_slice())
        .fetch_all(pool)
        .await?;
    rows.iter().map(read).collect()
}

/// Who has the plugin, and what they have of it.
pub(super) async fn having(
    pool: &SqlitePool,
    plugin: &str,
) -> Result<Vec<(OrganizationId, Installation)>, StorageError> {
    let rows = sqlx::query("select * from installations where plugin = $1 order by organization_id")
        .bind(plugin)
        .fetch_all(pool)
        .await?;
    let one = |row: &SqliteRow| {
        let organization = OrganizationId::from_slice(row.try_get("organization_id")?)?;
        Ok((organization, read(row)?))
    };
    rows.iter().map(one).collect()
}

/// Keeps the installation as it is now, and the event that made it so.
pub(super) async fn put(
    pool: &SqlitePool,
    organization: OrganizationId,
    installation: &Installation,
    event: &Event,
) -> Result<(), StorageError> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query(
        "insert into installations (organization_id, plugin, version, state, pinned, capabilities, fault_version, fault,
             installed_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
         on conflict (organization_id, plugin) do update set version = excluded.version, state = excluded.state,
             pinned = excluded.pinned, capabilities = excluded.capabilities, fault_version = excluded.fault_version,
             fault = excluded.fault, updated_at = excluded.updated_at",
    )
    .bind(organization.as_bytes().as_slice())
    .bind(&*installation.plugin)
    .bind(&*installation.version)
    .bind(if installation.enabled { "enabled" } else { "disabled" })
    .bind(installation.pinned)
    .bind(serde_json::json!(installation.capabilities).to_string())
    .bind(installation.fault.as_ref().map(|(version, _)| version.as_str()))
    .bind(installation.fault.as_ref().map(|(_, why)| why.as_str()))
    .bind(event.at)
    .execute(&mut *transaction)
    .await?;
    tell(&mut transaction, organization, &installation.plugin, event).await?;
    transaction.commit().await?;
    Ok(())
}

/// Forgets the installation; what was done stays.
pub(super) async fn delete(
    pool: &SqlitePool,
    organization: OrganizationId,
    plugin: &str,
    event: &Event,
) -> Result<(), StorageError> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query("delete from installations where organization_id = $1 and plugin = $2")
        .bind(organization.as_bytes().as_slice())
        .bind(plugin)
        .execute(&mut *transaction)
        .await?;
    tell(&mut transaction, organization, plugin, event).await?;
    transaction.commit().await?;
    Ok(())
}

/// Keeps an event of a plugin that is not installed.
pub(super) async fn note(
    pool: &SqlitePool,
    organization: OrganizationId,
    plugin: &str,
    event: &Event,
) -> Result<(), StorageError> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    tell(&mut transaction, organization, plugin, event).await?;
    transaction.commit().await?;
    Ok(())
}

async fn tell(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    plugin: &str,
    event: &Event,
) -> Result<(), StorageError> {
    sqlx::query(
        "insert into installation_events (organization_id, plugin, number, event, version, detail, done_by, done_at)
         select $1, $2, coalesce(max(number), 0) + 1, $3, $4, $5, $6, $7
         from installation_events where organization_id = $1 and plugin = $2",
    )
    .bind(organization.as_bytes().as_slice())
    .bind(plugin)
    .bind(event.kind.as_str())
    .bind(&*event.version)
    .bind(event.detail.as_deref())
    .bind(event.by.as_bytes().as_slice())
    .bind(event.at)
    .execute(connection)
    .await?;
    Ok(())
}

/// What was done with a plugin in an organization, the latest first.
pub(super) async fn events(
    pool: &SqlitePool,
    organization: OrganizationId,
    plugin: &str,
    most: u32,
) -> Result<Vec<Event>, StorageError> {
    let rows = sqlx::query(
        "select * from installation_events where organization_id = $1 and plugin = $2 order by number desc limit $3",
    )
    .bind(organization.as_bytes().as_slice())
    .bind(plugin)
    .bind(most)
    .fetch_all(pool)
    .await?;
    let event = |row: &SqliteRow| {
        Ok(Event {
            kind: EventKind::parse(row.try_get("event")?).unwrap_or(EventKind::Failed),
            version: row.try_get::<String, _>("version")?.into(),
            detail: row.try_get("detail")?,
            by: PrincipalId::from_slice(row.try_get("done_by")?)?,
            at: row.try_get("done_at")?,
        })
    };
    rows.iter().map(event).collect()
}

/// Begins a roll-out; `false` when one of this plugin is running.
pub(super) async fn begin(pool: &SqlitePool, rollout: &Rollout) -> Result<bool, StorageError> {
    let done = sqlx::query(
        "insert into rollouts (id, plugin, version, capabilities, state, total, created_by, created_at)
         values ($1, $2, $3, $4, 'running', $5, $6, $7) on conflict (plugin) where state = 'running' do nothing",
    )
    .bind(rollout.id.as_bytes().as_slice())
    .bind(&*rollout.plugin)
    .bind(&*rollout.version)
    .bind(serde_json::json!(rollout.capabilities).to_string())
    .bind(rollout.total)
    .bind(rollout.by.as_bytes().as_slice())
    .bind(rollout.created_at)
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// How far it is; `false` when it was stopped meanwhile.
pub(super) async fn advance(
    pool: &SqlitePool,
    id: RolloutId,
    done: u32,
    failed: u32,
) -> Result<bool, StorageError> {
    let row = sqlx::query("update rollouts set done = $2, failed = $3 where id = $1 and state = 'running'")
        .bind(id.as_bytes().as_slice())
        .bind(done)
        .bind(failed)
        .execute(pool)
        .await?;
    Ok(row.rows_affected() == 1)
}

/// Ends a running one; `false` when it is over.
pub(super) async fn end(
    pool: &SqlitePool,
    id: RolloutId,
    state: RolloutState,
    now: UnixMillis,
) -> Result<bool, StorageError> {
    let row =
        sqlx::query("update rollouts set state = $2, finished_at = $3 where id = $1 and state = 'running'")
            .bind(id.as_bytes().as_slice())
            .bind(state.as_str())
            .bind(now)
            .execute(pool)
            .await?;
    Ok(row.rows_affected() == 1)
}

/// One of them.
pub(super) async fn rollout(pool: &SqlitePool, id: RolloutId) -> Result<Option<Rollout>, StorageError> {
    let row = sqlx::query("select * from rollouts where id = $1")
        .bind(id.as_bytes().as_slice())
        .fetch_optional(pool)
        .await?;
    row.as_ref().map(read_rollout).transpose()
}

/// The latest, newest first; only those that run, if that is asked.
pub(super) async fn rollouts(
    pool: &SqlitePool,
    running: bool,
    most: u32,
) -> Result<Vec<Rollout>, StorageError> {
    let rows =
        sqlx::query("select * from rollouts where $1 = 0 or state = 'running' order by id desc limit $2")
            .bind(running)
            .bind(most)
            .fetch_all(pool)
            .await?;
    rows.iter().map(read_rollout).collect()
}

fn read_rollout(row: &SqliteRow) -> Result<Rollout, StorageError> {
    Ok(Rollout {
        id: RolloutId::from_slice(row.try_get("id")?)?,
        plugin: row.try_get::<String, _>("plugin")?.into(),
        version: row.try_get::<String, _>("version")?.into(),
        capabilities: words(row)?,
        state: RolloutState::parse(row.try_get("state")?).unwrap_or(RolloutState::Stopped),
        total: row.try_get("total")?,
        done: row.try_get("done")?,
        failed: row.try_get("failed")?,
        by: PrincipalId::from_slice(row.try_get("created_by")?)?,
        created_at: row.try_get("created_at")?,
        finished_at: row.try_get("finished_at")?,
    })
}

fn read(row: &SqliteRow) -> Result<Installation, StorageError> {
    let fault_version: Option<String> = row.try_get("fault_version")?;
    Ok(Installation {
        plugin: row.try_get::<String, _>("plugin")?.into(),
        version: row.try_get::<String, _>("version")?.into(),
        enabled: row.try_get::<String, _>("state")? == "enabled",
        pinned: row.try_get("pinned")?,
        capabilities: words(row)?,
        fault: fault_version.zip(row.try_get("fault")?),
        installed_at: row.try_get("installed_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

fn words(row: &SqliteRow) -> Result<Capabilities, StorageError> {
    Ok(serde_json::from_str(row.try_get("capabilities")?).unwrap_or_default())
}
