//! The catalogue: who may publish plugins on this installation, and the versions that they published. What stands here can
//! be installed in organizations, and runs nowhere else; what is stopped here runs nowhere.

mod error;
mod publishers;
mod store;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use super::{Archive, PackageFault, Plugin, Plugins, PublicKey, Trust};
use crate::clock::{Clock, UnixMillis};
use crate::ids::PrincipalId;
use crate::storage::ControlPlane;

pub use self::error::CatalogueError;

/// Somebody who publishes.
#[derive(Clone, Debug)]
pub struct Publisher {
    /// In addresses.
    pub id: String,
    /// For people.
    pub name: String,
    /// How far they are trusted.
    pub trust: Trust,
    /// Since when.
    pub created_at: UnixMillis,
    /// What they sign with, the oldest first.
    pub keys: Vec<PublisherKey>,
}

/// A key of a publisher.
#[derive(Clone, Debug)]
pub struct PublisherKey {
    /// As packages name it.
    pub id: String,
    /// Ed25519, base64.
    pub public_key: String,
    /// Since when.
    pub created_at: UnixMillis,
    /// Since when nothing that it signed runs.
    pub revoked_at: Option<UnixMillis>,
}

/// A version that was published.
#[derive(Clone, Debug)]
pub struct Version {
    /// The plugin's id.
    pub plugin: String,
    /// The version.
    pub version: String,
    /// Whose.
    pub publisher: String,
    /// Signed with which key.
    pub key: String,
    /// The sum of the package, in hexadecimal.
    pub sha256: String,
    /// Its length in bytes.
    pub size: i64,
    /// Who uploaded it.
    pub uploaded_by: PrincipalId,
    /// When.
    pub uploaded_at: UnixMillis,
    /// Since when and why it does not run.
    pub killed: Option<Killed>,
}

/// Why a version does not run.
#[derive(Clone, Debug)]
pub struct Killed {
    /// In words.
    pub reason: String,
    /// By whom.
    pub by: PrincipalId,
    /// Since when.
    pub at: UnixMillis,
}

/// Every operation on the catalogue. Cheap to clone.
#[derive(Clone)]
pub struct Catalogue {
    control: ControlPlane,
    clock: Clock,
    plugins: Plugins,
    folder: PathBuf,
    /// Held by whoever changes it.
    alone: Arc<Mutex<()>>,
}

impl Catalogue {
    /// The catalogue of this control database, its packages in `folder`.
    #[must_use]
    pub fn new(control: ControlPlane, clock: Clock, plugins: Plugins, folder: PathBuf) -> Self {
        Self { control, clock, plugins, folder, alone: Arc::default() }
    }

