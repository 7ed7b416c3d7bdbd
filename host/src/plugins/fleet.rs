//! When a version that fails in many organizations is left alone in all of them for a while.
//!
//! Each organization has a breaker of its own, which stops a version there after a few failures. This one stops the version
//! itself: when it failed in [`ORGANIZATIONS`] of them within a window, and half of all its calls failed, it is the version
//! and not an organization's data. So a faulty release costs a few calls in a few organizations, and not a few in each; where
//! the others are well, their good calls keep it closed.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::breaker::{Admission, Breaker, Turn, WINDOW};
use crate::clock::UnixMillis;
use crate::ids::OrganizationId;

/// In how many organizations a version must fail.
const ORGANIZATIONS: usize = 5;

/// The breaker of one version over all organizations.
#[derive(Default)]
pub(super) struct Fleet(Mutex<State>);

#[derive(Default)]
struct State {
    breaker: Breaker,
    /// Where it failed, and when last.
    failing: HashMap<OrganizationId, UnixMillis>,
}

impl Fleet {
    /// Whether a call may be made now.
    ///
    /// # Errors
    /// The time until one may be tried.
    pub(super) fn admit(&self, now: UnixMillis) -> Result<Admission, UnixMillis> {
        self.state().breaker.admit(now)
    }

    /// A call that was let through has ended.
    pub(super) fn ended(
        &self,
        now: UnixMillis,
        admitted: Admission,
        failed: bool,
        organization: OrganizationId,
    ) -> Option<Turn> {
        let State { breaker, failing } = &mut *self.state();
        if failed {
            failing.insert(organization, now);
            failing.retain(|_, at| now - *at < WINDOW);
        }
        breaker.judged(now, admitted, failed, |_| failing.len() >= ORGANIZATIONS)
    }

    /// Stops all calls for a while, at once.
    pub(super) fn trip(&self, now: UnixMillis) {
        self.state().breaker.trip(now);
    }

    /// Until when it is not called anywhere.
    pub(super) fn shut_until(&self, now: UnixMillis) -> Option<UnixMillis> {
        self.state().breaker.shut_until(now)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls in these organizations at `now`; each fails or not.
    fn calls(fleet: &Fleet, now: UnixMillis, all: &[OrganizationId], failed: bool) -> Option<Turn> {
        all.iter().fold(None, |turn, one| {
            let admitted = fleet.admit(now).unwrap();
            turn.or(fleet.ended(now, admitted, failed, *one))
        })
    }

    fn organizations(number: usize) -> Vec<OrganizationId> {
        (0..number).map(|_| OrganizationId::new()).collect()
    }

    #[test]
    fn one_organization_never_stops_the_others() {
        let (fleet, one) = (Fleet::default(), organizations(1));
        for _ in 0..1_000 {
            assert_eq!(calls(&fleet, 0, &one, true), None);
        }
        assert_eq!(fleet.shut_until(0), None);
    }

    #[test]
    fn it_opens_when_some_organizations_fail_and_half_of_all_calls() {
        let (fleet, all) = (Fleet::default(), organizations(ORGANIZATIONS));
        assert_eq!(calls(&fleet, 0, &all[1..], true), None, "one too few");
        assert!(matches!(calls(&fleet, 1, &all[..1], true), Some(Turn::Opened(_))));
        let wait = fleet.admit(2).unwrap_err();
        assert_eq!(fleet.shut_until(2), Some(2 + wait));

        let fleet = Fleet::default();
        assert_eq!(calls(&fleet, 0, &organizations(11), false), None);
        assert_eq!(calls(&fleet, 0, &organizations(10), true), None, "10 of 21");
        assert!(calls(&fleet, 0, &organizations(1), true).is_some(), "11 of 22");
    }

    #[test]
    fn what_failed_in_another_minute_does_not_count() {
        let (fleet, all) = (Fleet::default(), organizations(50));
        for (minute, one) in (1..).zip(&all) {
            assert_eq!(calls(&fleet, minute * WINDOW, &[*one], true), None);
        }
    }

    #[test]
    fn one_call_somewhere_is_tried_after_the_pause() {
        let (fleet, all) = (Fleet::default(), organizations(ORGANIZATIONS));
        calls(&fleet, 0, &all, true);
        let next = fleet.shut_until(0).unwrap();
        assert_eq!(fleet.admit(next), Ok(Admission::Trial));
        assert!(fleet.admit(next).is_err(), "the others wait for it");
        assert_eq!(fleet.ended(next, Admission::Trial, false, all[0]), Some(Turn::Closed));
        assert_eq!(fleet.admit(next), Ok(Admission::Usual));
    }
}
