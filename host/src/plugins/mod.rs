//! Plugins: the only door to plugin code.
//!
//! A package is a manifest and a component ([`package`]). At start each is checked ([`manifest`]), compiled once and kept
//! by digest ([`artifact`]), and so are its SQL texts ([`sql`]), both in a limited child ([`worker`]). A call ([`call`]) is a fresh instance with a processor, time, memory and host-call limit, on a
//! write transaction or a snapshot, all gone when the answer is out. What a plugin may reach is the folder [`imports`], one
//! file for each interface of the contract.
//!
//! Reading order: `package/`, `manifest.rs`, `reading.rs`, `entity.rs`, `limits.rs`, `engine.rs`, `artifact.rs`, `worker.rs`, `sql/`,
//! `shelf.rs`,
//! `call.rs`, `breaker.rs`, `fleet.rs`, `usage.rs`, `metering/`, `refusal.rs`, `imports/`, `catalogue/`, `capabilities.rs`, `installations/`, `hooks.rs`, `action.rs`, `report.rs`.

mod action;
mod artifact;
mod bindings;
mod breaker;
mod call;
pub mod capabilities;
pub mod catalogue;
mod declaration;
mod engine;
mod entity;
mod error;
mod fleet;
mod hooks;
mod imports;
pub mod installations;
mod limits;
mod maker;
mod manifest;
pub mod metering;
mod package;
mod reading;
mod refusal;
mod report;
mod shelf;
mod sql;
#[cfg(test)]
pub(crate) mod tests;
mod usage;
mod views;
pub(crate) mod worker;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::component::InstancePre;

use self::bindings::actions::WithActionsIndices;
use self::bindings::hooks::WithHooksIndices;
use self::bindings::reports::WithReportsIndices;
use self::call::State;
use self::engine::Gate;
use self::fleet::Fleet;
use self::shelf::Shelf;
use self::sql::Texts;
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
pub use self::limits::{Limits, Times};
pub(crate) use self::maker::Maker;
pub(crate) use self::manifest::is_plugin_id;
pub use self::manifest::{Manifest, ManifestFault};
pub use self::package::{Archive, LARGEST, Package, PackageFault, PrivateKey, PublicKey, Trust, files_of};
pub use self::usage::{CallKind, Most, PluginUsage, Used};

/// One version of a plugin, ready to be called.
pub struct Plugin {
    /// What it declares.
    pub manifest: Manifest,
    /// How far its publisher is trusted.
    pub trust: Trust,
    component: InstancePre<State>,
    hooks: Option<WithHooksIndices>,
    actions: Option<WithActionsIndices>,
    reports: Option<WithReportsIndices>,
    watches: Arc<Watches>,
    /// Whether it may be called at all.
    fleet: Fleet,
    /// The SQL that it may use.
    sql: Texts,
}

/// Every version of every plugin that this host can run. Cheap to clone.
#[derive(Clone)]
pub struct Plugins {
    shelf: Arc<Shelf>,
    maker: Arc<Maker>,
    gate: Gate,
}

impl Plugins {
    /// Loads the packages; compiled components are kept in `artifacts` under `key`. On threads of its own, since
    /// compilation takes its time.
    ///
    /// # Errors
    /// The first package that is refused, with every fault of its manifest.
    pub fn load(packages: Vec<Package>, artifacts: PathBuf, key: [u8; 32]) -> Result<Self, PluginError> {
        let plugins = Self {
            shelf: Arc::default(),
            maker: Arc::new(Maker::new(artifacts, key)?),
            gate: Gate::default(),
        };
        let installed =
            packages.iter().filter_map(|package| manifest::stated_id(&package.manifest)).collect();
        for package in packages {
            let plugin = plugins.maker.make(&package, Some(&installed))?;
            let (id, version) = (&plugin.manifest.id, &plugin.manifest.version);
            if plugins.version(id, version).is_some() {
                let detail = format!("another package is the plugin `{id}` in the same version {version}");
                return Err(PluginError::Package { package: package.name, detail });
            }
            plugins.shelve(plugin);
        }
        match plugins.all().iter().find_map(|plugin| plugins.misfit(plugin)) {
            Some((package, faults)) => Err(PluginError::Manifest { package, faults }),
            None => Ok(plugins),
        }
    }

    /// What is wrong with the views of others that a plugin reads.
    fn misfit(&self, plugin: &Plugin) -> Option<(String, Vec<ManifestFault>)> {
        let all = self.all();
        let faults = views::unpublished(&plugin.manifest, |id| {
            let versions = all.iter().filter(|other| &*other.manifest.id == id);
            versions.map(|other| &other.manifest.records.between).collect()
        });
        (!faults.is_empty()).then(|| (plugin.manifest.id.to_string(), faults))
    }

