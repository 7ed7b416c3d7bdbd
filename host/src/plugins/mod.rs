//! Plugins: the only door to plugin code.
//!
//! A package is a manifest and a component ([`package`]). At start each is checked ([`manifest`]), compiled once and kept
//! by digest ([`artifact`]), and so are its SQL texts ([`sql`]), both in a limited child ([`worker`]). A call ([`call`]) is a fresh instance with a processor, time, memory and host-call limit, on a
//! write transaction or a snapshot, all gone when the answer is out. What a plugin may reach is the folder [`imports`], one
//! file for each interface of the contract.
//!
//! Reading order: `package/`, `manifest.rs`, `reading.rs`, `entity.rs`, `engine.rs`, `artifact.rs`, `worker.rs`, `sql/`,
//! `call.rs`, `breaker.rs`, `usage.rs`, `refusal.rs`, `imports/`, `hooks.rs`, `action.rs`, `report.rs`.

mod action;
mod artifact;
mod bindings;
mod breaker;
mod call;
mod declaration;
mod engine;
mod entity;
mod error;
mod hooks;
mod imports;
mod manifest;
mod package;
mod reading;
mod refusal;
mod report;
mod sql;
#[cfg(test)]
mod tests;
mod usage;
pub(crate) mod worker;

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::InstancePre;

use self::artifact::Artifacts;
use self::bindings::actions::WithActionsIndices;
use self::bindings::hooks::WithHooksIndices;
use self::bindings::reports::WithReportsIndices;
use self::call::State;
use self::engine::Gate;
use self::sql::Texts;
use self::sql::check::Checks;
use self::usage::Watches;
use crate::clock::UnixMillis;
use crate::ids::OrganizationId;
use crate::licensing::Entitlement;
use crate::policy::{Effect, Grant, Scope as Reach};
use crate::records::schema::Module;
use crate::records::{RecordError, Scope};

pub use self::action::{Answer, Invocation};
pub use self::declaration::{Action, ActionMode, ActionTarget, Column, Report, Seed};
pub use self::error::PluginError;
pub use self::manifest::{Manifest, ManifestFault};
pub(crate) use self::package::check::Checker;
pub use self::package::{Archive, LARGEST, Package, PackageFault, PrivateKey, PublicKey, Trust, files_of};
pub use self::usage::{CallKind, PluginUsage, Used};

/// A plugin that is ready to be called.
pub struct Plugin {
    /// What it declares.
    pub manifest: Manifest,
    component: InstancePre<State>,
    hooks: Option<WithHooksIndices>,
    actions: Option<WithActionsIndices>,
    reports: Option<WithReportsIndices>,
    watches: Arc<Watches>,
    /// The SQL that it may use.
    sql: Texts,
}

/// Every plugin of the installation. Cheap to clone.
#[derive(Clone)]
pub struct Plugins {
    all: Arc<BTreeMap<Arc<str>, Arc<Plugin>>>,
    gate: Gate,
    watches: Arc<Watches>,
}

impl Plugins {
    /// Loads the packages; compiled components are kept in `artifacts` under `key`. On threads of its own, since
    /// compilation takes its time.
    ///
    /// # Errors
    /// The first package that is refused, with every fault of its manifest.
    pub fn load(packages: Vec<Package>, artifacts: PathBuf, key: [u8; 32]) -> Result<Self, PluginError> {
        let engine = engine::start()?;
        let checks = Checks::new(artifacts.clone(), key);
        let artifacts = Artifacts::new(artifacts, key);
        let watches = Arc::new(Watches::default());
        let mut all = BTreeMap::new();
        let installed =
            packages.iter().filter_map(|package| manifest::stated_id(&package.manifest)).collect();
        for package in packages {
            let plugin = plugin(&engine, (&artifacts, &checks), &package, Some(&installed), &watches)?;
            let id = Arc::clone(&plugin.manifest.id);
            if all.insert(id, Arc::new(plugin)).is_some() {
                let detail = "another package has the same plugin id".to_owned();
                return Err(PluginError::Package { package: package.name, detail });
            }
        }
        Ok(Self { all: Arc::new(all), gate: Gate::default(), watches })
    }

