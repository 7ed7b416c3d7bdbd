//! App: every handle of one host, made once, in layer order; and an organization made ready for its requests.
//!
//! Reading order: this file, `seed.rs` (what an organization starts with), `installing.rs` and `rollouts.rs` (versions of plugins), `work.rs` (jobs), `watching.rs` (what is looked after beside them), `demo.rs`.

mod configuration;
mod demo;
mod error;
mod installing;
mod policy;
mod provision;
mod rollouts;
mod seed;
mod watching;
mod work;

use std::collections::HashMap;
use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::Mutex;

use crate::caller::Caller;
use crate::clock::Clock;
use crate::config::{Config, PublicAddress};
use crate::identity::{Breached, Federation, Identity, platform};
use crate::ids::{OrganizationId, RequestId};
use crate::jobs::Jobs;
use crate::licensing::{Entitlement, Licensing};
use crate::mail::Mailer;
use crate::organizations::{Organization, Organizations};
use crate::outbound::{Outbound, OutboundError, Rules};
use crate::platform::Platform;
use crate::plugins::catalogue::Catalogue;
use crate::plugins::installations::{Chosen, Installation, Installations};
use crate::plugins::metering::Metering;
use crate::plugins::{Package, Plugin, Plugins};
use crate::policy::{Grant, Policy, PolicyIndex};
use crate::records::configuration::{Configuration, Ground};
use crate::records::duplicates::sets::DuplicateSets;
use crate::records::import::Imports;
use crate::records::schema::Module;
use crate::records::tx::Hooks;
use crate::records::{Records, Scope};
use crate::settings::Settings;
use crate::storage::{ControlPlane, Secrets, TenantFiles, check_sqlite_version};

pub use self::error::AppError;
pub use self::installing::{InstallError, Preview};
pub use self::provision::{Provision, ProvisionError, Provisioned};

/// Every handle of a host. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The customers.
    pub organizations: Organizations,
    /// What they may use.
    pub licensing: Licensing,
    /// What they set.
    pub settings: Settings,
    /// Their people.
    pub identity: Identity,
    /// Who runs the installation.
    pub platform: Platform,
    /// Their policies.
    pub policy: Policy,
    /// Long-running work.
    pub jobs: Jobs,
    /// The record engine.
    pub records: Records,
    /// Plugin code.
    pub plugins: Plugins,
    /// What publishers offer of it.
    pub catalogue: Catalogue,
    /// Which of it organizations run.
    pub installations: Installations,
    /// What they used of it.
    pub metering: Metering,
    /// The schemas that organizations arrange themselves.
    pub configuration: Configuration,
    /// Imports.
    pub imports: Imports,
    /// Duplicates in whole tables.
    pub duplicates: DuplicateSets,
    /// How people and programs reach this installation.
    pub address: PublicAddress,
    /// Mail to people.
    pub mailer: Mailer,
    /// People who come from elsewhere.
    pub federation: Federation,
    /// Installation secrets.
    pub secrets: Secrets,
    /// Per-organization files.
    pub files: TenantFiles,
    /// Time.
    pub clock: Clock,
    entered: Arc<DashMap<OrganizationId, Arc<Entered>>>,
    /// Held while an organization is made ready, so that two first requests do not seed twice.
    entrances: Arc<DashMap<OrganizationId, Arc<Mutex<()>>>>,
}

/// An organization that is ready for requests.
#[derive(Clone)]
pub struct Entered {
    /// The organization.
    pub organization: Arc<Organization>,
    /// What it may use.
    pub entitlement: Arc<Entitlement>,
    /// Who may do what.
    pub policy: Arc<PolicyIndex>,
    /// The plugins that it may use.
    pub plugins: Vec<Arc<Plugin>>,
    /// The versions that were chosen, licensed or not.
    chosen: Chosen,
    /// The modules as this organization has them: its own fields, rules and objects included.
    modules: Arc<[Arc<Module>]>,
    /// The version of its configuration that they are of.
    version: i64,
    ground: Ground,
    /// The rights that plugins and the configuration propose.
    grants: Arc<[Grant]>,
}

/// Why a plugin that an organization has does not run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Absence {
    /// The module that it belongs to is not licensed.
    Unlicensed(String),
    /// It was switched off here.
    Disabled,
    /// The version was stopped for everybody.
    Stopped,
}

impl Entered {
    /// What it has, module by module: the plugins' entities with its own fields, and its own objects.
    #[must_use]
    pub fn modules(&self) -> &[Arc<Module>] {
        &self.modules
    }

