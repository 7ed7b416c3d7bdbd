//! The Stoa host: one binary that keeps organizations apart, runs plugins and serves them over REST.
//!
//! The modules in reading order, low to high; each uses itself and what stands before it (a test holds that).

/// Every handle of one host, and an organization made ready for its requests.
pub mod app;
/// Who acts: the first argument of every operation.
pub mod caller;
/// The command line.
pub mod cli;
/// Time as a value.
pub mod clock;
/// What the operator sets, checked at start.
pub mod config;
/// The REST API.
pub mod http;
/// People, teams, passwords, keys, tokens.
pub mod identity;
/// Every id type, and the only place that mints ids.
pub mod ids;
/// Long-running work: state, progress, resume.
pub mod jobs;
/// Which modules an organization may use now.
pub mod licensing;
/// The one way out for messages to people.
pub mod mail;
/// The customers of the installation.
pub mod organizations;
/// Asking others over HTTP, behind a guard.
pub mod outbound;
/// Who runs the installation: its administrators, their roles, sessions and tokens.
pub mod platform;
/// The only door to plugin code.
pub mod plugins;
/// Who may do what to which records.
pub mod policy;
/// The record engine: schema, query compiler, write pipeline, import.
pub mod records;
/// Values that an organization sets for its plugins.
pub mod settings;
/// The control database and one SQLite file per (organization, plugin).
pub mod storage;
