//! The composition root: opens a host and starts what runs beside requests.

use crate::clock::Clock;
use crate::config::Config;
use crate::hosting::{Host, HostError};
use crate::plugins::Package;

/// Opens the installation and starts its worker, which first takes up what a crash interrupted.
///
/// # Errors
/// The first thing that does not work, in words for the operator.
pub async fn start(config: &Config, packages: Vec<Package>) -> Result<Host, HostError> {
    let host = Host::open(config, packages, Clock::system()).await?;
    tokio::spawn(host.clone().work());
    Ok(host)
}
