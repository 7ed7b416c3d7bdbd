//! What can keep a host from starting, or an organization from being entered, in words for the operator.

use std::path::PathBuf;

use crate::identity::IdentityError;
use crate::jobs::JobError;
use crate::licensing::LicensingError;
use crate::organizations::OrganizationError;
use crate::outbound::OutboundError;
use crate::platform::PlatformError;
use crate::plugins::PluginError;
use crate::plugins::catalogue::CatalogueError;
use crate::policy::PolicyError;
use crate::records::RecordError;
use crate::records::duplicates::sets::SetsError;
use crate::records::import::ImportError;
use crate::settings::SettingsError;
use crate::storage::StorageError;

/// Why the host or an organization is not ready.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The data folder.
    #[error("the data folder {} cannot be used: {source}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The list of leaked passwords.
    #[error("the list of leaked passwords {} cannot be used", path.display())]
    Breached {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Control database, secrets, files.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A package.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// Work in the background ended abnormally.
    #[error("work in the background ended abnormally")]
    Abnormal(#[from] tokio::task::JoinError),
    /// What publishers offer.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A file of the organization.
    #[error(transparent)]
    Records(#[from] RecordError),
    /// People.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The platform's administrators.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// The client for outgoing requests does not start.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// Licences.
    #[error(transparent)]
    Licensing(#[from] LicensingError),
    /// Organizations.
    #[error(transparent)]
    Organizations(#[from] OrganizationError),
    /// Settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Jobs.
    #[error(transparent)]
    Jobs(#[from] JobError),
    /// Imports.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// Duplicates in whole tables.
    #[error(transparent)]
    Duplicates(#[from] SetsError),
    /// A job that this version does not know.
    #[error("there is no job of the kind `{0}`")]
    JobKind(String),
}
