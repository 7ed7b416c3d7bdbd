//! Why a plugin was not installed, switched or taken away, in words for an administrator.

use crate::app::AppError;
use crate::plugins::capabilities::Difference;
use crate::storage::StorageError;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The plugin is not at hand in this version.
    #[error("the plugin `{plugin}` is not at hand in version {version}; at hand: {}", listed(.known))]
    UnknownVersion {
        /// Which plugin.
        plugin: String,
        /// What was asked for.
        version: String,
        /// What could have been.
        known: Vec<String>,
    },
    /// The organization does not have the plugin.
    #[error("the organization does not have the plugin `{0}`")]
    NotInstalled(String),
    /// It refers to plugins that do not run here.
    #[error("the plugin `{plugin}` needs plugins that do not run here: {}", .needs.join(", "))]
    Needs {
        /// Which plugin.
        plugin: String,
        /// What is missing.
        needs: Vec<String>,
    },
    /// Others refer to it.
    #[error("plugins that run here need `{plugin}`: {}", .by.join(", "))]
    Needed {
        /// Which plugin.
        plugin: String,
        /// By whom.
        by: Vec<String>,
    },
    /// Nobody agreed to what the version can do.
    #[error("the version can do more than was agreed to")]
    Consent(Difference),
    /// An older version that this organization never ran.
    #[error("version {0} is older than the one that runs, and was never run here")]
    NeverRan(String),
    /// There is nothing to go back to.
    #[error("there is no earlier version to go back to")]
    NothingBefore,
    /// It is part of the installation.
    #[error("the plugin `{0}` is part of this installation and cannot be taken away; disable it instead")]
    PartOfInstallation(String),
    /// The version cannot be made ready here. What was there runs on.
    #[error("the version cannot be made ready here: {0}")]
    Unfit(String),
    /// A roll-out of the plugin is running.
    #[error("a roll-out of the plugin `{0}` is running; wait for it or stop it")]
    RollingOut(String),
    /// The control database, or a file.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The organization.
    #[error(transparent)]
    App(#[from] AppError),
}

fn listed(versions: &[String]) -> String {
    if versions.is_empty() { "no version".to_owned() } else { versions.join(", ") }
}
