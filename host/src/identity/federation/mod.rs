//! Federation: people of an organization who sign in with another issuer (any OpenID Connect provider).
//!
//! Who somebody is comes from the provider's ID token only, and the key is (provider, subject), never an address. A browser
//! goes with a state, a nonce and a PKCE challenge and is bound to its cookie; what it brings back is used once, at the
//! callback of the very provider it went to. A provider that is disabled is refused at every step. Somebody new is linked to
//! a person here when that person asked for it with their password a moment ago; or when the provider is authoritative and
//! has verified an address of a domain that the organization has shown to be its own; or else is made anew. Roles come from an
//! explicit table of groups, never the owner's, and follow at each sign-in.
//!
//! Reading order: `provider.rs` (how it is arranged), `discovery.rs`, this file (going and coming back), `exchange.rs`,
//! `jwks.rs`, `id_token.rs`, `settle.rs` (who they are here, and their roles), `voucher.rs`, `domains.rs`, `store.rs`.

mod discovery;
mod domains;
mod exchange;
mod id_token;
mod jwks;
mod provider;
mod settle;
mod store;
mod voucher;

use std::sync::Arc;

use subtle::ConstantTimeEq;
use tokio::sync::Mutex;

use crate::caller::Caller;
use crate::clock::UnixMillis;
use crate::identity::foreign::Signed;
use crate::identity::people::UserStatus;
use crate::identity::{FactorProof, Identity, IdentityError, secret};
use crate::ids::{OrganizationId, PrincipalId, ProviderId};
use crate::organizations::{Organization, Organizations};
use crate::outbound::Outbound;

pub use discovery::Endpoints;
pub use domains::Domain;
pub use provider::{GroupRole, Provider, ProviderChange};

use discovery::unreachable;

use jwks::KeySets;
use store::{Transaction, Voucher};

/// How long somebody may stay with a provider, in milliseconds.
const AWAY: UnixMillis = 600_000;

/// How long a browser has to fetch its token, in milliseconds.
const VOUCHER: UnixMillis = 60_000;

/// Every operation on providers and those who come from them. Cheap to clone.
#[derive(Clone)]
pub struct Federation {
    identity: Identity,
    organizations: Organizations,
    outbound: Outbound,
    keys: KeySets,
    /// Whose turn it is to change who holds a domain.
    turns: Arc<Mutex<()>>,
}

/// Where a browser goes.
pub struct Departure {
    /// The provider's page.
    pub address: String,
    /// What the browser keeps in a cookie: only it can come back.
    pub browser: String,
}

/// What a browser brings back.
#[derive(Clone, Debug, Default)]
pub struct Return {
    /// Its cookie.
    pub browser: Option<String>,
    /// `state`.
    pub state: Option<String>,
    /// `code`.
    pub code: Option<String>,
    /// `iss`.
    pub issuer: Option<String>,
}

impl Federation {
    /// Federation over these handles.
    #[must_use]
    pub fn new(identity: Identity, organizations: Organizations, outbound: Outbound) -> Self {
        Self { identity, organizations, outbound, keys: KeySets::default(), turns: Arc::default() }
    }

    /// Where a provider sends people back to.
    #[must_use]
    pub fn callback(&self, organization: &Organization, provider: ProviderId) -> String {
        format!("{}/auth/callback/{provider}", self.identity.address.of(organization.slug.as_str()))
    }

    /// Where the organization is, as a browser sees it.
    #[must_use]
    pub fn origin(&self, organization: &Organization) -> String {
        self.identity.address.of(organization.slug.as_str())
    }

    /// Sends somebody to a provider, to log in.
    ///
    /// # Errors
    /// [`IdentityError::FederationRefused`] for a provider that is disabled or not there.
    pub async fn depart(
        &self,
        organization: &Organization,
        provider: ProviderId,
    ) -> Result<Departure, IdentityError> {
        self.begin(organization, provider, None).await
    }

    /// Sends a person to a provider, to be known as who they are there. What they prove is that it is them, now.
    ///
    /// # Errors
    /// [`IdentityError::StepUpRequired`] for a wrong password; what a login is refused for.
    pub async fn depart_to_link(
        &self,
        by: &Caller,
        organization: &Organization,
        provider: ProviderId,
        proof: &FactorProof<'_>,
    ) -> Result<Departure, IdentityError> {
        match self.identity.prove(by, organization, proof).await {
            Ok(_) => {}
            Err(IdentityError::InvalidCredentials) => return Err(IdentityError::StepUpRequired),
            Err(other) => return Err(other),
        }
        self.begin(organization, provider, Some(by.principal.id)).await
    }

    async fn begin(
        &self,
        organization: &Organization,
        id: ProviderId,
        link: Option<PrincipalId>,
    ) -> Result<Departure, IdentityError> {
        let provider = self.active(organization.id, id)?;
        let fresh = || Ok::<_, IdentityError>(secret::encode(secret::random()?.as_slice()));
        let (state, nonce, verifier, browser) = (fresh()?, fresh()?, fresh()?, fresh()?);
        let callback = self.callback(organization, id);
        let address = exchange::authorization_url(&provider, &callback, &state, &nonce, &verifier)?;
        let now = self.identity.clock.now();
        let row = Transaction {
            provider: id,
            browser: self.hash(organization.id, &browser)?,
            nonce,
            verifier,
            link,
            expires_at: now.saturating_add(AWAY),
        };
        let state = self.hash(organization.id, &state)?;
        self.identity.note(organization.id, move |c| Ok(store::begin(c, &state, &row, now)?)).await?;
        Ok(Departure { address, browser })
    }

