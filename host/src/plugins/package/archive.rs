//! The archive of a package, `<id>-<version>.stoa`: a tar of plain files in one order, with nothing left to choose.
//!
//! `index.json` comes first, then `signature`, then the files by path. Every header is what this writer makes of a path and
//! a size, so the same files are the same bytes, and a reader that compares headers whole has nothing to interpret: links,
//! owners, times, extensions and padding that hides something are all "not what would be written".

use std::collections::BTreeMap;
use std::io;

use tar::{EntryType, Header};

use super::index::Index;
use super::signature::{PrivateKey, PublicKey, Signature};
use super::{
    COMPONENT, COMPONENT_LIMIT, MANIFEST, MANIFEST_LIMIT, Package, PackageFault, SQL, SQL_LIMIT, Trust,
};

/// Largest archive that is read.
pub const LARGEST: usize = 16 << 20;
/// The file of sums.
pub(super) const INDEX: &str = "index.json";
/// The file of the signature.
pub(super) const SIGNATURE: &str = "signature";
/// What tar counts in.
const BLOCK: usize = 512;
/// Largest file beside component, manifest and SQL.
const OTHER_LIMIT: u64 = 1 << 20;
/// Most files.
const FILES: usize = 500;

/// A package as it travels: every file listed with its sum, and the publisher's signature over the list.
#[derive(Clone, Debug)]
pub struct Archive {
    index: Index,
    signature: Option<Signature>,
    files: BTreeMap<String, Vec<u8>>,
}

impl Archive {
    /// Packs files, unsigned.
    ///
    /// # Errors
    /// The first file that does not belong into a package, is too large, or is missing.
    pub fn pack(
        files: BTreeMap<String, Vec<u8>>,
        publisher: &str,
        host: Option<&str>,
    ) -> Result<Self, PackageFault> {
        for (path, content) in &files {
            let limit = limit(path).ok_or_else(|| PackageFault::stranger(path))?;
            fits(path, content.len(), limit)?;
        }
        for path in [MANIFEST, COMPONENT] {
            if !files.contains_key(path) {
                return Err(PackageFault::new(path, "is missing"));
            }
        }
        let index = Index::of(&files, publisher, host)?;
        let archive = Self { index, signature: None, files };
        fits("the package", archive.to_bytes()?.len(), LARGEST as u64)?;
        Ok(archive)
    }

    /// Reads an archive: exactly what [`Archive::to_bytes`] writes, with every sum as the index says. Whose signature it
    /// carries is another question: [`Archive::verify`].
    ///
    /// # Errors
    /// The first file that is not as it should be.
    pub fn read(bytes: &[u8]) -> Result<Self, PackageFault> {
        fits("the package", bytes.len(), LARGEST as u64)?;
        let mut files = members(bytes)?;
        let index = files.remove(INDEX).ok_or_else(|| PackageFault::new(INDEX, "is missing"))?;
        let index = Index::read(&index)?;
        let signature = files.remove(SIGNATURE).map(|text| Signature::read(&text)).transpose()?;
        index.covers(&files)?;
        Ok(Self { index, signature, files })
    }

    /// The bytes: the same for the same files.
    ///
    /// # Errors
    /// A path cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, PackageFault> {
        let mut bytes = Vec::new();
        entry(&mut bytes, INDEX, &self.index.bytes())?;
        if let Some(signature) = &self.signature {
            entry(&mut bytes, SIGNATURE, &signature.bytes())?;
        }
        for (path, content) in &self.files {
            entry(&mut bytes, path, content)?;
        }
        bytes.extend([0; 2 * BLOCK]);
        Ok(bytes)
    }

    /// The list of files.
    #[must_use]
    pub const fn index(&self) -> &Index {
        &self.index
    }

    /// The id of the key that signed it; `None`: nobody has.
    #[must_use]
    pub fn signed_by(&self) -> Option<&str> {
        self.signature.as_ref().map(Signature::key)
    }

    /// Signs it, in the place of whoever signed before.
    #[must_use]
    pub fn sign(self, key: &PrivateKey) -> Self {
        let signature = Some(key.sign(&self.index.bytes()));
        Self { signature, ..self }
    }

    /// Whether this key signed it.
    ///
    /// # Errors
    /// Nobody, another key, or something else was signed.
    pub fn verify(&self, key: &PublicKey) -> Result<(), PackageFault> {
        let signature = self
            .signature
            .as_ref()
            .ok_or_else(|| PackageFault::new(SIGNATURE, "the package is not signed"))?;
        key.verify(&self.index.bytes(), signature)
    }

    /// A file of it.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(Vec::as_slice)
    }

    /// What the host runs of it; how far its publisher is trusted is for whoever read it to say.
    #[must_use]
    pub fn package(&self, trust: Trust) -> Package {
        let file = |path| self.file(path).unwrap_or_default().to_vec().into();
        let name = format!("{} {}", self.index.plugin, self.index.version);
        Package { name, manifest: file(MANIFEST), component: file(COMPONENT), sql: file(SQL), trust }
    }

    /// What its file is called.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}-{}.stoa", self.index.plugin, self.index.version)
    }
}

