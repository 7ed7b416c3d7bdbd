//! `cargo xtask build`: the plugins, and the binary with the plugins inside.

use std::path::PathBuf;

use crate::arguments::Arguments;
use crate::components;
use crate::fault::Fault;
use crate::workspace::{Workspace, run, say};

pub(crate) const HELP: &str = "\
cargo xtask build [--release]

  1. adds the Rust target wasm32-wasip2 when rustup does not have it;
  2. builds plugins/* to WebAssembly components and lays them out in <target>/plugins/<id>/;
  3. builds the binary `stoa` with these packages embedded.

The binary is <target>/release/stoa (or <target>/debug/stoa): one file, no other parts.
A plain `cargo build` also works and builds a host without plugins: give them with `stoa serve --plugins DIR`.
";

/// How the host is compiled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Profile {
    /// For tests.
    Dev,
    /// For use and for measuring.
    Release,
}

pub(crate) fn command(workspace: &Workspace, mut arguments: Arguments) -> Result<(), Fault> {
    let profile = if arguments.flag("--release") { Profile::Release } else { Profile::Dev };
    arguments.done()?;
    let binary = build(workspace, profile)?;
    say(format_args!("built {}", binary.display()));
    Ok(())
}

/// Builds plugins and host; gives the binary.
pub(crate) fn build(workspace: &Workspace, profile: Profile) -> Result<PathBuf, Fault> {
    components::first_party(workspace)?;
    let mut build = workspace.cargo();
    build.args(["build", "--package", "stoa", "--bin", "stoa"]);
    if profile == Profile::Release {
        build.arg("--release");
    }
    run(&mut build)?;
    let folder = if profile == Profile::Release { "release" } else { "debug" };
    Ok(workspace.target.join(folder).join("stoa"))
}
