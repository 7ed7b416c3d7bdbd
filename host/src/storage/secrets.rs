//! The installation's secrets: one root secret in an encrypted file, everything else derived from it by purpose.
//!
//! The file `secrets` is encrypted under the master key, which an operator gives in `STOA_MASTER_KEY` or keeps in the file
//! `master.key`. With neither, a first start makes `master.key`; whoever wants the key elsewhere moves it before use.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

use super::error::StorageError;
use super::files::make_private;

const HEADER: &[u8] = b"enc:v1:";
const NONCE: usize = 24;
const VARIABLE: &str = "STOA_MASTER_KEY";

/// The installation's secrets. Cheap to clone.
#[derive(Clone)]
pub struct Secrets(Arc<Root>);

struct Root([u8; 32]);

impl Drop for Root {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Secrets {
    /// Opens the secrets in `folder`, or makes them.
    ///
    /// # Errors
    /// [`StorageError::Exposed`] if others can read a key file, [`StorageError::Seal`] if the secrets do not open under
    /// the master key, and [`StorageError::MasterKey`] if there is none although there are secrets.
    pub fn open(folder: &Path) -> Result<Self, StorageError> {
        Self::open_with(folder, std::env::var(VARIABLE).ok())
    }

    fn open_with(folder: &Path, given: Option<String>) -> Result<Self, StorageError> {
        make_private(folder)?;
        let path = folder.join("secrets");
        let sealed = read_private(&path)?;
        let master = master_key(folder, given.map(Zeroizing::new), sealed.is_some())?;
        let sealed = match sealed {
            Some(sealed) => sealed,
            None => {
                let mut root = Zeroizing::new([0; 32]);
                random(&mut *root)?;
                write_private(&path, &seal(&master, b"secrets", &*root)?)?
            }
        };
        let root = Zeroizing::new(unseal(&master, b"secrets", &sealed)?);
        Ok(Self(Arc::new(Root(root.as_slice().try_into().map_err(|_| StorageError::Seal)?))))
    }

    /// The key for this purpose, such as `cursor`. Always the same for the installation, and telling nothing of another.
    #[must_use]
    pub fn key(&self, purpose: &str) -> [u8; 32] {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&self.0.0).expect("any key");
        mac.update(b"stoa:v1:");
        mac.update(purpose.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// Encrypts something to be stored. It opens only for the same purpose.
    ///
    /// # Errors
    /// [`StorageError::Seal`] if the cipher refuses, which takes gigabytes.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Vec<u8>, StorageError> {
        seal(&self.sealing_key(purpose), purpose.as_bytes(), plain)
    }

    /// Decrypts what [`Secrets::seal`] made.
    ///
    /// # Errors
    /// [`StorageError::Seal`] if it was changed or made for another purpose or installation.
    pub fn open_sealed(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, StorageError> {
        unseal(&self.sealing_key(purpose), purpose.as_bytes(), sealed)
    }

    fn sealing_key(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.key(&format!("seal:{purpose}")))
    }
}

fn seal(key: &[u8; 32], purpose: &[u8], plain: &[u8]) -> Result<Vec<u8>, StorageError> {
    let mut nonce = [0; NONCE];
    random(&mut nonce)?;
    let body = XChaCha20Poly1305::new(&(*key).into())
        .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: purpose })
        .map_err(|_| StorageError::Seal)?;
    Ok([HEADER, nonce.as_slice(), body.as_slice()].concat())
}

fn unseal(key: &[u8; 32], purpose: &[u8], sealed: &[u8]) -> Result<Vec<u8>, StorageError> {
    let body = sealed.strip_prefix(HEADER).ok_or(StorageError::Seal)?;
    let (nonce, body) = body.split_first_chunk::<NONCE>().ok_or(StorageError::Seal)?;
    XChaCha20Poly1305::new(&(*key).into())
        .decrypt(&XNonce::from(*nonce), Payload { msg: body, aad: purpose })
        .map_err(|_| StorageError::Seal)
}

fn master_key(
    folder: &Path,
    given: Option<Zeroizing<String>>,
    needed: bool,
) -> Result<Zeroizing<[u8; 32]>, StorageError> {
    if let Some(text) = given {
        return parse(text.as_bytes(), VARIABLE);
    }
    let path = folder.join("master.key");
    if let Some(text) = read_private(&path)?.map(Zeroizing::new) {
        return parse(&text, "the file master.key");
    }
    if needed {
        return Err(StorageError::MasterKey(format!(
            "there are secrets, but neither {VARIABLE} nor the file master.key"
        )));
    }
    let mut key = Zeroizing::new([0; 32]);
    random(&mut *key)?;
    let text = Zeroizing::new(STANDARD.encode(*key) + "\n");
    parse(&Zeroizing::new(write_private(&path, text.as_bytes())?), "the file master.key")
}

