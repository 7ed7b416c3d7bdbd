//! What can go wrong with settings, in the words of the domain.

use crate::storage::StorageError;

/// What can go wrong with settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The key is empty, too long or has control characters.
    #[error("a key has 1 to 128 characters, no control characters")]
    InvalidKey,
    /// The value is not JSON or too long.
    #[error("a value is JSON of at most 64 KiB")]
    InvalidValue,
    /// The control database failed: for the log, never for the caller.
    #[error("control database")]
    Storage(#[from] StorageError),
}
