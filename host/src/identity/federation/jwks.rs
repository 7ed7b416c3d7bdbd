//! The keys of a provider: kept for an hour, asked for again at once when a token names one that is unknown, but
//! for that reason at most once a minute.

use std::sync::Arc;

use dashmap::DashMap;

use crate::clock::UnixMillis;
use crate::identity::IdentityError;
use crate::identity::foreign::Keys;
use crate::ids::ProviderId;
use crate::outbound::{Outbound, Request};

/// The most bytes of a set.
const LARGEST: usize = 256 * 1024;

/// How long a set is kept, in milliseconds.
const KEPT: UnixMillis = 3_600_000;

/// How often it is asked for because of an unknown key, in milliseconds.
const AGAIN: UnixMillis = 60_000;

struct Kept {
    address: String,
    keys: Arc<Keys>,
    at: UnixMillis,
    /// When an unknown key was the reason to ask last.
    again: Option<UnixMillis>,
}

impl Kept {
    /// Whether the set is to be asked for because of a token that names this key.
    fn is_stale(&self, kid: Option<&str>, now: UnixMillis) -> bool {
        let since = |then: UnixMillis| now.saturating_sub(then);
        since(self.at) >= KEPT
            || (!self.keys.knows(kid) && self.again.is_none_or(|then| since(then) >= AGAIN))
    }
}

/// The sets that are known. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct KeySets(Arc<DashMap<ProviderId, Kept>>);

impl KeySets {
    /// The set of a provider that knows this key, if the provider has it.
    pub(super) async fn of(
        &self,
        outbound: &Outbound,
        provider: ProviderId,
        address: &str,
        kid: Option<&str>,
        now: UnixMillis,
    ) -> Result<Arc<Keys>, IdentityError> {
        let known = self.0.get(&provider).filter(|kept| kept.address == address);
        let mut again = None;
        if let Some(kept) = known {
            if !kept.is_stale(kid, now) {
                return Ok(Arc::clone(&kept.keys));
            }
            again = if kept.keys.knows(kid) { kept.again } else { Some(now) };
        }
        let answer = outbound.send(Request::get(address, LARGEST)).await;
        let answer = answer.map_err(|error| super::unreachable("jwks_uri", &error))?;
        if answer.status != 200 {
            return Err(IdentityError::ProviderUnreachable("its keys are not where it says"));
        }
        let keys = Arc::new(Keys::parse(&answer.body).map_err(IdentityError::ProviderUnreachable)?);
        self.0
            .insert(provider, Kept { address: address.to_owned(), keys: Arc::clone(&keys), at: now, again });
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_a_reason_to_ask_once_a_minute() {
        let kept = |again| Kept { address: String::new(), keys: Arc::new(Keys::none()), at: 0, again };
        assert!(kept(None).is_stale(Some("new"), 1), "at once");
        assert!(!kept(Some(1)).is_stale(Some("new"), AGAIN), "but not again within a minute");
        assert!(kept(Some(1)).is_stale(Some("new"), AGAIN + 1));
        assert!(!kept(None).is_stale(None, KEPT - 1));
        assert!(kept(None).is_stale(None, KEPT));
    }
}
