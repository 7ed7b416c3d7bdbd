//! Plugins to WebAssembly: build them, and lay them out as packages that a host embeds or loads.
//!
//! A package is a folder `<id>/` with `component.wasm`, `manifest.json` and `sql.json`, the SQL texts that the SDK's `sql!`
//! wrote into the component: the only ones that a host runs. A file is only written when its bytes differ:
//! the host embeds the packages, and an untouched file means that it is not rebuilt.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::fault::Fault;
use crate::sql_section;
use crate::workspace::{Workspace, answers, metadata, run, say};

const TRIPLE: &str = "wasm32-wasip2";
/// The guest that behaves: the museum keeps it, `museum.rs`.
const EXHIBIT: &str = "exhibit";
/// The guest that is measured: `bench/plugins.rs`.
const MEASURED: &str = "measured";

/// Builds the first-party plugins and lays them out in the folder that the host embeds.
pub(crate) fn first_party(workspace: &Workspace) -> Result<(), Fault> {
    let (shipped, _) = members(workspace)?;
    if shipped.is_empty() {
        return Err(Fault::new("no plugin under plugins/ has a manifest.json"));
    }
    lay_out(&build_members(workspace, shipped)?, &workspace.packages())
}

/// Builds what only tests load, the examples and the misbehaving guests of the test tree, and gives the folder of their
/// packages.
pub(crate) fn guests(workspace: &Workspace) -> Result<PathBuf, Fault> {
    let (_, examples) = members(workspace)?;
    let mut built = build_members(workspace, examples)?;
    built.extend(misbehaving(workspace)?);
    let packages = workspace.target.join("guest-packages");
    fs::create_dir_all(&packages).map_err(Fault::at(packages.display()))?;
    lay_out(&built, &packages)?;
    Ok(packages)
}

/// The plugins of the workspace: those that are embedded, and the examples, which are not.
fn members(workspace: &Workspace) -> Result<(Vec<Plugin>, Vec<Plugin>), Fault> {
    let folder = workspace.root.join("plugins");
    let plugins = found(&workspace.root.join("Cargo.toml"))?.into_iter();
    let plugins = plugins.filter(|plugin| plugin.folder.starts_with(&folder));
    Ok(plugins.partition(|plugin| !plugin.folder.starts_with(folder.join("examples"))))
}

/// Builds plugins of the workspace.
fn build_members(workspace: &Workspace, plugins: Vec<Plugin>) -> Result<Vec<Built>, Fault> {
    if plugins.is_empty() {
        return Ok(Vec::new());
    }
    ensure_target(&workspace.root)?;
    let mut build = workspace.cargo();
    build.args(["build", "--profile", "component", "--target", TRIPLE]);
    for plugin in &plugins {
        build.args(["-p", &plugin.package]);
    }
    run(&mut build)?;
    Ok(in_folder(plugins, &workspace.target.join(TRIPLE).join("component")))
}

/// Builds the guests that misbehave, when there are any.
fn misbehaving(workspace: &Workspace) -> Result<Vec<Built>, Fault> {
    let manifest = workspace.root.join("tests/guests/Cargo.toml");
    if !manifest.exists() {
        return Ok(Vec::new());
    }
    let mut plugins = found(&manifest)?;
    plugins.retain(|plugin| ![EXHIBIT, MEASURED].contains(&&*plugin.package));
    let target = workspace.target.join("guests");
    ensure_target(&workspace.root)?;
    let mut build = workspace.cargo();
    build.args(["build", "--release", "--target", TRIPLE, "--manifest-path"]).arg(&manifest);
    build.arg("--target-dir").arg(&target);
    for plugin in &plugins {
        build.args(["-p", &plugin.package]);
    }
    run(&mut build)?;
    Ok(in_folder(plugins, &target.join(TRIPLE).join("release")))
}

/// Builds what the museum shows with the SDK as it is now, and lays it out in `room`.
pub(crate) fn exhibit(workspace: &Workspace, room: &Path) -> Result<(), Fault> {
    // What is kept tells nothing of the machine that made it.
    let home = std::env::var("HOME").unwrap_or_default();
    let root = workspace.root.display();
    let flags = format!("--remap-path-prefix={root}=stoa --remap-path-prefix={home}=home");
    lay_out(&guest(workspace, EXHIBIT, "museum", &[("RUSTFLAGS", &flags)])?, room)
}

/// Builds what is measured, and lays it out in `room`.
pub(crate) fn measured(workspace: &Workspace, room: &Path) -> Result<(), Fault> {
    lay_out(&guest(workspace, MEASURED, "component", &[])?, room)
}

