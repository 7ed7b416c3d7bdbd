//! Slows down guessing per organization: few passwords tried at many addresses, from one network or from many.
//!
//! Attempts from devices that nobody signed in on before are counted in windows of [`WINDOW`]. When enough of them fail, at
//! enough addresses, the organization is on guard for as long: such attempts get in one after the other, two a second, and
//! its owners are told. Devices on which somebody signed in before are let through, and there is no lock. Counters live in
//! memory: a restart forgets them.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use moka::sync::Cache;

use crate::clock::UnixMillis;
use crate::identity::{IdentityError, secret};
use crate::ids::OrganizationId;

/// How long is looked back, and how long an organization is on guard, in milliseconds.
const WINDOW: UnixMillis = 10 * 60_000;

/// Failures in a window, and addresses at which they happened, that are taken for an attack.
const FAILURES: u32 = 50;
const ADDRESSES: usize = 20;

/// One attempt in so many must fail: of an office of thousands some mistype.
const ONE_IN: u32 = 20;

/// On guard, an attempt is let in so often, in milliseconds, and so many may come at once.
const EVERY: UnixMillis = 500;
const AT_ONCE: UnixMillis = 10;

/// Organizations that are remembered.
const ORGANIZATIONS: u64 = 10_000;

#[derive(Default)]
struct Window {
    start: UnixMillis,
    attempts: u32,
    failures: u32,
    addresses: HashSet<[u8; 32]>,
    guard_until: UnixMillis,
    next: UnixMillis,
}

/// The counters. Cheap to clone.
#[derive(Clone)]
pub(in crate::identity) struct Sprays(Cache<OrganizationId, Arc<Mutex<Window>>>);

impl Sprays {
    /// No failures yet.
    pub(in crate::identity) fn new() -> Self {
        Self(Cache::new(ORGANIZATIONS))
    }

    /// Lets an attempt from an unknown device through.
    ///
    /// # Errors
    /// [`IdentityError::Throttled`].
    pub(super) fn admit(&self, organization: OrganizationId, now: UnixMillis) -> Result<(), IdentityError> {
        let Some(window) = self.0.get(&organization) else { return Ok(()) };
        let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= window.guard_until {
            return Ok(());
        }
        let next = window.next.max(now);
        if next.saturating_sub(now) >= EVERY * AT_ONCE {
            return Err(IdentityError::Throttled { retry_after: 5 });
        }
        window.next = next.saturating_add(EVERY);
        Ok(())
    }

    /// Counts an attempt; `true` when the organization is on guard from now on and was not before.
    pub(super) fn settled(
        &self,
        organization: OrganizationId,
        email_key: &str,
        right: bool,
        now: UnixMillis,
    ) -> bool {
        let window = self.0.get_with(organization, Default::default);
        let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(window.start) >= WINDOW {
            let (guard_until, next) = (window.guard_until, window.next);
            *window = Window { start: now, guard_until, next, ..Window::default() };
        }
        window.attempts = window.attempts.saturating_add(1);
        if right {
            return false;
        }
        window.failures = window.failures.saturating_add(1);
        if window.addresses.len() < ADDRESSES {
            window.addresses.insert(secret::digest(&[email_key.as_bytes()]));
        }
        let attacked = window.failures >= FAILURES
            && window.addresses.len() >= ADDRESSES
            && window.failures.saturating_mul(ONE_IN) > window.attempts;
        let before = now < window.guard_until;
        if attacked {
            window.guard_until = now.saturating_add(WINDOW);
        }
        attacked && !before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = 1_700_000_000_000;

    fn fail(sprays: &Sprays, organization: OrganizationId, address: u32, now: UnixMillis) -> bool {
        sprays.settled(organization, &format!("person{address}@example.com"), false, now)
    }

    #[test]
    fn many_addresses_that_fail_put_an_organization_on_guard_once() {
        let (sprays, organization) = (Sprays::new(), OrganizationId::new());
        let raised = (0..200).filter(|address| fail(&sprays, organization, *address, NOW)).count();
        assert_eq!(raised, 1);
        let let_in = (0..100).filter(|_| sprays.admit(organization, NOW).is_ok()).count();
        assert_eq!(let_in, 10, "then two a second");
        assert!(sprays.admit(organization, NOW + 500).is_ok());
        assert!(sprays.admit(OrganizationId::new(), NOW).is_ok(), "others notice nothing");
        assert!(sprays.admit(organization, NOW + WINDOW).is_ok(), "and it ends by itself");
        assert!(!fail(&sprays, organization, 1, NOW + WINDOW), "one failure is nothing");
    }

    #[test]
    fn one_address_or_few_failures_among_many_successes_are_no_attack() {
        let (sprays, organization) = (Sprays::new(), OrganizationId::new());
        assert!(!(0..1_000).any(|_| fail(&sprays, organization, 1, NOW)), "that is the ladder's business");
        let (sprays, organization) = (Sprays::new(), OrganizationId::new());
        for person in 0..2_000 {
            sprays.settled(organization, &format!("person{person}@example.com"), true, NOW);
        }
        assert!(
            !(0..90).any(|address| fail(&sprays, organization, address, NOW)),
            "an office in the morning"
        );
        assert!((90..200).any(|address| fail(&sprays, organization, address, NOW)));
    }
}
