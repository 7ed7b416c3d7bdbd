//! `cargo xtask test`: everything that the tests need, then the tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use stoa_testkit::Setup;

use crate::arguments::Arguments;
use crate::components::{self, cargo_has};
use crate::fault::Fault;
use crate::host::{self, Profile};
use crate::workspace::{Workspace, run, say};

pub(crate) const HELP: &str = "\
cargo xtask test [FILTER...]

  1. builds the plugins, the host with the plugins inside (debug), the examples of plugins/examples and the misbehaving
     guests of tests/guests;
  2. starts the host once, so that the stories begin with compiled components (<target>/stories-seed);
  3. runs the documentation tests of the SDK;
  4. runs `cargo nextest run --workspace` when cargo-nextest is installed, else `cargo test --workspace`.

With a FILTER only the tests whose names contain it run, without the documentation tests.
The stories find the host in STOA_BIN and the guests in STOA_GUESTS. The tutorial's story needs the real extract in
../shared/data (or in the folder named by STOA_DATA_SETS) and says when it skips.
";

pub(crate) fn command(workspace: &Workspace, arguments: Arguments) -> Result<(), Fault> {
    run(&mut tests(workspace, &arguments.rest())?)
}

/// The command that runs the tests whose names contain one of `filter`, after everything that they need was made.
pub(crate) fn tests(workspace: &Workspace, filter: &[String]) -> Result<Command, Fault> {
    let binary = host::build(workspace, Profile::Dev)?;
    let guests = components::guests(workspace)?;
    let seed = seed(workspace, &binary)?;
    let nextest = cargo_has(workspace, "nextest");
    if filter.is_empty() && nextest {
        run(workspace.cargo().args(["test", "--doc", "--package", "stoa-sdk", "--package", "stoa-testkit"]))?;
    }
    let mut tests = workspace.cargo();
    if nextest {
        tests.args(["nextest", "run", "--workspace"]);
    } else {
        say("cargo-nextest is not installed: plain cargo test runs the tests");
        tests.args(["test", "--workspace"]);
    }
    tests.args(filter).env("STOA_BIN", &binary).env("STOA_TEST_SEED", seed);
    tests.env("STOA_GUESTS", guests);
    Ok(tests)
}

/// A data folder as a first start leaves it: the components are compiled, no organization exists.
///
/// Compiling them takes a debug build seconds; sixty stories need not pay for it sixty times.
fn seed(workspace: &Workspace, binary: &Path) -> Result<PathBuf, Fault> {
    let seed = workspace.target.join("stories-seed");
    if changed(&seed).is_some_and(|made| changed(binary).is_some_and(|built| built <= made)) {
        return Ok(seed);
    }
    say(format_args!("preparing {}", seed.display()));
    if seed.exists() {
        fs::remove_dir_all(&seed).map_err(Fault::at(seed.display()))?;
    }
    let mut host = Setup::default().binary(binary).fresh().start();
    host.stop();
    host.save(&seed).map_err(Fault::at(seed.display()))?;
    Ok(seed)
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|found| found.modified()).ok()
}
