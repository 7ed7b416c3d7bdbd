//! Numbered SQL: each once, in a transaction, and an edited one is refused.

use std::rc::Rc;

use rusqlite::params;
use sha2::{Digest as _, Sha256};

use super::connection::Connection;
use super::error::StorageError;
use crate::clock::UnixMillis;

/// A numbered SQL text, embedded in the program.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Unique in its file, such as `identity/0001_people`.
    pub name: &'static str,
    /// What it does.
    pub sql: &'static str,
}

/// What every file of an organization begins with.
const EVERY_FILE: &[Migration] = &[Migration {
    name: "tenant/0001_host_tables",
    sql: include_str!("../../../migrations/tenant/0001_host_tables.sql"),
}];

/// The table in which a database remembers what was applied to it.
pub(super) const TABLE: &str = "create table if not exists _stoa_migrations (
    seq        integer primary key,
    name       text    not null unique,
    sha256     blob    not null,
    applied_at bigint  not null
)";

/// A migration with its digest.
pub(super) struct Step {
    pub(super) migration: Migration,
    pub(super) sha256: [u8; 32],
}

/// What a database must have seen.
pub(super) struct Plan {
    steps: Vec<Step>,
}

impl Plan {
    pub(super) fn of(migrations: &[Migration]) -> Self {
        let step = |migration: &Migration| Step {
            migration: *migration,
            sha256: Sha256::digest(migration.sql).into(),
        };
        Self { steps: migrations.iter().map(step).collect() }
    }

    pub(super) fn of_file(own: &[Migration]) -> Self {
        Self::of(&[EVERY_FILE, own].concat())
    }

    /// The steps that were not applied yet.
    pub(super) fn pending(
        &self,
        applied: &[(String, Vec<u8>)],
        file: &str,
    ) -> Result<Vec<&Step>, StorageError> {
        for (name, sha256) in applied {
            let (name, file) = (name.clone(), file.to_owned());
            match self.steps.iter().find(|step| step.migration.name == name) {
                None => return Err(StorageError::MigrationUnknown { name, file }),
                Some(step) if step.sha256[..] != sha256[..] => {
                    return Err(StorageError::MigrationEdited { name, file });
                }
                Some(_) => {}
            }
        }
        let is_new = |step: &&Step| !applied.iter().any(|(name, _)| name == step.migration.name);
        Ok(self.steps.iter().filter(is_new).collect())
    }

    /// Whether nothing is left to do. Serves a connection that only reads.
    pub(super) fn is_done(&self, connection: &Connection, file: &str) -> Result<bool, StorageError> {
        let exists =
            connection.prepare("select 1 from sqlite_schema where name = '_stoa_migrations'")?.exists([])?;
        Ok(exists && self.pending(&applied(connection)?, file)?.is_empty())
    }

    /// Applies what is left to do.
    pub(super) fn apply(
        &self,
        connection: &Rc<Connection>,
        file: &str,
        now: UnixMillis,
    ) -> Result<(), StorageError> {
        connection.batch(TABLE)?;
        for step in &self.steps {
            connection.run("begin immediate")?;
            // Asked inside the transaction: another process may be at the same step.
            let done = self.pending(&applied(connection)?, file).and_then(|pending| {
                if pending.iter().any(|pending| std::ptr::eq(*pending, step)) {
                    apply_one(connection, step, now)?;
                }
                connection.run("commit")
            });
            if done.is_err() && !connection.raw().is_autocommit() {
                connection.run("rollback")?;
            }
            done?;
        }
        Ok(())
    }
}

fn apply_one(connection: &Connection, step: &Step, now: UnixMillis) -> Result<(), StorageError> {
    let Migration { name, sql } = step.migration;
    connection
        .batch(sql)
        .map_err(|error| StorageError::MigrationFailed { name: name.into(), reason: error.to_string() })?;
    connection.execute(
        "insert into _stoa_migrations (name, sha256, applied_at) values (?1, ?2, ?3)",
        params![name, step.sha256, now],
    )?;
    tracing::debug!(migration = name, "applied");
    Ok(())
}

fn applied(connection: &Connection) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
    let mut statement = connection.prepare("select name, sha256 from _stoa_migrations")?;
    let applied = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok(applied)
}
