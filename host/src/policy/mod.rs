//! Policy: who may do what to which records.
//!
//! A policy is rows: a role, a team or a principal may (or must not) do an action on an object, within a scope (its own
//! records, its teams', those below, those shared with it, or all of the organization) and under a condition. Shipped rows
//! stand in `policies/roles.csv` and speak of the host's objects; plugins bring theirs as [`Grant`]s; organizations add
//! theirs ([`Overlay`]). Nothing is allowed by default, and a deny beats every allow.
//!
//! Casbin defines what the rows mean (`policies/model.conf`) and is the reference; answers come from a [`PolicyIndex`]
//! compiled out of casbin. An answer is a [`Decision`], which judges one record or becomes the predicate of a query;
//! property tests hold casbin, the index and SQLite equal.
//!
//! Reading order: `scope.rs`, `decision.rs` (the answer), `condition.rs`, `label.rs` (fields), `limits.rs` (credentials),
//! `rows.rs` and `reading.rs` (what is accepted), `model.rs` (casbin), `index.rs` (decide), `overlay.rs` and `store.rs`
//! (what an organization adds), `change.rs` (who may add what).
//! Not here: who has which role (see [`crate::identity`]), what is licensed (see [`crate::licensing`]).

pub mod change;
pub mod condition;
mod decision;
mod error;
mod index;
mod label;
pub mod limits;
mod model;
mod overlay;
mod reading;
#[cfg(test)]
pub(crate) mod reference;
mod rows;
mod scope;
mod store;
mod subject;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use crate::caller::Caller;
use crate::clock::Clock;
use crate::ids::OrganizationId;

pub use condition::Condition;
pub use decision::{Decision, Predicate, Subject as Record};
pub use error::{Fault, Origin, PolicyError};
pub use index::PolicyIndex;
pub use label::{FieldUse, Label};
pub use overlay::{Addition, Overlay, Role, Words};
pub use rows::{ACTIONS, Grant, OWNER, Row, Rule, SHIPPED_ROLES};
pub use scope::{Effect, RowScope, Scope, UnknownWord};
pub use subject::Subject;

use rows::Rows;

/// The policies of all organizations that were loaded. Cheap to clone.
#[derive(Clone)]
pub struct Policy {
    installed: Arc<DashMap<OrganizationId, Installed>>,
    loads: Arc<AtomicU64>,
    /// Held while an organization's policy is changed.
    turns: Arc<DashMap<OrganizationId, Arc<Mutex<()>>>>,
    clock: Clock,
}

struct Installed {
    load: u64,
    index: Arc<PolicyIndex>,
}

/// A policy that was built and proved, but does not decide yet.
pub struct Candidate {
    load: u64,
    /// What it would decide.
    pub index: Arc<PolicyIndex>,
}

impl Default for Policy {
    fn default() -> Self {
        Self::new()
    }
}

impl Policy {
    /// No policy for anyone yet, so that everything is denied.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Clock::system())
    }

    /// The same, deciding at the instants of this clock.
    #[must_use]
    pub fn with_clock(clock: Clock) -> Self {
        Self { installed: Arc::default(), loads: Arc::default(), turns: Arc::default(), clock }
    }

    /// Builds the organization's policy from the shipped rows and these grants, and puts it in force at once for every
    /// decision from now on. Until it is whole and proved, and when it fails, the policy before stays in force.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] with every bad row; the others when casbin does not behave.
    pub async fn load(
        &self,
        organization: OrganizationId,
        grants: &[Grant],
    ) -> Result<Arc<PolicyIndex>, PolicyError> {
        let candidate = self.build(organization, grants, &Overlay::default()).await?;
        Ok(self.install(organization, candidate))
    }

    /// Builds a policy aside: the shipped rows, these grants, and what the organization added.
    ///
    /// # Errors
    /// As for [`Self::load`].
    pub async fn build(
        &self,
        organization: OrganizationId,
        grants: &[Grant],
        overlay: &Overlay,
    ) -> Result<Candidate, PolicyError> {
        let load = self.loads.fetch_add(1, Ordering::Relaxed);
        let rows = Rows::collect(rows::SHIPPED, grants, overlay)?;
        let index = build(model::MODEL, organization, rows, self.clock.clone()).await?;
        Ok(Candidate { load, index: Arc::new(index) })
    }

    /// Puts a policy in force. Two may be built side by side: the one that was asked for later wins, whichever ends
    /// first.
    pub fn install(&self, organization: OrganizationId, candidate: Candidate) -> Arc<PolicyIndex> {
        let Candidate { load, index } = candidate;
        let mut entry = self
            .installed
            .entry(organization)
            .or_insert_with(|| Installed { load, index: Arc::clone(&index) });
        if entry.load < load {
            *entry = Installed { load, index };
        }
        Arc::clone(&entry.index)
    }

    fn turn(&self, organization: OrganizationId) -> Arc<Mutex<()>> {
        Arc::clone(&self.turns.entry(organization).or_default())
    }

    /// The policy in force.
    #[must_use]
    pub fn index(&self, organization: OrganizationId) -> Option<Arc<PolicyIndex>> {
        self.installed.get(&organization).map(|installed| Arc::clone(&installed.index))
    }

    /// What the caller may do; nothing while the organization's policy is not loaded.
    #[must_use]
    pub fn decide(&self, caller: &Caller, object: &str, action: &str) -> Decision {
        self.installed
            .get(&caller.organization)
            .map_or(Decision::NEVER, |installed| installed.index.decide(&caller.principal, object, action))
    }
}

/// Builds on a blocking thread: the first enforcer of a process takes ten milliseconds.
async fn build(
    model: &'static str,
    organization: OrganizationId,
    rows: Rows,
    clock: Clock,
) -> Result<PolicyIndex, PolicyError> {
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        let organization = organization.to_string();
        let enforcer = runtime.block_on(model::enforcer(model, &organization, &rows))?;
        model::prove_harmless(&enforcer, &organization, &rows)?;
        PolicyIndex::compile(&enforcer, &organization, rows, clock)
    })
    .await?
}
