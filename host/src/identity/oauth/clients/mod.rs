//! The register of clients, and the proof that a client is the one.
//!
//! `client.rs` and `lives.rs` have the types and what makes them acceptable, `assertion.rs` what a client signs to prove
//! itself, `proof.rs` who is believed, `store.rs` the SQL.

mod assertion;
mod client;
mod lives;
mod proof;
mod store;

use super::grants;
use super::opaque::Kind;
use crate::caller::{Caller, Principal, PrincipalKind};
use crate::identity::keys::people_only;
use crate::identity::people::covers;
use crate::identity::{Identity, IdentityError, secret};
use crate::ids::{ClientId, OrganizationId};
use crate::storage::Connection;

pub use client::{Client, ClientAuth, ClientChange, ClientKind, ClientSecret, GrantType, NewClient};
pub use lives::{Lives, LivesChange};
pub use proof::ClientProof;

impl Identity {
    /// Registers a client and tells its secret, if it has one, this once.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`], [`IdentityError::RoleRequired`], [`IdentityError::KeyCannotCreateKeys`].
    pub async fn create_client(
        &self,
        by: &Caller,
        new: NewClient,
    ) -> Result<(Client, Option<ClientSecret>), IdentityError> {
        people_only(&by.principal)?;
        let now = self.clock.now();
        let client = Client {
            id: ClientId::new(),
            version: 1,
            name: new.name,
            kind: new.kind,
            auth: new.auth,
            keys: new.keys,
            origins: new.origins,
            lives: Lives::of(new.kind).changed(new.lives),
            redirect_uris: new.redirect_uris,
            logout_uris: new.logout_uris,
            grants: new.grants,
            scopes: new.scopes,
            service: new.service,
            id_token_algorithm: new.id_token_algorithm,
            trusted: new.trusted,
            active: true,
            created_at: now,
            created_by: by.principal.id,
            updated_at: now,
            updated_by: by.principal.id,
        }
        .checked()?;
        self.check_service(by, &client)?;
        let (secret, hash) = match client.has_secret() {
            false => (None, None),
            true => {
                let (secret, hash) = self.fresh_secret(client.id)?;
                (Some(secret), Some(hash))
            }
        };
        let client = self
            .write(by, move |connection| {
                store::insert(connection, &client, hash.as_ref())?;
                Ok(client)
            })
            .await?;
        Ok((client, secret))
    }

    /// Every client, in the order of their creation.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn clients(&self, organization: OrganizationId) -> Result<Vec<Client>, IdentityError> {
        self.read(organization, |connection| Ok(store::list(connection)?))
    }

    /// A client.
    ///
    /// # Errors
    /// [`IdentityError::ClientNotFound`].
    pub fn client(&self, organization: OrganizationId, id: ClientId) -> Result<Client, IdentityError> {
        self.read(organization, |connection| get(connection, id))
    }

    /// Changes a client. Scopes that it loses are lost to its next tokens; switched off, it loses all of them at once.
    ///
    /// # Errors
    /// [`IdentityError::ClientNotFound`], [`IdentityError::VersionConflict`], [`IdentityError::Invalid`].
    pub async fn update_client(
        &self,
        by: &Caller,
        id: ClientId,
        change: ClientChange,
    ) -> Result<Client, IdentityError> {
        people_only(&by.principal)?;
        self.covers_service(by, id)?;
        let (caller, now) = (by.principal.id, self.clock.now());
        self.write(by, move |connection| {
            let before = get(connection, id)?;
            if change.if_version.is_some_and(|version| version != before.version) {
                return Err(IdentityError::VersionConflict { current: before.version });
            }
            let mut after = before.changed(change).checked()?;
            (after.version, after.updated_at, after.updated_by) = (after.version + 1, now, caller);
            store::update(connection, &after)?;
            if !after.active {
                grants::end_of_client(connection, id, "client_disabled", now)?;
            }
            Ok(after)
        })
        .await
    }

    /// Removes a client, with every token that it has.
    ///
    /// # Errors
    /// [`IdentityError::ClientNotFound`].
    pub async fn delete_client(&self, by: &Caller, id: ClientId) -> Result<(), IdentityError> {
        people_only(&by.principal)?;
        let now = self.clock.now();
        self.write(by, move |connection| {
            get(connection, id)?;
            grants::end_of_client(connection, id, "client_deleted", now)?;
            Ok(store::delete(connection, id)?)
        })
        .await
    }

    /// Gives a client another secret and tells it, this once. The old one is none from now on.
    ///
    /// # Errors
    /// [`IdentityError::ClientNotFound`]; [`IdentityError::Invalid`] for a client without one.
    pub async fn rotate_client_secret(
        &self,
        by: &Caller,
        id: ClientId,
    ) -> Result<(Client, ClientSecret), IdentityError> {
        people_only(&by.principal)?;
        self.covers_service(by, id)?;
        let (secret, hash) = self.fresh_secret(id)?;
        let (caller, now) = (by.principal.id, self.clock.now());
        let client = self
            .write(by, move |connection| {
                let mut client = get(connection, id)?;
                if !client.has_secret() {
                    let reason = "a client with `none` or `private_key_jwt` has no secret";
                    return Err(IdentityError::Invalid { field: "auth_method", reason });
                }
                (client.version, client.updated_at, client.updated_by) = (client.version + 1, now, caller);
                store::update(connection, &client)?;
                store::set_secret(connection, id, &hash)?;
                Ok(client)
            })
            .await?;
        Ok((client, secret))
    }

    fn fresh_secret(&self, id: ClientId) -> Result<(ClientSecret, [u8; 32]), IdentityError> {
        let text = Kind::ClientSecret.make()?;
        let hash = secret::keyed_hash(&self.peppers.oauth, id.as_bytes(), text.as_bytes())?;
        Ok((ClientSecret(text), hash))
    }

    /// Whoever gives a client another secret or other keys can be the service account that it acts as.
    fn covers_service(&self, by: &Caller, id: ClientId) -> Result<(), IdentityError> {
        match self.client(by.organization, id)?.service.map(|id| self.principal(by.organization, id)) {
            Some(found) => found?.map_or(Ok(()), |found| covers_all_of(&by.principal, &found)),
            None => Ok(()),
        }
    }

    /// A client acts as a service account that has no more than who registers it.
    fn check_service(&self, by: &Caller, client: &Client) -> Result<(), IdentityError> {
        let Some(service) = client.service else { return Ok(()) };
        let found = self.principal(by.organization, service)?;
        let Some(found) = found.filter(|found| found.kind == PrincipalKind::Service) else {
            let reason = "there is no such service account";
            return Err(IdentityError::Invalid { field: "service_account", reason });
        };
        covers_all_of(&by.principal, &found)
    }
}

fn covers_all_of(by: &Principal, other: &Principal) -> Result<(), IdentityError> {
    covers(by, &other.roles.iter().map(ToString::to_string).collect::<Vec<_>>())
}

fn get(connection: &Connection, id: ClientId) -> Result<Client, IdentityError> {
    find(connection, id)?.ok_or(IdentityError::ClientNotFound(id))
}

/// The client with this id.
pub(super) fn find(connection: &Connection, id: ClientId) -> Result<Option<Client>, IdentityError> {
    Ok(store::find(connection, id)?.map(|stored| stored.client))
}
