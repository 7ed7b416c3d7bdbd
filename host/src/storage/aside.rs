//! Files kept aside: a copy of one as it is now, and one that is no longer used. Both stay in the organization's folder,
//! below `snapshots/` and `archive/`, and nothing opens them.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::error::StorageError;
use super::files::{TenantFiles, make_private};
use crate::ids::OrganizationId;

/// How long whoever still uses a file may take to finish.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often to look whether they have.
const LOOK: Duration = Duration::from_millis(10);

impl TenantFiles {
    /// Copies the file as it is at one instant, while others go on writing, and answers the name of the copy; `None` when
    /// there is no such file. Takes its time, on this thread.
    ///
    /// # Errors
    /// A bad name, or the file or its copy cannot be used: then there is no copy.
    pub fn snapshot(
        &self,
        organization: OrganizationId,
        name: &str,
        label: &str,
    ) -> Result<Option<String>, StorageError> {
        let path = self.path(organization, name)?;
        if !path.exists() {
            return Ok(None);
        }
        let (copy, called) = beside(&path, "snapshots", label)?;
        let part = copy.with_extension("part");
        let copied = copy_of(&path, &part).and_then(|()| {
            std::fs::rename(&part, &copy).map_err(|source| StorageError::File { path: copy, source })
        });
        if copied.is_err() {
            let _ = std::fs::remove_file(&part); // It may not be there.
        }
        copied.map(|()| Some(called))
    }

    /// Closes the file when nobody uses it any more and puts it aside, and answers what it is called there; `None` when
    /// there is no such file. The next to ask for it gets a new one. Takes its time, on this thread.
    ///
    /// # Errors
    /// A bad name, a file that cannot be moved, or [`StorageError::InUse`].
    pub fn archive(
        &self,
        organization: OrganizationId,
        name: &str,
        label: &str,
    ) -> Result<Option<String>, StorageError> {
        let path = self.path(organization, name)?;
        let until = Instant::now() + PATIENCE;
        loop {
            // Nobody can open it while this is held.
            let opening = self.opening(organization, name).lock().unwrap_or_else(PoisonError::into_inner);
            if self.close(organization, name)? {
                if !path.exists() {
                    return Ok(None);
                }
                let (aside, called) = beside(&path, "archive", label)?;
                std::fs::rename(&path, &aside)
                    .map_err(|source| StorageError::File { path: path.clone(), source })?;
                return Ok(Some(called));
            }
            drop(opening);
            if Instant::now() > until {
                return Err(StorageError::InUse(path));
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// Where a file is put that is kept aside, and what it is called: the name, the label, and a number if that is taken.
fn beside(path: &Path, folder: &str, label: &str) -> Result<(PathBuf, String), StorageError> {
    let folder = path.with_file_name(folder);
    make_private(&folder)?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let names = (1_u32..).map(|number| match number {
        1 => format!("{stem}-{label}.sqlite"),
        number => format!("{stem}-{label}-{number}.sqlite"),
    });
    let mut free = names.filter(|name| !folder.join(name).exists());
    let name = free.next().unwrap_or_default();
    Ok((folder.join(&name), name))
}

/// Every page in one step: a reading of one instant, which disturbs no writer.
fn copy_of(path: &Path, copy: &Path) -> Result<(), StorageError> {
    let source = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    source.busy_timeout(PATIENCE)?;
    let _ = std::fs::remove_file(copy); // Of an attempt that a crash ended.
    let mut target = Connection::open(copy)?;
    let outcome = Backup::new(&source, &mut target)?.step(-1)?;
    if outcome != StepResult::Done {
        let source = std::io::Error::other("the file is locked");
        return Err(StorageError::File { path: path.into(), source });
    }
    target.close().map_err(|(_, error)| error)?;
    let synced = std::fs::File::open(copy).and_then(|file| file.sync_all());
    synced.map_err(|source| StorageError::File { path: copy.into(), source })
}