/// How large the file at this path may be; `None`: it does not belong into a package.
fn limit(path: &str) -> Option<u64> {
    match path {
        COMPONENT => Some(COMPONENT_LIMIT),
        MANIFEST | INDEX => Some(MANIFEST_LIMIT),
        SQL => Some(SQL_LIMIT),
        SIGNATURE => Some(4 << 10),
        "settings.schema.json" => Some(OTHER_LIMIT),
        _ => {
            let (folder, name) = path.split_once('/')?;
            (matches!(folder, "locales" | "docs") && is_name(name)).then_some(OTHER_LIMIT)
        }
    }
}

/// A plain file name: nothing that a file system or a page could take for a way elsewhere.
fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    name.len() <= 80
        && name.bytes().all(plain)
        && name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
}

fn fits(path: &str, size: usize, limit: u64) -> Result<(), PackageFault> {
    if size as u64 <= limit {
        return Ok(());
    }
    Err(PackageFault::new(path, format!("has {size} bytes; {limit} are allowed")))
}

fn header(path: &str, size: usize) -> io::Result<Header> {
    let mut header = Header::new_ustar();
    header.set_path(path)?;
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size as u64);
    header.set_cksum();
    Ok(header)
}

fn entry(bytes: &mut Vec<u8>, path: &str, content: &[u8]) -> Result<(), PackageFault> {
    let header = header(path, content.len()).map_err(|error| PackageFault::new(path, error.to_string()))?;
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    Ok(())
}

/// The files of an archive.
fn members(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, PackageFault> {
    let torn = |path: &str| PackageFault::new(path, "the package ends before it should");
    let (mut found, mut rest, mut before) = (BTreeMap::new(), bytes, None);
    loop {
        let (block, after) = rest.split_at_checked(BLOCK).ok_or_else(|| torn("the package"))?;
        if block.iter().all(|byte| *byte == 0) {
            let whole = after.len() == BLOCK && after.iter().all(|byte| *byte == 0);
            return whole
                .then_some(found)
                .ok_or_else(|| PackageFault::new("the package", "something follows after the last file"));
        }
        let (path, size) = announced(block)?;
        let (content, after) = after.split_at_checked(size).ok_or_else(|| torn(&path))?;
        let (padding, after) =
            after.split_at_checked(size.next_multiple_of(BLOCK) - size).ok_or_else(|| torn(&path))?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(PackageFault::new(&path, "something hides behind it"));
        }
        let rank = (path != INDEX, path != SIGNATURE, path.clone());
        if before.as_ref().is_some_and(|before| *before >= rank) {
            return Err(PackageFault::new(
                &path,
                "stands there twice, or in another order than packages are written",
            ));
        }
        before = Some(rank);
        found.insert(path, content.to_vec());
        if found.len() > FILES {
            return Err(PackageFault::new("the package", format!("has more than {FILES} files")));
        }
        rest = after;
    }
}

/// The path and size that a header announces, if the header is the one that would be written for them.
fn announced(block: &[u8]) -> Result<(String, usize), PackageFault> {
    let read = Header::from_byte_slice(block);
    let path = String::from_utf8_lossy(&read.path_bytes()).into_owned();
    let limit = limit(&path).ok_or_else(|| PackageFault::stranger(&path))?;
    let odd = || PackageFault::new(&path, "its header is not what is written for a plain file of its size");
    let size = read.entry_size().ok().and_then(|size| usize::try_from(size).ok()).ok_or_else(odd)?;
    fits(&path, size, limit)?;
    let expected = header(&path, size).map_err(|_| odd())?;
    if expected.as_bytes() != block {
        return Err(odd());
    }
    Ok((path, size))
}
