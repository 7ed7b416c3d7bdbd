//! What can go wrong with plugins, in the words of the domain.

use super::manifest::ManifestFault;
use super::package::PackageFault;

/// Why a plugin was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The engine could not be made on this machine.
    #[error("the plugin engine cannot start: {0}")]
    Engine(String),
    /// The package cannot be read.
    #[error("package {package}: {detail}")]
    Package {
        /// Which.
        package: String,
        /// What and what to do.
        detail: String,
    },
    /// The manifest does not validate; every fault is listed.
    #[error("the manifest of package {package} has {} fault(s):{}", faults.len(), listed(faults))]
    Manifest {
        /// Which.
        package: String,
        /// All of them.
        faults: Vec<ManifestFault>,
    },
    /// A text of the package's SQL, or its private tables, cannot be compiled or cost too much.
    #[error("the SQL of package {package} is refused{}: {detail}", text.as_deref().map_or_else(|| ", its tables".to_owned(), |text| format!(", `{text}`")))]
    Sql {
        /// Which.
        package: String,
        /// The beginning of the text; none for the tables.
        text: Option<String>,
        /// Why.
        detail: String,
    },
    /// The component is one that no host compiles; every fault is listed.
    #[error("the component of package {package} is refused:{}", faults.iter().map(|fault| format!("\n  {fault}")).collect::<String>())]
    Inspected {
        /// Which.
        package: String,
        /// All of them.
        faults: Vec<PackageFault>,
    },
    /// The component does not compile, or asks for what the contract does not offer.
    #[error("the component of package {package} is refused: {detail}")]
    Component {
        /// Which.
        package: String,
        /// Why.
        detail: String,
    },
}

fn listed(faults: &[ManifestFault]) -> String {
    faults
        .iter()
        .map(|fault| {
            format!("\n  {}: {}", if fault.pointer.is_empty() { "/" } else { &fault.pointer }, fault.detail)
        })
        .collect()
}
