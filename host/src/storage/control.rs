//! The control database: what the installation knows about its organizations.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Row as _, SqliteConnection, SqlitePool};

use super::error::StorageError;
use super::files::make_private;
use super::migrate::{self, Migration, Plan, Step};
use crate::clock::{Clock, UnixMillis};

const MIGRATIONS: &[Migration] = &[
    Migration { name: "host/0001_control", sql: include_str!("../../../migrations/host/0001_control.sql") },
    Migration { name: "host/0002_platform", sql: include_str!("../../../migrations/host/0002_platform.sql") },
    Migration { name: "host/0003_domains", sql: include_str!("../../../migrations/host/0003_domains.sql") },
    Migration { name: "host/0004_plugins", sql: include_str!("../../../migrations/host/0004_plugins.sql") },
    Migration {
        name: "host/0005_installations",
        sql: include_str!("../../../migrations/host/0005_installations.sql"),
    },
    Migration { name: "host/0006_usage", sql: include_str!("../../../migrations/host/0006_usage.sql") },
];

/// The control database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ControlPlane {
    pool: SqlitePool,
}

impl ControlPlane {
    /// Opens the database at `path`, makes it if need be, and applies migrations.
    ///
    /// # Errors
    /// A file that cannot be opened, or a migration that was edited, is unknown, or fails.
    pub async fn open(path: &Path) -> Result<Self, StorageError> {
        Self::open_with(path, MIGRATIONS).await
    }

    async fn open_with(path: &Path, migrations: &[Migration]) -> Result<Self, StorageError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            make_private(folder)?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .test_before_acquire(false)
            .connect_with(options)
            .await?;
        let control = Self { pool };
        control.migrate(&Plan::of(migrations), &path.display().to_string()).await?;
        Ok(control)
    }

    /// The pool, for the stores. A transaction that will write begins with `begin_with("BEGIN IMMEDIATE")`.
    pub(crate) fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    async fn migrate(&self, plan: &Plan, file: &str) -> Result<(), StorageError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(migrate::TABLE).execute(&mut *transaction).await?;
        let rows =
            sqlx::query("select name, sha256 from _stoa_migrations").fetch_all(&mut *transaction).await?;
        let applied = rows
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect::<Result<Vec<(String, Vec<u8>)>, sqlx::Error>>()?;
        for step in plan.pending(&applied, file)? {
            apply(&mut transaction, step, Clock::system().now()).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

async fn apply(connection: &mut SqliteConnection, step: &Step, now: UnixMillis) -> Result<(), StorageError> {
    let Migration { name, sql } = step.migration;
    sqlx::raw_sql(sql)
        .execute(&mut *connection)
        .await
        .map_err(|error| StorageError::MigrationFailed { name: name.into(), reason: error.to_string() })?;
    sqlx::query("insert into _stoa_migrations (name, sha256, applied_at) values ($1, $2, $3)")
        .bind(name)
        .bind(&step.sha256[..])
        .bind(now)
        .execute(connection)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_schema_is_there_and_survives_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/control.sqlite");
        let control = ControlPlane::open(&path).await.unwrap();
        sqlx::query(
            "insert into organizations (id, slug, name, status, zone, locale, currency, created_at) \
             values ($1, 'acme', 'Acme', 'active', 'UTC', 'en', 'EUR', 1)",
        )
        .bind(&[7_u8; 16][..])
        .execute(control.pool())
        .await
        .unwrap();
        control.pool().close().await;
        let control = ControlPlane::open(&path).await.unwrap();
        let slug: String =
            sqlx::query_scalar("select slug from organizations").fetch_one(control.pool()).await.unwrap();
        assert_eq!(slug, "acme");
        let job = "insert into jobs (id, organization_id, kind, spec, created_by, created_at) \
                   values ($1, $2, 'import', '{}', $1, 1)";
        let orphan =
            sqlx::query(job).bind(&[1_u8; 16][..]).bind(&[8_u8; 16][..]).execute(control.pool()).await;
        assert!(orphan.is_err(), "a job of an organization that does not exist");
    }

    #[tokio::test]
    async fn an_edited_or_unknown_migration_is_refused() {
        const ONE: &[Migration] = &[Migration { name: "one", sql: "create table a (x)" }];
        const EDITED: &[Migration] = &[Migration { name: "one", sql: "create table a (y)" }];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sqlite");
        ControlPlane::open_with(&path, ONE).await.unwrap();
        let edited = ControlPlane::open_with(&path, EDITED).await;
        assert!(matches!(edited, Err(StorageError::MigrationEdited { .. })), "{edited:?}");
        let unknown = ControlPlane::open_with(&path, &[]).await;
        assert!(matches!(unknown, Err(StorageError::MigrationUnknown { .. })), "{unknown:?}");
    }

    #[tokio::test]
    async fn a_failed_migration_leaves_nothing() {
        const BAD: &[Migration] =
            &[Migration { name: "bad", sql: "create table a (x); create table a (x);" }];
        const GOOD: &[Migration] = &[Migration { name: "good", sql: "create table a (x)" }];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sqlite");
        let failed = ControlPlane::open_with(&path, BAD).await;
        assert!(matches!(failed, Err(StorageError::MigrationFailed { .. })), "{failed:?}");
        ControlPlane::open_with(&path, GOOD).await.unwrap();
    }
}
