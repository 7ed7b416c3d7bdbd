//! The command line: `serve` runs a host, every other command asks one.
//!
//! A host holds the lock of its data folder. A command speaks the operator's API over the folder's socket; when nobody
//! holds the lock it becomes the host for as long as it takes (`host.rs`), so that commands work either way.
//!
//! Reading order: `arguments.rs`, `host.rs`, `client.rs`, then one file per command.

mod arguments;
mod client;
mod commands;
mod demo;
mod doctor;
mod error;
mod folder;
mod host;
mod import;
mod output;
mod plugin;
mod serve;

use std::process::ExitCode;

use clap::Parser;

use crate::plugins::worker;

use self::arguments::{AdminCommand, Arguments, Command, KeyCommand, OrgCommand};
pub use self::error::CliError;

/// Runs the command of this process.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Command::Worker(child) = &arguments.command {
        return worker::serve(&child.job, child.memory, child.cpu);
    }
    output::log_to_stderr(matches!(arguments.command, Command::Serve(_)));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output::fail(&CliError::Io("the runtime cannot start", error)),
    };
    let outcome = runtime.block_on(run(arguments.command));
    // Work on blocking threads that nobody waits for must not keep the process.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => code,
        Err(error) => output::fail(&error),
    }
}

async fn run(command: Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Serve(options) => serve::run(options).await,
        Command::Org(OrgCommand::Create(options)) => commands::create_organization(options).await,
        Command::Org(OrgCommand::List(options)) => commands::list_organizations(options).await,
        Command::License(options) => commands::license(options).await,
        Command::ApiKey(KeyCommand::Create(options)) => commands::create_api_key(options).await,
        Command::Import(options) => import::run(options).await,
        Command::Admin(AdminCommand::ClaimCode(options)) => commands::claim_code(options).await,
        Command::Plugin(command) => plugin::run(command).await,
        Command::Doctor(options) => doctor::run(options).await,
        Command::Worker(child) => Ok(worker::serve(&child.job, child.memory, child.cpu)),
    }
}
