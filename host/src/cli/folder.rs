//! The data folder of one installation, and the lock that says who is its host.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::CliError;

const LOCK: &str = "stoa.lock";

/// The folder belongs to this process until this is dropped or the process ends, however it ends.
pub(super) struct Lock(#[expect(dead_code, reason = "held, not read")] File);

/// The folder, made for this user alone if it is not there; absolute.
pub(super) fn prepare(folder: &Path) -> Result<PathBuf, CliError> {
    let failed = |error| CliError::File(folder.to_path_buf(), error);
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    std::fs::canonicalize(folder).map_err(failed)
}

/// The lock, unless another process has it.
pub(super) fn try_lock(folder: &Path) -> Result<Option<Lock>, CliError> {
    let path = folder.join(LOCK);
    let failed = |error| CliError::File(path.clone(), error);
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_folder_is_made_for_its_user_and_has_one_host() {
        let root = tempfile::tempdir().unwrap();
        let folder = prepare(&root.path().join("a/b")).unwrap();
        assert_eq!(std::fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        let lock = try_lock(&folder).unwrap();
        assert!(lock.is_some());
        assert!(try_lock(&folder).unwrap().is_none(), "it is held");
        drop(lock);
        assert!(try_lock(&folder).unwrap().is_some());
    }
}
