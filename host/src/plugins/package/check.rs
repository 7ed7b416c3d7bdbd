//! Everything that can be said about a package before anything of it runs. `stoa plugin check` asks exactly this.

use std::collections::HashSet;
use std::sync::Arc;

use wasmtime::Engine;

use super::{Archive, COMPONENT, MANIFEST, PackageFault, SQL, Trust};
use crate::plugins::artifact::Artifacts;
use crate::plugins::error::PluginError;
use crate::plugins::sql::check::Checks;
use crate::plugins::{Plugin, Watches, engine, plugin, sql};

/// What checking needs of an installation, or of the scratch folder of an author.
pub(crate) struct Checker {
    engine: Engine,
    artifacts: Artifacts,
    checks: Checks,
}

impl Checker {
    /// One that keeps what it compiled in this folder.
    ///
    /// # Errors
    /// The engine cannot be made on this machine.
    pub(crate) fn new(folder: &std::path::Path, key: [u8; 32]) -> Result<Self, PluginError> {
        Ok(Self {
            engine: engine::start()?,
            artifacts: Artifacts::new(folder.to_owned(), key),
            checks: Checks::new(folder.to_owned(), key),
        })
    }

    /// The package as a plugin that could be called, when it is good and within what its level may have.
    ///
    /// # Errors
    /// Every fault that can be found.
    pub(crate) fn check(
        &self,
        archive: &Archive,
        trust: Trust,
        installed: Option<&HashSet<String>>,
    ) -> Result<Plugin, Vec<PackageFault>> {
        let mut faults = Vec::new();
        faults.extend(archive.index().runs_here().err());
        let package = archive.package();
        let texts = sql::read(&package.sql).map_or(0, |texts| texts.len());
        let watches = Arc::new(Watches::default());
        match plugin(&self.engine, (&self.artifacts, &self.checks), &package, installed, &watches) {
            Ok(plugin) => {
                faults.extend(trust.excesses(&plugin.manifest, texts, package.component.len()));
                if faults.is_empty() {
                    return Ok(plugin);
                }
            }
            Err(error) => faults.extend(told(error)),
        }
        Err(faults)
    }
}

/// The faults of the file that an error is about.
fn told(error: PluginError) -> Vec<PackageFault> {
    match error {
        PluginError::Manifest { faults, .. } => {
            let fault = |fault: crate::plugins::ManifestFault| {
                PackageFault::new(MANIFEST, format!("{}: {}", fault.pointer, fault.detail))
            };
            faults.into_iter().map(fault).collect()
        }
        PluginError::Component { detail, .. } => vec![PackageFault::new(COMPONENT, detail)],
        PluginError::Package { detail, .. } => vec![PackageFault::new(SQL, detail)],
        error @ PluginError::Sql { .. } => vec![PackageFault::new(SQL, error.to_string())],
        error @ PluginError::Engine(_) => vec![PackageFault::new("the package", error.to_string())],
    }
}
