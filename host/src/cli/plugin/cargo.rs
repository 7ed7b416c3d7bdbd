//! The author's compiler: cargo, on the author's own machine and for the author's own folder. It is never started by a host
//! that serves, and nothing is installed: what is missing is said, with the command that brings it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::cli::CliError;

/// What a plugin is compiled for.
const TRIPLE: &str = "wasm32-wasip2";

/// The Rust package of a plugin.
pub(super) struct Project {
    /// The folder with `Cargo.toml`.
    pub folder: PathBuf,
    /// The component's file.
    component: PathBuf,
    /// Where packages are made: in cargo's target folder, which version control ignores.
    pub packages: PathBuf,
}

impl Project {
    /// The project in this folder, as cargo knows it.
    pub(super) fn find(folder: &Path) -> Result<Self, CliError> {
        let failed = |error| CliError::File(folder.join("Cargo.toml"), error);
        let folder = std::fs::canonicalize(folder).map_err(failed)?;
        let mut command = cargo();
        command.args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(&folder);
        let output = command.output().map_err(no_cargo)?;
        if !output.status.success() {
            return Err(CliError::Author(format!(
                "cargo cannot read {}: {}",
                folder.join("Cargo.toml").display(),
                String::from_utf8_lossy(&output.stderr).trim()
            )));
        }
        let about: Value = serde_json::from_slice(&output.stdout).map_err(CliError::Answer)?;
        let library = library(&about, &folder).ok_or_else(|| {
            CliError::Author(format!(
                "{} is no plugin: its Cargo.toml needs `[lib] crate-type = [\"cdylib\", \"rlib\"]`; `stoa plugin new` \
                 writes one",
                folder.display()
            ))
        })?;
        let target = about.get("target_directory").and_then(Value::as_str).map(PathBuf::from);
        let target = target.unwrap_or_else(|| folder.join("target"));
        let component =
            target.join(TRIPLE).join("release").join(format!("{}.wasm", library.replace('-', "_")));
        Ok(Self { component, packages: target.join("stoa"), folder })
    }

    /// Compiles the component; what the compiler says goes where this process's errors go.
    pub(super) fn compile(&self) -> Result<Vec<u8>, CliError> {
        self.ensure_target()?;
        self.run(&["build", "--release", "--lib", "--target", TRIPLE], &[])?;
        std::fs::read(&self.component).map_err(|error| CliError::File(self.component.clone(), error))
    }

    /// Runs the author's own tests.
    pub(super) fn test(&self) -> Result<(), CliError> {
        // Tests that start a host with `stoa-testkit` get this binary, and the package that was just built.
        let host = std::env::current_exe().unwrap_or_else(|_| "stoa".into());
        self.run(&["test", "--quiet"], &[("STOA_BIN", &host), ("STOA_PLUGINS", &self.packages)])
    }

    fn run(&self, words: &[&str], variables: &[(&str, &Path)]) -> Result<(), CliError> {
        let mut command = cargo();
        command.args(words).envs(variables.iter().copied()).current_dir(&self.folder);
        // Standard output is this command's own answer.
        let status = command.stdout(std::io::stderr()).status().map_err(no_cargo)?;
        let failed = || CliError::Author(format!("`cargo {}` did not succeed", words.join(" ")));
        status.success().then_some(()).ok_or_else(failed)
    }

    /// Says what to do when the standard library for components is not there.
    fn ensure_target(&self) -> Result<(), CliError> {
        let mut rustc = Command::new(program("RUSTC", "rustc"));
        rustc.args(["--print", "target-libdir", "--target", TRIPLE]).current_dir(&self.folder);
        // Who compiles in another way hears from cargo what is missing.
        let Ok(output) = rustc.output() else { return Ok(()) };
        let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if output.status.success() && !Path::new(&folder).is_dir() {
            return Err(CliError::Author(format!(
                "the Rust target {TRIPLE} is missing: run `rustup target add {TRIPLE}`"
            )));
        }
        Ok(())
    }
}

/// The name of the library that becomes the component.
fn library(about: &Value, folder: &Path) -> Option<String> {
    let manifest = folder.join("Cargo.toml");
    let packages = about.get("packages")?.as_array()?;
    let here = |package: &&Value| {
        package.get("manifest_path").and_then(Value::as_str).is_some_and(|path| Path::new(path) == manifest)
    };
    let targets = packages.iter().find(here)?.get("targets")?.as_array()?;
    let is_component = |target: &&Value| {
        let kinds = target.get("crate_types").and_then(Value::as_array);
        kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind == "cdylib"))
    };
    targets.iter().find(is_component)?.get("name")?.as_str().map(str::to_owned)
}

fn cargo() -> Command {
    Command::new(program("CARGO", "cargo"))
}

/// The program that the environment names, else the one on the path.
fn program(variable: &str, name: &str) -> OsString {
    std::env::var_os(variable).unwrap_or_else(|| name.into())
}

fn no_cargo(error: std::io::Error) -> CliError {
    CliError::Io("cargo cannot be started: plugins in Rust need it, see https://rustup.rs", error)
}
