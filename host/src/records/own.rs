//! The organization's own file: what it arranges itself rather than what it stores, such as its schema, saved views and
//! import mappings.

use std::sync::Arc;

use super::Records;
use super::error::RecordError;
use crate::ids::OrganizationId;
use crate::storage::{FileKind, FileProfile, Migration, TenantFile};

/// The file's name, and what every such file has.
const NAME: &str = "configuration";

static PROFILE: FileProfile = FileProfile {
    kind: FileKind::Host,
    migrations: &[
        Migration {
            name: "configuration/0001_configuration",
            sql: include_str!("../../../migrations/configuration/0001_configuration.sql"),
        },
        Migration {
            name: "configuration/0002_views",
            sql: include_str!("../../../migrations/configuration/0002_views.sql"),
        },
        Migration {
            name: "configuration/0003_mappings",
            sql: include_str!("../../../migrations/configuration/0003_mappings.sql"),
        },
    ],
    redacted: &["draft.document"],
};

impl Records {
    /// The organization's own file.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub(crate) fn own_file(&self, organization: OrganizationId) -> Result<Arc<TenantFile>, RecordError> {
        Ok(self.files.open(organization, NAME, &PROFILE)?)
    }
}
