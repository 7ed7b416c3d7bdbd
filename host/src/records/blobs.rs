//! Contents of files, outside the database: `organizations/<id>/blobs/<module>/<2 hex>/<sha256>`, each once for its module.
//!
//! A content is written under a name of its own while it is hashed, made durable, renamed to its hash, and only then does
//! a row say its name. A crash in between leaves a file that no row names; the sweep at the next start removes it. A
//! content stays while a row names it or an upload is about to: it is pinned from before its rename until its row is
//! committed, and nobody removes a pinned one.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::ids::{OrganizationId, RequestId};
use crate::storage::{StorageError, TenantFiles};

/// The folder in an organization's folder.
const FOLDER: &str = "blobs";
/// The folder for what is still being written. No two hexadecimal digits.
const INCOMING: &str = "incoming";

/// The name of a content: the SHA-256 of its bytes.
pub type Digest = [u8; 32];

/// A content's place: whose, of which module, which.
type Place = (OrganizationId, Arc<str>, Digest);

/// The contents of all organizations. Cheap to clone.
#[derive(Clone)]
pub struct Blobs {
    files: TenantFiles,
    pins: Arc<Mutex<Pins>>,
}

#[derive(Default)]
struct Pins {
    /// How many uploads are about to refer to it.
    held: HashMap<Place, u32>,
    /// Modules whose leftovers this process has removed.
    swept: HashSet<(OrganizationId, Arc<str>)>,
}

/// A content that nobody removes while this is there.
pub struct Pin {
    pins: Arc<Mutex<Pins>>,
    place: Place,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pins = lock(&self.pins);
        match pins.held.get_mut(&self.place) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                pins.held.remove(&self.place);
            }
        }
    }
}

/// A content on its way in: hashed while it is written, gone again unless it is kept.
pub struct Incoming {
    path: PathBuf,
    hash: Sha256,
    size: u64,
}

impl Incoming {
    /// Takes note of bytes that were appended to the file.
    pub fn saw(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// How many bytes it has so far.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, path = %self.path.display(), "an upload could not be removed");
            }
            _ => {}
        }
    }
}

impl Blobs {
    /// The contents beside these files.
    #[must_use]
    pub fn new(files: TenantFiles) -> Self {
        Self { files, pins: Arc::default() }
    }

    /// Begins a content: the file to append to, and what notes its hash.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn begin(
        &self,
        organization: OrganizationId,
        module: &str,
    ) -> Result<(Incoming, File), StorageError> {
        let folder = self.folder(organization, module)?.join(INCOMING);
        make_folder(&folder)?;
        let path = folder.join(RequestId::new().to_string());
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = opened.map_err(|source| failed(&path, source))?;
        Ok((Incoming { path, hash: Sha256::new(), size: 0 }, file))
    }

    /// Gives a content its name. The file must be written and synced. It is pinned: keep the pin until the row that refers
    /// to it is committed. May wait for the disk.
    ///
    /// # Errors
    /// The file cannot be renamed.
    pub fn keep(
        &self,
        organization: OrganizationId,
        module: &Arc<str>,
        incoming: &Incoming,
    ) -> Result<(Digest, Pin), StorageError> {
        let digest: Digest = incoming.hash.clone().finalize().into();
        let pin = self.pin((organization, Arc::clone(module), digest));
        let path = self.path(organization, module, &digest)?;
        if fs::metadata(&path).is_ok_and(|known| known.len() == incoming.size) {
            return Ok((digest, pin));
        }
        let folder = path.parent().unwrap_or(&path);
        make_folder(folder)?;
        fs::rename(&incoming.path, &path).map_err(|source| failed(&path, source))?;
        // The name is durable only when the folders are.
        for folder in [folder, folder.parent().unwrap_or(folder)] {
            let synced = File::open(folder).and_then(|folder| folder.sync_all());
            synced.map_err(|source| failed(folder, source))?;
        }
        Ok((digest, pin))
    }

    /// The file of a content.
    ///
    /// # Errors
    /// A bad module name.
    pub fn path(
        &self,
        organization: OrganizationId,
        module: &str,
        digest: &Digest,
    ) -> Result<PathBuf, StorageError> {
        let name = hex(digest);
        let two = name.get(..2).unwrap_or_default();
        Ok(self.folder(organization, module)?.join(two).join(&name))
    }

    /// Removes a content unless it is pinned or `referred` says that a row names it. May wait for the disk.
    ///
    /// # Errors
    /// Those of `referred`, or the file cannot be removed.
    pub fn sweep_one<E: From<StorageError>>(
        &self,
        organization: OrganizationId,
        module: &Arc<str>,
        digest: &Digest,
        referred: impl FnOnce() -> Result<bool, E>,
    ) -> Result<bool, E> {
        let path = self.path(organization, module, digest)?;
        // Held until the file is gone: whoever pins it next finds it gone and brings it anew.
        let pins = lock(&self.pins);
        if pins.held.contains_key(&(organization, Arc::clone(module), *digest)) || referred()? {
            return Ok(false);
        }
        let removed = match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            other => other.map(|()| true).map_err(|source| failed(&path, source))?,
        };
        drop(pins);
        Ok(removed)
    }

    /// Whether this process still has to remove what a crash left in this module's folder; asked once.
    #[must_use]
    pub fn claim_first_sweep(&self, organization: OrganizationId, module: &Arc<str>) -> bool {
        lock(&self.pins).swept.insert((organization, Arc::clone(module)))
    }

    /// Removes what was being written when the process before this one ended. Before any upload of this process.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn clear_incoming(&self, organization: OrganizationId, module: &str) -> Result<(), StorageError> {
        let folder = self.folder(organization, module)?.join(INCOMING);
        for path in entries(&folder)? {
            fs::remove_file(&path).map_err(|source| failed(&path, source))?;
        }
        Ok(())
    }

    /// Every content that lies in this module's folder.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn contents(&self, organization: OrganizationId, module: &str) -> Result<Vec<Digest>, StorageError> {
        let mut found = Vec::new();
        for folder in entries(&self.folder(organization, module)?)? {
            if folder.file_name().is_some_and(|name| name.len() == 2) {
                let names = entries(&folder)?;
                found.extend(names.iter().filter_map(|path| unhex(path.file_name()?.to_str()?)));
            }
        }
        Ok(found)
    }

    fn pin(&self, place: Place) -> Pin {
        *lock(&self.pins).held.entry(place.clone()).or_insert(0) += 1;
        Pin { pins: Arc::clone(&self.pins), place }
    }

    fn folder(&self, organization: OrganizationId, module: &str) -> Result<PathBuf, StorageError> {
        // The module's name is checked as a file's name is, and the same letters make a folder's.
        let checked = self.files.folder(organization, module)?;
        let name = checked.file_name().unwrap_or_default().to_owned();
        Ok(self.files.folder(organization, FOLDER)?.join(name))
    }
}

