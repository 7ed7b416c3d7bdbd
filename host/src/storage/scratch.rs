//! A file in memory, made and migrated like an organization's: statements are tried on it before they are let near one.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use super::FileProfile;
use super::confine::Shared;
use super::connection::{Connection, Role};
use super::error::StorageError;
use super::migrate::Plan;
use crate::clock::UnixMillis;

/// A connection of its own that nobody shares, confined like every other, with the tables of the profile.
///
/// # Errors
/// SQLite's, and those of migrations.
pub fn scratch(profile: &FileProfile) -> Result<Rc<Connection>, StorageError> {
    // Nobody but this connection reads what is sealed with it.
    let shared = Shared::new(Arc::from(":scratch"), Arc::default());
    let path = Path::new(":memory:");
    let connection =
        Rc::new(Connection::open(path, Role::Writer, profile.kind, profile.redacted, Arc::new(shared))?);
    Plan::of_file(profile.migrations).apply(&connection, "memory", UnixMillis::default())?;
    Ok(connection)
}