    /// What a configuration is read against here: the modules as their plugins declare them.
    #[must_use]
    pub const fn ground(&self) -> &Ground {
        &self.ground
    }

    /// Why the plugin with this id does not run here; `None`: because nothing was ever said about it.
    #[must_use]
    pub fn absence(&self, id: &str) -> Option<Absence> {
        if let Some(plugin) = self.chosen.plugin(id) {
            return Some(Absence::Unlicensed(plugin.manifest.module.clone().unwrap_or_default()));
        }
        let installation = self.chosen.installation(id)?;
        Some(if installation.enabled { Absence::Stopped } else { Absence::Disabled })
    }

    /// What this caller may do where.
    #[must_use]
    pub fn scope(&self, caller: &Caller) -> Scope {
        Scope {
            caller: caller.clone(),
            organization: Arc::clone(&self.organization),
            policy: Arc::clone(&self.policy),
            modules: Arc::clone(&self.modules),
            settings: Arc::clone(&self.ground.settings),
            allow_duplicates: None,
        }
    }
}

/// Asks others, as the operator allows it.
fn outbound(config: &Config) -> Result<Outbound, OutboundError> {
    let asking = &config.outbound;
    Outbound::new(Rules { loopback: asking.loopback, ports: asking.ports.clone() })
}

/// The operator's list of leaked passwords, if there is one.
fn breached(config: &Config) -> Result<Option<Breached>, AppError> {
    let Some(path) = &config.breached else { return Ok(None) };
    let list = Breached::open(path);
    list.map(Some).map_err(|source| AppError::Breached { path: path.clone(), source })
}

impl App {
    /// Opens the installation in this folder, creating what is not there yet.
    ///
    /// # Errors
    /// The first thing that does not work, in words for the operator.
    pub async fn open(config: &Config, packages: Vec<Package>, clock: Clock) -> Result<Self, AppError> {
        check_sqlite_version()?;
        std::fs::create_dir_all(&config.data)
            .map_err(|source| AppError::Folder { path: config.data.clone(), source })?;
        let secrets = Secrets::open(&config.data)?;
        let control = ControlPlane::open(&config.control()).await?;
        let files = TenantFiles::new(config.data.clone(), clock.clone(), config.group_commit);
        let organizations = Organizations::new(control.clone(), clock.clone());
        let jobs = Jobs::new(control.clone(), clock.clone());
        let mailer = Mailer::new(&config.data, &config.address, clock.clone());
        let identity = Identity::new(files.clone(), secrets.clone(), clock.clone())
            .at(config.address.clone())
            .mailing(mailer.clone());
        let identity = match breached(config)? {
            Some(list) => identity.refusing(list),
            None => identity,
        };
        let platform = Platform::new(control.clone(), secrets.clone(), clock.clone(), &identity);
        let records = Records::new(files.clone(), identity.clone(), &secrets, clock.clone());
        let (artifacts, key) = (config.artifacts(), secrets.key("artifact"));
        let plugins = tokio::task::spawn_blocking(move || Plugins::load(packages, artifacts, key)).await??;
        let shelf = config.data.join("plugins");
        let catalogue = Catalogue::new(control.clone(), clock.clone(), plugins.clone(), shelf);
        catalogue.load().await?;
        Ok(Self {
            catalogue,
            licensing: Licensing::new(control.clone(), clock.clone()),
            installations: Installations::new(control.clone(), clock.clone()),
            metering: Metering::new(control.clone(), plugins.clone(), clock.clone()),
            settings: Settings::new(control, clock.clone()),
            policy: Policy::with_clock(clock.clone()),
            configuration: Configuration::new(records.clone()),
            imports: Imports::new(records.clone(), jobs.clone(), files.clone()),
            duplicates: DuplicateSets::new(records.clone(), jobs.clone()),
            address: config.address.clone(),
            federation: Federation::new(identity.clone(), organizations.clone(), outbound(config)?),
            organizations,
            identity,
            platform,
            jobs,
            records,
            plugins,
            mailer,
            secrets,
            files,
            clock,
            entered: Arc::new(DashMap::new()),
            entrances: Arc::new(DashMap::new()),
        })
    }

    /// The hooks of all plugins, for writes.
    #[must_use]
    pub fn hooks(&self) -> Arc<dyn Hooks + Send + Sync> {
        Arc::new(self.plugins.clone())
    }

