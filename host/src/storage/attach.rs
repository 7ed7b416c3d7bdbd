//! Another file of the same organization beside one's own, to be read in one statement with it.
//!
//! It is attached when a statement first needs it, read-only and under a name that ends in the seal, which no plugin can
//! say; the authorizer opens it to the host's sealed views alone. It goes when the snapshot ends, so that no file is held by
//! a handle that waits for its next use. What is compiled meanwhile is not kept: SQLite knows a file by its place in the
//! list of files, and another file could come to stand there.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use rusqlite::limits::Limit;

use super::confine::Trusted;
use super::connection::Connection;
use super::error::StorageError;
use super::file::TenantFile;

/// A file beside the connection's own.
pub(super) struct Attached {
    schema: String,
    /// Keeps the file open as long as it is read.
    _file: Arc<TenantFile>,
}

impl Connection {
    /// Opens another file beside this one until the snapshot ends, and answers the name under which the host's statements
    /// find it, quoted. `name` is a plugin's id. That file has a snapshot of its own, taken when it is first read.
    ///
    /// # Errors
    /// [`StorageError::AttachedToWriter`] for the file's writer, and SQLite's.
    pub fn attach(&self, name: &str, file: &Arc<TenantFile>) -> Result<String, StorageError> {
        self.usable()?;
        if self.writable() {
            return Err(StorageError::AttachedToWriter);
        }
        let schema = format!("{name}{}", self.shared.seal);
        let quoted = format!("\"{schema}\"");
        let mut attached = self.attached.borrow_mut();
        if attached.iter().any(|other| other.schema == schema) {
            return Ok(quoted);
        }
        let _host = Trusted::enter(&self.watch);
        let most = i32::try_from(attached.len() + 1).unwrap_or(i32::MAX);
        self.raw().set_limit(Limit::SQLITE_LIMIT_ATTACHED, most)?;
        let done = self.raw().execute("attach ?1 as ?2", [uri(file.path()).as_str(), schema.as_str()]);
        self.raw().set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
        done?;
        attached.push(Attached { schema, _file: Arc::clone(file) });
        self.know_strangers(&attached)?;
        Ok(quoted)
    }

    /// Whether another file stands beside this one.
    pub(super) fn has_attached(&self) -> bool {
        !self.attached.borrow().is_empty()
    }

    /// Closes the files beside this one; after the snapshot.
    pub(super) fn detach_all(&self) -> Result<(), StorageError> {
        let mut attached = self.attached.borrow_mut();
        if attached.is_empty() {
            return Ok(());
        }
        let _host = Trusted::enter(&self.watch);
        for other in attached.drain(..) {
            self.raw().execute("detach ?1", [&other.schema])?;
        }
        self.watch.strangers.store(None);
        Ok(())
    }

    /// Notes the tables that only the other files have. They cannot become more while the snapshot lasts.
    fn know_strangers(&self, attached: &[Attached]) -> Result<(), StorageError> {
        let tables = |schema: &str| -> Result<HashSet<String>, StorageError> {
            let sql =
                format!("select lower(name) from \"{schema}\".sqlite_schema where type in ('table', 'view')");
            let mut statement = self.raw().prepare(&sql)?;
            let names = statement.query_map([], |row| row.get::<_, String>(0))?;
            Ok(names.collect::<rusqlite::Result<_>>()?)
        };
        let own = tables("main")?;
        let mut strangers = HashSet::new();
        for other in attached {
            strangers.extend(tables(&other.schema)?.into_iter().filter(|table| !own.contains(table)));
        }
        self.watch.strangers.store(Some(Arc::new(strangers)));
        Ok(())
    }
}

/// The file's address for reading only.
fn uri(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                uri.push(char::from(*byte))
            }
            other => {
                // Writing into a text cannot fail.
                let _ = write!(uri, "%{other:02x}");
            }
        }
    }
    uri + "?mode=ro"
}
