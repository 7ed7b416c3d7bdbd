//! Policy: who may do what to which records.
//!
//! A policy is rows: a role may (or must not) do an action on an object, within a scope: its own records, its teams',
//! or all of the organization. Shipped rows stand in `policies/roles.csv` and speak of the host's objects; plugins
//! bring theirs as [`Grant`]s. Nothing is allowed by default, and a deny beats every allow.
//!
//! Casbin defines what the rows mean (`policies/model.conf`) and is the reference; answers come from a [`PolicyIndex`]
//! compiled out of casbin. An answer is a [`RowScope`], which judges one record or becomes the predicate of a query;
//! a property test holds casbin, the index and SQLite equal.
//!
//! Reading order: `scope.rs` (the answer), `rows.rs` (what is accepted), `model.rs` (casbin), `index.rs` (decide).
//! Not here: who has which role (see [`crate::identity`]), what is licensed (see [`crate::licensing`]).

mod error;
mod index;
mod model;
mod rows;
mod scope;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use tokio::runtime::Handle;

use crate::caller::Caller;
use crate::ids::OrganizationId;

pub use error::{Fault, Origin, PolicyError};
pub use index::PolicyIndex;
pub use rows::{ACTIONS, Grant, OWNER, Rule};
pub use scope::{Effect, RowScope, Scope, UnknownWord};

use rows::Rows;

/// The policies of all organizations that were loaded. Cheap to clone.
#[derive(Clone, Default)]
pub struct Policy {
    installed: Arc<DashMap<OrganizationId, Installed>>,
    loads: Arc<AtomicU64>,
}

struct Installed {
    load: u64,
    index: Arc<PolicyIndex>,
}

impl Policy {
    /// No policy for anyone yet, so that everything is denied.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
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
        let load = self.loads.fetch_add(1, Ordering::Relaxed);
        let index = Arc::new(build(model::MODEL, organization, Rows::collect(rows::SHIPPED, grants)?).await?);
        Ok(self.install(organization, load, index))
    }

    /// The policy in force.
    #[must_use]
    pub fn index(&self, organization: OrganizationId) -> Option<Arc<PolicyIndex>> {
        self.installed.get(&organization).map(|installed| Arc::clone(&installed.index))
    }

    /// What the caller may do; nothing while the organization's policy is not loaded.
    #[must_use]
    pub fn decide(&self, caller: &Caller, object: &str, action: &str) -> RowScope {
        self.installed.get(&caller.organization).map_or(RowScope::NEVER, |installed| {
            installed.index.decide(&caller.principal.roles, object, action)
        })
    }

    /// The rows that decide for somebody with these roles; none means that nothing was granted.
    #[must_use]
    pub fn explain(
        &self,
        organization: OrganizationId,
        roles: &[Arc<str>],
        object: &str,
        action: &str,
    ) -> Vec<Rule> {
        self.index(organization).map(|index| index.explain(roles, object, action)).unwrap_or_default()
    }

    /// Two loads may run side by side: the one that was asked for later wins, whichever ends first.
    fn install(&self, organization: OrganizationId, load: u64, index: Arc<PolicyIndex>) -> Arc<PolicyIndex> {
        let mut entry = self
            .installed
            .entry(organization)
            .or_insert_with(|| Installed { load, index: Arc::clone(&index) });
        if entry.load < load {
            *entry = Installed { load, index };
        }
        Arc::clone(&entry.index)
    }
}

/// Builds on a blocking thread: the first enforcer of a process takes ten milliseconds.
async fn build(
    model: &'static str,
    organization: OrganizationId,
    rows: Rows,
) -> Result<PolicyIndex, PolicyError> {
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        let organization = organization.to_string();
        let enforcer = runtime.block_on(model::enforcer(model, &organization, &rows))?;
        model::prove_harmless(&enforcer, &organization, &rows)?;
        PolicyIndex::compile(&enforcer, &organization, rows)
    })
    .await?
}
