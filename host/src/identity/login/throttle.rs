//! Slows down guessing, per address and organization, whether or not anybody has the address.
//!
//! Failures within a day: the first two cost nothing, up to 8 a pause of 3 s, up to 24 of 10 s, then of 60 s. There is no
//! lock: that would let anybody lock anybody out. An attempt counts from its beginning, so parallel attempts gain at
//! most [`AT_ONCE`] guesses. Counters live in memory: a restart forgets them.

use std::sync::{Arc, Mutex, PoisonError};

use moka::sync::Cache;

use crate::clock::{Clock, UnixMillis};
use crate::identity::{IdentityError, secret};
use crate::ids::OrganizationId;

/// Attempts that one address may have under way before it failed often enough to be slowed down.
const AT_ONCE: u32 = 8;

/// After this long without a failure, in milliseconds, failures are forgotten.
const MEMORY: UnixMillis = 24 * 3_600_000;

/// Addresses that are remembered; beyond, rarely tried ones are forgotten first.
const ADDRESSES: u64 = 200_000;

type Counter = Arc<Mutex<Count>>;

#[derive(Default)]
struct Count {
    failures: u32,
    last_failure: UnixMillis,
    under_way: u32,
}

/// The counters. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Throttle {
    clock: Clock,
    counters: Cache<[u8; 32], Counter>,
}

/// An attempt that was let through. Dropping it without a word counts as a failure.
pub(crate) struct Attempt {
    clock: Clock,
    counter: Counter,
    settled: bool,
}

impl Throttle {
    /// No failures yet.
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, counters: Cache::new(ADDRESSES) }
    }

    /// Lets an attempt through.
    ///
    /// # Errors
    /// [`IdentityError::Throttled`].
    pub(crate) fn begin(
        &self,
        organization: OrganizationId,
        email_key: &str,
    ) -> Result<Attempt, IdentityError> {
        // Hashed, so that what people mistype into the address field is not kept.
        let key = secret::digest(&[organization.as_bytes(), email_key.as_bytes()]);
        let counter = self.counters.get_with(key, Counter::default);
        {
            let mut count = counter.lock().unwrap_or_else(PoisonError::into_inner);
            count.admit(self.clock.now())?;
        }
        Ok(Attempt { clock: self.clock.clone(), counter, settled: false })
    }
}

impl Count {
    fn admit(&mut self, now: UnixMillis) -> Result<(), IdentityError> {
        if now.saturating_sub(self.last_failure) >= MEMORY {
            self.failures = 0;
        }
        let pause = pause_after(self.failures);
        let left = self.last_failure.saturating_add(pause).saturating_sub(now);
        let most = if pause == 0 { AT_ONCE } else { 1 };
        if pause > 0 && left > 0 {
            let seconds = u64::try_from(left.saturating_add(999).div_euclid(1_000)).unwrap_or_default();
            return Err(IdentityError::Throttled { retry_after: seconds.max(1) });
        }
        if self.under_way >= most {
            return Err(IdentityError::Throttled { retry_after: 1 });
        }
        self.under_way += 1;
        Ok(())
    }
}

/// How long to wait after so many failures, in milliseconds.
pub(in crate::identity) fn pause_after(failures: u32) -> UnixMillis {
    match failures {
        0..=2 => 0,
        3..=8 => 3_000,
        9..=24 => 10_000,
        _ => 60_000,
    }
}

impl Attempt {
    /// Failures before this attempt.
    pub(super) fn failures(&self) -> u32 {
        self.counter.lock().unwrap_or_else(PoisonError::into_inner).failures
    }

    /// The credentials were right: earlier failures are forgotten.
    pub(crate) fn succeed(mut self) {
        self.settle(|count, _| count.failures = 0);
    }

    /// They were wrong.
    pub(crate) fn fail(mut self) {
        self.settle(Count::failed);
    }

    /// They were not looked at.
    pub(crate) fn withdraw(mut self) {
        self.settle(|_, _| ());
    }

    fn settle(&mut self, outcome: impl FnOnce(&mut Count, UnixMillis)) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        let now = self.clock.now();
        let mut count = self.counter.lock().unwrap_or_else(PoisonError::into_inner);
        count.under_way = count.under_way.saturating_sub(1);
        outcome(&mut count, now);
    }
}

impl Count {
    fn failed(&mut self, now: UnixMillis) {
        self.failures = self.failures.saturating_add(1);
        self.last_failure = now;
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.settle(Count::failed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle() -> (Throttle, Clock, OrganizationId) {
        let clock = Clock::fixed(1_700_000_000_000);
        (Throttle::new(clock.clone()), clock, OrganizationId::new())
    }

    fn fail(throttle: &Throttle, organization: OrganizationId) -> Result<(), IdentityError> {
        throttle.begin(organization, "ann@example.com").map(Attempt::fail)
    }

    fn wait(result: Result<(), IdentityError>) -> u64 {
        match result {
            Ok(()) => 0,
            Err(IdentityError::Throttled { retry_after }) => retry_after,
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn failures_climb_the_ladder() {
        let (throttle, clock, organization) = throttle();
        let expected = |failures| match failures {
            0..3 => 0,
            3..9 => 3,
            9..25 => 10,
            _ => 60,
        };
        for failures in 0..30 {
            let asked = wait(throttle.begin(organization, "ann@example.com").map(Attempt::withdraw));
            assert_eq!(asked, expected(failures), "after {failures} failures");
            clock.advance(i64::try_from(asked * 1_000).unwrap());
            assert_eq!(wait(fail(&throttle, organization)), 0);
        }
    }

    #[test]
    fn a_success_and_a_day_forget_failures() {
        let (throttle, clock, organization) = throttle();
        for _ in 0..3 {
            fail(&throttle, organization).unwrap();
        }
        clock.advance(3_000);
        throttle.begin(organization, "ann@example.com").map(Attempt::succeed).unwrap();
        for _ in 0..3 {
            fail(&throttle, organization).unwrap();
        }
        assert_eq!(wait(fail(&throttle, organization)), 3);
        clock.advance(MEMORY);
        assert_eq!(wait(fail(&throttle, organization)), 0);
        assert_eq!(wait(fail(&throttle, organization)), 0);
    }

    #[test]
    fn addresses_and_organizations_are_slowed_down_apart() {
        let (throttle, _, organization) = throttle();
        for _ in 0..3 {
            fail(&throttle, organization).unwrap();
        }
        assert!(fail(&throttle, organization).is_err());
        assert!(throttle.begin(organization, "bob@example.com").is_ok());
        assert!(fail(&throttle, OrganizationId::new()).is_ok());
    }

    #[test]
    fn parallel_attempts_and_abandoned_ones_count() {
        let (throttle, clock, organization) = throttle();
        let mut begun = Vec::new();
        while let Ok(attempt) = throttle.begin(organization, "ann@example.com") {
            begun.push(attempt);
        }
        assert_eq!(begun.len(), AT_ONCE as usize);
        drop(begun);
        assert_eq!(wait(fail(&throttle, organization)), 3);

        clock.advance(3_000);
        let one = throttle.begin(organization, "ann@example.com").unwrap();
        assert!(throttle.begin(organization, "ann@example.com").is_err(), "one at a time from here on");
        one.succeed();
        assert!(throttle.begin(organization, "ann@example.com").is_ok());
    }
}
