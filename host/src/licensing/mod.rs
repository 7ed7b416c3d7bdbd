//! Licensing: which modules an organization may use now, and until when.
//!
//! A module is what a plugin's manifest names as such; a plugin without one belongs to everybody. What the licences of
//! an organization allow is an [`Entitlement`]; everyone else asks it one question and never looks at dates.
//! Nothing here deletes data: what is no longer licensed answers `license_required` and stays where it is.
//!
//! Reading order: `entitlement.rs` (the rules), this file (operations), `store.rs` (SQL).

mod entitlement;
mod error;
mod store;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use dashmap::DashMap;

use crate::clock::{Clock, UnixMillis};
use crate::ids::OrganizationId;
use crate::storage::ControlPlane;

pub use entitlement::{Entitlement, Licence};
pub use error::LicensingError;

/// How long an entitlement is answered from memory before the control database is asked again, in milliseconds.
/// Changes by this process are seen at once.
pub const FRESH: UnixMillis = 5_000;

/// Every operation on licences. Cheap to clone.
#[derive(Clone)]
pub struct Licensing {
    control: ControlPlane,
    clock: Clock,
    known: Arc<DashMap<OrganizationId, Known>>,
}

#[derive(Default)]
struct Known {
    /// How often this process changed the licences: a reading that began before a change is not kept.
    changes: u64,
    read: Option<(Arc<Entitlement>, UnixMillis)>,
}

impl Licensing {
    /// Licences in this control database.
    #[must_use]
    pub fn new(control: ControlPlane, clock: Clock) -> Self {
        Self { control, clock, known: Arc::new(DashMap::new()) }
    }

    /// Licenses a module from now, until the instant `until` or until revoked. Replaces the licence it may have had.
    ///
    /// # Errors
    /// [`LicensingError::InvalidModule`], [`LicensingError::AlreadyOver`].
    pub async fn license(
        &self,
        organization: OrganizationId,
        module: &str,
        until: Option<UnixMillis>,
    ) -> Result<(), LicensingError> {
        let licence = Licence::new(module, self.clock.now(), until)?;
        store::put(self.control.pool(), organization, &licence, self.clock.now()).await?;
        self.forget(organization);
        Ok(())
    }

    /// Takes a module away; `false` when it was not licensed.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn revoke(&self, organization: OrganizationId, module: &str) -> Result<bool, LicensingError> {
        let revoked = store::delete(self.control.pool(), organization, module).await?;
        self.forget(organization);
        Ok(revoked)
    }

    /// What the organization may use. From memory, but for the first time and every [`FRESH`] milliseconds.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn entitlement(
        &self,
        organization: OrganizationId,
    ) -> Result<Arc<Entitlement>, LicensingError> {
        let now = self.clock.now();
        let seen = match self.known.get(&organization).as_deref() {
            Some(Known { read: Some((entitlement, at)), .. }) if now.saturating_sub(*at) < FRESH => {
                return Ok(entitlement.clone());
            }
            Some(known) => known.changes,
            None => 0,
        };
        let licences = store::list(self.control.pool(), organization).await?;
        let entitlement = Arc::new(Entitlement::new(licences));
        let mut known = self.known.entry(organization).or_default();
        if known.changes == seen {
            known.read = Some((entitlement.clone(), now));
        }
        Ok(entitlement)
    }

    fn forget(&self, organization: OrganizationId) {
        let mut known = self.known.entry(organization).or_default();
        known.changes += 1;
        known.read = None;
    }
}
