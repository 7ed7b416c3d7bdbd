//! The policy of an organization: loaded with what it added, changed while it is at work.

use std::sync::Arc;

use super::{App, AppError, Entered};
use crate::caller::Caller;
use crate::clock::UnixMillis;
use crate::ids::{OrganizationId, PolicyId};
use crate::policy::change::PolicyChange;
use crate::policy::{Grant, Origin, PolicyError, PolicyIndex, Row};
use crate::records::rights::conditions::Reader;

impl App {
    /// The organization's policy, in force. One that does not load leaves the one before in force; without one before,
    /// the organization stays shut.
    pub(super) async fn load_policy(
        &self,
        organization: OrganizationId,
        grants: &[Grant],
    ) -> Result<Arc<PolicyIndex>, AppError> {
        let built = match self.policy.overlay(&self.identity, organization) {
            Ok(overlay) => self.policy.build(organization, grants, &overlay).await,
            Err(error) => Err(error),
        };
        match (built, self.policy.index(organization)) {
            (Ok(candidate), _) => Ok(self.policy.install(organization, candidate)),
            (Err(error), Some(before)) => {
                tracing::error!(%error, %organization, "the policy does not load; the one before stays in force");
                Ok(before)
            }
            (Err(error), None) => Err(error.into()),
        }
    }

    /// What was made ready before, with the policy that is in force now.
    pub(super) fn under_present_policy(&self, entered: Arc<Entered>) -> Arc<Entered> {
        match self.policy.index(entered.organization.id) {
            Some(policy) if !Arc::ptr_eq(&policy, &entered.policy) => {
                let entered = Arc::new(Entered { policy, ..(*entered).clone() });
                self.entered.insert(entered.organization.id, Arc::clone(&entered));
                entered
            }
            _ => entered,
        }
    }

    /// Changes what the organization added to its policy. In force from the next request on.
    ///
    /// # Errors
    /// Those of [`crate::policy::Policy::change`].
    pub async fn change_policy(
        &self,
        entered: &Entered,
        caller: &Caller,
        change: PolicyChange,
    ) -> Result<(), PolicyError> {
        let now = self.clock.now();
        let fits = |row: &Row| fits(entered, caller, row, now);
        self.policy.change(&self.identity, caller, &entered.grants, change, &fits).await.map(drop)
    }
}

impl Entered {
    /// What a row of the organization's own speaks of that is not there now; nothing: all of it is there.
    #[must_use]
    pub fn stale(&self, caller: &Caller, id: PolicyId, now: UnixMillis) -> Option<String> {
        let own = Origin::Added(id);
        let told = self.policy.stale().iter().find(|fault| fault.origin == own);
        let rule = || self.policy.rules().iter().find(|rule| rule.origin == own);
        told.map(|fault| fault.what.clone()).or_else(|| fits(self, caller, &rule()?.row, now).err())
    }
}

/// Whether a row's field and condition are those of records that the organization has.
fn fits(entered: &Entered, caller: &Caller, row: &Row, now: UnixMillis) -> Result<(), String> {
    let (object, field) = row.object.split_once('#').map_or((&*row.object, None), |(o, f)| (o, Some(f)));
    let named = object.split_once('.');
    let entity = named.and_then(|(plugin, key)| {
        entered.modules().iter().find(|module| &*module.plugin == plugin)?.entity(key)
    });
    let Some(entity) = entity else {
        let plain = field.is_none() && row.condition.is_none();
        return if plain { Ok(()) } else { Err(format!("`{object}` has no records")) };
    };
    if let Some(field) = field.filter(|field| !field.starts_with('@') && entity.field(field).is_none()) {
        return Err(format!("{object} has no field `{field}` that could be masked"));
    }
    let Some(condition) = &row.condition else { return Ok(()) };
    let scope = entered.scope(caller);
    Reader::of(&scope, now).check(&entity, condition).map_err(|error| format!("the condition: {error}"))
}
