//! The authorization endpoint: from a client's request to a code, by way of the person's signing in and consent.
//!
//! `request.rs` reads the parameters, `assurance.rs` what they say of `acr`, `consent.rs` asks the person, `store.rs` has the SQL. A request that has to wait
//! for the person is kept for ten minutes under the hash of a random name.

mod assurance;
mod consent;
mod request;
mod store;

use super::opaque::Kind;
use super::{Client, OAuthError, clients, grants};
use crate::clock::UnixMillis;
use crate::identity::{Identity, IdentityError, platform, secret};
use crate::ids::{ClientId, OrganizationId, PrincipalId, RequestId, SessionId};
use crate::organizations::Organization;

use assurance::{Assurance, Gap};
use request::{Parameters, Request, ReturnTo};

pub use consent::{Consent, ConsentQuestion};
pub use request::ResponseMode;

/// How long a request waits for the person, in milliseconds.
const PATIENCE: UnixMillis = 10 * 60_000;

/// How long a code is good, in milliseconds.
const CODE: UnixMillis = 60_000;

/// The person whose browser asks, by the cookie of their session.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The session.
    pub session: SessionId,
    /// Whose.
    pub user: PrincipalId,
    /// When they proved who they are.
    pub auth_time: UnixMillis,
    /// How.
    pub amr: Vec<String>,
    /// How well.
    pub acr: String,
}

/// What the browser brings to the authorization endpoint.
#[derive(Clone, Copy, Debug)]
pub enum Ask<'a> {
    /// A client's request: its parameters, no name twice.
    New(&'a [(String, String)]),
    /// The name of one that has waited.
    Known(&'a str),
}

/// An answer to the client, to be brought by the browser.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientAnswer {
    /// Where to.
    pub redirect_uri: String,
    /// How.
    pub mode: ResponseMode,
    /// What: a code or an error, `state`, and always `iss`.
    pub parameters: Vec<(&'static str, String)>,
}

/// What happens next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Authorization {
    /// The client is answered.
    Answer(ClientAnswer),
    /// The person signs in first; then the request of this name goes on.
    SignIn(String),
    /// The person is asked first.
    Consent(String),
}

