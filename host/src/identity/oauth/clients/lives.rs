//! How long what a client gets is good. Pure.

use super::ClientKind;
use crate::clock::UnixMillis;
use crate::identity::{IdentityError, LIFETIME, LONGEST_LIFE};

/// The shortest that a client can have anything, in seconds.
const SHORTEST: i64 = 60;

const HOUR: i64 = 3_600;

/// How long what a client gets is good, in seconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lives {
    /// An access token.
    pub access: i64,
    /// A refresh token that is not used.
    pub idle: i64,
    /// Everything that comes of one signing in.
    pub longest: i64,
}

/// Another life for some of it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LivesChange {
    /// An access token.
    pub access: Option<i64>,
    /// A refresh token that is not used.
    pub idle: Option<i64>,
    /// Everything that comes of one signing in.
    pub longest: Option<i64>,
}

impl Lives {
    /// What clients of a kind have unless they ask for less: 30 days without use and 90 days in all on a person's own
    /// device, else eight hours and a day.
    #[must_use]
    pub fn of(kind: ClientKind) -> Self {
        let (idle, longest) = match kind {
            ClientKind::Native => (30 * 24 * HOUR, 90 * 24 * HOUR),
            ClientKind::Web | ClientKind::Service => (8 * HOUR, 24 * HOUR),
        };
        Self { access: LIFETIME, idle, longest }
    }

    pub(super) fn changed(self, change: LivesChange) -> Self {
        Self {
            access: change.access.unwrap_or(self.access),
            idle: change.idle.unwrap_or(self.idle),
            longest: change.longest.unwrap_or(self.longest),
        }
    }

    /// A client shortens what its kind has; access tokens may also be a little longer than they are by themselves.
    pub(super) fn check(&self, kind: ClientKind) -> Result<(), IdentityError> {
        let most = Self::of(kind);
        let own = "60 to 2592000 seconds for a native client, 60 to 28800 for another";
        let all = "60 to 7776000 seconds for a native client, 60 to 86400 for another";
        for (field, life, most, reason) in [
            ("access_token_life", self.access, LONGEST_LIFE, "60 to 900 seconds"),
            ("refresh_token_idle_life", self.idle, most.idle, own),
            ("refresh_token_life", self.longest, most.longest, all),
        ] {
            if !(SHORTEST..=most).contains(&life) {
                return Err(IdentityError::Invalid { field, reason });
            }
        }
        Ok(())
    }

    /// When an unused refresh token of now ends, by itself.
    pub(in crate::identity::oauth) fn idle_end(&self, now: UnixMillis) -> UnixMillis {
        now.saturating_add(self.idle.saturating_mul(1_000))
    }

    /// When everything that comes of a signing in of now ends.
    pub(in crate::identity::oauth) fn end(&self, now: UnixMillis) -> UnixMillis {
        now.saturating_add(self.longest.saturating_mul(1_000))
    }

    /// How long an access token of now is good that ends with its grant.
    pub(in crate::identity::oauth) fn access_before(&self, ends_at: UnixMillis, now: UnixMillis) -> i64 {
        self.access.min(ends_at.saturating_sub(now).div_euclid(1_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_shortens_what_its_kind_has_and_no_more() {
        for kind in [ClientKind::Web, ClientKind::Native, ClientKind::Service] {
            let most = Lives::of(kind);
            assert!(most.check(kind).is_ok());
            let (longer, least) = (Some(LONGEST_LIFE), Some(SHORTEST));
            let change = |access, idle, longest| {
                most.changed(LivesChange { access, idle, longest }).check(kind).map_err(|error| match error {
                    IdentityError::Invalid { field, .. } => field,
                    _ => "",
                })
            };
            assert!(change(longer, least, least).is_ok() && change(least, None, None).is_ok());
            for bad in [i64::MIN, 0, SHORTEST - 1, LONGEST_LIFE + 1, i64::MAX] {
                assert_eq!(change(Some(bad), None, None), Err("access_token_life"), "{bad}");
            }
            assert_eq!(change(None, Some(most.idle + 1), None), Err("refresh_token_idle_life"));
            assert_eq!(change(None, None, Some(most.longest + 1)), Err("refresh_token_life"));
        }
    }

    #[test]
    fn an_access_token_ends_with_its_grant() {
        let lives = Lives::of(ClientKind::Web);
        assert_eq!(lives.access_before(1_000_000, 0), LIFETIME);
        assert_eq!(lives.access_before(90_999, 0), 90);
    }
}
