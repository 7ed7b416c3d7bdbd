//! The host of a folder: the one that runs, or this process for as long as a command takes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::CliError;
use super::arguments::Installation;
use super::client::Client;
use super::folder::{self, Lock};
use crate::app::{App, AppError};
use crate::clock::Clock;
use crate::config::{Asking, Config, PublicAddress};
use crate::http::operator::socket::OperatorListener;
use crate::http::operator::{self, Operator};
use crate::http::{Metrics, server};
use crate::plugins::{Package, PluginError};
use crate::storage::heap;

/// How long to wait for a host that holds the lock and does not listen yet: it compiles its plugins first.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often to look.
const PAUSE: Duration = Duration::from_millis(50);

/// The most connections of the socket.
const CONNECTIONS: usize = 64;

/// A host that answers this command.
pub(super) struct Host {
    pub client: Client,
    here: Option<Here>,
}

/// This process is the host.
struct Here {
    app: App,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
    _lock: Lock,
}

impl Host {
    /// The host of the folder; this process becomes it when nobody is.
    pub(super) async fn reach(installation: &Installation) -> Result<Self, CliError> {
        let data = folder::prepare(&installation.data)?;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(lock) = folder::try_lock(&data)? {
                let here = Here::open(installation, &data, lock).await?;
                return Ok(Self { client: Client::new(&data), here: Some(here) });
            }
            let client = Client::new(&data);
            if client.reaches().await {
                return Ok(Self { client, here: None });
            }
            if tokio::time::Instant::now() > deadline {
                return Err(CliError::NoAnswer(data));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Ends the host if it is this process, after its open requests.
    pub(super) async fn leave(self) {
        if let Some(here) = self.here {
            here.stop.send_replace(true);
            if here.server.await.is_err() {
                tracing::error!("the socket's server panicked");
            }
            here.app.close().await;
        }
    }
}

impl Here {
    async fn open(installation: &Installation, data: &Path, lock: Lock) -> Result<Self, CliError> {
        // Links are paths then: nobody can be reached at an address of this process.
        let nowhere = PublicAddress { origin: String::new(), base_domain: None };
        let app = open(installation, data, nowhere, Asking::default(), Clock::system()).await?;
        let listener =
            OperatorListener::bind(data).map_err(|error| CliError::Io("the socket cannot be made", error))?;
        let (stop, stopping) = watch::channel(false);
        let operator = Operator { uploads: uploads(data), app: app.clone(), data: data.to_path_buf() };
        let routes = operator::routes(operator, Metrics::default());
        let server = tokio::spawn(server::serve(listener, routes, CONNECTIONS, Metrics::default(), stopping));
        Ok(Self { app, stop, server, _lock: lock })
    }
}

/// Opens the application of the folder with its plugins, and runs its jobs in the background: first those that a crash
/// interrupted.
pub(super) async fn open(
    installation: &Installation,
    data: &Path,
    address: PublicAddress,
    outbound: Asking,
    clock: Clock,
) -> Result<App, CliError> {
    let config = Config {
        data: data.to_path_buf(),
        address,
        outbound,
        group_commit: installation.group_commit,
        breached: installation.breached_passwords.clone(),
    };
    heap::limit_to_machine();
    let packages = packages(installation.plugins.as_deref()).map_err(AppError::from)?;
    let app = App::open(&config, packages, clock).await?;
    tokio::spawn(app.clone().work());
    tokio::spawn(app.clone().watch());
    Ok(app)
}

include!(concat!(env!("OUT_DIR"), "/embedded_plugins.rs"));

/// The embedded packages, then those of the folder.
pub(super) fn packages(folder: Option<&Path>) -> Result<Vec<Package>, PluginError> {
    let embedded =
        EMBEDDED.iter().map(|(id, manifest, component, sql)| Package::embedded(id, manifest, component, sql));
    let mut packages: Vec<Package> = embedded.collect();
    if let Some(folder) = folder {
        packages.extend(Package::all_in(folder)?);
    }
    Ok(packages)
}

/// Where uploads are kept until their job has taken them.
pub(super) fn uploads(data: &Path) -> Arc<Path> {
    data.join("uploads").into()
}