/// Builds one guest of the test tree with this profile.
fn guest(
    workspace: &Workspace,
    package: &str,
    profile: &str,
    environment: &[(&str, &str)],
) -> Result<Vec<Built>, Fault> {
    let manifest = workspace.root.join("tests/guests/Cargo.toml");
    let mut plugins = found(&manifest)?;
    plugins.retain(|plugin| plugin.package == package);
    let target = workspace.target.join("guests");
    ensure_target(&workspace.root)?;
    let mut build = workspace.cargo();
    build.args(["build", "--profile", profile, "--target", TRIPLE, "-p", package, "--manifest-path"]);
    build.envs(environment.iter().copied());
    run(build.arg(&manifest).arg("--target-dir").arg(&target))?;
    Ok(in_folder(plugins, &target.join(TRIPLE).join(profile)))
}

struct Plugin {
    package: String,
    file: String,
    folder: PathBuf,
}

/// A plugin and its component.
struct Built {
    plugin: Plugin,
    component: PathBuf,
}

fn in_folder(plugins: Vec<Plugin>, folder: &Path) -> Vec<Built> {
    let built = |plugin: Plugin| Built { component: folder.join(&plugin.file), plugin };
    plugins.into_iter().map(built).collect()
}

/// The packages of a workspace that are plugins: a `cdylib` with a `manifest.json` beside its `Cargo.toml`.
fn found(manifest: &Path) -> Result<Vec<Plugin>, Fault> {
    let described = metadata(manifest)?;
    let packages = described["packages"].as_array().into_iter().flatten();
    Ok(packages.filter_map(plugin).collect())
}

fn plugin(package: &Value) -> Option<Plugin> {
    let folder = Path::new(package["manifest_path"].as_str()?).parent()?.to_owned();
    let library = package["targets"].as_array()?.iter().find(|target| {
        target["crate_types"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "cdylib"))
    })?;
    let file = format!("{}.wasm", library["name"].as_str()?.replace('-', "_"));
    let package = package["name"].as_str()?.to_owned();
    folder.join("manifest.json").exists().then_some(Plugin { package, file, folder })
}

fn lay_out(built: &[Built], packages: &Path) -> Result<(), Fault> {
    let mut ids = BTreeSet::new();
    for Built { plugin, component } in built {
        let manifest = plugin.folder.join("manifest.json");
        let text = fs::read_to_string(&manifest).map_err(Fault::at(manifest.display()))?;
        let parsed: Value = serde_json::from_str(&text).map_err(Fault::at(manifest.display()))?;
        let id = parsed["id"].as_str().ok_or_else(|| Fault::new(format!("{}: no id", manifest.display())))?;
        let folder = packages.join(id);
        fs::create_dir_all(&folder).map_err(Fault::at(folder.display()))?;
        let binary = fs::read(component).map_err(Fault::at(component.display()))?;
        let texts = sql_section::texts(&binary).ok_or_else(|| {
            Fault::new(format!("{}: its section of SQL texts is torn", component.display()))
        })?;
        write_when_different(&binary, &folder.join("component.wasm"))?;
        write_when_different(text.as_bytes(), &folder.join("manifest.json"))?;
        write_when_different(&catalogue(&texts)?, &folder.join("sql.json"))?;
        ids.insert(id.to_owned());
    }
    remove_others(packages, &ids)
}

/// `sql.json` as a file.
fn catalogue(texts: &BTreeSet<String>) -> Result<Vec<u8>, Fault> {
    let mut bytes = serde_json::to_vec_pretty(&sql_section::listing(texts)).map_err(Fault::at("sql.json"))?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn write_when_different(bytes: &[u8], to: &Path) -> Result<(), Fault> {
    if fs::read(to).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    say(format_args!("packaging {}", to.display()));
    fs::write(to, bytes).map_err(Fault::at(to.display()))
}

/// A plugin that was renamed or removed must not stay in the host.
fn remove_others(packages: &Path, ids: &BTreeSet<String>) -> Result<(), Fault> {
    for entry in fs::read_dir(packages).map_err(Fault::at(packages.display()))?.flatten() {
        if entry.path().is_dir() && !entry.file_name().to_str().is_some_and(|name| ids.contains(name)) {
            say(format_args!("removing {}", entry.path().display()));
            fs::remove_dir_all(entry.path()).map_err(Fault::at(entry.path().display()))?;
        }
    }
    Ok(())
}

/// Adds the compilation target when rustup manages the toolchain and does not have it.
fn ensure_target(root: &Path) -> Result<(), Fault> {
    let mut list = Command::new("rustup");
    list.args(["target", "list", "--installed"]).current_dir(root);
    let Ok(output) = list.output() else {
        // Another kind of installation: it has the target or cargo will say so.
        return Ok(());
    };
    if String::from_utf8_lossy(&output.stdout).lines().any(|line| line.trim() == TRIPLE) {
        return Ok(());
    }
    say(format_args!("the Rust target {TRIPLE} is missing: adding it"));
    run(Command::new("rustup").args(["target", "add", TRIPLE]).current_dir(root))
}

/// Whether a cargo subcommand is installed.
pub(crate) fn cargo_has(workspace: &Workspace, subcommand: &str) -> bool {
    answers(workspace.cargo().args([OsStr::new(subcommand), OsStr::new("--version")]))
}
