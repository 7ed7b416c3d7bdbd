//! What can go wrong with organizations, in the words of the domain.

use crate::ids::OrganizationId;
use crate::storage::StorageError;

use super::Slug;

/// What can go wrong with organizations.
#[derive(Debug, thiserror::Error)]
pub enum OrganizationError {
    /// No such organization.
    #[error("organization {0} does not exist")]
    NotFound(OrganizationId),
    /// Another organization has the slug, or had it: slugs are not given twice.
    #[error("slug `{0}` is taken")]
    SlugTaken(Slug),
    /// A value of the new organization is not acceptable.
    #[error("{field}: {reason}")]
    Invalid {
        /// Which: `slug`, `name`, `zone`, `locale` or `currency`.
        field: &'static str,
        /// What would be.
        reason: &'static str,
    },
    /// The control database failed: for the log, never for the caller.
    #[error("control database")]
    Storage(#[from] StorageError),
}
