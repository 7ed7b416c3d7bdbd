//! What can go wrong below the stores, and what a plugin is told about its SQL.

use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::ErrorCode;

use crate::ids::InvalidId;

/// Why storage did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// SQLite refused a statement of the host.
    #[error("SQLite: {0}")]
    Sqlite(#[source] rusqlite::Error),
    /// The control database refused a statement.
    #[error("control database: {0}")]
    Control(#[from] sqlx::Error),
    /// A file or folder cannot be used.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Somebody goes on using a file that is to be put aside.
    #[error("{} is in use; try again", .0.display())]
    InUse(PathBuf),
    /// The SQLite library is older than the fixes that the files rely on.
    #[error("SQLite {found} is too old: 3.51.3 or later is needed")]
    OldSqlite {
        /// The version that is linked.
        found: &'static str,
    },
    /// Not a name for an organization's file.
    #[error("`{0}` is not a file name: a letter, then letters, digits, `_` or `-`, 64 at most, lower case")]
    Name(String),
    /// A statement ran longer than it may.
    #[error("the statement ran longer than its deadline")]
    Deadline,
    /// A migration's text is not the one that was applied.
    #[error("migration {name} was edited after it had been applied to {file}")]
    MigrationEdited {
        /// Which migration.
        name: String,
        /// Where.
        file: String,
    },
    /// The file has seen a migration that this program does not have.
    #[error("{file} has migration {name}, which this program does not know: a newer one was here")]
    MigrationUnknown {
        /// Which migration.
        name: String,
        /// Where.
        file: String,
    },
    /// A migration failed and was rolled back.
    #[error("migration {name} failed: {reason}")]
    MigrationFailed {
        /// Which migration.
        name: String,
        /// SQLite's words.
        reason: String,
    },
    /// The work of a write panicked. What it had written is undone.
    #[error("the write panicked and was undone")]
    Panicked,
    /// The transaction that held the write did not commit. Nothing of it was kept; it may be tried again.
    #[error("the write was not committed: {0}")]
    NotCommitted(Arc<str>),
    /// The connection was kept after its `read` or `write` had ended.
    #[error("the connection was used after its request")]
    Retired,
    /// A write was tried on a connection for reading.
    #[error("this connection only reads")]
    ReadOnly,
    /// Another file was to be attached to a connection that writes.
    #[error("another file is read beside a snapshot only")]
    AttachedToWriter,
    /// Host SQL that starts like a plugin's statement would share its cache.
    #[error("host SQL must not start with the mark of plugin SQL")]
    HostText,
    /// A change could not be put into the change log, so it is not kept either.
    #[error("the change log could not be written: {0}")]
    ChangeLog(String),
    /// The change log does not verify.
    #[error("the change log is broken at entry {0}")]
    BrokenChain(i64),
    /// Others than the owner can read a key file.
    #[error("{} can be read by others: `chmod 600` it and consider its content known", .0.display())]
    Exposed(PathBuf),
    /// The master key is missing or malformed.
    #[error("master key: {0}")]
    MasterKey(String),
    /// A sealed value was tampered with, or sealed under another key.
    #[error("the sealed value does not open: it was changed, or sealed under another master key")]
    Seal,
}

impl From<rusqlite::Error> for StorageError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => Self::Deadline,
            _ => Self::Sqlite(error),
        }
    }
}

impl From<InvalidId> for StorageError {
    /// What the control database holds is what a store wrote, so an id that is none is a fault of the database.
    fn from(error: InvalidId) -> Self {
        Self::Control(sqlx::Error::Decode(error.into()))
    }
}

/// Why a plugin's SQL did not run.
#[derive(Debug, thiserror::Error)]
pub enum PluginSqlError {
    /// It may not do that.
    #[error("not allowed: {what}")]
    Refused {
        /// What was refused, for the plugin's author.
        what: String,
    },
    /// It ran too long.
    #[error("the statement ran longer than its deadline")]
    Deadline,
    /// A text, value or program beyond the limits.
    #[error("a text, value or statement is too big")]
    TooBig,
    /// SQLite does not understand it; its words, for the plugin's author.
    #[error("{0}")]
    Invalid(String),
    /// A constraint of a private table failed.
    #[error("{0}")]
    Constraint(String),
    /// Not the plugin's fault.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl PluginSqlError {
    pub(super) fn refused(what: impl Into<String>) -> Self {
        Self::Refused { what: what.into() }
    }
}

impl From<rusqlite::Error> for PluginSqlError {
    fn from(error: rusqlite::Error) -> Self {
        let words = match &error {
            rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
            rusqlite::Error::SqliteFailure(_, Some(msg)) => msg.clone(),
            other => other.to_string(),
        };
        match error.sqlite_error_code() {
            Some(ErrorCode::AuthorizationForStatementDenied) => Self::Refused { what: words },
            Some(ErrorCode::ReadOnly) => Self::refused("a write outside a write request"),
            Some(ErrorCode::OperationInterrupted) => Self::Deadline,
            // A program with too many steps is reported as out of memory.
            Some(ErrorCode::TooBig | ErrorCode::OutOfMemory) => Self::TooBig,
            Some(ErrorCode::ConstraintViolation) => Self::Constraint(words),
            Some(ErrorCode::Unknown | ErrorCode::TypeMismatch | ErrorCode::ParameterOutOfRange) => {
                Self::Invalid(words)
            }
            Some(_) => Self::Storage(error.into()),
            None if matches!(error, rusqlite::Error::MultipleStatement) => {
                Self::refused("more than one statement")
            }
            None => Self::Invalid(words),
        }
    }
}