fn parse(text: &[u8], place: &str) -> Result<Zeroizing<[u8; 32]>, StorageError> {
    let bytes = STANDARD.decode(text.trim_ascii()).map(Zeroizing::new).ok();
    let key = bytes.and_then(|bytes| bytes.as_slice().try_into().ok());
    key.map(Zeroizing::new)
        .ok_or_else(|| StorageError::MasterKey(format!("{place} is not 32 bytes in base64")))
}

/// The content of a file that only its owner can read; `None` if there is no such file.
fn read_private(path: &Path) -> Result<Option<Vec<u8>>, StorageError> {
    let failed = |source| StorageError::File { path: path.into(), source };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
        return Err(StorageError::Exposed(path.into()));
    }
    let mut content = Vec::new();
    file.read_to_end(&mut content).map_err(failed)?;
    Ok(Some(content))
}

/// Makes the file with this content, whole or not at all. If another process was first, its content is answered.
fn write_private(path: &Path, content: &[u8]) -> Result<Vec<u8>, StorageError> {
    let failed = |source| StorageError::File { path: path.into(), source };
    let draft = path.with_extension(format!("new-{}", std::process::id()));
    let _ = std::fs::remove_file(&draft);
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(failed)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(failed)?;
    // A link, unlike a rename, never replaces what is there.
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft).map_err(failed)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(failed(error)),
        _ => {
            let folder = path.parent().unwrap_or(path);
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
            read_private(path)?.ok_or_else(|| failed(ErrorKind::NotFound.into()))
        }
    }
}

fn random(bytes: &mut [u8]) -> Result<(), StorageError> {
    getrandom::fill(bytes).map_err(|error| StorageError::MasterKey(format!("no randomness: {error}")))
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn secrets_are_made_once_and_only_their_owner_can_read_them() {
        let folder = tempfile::tempdir().unwrap();
        let first = Secrets::open_with(folder.path(), None).unwrap();
        for name in ["secrets", "master.key"] {
            assert_eq!(mode(&folder.path().join(name)), 0o600, "{name}");
        }
        let second = Secrets::open_with(folder.path(), None).unwrap();
        assert_eq!(first.key("cursor"), second.key("cursor"));
        assert_ne!(first.key("cursor"), first.key("artifact"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
        let sealed = std::fs::read(folder.path().join("secrets")).unwrap();
        assert!(sealed.starts_with(HEADER) && !sealed.windows(8).any(|part| part == &first.0.0[..8]));
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        for name in ["secrets", "master.key"] {
            let folder = tempfile::tempdir().unwrap();
            Secrets::open_with(folder.path(), None).unwrap();
            set_permissions(folder.path().join(name), Permissions::from_mode(0o640)).unwrap();
            let opened = Secrets::open_with(folder.path(), None);
            assert!(matches!(opened, Err(StorageError::Exposed(_))), "{name}");
        }
    }

    #[test]
    fn tampered_secrets_and_a_wrong_or_lost_master_key_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let key = STANDARD.encode([3_u8; 32]);
        let made = Secrets::open_with(folder.path(), Some(key.clone())).unwrap();
        assert!(!folder.path().join("master.key").exists());
        assert_eq!(Secrets::open_with(folder.path(), Some(key.clone())).unwrap().key("x"), made.key("x"));
        let lost = Secrets::open_with(folder.path(), None);
        assert!(matches!(lost, Err(StorageError::MasterKey(_))));
        let wrong = Secrets::open_with(folder.path(), Some(STANDARD.encode([4_u8; 32])));
        assert!(matches!(wrong, Err(StorageError::Seal)));
        let malformed = Secrets::open_with(folder.path(), Some("short".into()));
        assert!(matches!(malformed, Err(StorageError::MasterKey(_))));
        let path = folder.path().join("secrets");
        let mut sealed = std::fs::read(&path).unwrap();
        *sealed.last_mut().unwrap() ^= 1;
        std::fs::write(&path, sealed).unwrap();
        assert!(matches!(Secrets::open_with(folder.path(), Some(key)), Err(StorageError::Seal)));
    }

    #[test]
    fn a_sealed_value_opens_only_for_its_purpose() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = Secrets::open_with(folder.path(), None).unwrap();
        let sealed = secrets.seal("signing-key", b"plain").unwrap();
        assert_eq!(secrets.open_sealed("signing-key", &sealed).unwrap(), b"plain");
        assert_ne!(secrets.seal("signing-key", b"plain").unwrap(), sealed);
        for (purpose, sealed) in
            [("other", &sealed[..]), ("signing-key", &sealed[..20]), ("signing-key", b"")]
        {
            assert!(matches!(secrets.open_sealed(purpose, sealed), Err(StorageError::Seal)));
        }
    }
}