    /// The plugin with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Arc<Plugin>> {
        self.all.get(id).cloned()
    }

    /// The modules that can be licensed.
    #[must_use]
    pub fn modules(&self) -> Vec<String> {
        let mut modules: Vec<String> =
            self.all.values().filter_map(|plugin| plugin.manifest.module.clone()).collect();
        modules.sort();
        modules.dedup();
        modules
    }

    /// What plugins used since the start of the process, in one organization or in all, and whether they are paused.
    #[must_use]
    pub fn usage(&self, organization: Option<OrganizationId>, now: UnixMillis) -> Vec<PluginUsage> {
        self.watches.usage(organization, now)
    }

    /// Every plugin, by id.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Plugin>> {
        self.all.values()
    }

    /// The plugins that an organization with this entitlement may use now: base plugins, and those whose module is licensed.
    #[must_use]
    pub fn enabled(&self, entitlement: &Entitlement, now: UnixMillis) -> Vec<Arc<Plugin>> {
        self.all.values().filter(|plugin| plugin.licensed(entitlement, now)).cloned().collect()
    }
}

impl Plugin {
    /// Whether the entitlement covers it.
    #[must_use]
    pub fn licensed(&self, entitlement: &Entitlement, now: UnixMillis) -> bool {
        self.manifest.module.as_ref().is_none_or(|module| entitlement.allows(module, now))
    }

    /// Its entities as the organization of this scope has them: with the fields that it added.
    pub(crate) fn module<'a>(&self, scope: &'a Scope) -> Result<&'a Arc<Module>, RecordError> {
        scope.module(&self.manifest.id).ok_or(RecordError::NotFound)
    }

    /// The rights that the manifest proposes. Whoever may read or change some records may do so with those that were
    /// shared with him, which is said once however many grants are narrow.
    pub fn grants(&self) -> impl Iterator<Item = Grant> + '_ {
        let mut lent = HashSet::new();
        self.manifest.grants.iter().flat_map(move |declared| {
            let narrow = !matches!(declared.scope, Reach::Org) && !declared.object.ends_with(".module");
            let mut rows = Vec::with_capacity(declared.actions.len() * 2);
            for action in &declared.actions {
                let grant = |scope| Grant {
                    role: declared.role.clone(),
                    object: declared.object.clone(),
                    action: action.clone(),
                    scope,
                    effect: Effect::Allow,
                };
                rows.push(grant(declared.scope));
                let lends = narrow && matches!(action.as_str(), "read" | "update");
                if lends && lent.insert((&declared.role, &declared.object, action)) {
                    rows.push(grant(Reach::Shared));
                }
            }
            rows
        })
    }
}

fn plugin(
    engine: &Engine,
    (artifacts, checks): (&Artifacts, &Checks),
    package: &Package,
    installed: Option<&HashSet<String>>,
    watches: &Arc<Watches>,
) -> Result<Plugin, PluginError> {
    let manifest = Manifest::parse_among(&package.manifest, installed)
        .map_err(|faults| PluginError::Manifest { package: package.name.clone(), faults })?;
    let refuse = |error: wasmtime::Error| PluginError::Component {
        package: package.name.clone(),
        detail: format!("{error:#}"),
    };
    let listed = sql::read(&package.sql)
        .map_err(|detail| PluginError::Package { package: package.name.clone(), detail })?;
    checks.pass(package, &manifest, &listed)?;
    let sql = Texts::new(listed);
    sql::warn_of_missing(&package.name, &package.component, &sql);
    let component = artifacts.load(engine, package)?;
    let linker = imports::linker(engine, &component).map_err(refuse)?;
    let component = linker.instantiate_pre(&component).map_err(refuse)?;
    Ok(Plugin {
        hooks: WithHooksIndices::new(&component).ok(),
        actions: WithActionsIndices::new(&component).ok(),
        reports: WithReportsIndices::new(&component).ok(),
        component,
        manifest,
        watches: Arc::clone(watches),
        sql,
    })
}
