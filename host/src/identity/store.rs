//! The epoch of an identity file.

use crate::storage::{Connection, StorageError};

/// The epoch.
pub(super) fn epoch(connection: &Connection) -> Result<i64, StorageError> {
    Ok(connection.prepare("select epoch from _stoa_identity_epoch")?.query_row([], |row| row.get(0))?)
}

/// The next epoch, stored.
pub(super) fn advance_epoch(connection: &Connection) -> Result<i64, StorageError> {
    let mut statement = connection.prepare("update _stoa_identity_epoch set epoch = epoch + 1 returning epoch")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}
