//! The proof that a client is the one: with its secret, with an assertion, or, for a public client, by its name alone.

use subtle::ConstantTimeEq;

use super::assertion::{Assertion, Good};
use super::{Client, ClientAuth, store};
use crate::identity::foreign::Keys;
use crate::identity::oauth::OAuthError;
use crate::identity::oauth::opaque::Kind;
use crate::identity::{Identity, IdentityError, secret};
use crate::ids::{ClientId, OrganizationId};
use crate::organizations::Organization;

/// What a client showed to prove that it is the one.
#[derive(Clone, Debug)]
pub struct ClientProof<'a> {
    /// Its id; an assertion says it too.
    pub id: Option<&'a str>,
    /// Its secret, or its assertion.
    pub shown: Option<&'a str>,
    /// Which of them, and where it stood.
    pub method: ClientAuth,
}

impl Identity {
    /// The client that this proof is of. An assertion is used up.
    ///
    /// # Errors
    /// [`OAuthError::InvalidClient`], whatever is wrong with it.
    pub async fn authenticate_client(
        &self,
        organization: &Organization,
        proof: &ClientProof<'_>,
    ) -> Result<Client, OAuthError> {
        let refused = |why: &'static str| {
            tracing::debug!(organization = %organization.id, why, "client refused");
            OAuthError::InvalidClient
        };
        let assertion = match (proof.method, proof.shown) {
            (ClientAuth::Key, Some(text)) => Some(Assertion::parse(text).map_err(refused)?),
            _ => None,
        };
        let said = assertion.as_ref().map(|assertion| assertion.subject.as_str());
        let id = proof.id.or(said).and_then(|id| id.parse::<ClientId>().ok());
        let id = id.ok_or_else(|| refused("no client has this id"))?;
        let stored = self.read(organization.id, |connection| Ok(store::find(connection, id)?))?;
        let store::Stored { client, secret } = stored.ok_or_else(|| refused("no client has this id"))?;
        if client.auth != proof.method || !client.active {
            return Err(refused("it proves itself in another way, or is switched off"));
        }
        let proved = match (proof.shown, secret, assertion) {
            (_, None, Some(assertion)) => {
                let good = self.check_assertion(organization, &client, &assertion).map_err(refused)?;
                self.use_assertion(organization.id, client.id, good).await?
            }
            (None, None, None) => client.is_public(),
            (Some(given), Some(kept), None) if Kind::ClientSecret.fits(given) => {
                let given = secret::keyed_hash(&self.peppers.oauth, id.as_bytes(), given.as_bytes())?;
                given.ct_eq(&kept).into()
            }
            _ => false,
        };
        if proved { Ok(client) } else { Err(refused("a wrong secret, or an assertion that was used")) }
    }

    fn check_assertion(
        &self,
        organization: &Organization,
        client: &Client,
        assertion: &Assertion<'_>,
    ) -> Result<Good, &'static str> {
        let issuer = self.issuer(organization);
        let endpoint = format!("{issuer}/oauth/token");
        let keys = Keys::registered(&client.keys)?;
        assertion.verify(&client.id.to_string(), &keys, &[&issuer, &endpoint], self.clock.now())
    }

    /// Whether this assertion was not used before; from now on it was.
    async fn use_assertion(
        &self,
        organization: OrganizationId,
        client: ClientId,
        good: Good,
    ) -> Result<bool, IdentityError> {
        let (hash, now) = (secret::digest(&[client.as_bytes(), good.jti.as_bytes()]), self.clock.now());
        self.note(organization, move |connection| {
            Ok(store::use_assertion(connection, &hash, good.until, now)?)
        })
        .await
    }

    /// Whether pages of this origin may call the authorization server for some client.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn knows_origin(&self, organization: OrganizationId, origin: &str) -> Result<bool, IdentityError> {
        self.read(organization, |connection| Ok(store::knows_origin(connection, origin)?))
    }
}