fn lock(pins: &Mutex<Pins>) -> MutexGuard<'_, Pins> {
    pins.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(path: &Path, source: io::Error) -> StorageError {
    StorageError::File { path: path.into(), source }
}

fn make_folder(folder: &Path) -> Result<(), StorageError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| failed(folder, source))
}

/// What is in a folder; nothing when there is no folder.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, StorageError> {
    let listed = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|source| failed(folder, source))?,
    };
    let paths = listed.map(|entry| entry.map(|entry| entry.path()));
    paths.collect::<io::Result<_>>().map_err(|source| failed(folder, source))
}

/// A digest as text.
#[must_use]
pub fn hex(digest: &Digest) -> String {
    let mut text = String::with_capacity(64);
    for byte in digest {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn unhex(text: &str) -> Option<Digest> {
    let mut digest = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::clock::Clock;
    use crate::storage::GROUP_COMMIT;

    fn blobs() -> (tempfile::TempDir, Blobs, OrganizationId, Arc<str>) {
        let folder = tempfile::tempdir().unwrap();
        let files = TenantFiles::new(folder.path().to_owned(), Clock::fixed(0), GROUP_COMMIT);
        (folder, Blobs::new(files), OrganizationId::new(), "garden".into())
    }

    fn bring(blobs: &Blobs, organization: OrganizationId, module: &Arc<str>, bytes: &[u8]) -> (Digest, Pin) {
        let (mut incoming, mut file) = blobs.begin(organization, module).unwrap();
        file.write_all(bytes).unwrap();
        incoming.saw(bytes);
        file.sync_all().unwrap();
        blobs.keep(organization, module, &incoming).unwrap()
    }

    fn never() -> Result<bool, StorageError> {
        Ok(false)
    }

    #[test]
    fn equal_contents_are_one_file_and_what_is_dropped_leaves_none() {
        let (_folder, blobs, acme, module) = blobs();
        let (first, _one) = bring(&blobs, acme, &module, b"same");
        let (second, _two) = bring(&blobs, acme, &module, b"same");
        assert_eq!((first, blobs.contents(acme, &module).unwrap()), (second, vec![first]));
        assert_eq!(fs::read(blobs.path(acme, &module, &first).unwrap()).unwrap(), b"same");
        let (incoming, _file) = blobs.begin(acme, &module).unwrap();
        let path = incoming.path.clone();
        assert!(path.exists());
        drop(incoming);
        assert!(!path.exists());
    }

    #[test]
    fn a_content_stays_while_it_is_pinned_or_referred_to() {
        let (_folder, blobs, acme, module) = blobs();
        let (digest, pin) = bring(&blobs, acme, &module, b"x");
        let (_, again) = bring(&blobs, acme, &module, b"x");
        assert!(!blobs.sweep_one(acme, &module, &digest, never).unwrap());
        drop(pin);
        assert!(!blobs.sweep_one(acme, &module, &digest, never).unwrap(), "the second upload still holds it");
        drop(again);
        let referred = || Ok::<_, StorageError>(true);
        assert!(!blobs.sweep_one(acme, &module, &digest, referred).unwrap());
        assert!(blobs.sweep_one(acme, &module, &digest, never).unwrap());
        assert!(blobs.contents(acme, &module).unwrap().is_empty());
        let (digest, _pin) = bring(&blobs, acme, &module, b"x");
        assert!(blobs.path(acme, &module, &digest).unwrap().exists(), "it can come again");
    }

    #[test]
    fn what_a_crash_left_half_written_is_cleared_and_contents_stay() {
        let (_folder, blobs, acme, module) = blobs();
        let (digest, _pin) = bring(&blobs, acme, &module, b"whole");
        let (incoming, _file) = blobs.begin(acme, &module).unwrap();
        blobs.clear_incoming(acme, &module).unwrap();
        assert!(!incoming.path.exists());
        assert_eq!(blobs.contents(acme, &module).unwrap(), [digest]);
        assert!(blobs.claim_first_sweep(acme, &module) && !blobs.claim_first_sweep(acme, &module));
    }

    #[test]
    fn a_module_is_no_path() {
        let (_folder, blobs, acme, _) = blobs();
        for bad in ["", "..", "../x", "a/b", "A"] {
            assert!(blobs.begin(acme, bad).is_err(), "{bad}");
        }
    }
}