    /// Makes a plugin of a package that comes while the host runs, if it is good and has no more than what its level may
    /// have. Takes its time, on this thread, which must not be an async worker; nobody can call it before it is shelved.
    ///
    /// # Errors
    /// Every fault that can be found.
    pub fn check(&self, archive: &Archive, trust: Trust) -> Result<Plugin, Vec<PackageFault>> {
        let mut installed: HashSet<String> = self.shelf.now().keys().map(|id| id.to_string()).collect();
        installed.insert(archive.index().plugin.clone());
        let plugin = self.maker.check(archive, trust, Some(&installed))?;
        match self.misfit(&plugin) {
            Some((_, faults)) => Err(package::misfits(faults)),
            None => Ok(plugin),
        }
    }

    /// What makes plugins here: what it compiled is not compiled again.
    pub(crate) fn maker(&self) -> &Maker {
        &self.maker
    }

    /// Makes this version one that can be run, in place of the same version if that is there.
    pub fn shelve(&self, plugin: impl Into<Arc<Plugin>>) {
        self.shelf.put(plugin.into());
    }

    /// Takes a version away; whoever runs it now finishes what he began.
    pub fn take_off(&self, id: &str, version: &str) -> Option<Arc<Plugin>> {
        self.shelf.take(id, version)
    }

    /// Exactly this version.
    #[must_use]
    pub fn version(&self, id: &str, version: &str) -> Option<Arc<Plugin>> {
        self.shelf.now().get(id).and_then(|all| shelf::with_version(all, version).cloned())
    }

    /// Every version of a plugin, the oldest first.
    #[must_use]
    pub fn versions(&self, id: &str) -> Vec<Arc<Plugin>> {
        self.shelf.now().get(id).cloned().unwrap_or_default()
    }

    /// The version that this caller's organization runs.
    pub(crate) fn of(&self, scope: &Scope, id: &str) -> Result<Arc<Plugin>, RecordError> {
        let module = scope.module(id).ok_or(RecordError::NotFound)?;
        self.version(id, &module.version).ok_or_else(|| RecordError::Plugin {
            plugin: id.to_owned(),
            code: "plugin_stopped",
            detail: format!("its version {} was stopped on this installation", module.version),
        })
    }

    /// The modules that can be licensed.
    #[must_use]
    pub fn modules(&self) -> Vec<String> {
        let mut modules: Vec<String> =
            self.all().iter().filter_map(|plugin| plugin.manifest.module.clone()).collect();
        modules.sort();
        modules.dedup();
        modules
    }

    /// What plugins used since the start of the process, in one organization or in all, and whether they are paused.
    #[must_use]
    pub fn usage(&self, organization: Option<OrganizationId>, now: UnixMillis) -> Vec<PluginUsage> {
        self.maker.watches.usage(organization, now)
    }

    /// Every version of every plugin, by id, the oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Plugin>> {
        self.shelf.now().values().flatten().cloned().collect()
    }

    /// The newest version of each plugin that is part of this installation and not of the catalogue: what an organization
    /// runs that chose nothing else.
    #[must_use]
    pub fn usual(&self) -> Vec<Arc<Plugin>> {
        let own = |plugin: &&Arc<Plugin>| matches!(plugin.trust, Trust::Core | Trust::Local);
        self.shelf.now().values().filter_map(|all| all.iter().rev().find(own).cloned()).collect()
    }
}

impl Plugin {
    /// Whether the entitlement covers it.
    #[must_use]
    pub fn licensed(&self, entitlement: &Entitlement, now: UnixMillis) -> bool {
        self.manifest.module.as_ref().is_none_or(|module| entitlement.allows(module, now))
    }

    /// Until when no organization's calls are made, because it failed in many of them.
    #[must_use]
    pub fn paused_until(&self, now: UnixMillis) -> Option<UnixMillis> {
        self.fleet.shut_until(now)
    }

    /// Takes it out of service everywhere for ten minutes, since something of it hangs; then one call is tried.
    pub fn quarantine(&self, now: UnixMillis) {
        self.fleet.trip(now);
    }

    /// What it declares, reading of other plugins what was agreed to and no more. What is part of the installation, its
    /// operator chose himself.
    pub(crate) fn as_agreed(&self, agreed: Option<&capabilities::Capabilities>) -> Arc<Module> {
        let records = &self.manifest.records;
        let (false, Some(agreed)) = (matches!(self.trust, Trust::Core | Trust::Local), agreed) else {
            return Arc::clone(records);
        };
        let granted = capabilities::readings(&self.manifest, agreed);
        if records.between.reads.iter().all(|reading| granted.contains(&reading.key())) {
            return Arc::clone(records);
        }
        Arc::new(Module { between: records.between.granting(&granted), ..(**records).clone() })
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
