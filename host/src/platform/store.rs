//! Connections to the control database: transactions that begin as writers, so that what they read is still true when they
//! write, and readers that hold nobody up.

use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, Transaction};

use crate::storage::{ControlPlane, StorageError};

/// A transaction that nobody else's write can come between.
pub(super) type Writing = Transaction<'static, Sqlite>;

/// Begins one.
pub(super) async fn begin(control: &ControlPlane) -> Result<Writing, StorageError> {
    Ok(control.pool().begin_with("BEGIN IMMEDIATE").await?)
}

/// Keeps what was written.
pub(super) async fn commit(transaction: Writing) -> Result<(), StorageError> {
    Ok(transaction.commit().await?)
}

/// A connection that only reads.
pub(super) async fn reader(control: &ControlPlane) -> Result<PoolConnection<Sqlite>, StorageError> {
    Ok(control.pool().acquire().await?)
}
