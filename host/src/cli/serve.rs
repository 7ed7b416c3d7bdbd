//! `stoa serve`: the folder, the four listeners, the jobs, until a signal.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::arguments::Serve;
use super::{CliError, demo, folder, host, output};
use crate::app::{App, AppError};
use crate::clock::Clock;
use crate::config::{Asking, PublicAddress};
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
    run_with(options, Clock::system(), |_| {}).await
}

/// The same on this clock; `opened` gets the host before it serves.
pub(super) async fn run_with(
    options: Serve,
    clock: Clock,
    opened: impl FnOnce(App),
) -> Result<ExitCode, CliError> {
    let data = folder::prepare(&options.installation.data)?;
    let _lock = folder::try_lock(&data)?.ok_or_else(|| CliError::FolderTaken(data.clone()))?;
    let stop = server::stop_signal().map_err(|error| CliError::Io("signals cannot be listened to", error))?;
    // Listening first: a taken port is told at once, and early clients wait instead of being refused.
    let (public, operations) = (listen(options.listen).await?, listen(options.ops_listen).await?);
    let platform = listen(options.platform_listen).await?;
    let socket =
        OperatorListener::bind(&data).map_err(|error| CliError::Io("the socket cannot be made", error))?;
    let here = format!("http://{}", public.local_addr().unwrap_or(options.listen));
    let terminal = options.edge.terminal(options.public_url.is_some());
    let doors = Doors::new(CONNECTIONS, options.edge.connections_per_client, terminal.proxies.clone());
    let address = public_address(options.public_url, options.base_domain, &here);
    let outbound = Asking { loopback: options.allow_loopback_outbound, ports: options.outbound_port };
    let app = host::open(&options.installation, &data, address, outbound, clock).await?;
    let operator = Operator { app: app.clone(), uploads: host::uploads(&data), data };
    if options.demo {
        demo::prepare(&operator).await?;
    }
    let platform_here = format!("http://{}", platform.local_addr().unwrap_or(options.platform_listen));
    let platform_origin = options.platform_url.unwrap_or(platform_here);
    if !options.demo {
        offer_claim(&app, &platform_origin).await?;
    }
    opened(app.clone());
    tracing::info!(address = %here, platform = %platform_origin, "serving");
    let listeners = Listeners { public, operations, socket, platform, platform_origin };
    listeners.serve(operator, options.demo, (terminal, doors), stop).await?;
    app.close().await;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// At the first start of an installation: the code with which its first administrator comes in. It is said once, here, and
/// never logged.
async fn offer_claim(app: &App, origin: &str) -> Result<(), CliError> {
    let code = app.platform.first_claim_code().await.map_err(AppError::from)?;
    if let Some(code) = code {
        output::say(&format!(
            "Nobody runs this installation yet. Whoever claims it becomes its owner, once, within 24 hours:
  curl {origin}/admin/v1/claim -H 'Content-Type: application/json' \\
    -d '{{\"code\":\"{code}\",\"email\":\"you@example.com\",\"name\":\"Your Name\",\"password\":\"…\"}}'
Another code: stoa admin claim-code"
        ));
    }
    Ok(())
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
    platform: TcpListener,
    platform_origin: String,
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
        let proxies = terminal.proxies.clone();
        let plane = http::platform::routes(&app, &self.platform_origin, proxies, Metrics::default())
            .map_err(CliError::Answer)?;
        let site = Site { demo, uploads: Arc::clone(&operator.uploads), gate: terminal };
        let api = http::public(app.clone(), site, metrics.clone()).map_err(CliError::Answer)?;
        // The counters of the operator's own listeners would only hide the people's.
        let aside = Metrics::default();
        let ops = http::operations(app, metrics.clone());
        let operator = operator::routes(operator, aside.clone());
        tokio::join!(
            server::serve(self.public, api, doors, metrics, stop.clone()),
            server::serve(self.platform, plane, FEW, aside.clone(), stop.clone()),
            server::serve(self.operations, ops, FEW, aside.clone(), stop.clone()),
            server::serve(self.socket, operator, FEW, aside, stop),
        );
        Ok(())
    }
}
