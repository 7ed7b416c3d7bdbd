//! The table `plugin_usage` of the control database.

use std::time::Duration;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqlitePool};

use super::{Granularity, Key, Metered, Period, Place};
use crate::ids::OrganizationId;
use crate::plugins::Used;
use crate::plugins::usage::micros;
use crate::storage::StorageError;

/// Adds to the figures of a day; all of it or nothing.
pub(super) async fn add(
    pool: &SqlitePool,
    day: &str,
    rows: impl Iterator<Item = (&Key, &Used)>,
) -> Result<(), StorageError> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    for (key, used) in rows {
        sqlx::query(
            "insert into plugin_usage (day, organization_id, plugin, version, kind, calls, failures, refused, cpu_us, wall_us,
                 host_calls)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
             on conflict do update set calls = calls + excluded.calls, failures = failures + excluded.failures,
                 refused = refused + excluded.refused, cpu_us = cpu_us + excluded.cpu_us,
                 wall_us = wall_us + excluded.wall_us, host_calls = host_calls + excluded.host_calls",
        )
        .bind(day)
        .bind(key.organization.as_bytes().as_slice())
        .bind(&*key.plugin)
        .bind(&*key.version)
        .bind(key.kind.as_str())
        .bind(used.calls.cast_signed())
        .bind(used.failures.cast_signed())
        .bind(used.refused.cast_signed())
        .bind(micros(used.cpu).cast_signed())
        .bind(micros(used.wall).cast_signed())
        .bind(used.host_calls.cast_signed())
        .execute(&mut *transaction)
        .await?;
    }
    Ok(transaction.commit().await?)
}

/// The figures of a period, added up.
pub(super) async fn figures(pool: &SqlitePool, asked: &Period) -> Result<Vec<Metered>, StorageError> {
    let letters = match asked.granularity {
        Granularity::Day => 10,
        Granularity::Month => 7,
        Granularity::Total => 0,
    };
    let after = asked.after.as_ref();
    let rows = sqlx::query(
        "select substr(day, 1, $1) as period, organization_id, plugin, version, kind, sum(calls) as calls,
             sum(failures) as failures, sum(refused) as refused, sum(cpu_us) as cpu_us, sum(wall_us) as wall_us,
             sum(host_calls) as host_calls
         from plugin_usage
         where day between $2 and $3 and ($4 is null or organization_id = $4) and ($5 is null or plugin = $5)
             and ($6 is null or (substr(day, 1, $1), organization_id, plugin, version, kind) > ($6, $7, $8, $9, $10))
         group by 1, 2, 3, 4, 5
         order by 1, 2, 3, 4, 5
         limit $11",
    )
    .bind(letters)
    .bind(asked.from.to_string())
    .bind(asked.to.to_string())
    .bind(asked.organization.as_ref().map(|id| id.as_bytes().as_slice()))
    .bind(asked.plugin.as_deref())
    .bind(after.map(|place| place.period.as_str()))
    .bind(after.map(|place| place.organization.as_bytes().as_slice()))
    .bind(after.map(|place| place.plugin.as_str()))
    .bind(after.map(|place| place.version.as_str()))
    .bind(after.map(|place| place.kind.as_str()))
    .bind(asked.limit)
    .fetch_all(pool)
    .await?;
    rows.iter().map(read).collect()
}

fn read(row: &SqliteRow) -> Result<Metered, StorageError> {
    let count = |name: &str| Ok::<_, sqlx::Error>(row.try_get::<i64, _>(name)?.cast_unsigned());
    Ok(Metered {
        place: Place {
            period: row.try_get("period")?,
            organization: OrganizationId::from_slice(row.try_get("organization_id")?)?,
            plugin: row.try_get("plugin")?,
            version: row.try_get("version")?,
            kind: row.try_get("kind")?,
        },
        calls: count("calls")?,
        failures: count("failures")?,
        refused: count("refused")?,
        cpu: Duration::from_micros(count("cpu_us")?),
        wall: Duration::from_micros(count("wall_us")?),
        host_calls: count("host_calls")?,
    })
}
