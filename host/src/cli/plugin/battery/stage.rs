//! The real host, in this process and in a folder of its own, with a clock that only the battery moves. Nothing that serves
//! can be given such a clock: a host takes the machine's (`cli/host.rs`), and no option, variable or request says another.
#![expect(clippy::indexing_slicing, reason = "reading a member that a JSON value does not have gives null")]

use std::net::SocketAddr;
use std::path::Path;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::caller::Caller;
use crate::app::{App, AppError};
use crate::cli::{CliError, host};
use crate::clock::{Clock, UnixMillis};
use crate::config::{Asking, Config, PublicAddress};
use crate::http::gate::Terminal;
use crate::http::operator::Operator;
use crate::http::operator::provision::{self, NewOrganizationRequest};
use crate::http::problem::Problem;
use crate::http::terms::Limits;
use crate::http::{self, Metrics, Site, server};
use crate::identity::{self, NewApiKey};
use crate::ids::{OrganizationId, RequestId};
use crate::plugins::Package;
use crate::storage::GROUP_COMMIT;

/// 2 March 2026, 09:00 UTC: when every battery begins.
const BEGIN: UnixMillis = 1_772_442_000_000;
/// The organization.
const SLUG: &str = "battery";
/// Connections at a time.
const CONNECTIONS: usize = 64;

/// A host with one organization that may use everything.
pub(super) struct Stage {
    pub app: App,
    pub owner: Caller,
    pub organization: OrganizationId,
    stop: watch::Sender<bool>,
}

impl Stage {
    /// Opens it in an empty folder, with the embedded plugins and this one.
    pub(super) async fn open(data: &Path, package: Package) -> Result<Self, CliError> {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.map_err(|error| CliError::Listen("127.0.0.1".into(), error))?;
        let address = listener.local_addr().map_err(|error| CliError::Listen("127.0.0.1".into(), error))?;
        let clock = Clock::fixed(BEGIN);
        let config = Config {
            data: data.to_owned(),
            address: PublicAddress { origin: format!("http://{address}"), base_domain: None },
            outbound: Asking::default(),
            group_commit: GROUP_COMMIT,
            breached: None,
        };
        let mut packages = host::packages(None).map_err(AppError::from)?;
        packages.push(package);
        let app = App::open(&config, packages, clock.clone()).await?;
        tokio::spawn(app.clone().work());
        let site = Site { demo: false, uploads: host::uploads(data), gate: patient() };
        let routes = http::public(app.clone(), site, Metrics::default()).map_err(CliError::Answer)?;
        let (stop, stopping) = watch::channel(false);
        tokio::spawn(server::serve(listener, routes, CONNECTIONS, Metrics::default(), stopping));
        let (organization, owner) = organization(&app, data, address, clock).await.map_err(refused)?;
        Ok(Self { app, owner, organization, stop })
    }

    /// Somebody with a role.
    pub(super) async fn with_role(&self, role: &str) -> Result<Caller, CliError> {
        let by = identity::platform(self.organization, RequestId::new());
        let new = NewApiKey { name: role.to_owned(), role: Some(role.to_owned()), ..NewApiKey::default() };
        let made = self.app.identity.create_api_key(&by, new).await;
        let (_, secret) = made.map_err(|error| refused(error.into()))?;
        Ok(self.owner.with_key(Some(secret.reveal())))
    }

    /// Ends it.
    pub(super) fn close(self) {
        self.stop.send_replace(true);
        self.app.files.close_all();
    }
}

async fn organization(
    app: &App,
    data: &Path,
    address: SocketAddr,
    clock: Clock,
) -> Result<(OrganizationId, Caller), Problem> {
    let operator = Operator { app: app.clone(), data: data.to_owned(), uploads: host::uploads(data) };
    let request = NewOrganizationRequest {
        slug: SLUG.to_owned(),
        name: "Battery".to_owned(),
        owner: "owner@battery.example".to_owned(),
        owner_name: None,
        modules: app.modules(),
        zone: None,
        locale: None,
        currency: None,
        api_key: true,
    };
    let made = provision::create(&operator, request).await?;
    let organization = app.organizations.by_slug(SLUG).await?.ok_or_else(Problem::opaque)?;
    let key = made["api_key"].as_str().map(str::to_owned);
    Ok((organization.id, Caller { address, prefix: format!("/t/{SLUG}"), key, clock }))
}

/// A gate that does not count: a battery asks often, and its clock stands still.
fn patient() -> Terminal {
    let usual = Terminal::default();
    let many = "1000000:1000000".parse().unwrap_or(usual.limits.program);
    let limits = Limits {
        person: many,
        program: many,
        organization: many,
        heavy: many,
        jobs: many,
        at_once: usual.limits.at_once,
    };
    Terminal { limits, stranger: many, ..usual }
}

fn refused(problem: Problem) -> CliError {
    CliError::Refused(problem.body())
}
