//! API keys and service accounts: how a program calls the API.
//!
//! A key is either a principal itself, with one role, or a credential of a service account (`service.rs`), which has roles
//! and as many keys as it needs. Its secret is shown once. A key may be limited further: to scopes, to networks, in time,
//! and it administers people only when it was made for that. No key makes keys.
//!
//! `api_key.rs` has the text form and its checks, `check.rs` how a key becomes a principal, `store.rs` the SQL.

mod api_key;
mod check;
mod service;
mod store;

#[cfg(test)]
mod tests;

use crate::caller::{Caller, Principal, PrincipalKind};
use crate::clock::UnixMillis;
use crate::identity::people::{UserStatus, checked_among, checked_name, covers, own_roles};
use crate::identity::sign_ins::{Event, EventKind, record};
use crate::identity::{Identity, IdentityError, platform, secret};
use crate::ids::{OrganizationId, PrincipalId, RequestId};

pub use api_key::{ApiKey, ApiKeySecret, NewApiKey};
pub use service::{NewServiceAccount, ServiceAccount, ServiceAccountChange};

pub(super) use api_key::{Parsed, looks_like};
pub(super) use check::key_principal;
pub(super) use service::service_principal;

use check::KnownKey;

/// The longest life of a key, in milliseconds: a year.
pub const LONGEST: UnixMillis = 366 * 24 * 3_600_000;

/// Lets pass whose credential may create and change people, programs and roles.
///
/// # Errors
/// [`IdentityError::KeyCannotAdminister`].
pub(in crate::identity) fn administers(by: &Principal) -> Result<(), IdentityError> {
    by.administers.then_some(()).ok_or(IdentityError::KeyCannotAdminister)
}

/// Keys, services and programs that act for somebody make no credentials: these would outlive them, and their limits.
pub(in crate::identity) fn people_only(by: &Principal) -> Result<(), IdentityError> {
    let person = matches!(by.kind, PrincipalKind::User | PrincipalKind::Platform) && by.limits.is_none();
    person.then_some(()).ok_or(IdentityError::KeyCannotCreateKeys)
}

impl Identity {
    /// Creates a key and tells its secret, this once.
    ///
    /// # Errors
    /// [`IdentityError::KeyCannotCreateKeys`], [`IdentityError::RoleRequired`], [`IdentityError::UnknownRole`],
    /// [`IdentityError::ServiceAccountNotFound`], [`IdentityError::ServiceAccountDisabled`], [`IdentityError::Invalid`].
    pub async fn create_api_key(
        &self,
        by: &Caller,
        new: NewApiKey,
    ) -> Result<(ApiKey, ApiKeySecret), IdentityError> {
        people_only(&by.principal)?;
        let key = self.new_key(by, new)?;
        let random = secret::random()?;
        let text = ApiKeySecret::new(key.id, &random);
        let hash = secret::keyed_hash(&self.peppers.api_key, key.id.as_bytes(), random.as_slice())?;
        let caller = by.clone();
        let key = self
            .write(by, move |connection| {
                if let Some(id) = key.service {
                    let service = store::find_service(connection, id)?;
                    let service = service.ok_or(IdentityError::ServiceAccountNotFound(id))?;
                    covers(&caller.principal, &service.roles)?;
                    if service.status != UserStatus::Active {
                        return Err(IdentityError::ServiceAccountDisabled);
                    }
                }
                store::insert(connection, &key, &hash)?;
                let event = Event::new(EventKind::KeyMade).by(caller.principal.id).about(&key.id);
                record(connection, &event, key.created_at)?;
                Ok(key)
            })
            .await?;
        Ok((key, text))
    }

    fn new_key(&self, by: &Caller, new: NewApiKey) -> Result<ApiKey, IdentityError> {
        let invalid = |field, reason| Err(IdentityError::Invalid { field, reason });
        let now = self.clock.now();
        let latest = now.saturating_add(LONGEST);
        let expires_at = new.expires_at.unwrap_or(latest);
        if expires_at <= now || expires_at > latest {
            return invalid("expires_at", "use an instant in the future, a year away at most");
        }
        match (&new.role, new.service) {
            (Some(role), None) => {
                let own = self.read(by.organization, |connection| Ok(own_roles(connection)?))?;
                covers(&by.principal, &checked_among(std::slice::from_ref(role), &own)?)?;
            }
            (None, Some(_)) => {}
            _ => return invalid("role", "name a role or a service account, not both"),
        }
        Ok(ApiKey {
            id: PrincipalId::new(),
            name: checked_name(&new.name)?,
            role: new.role,
            service: new.service,
            scopes: api_key::checked_scopes(new.scopes)?,
            networks: api_key::checked_networks(new.networks)?,
            administers: new.administers,
            expires_at: Some(expires_at),
            last_used_at: None,
            revoked_at: None,
            created_at: now,
            created_by: by.principal.id,
        })
    }

    /// Every key, revoked ones included, in the order of their creation.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn api_keys(&self, organization: OrganizationId) -> Result<Vec<ApiKey>, IdentityError> {
        self.read(organization, |connection| Ok(store::list(connection)?))
    }

    /// A key.
    ///
    /// # Errors
    /// [`IdentityError::ApiKeyNotFound`].
    pub fn api_key(&self, organization: OrganizationId, id: PrincipalId) -> Result<ApiKey, IdentityError> {
        self.read(organization, |connection| {
            store::find(connection, id)?.map(|(key, _)| key).ok_or(IdentityError::ApiKeyNotFound(id))
        })
    }

    /// Ends a key, at the next request that carries it. A revoked one stays revoked since when it was.
    ///
    /// # Errors
    /// [`IdentityError::ApiKeyNotFound`].
    pub async fn revoke_api_key(&self, by: &Caller, id: PrincipalId) -> Result<ApiKey, IdentityError> {
        let now = self.clock.now();
        let event = Event::new(EventKind::KeyRevoked).by(by.principal.id).about(&id);
        self.write(by, move |connection| {
            let before = store::find(connection, id)?.map(|(key, _)| key);
            if before.is_some_and(|key| key.revoked_at.is_none()) {
                record(connection, &event, now)?;
            }
            store::revoke(connection, id, now)?;
            store::find(connection, id)?.map(|(key, _)| key).ok_or(IdentityError::ApiKeyNotFound(id))
        })
        .await
    }

    /// Revokes the key that somebody found somewhere: holding it is the proof. Nothing tells whether there was one.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub async fn revoke_leaked(&self, organization: OrganizationId, text: &str) -> Result<(), IdentityError> {
        let Some(parsed) = Parsed::parse(text.trim()) else {
            return Ok(());
        };
        let known = self.read(organization, |connection| Ok(KnownKey::find(connection, parsed.id)?))?;
        let Some(known) = known.filter(|known| known.key.revoked_at.is_none()) else {
            return Ok(());
        };
        if self.proves(&parsed, &known.hash)? {
            tracing::warn!(%organization, key = %parsed.id, "an API key was reported as leaked, and is revoked");
            self.revoke_api_key(&platform(organization, RequestId::new()), parsed.id).await?;
        }
        Ok(())
    }
}
