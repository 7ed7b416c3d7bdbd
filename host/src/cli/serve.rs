//! `stoa serve`: the folder, the three listeners, the jobs, until a signal.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::arguments::Serve;
use super::{CliError, demo, folder, host};
use crate::config::PublicAddress;
use crate::http::gate::Terminal;
use crate::http::operator::socket::OperatorListener;
use crate::http::operator::{self, Operator};
use crate::http::server::Doors;
use crate::http::{self, Metrics, Site, server};

/// The most connections of the public listener; each holds a descriptor and up to a request's memory.
const CONNECTIONS: usize = 8_192;

/// The most connections of the other listeners.
const FEW: usize = 64;

pub(super) async fn run(options: Serve) -> Result<ExitCode, CliError> {
    let data = folder::prepare(&options.installation.data)?;
    let _lock = folder::try_lock(&data)?.ok_or_else(|| CliError::FolderTaken(data.clone()))?;
    let stop = server::stop_signal().map_err(|error| CliError::Io("signals cannot be listened to", error))?;
    // Listening first: a taken port is told at once, and early clients wait instead of being refused.
    let (public, operations) = (listen(options.listen).await?, listen(options.ops_listen).await?);
    let socket =
        OperatorListener::bind(&data).map_err(|error| CliError::Io("the socket cannot be made", error))?;
    let here = format!("http://{}", public.local_addr().unwrap_or(options.listen));
    let terminal = options.edge.terminal(options.public_url.is_some());
    let doors = Doors::new(CONNECTIONS, options.edge.connections_per_client, terminal.proxies.clone());
    let address = public_address(options.public_url, options.base_domain, &here);
    let app = host::open(&options.installation, &data, address).await?;
    let operator = Operator { app: app.clone(), uploads: host::uploads(&data), data };
    if options.demo {
        demo::prepare(&operator).await?;
    }
    tracing::info!(address = %here, "serving");
    let listeners = Listeners { public, operations, socket };
    listeners.serve(operator, options.demo, (terminal, doors), stop).await?;
    app.files.close_all();
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// What links and issuers are made of: what the operator said, else `https` below the base domain, else where we listen.
fn public_address(origin: Option<String>, base_domain: Option<String>, here: &str) -> PublicAddress {
    let origin = match (origin, &base_domain) {
        (Some(origin), _) => origin,
        (None, Some(domain)) => format!("https://{domain}"),
        (None, None) => here.to_owned(),
    };
    PublicAddress { origin: origin.trim_end_matches('/').to_owned(), base_domain }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, CliError> {
    TcpListener::bind(address).await.map_err(|error| CliError::Listen(address.to_string(), error))
}

struct Listeners {
    public: TcpListener,
    operations: TcpListener,
    socket: OperatorListener,
}

impl Listeners {
    async fn serve(
        self,
        operator: Operator,
        demo: bool,
        (terminal, doors): (Terminal, Doors),
        stop: watch::Receiver<bool>,
    ) -> Result<(), CliError> {
        let (app, metrics) = (operator.app.clone(), Metrics::default());
        let site = Site { demo, uploads: Arc::clone(&operator.uploads), gate: terminal };
        let api = http::public(app.clone(), site, metrics.clone()).map_err(CliError::Answer)?;
        // The counters of the operator's own listeners would only hide the people's.
        let aside = Metrics::default();
        let ops = http::operations(app, metrics.clone());
        let operator = operator::routes(operator, aside.clone());
        tokio::join!(
            server::serve(self.public, api, doors, metrics, stop.clone()),
            server::serve(self.operations, ops, FEW, aside.clone(), stop.clone()),
            server::serve(self.socket, operator, FEW, aside, stop),
        );
        Ok(())
    }
}
