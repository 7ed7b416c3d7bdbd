//! `index.json`: what is in a package, file by file, and what it is. The publisher signs exactly these bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::archive::INDEX;
use super::{MANIFEST, PackageFault};

/// The format that this host reads.
const FORMAT: u64 = 1;

/// The list.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    v: u64,
    /// The plugin's id.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// Who published it, in their own words; whose key signed it is what counts.
    pub publisher: String,
    /// The contract that it was written against.
    pub contract: String,
    /// The oldest host that it runs on.
    pub host: String,
    /// Every file, by path.
    pub files: Vec<Listed>,
}

/// A file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// Where it is.
    pub path: String,
    /// Its sum, in hexadecimal.
    pub sha256: String,
    /// Its length in bytes.
    pub size: u64,
}

/// What of a manifest stands in the index too.
#[derive(Deserialize)]
struct Stated {
    id: String,
    version: String,
    contract: String,
}

impl Listed {
    fn of(path: &str, content: &[u8]) -> Self {
        let sha256 = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { path: path.to_owned(), sha256, size: content.len() as u64 }
    }
}

impl Index {
    /// The list of these files. What the plugin is comes from its manifest; the oldest host is this one unless said.
    pub(super) fn of(
        files: &BTreeMap<String, Vec<u8>>,
        publisher: &str,
        host: Option<&str>,
    ) -> Result<Self, PackageFault> {
        let stated = stated(files)?;
        let index = Self {
            v: FORMAT,
            plugin: stated.id,
            version: stated.version,
            publisher: publisher.to_owned(),
            contract: stated.contract,
            host: host.unwrap_or(env!("CARGO_PKG_VERSION")).to_owned(),
            files: files.iter().map(|(path, content)| Listed::of(path, content)).collect(),
        };
        index.holds()?;
        Ok(index)
    }

    /// Reads the list; its bytes must be those that [`Index::bytes`] makes, so that nothing stands in it twice or unseen.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, PackageFault> {
        let index: Self =
            serde_json::from_slice(bytes).map_err(|error| PackageFault::new(INDEX, error.to_string()))?;
        if index.v != FORMAT {
            return Err(PackageFault::new(INDEX, format!("this host reads format {FORMAT}")));
        }
        if index.bytes() != bytes {
            return Err(PackageFault::new(INDEX, "is not written as `stoa plugin pack` writes it"));
        }
        index.holds()?;
        Ok(index)
    }

    /// The file.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    fn holds(&self) -> Result<(), PackageFault> {
        for (member, text) in [("version", &self.version), ("host", &self.host)] {
            if let Err(error) = semver::Version::parse(text) {
                let detail = format!("{member} `{text}` is no semantic version such as 1.0.0: {error}");
                return Err(PackageFault::new(INDEX, detail));
            }
        }
        // Plugin and version are part of a file name.
        let plain =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte));
        if self.plugin.is_empty() || self.plugin.len() > 63 || self.version.len() > 64 || !plain(&self.plugin)
        {
            return Err(PackageFault::new(INDEX, "the plugin's id or version cannot name a file"));
        }
        if self.publisher.is_empty() || self.publisher.len() > 100 {
            return Err(PackageFault::new(INDEX, "publisher is empty or longer than 100 bytes"));
        }
        Ok(())
    }

    /// Whether the files are those of the list, byte for byte, no more and no fewer; and the plugin the manifest's.
    pub(super) fn covers(&self, files: &BTreeMap<String, Vec<u8>>) -> Result<(), PackageFault> {
        let mut listed: BTreeMap<&str, &Listed> = BTreeMap::new();
        for file in &self.files {
            if listed.insert(&file.path, file).is_some() {
                return Err(PackageFault::new(&file.path, "is listed twice in index.json"));
            }
        }
        for (path, content) in files {
            let Some(file) = listed.remove(path.as_str()) else {
                return Err(PackageFault::new(path, "is not listed in index.json"));
            };
            if *file != Listed::of(path, content) {
                return Err(PackageFault::new(path, "is not what index.json says: it was changed"));
            }
        }
        if let Some(path) = listed.keys().next() {
            return Err(PackageFault::new(path, "is listed in index.json and missing"));
        }
        let stated = stated(files)?;
        let same = stated.id == self.plugin && stated.version == self.version;
        if !same || stated.contract != self.contract {
            return Err(PackageFault::new(INDEX, "id, version and contract are not those of manifest.json"));
        }
        Ok(())
    }

    /// Whether this host is new enough.
    pub(super) fn runs_here(&self) -> Result<(), PackageFault> {
        let version = |text| semver::Version::parse(text).ok();
        if version(&self.host) <= version(env!("CARGO_PKG_VERSION")) {
            return Ok(());
        }
        let detail =
            format!("the package needs host {}; this one is {}", self.host, env!("CARGO_PKG_VERSION"));
        Err(PackageFault::new(INDEX, detail))
    }
}

fn stated(files: &BTreeMap<String, Vec<u8>>) -> Result<Stated, PackageFault> {
    let manifest = files.get(MANIFEST).ok_or_else(|| PackageFault::new(MANIFEST, "is missing"))?;
    serde_json::from_slice(manifest).map_err(|error| PackageFault::new(MANIFEST, error.to_string()))
}
