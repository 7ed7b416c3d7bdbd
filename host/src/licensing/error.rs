//! What can go wrong with licences, in the words of the domain.

use crate::storage::StorageError;

/// What can go wrong with licences.
#[derive(Debug, thiserror::Error)]
pub enum LicensingError {
    /// The text is not a module's name.
    #[error("`{0}` is not a module: use 1 to 64 of a-z, 0-9, - and _, beginning with a letter")]
    InvalidModule(String),
    /// The licence would end before it begins.
    #[error("the licence would already be over")]
    AlreadyOver,
    /// The control database failed: for the log, never for the caller.
    #[error("control database")]
    Storage(#[from] StorageError),
}
