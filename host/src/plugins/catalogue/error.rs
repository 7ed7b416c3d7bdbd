//! Why something was not published, trusted or stopped, in words for an administrator.

use crate::plugins::PackageFault;
use crate::storage::StorageError;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The package is not good; every fault that can be found.
    #[error("the package is refused: {}", told(.0))]
    Package(Vec<PackageFault>),
    /// Nobody signed it, or a key that nobody here trusts.
    #[error("the package is signed by nobody whom this installation trusts{}", .0.as_deref().map(|key| format!(": key {key}")).unwrap_or_default())]
    Untrusted(Option<String>),
    /// The plugin belongs to somebody else.
    #[error("the plugin `{plugin}` belongs to {owner}")]
    Owned {
        /// The plugin's id.
        plugin: String,
        /// A publisher, or the installation itself.
        owner: String,
    },
    /// The version was published before, and was something else.
    #[error("version {version} of `{plugin}` was published before with other bytes; publish another version")]
    Published {
        /// The plugin's id.
        plugin: String,
        /// The version.
        version: String,
    },
    /// There is no such publisher.
    #[error("there is no publisher `{0}`")]
    UnknownPublisher(String),
    /// There is no such key.
    #[error("the publisher has no key `{0}`")]
    UnknownKey(String),
    /// There is no such version.
    #[error("the catalogue does not have version {version} of `{plugin}`")]
    UnknownVersion {
        /// The plugin's id.
        plugin: String,
        /// The version.
        version: String,
    },
    /// A publisher of this id, or this key, is there already.
    #[error("{0} is taken")]
    Taken(String),
    /// What was sent is not what it should be.
    #[error("{detail}")]
    Invalid {
        /// The member.
        field: &'static str,
        /// What it should be.
        detail: String,
    },
    /// The package cannot be kept or read.
    #[error("the package cannot be kept: {0}")]
    File(#[from] std::io::Error),
    /// The work ended abnormally.
    #[error("the check ended abnormally")]
    Abnormal(#[from] tokio::task::JoinError),
    /// The control database.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

fn told(faults: &[PackageFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
