//! Packages: a manifest, a component and its SQL texts, from the binary itself, from a folder, or from an archive
//! ([`archive`]) with a list of sums ([`index`]) that its publisher signed ([`signature`]). What a package may have depends
//! on how far its publisher is trusted ([`trust`]); what can be seen of a component before it is compiled is in [`inspect`], what
//! can be said about a package before it runs in [`check`], and how an author's component becomes one in [`assemble`].

mod archive;
mod assemble;
pub(crate) mod check;
mod index;
pub(in crate::plugins) mod inspect;
mod signature;
#[cfg(test)]
mod tests;
mod trust;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use super::error::PluginError;

pub use self::archive::{Archive, LARGEST};
pub(in crate::plugins) use self::check::misfits;
pub use self::signature::{PrivateKey, PublicKey};
pub use self::trust::Trust;

/// The component's file.
const COMPONENT: &str = "component.wasm";
/// The manifest's file.
const MANIFEST: &str = "manifest.json";
/// The file of SQL texts.
const SQL: &str = "sql.json";

/// Largest component that is read.
const COMPONENT_LIMIT: u64 = 8 << 20;
/// Largest manifest that is read.
const MANIFEST_LIMIT: u64 = 1 << 20;
/// Largest list of SQL texts that is read.
const SQL_LIMIT: u64 = 1 << 20;

/// What is wrong with a file of a package.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{file}: {detail}")]
pub struct PackageFault {
    /// Its path in the package, or `the package`.
    pub file: String,
    /// What and what to do.
    pub detail: String,
}

impl PackageFault {
    pub(in crate::plugins) fn new(file: &str, detail: impl Into<String>) -> Self {
        Self { file: file.to_owned(), detail: detail.into() }
    }

    /// A file that no package has.
    fn stranger(path: &str) -> Self {
        let detail = "does not belong into a package: component.wasm, manifest.json, sql.json, settings.schema.json, locales/*, docs/*";
        Self::new(&shown(path), detail)
    }
}

/// A stranger's words in a message of ours.
fn shown(text: &str) -> String {
    text.chars().take(200).flat_map(char::escape_default).collect()
}

/// A plugin as it is delivered.
#[derive(Clone, Debug)]
pub struct Package {
    /// For messages: the embedded id or the folder's name.
    pub name: String,
    /// `manifest.json`
    pub manifest: Cow<'static, [u8]>,
    /// `component.wasm`
    pub component: Cow<'static, [u8]>,
    /// `sql.json`: every SQL text that the plugin may use. Empty: it may use none.
    pub sql: Cow<'static, [u8]>,
    /// How far whoever made it is trusted.
    pub trust: Trust,
}

impl Package {
    /// A package that is part of the binary.
    #[must_use]
    pub fn embedded(
        name: &str,
        manifest: &'static [u8],
        component: &'static [u8],
        sql: &'static [u8],
    ) -> Self {
        Self {
            name: name.to_owned(),
            manifest: manifest.into(),
            component: component.into(),
            sql: sql.into(),
            trust: Trust::Core,
        }
    }

    /// Every package in `folder`: archives `*.stoa`, and sub-folders with `manifest.json`, `component.wasm` and perhaps
    /// `sql.json`, in the order of their names.
    ///
    /// # Errors
    /// The folder cannot be read, or a sub-folder is no package.
    pub fn all_in(folder: &Path) -> Result<Vec<Self>, PluginError> {
        let refuse = |package: &Path, detail: String| PluginError::Package {
            package: package.display().to_string(),
            detail,
        };
        let entries = std::fs::read_dir(folder)
            .map_err(|error| refuse(folder, format!("the folder cannot be read: {error}")))?;
        let is_archive = |path: &Path| path.extension().is_some_and(|end| end == "stoa");
        let mut folders: Vec<_> = entries
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .filter(|path| path.is_dir() || is_archive(path))
            .collect();
        folders.sort();
        let package = |path: &std::path::PathBuf| {
            if is_archive(path) {
                let archive = read_archive(path).map_err(|detail| refuse(path, detail))?;
                return Ok(archive.package(Trust::Local));
            }
            let file = |name: &str, limit: u64| {
                let file = path.join(name);
                let size =
                    std::fs::metadata(&file).map_err(|error| refuse(path, format!("{name}: {error}")))?.len();
                if size > limit {
                    return Err(refuse(path, format!("{name} has {size} bytes; {limit} are allowed")));
                }
                std::fs::read(&file).map_err(|error| refuse(path, format!("{name}: {error}")))
            };
            let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            let sql = match path.join("sql.json").exists() {
                true => file("sql.json", SQL_LIMIT)?,
                false => Vec::new(),
            };
            Ok(Self {
                name,
                manifest: file("manifest.json", MANIFEST_LIMIT)?.into(),
                component: file("component.wasm", COMPONENT_LIMIT)?.into(),
                sql: sql.into(),
                trust: Trust::Local,
            })
        };
        folders.iter().map(package).collect()
    }
}

/// The archive in a file, for a host that may run it.
///
/// # Errors
/// What is wrong with it, naming the file.
fn read_archive(path: &Path) -> Result<Archive, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > LARGEST as u64 {
        return Err(format!("has {size} bytes; {LARGEST} are allowed"));
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let archive = Archive::read(&bytes).map_err(|fault| fault.to_string())?;
    archive.index().runs_here().map_err(|fault| fault.to_string())?;
    Ok(archive)
}

/// The files of a folder that is to be packed: everything below it, by path.
///
/// # Errors
/// A file cannot be read, is no plain file, or does not belong into a package.
pub fn files_of(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, PackageFault> {
    let mut files = BTreeMap::new();
    collect(folder, "", &mut files)?;
    Ok(files)
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Result<(), PackageFault> {
    let failed = |path: &str, error: std::io::Error| PackageFault::new(path, error.to_string());
    let shown = folder.display().to_string();
    for entry in std::fs::read_dir(folder).map_err(|error| failed(&shown, error))? {
        let entry = entry.map_err(|error| failed(&shown, error))?;
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let about = std::fs::symlink_metadata(entry.path()).map_err(|error| failed(&path, error))?;
        if about.is_dir() && matches!(path.as_str(), "locales" | "docs") {
            collect(&entry.path(), &format!("{path}/"), files)?;
            continue;
        }
        if !about.is_file() {
            return Err(PackageFault::new(&path, "is no plain file"));
        }
        if about.len() > COMPONENT_LIMIT {
            return Err(PackageFault::new(
                &path,
                format!("has {} bytes; {COMPONENT_LIMIT} are allowed", about.len()),
            ));
        }
        files.insert(path.clone(), std::fs::read(entry.path()).map_err(|error| failed(&path, error))?);
    }
    Ok(())
}
