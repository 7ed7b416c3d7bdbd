//! Organizations: the customers of the installation. Each is an island with files, people and licences of its own.
//!
//! This module owns the directory: which organization a slug or an id means, and whether it is active. The answer
//! comes from memory, because every request asks; another process's change is seen after [`FRESH`].
//!
//! Reading order: `organization.rs` (the type and its rules), this file (operations), `store.rs` (SQL).

mod error;
mod organization;
mod store;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use dashmap::DashMap;
use moka::sync::Cache;

use crate::clock::{Clock, UnixMillis};
use crate::ids::OrganizationId;
use crate::storage::{ControlPlane, StorageError};

pub use error::OrganizationError;
pub use organization::{NewOrganization, Organization, Slug, Status};

/// How long an organization is answered from memory before the control database is asked again, in milliseconds.
/// Changes by this process are seen at once.
pub const FRESH: UnixMillis = 5_000;

/// How long a slug that nobody has is remembered, in milliseconds.
pub const ABSENT: UnixMillis = 1_000;

/// Slugs that nobody has and that are remembered at once. A bound, so that guessing slugs cannot fill memory.
const ABSENT_SLUGS: u64 = 10_000;

/// Every operation on organizations. Cheap to clone.
#[derive(Clone)]
pub struct Organizations {
    control: ControlPlane,
    clock: Clock,
    known: Arc<Known>,
}

struct Known {
    by_id: DashMap<OrganizationId, Entry>,
    slugs: DashMap<String, OrganizationId>,
    absent: Cache<String, UnixMillis>,
}

#[derive(Clone)]
struct Entry {
    organization: Arc<Organization>,
    read_at: UnixMillis,
}

impl Organizations {
    /// The directory over this control database.
    #[must_use]
    pub fn new(control: ControlPlane, clock: Clock) -> Self {
        let known = Known { by_id: DashMap::new(), slugs: DashMap::new(), absent: Cache::new(ABSENT_SLUGS) };
        Self { control, clock, known: Arc::new(known) }
    }

    /// Creates an active organization. Its files come into being when they are first used.
    ///
    /// # Errors
    /// [`OrganizationError::Invalid`] names what is wrong; [`OrganizationError::SlugTaken`].
    pub async fn create(&self, new: NewOrganization) -> Result<Arc<Organization>, OrganizationError> {
        let organization = Organization::new(new, self.clock.now())?;
        if !store::insert(self.control.pool(), &organization).await? {
            return Err(OrganizationError::SlugTaken(organization.slug));
        }
        Ok(self.remember(organization))
    }

    /// The organization with this slug, if there is one. Text that is not a slug is nobody's.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn by_slug(&self, slug: &str) -> Result<Option<Arc<Organization>>, OrganizationError> {
        let now = self.clock.now();
        let id = self.known.slugs.get(slug).map(|id| *id);
        if let Some(found) = id.and_then(|id| self.fresh(id, now)) {
            return Ok(Some(found));
        }
        if Slug::parse(slug).is_err() {
            return Ok(None);
        }
        if self.known.absent.get(slug).is_some_and(|at| now.saturating_sub(at) < ABSENT) {
            return Ok(None);
        }
        match store::find_by_slug(self.control.pool(), slug).await? {
            Some(organization) => Ok(Some(self.remember(organization))),
            None => {
                self.known.absent.insert(slug.to_owned(), now);
                Ok(None)
            }
        }
    }

    /// The organization with this id.
    ///
    /// # Errors
    /// [`OrganizationError::NotFound`] when there is none.
    pub async fn get(&self, id: OrganizationId) -> Result<Arc<Organization>, OrganizationError> {
        if let Some(found) = self.fresh(id, self.clock.now()) {
            return Ok(found);
        }
        match store::find(self.control.pool(), id).await? {
            Some(organization) => Ok(self.remember(organization)),
            None => Err(OrganizationError::NotFound(id)),
        }
    }

    /// Every organization, by slug. For operators and for work that visits all of them.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn list(&self) -> Result<Vec<Arc<Organization>>, OrganizationError> {
        Ok(store::list(self.control.pool())
            .await?
            .into_iter()
            .map(|organization| self.remember(organization))
            .collect())
    }

    /// A page of organizations, by slug.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn page(
        &self,
        after: Option<&Slug>,
        limit: u32,
    ) -> Result<Vec<Arc<Organization>>, OrganizationError> {
        let rows = store::page(self.control.pool(), after.map(Slug::as_str), limit).await?;
        Ok(rows.into_iter().map(|organization| self.remember(organization)).collect())
    }

    /// Suspends or resumes an organization: nobody of a suspended one can log in or be authenticated.
    ///
    /// # Errors
    /// [`OrganizationError::NotFound`] when there is none.
    pub async fn set_status(
        &self,
        id: OrganizationId,
        status: Status,
    ) -> Result<Arc<Organization>, OrganizationError> {
        if !store::set_status(self.control.pool(), id, status).await? {
            return Err(OrganizationError::NotFound(id));
        }
        self.known.by_id.remove(&id);
        self.get(id).await
    }

    /// The organization that has shown a domain to be its own.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn holder_of(&self, domain: &str) -> Result<Option<OrganizationId>, StorageError> {
        store::holder_of(self.control.pool(), domain).await
    }

    /// Writes down that a domain is this organization's, whoever's it was before.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn hold(&self, domain: &str, holder: OrganizationId) -> Result<(), StorageError> {
        store::hold(self.control.pool(), domain, holder, self.clock.now()).await
    }

    /// A domain is this organization's no more, if it was.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn release(&self, domain: &str, holder: OrganizationId) -> Result<(), StorageError> {
        store::release(self.control.pool(), domain, holder).await
    }

    fn fresh(&self, id: OrganizationId, now: UnixMillis) -> Option<Arc<Organization>> {
        let entry = self.known.by_id.get(&id)?;
        (now.saturating_sub(entry.read_at) < FRESH).then(|| entry.organization.clone())
    }

    fn remember(&self, organization: Organization) -> Arc<Organization> {
        let organization = Arc::new(organization);
        let entry = Entry { organization: organization.clone(), read_at: self.clock.now() };
        self.known.absent.invalidate(organization.slug.as_str());
        self.known.by_id.insert(organization.id, entry);
        self.known.slugs.insert(organization.slug.as_str().to_owned(), organization.id);
        organization
    }
}
