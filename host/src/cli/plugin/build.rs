//! `stoa plugin build`: an author's project to a folder that can be packed or given to `stoa serve --plugins`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::cargo::Project;
use super::{Scratch, refused};
use crate::cli::arguments::BuildProject;
use crate::cli::{CliError, output};
use crate::plugins::{Maker, files_of};

const MANIFEST: &str = "manifest.json";

/// The files of a package, where they lie.
pub(super) struct Built {
    /// The plugin's id.
    pub id: String,
    /// The folder, called like the plugin.
    pub folder: PathBuf,
    /// What is in it.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Whether the project's own copy of the manifest was another one.
    changed: bool,
}

pub(super) fn run(options: &BuildProject) -> Result<ExitCode, CliError> {
    let scratch = Scratch::new()?;
    let built = build(&Project::find(&options.folder)?, &scratch.maker()?)?;
    if options.json {
        output::json(
            &json!({ "plugin": built.id, "folder": built.folder, "manifest_changed": built.changed }),
        );
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = format!("Built {} in {}", built.id, built.folder.display());
    if built.changed {
        text.push_str(
            "\nmanifest.json was written anew: check it in, so that a review sees what the plugin asks for",
        );
    }
    output::say(&text);
    Ok(ExitCode::SUCCESS)
}

/// Compiles the project and lays its package out. The manifest is also written beside `Cargo.toml`, where it is checked in.
pub(super) fn build(project: &Project, maker: &Maker) -> Result<Built, CliError> {
    let mut files = maker.assemble(project.compile()?).map_err(refused)?;
    let manifest = files.get(MANIFEST).cloned().unwrap_or_default();
    let stated: Value = serde_json::from_slice(&manifest).map_err(CliError::Answer)?;
    let id = stated.get("id").and_then(Value::as_str).filter(|id| crate::plugins::is_plugin_id(id));
    let id =
        id.ok_or_else(|| CliError::Author("the manifest's id is not one that a plugin can have".into()))?;
    beside(project, &mut files)?;
    let folder = project.packages.join(id);
    lay_out(&folder, &files).map_err(|error| CliError::File(folder.clone(), error))?;
    let own = project.folder.join(MANIFEST);
    let changed = std::fs::read(&own).ok().as_ref() != Some(&manifest);
    if changed {
        std::fs::write(&own, &manifest).map_err(|error| CliError::File(own.clone(), error))?;
    }
    Ok(Built { id: id.to_owned(), folder, files, changed })
}

/// The files of a package: of a project, built now, or of a folder that holds them.
pub(super) fn files(folder: &Path, maker: &Maker) -> Result<BTreeMap<String, Vec<u8>>, CliError> {
    if folder.join("Cargo.toml").is_file() {
        return Ok(build(&Project::find(folder)?, maker)?.files);
    }
    files_of(folder).map_err(refused)
}

/// What the author wrote for the package and the component does not carry: the schema of settings, texts, documents.
fn beside(project: &Project, files: &mut BTreeMap<String, Vec<u8>>) -> Result<(), CliError> {
    let mut add = |path: String, file: &Path| {
        let bytes = std::fs::read(file).map_err(|error| CliError::File(file.to_owned(), error))?;
        files.insert(path, bytes);
        Ok::<(), CliError>(())
    };
    let schema = project.folder.join("settings.schema.json");
    if schema.is_file() {
        add("settings.schema.json".to_owned(), &schema)?;
    }
    for name in ["locales", "docs"] {
        let entries = std::fs::read_dir(project.folder.join(name)).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.path().is_file()) {
            add(format!("{name}/{}", entry.file_name().to_string_lossy()), &entry.path())?;
        }
    }
    Ok(())
}

/// The folder has exactly these files afterwards.
pub(super) fn lay_out(folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> std::io::Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    for (path, bytes) in files {
        let file = folder.join(path);
        std::fs::create_dir_all(file.parent().unwrap_or(folder))?;
        std::fs::write(&file, bytes)?;
    }
    Ok(())
}
