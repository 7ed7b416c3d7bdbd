//! API keys: how a program calls the API. A key is a principal with one role; its secret is shown once.
//!
//! `api_key.rs` has the text form and its checks, `store.rs` the SQL. That a key is good is decided in `bearer/`.

mod api_key;
mod store;

#[cfg(test)]
mod tests;

use crate::caller::{Caller, PrincipalKind};
use crate::clock::UnixMillis;
use crate::identity::people::{checked_name, checked_roles, covers};
use crate::identity::{Identity, IdentityError, secret};
use crate::ids::{OrganizationId, PrincipalId};

pub use api_key::{ApiKey, ApiKeySecret, NewApiKey};

pub(super) use api_key::{Parsed, looks_like};
pub(super) use store::{StoredKey, find as find_key};

/// The longest life of a key, in milliseconds: a year.
pub const LONGEST: UnixMillis = 366 * 24 * 3_600_000;

impl Identity {
    /// Creates a key and tells its secret, this once.
    ///
    /// # Errors
    /// [`IdentityError::KeyCannotCreateKeys`], [`IdentityError::RoleRequired`], [`IdentityError::UnknownRole`],
    /// [`IdentityError::Invalid`].
    pub async fn create_api_key(
        &self,
        by: &Caller,
        new: NewApiKey,
    ) -> Result<(ApiKey, ApiKeySecret), IdentityError> {
        if !matches!(by.principal.kind, PrincipalKind::User | PrincipalKind::Platform) {
            return Err(IdentityError::KeyCannotCreateKeys);
        }
        let roles = checked_roles(std::slice::from_ref(&new.role))?;
        covers(&by.principal, &roles)?;
        let now = self.clock.now();
        let latest = now.saturating_add(LONGEST);
        if new.expires_at.is_some_and(|at| at <= now || at > latest) {
            let reason = "use an instant in the future, a year away at most";
            return Err(IdentityError::Invalid { field: "expires_at", reason });
        }
        let key = ApiKey {
            id: PrincipalId::new(),
            name: checked_name(&new.name)?,
            role: new.role,
            expires_at: new.expires_at,
            revoked_at: None,
            created_at: now,
            created_by: by.principal.id,
        };
        let random = secret::random()?;
        let text = ApiKeySecret::new(key.id, &random);
        let hash = secret::keyed_hash(&self.peppers.api_key, key.id.as_bytes(), random.as_slice())?;
        let key = self
            .write(by, move |connection| {
                store::insert(connection, &key, &hash)?;
                Ok(key)
            })
            .await?;
        Ok((key, text))
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
            store::find(connection, id)?.map(|stored| stored.key).ok_or(IdentityError::ApiKeyNotFound(id))
        })
    }

    /// Ends a key, at the next request that carries it. A revoked one stays revoked since when it was.
    ///
    /// # Errors
    /// [`IdentityError::ApiKeyNotFound`].
    pub async fn revoke_api_key(&self, by: &Caller, id: PrincipalId) -> Result<ApiKey, IdentityError> {
        let now = self.clock.now();
        self.write(by, move |connection| {
            store::revoke(connection, id, now)?;
            store::find(connection, id)?.map(|stored| stored.key).ok_or(IdentityError::ApiKeyNotFound(id))
        })
        .await
    }
}
