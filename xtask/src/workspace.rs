//! Where things are, and how cargo is run so that every command builds the same host.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::fault::Fault;

/// The repository and cargo's target folder.
pub(crate) struct Workspace {
    /// The folder of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Cargo's own answer, so `CARGO_TARGET_DIR` and cargo's configuration count.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn find() -> Result<Self, Fault> {
        let here = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = here.parent().map_or_else(|| PathBuf::from("."), Path::to_owned);
        let found = metadata(&root.join("Cargo.toml"))?;
        let target =
            found["target_directory"].as_str().ok_or_else(|| Fault::new("cargo names no target folder"))?;
        Ok(Self { target: PathBuf::from(target), root })
    }

    /// Where the packages are that a host build embeds.
    pub(crate) fn packages(&self) -> PathBuf {
        self.target.join("plugins")
    }

    /// Cargo in the root folder. Every build of the host gets the same packages, so none invalidates another.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(cargo());
        command.current_dir(&self.root).env("STOA_EMBED_PLUGINS", self.packages());
        command
    }
}

/// The cargo that runs this program, else the one on the path.
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// What cargo says about the workspace of a manifest, without its dependencies.
pub(crate) fn metadata(manifest: &Path) -> Result<Value, Fault> {
    let mut command = Command::new(cargo());
    command.args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]).arg(manifest);
    let output = command.output().map_err(Fault::at("cargo metadata"))?;
    if !output.status.success() {
        return Err(Fault::new(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr))));
    }
    serde_json::from_slice(&output.stdout).map_err(Fault::at("cargo metadata"))
}

/// Says what is done next.
pub(crate) fn say(text: impl std::fmt::Display) {
    eprintln!("xtask: {text}");
}

/// Runs a command to its end, after saying it.
pub(crate) fn run(command: &mut Command) -> Result<(), Fault> {
    let words = shown(command);
    say(&words);
    let status = command.status().map_err(Fault::at(&words))?;
    if status.success() { Ok(()) } else { Err(Fault::new(format!("{words}: {status}"))) }
}

/// Whether a program is there and answers.
pub(crate) fn answers(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let mut words = vec![program.to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}
