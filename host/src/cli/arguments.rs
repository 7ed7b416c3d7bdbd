//! What can be said on the command line, and the help that teaches it.

mod catalogue;
mod installations;
mod plugin;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use ipnet::IpNet;

use crate::http::gate::Terminal;
use crate::http::proxy::{ForwardedHeader, TrustedProxies};
use crate::http::terms::{Limits, Rate};

pub(super) use self::catalogue::{
    CatalogueCommand, KillVersion, OneVersion, PublishPackage, ReviveVersion, RevokeKey, Setting, ShowPlugin,
    TrustPublisher,
};
pub(super) use self::installations::{InstallVersion, InstallationCommand, One, Wanted};
pub(super) use self::plugin::{
    BuildProject, CheckPackage, DevProject, KeyGen, NewProject, PackFolder, PluginCommand, SignPackage,
    StageHost, TestProject,
};

/// Stoa: a CRM platform for many organizations in one binary.
#[derive(Debug, Parser)]
#[command(
    name = "stoa",
    version,
    propagate_version = true,
    after_help = "Try it:\n  stoa serve --demo\n\nLogs go to standard error; STOA_LOG=debug tells more, STOA_LOG_FORMAT=json is for machines."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a host
    Serve(Serve),
    /// Create and list organizations
    #[command(subcommand)]
    Org(OrgCommand),
    /// License a module to an organization, or revoke it
    License(License),
    /// Make keys for programs
    #[command(subcommand)]
    ApiKey(KeyCommand),
    /// Import a CSV file
    Import(Import),
    /// Let the platform's first administrator in
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Make plugins and packages; publish, install, stop them
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Say whether this installation is fit to serve
    Doctor(Doctor),
    /// Do one job for the host that started this process, with lower limits
    #[command(hide = true)]
    Worker(Worker),
}

/// What a host tells the child that it starts.
#[derive(Args, Debug)]
pub(super) struct Worker {
    /// The job; what it works on comes in on standard input
    pub job: String,
    /// Bytes of memory
    #[arg(long)]
    pub memory: u64,
    /// Seconds of processor time
    #[arg(long)]
    pub cpu: u64,
}

