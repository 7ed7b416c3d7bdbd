//! The local socket: where it lies, who may speak through it.

use std::fs::{File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use poem::Addr;
use tokio::net::{UnixListener, UnixStream};

use crate::http::server::Listen;

/// The socket's name in the data folder.
pub const NAME: &str = "stoa.sock";

/// The kernel's limit for the path of a socket, less its end mark.
const LONGEST: usize = 107;

/// A listener that serves the user who owns it, and root.
pub struct OperatorListener {
    inner: UnixListener,
    owner: u32,
}

impl OperatorListener {
    /// Binds the socket of `folder`. The caller holds the folder's lock, so a socket that lies there is a dead one's.
    ///
    /// # Errors
    /// When the folder is not writable.
    pub fn bind(folder: &Path) -> io::Result<Self> {
        let path = folder.join(NAME);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let (address, _open) = address(folder)?;
        let inner = UnixListener::bind(address)?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        Ok(Self { inner, owner: std::fs::metadata(&path)?.uid() })
    }
}

impl Listen for OperatorListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<(UnixStream, Addr)> {
        loop {
            let (stream, address) = self.inner.accept().await?;
            let user = stream.peer_cred()?.uid();
            if user == self.owner || user == 0 {
                return Ok((stream, Addr::unix(address)));
            }
            tracing::warn!(user, "somebody else's connection to the operator's socket was refused");
        }
    }
}

/// Connects to the host of `folder`.
///
/// # Errors
/// When none listens there.
pub async fn connect(folder: &Path) -> io::Result<UnixStream> {
    let (address, _open) = address(folder)?;
    UnixStream::connect(address).await
}

/// The socket's address; below a deep folder it is said through an open descriptor, which must live until it is used.
fn address(folder: &Path) -> io::Result<(PathBuf, Option<File>)> {
    let path = folder.join(NAME);
    if path.as_os_str().as_bytes().len() <= LONGEST {
        return Ok((path, None));
    }
    let open = File::open(folder)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{NAME}", open.as_raw_fd()));
    Ok((path, Some(open)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_socket_is_its_owners_and_works_below_a_deep_folder() {
        let root = tempfile::tempdir().unwrap();
        for folder in [root.path().to_path_buf(), root.path().join("d".repeat(120))] {
            std::fs::create_dir_all(&folder).unwrap();
            drop(OperatorListener::bind(&folder).unwrap());
            assert!(connect(&folder).await.is_err(), "nobody listens");
            let listener = OperatorListener::bind(&folder).unwrap();
            let mode = std::fs::metadata(folder.join(NAME)).unwrap().mode();
            assert_eq!(mode & 0o777, 0o600);
            let (client, server) = tokio::join!(connect(&folder), listener.next());
            assert!(client.is_ok() && server.is_ok());
        }
    }
}
