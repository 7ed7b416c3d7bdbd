//! Packages of the npm registry, for programs that stories drive and for plugins that are not Rust: installed once for each
//! version of a lock file. Tests are processes of their own, so a file is the lock between them.

use std::fs::{self, File};
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

const LOCK: &str = "package-lock.json";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Copies `files` from `from` to `target/{name}`, and installs there what the lock file names.
///
/// # Errors
/// When a file cannot be copied, or npm is missing or does not succeed.
pub fn installed(from: &Path, name: &str, files: &[&str]) -> Result<PathBuf> {
    let here = root().join("target").join(name);
    fs::create_dir_all(&here)?;
    let alone = File::create(here.join("alone"))?;
    alone.lock()?;
    let wanted = fs::read(from.join(LOCK))?;
    for file in ["package.json", LOCK].iter().chain(files) {
        if let Some(folder) = here.join(file).parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(from.join(file), here.join(file))?;
    }
    let done = here.join("node_modules").join("installed");
    if fs::read(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(here);
    }
    let arguments = ["ci", "--no-audit", "--no-fund", "--ignore-scripts"];
    succeeds(Command::new("npm").args(arguments).current_dir(&here))?;
    fs::write(done, wanted)?;
    Ok(here)
}

fn succeeds(command: &mut Command) -> Result<()> {
    let output =
        command.output().map_err(|error| Error::other(format!("Node 20 or later is needed: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::other(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))))
}

/// The folder with the package of `plugins/examples/iban`, built by its own `build.mjs` from the contract as it was published
/// when any of its files changed.
///
/// # Errors
/// When it does not build.
pub fn iban() -> Result<PathBuf> {
    let from = root().join("plugins/examples/iban");
    let mut files = Vec::new();
    list(&from, "", &mut files)?;
    files.sort();
    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    let here = installed(&from, "iban", &names)?;
    let alone = File::create(here.join("building"))?;
    alone.lock()?;
    let mut sources = Vec::new();
    for name in names {
        sources.extend(fs::read(from.join(name))?);
    }
    let (packages, built) = (here.join("packages"), here.join("built"));
    if fs::read(&built).is_ok_and(|before| before == sources) {
        return Ok(packages);
    }
    let contract = fs::canonicalize(root().join("sdk/wit/published/1.0.0"))?;
    let mut build = Command::new("node");
    build.arg("build.mjs").arg(contract).arg("packages/iban").current_dir(&here);
    succeeds(&mut build)?;
    fs::write(built, sources)?;
    Ok(packages)
}

/// Every file below a folder but those that npm and the build leave there.
fn list(folder: &Path, below: &str, found: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(folder.join(below))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        if entry.file_type()?.is_file() {
            found.push(path);
        } else if !["node_modules", "package"].contains(&name.as_str()) {
            list(folder, &path, found)?;
        }
    }
    Ok(())
}
