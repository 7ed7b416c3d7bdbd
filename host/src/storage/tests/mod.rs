//! Storage as its users see it: files, writes, the change log, and plugins that try what they may not.

mod attached;
mod change_log;
mod files;
mod hostile_sql;
mod plugin_sql;
mod plugin_tables;
mod reads;
mod writes;

use std::sync::Arc;

use tempfile::TempDir;

use super::{
    ChangeOrigin, Connection, FileKind, FileProfile, GROUP_COMMIT, Migration, StorageError, TenantFile,
    TenantFiles, Verdict,
};
use crate::caller::Source;
use crate::clock::Clock;
use crate::ids::{OrganizationId, PrincipalId, RequestId};

const MIGRATIONS: &[Migration] = &[Migration {
    name: "test/0001_tables",
    sql: "create table entity (id blob not null primary key, name text unique, amount real) strict;
          create table compact (id blob not null primary key, name text) strict, without rowid;
          create table pair (a integer not null, b text not null, value text, primary key (b, a)) strict, without rowid;
          create table plain (name text, secret text) strict;
          create table private (key integer primary key, value text) strict;",
}];

const PROFILE: FileProfile =
    FileProfile { kind: FileKind::Plugin, migrations: MIGRATIONS, redacted: &["plain.secret"] };

struct Stage {
    folder: TempDir,
    files: TenantFiles,
    organization: OrganizationId,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = TenantFiles::with_capacity(folder.path().into(), Clock::fixed(1_000), GROUP_COMMIT, 100);
        Self { folder, files, organization: OrganizationId::new() }
    }

    fn file(&self) -> Arc<TenantFile> {
        self.files.open(self.organization, "sales", &PROFILE).unwrap()
    }
}

fn origin() -> ChangeOrigin {
    ChangeOrigin { principal: PrincipalId::new(), request: RequestId::new(), source: Source::Api }
}

/// Writes and keeps.
fn write(
    file: &TenantFile,
    f: impl FnOnce(&Connection) -> Result<(), StorageError> + Send + 'static,
) -> Result<(), StorageError> {
    file.write_blocking(origin(), move |connection| f(connection).map(Verdict::Keep))
}

fn count(file: &TenantFile, table: &str) -> i64 {
    file.read(|connection| {
        Ok::<_, StorageError>(
            connection.prepare(&format!("select count(*) from {table}"))?.query_row([], |row| row.get(0))?,
        )
    })
    .unwrap()
}

/// One line per entry of the change log: entity, record, operation, old, new.
fn log(file: &TenantFile) -> Vec<[String; 5]> {
    file.read(|connection| {
        let mut statement = connection.prepare(
            "select entity, case when length(record) = 16 then hex(record) else cast(record as text) end, operation, \
             coalesce(old, '-'), coalesce(new, '-') from _stoa_changes order by seq",
        )?;
        let lines = statement.query_map([], |row| {
            Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?])
        })?;
        Ok::<_, StorageError>(lines.collect::<Result<_, _>>()?)
    })
    .unwrap()
}
