//! Slows down guessing per network: whoever tries many addresses from one place.
//!
//! Failures of one address (of version 6: of its /64) are bounded per minute and hour, those of the network around it
//! more widely. Successes do not count, so an office behind one address is not kept out by its own people. Counters live
//! in memory: a restart forgets them, as it forgets those of `throttle.rs`.

use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;
use moka::sync::Cache;

use crate::clock::UnixMillis;
use crate::identity::IdentityError;
use crate::identity::sessions::Visitor;

/// Networks that are remembered.
const NETWORKS: u64 = 100_000;

const MINUTE: UnixMillis = 60_000;
const HOUR: UnixMillis = 60 * MINUTE;

/// Failures per minute and per hour: of an address, and of the network around it.
const LIMITS: [(u32, u32); 2] = [(20, 200), (100, 1_000)];

#[derive(Default)]
struct Count {
    minute: (UnixMillis, u32),
    hour: (UnixMillis, u32),
}

/// The counters. Cheap to clone.
#[derive(Clone)]
pub(in crate::identity) struct Networks(Cache<IpNet, Arc<Mutex<Count>>>);

impl Networks {
    /// No failures yet.
    pub(in crate::identity) fn new() -> Self {
        Self(Cache::new(NETWORKS))
    }

    /// Lets an attempt from here through.
    ///
    /// # Errors
    /// [`IdentityError::Throttled`].
    pub(super) fn admit(&self, visitor: &Visitor, now: UnixMillis) -> Result<(), IdentityError> {
        for (network, (per_minute, per_hour)) in networks(visitor).into_iter().zip(LIMITS) {
            let Some(count) = self.0.get(&network) else { continue };
            let count = count.lock().unwrap_or_else(PoisonError::into_inner);
            let wait = wait(count.minute, per_minute, MINUTE, now).max(wait(count.hour, per_hour, HOUR, now));
            if wait > 0 {
                let seconds = u64::try_from(wait.saturating_add(999) / 1_000).unwrap_or(1);
                return Err(IdentityError::Throttled { retry_after: seconds });
            }
        }
        Ok(())
    }

    /// An attempt from here was wrong.
    pub(super) fn failed(&self, visitor: &Visitor, now: UnixMillis) {
        for network in networks(visitor) {
            let count = self.0.get_with(network, Default::default);
            let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
            count.minute = counted(count.minute, MINUTE, now);
            count.hour = counted(count.hour, HOUR, now);
        }
    }
}

fn networks(visitor: &Visitor) -> [IpNet; 2] {
    [visitor.network(32, 64), visitor.network(24, 48)]
}

fn wait((start, failures): (UnixMillis, u32), most: u32, span: UnixMillis, now: UnixMillis) -> UnixMillis {
    let left = start.saturating_add(span).saturating_sub(now);
    if failures >= most { left.max(0) } else { 0 }
}

fn counted((start, failures): (UnixMillis, u32), span: UnixMillis, now: UnixMillis) -> (UnixMillis, u32) {
    if now.saturating_sub(start) >= span { (now, 1) } else { (start, failures.saturating_add(1)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = 1_700_000_000_000;

    fn at(address: &str) -> Visitor {
        let address = address.parse().unwrap();
        Visitor { address, user_agent: String::new(), known_device: None, session: None }
    }

    #[test]
    fn one_address_may_fail_twenty_times_a_minute_and_others_are_not_kept_out() {
        let networks = Networks::new();
        for _ in 0..20 {
            networks.admit(&at("203.0.113.9"), NOW).unwrap();
            networks.failed(&at("203.0.113.9"), NOW);
        }
        let refused = networks.admit(&at("203.0.113.9"), NOW + 1_000);
        assert!(matches!(refused, Err(IdentityError::Throttled { retry_after: 59 })));
        assert!(networks.admit(&at("203.0.113.10"), NOW).is_ok());
        assert!(networks.admit(&at("203.0.113.9"), NOW + MINUTE).is_ok());
    }

    #[test]
    fn a_network_that_takes_turns_is_one_network() {
        let networks = Networks::new();
        for host in 0..100 {
            networks.failed(&at(&format!("203.0.113.{host}")), NOW);
        }
        assert!(networks.admit(&at("203.0.113.200"), NOW).is_err());
        for host in 0..20 {
            networks.failed(&at(&format!("2001:db8:0:1::{host}")), NOW);
        }
        assert!(networks.admit(&at("2001:db8:0:1::ffff"), NOW).is_err(), "one /64 is one address");
        assert!(networks.admit(&at("2001:db8:0:2::1"), NOW).is_ok());
    }
}
