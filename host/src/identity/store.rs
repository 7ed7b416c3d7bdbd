//! The epoch of an identity file.

use crate::storage::{Connection, StorageError};

/// The epoch.
pub(super) fn epoch(connection: &Connection) -> Result<i64, StorageError> {
    Ok(connection.prepare("select epoch from _stoa_identity_epoch")?.query_row([], |row| row.get(0))?)
}

/// The next epoch, stored.
pub(super) fn advance_epoch(connection: &Connection) -> Result<i64, StorageError> {
    let mut statement =
        connection.prepare("update _stoa_identity_epoch set epoch = epoch + 1 returning epoch")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// Everything the change log remembers of values, as text.
#[cfg(test)]
pub(super) fn logged(connection: &Connection) -> Result<String, StorageError> {
    let sql = "select group_concat(entity || operation || coalesce(old, '') || coalesce(new, '')) from _stoa_changes";
    Ok(connection.prepare(sql)?.query_row([], |row| row.get(0))?)
}