    /// Takes somebody back from a provider: the token of a voucher, good once, in the same browser, for a minute.
    ///
    /// # Errors
    /// [`IdentityError::FederationRefused`] for everything that is not as it must be; the reason goes to the log only.
    pub async fn arrive(
        &self,
        organization: &Organization,
        id: ProviderId,
        back: Return,
    ) -> Result<String, IdentityError> {
        let (transaction, provider, sealed) = self.recognize(organization, id, &back).await?;
        let client_secret = match &sealed {
            Some(sealed) => {
                Some(self.identity.secrets.open_sealed(&provider::purpose(organization.id, id), sealed)?)
            }
            None => None,
        };
        let code = back.code.filter(|code| code.len() <= 4_096).ok_or_else(|| refused("no code"))?;
        let going = exchange::Going {
            provider: &provider,
            callback: self.callback(organization, id),
            client_secret,
            code,
            verifier: transaction.verifier.clone(),
        };
        let tokens = exchange::redeem(&self.outbound, going).await?;
        let now = self.identity.clock.now();
        let unverified = Signed::parse(&tokens.id_token, &["JWT"]).map_err(refused)?;
        let address = &provider.endpoints.jwks_uri;
        let keys = self.keys.of(&self.outbound, id, address, unverified.kid.as_deref(), now).await?;
        let expected = id_token::Expected {
            issuer: &provider.issuer,
            client_id: &provider.client_id,
            nonce: &transaction.nonce,
            access_token: &tokens.access_token,
            algorithms: &provider.endpoints.id_token_signing_alg_values_supported,
            now,
        };
        let person =
            id_token::verify(&unverified, &keys, &expected, &provider.groups_claim).map_err(refused)?;
        let acr = provider.assurance(person.acr.as_deref()).to_owned();
        let user = self.settle(organization.id, id, transaction.link, person).await?;
        let voucher = secret::encode(secret::random()?.as_slice());
        let hash = self.hash(organization.id, &voucher)?;
        let row = Voucher {
            browser: transaction.browser,
            provider: id,
            user,
            acr,
            auth_time: now,
            expires_at: now.saturating_add(VOUCHER),
        };
        self.identity.note(organization.id, move |c| Ok(store::put_voucher(c, &hash, &row, now)?)).await?;
        Ok(voucher)
    }

    /// The transaction that a return belongs to, which is used up by it, and its provider.
    async fn recognize(
        &self,
        organization: &Organization,
        id: ProviderId,
        back: &Return,
    ) -> Result<(Transaction, Provider, Option<Vec<u8>>), IdentityError> {
        let state = back.state.as_deref().filter(|state| state.len() <= 128);
        let state = self.hash(organization.id, state.ok_or_else(|| refused("no state"))?)?;
        let taken = self.identity.note(organization.id, move |c| Ok(store::take(c, &state)?)).await?;
        let transaction = taken.ok_or_else(|| refused("unknown state"))?;
        if transaction.expires_at <= self.identity.clock.now() {
            return Err(refused("too late"));
        }
        if transaction.provider != id {
            return Err(refused("another provider's callback"));
        }
        self.same_browser(organization.id, back.browser.as_deref(), &transaction.browser)?;
        let found = self.identity.read(organization.id, |c| Ok(store::find_provider(c, id)?))?;
        let (provider, sealed) = found.ok_or_else(|| refused("the provider is gone"))?;
        if provider.status != UserStatus::Active {
            return Err(refused("the provider is disabled"));
        }
        let must = provider.endpoints.authorization_response_iss_parameter_supported;
        match &back.issuer {
            Some(issuer) if *issuer == provider.issuer => {}
            None if !must => {}
            _ => return Err(refused("the answer names another issuer, or none")),
        }
        Ok((transaction, provider, sealed))
    }

    fn active(&self, organization: OrganizationId, id: ProviderId) -> Result<Provider, IdentityError> {
        let provider = self.provider(organization, id).map_err(|error| match error {
            IdentityError::ProviderNotFound(_) => refused("no such provider"),
            other => other,
        })?;
        if provider.status == UserStatus::Active {
            Ok(provider)
        } else {
            Err(refused("the provider is disabled"))
        }
    }

    fn same_browser(
        &self,
        organization: OrganizationId,
        given: Option<&str>,
        known: &[u8; 32],
    ) -> Result<(), IdentityError> {
        let given = given.filter(|given| given.len() <= 128).ok_or_else(|| refused("no cookie"))?;
        let same = bool::from(self.hash(organization, given)?.ct_eq(known));
        same.then_some(()).ok_or_else(|| refused("another browser"))
    }

    fn hash(&self, organization: OrganizationId, text: &str) -> Result<[u8; 32], IdentityError> {
        secret::keyed_hash(&self.identity.peppers.federation, organization.as_bytes(), text.as_bytes())
    }
}

fn refused(why: &'static str) -> IdentityError {
    tracing::info!(why, "somebody from elsewhere is refused");
    IdentityError::FederationRefused
}