/// The folder and the plugins: what every command needs.
#[derive(Args, Clone, Debug)]
pub(super) struct Installation {
    /// The folder that holds everything
    #[arg(long, env = "STOA_DATA", default_value = "stoa-data", value_name = "DIR")]
    pub data: PathBuf,
    /// Packages beside the embedded ones: a folder with *.stoa, or <id>/ with manifest.json, component.wasm and sql.json
    #[arg(long, env = "STOA_PLUGINS", value_name = "DIR")]
    pub plugins: Option<PathBuf>,
    /// Passwords that nobody may choose: SHA-1 hashes in hexadecimal, one a line, sorted (Have I Been Pwned's download)
    #[arg(long, env = "STOA_BREACHED_PASSWORDS", value_name = "FILE")]
    pub breached_passwords: Option<PathBuf>,
    /// Write requests per durable commit, at most; 1 commits each by itself
    #[arg(long, env = "STOA_GROUP_COMMIT_MAX", default_value_t = crate::storage::GROUP_COMMIT, hide = true)]
    pub group_commit: usize,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  stoa serve --demo                      an organization with sample records, its password and three curl lines
  stoa serve --data /var/lib/stoa --listen 0.0.0.0:8080 --base-domain crm.example.com
  curl http://127.0.0.1:9090/readyz      is it ready?

Organizations are at /t/{slug}, or at https://{slug}.{base domain} when there is one. TLS is the business of the proxy in
front. Ctrl-C or SIGTERM ends the host after the open requests; an acknowledged write is on the disk.")]
pub(super) struct Serve {
    #[command(flatten)]
    pub installation: Installation,
    /// Where people and programs reach the API
    #[arg(long, env = "STOA_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDR")]
    pub listen: SocketAddr,
    /// Where /healthz, /readyz and /metrics are; keep it private
    #[arg(long, env = "STOA_OPS_LISTEN", default_value = "127.0.0.1:9090", value_name = "ADDR")]
    pub ops_listen: SocketAddr,
    /// Where those who run the installation reach the platform's own API; keep it private
    #[arg(long, env = "STOA_PLATFORM_LISTEN", default_value = "127.0.0.1:9091", value_name = "ADDR")]
    pub platform_listen: SocketAddr,
    /// Scheme, host and port under which they reach it, when a proxy stands before it
    #[arg(long, env = "STOA_PLATFORM_URL", value_name = "URL", value_parser = origin)]
    pub platform_url: Option<String>,
    /// Organizations are at {slug}.DOMAIN
    #[arg(long, env = "STOA_BASE_DOMAIN", value_name = "DOMAIN")]
    pub base_domain: Option<String>,
    /// Scheme, host and port under which people reach this host, when a proxy stands before it
    #[arg(long, env = "STOA_PUBLIC_URL", value_name = "URL", value_parser = origin)]
    pub public_url: Option<String>,
    #[command(flatten)]
    pub edge: Edge,
    /// Let organizations name addresses of this machine, also over http: for development and tests only
    #[arg(long, env = "STOA_ALLOW_LOOPBACK_OUTBOUND")]
    pub allow_loopback_outbound: bool,
    /// A port beside 443 and 8443 that organizations may name in addresses; may stand several times
    #[arg(long, env = "STOA_OUTBOUND_PORT", value_delimiter = ',', value_name = "PORT")]
    pub outbound_port: Vec<u16>,
    /// Make the organization `demo` with every module, and open the API document to everybody
    #[arg(long)]
    pub demo: bool,
}

/// How requests come in, and how many.
#[derive(Args, Clone, Debug)]
pub(super) struct Edge {
    /// Proxies whose word about clients' addresses counts, as networks; may be given again
    #[arg(long, env = "STOA_TRUSTED_PROXY", value_name = "CIDR", value_delimiter = ',', value_parser = network)]
    pub trusted_proxy: Vec<IpNet>,
    /// The header that those proxies write: x-forwarded-for or forwarded
    #[arg(long, env = "STOA_FORWARDED_HEADER", value_name = "HEADER", default_value = "x-forwarded-for")]
    pub forwarded_header: ForwardedHeader,
    /// Connections of one client's network, at most
    #[arg(long, env = "STOA_CONNECTIONS_PER_CLIENT", value_name = "N", default_value_t = 1024)]
    pub connections_per_client: usize,
    /// Requests of each person: so many per second, and so many at once
    #[arg(long, env = "STOA_RATE_PERSON", value_name = "RATE[:BURST]")]
    pub rate_person: Option<Rate>,
    /// Requests of each key and service account
    #[arg(long, env = "STOA_RATE_PROGRAM", value_name = "RATE[:BURST]")]
    pub rate_program: Option<Rate>,
    /// Requests of all people, and of all programs, of each organization
    #[arg(long, env = "STOA_RATE_ORGANIZATION", value_name = "RATE[:BURST]")]
    pub rate_organization: Option<Rate>,
    /// Reports, searches, exports and merges of each organization
    #[arg(long, env = "STOA_RATE_HEAVY", value_name = "RATE[:BURST]")]
    pub rate_heavy: Option<Rate>,
    /// Imports and other long work that each organization begins
    #[arg(long, env = "STOA_RATE_JOBS", value_name = "RATE[:BURST]")]
    pub rate_jobs: Option<Rate>,
    /// Requests without a valid credential, of each client's network
    #[arg(long, env = "STOA_RATE_STRANGER", value_name = "RATE[:BURST]")]
    pub rate_stranger: Option<Rate>,
    /// Requests of each organization that are served at the same time
    #[arg(long, env = "STOA_REQUESTS_AT_ONCE", value_name = "N")]
    pub requests_at_once: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub(super) enum OrgCommand {
    /// Create an organization and its owner
    Create(CreateOrganization),
    /// List the organizations
    List(ListOrganizations),
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  stoa org create acme --name 'Acme Inc.' --owner ann@acme.example --modules sales
  stoa org create acme --name Acme --owner ann@acme.example --zone Europe/Vienna --currency EUR --api-key --json

Prints the link with which the owner chooses a password. It works once and for 72 hours.")]
pub(super) struct CreateOrganization {
    #[command(flatten)]
    pub installation: Installation,
    /// The organization's key in addresses: 3 to 32 of a-z, 0-9 and inner dashes
    #[arg(value_name = "SLUG", allow_hyphen_values = true)]
    pub slug: String,
    /// What people call it
    #[arg(long)]
    pub name: String,
    /// The owner's e-mail address
    #[arg(long, value_name = "EMAIL")]
    pub owner: String,
    /// What it may use, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "MODULES")]
    pub modules: Vec<String>,
    /// The time zone in which its days begin, such as Europe/Vienna
    #[arg(long, default_value = "UTC")]
    pub zone: String,
    /// The language of its texts and formats, such as de-AT
    #[arg(long, default_value = "en")]
    pub locale: String,
    /// The currency of its reports, such as EUR
    #[arg(long, default_value = "USD")]
    pub currency: String,
    /// Also make an API key with the owner's role
    #[arg(long)]
    pub api_key: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub(super) struct ListOrganizations {
    #[command(flatten)]
    pub installation: Installation,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  stoa license acme sales             from now until revoked
  stoa license acme sales --revoke    its data is kept")]
pub(super) struct License {
    #[command(flatten)]
    pub installation: Installation,
    /// The organization
    #[arg(value_name = "SLUG")]
    pub slug: String,
    /// The module
    #[arg(value_name = "MODULE")]
    pub module: String,
    /// Take the licence away
    #[arg(long)]
    pub revoke: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a key; its secret is shown this once
    Create(CreateKey),
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  stoa api-key create --org acme --role rep
  KEY=$(stoa api-key create --org acme --role readonly --json | jq -r .api_key)")]
pub(super) struct CreateKey {
    #[command(flatten)]
    pub installation: Installation,
    /// The organization
    #[arg(long, value_name = "SLUG")]
    pub org: String,
    /// What it may do: owner, manager, rep or readonly
    #[arg(long)]
    pub role: String,
    /// What it is for
    #[arg(long)]
    pub name: Option<String>,
    /// When it stops working, RFC 3339
    #[arg(long, value_name = "INSTANT")]
    pub expires_at: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:
  stoa import --org acme --spec accounts.json accounts.csv

The spec says which column becomes which field; docs/tutorial has some. An import that the host's end interrupts goes on at
its next start. Rows that were refused are written to a file in the current folder, with their numbers and reasons.")]
pub(super) struct Import {
    #[command(flatten)]
    pub installation: Installation,
    /// The organization
    #[arg(long, value_name = "SLUG")]
    pub org: String,
    /// The spec, a JSON file
    #[arg(long, value_name = "FILE")]
    pub spec: PathBuf,
    /// The CSV file
    #[arg(value_name = "FILE.csv")]
    pub file: PathBuf,
    /// Where to write refused rows [default: ./FILE.errors.csv]
    #[arg(long, value_name = "FILE")]
    pub errors: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum AdminCommand {
    /// Make a new code with which the first administrator claims the platform
    ClaimCode(ClaimCode),
}

#[derive(Args, Debug)]
#[command(
    after_help = "The code is good once and for 24 hours; the one before stops working. Once there is an administrator there are no
codes any more: administrators invite each other."
)]
pub(super) struct ClaimCode {
    #[command(flatten)]
    pub installation: Installation,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub(super) struct Doctor {
    #[command(flatten)]
    pub installation: Installation,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

impl Edge {
    /// What was said, with the defaults for what was not.
    pub(super) fn terminal(&self, named: bool) -> Terminal {
        let usual = Terminal::default();
        let limits = Limits {
            person: self.rate_person.unwrap_or(usual.limits.person),
            program: self.rate_program.unwrap_or(usual.limits.program),
            organization: self.rate_organization.unwrap_or(usual.limits.organization),
            heavy: self.rate_heavy.unwrap_or(usual.limits.heavy),
            jobs: self.rate_jobs.unwrap_or(usual.limits.jobs),
            at_once: self.requests_at_once.unwrap_or(usual.limits.at_once),
        };
        let proxies = TrustedProxies::new(self.trusted_proxy.clone(), self.forwarded_header);
        Terminal { proxies, limits, stranger: self.rate_stranger.unwrap_or(usual.stranger), named }
    }
}

/// A network, or one address as the network of itself.
fn network(text: &str) -> Result<IpNet, String> {
    let one = || text.parse::<IpAddr>().map(IpNet::from);
    let bad = |_| format!("`{text}` is not a network, such as 10.0.0.0/8 or fd00::/8");
    text.parse::<IpNet>().map(|network| network.trunc()).or_else(|_| one()).map_err(bad)
}

/// An origin: what links start with.
fn origin(text: &str) -> Result<String, String> {
    let bad =
        || format!("`{text}` is not a scheme, a host and perhaps a port, such as https://crm.example.com");
    let url = url::Url::parse(text).map_err(|_| bad())?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let named = url.username().is_empty() && url.password().is_none() && url.has_host();
    let origin = url.origin().ascii_serialization();
    (bare && named && matches!(url.scheme(), "http" | "https")).then_some(origin).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn commands_read_as_documented() {
        for line in [
            "stoa serve --demo --data d --listen 127.0.0.1:1 --ops-listen 127.0.0.1:2 --base-domain x.test --plugins p",
            "stoa serve --trusted-proxy 10.0.0.0/8 --trusted-proxy ::1 --forwarded-header forwarded",
            "stoa serve --rate-person 10:20 --rate-program 5 --rate-stranger 1 --requests-at-once 9 --connections-per-client 3",
            "stoa org create acme --name N --owner a@b.test --modules a,b --zone UTC --currency EUR --api-key --json --data d",
            "stoa org create -x- --name N --owner a@b.test",
            "stoa org list --json",
            "stoa license acme sales --revoke",
            "stoa api-key create --org acme --role rep --json",
            "stoa import --org acme --spec s.json f.csv",
            "stoa doctor --data d",
        ] {
            assert!(Arguments::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
    }
}
