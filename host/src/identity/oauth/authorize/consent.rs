//! Consent: what a person is asked, what they said, and how they take it back.

use super::store;
use crate::caller::Caller;
use crate::clock::UnixMillis;
use crate::identity::oauth::{Client, Lasting, SignedIn, clients, grants};
use crate::identity::{Identity, IdentityError, people, platform};
use crate::ids::{ClientId, OrganizationId, PrincipalId, RequestId};
use crate::organizations::Organization;

use super::request::{Decision, Request};

/// What a person has allowed a client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Consent {
    /// The client.
    pub client: ClientId,
    /// Its name.
    pub client_name: String,
    /// What was allowed.
    pub scopes: Vec<String>,
    /// When, first.
    pub created_at: UnixMillis,
    /// When, last.
    pub updated_at: UnixMillis,
}

/// What a person is asked.
#[derive(Clone, Debug)]
pub struct ConsentQuestion {
    /// Who asks.
    pub client: Client,
    /// Where the answer will go.
    pub redirect_uri: String,
    /// What for.
    pub scopes: Vec<String>,
    /// For how long.
    pub lasts: Lasting,
    /// Who is asked.
    pub user_name: String,
    /// The first instant the question is over.
    pub expires_at: UnixMillis,
}

impl Identity {
    /// What the request of this name asks this person.
    ///
    /// # Errors
    /// [`IdentityError::RequestNotFound`] when nothing of this name waits.
    pub fn consent_question(
        &self,
        organization: &Organization,
        name: &str,
        person: &SignedIn,
    ) -> Result<ConsentQuestion, IdentityError> {
        let (request, expires_at) =
            self.find_request(organization.id, name)?.ok_or(IdentityError::RequestNotFound)?;
        self.read(organization.id, |connection| {
            let client = clients::find(connection, request.client)?.filter(|client| client.active);
            let user = people::find_user(connection, person.user)?;
            let (Some(client), Some(user)) = (client, user) else {
                return Err(IdentityError::RequestNotFound);
            };
            Ok(ConsentQuestion {
                lasts: Lasting::of(&client, &request.scope),
                client,
                redirect_uri: request.back.redirect_uri.clone(),
                scopes: request.scope.clone(),
                user_name: user.name,
                expires_at,
            })
        })
    }

    /// Notes what the person said. What they allow is remembered; then the request goes on.
    ///
    /// # Errors
    /// [`IdentityError::RequestNotFound`] when nothing of this name waits.
    pub async fn answer_consent(
        &self,
        organization: &Organization,
        name: &str,
        person: &SignedIn,
        allowed: bool,
    ) -> Result<(), IdentityError> {
        let (request, expires_at) =
            self.find_request(organization.id, name)?.ok_or(IdentityError::RequestNotFound)?;
        let (hash, now, user) = (self.opaque_hash(organization.id, name)?, self.clock.now(), person.user);
        self.write_quietly(&platform(organization.id, RequestId::new()), move |connection| {
            if store::find_request(connection, &hash, now)?.is_none() {
                return Err(IdentityError::RequestNotFound);
            }
            let client = clients::find(connection, request.client)?.ok_or(IdentityError::RequestNotFound)?;
            if allowed {
                store::put_consent(connection, user, &client, &request.scope, now)?;
            }
            let decided = Request { decision: Some(Decision { user, allowed }), ..request };
            Ok(store::put_request(connection, &hash, &decided, expires_at, now)?)
        })
        .await
    }

    /// Everything this person has allowed.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn consents(
        &self,
        organization: OrganizationId,
        user: PrincipalId,
    ) -> Result<Vec<Consent>, IdentityError> {
        self.read(organization, |connection| Ok(store::consents(connection, user)?))
    }

    /// Takes a consent back, with every token that came of it.
    ///
    /// # Errors
    /// [`IdentityError::ClientNotFound`] when there is none.
    pub async fn revoke_consent(&self, by: &Caller, client: ClientId) -> Result<(), IdentityError> {
        let (user, now) = (by.principal.id, self.clock.now());
        self.write(by, move |connection| {
            if !store::delete_consent(connection, user, client)? {
                return Err(IdentityError::ClientNotFound(client));
            }
            Ok(grants::end_of_consent(connection, user, client, now)?)
        })
        .await
    }
}
