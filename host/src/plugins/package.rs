//! Packages: a manifest, a component and its SQL texts, from the binary itself or from a folder.

use std::borrow::Cow;
use std::path::Path;

use super::error::PluginError;

/// Largest component that is read.
const COMPONENT_LIMIT: u64 = 8 << 20;
/// Largest manifest that is read.
const MANIFEST_LIMIT: u64 = 1 << 20;
/// Largest list of SQL texts that is read.
const SQL_LIMIT: u64 = 1 << 20;

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
        }
    }

    /// Every package in `folder`: sub-folders with `manifest.json`, `component.wasm` and perhaps `sql.json`, in the order of
    /// their names.
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
        let mut folders: Vec<_> =
            entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        folders.sort();
        let package = |path: &std::path::PathBuf| {
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
            })
        };
        folders.iter().map(package).collect()
    }
}