/// A refusal that nobody but the person may see: the client is not known to be at that address.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizeError {
    /// Why, for people.
    #[error("{0}")]
    Page(&'static str),
    /// Ours.
    #[error("identity")]
    Failed(#[from] IdentityError),
}

impl Identity {
    /// What happens next with this request of a browser.
    ///
    /// # Errors
    /// [`AuthorizeError::Page`] as long as client and redirect URI are not known to belong together.
    pub async fn authorize(
        &self,
        organization: &Organization,
        ask: Ask<'_>,
        person: Option<&SignedIn>,
    ) -> Result<Authorization, AuthorizeError> {
        let now = self.clock.now();
        let (name, request) = match ask {
            Ask::Known(name) => (Some(name), self.kept_request(organization.id, name)?),
            Ask::New(parameters) => {
                let parameters = Parameters(parameters);
                let client = self.asking_client(organization.id, &parameters)?;
                let back = request::return_to(&parameters, &client).map_err(AuthorizeError::Page)?;
                let read = request::read(&parameters, &client, back.clone(), now);
                let read = read.and_then(|request| self.with_hint(organization, &parameters, request));
                match read {
                    Ok(request) => (None, request),
                    Err(OAuthError::Failed(error)) => return Err(error.into()),
                    Err(error) => return Ok(self.refusal(organization, &back, &error)),
                }
            }
        };
        let client = self.read(organization.id, |connection| clients::find(connection, request.client))?;
        let client = client.filter(|client| client.active).ok_or(AuthorizeError::Page(UNKNOWN))?;
        let next = self.next(organization, &client, &request, person, now)?;
        match next {
            Next::Refuse(error) => {
                self.forget(organization.id, name).await?;
                Ok(self.refusal(organization, &request.back, &error))
            }
            Next::SignIn => Ok(Authorization::SignIn(self.keep(organization.id, name, &request).await?)),
            Next::Consent => Ok(Authorization::Consent(self.keep(organization.id, name, &request).await?)),
            Next::Code(person) => self.answer_with_code(organization, name, request, person).await,
        }
    }

    fn asking_client(
        &self,
        organization: OrganizationId,
        parameters: &Parameters<'_>,
    ) -> Result<Client, AuthorizeError> {
        let id = parameters.get("client_id").and_then(|text| text.parse::<ClientId>().ok());
        let id = id.ok_or(AuthorizeError::Page(UNKNOWN))?;
        let client = self.read(organization, |connection| clients::find(connection, id))?;
        client.filter(|client| client.active).ok_or(AuthorizeError::Page(UNKNOWN))
    }

    fn with_hint(
        &self,
        organization: &Organization,
        parameters: &Parameters<'_>,
        mut request: Request,
    ) -> Result<Request, OAuthError> {
        if let Some(hint) = parameters.get("id_token_hint") {
            let hint = self.read_hint(organization, hint)?;
            let hint = hint.ok_or(OAuthError::InvalidRequest("The id_token_hint is not one of ours."))?;
            request.expected = Some(hint.user);
        }
        Ok(request)
    }

    fn next(
        &self,
        organization: &Organization,
        client: &Client,
        request: &Request,
        person: Option<&SignedIn>,
        now: UnixMillis,
    ) -> Result<Next, IdentityError> {
        let fits = |person: &&SignedIn| {
            let age = now.saturating_sub(person.auth_time);
            let fresh = !request.ask_login || person.auth_time >= request.received_at;
            let young = request.max_age.is_none_or(|most| {
                age <= most.saturating_mul(1_000) || person.auth_time >= request.received_at
            });
            fresh && young && request.expected.is_none_or(|user| user == person.user)
        };
        let person = person.filter(fits);
        let gap = person.map_or(Ok(Gap::SignIn), |person| self.gap(organization.id, request, person))?;
        let person = match (person, gap) {
            (_, Gap::Never) => return Ok(Next::Refuse(OAuthError::UnmetAuthenticationRequirements)),
            (Some(person), Gap::None) => person,
            _ if request.ask_nothing => return Ok(Next::Refuse(OAuthError::LoginRequired)),
            _ => return Ok(Next::SignIn),
        };
        let decision = request.decision.as_ref().filter(|decision| decision.user == person.user);
        match decision {
            Some(decision) if !decision.allowed => return Ok(Next::Refuse(OAuthError::AccessDenied)),
            Some(_) => return Ok(Next::Code(person.clone())),
            None => {}
        }
        let known = self
            .read(organization.id, |connection| Ok(store::consented(connection, person.user, client.id)?))?;
        let covered = client.trusted || request.scope.iter().all(|scope| known.contains(scope));
        // Where anybody could pass for the client, what was said to it before says nothing about who asks now.
        if covered && client.is_assured_at(&request.back.redirect_uri) && !request.ask_consent {
            return Ok(Next::Code(person.clone()));
        }
        let refused = Next::Refuse(OAuthError::ConsentRequired);
        Ok(if request.ask_nothing { refused } else { Next::Consent })
    }

    /// What stands between this person and the proof that the client asks for.
    fn gap(
        &self,
        organization: OrganizationId,
        request: &Request,
        person: &SignedIn,
    ) -> Result<Gap, IdentityError> {
        let could = request.assurance > Assurance::Any && self.needs_second(organization, person.user)?;
        let just_now = person.auth_time >= request.received_at;
        Ok(request.assurance.gap(&person.acr, could, just_now, request.ask_nothing))
    }

    /// The address that the client expects the person of this waiting request to sign in with.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn login_hint(
        &self,
        organization: &Organization,
        name: &str,
    ) -> Result<Option<String>, IdentityError> {
        Ok(self.find_request(organization.id, name)?.and_then(|(request, _)| request.login_hint))
    }

    async fn answer_with_code(
        &self,
        organization: &Organization,
        name: Option<&str>,
        request: Request,
        person: SignedIn,
    ) -> Result<Authorization, AuthorizeError> {
        let (code, now) = (Kind::Code.make()?, self.clock.now());
        let hash = self.opaque_hash(organization.id, &code)?;
        let waiting = name.map(|name| self.opaque_hash(organization.id, name)).transpose()?;
        let back = request.back.clone();
        let made = self
            .write_quietly(&platform(organization.id, RequestId::new()), move |connection| {
                // The request of one name is answered once.
                if let Some(waiting) = waiting
                    && !store::take_request(connection, &waiting)?
                {
                    return Ok(false);
                }
                let client = clients::find(connection, request.client)?.filter(|client| client.active);
                let Some(client) = client else { return Ok(false) };
                let grant = grants::NewGrant::of_person(&client, &person, &request.scope, request.nonce, now);
                let Some(grant) = grants::begin(connection, grant, now)? else { return Ok(false) };
                let code = store::NewCode {
                    hash,
                    grant,
                    client: client.id,
                    redirect_uri: request.back.redirect_uri,
                    challenge: request.challenge,
                    expires_at: now.saturating_add(CODE),
                };
                store::insert_code(connection, &code, now)?;
                Ok(true)
            })
            .await?;
        if !made {
            return Err(AuthorizeError::Page(GONE));
        }
        Ok(self.answer(organization, &back, vec![("code", code.to_string())]))
    }

    fn refusal(&self, organization: &Organization, back: &ReturnTo, error: &OAuthError) -> Authorization {
        let parameters = vec![("error", error.code().to_owned()), ("error_description", error.to_string())];
        self.answer(organization, back, parameters)
    }

    fn answer(
        &self,
        organization: &Organization,
        back: &ReturnTo,
        mut parameters: Vec<(&'static str, String)>,
    ) -> Authorization {
        parameters.extend(back.state.clone().map(|state| ("state", state)));
        parameters.push(("iss", self.issuer(organization)));
        Authorization::Answer(ClientAnswer {
            redirect_uri: back.redirect_uri.clone(),
            mode: back.mode,
            parameters,
        })
    }

    fn kept_request(&self, organization: OrganizationId, name: &str) -> Result<Request, AuthorizeError> {
        let found = self.find_request(organization, name)?;
        found.map(|(request, _)| request).ok_or(AuthorizeError::Page(GONE))
    }

    fn find_request(
        &self,
        organization: OrganizationId,
        name: &str,
    ) -> Result<Option<(Request, UnixMillis)>, IdentityError> {
        if !Kind::Request.fits(name) {
            return Ok(None);
        }
        let (hash, now) = (self.opaque_hash(organization, name)?, self.clock.now());
        self.read(organization, |connection| Ok(store::find_request(connection, &hash, now)?))
    }

    /// Keeps a request under its name, or a new one.
    async fn keep(
        &self,
        organization: OrganizationId,
        name: Option<&str>,
        request: &Request,
    ) -> Result<String, IdentityError> {
        if let Some(name) = name {
            return Ok(name.to_owned());
        }
        let name = Kind::Request.make()?;
        let (hash, now, request) =
            (self.opaque_hash(organization, &name)?, self.clock.now(), request.clone());
        self.write_quietly(&platform(organization, RequestId::new()), move |connection| {
            Ok(store::put_request(connection, &hash, &request, now.saturating_add(PATIENCE), now)?)
        })
        .await?;
        Ok(name.to_string())
    }

    async fn forget(&self, organization: OrganizationId, name: Option<&str>) -> Result<(), IdentityError> {
        let Some(name) = name else { return Ok(()) };
        let hash = self.opaque_hash(organization, name)?;
        self.write_quietly(&platform(organization, RequestId::new()), move |connection| {
            Ok(store::take_request(connection, &hash).map(|_| ())?)
        })
        .await
    }

    /// Under which a random text is kept. The text says its kind, so that the hash does, too.
    pub(super) fn opaque_hash(
        &self,
        organization: OrganizationId,
        text: &str,
    ) -> Result<[u8; 32], IdentityError> {
        secret::keyed_hash(&self.peppers.oauth, organization.as_bytes(), text.as_bytes())
    }
}

const UNKNOWN: &str = "No client with this client_id is registered here.";
const GONE: &str = "This request to sign in is over. Go back to the application and begin anew.";

enum Next {
    Refuse(OAuthError),
    SignIn,
    Consent,
    Code(SignedIn),
}