    /// The organization, ready: its files at the declared schema, its first records made, its policy compiled. From
    /// memory when nothing has changed since.
    ///
    /// # Errors
    /// A schema change that is not additive, a policy that does not load, or storage fails.
    pub async fn enter(&self, organization: &Arc<Organization>) -> Result<Arc<Entered>, AppError> {
        let entitlement = self.licensing.entitlement(organization.id).await?;
        let installations = self.installations.of(organization.id).await?;
        if let Some(entered) = self.known(organization, &entitlement, &installations)? {
            return Ok(entered);
        }
        let _alone = self.alone(organization.id).await;
        let installations = self.installations.of(organization.id).await?;
        if let Some(entered) = self.known(organization, &entitlement, &installations)? {
            return Ok(entered);
        }
        let chosen = self.plugins.chosen(installations);
        let entered = Arc::new(self.make_ready(organization, entitlement, chosen).await?);
        self.entered.insert(organization.id, Arc::clone(&entered));
        Ok(entered)
    }

    /// What was made ready before, if the organization, the plugins that it may use and its configuration are still the same.
    fn known(
        &self,
        organization: &Arc<Organization>,
        entitlement: &Arc<Entitlement>,
        installations: &Arc<[Installation]>,
    ) -> Result<Option<Arc<Entered>>, AppError> {
        let Some(mut entered) = self.entered.get(&organization.id).map(|entered| Arc::clone(&entered)) else {
            return Ok(None);
        };
        let rebased = !self.plugins.still(&entered.chosen, installations);
        if rebased {
            // Most changes are of other organizations' plugins: then this one is made of the same.
            let chosen = self.plugins.chosen(Arc::clone(installations));
            entered = Arc::new(Entered { chosen, ..(*entered).clone() });
        }
        let now = self.clock.now();
        let chosen = entered.chosen.plugins().iter();
        let licensed = chosen.filter(|plugin| plugin.licensed(entitlement, now));
        let same = Arc::ptr_eq(&entered.organization, organization)
            && licensed.map(Arc::as_ptr).eq(entered.plugins.iter().map(Arc::as_ptr))
            && self.configuration.version_in_force(organization.id)? == entered.version;
        if !same {
            return Ok(None);
        }
        if rebased {
            self.entered.insert(organization.id, Arc::clone(&entered));
        }
        Ok(Some(self.under_present_policy(entered)))
    }

    /// What a crash interrupted is finished before anybody looks. A failure keeps nobody out: it is logged, and tried
    /// again before the records are merged anew.
    async fn resume_merges(&self, entered: &Entered) {
        let scope = entered.scope(&platform(entered.organization.id, RequestId::new()));
        if let Err(error) = self.records.resume_merges(&scope, &self.hooks()).await {
            tracing::error!(%error, organization = %entered.organization.slug, "merges could not be finished");
        }
    }

    async fn make_ready(
        &self,
        organization: &Arc<Organization>,
        entitlement: Arc<Entitlement>,
        chosen: Chosen,
    ) -> Result<Entered, AppError> {
        let now = self.clock.now();
        let licensed = chosen.plugins().iter().filter(|plugin| plugin.licensed(&entitlement, now));
        let plugins: Vec<Arc<Plugin>> = licensed.cloned().collect();
        let mut settings = HashMap::new();
        settings.insert(Arc::from("host"), self.settings.all(organization.id, "host").await?);
        for plugin in &plugins {
            settings.insert(
                Arc::clone(&plugin.manifest.id),
                self.settings.all(organization.id, &plugin.manifest.id).await?,
            );
        }
        let ground = Ground {
            declared: plugins.iter().map(|plugin| plugin.as_agreed(chosen.agreed(plugin))).collect(),
            organization: Arc::clone(organization),
            settings: Arc::new(settings),
        };
        let published = self.configuration.published(organization.id)?;
        let compiled = self.configuration.modules(&ground, &published);
        for fault in &compiled.faults {
            let (at, why) = (&fault.pointer, &fault.detail);
            tracing::warn!(organization = %organization.slug, at, why, "a part of the configuration does not fit any more");
        }
        let declared = plugins.iter().flat_map(|plugin| plugin.grants());
        let grants: Arc<[Grant]> = declared.chain(compiled.grants).collect();
        let entered = Entered {
            organization: Arc::clone(organization),
            entitlement,
            policy: self.load_policy(organization.id, &grants).await?,
            plugins,
            chosen,
            modules: compiled.modules,
            version: published.version.version,
            ground,
            grants,
        };
        for module in &*entered.modules {
            self.records.prepare(organization, module).await?;
        }
        for plugin in &entered.plugins {
            self.seed(&entered, plugin).await?;
        }
        self.resume_merges(&entered).await;
        tracing::debug!(organization = %organization.slug, plugins = entered.plugins.len(), "organization is ready");
        Ok(entered)
    }
}
