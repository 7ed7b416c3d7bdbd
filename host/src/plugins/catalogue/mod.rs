//! The catalogue: who may publish plugins on this installation, and the versions that they published. What stands here can
//! be installed in organizations, and runs nowhere else; what is stopped here runs nowhere.

mod error;
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

    /// Puts every version on the shelf that may run. One that cannot is told in the log, and keeps nobody else out.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn load(&self) -> Result<(), CatalogueError> {
        let publishers = self.publishers().await?;
        for version in self.versions().await?.iter().filter(|version| version.killed.is_none()) {
            if let Err(error) = self.serve(version, &publishers).await {
                let (plugin, number) = (&version.plugin, &version.version);
                tracing::error!(plugin, version = number, %error, "a version of the catalogue does not run");
            }
        }
        Ok(())
    }

    /// Everybody who may publish, by id.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn publishers(&self) -> Result<Vec<Publisher>, CatalogueError> {
        Ok(store::publishers(self.control.pool()).await?)
    }

    /// Trusts somebody.
    ///
    /// # Errors
    /// [`CatalogueError::Invalid`], [`CatalogueError::Taken`].
    pub async fn trust(
        &self,
        (id, name): (&str, &str),
        trust: Trust,
        public_key: &str,
        by: PrincipalId,
    ) -> Result<Publisher, CatalogueError> {
        let key = parsed(public_key)?;
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !(2..=40).contains(&id.len())
            || !id.bytes().all(plain)
            || !id.starts_with(|c: char| c.is_ascii_lowercase())
        {
            let detail = "2 to 40 of a-z, 0-9 and dashes, beginning with a letter".to_owned();
            return Err(CatalogueError::Invalid { field: "id", detail });
        }
        if !matches!(trust, Trust::Verified | Trust::Private | Trust::Community) {
            let detail = "verified, private or community".to_owned();
            return Err(CatalogueError::Invalid { field: "trust", detail });
        }
        let publisher = Publisher {
            id: id.to_owned(),
            name: name.to_owned(),
            trust,
            created_at: self.clock.now(),
            keys: Vec::new(),
        };
        if !store::add_publisher(self.control.pool(), &publisher, &key, by).await? {
            return Err(CatalogueError::Taken(format!("the publisher `{id}` or the key {}", key.id())));
        }
        self.publisher(id).await
    }

    /// The publisher with this id.
    ///
    /// # Errors
    /// [`CatalogueError::UnknownPublisher`].
    pub async fn publisher(&self, id: &str) -> Result<Publisher, CatalogueError> {
        let found = self.publishers().await?.into_iter().find(|one| one.id == id);
        found.ok_or_else(|| CatalogueError::UnknownPublisher(id.to_owned()))
    }

    /// Trusts one more key of a publisher.
    ///
    /// # Errors
    /// [`CatalogueError::UnknownPublisher`], [`CatalogueError::Invalid`], [`CatalogueError::Taken`].
    pub async fn add_key(
        &self,
        publisher: &str,
        public_key: &str,
        by: PrincipalId,
    ) -> Result<Publisher, CatalogueError> {
        let key = parsed(public_key)?;
        self.publisher(publisher).await?;
        if !store::add_key(self.control.pool(), publisher, &key, by, self.clock.now()).await? {
            return Err(CatalogueError::Taken(format!("the key {}", key.id())));
        }
        self.publisher(publisher).await
    }

    /// Trusts a key no longer: nothing that it signed runs from now on.
    ///
    /// # Errors
    /// [`CatalogueError::UnknownKey`].
    pub async fn revoke_key(
        &self,
        publisher: &str,
        key: &str,
        by: PrincipalId,
    ) -> Result<Publisher, CatalogueError> {
        let _alone = self.alone.lock().await;
        if !store::revoke(self.control.pool(), publisher, key, by, self.clock.now()).await? {
            return Err(CatalogueError::UnknownKey(key.to_owned()));
        }
        for version in self.versions().await?.iter().filter(|version| version.key == key) {
            self.plugins.take_off(&version.plugin, &version.version);
        }
        self.publisher(publisher).await
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
        let _alone = self.alone.lock().await;
        let refused = |fault: PackageFault| CatalogueError::Package(vec![fault]);
        let archive = Archive::read(&bytes).map_err(refused)?;
        let index = archive.index();
        let (publisher, key) = self.signer(&archive).await?;
        let version = Version {
            plugin: index.plugin.clone(),
            version: index.version.clone(),
            publisher: publisher.id.clone(),
            key,
            sha256: sum(&bytes),
            size: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
            uploaded_by: by,
            uploaded_at: self.clock.now(),
            killed: None,
        };
        let known = self.versions().await?;
        self.may_publish(&version, &known)?;
        let same = |one: &&Version| one.plugin == version.plugin && one.version == version.version;
        if let Some(before) = known.iter().find(same) {
            return if before.sha256 == version.sha256 {
                Ok(before.clone())
            } else {
                let Version { plugin, version, .. } = version;
                Err(CatalogueError::Published { plugin, version })
            };
        }
        let plugin = self.checked(archive, publisher.trust).await?;
        if dry_run {
            return Ok(version);
        }
        keep(&self.folder, &self.path(&version), &bytes)?;
        if !store::add_version(self.control.pool(), &version).await? {
            let Version { plugin, version, .. } = version;
            return Err(CatalogueError::Published { plugin, version });
        }
        self.plugins.shelve(plugin);
        Ok(version)
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
        self.plugins.take_off(plugin, version);
        Ok(stopped)
    }

    /// Lets a version run again that was stopped.
    ///
    /// # Errors
    /// [`CatalogueError::UnknownVersion`], and those of publishing: then it stays stopped.
    pub async fn revive(&self, plugin: &str, version: &str) -> Result<Version, CatalogueError> {
        let _alone = self.alone.lock().await;
        let stopped = self.version(plugin, version).await?;
        self.serve(&stopped, &self.publishers().await?).await?;
        store::kill(self.control.pool(), (plugin, version), None).await?;
        self.version(plugin, version).await
    }

    /// Puts a kept version on the shelf, after everything was looked at again.
    async fn serve(&self, version: &Version, publishers: &[Publisher]) -> Result<(), CatalogueError> {
        let path = self.path(version);
        let bytes = tokio::task::spawn_blocking(move || std::fs::read(path)).await??;
        let changed = || PackageFault::new("the package", "is not what was published: its file was changed");
        if sum(&bytes) != version.sha256 {
            return Err(CatalogueError::Package(vec![changed()]));
        }
        let archive = Archive::read(&bytes).map_err(|fault| CatalogueError::Package(vec![fault]))?;
        let (publisher, _) = signer(&archive, publishers)?;
        self.plugins.shelve(self.checked(archive, publisher.trust).await?);
        Ok(())
    }

    async fn signer(&self, archive: &Archive) -> Result<(Publisher, String), CatalogueError> {
        let publishers = self.publishers().await?;
        let (publisher, key) = signer(archive, &publishers)?;
        Ok((publisher.clone(), key))
    }

    /// Who came first has the plugin; what is part of the installation is nobody's.
    fn may_publish(&self, version: &Version, known: &[Version]) -> Result<(), CatalogueError> {
        let plugin = version.plugin.clone();
        let own = |one: &Arc<Plugin>| matches!(one.trust, Trust::Core | Trust::Local);
        if self.plugins.versions(&plugin).iter().any(own) {
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

fn parsed(public_key: &str) -> Result<PublicKey, CatalogueError> {
    let detail = "an Ed25519 public key: 32 bytes in base64, as `stoa plugin keygen` prints it".to_owned();
    PublicKey::parse(public_key).ok_or(CatalogueError::Invalid { field: "public_key", detail })
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
