//! The register of clients, and the proof that a client is the one.
//!
//! `client.rs` has the types and what makes them acceptable, `store.rs` the SQL.

mod client;
mod store;

use subtle::ConstantTimeEq;

use super::opaque::Kind;
use super::{OAuthError, grants};
use crate::caller::{Caller, PrincipalKind};
use crate::identity::people::covers;
use crate::identity::{Identity, IdentityError, secret};
use crate::ids::{ClientId, OrganizationId};
use crate::organizations::Organization;
use crate::storage::Connection;

pub use client::{Client, ClientAuth, ClientChange, ClientKind, ClientSecret, GrantType, NewClient};

/// What a client showed to prove that it is the one.
#[derive(Clone, Debug)]
pub struct ClientProof<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its secret.
    pub secret: Option<&'a str>,
    /// Where the secret stood.
    pub method: ClientAuth,
}

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
        people_only(by)?;
        let now = self.clock.now();
        let client = Client {
            id: ClientId::new(),
            version: 1,
            name: new.name,
            kind: new.kind,
            auth: new.auth,
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
        let (secret, hash) = match client.is_public() {
            true => (None, None),
            false => {
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
        people_only(by)?;
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
        people_only(by)?;
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
    /// [`IdentityError::ClientNotFound`]; [`IdentityError::Invalid`] for a public client.
    pub async fn rotate_client_secret(
        &self,
        by: &Caller,
        id: ClientId,
    ) -> Result<(Client, ClientSecret), IdentityError> {
        people_only(by)?;
        let (secret, hash) = self.fresh_secret(id)?;
        let (caller, now) = (by.principal.id, self.clock.now());
        let client = self
            .write(by, move |connection| {
                let mut client = get(connection, id)?;
                if client.is_public() {
                    let reason = "a public client has no secret";
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

    /// The client that this proof is of.
    ///
    /// # Errors
    /// [`OAuthError::InvalidClient`], whatever is wrong with it.
    pub fn authenticate_client(
        &self,
        organization: &Organization,
        proof: &ClientProof<'_>,
    ) -> Result<Client, OAuthError> {
        let id: ClientId = proof.id.parse().map_err(|_| OAuthError::InvalidClient)?;
        let stored = self.read(organization.id, |connection| Ok(store::find(connection, id)?))?;
        let store::Stored { client, secret } = stored.ok_or(OAuthError::InvalidClient)?;
        let proved = match (proof.secret, secret, client.auth == proof.method && client.active) {
            (_, _, false) => false,
            (None, None, true) => client.is_public(),
            (Some(given), Some(kept), true) if Kind::ClientSecret.fits(given) => {
                let given = secret::keyed_hash(&self.peppers.oauth, id.as_bytes(), given.as_bytes())?;
                given.ct_eq(&kept).into()
            }
            _ => false,
        };
        if proved { Ok(client) } else { Err(OAuthError::InvalidClient) }
    }

    fn fresh_secret(&self, id: ClientId) -> Result<(ClientSecret, [u8; 32]), IdentityError> {
        let text = Kind::ClientSecret.make()?;
        let hash = secret::keyed_hash(&self.peppers.oauth, id.as_bytes(), text.as_bytes())?;
        Ok((ClientSecret(text), hash))
    }

    /// A client acts as a service account that has no more than who registers it.
    fn check_service(&self, by: &Caller, client: &Client) -> Result<(), IdentityError> {
        let Some(service) = client.service else { return Ok(()) };
        let found = self.principal(by.organization, service)?;
        let Some(found) = found.filter(|found| found.kind == PrincipalKind::Service) else {
            let reason = "there is no such service account";
            return Err(IdentityError::Invalid { field: "service_account", reason });
        };
        covers(&by.principal, &found.roles.iter().map(ToString::to_string).collect::<Vec<_>>())
    }
}

/// Keys and services make no clients: they would outlive them.
fn people_only(by: &Caller) -> Result<(), IdentityError> {
    match by.principal.kind {
        PrincipalKind::User | PrincipalKind::Platform => Ok(()),
        _ => Err(IdentityError::KeyCannotCreateKeys),
    }
}

fn get(connection: &Connection, id: ClientId) -> Result<Client, IdentityError> {
    find(connection, id)?.ok_or(IdentityError::ClientNotFound(id))
}

/// The client with this id.
pub(super) fn find(connection: &Connection, id: ClientId) -> Result<Option<Client>, IdentityError> {
    Ok(store::find(connection, id)?.map(|stored| stored.client))
}
