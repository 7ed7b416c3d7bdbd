//! From a package to a plugin that can be called.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::Engine;

use super::artifact::Artifacts;
use super::bindings::actions::WithActionsIndices;
use super::bindings::hooks::WithHooksIndices;
use super::bindings::reports::WithReportsIndices;
use super::error::PluginError;
use super::fleet::Fleet;
use super::manifest::Manifest;
use super::package::Package;
use super::package::inspect::inspect;
use super::sql::check::Checks;
use super::sql::{self, Texts};
use super::usage::Watches;
use super::{Plugin, engine, imports};

/// What making plugins needs of an installation, or of the scratch folder of an author. One for each process, since it has
/// the engine.
pub(crate) struct Maker {
    pub(super) engine: Engine,
    pub(super) artifacts: Artifacts,
    checks: Checks,
    /// What the plugins use.
    pub(super) watches: Arc<Watches>,
}

impl Maker {
    /// One that keeps what it compiled in this folder.
    ///
    /// # Errors
    /// The engine cannot be made on this machine.
    pub(crate) fn new(folder: PathBuf, key: [u8; 32]) -> Result<Self, PluginError> {
        Ok(Self {
            engine: engine::start()?,
            checks: Checks::new(folder.clone(), key),
            artifacts: Artifacts::new(folder, key),
            watches: Arc::default(),
        })
    }

    /// The package as a plugin. `installed`: the plugins that it may require; any, if `None`.
    pub(super) fn make(
        &self,
        package: &Package,
        installed: Option<&HashSet<String>>,
    ) -> Result<Plugin, PluginError> {
        let manifest = Manifest::parse_among(&package.manifest, installed)
            .map_err(|faults| PluginError::Manifest { package: package.name.clone(), faults })?;
        let raised = package.trust.raised(&manifest.limits);
        if !raised.is_empty() {
            return Err(PluginError::Manifest { package: package.name.clone(), faults: raised });
        }
        inspect(&package.component, &manifest)
            .map_err(|faults| PluginError::Inspected { package: package.name.clone(), faults })?;
        let refuse = |error: wasmtime::Error| PluginError::Component {
            package: package.name.clone(),
            detail: format!("{error:#}"),
        };
        let listed = sql::read(&package.sql)
            .map_err(|detail| PluginError::Package { package: package.name.clone(), detail })?;
        self.checks.pass(package, &manifest, &listed)?;
        let sql = Texts::new(listed);
        sql::warn_of_missing(&package.name, &package.component, &sql);
        let component = self.artifacts.load(&self.engine, package)?;
        let linker = imports::linker(&self.engine, &component).map_err(refuse)?;
        let component = linker.instantiate_pre(&component).map_err(refuse)?;
        Ok(Plugin {
            hooks: WithHooksIndices::new(&component).ok(),
            actions: WithActionsIndices::new(&component).ok(),
            reports: WithReportsIndices::new(&component).ok(),
            component,
            manifest,
            trust: package.trust,
            watches: Arc::clone(&self.watches),
            fleet: Fleet::default(),
            sql,
        })
    }
}
