//! `cargo xtask check`: what must hold before the tests are worth running.

use crate::arguments::Arguments;
use crate::components::{self, cargo_has};
use crate::fault::Fault;
use crate::workspace::{Workspace, run, say};

pub(crate) const HELP: &str = "\
cargo xtask check

  1. cargo fmt --check, in the workspace and in tests/guests;
  2. cargo clippy --workspace --all-targets, every warning an error;
  3. cargo deny check (licences, advisories, sources of the dependencies), when cargo-deny is installed.

The plugins are built first, so that the host is compiled here as it is everywhere else.
";

pub(crate) fn command(workspace: &Workspace, arguments: Arguments) -> Result<(), Fault> {
    arguments.done()?;
    run(workspace.cargo().args(["fmt", "--all", "--check"]))?;
    let guests = workspace.root.join("tests/guests/Cargo.toml");
    if guests.exists() {
        run(workspace.cargo().args(["fmt", "--all", "--check", "--manifest-path"]).arg(guests))?;
    }
    components::first_party(workspace)?;
    run(workspace.cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    if cargo_has(workspace, "deny") {
        run(workspace.cargo().args(["deny", "check"]))
    } else {
        say("cargo-deny is not installed: dependencies are not checked (cargo install cargo-deny)");
        Ok(())
    }
}
