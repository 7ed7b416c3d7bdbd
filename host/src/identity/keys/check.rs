//! From the text of a key to its principal, on a first use and then at most once a minute.

use std::sync::Arc;

use subtle::ConstantTimeEq;

use crate::caller::{Principal, PrincipalKind};
use crate::clock::UnixMillis;
use crate::identity::people::UserStatus;
use crate::identity::sign_ins::{Event, EventKind, record};
use crate::identity::{Identity, IdentityError, secret, store as file};
use crate::ids::{OrganizationId, PrincipalId};
use crate::storage::{Connection, StorageError};

use super::{ApiKey, Parsed, ServiceAccount, store};

/// How seldom the use of a key is written down, in milliseconds.
const NOTED: UnixMillis = 60_000;

/// A key that is good.
pub(in crate::identity) struct GoodKey {
    pub(in crate::identity) principal: Principal,
    /// The epoch of the file it was read from.
    pub(in crate::identity) epoch: i64,
    /// The first instant it is no longer good.
    pub(in crate::identity) until: UnixMillis,
}

/// What is known of a key: itself, the hash of its secret, and its program.
pub(super) struct KnownKey {
    pub(super) key: ApiKey,
    pub(super) hash: [u8; 32],
    pub(super) service: Option<ServiceAccount>,
}

impl KnownKey {
    pub(super) fn find(connection: &Connection, id: PrincipalId) -> Result<Option<Self>, StorageError> {
        let Some((key, hash)) = store::find(connection, id)? else {
            return Ok(None);
        };
        let service = key.service.map(|id| store::find_service(connection, id)).transpose()?.flatten();
        Ok(Some(Self { key, hash, service }))
    }

    /// Whoever it stands for, if it is good: not revoked, not too old, its program active.
    fn principal(&self, now: UnixMillis) -> Option<Principal> {
        if !self.key.is_good(now) {
            return None;
        }
        let principal = match (&self.service, &self.key.role) {
            (Some(service), _) if service.status == UserStatus::Active => service.principal(),
            (None, Some(role)) if self.key.service.is_none() => {
                Principal::new(self.key.id, PrincipalKind::ApiKey, self.key.name.as_str())
                    .with_roles([role.as_str()])
            }
            _ => return None,
        };
        let scopes = self.key.scopes.as_ref();
        Some(Principal {
            limits: scopes.map(|scopes| scopes.iter().map(|scope| Arc::from(scope.as_str())).collect()),
            networks: self.key.networks.as_ref().map(|networks| networks.as_slice().into()),
            administers: self.key.administers,
            ..principal
        })
    }
}

/// The key with this id that is a principal itself, if it is good.
pub(in crate::identity) fn key_principal(
    connection: &Connection,
    id: PrincipalId,
    now: UnixMillis,
) -> Result<Option<Principal>, StorageError> {
    let known = KnownKey::find(connection, id)?.filter(|known| known.key.service.is_none());
    Ok(known.and_then(|known| known.principal(now)))
}

impl Identity {
    /// What this key stands for, if it is good.
    ///
    /// # Errors
    /// Why it is refused, for the log; or the identity file fails.
    pub(in crate::identity) fn good_key(
        &self,
        organization: OrganizationId,
        bearer: &str,
        now: UnixMillis,
    ) -> Result<Result<GoodKey, &'static str>, IdentityError> {
        let Some(parsed) = Parsed::parse(bearer) else {
            return Ok(Err("not a key"));
        };
        let (epoch, known) = self.read(organization, |connection| {
            Ok((file::epoch(connection)?, KnownKey::find(connection, parsed.id)?))
        })?;
        let Some(known) = known else {
            return Ok(Err("no such key"));
        };
        if !self.proves(&parsed, &known.hash)? {
            return Ok(Err("wrong secret"));
        }
        let Some(principal) = known.principal(now) else {
            return Ok(Err("the key is expired or revoked, or its service account is disabled"));
        };
        if known.key.last_used_at.is_none_or(|at| now.saturating_sub(at) >= NOTED) {
            self.note_use(organization, parsed.id, now, known.key.last_used_at.is_none());
        }
        Ok(Ok(GoodKey { principal, epoch, until: known.key.expires_at.unwrap_or(UnixMillis::MAX) }))
    }

    /// Whether the text proves possession of the key with this hash.
    pub(super) fn proves(&self, parsed: &Parsed, hash: &[u8; 32]) -> Result<bool, IdentityError> {
        let given = secret::keyed_hash(&self.peppers.api_key, parsed.id.as_bytes(), &parsed.secret)?;
        Ok(bool::from(given.ct_eq(hash)))
    }

    /// Writes down, aside from the request, that a key was used. The epoch stays: nothing that is remembered gets old.
    fn note_use(&self, organization: OrganizationId, key: PrincipalId, now: UnixMillis, first: bool) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let identity = self.clone();
        runtime.spawn(async move {
            let noted = identity.note(organization, move |connection| {
                if first && store::first_use(connection, key)? {
                    record(connection, &Event::new(EventKind::KeyFirstUsed).about(&key), now)?;
                }
                Ok(store::note_use(connection, key, now)?)
            });
            let noted = noted.await;
            if let Err(error) = noted {
                tracing::warn!(%error, %key, "the use of a key was not written down");
            }
        });
    }
}