    /// Puts every version on the shelf that may run and is not there. One that cannot is told in the log, and keeps nobody
    /// else out.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn load(&self) -> Result<(), CatalogueError> {
        let publishers = self.publishers().await?;
        for version in self.versions().await?.iter().filter(|version| version.killed.is_none()) {
            if self.plugins.version(&version.plugin, &version.version).is_some() {
                continue;
            }
            match self.opened(version, &publishers).await {
                Ok(plugin) => self.plugins.shelve(plugin),
                Err(error) => {
                    let (plugin, number) = (&version.plugin, &version.version);
                    tracing::error!(plugin, version = number, %error, "a version of the catalogue does not run");
                }
            }
        }
        Ok(())
    }

    /// Every version, in the order of their coming.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn versions(&self) -> Result<Vec<Version>, CatalogueError> {
        Ok(store::versions(self.control.pool()).await?)
    }

    /// Publishes a package; the same package again is the same version. `dry_run`: it is only looked at.
    ///
    /// # Errors
    /// Why it is refused; nothing is kept then.
    pub async fn publish(
        &self,
        bytes: Vec<u8>,
        dry_run: bool,
        by: PrincipalId,
    ) -> Result<Version, CatalogueError> {
        let bytes = Arc::new(bytes);
        let read = Arc::clone(&bytes);
        let read = tokio::task::spawn_blocking(move || (Archive::read(&read), sum(&read)));
        let (archive, sha256) = read.await?;
        let archive = archive.map_err(|fault| CatalogueError::Package(vec![fault]))?;
        let publishers = self.publishers().await?;
        let (publisher, key) = signer(&archive, &publishers)?;
        let version = Version {
            plugin: archive.index().plugin.clone(),
            version: archive.index().version.clone(),
            publisher: publisher.id.clone(),
            key,
            sha256,
            size: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
            uploaded_by: by,
            uploaded_at: self.clock.now(),
            killed: None,
        };
        // Looking at it takes its time, so it is done before anybody has to wait.
        let before = self.before(&version).await?;
        let plugin = self.checked(archive, publisher.trust).await?;
        if dry_run {
            return Ok(before.unwrap_or(version));
        }
        let _alone = self.alone.lock().await;
        let keys = self.publishers().await?.into_iter().flat_map(|publisher| publisher.keys);
        if !keys.into_iter().any(|key| key.id == version.key && key.revoked_at.is_none()) {
            return Err(CatalogueError::Untrusted(Some(version.key)));
        }
        let before = self.before(&version).await?;
        // Also when it is there: its file may have been lost.
        let (folder, path) = (self.folder.clone(), self.path(&version));
        tokio::task::spawn_blocking(move || keep(&folder, &path, &bytes)).await??;
        let version = match before {
            Some(before) => before,
            None if store::add_version(self.control.pool(), &version).await? => version,
            None => return Err(published(&version)),
        };
        // The one that runs already knows whether it is paused, and nobody needs to be made ready anew.
        if version.killed.is_none() && self.plugins.version(&version.plugin, &version.version).is_none() {
            self.plugins.shelve(plugin);
        }
        Ok(version)
    }

    /// The same version, if it is there; whether it may come, if it is not.
    async fn before(&self, version: &Version) -> Result<Option<Version>, CatalogueError> {
        let known = self.versions().await?;
        self.may_publish(version, &known)?;
        let same = |one: &Version| one.plugin == version.plugin && one.version == version.version;
        match known.into_iter().find(same) {
            Some(before) if before.sha256 != version.sha256 => Err(published(version)),
            before => Ok(before),
        }
    }

    /// The package's bytes.
    ///
    /// # Errors
    /// [`CatalogueError::UnknownVersion`], or the file cannot be read.
    pub async fn package(&self, plugin: &str, version: &str) -> Result<Vec<u8>, CatalogueError> {
        let version = self.version(plugin, version).await?;
        let path = self.path(&version);
        Ok(tokio::task::spawn_blocking(move || std::fs::read(path)).await??)
    }

    /// The version.
    ///
    /// # Errors
    /// [`CatalogueError::UnknownVersion`].
    pub async fn version(&self, plugin: &str, version: &str) -> Result<Version, CatalogueError> {
        let known = self.versions().await?.into_iter();
        let mut same = known.filter(|one| one.plugin == plugin && one.version == version);
        same.next().ok_or_else(|| CatalogueError::UnknownVersion {
            plugin: plugin.to_owned(),
            version: version.to_owned(),
        })
    }

    /// Stops a version everywhere, from the next request on.
    ///
    /// # Errors
    /// [`CatalogueError::UnknownVersion`].
    pub async fn kill(
        &self,
        plugin: &str,
        version: &str,
        reason: String,
        by: PrincipalId,
    ) -> Result<Version, CatalogueError> {
        let _alone = self.alone.lock().await;
        let killed = Killed { reason, by, at: self.clock.now() };
        store::kill(self.control.pool(), (plugin, version), Some(&killed)).await?;
        let stopped = self.version(plugin, version).await?;
        self.stop(&stopped);
        Ok(stopped)
    }

    /// Lets a version run again that was stopped, and those that need it.
    ///
    /// # Errors
    /// [`CatalogueError::UnknownVersion`], and those of publishing: then it stays stopped.
    pub async fn revive(&self, plugin: &str, version: &str) -> Result<Version, CatalogueError> {
        let stopped = self.version(plugin, version).await?;
        self.opened(&stopped, &self.publishers().await?).await?;
        {
            let _alone = self.alone.lock().await;
            store::kill(self.control.pool(), (plugin, version), None).await?;
        }
        self.load().await?;
        self.version(plugin, version).await
    }

    /// Takes a version off the shelf; what is part of the installation is not the catalogue's.
    fn stop(&self, version: &Version) {
        if !self.is_own(&version.plugin) {
            self.plugins.take_off(&version.plugin, &version.version);
        }
    }

    /// A kept version, after everything was looked at again.
    async fn opened(&self, version: &Version, publishers: &[Publisher]) -> Result<Plugin, CatalogueError> {
        self.may_publish(version, &[])?;
        let path = self.path(version);
        let read = tokio::task::spawn_blocking(move || {
            let bytes = std::fs::read(path)?;
            Ok::<_, std::io::Error>((Archive::read(&bytes), sum(&bytes)))
        });
        let (archive, sha256) = read.await??;
        if sha256 != version.sha256 {
            let changed = "is not what was published: its file was changed";
            return Err(CatalogueError::Package(vec![PackageFault::new("the package", changed)]));
        }
        let archive = archive.map_err(|fault| CatalogueError::Package(vec![fault]))?;
        let (publisher, _) = signer(&archive, publishers)?;
        self.checked(archive, publisher.trust).await
    }

    /// Whether the plugin with this id is part of the installation.
    fn is_own(&self, plugin: &str) -> bool {
        let own = |one: &Arc<Plugin>| matches!(one.trust, Trust::Core | Trust::Local);
        self.plugins.versions(plugin).iter().any(own)
    }

    /// Who came first has the plugin; what is part of the installation is nobody's.
    fn may_publish(&self, version: &Version, known: &[Version]) -> Result<(), CatalogueError> {
        let plugin = version.plugin.clone();
        if self.is_own(&plugin) {
            return Err(CatalogueError::Owned { plugin, owner: "this installation".to_owned() });
        }
        match known.iter().find(|one| one.plugin == plugin) {
            Some(first) if first.publisher != version.publisher => {
                Err(CatalogueError::Owned { plugin, owner: format!("the publisher `{}`", first.publisher) })
            }
            _ => Ok(()),
        }
    }

    async fn checked(&self, archive: Archive, trust: Trust) -> Result<Plugin, CatalogueError> {
        let plugins = self.plugins.clone();
        let checked = tokio::task::spawn_blocking(move || plugins.check(&archive, trust));
        checked.await?.map_err(CatalogueError::Package)
    }

    /// Neither the plugin's id nor the version can lead elsewhere: the index was read strictly.
    fn path(&self, version: &Version) -> PathBuf {
        self.folder.join(format!("{}-{}.stoa", version.plugin, version.version))
    }
}

fn published(version: &Version) -> CatalogueError {
    CatalogueError::Published { plugin: version.plugin.clone(), version: version.version.clone() }
}

/// Whose key signed it, among those that are trusted.
fn signer<'a>(
    archive: &Archive,
    publishers: &'a [Publisher],
) -> Result<(&'a Publisher, String), CatalogueError> {
    let named = archive.signed_by().map(str::to_owned);
    let trusted = |key: &&PublisherKey| key.revoked_at.is_none() && Some(&key.id) == named.as_ref();
    let found = publishers.iter().find_map(|one| Some((one, one.keys.iter().find(trusted)?)));
    let Some((publisher, key)) = found else { return Err(CatalogueError::Untrusted(named)) };
    let public = PublicKey::parse(&key.public_key).ok_or_else(|| CatalogueError::Untrusted(named.clone()))?;
    archive.verify(&public).map_err(|fault| CatalogueError::Package(vec![fault]))?;
    Ok((publisher, key.id.clone()))
}

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whole or not at all: the file appears under its name when it is on the disk.
fn keep(folder: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let part = path.with_extension("part");
    let mut file = std::fs::File::create(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&part, path)?;
    std::fs::File::open(folder)?.sync_all()
}
