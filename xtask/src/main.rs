//! Everything that is done to this repository: `cargo xtask <command>`.
//!
//! Reading order: `workspace.rs` (where things are, running cargo), `components.rs` (plugins to WebAssembly), `host.rs` (the
//! binary), then one file per command.
#![expect(clippy::indexing_slicing, reason = "indexing a JSON value gives null and does not panic")]

mod arguments;
mod bench;
mod check;
mod components;
mod fault;
mod host;
mod museum;
mod prove;
mod serve;
// The host's own file: one reader of the section for both.
#[path = "../../host/src/plugins/sql/section.rs"]
mod sql_section;
mod suite;
mod workspace;

use std::process::ExitCode;

use arguments::Arguments;
use fault::Fault;
use workspace::Workspace;

type Action = fn(&Workspace, Arguments) -> Result<(), Fault>;

const HELP: &str = "\
cargo xtask <command>: everything that is done to this repository

  serve  [--demo] [...]      build the release binary and run it: the fastest way to see Stoa
  test   [FILTER]            build what the tests need and run them all
  build  [--release]         build the plugins and the binary with the plugins inside
  check                      formatting, lints, licences and advisories of the dependencies
  bench  [requests|writes|import|records]  measure, beside a FastAPI server doing the same work
  museum                     keep components of a newly published contract, for every later host to run
  prove  [kill|strangers]    long runs: kill -9 with exact counts, requests made at random

`cargo xtask <command> --help` says what a command does, step by step.
The target folder is cargo's own: CARGO_TARGET_DIR is honoured everywhere.
";

fn main() -> ExitCode {
    let mut arguments = Arguments::from_env();
    let command = arguments.word();
    match run(command.as_deref(), arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("xtask: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Option<&str>, mut arguments: Arguments) -> Result<(), Fault> {
    let (help, action): (&str, Action) = match command {
        None | Some("help" | "--help" | "-h") => {
            print!("{HELP}");
            return Ok(());
        }
        Some("build") => (host::HELP, host::command),
        Some("serve") => (serve::HELP, serve::command),
        Some("test") => (suite::HELP, suite::command),
        Some("check") => (check::HELP, check::command),
        Some("bench") => (bench::HELP, bench::command),
        Some("museum") => (museum::HELP, museum::command),
        Some("prove") => (prove::HELP, prove::command),
        Some(other) => return Err(Fault::new(format!("`{other}` is no command\n\n{HELP}"))),
    };
    if arguments.flag("--help") || arguments.flag("-h") {
        print!("{help}");
        return Ok(());
    }
    action(&Workspace::find()?, arguments)
}
