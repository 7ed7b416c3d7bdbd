//! The real host, in this process and in a folder of its own, with a clock that only the battery moves. Nothing that serves
//! can be given such a clock: a host takes the machine's (`cli/host.rs`), and no option, variable or request says another.
#![expect(clippy::indexing_slicing, reason = "reading a member that a JSON value does not have gives null")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
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
use crate::organizations::Organization;
use crate::plugins::{Manifest, Package, Plugin, capabilities};
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
    data: PathBuf,
    stop: watch::Sender<bool>,
}

/// One more organization of it.
pub(super) struct Place {
    pub organization: Arc<Organization>,
    pub owner: Caller,
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
        let Place { organization, owner } =
            organization(&app, data, SLUG, (address, clock)).await.map_err(refused)?;
        Ok(Self { app, owner, organization: organization.id, data: data.to_owned(), stop })
    }

    /// One more organization that may use everything.
    pub(super) async fn another(&self, slug: &str) -> Result<Place, CliError> {
        let at = (self.owner.address, self.owner.clock.clone());
        organization(&self.app, &self.data, slug, at).await.map_err(refused)
    }

    /// Brings a version of a plugin to an organization, as an administrator who agrees to everything would.
    pub(super) async fn install(&self, place: &Place, plugin: &Plugin) -> Result<(), String> {
        let by = identity::platform(place.organization.id, RequestId::new()).principal.id;
        let Manifest { id, version, .. } = &plugin.manifest;
        let agreed = capabilities::of(&plugin.manifest);
        let done = self.app.install(&place.organization, (id, version), &agreed, by).await;
        done.map(|_| ()).map_err(|error| format!("{id} {version} cannot be installed: {error}"))
    }

    /// How many changes the plugin's file of an organization ever had, those of private tables included.
    pub(super) async fn changes(&self, place: &Place, plugin: &str) -> Result<u64, String> {
        let entered = self.app.enter(&place.organization).await.map_err(|error| error.to_string())?;
        let scope = entered.scope(&identity::platform(place.organization.id, RequestId::new()));
        let (records, plugin) = (self.app.records.clone(), plugin.to_owned());
        let counted = tokio::task::spawn_blocking(move || {
            let module = scope.modules.iter().find(|module| *module.plugin == *plugin);
            let module = module.ok_or_else(|| format!("there is no {plugin}"))?;
            records.read(&scope, module, |conn| Ok(conn.verify_changes()?)).map_err(|error| error.to_string())
        });
        counted.await.map_err(|error| error.to_string())?
    }

    /// Sets a setting of a plugin in the first organization, and tells whether it is set in another.
    pub(super) async fn sets(
        &self,
        place: &Place,
        (plugin, key): (&str, &str),
        value: &Value,
    ) -> Result<bool, String> {
        let settings = &self.app.settings;
        let set = settings.set(self.organization, plugin, key, &value.to_string()).await;
        set.map_err(|error| error.to_string())?;
        let there = settings.get(place.organization.id, plugin, key).await;
        Ok(there.map_err(|error| error.to_string())?.is_some())
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
    slug: &str,
    (address, clock): (SocketAddr, Clock),
) -> Result<Place, Problem> {
    let operator = Operator { app: app.clone(), data: data.to_owned(), uploads: host::uploads(data) };
    let request = NewOrganizationRequest {
        slug: slug.to_owned(),
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
    let organization = app.organizations.by_slug(slug).await?.ok_or_else(Problem::opaque)?;
    let key = made["api_key"].as_str().map(str::to_owned);
    Ok(Place { organization, owner: Caller { address, prefix: format!("/t/{slug}"), key, clock } })
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
