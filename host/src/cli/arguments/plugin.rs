//! What can be said to `stoa plugin`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Serve;
use super::catalogue::CatalogueCommand;
use super::installations::InstallationCommand;

/// What is done with packages.
#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "one of them for each process")]
pub(in crate::cli) enum PluginCommand {
    /// Begin a plugin: a project that compiles
    New(NewProject),
    /// Compile a project, and lay its package out as a folder
    Build(BuildProject),
    /// Run a host with a demo organization that follows the changes of a project
    Dev(DevProject),
    /// Test a plugin: its own tests, and what every plugin must pass on a real host
    Test(TestProject),
    /// Run a host for tests, on a clock that standard input moves
    #[command(hide = true)]
    Stage(StageHost),
    /// Make a publisher's key
    Keygen(KeyGen),
    /// Make a package of a project or a folder
    Pack(PackFolder),
    /// Sign a package
    Sign(SignPackage),
    /// Say everything that a host would say against a package
    Check(CheckPackage),
    #[command(flatten)]
    Catalogue(CatalogueCommand),
    #[command(flatten)]
    Installation(InstallationCommand),
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  stoa plugin new notes
  stoa plugin new field_visits --dir plugins/visits --sdk ../stoa/sdk

The project begins as the plugin on the front page of the SDK. Nothing that is there is overwritten.")]
pub(in crate::cli) struct NewProject {
    /// The plugin's id: a-z, 0-9 and _, beginning with a letter
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Where to write it [default: ./NAME]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// The SDK in a folder, instead of the published `stoa-sdk` of this version
    #[arg(long, value_name = "DIR")]
    pub sdk: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:
  stoa plugin build notes

Runs cargo for wasm32-wasip2, asks the component for its manifest and lists its SQL texts. The package folder is
target/stoa/ID: give target/stoa to `stoa serve --plugins`.")]
pub(in crate::cli) struct BuildProject {
    /// The project's folder
    #[arg(value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:
  stoa plugin dev notes

Builds the project, starts a host with the organization `demo`, prints address, password and key, and swaps the plugin whenever a file
changes. What does not build or would be refused is told, and the version before keeps running. The organization stays between starts; delete
the data folder to begin anew. For development only: it listens on this machine unless told otherwise.")]
pub(in crate::cli) struct DevProject {
    /// The project's folder
    #[arg(value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
    /// Where the API is
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR")]
    pub listen: SocketAddr,
    /// The folder that holds everything of the host [default: stoa-dev/data in cargo's target folder]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:
  stoa plugin test notes
  stoa plugin test notes --from notes-1.0.0.stoa

Builds the project, runs `cargo test`, and then asks the real host in a temporary folder, on a clock that only the test moves: every entity
over REST, rights, unknown input, search, a thousand rows at once, erasure, two organizations side by side, an upgrade and a
roll-back. Values come from the
examples of the API document; where rules of the plugin want others, tests/examples.json says them: {\"notes.note\": {\"text\": \"…\"}}.
One line for each check, then what calls used of their limits. Ends with 1 when a check failed.")]
pub(in crate::cli) struct TestProject {
    /// The project's folder, or one with the files of a package
    #[arg(value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
    /// An earlier version that is upgraded from, a .stoa or a folder [default: this one with an optional field less]
    #[arg(long, value_name = "PACKAGE")]
    pub from: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What `stoa-testkit` starts.
#[derive(Args, Debug)]
pub(in crate::cli) struct StageHost {
    #[command(flatten)]
    pub serve: Serve,
    /// The instant at which the clock stands, in milliseconds since 1970
    #[arg(long, value_name = "MILLIS")]
    pub at: i64,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:
  stoa plugin keygen acme.key

The file is for its user alone and is never overwritten. Whoever has it can publish in your name: keep it off the machines that run
hosts, and give only the public key away.")]
pub(in crate::cli) struct KeyGen {
    /// Where to write the private key
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  stoa plugin pack notes --publisher 'Acme Inc.'
  stoa plugin pack notes --publisher 'Acme Inc.' --key acme.key

A project (a folder with Cargo.toml) is built first. Any other folder holds manifest.json and component.wasm, and may hold
sql.json, settings.schema.json, locales/ and docs/; anything else is refused. The same files make the same bytes.")]
pub(in crate::cli) struct PackFolder {
    /// The folder
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Who publishes it, as people are told
    #[arg(long, value_name = "NAME")]
    pub publisher: String,
    /// Sign it with this key
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// The oldest host that it runs on [default: this one]
    #[arg(long, value_name = "VERSION")]
    pub host: Option<String>,
    /// Where to write it [default: ./ID-VERSION.stoa]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:
  stoa plugin sign notes-1.0.0.stoa --key acme.key

The signature is over index.json, which has the sum of every file. One that was there before is replaced.")]
pub(in crate::cli) struct SignPackage {
    /// The package
    #[arg(value_name = "FILE.stoa")]
    pub file: PathBuf,
    /// The publisher's key
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  stoa plugin check notes-1.0.0.stoa
  stoa plugin check notes                        a project is built first
  stoa plugin check notes-1.0.0.stoa --public-key 'xIS3…=' --trust community

Sums, signature, manifest, SQL and component, all compiled in a limited child as a host does it; every fault is told with its file.
Whether the plugins that it requires are there is the host's to say.")]
pub(in crate::cli) struct CheckPackage {
    /// The package, or the folder of a project or of a package's files
    #[arg(value_name = "FILE.stoa|DIR")]
    pub file: PathBuf,
    /// Who must have signed it
    #[arg(long, value_name = "BASE64")]
    pub public_key: Option<String>,
    /// How far the publisher is trusted: verified, private or community
    #[arg(long, value_name = "LEVEL", default_value = "community")]
    pub trust: String,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::cli::arguments::Arguments;

    #[test]
    fn commands_read_as_documented() {
        for line in [
            "stoa plugin new notes --dir d --sdk s --json",
            "stoa plugin build d --json",
            "stoa plugin dev d --listen 127.0.0.1:1 --data e",
            "stoa plugin stage --at 1000 --data d --listen 127.0.0.1:1",
            "stoa plugin test d --json",
            "stoa plugin keygen k --json",
            "stoa plugin pack d --publisher P --key k --host 1.0.0 -o f.stoa",
            "stoa plugin sign f.stoa --key k",
            "stoa plugin check f.stoa --public-key x --trust verified",
            "stoa plugin trust acme --name A --public-key AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= --level private --data d",
            "stoa plugin trust acme --public-key AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= --json",
            "stoa plugin revoke acme 8f14 --json",
            "stoa plugin publishers --json",
            "stoa plugin publish f.stoa --dry-run",
            "stoa plugin upload f.stoa",
            "stoa plugin list --json",
            "stoa plugin show notes",
            "stoa plugin kill notes 1.0.0 --reason R",
            "stoa plugin revive notes 1.0.0",
            "stoa plugin install notes@1.0.0 --org acme --consent --dry-run --json",
            "stoa plugin upgrade notes --org acme",
            "stoa plugin rollback notes --org acme",
            "stoa plugin enable notes --org acme",
            "stoa plugin disable notes --org acme --json",
            "stoa plugin pin notes --org acme",
            "stoa plugin unpin notes --org acme",
            "stoa plugin uninstall notes --org acme",
            "stoa plugin installed --org acme --json",
        ] {
            assert!(Arguments::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for line in [
            "stoa plugin trust acme --public-key short --level private",
            "stoa plugin trust acme --public-key AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= --level core",
            "stoa plugin trust acme --public-key AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= --name A",
            "stoa plugin kill notes 1.0.0",
            "stoa plugin show ../notes",
            "stoa plugin install notes@ --org acme",
            "stoa plugin install notes",
        ] {
            assert!(Arguments::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
