//! Everything that can be said about a package before anything of it runs. `stoa plugin check` asks exactly this.

use std::collections::HashSet;

use super::{Archive, COMPONENT, MANIFEST, PackageFault, SQL, Trust};
use crate::plugins::error::PluginError;
use crate::plugins::{Maker, ManifestFault, Plugin, sql};

impl Maker {
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
        let package = archive.package(trust);
        let texts = sql::read(&package.sql).map_or(0, |texts| texts.len());
        match self.make(&package, installed) {
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

/// Faults of the manifest as faults of the package.
pub(in crate::plugins) fn misfits(faults: Vec<ManifestFault>) -> Vec<PackageFault> {
    let fault =
        |fault: ManifestFault| PackageFault::new(MANIFEST, format!("{}: {}", fault.pointer, fault.detail));
    faults.into_iter().map(fault).collect()
}

/// The faults of the file that an error is about.
fn told(error: PluginError) -> Vec<PackageFault> {
    match error {
        PluginError::Manifest { faults, .. } => misfits(faults),
        PluginError::Inspected { faults, .. } => faults,
        PluginError::Component { detail, .. } => vec![PackageFault::new(COMPONENT, detail)],
        PluginError::Package { detail, .. } => vec![PackageFault::new(SQL, detail)],
        error @ PluginError::Sql { .. } => vec![PackageFault::new(SQL, error.to_string())],
        error @ PluginError::Engine(_) => vec![PackageFault::new("the package", error.to_string())],
    }
}
