//! Storage: the control database, and one SQLite file per organization and plugin.
//!
//! Two kinds of database, two ways to drive them. The control database is small, shared by all organizations and goes
//! through sqlx, so that it can become PostgreSQL. An organization's files are many, hot and partly in the hands of
//! plugins; they are driven inline through rusqlite, which offers what that needs: an authorizer, limits, hooks.
//!
//! Reading order: `files.rs` (all files of all organizations), `file.rs` (one file: reads, writes), `readers.rs` (its
//! connections for reading), `group.rs` and `pool.rs` (how writes become commits), `aside.rs` (copies of files, and those
//! that are put away), `checkpoint.rs` (how commits reach the file), `merge.rs` (what is done between them),
//! `connection.rs` (what a request may do), `plugin.rs`, `attach.rs`, `confine.rs`, `limits.rs`, `words.rs`, `functions.rs`, `trim.rs`,
//! `fold.rs` (what plugin SQL may do, and what SQL has of ours), `audit.rs` (what a plugin's migration may leave),
//! `heap.rs`, `watchdog.rs` (the last belts), `scratch.rs` (a file in memory), `preupdate.rs`, `recorder.rs`,
//! `changes.rs`, `touched.rs` (the change log), `migrate.rs`; then `control.rs` and `secrets.rs`.
//!
//! **Invariant:** a file has one writer, and a write is answered after its COMMIT.
//! **Invariant:** a row cannot change without its entry in the change log, whoever changes it.
//! **Invariant:** no plugin statement runs unless the authorizer saw it compiled with that plugin's rights.

mod aside;
mod attach;
mod audit;
mod changes;
mod checkpoint;
mod confine;
mod connection;
mod control;
mod error;
mod file;
mod files;
mod fold;
mod functions;
mod group;
pub mod heap;
mod limits;
mod merge;
mod migrate;
mod plugin;
mod pool;
mod preupdate;
mod readers;
mod recorder;
mod scratch;
mod secrets;
mod touched;
mod trim;
mod watchdog;
mod words;

#[cfg(test)]
mod tests;

pub use confine::PluginMode;
pub use connection::Connection;
pub use control::ControlPlane;
pub use error::{PluginSqlError, StorageError};
pub use file::{READ_DEADLINE, TenantFile};
pub use files::TenantFiles;
pub use fold::folded;
pub use group::GROUP_COMMIT;
pub use migrate::Migration;
pub use readers::at_leisure;
pub use scratch::scratch;
pub use secrets::Secrets;
pub use touched::{ChangeMark, TouchKind, Touched};

use crate::caller::{Caller, Source};
use crate::ids::{PrincipalId, RequestId};

/// Who may use a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FileKind {
    /// Only the host.
    Host,
    /// The host, and one plugin through [`Connection::plugin`].
    Plugin,
}

/// What a file is for.
#[derive(Clone, Copy, Debug)]
pub struct FileProfile {
    /// Who may use it.
    pub kind: FileKind,
    /// The host's migrations for it, after those that every file has.
    pub migrations: &'static [Migration],
    /// Columns (`column` or `table.column`) whose values never enter the change log.
    pub redacted: &'static [&'static str],
}

/// What becomes of a write that succeeded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict<T> {
    /// It is committed.
    Keep(T),
    /// It is undone: a dry run.
    Undo(T),
}

/// Whom the change log names.
#[derive(Clone, Copy, Debug)]
pub struct ChangeOrigin {
    /// Who acts.
    pub principal: PrincipalId,
    /// In which request.
    pub request: RequestId,
    /// How it came in.
    pub source: Source,
}

impl From<&Caller> for ChangeOrigin {
    fn from(caller: &Caller) -> Self {
        Self { principal: caller.principal.id, request: caller.request, source: caller.source }
    }
}

/// The first SQLite whose write-ahead log cannot be reset under a reader.
const OLDEST_SQLITE: i32 = 3_051_003;

/// Refuses a SQLite library without the fixes that the files rely on. Called at start.
///
/// # Errors
/// [`StorageError::OldSqlite`].
pub fn check_sqlite_version() -> Result<(), StorageError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(StorageError::OldSqlite { found: rusqlite::version() });
    }
    Ok(())
}
