//! What a client asks for at the authorization endpoint: read from its parameters, and refused part by part. Pure.
//!
//! Until client and redirect URI are known to belong together, a refusal is a page for the person; from then on it is an
//! answer to the client.

use serde::{Deserialize, Serialize};

use super::assurance::Assurance;
use crate::clock::UnixMillis;
use crate::identity::oauth::clients::{Client, GrantType};
use crate::identity::oauth::{OAuthError, pkce, redirect, scope};
use crate::ids::{ClientId, PrincipalId};

/// How the answer goes to the client.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// In the query of the redirect.
    #[default]
    Query,
    /// As a form that the browser posts.
    FormPost,
}

/// Where an answer to the client goes.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct ReturnTo {
    pub(super) redirect_uri: String,
    pub(super) mode: ResponseMode,
    pub(super) state: Option<String>,
}

/// What the person said when they were asked.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Decision {
    pub(super) user: PrincipalId,
    pub(super) allowed: bool,
}

/// A well-formed request, as it is kept while the person signs in.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Request {
    pub(super) client: ClientId,
    pub(super) back: ReturnTo,
    pub(super) challenge: String,
    pub(super) scope: Vec<String>,
    pub(super) nonce: Option<String>,
    pub(super) ask_login: bool,
    pub(super) ask_consent: bool,
    pub(super) ask_nothing: bool,
    pub(super) max_age: Option<i64>,
    pub(super) login_hint: Option<String>,
    /// How well the person is to be proved. What came of it, the claim `acr` says.
    #[serde(default)]
    pub(super) assurance: Assurance,
    /// Who has to be signed in, by `id_token_hint`.
    pub(super) expected: Option<PrincipalId>,
    pub(super) received_at: UnixMillis,
    pub(super) decision: Option<Decision>,
}

/// The parameters as they came, no name twice.
pub(super) struct Parameters<'a>(pub(super) &'a [(String, String)]);

impl<'a> Parameters<'a> {
    /// A parameter; an empty one counts as absent, as RFC 6749, 3.1 has it.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    fn bounded(&self, name: &str, most: usize) -> Result<Option<String>, OAuthError> {
        match self.get(name) {
            Some(value) if value.len() > most || value.chars().any(char::is_control) => {
                Err(OAuthError::InvalidRequest("A parameter is too long or has control characters."))
            }
            value => Ok(value.map(str::to_owned)),
        }
    }
}

/// Where the answer goes, if the client may be answered there at all.
pub(super) fn return_to(parameters: &Parameters<'_>, client: &Client) -> Result<ReturnTo, &'static str> {
    let asked = parameters.get("redirect_uri").ok_or("The parameter redirect_uri is missing.")?;
    if !redirect::is_registered(&client.redirect_uris, asked, client.kind) {
        return Err("The redirect_uri is not one that is registered for this client.");
    }
    let state = parameters.get("state").map(str::to_owned);
    if state.as_ref().is_some_and(|state| state.len() > 2_000) {
        return Err("The state is too long.");
    }
    let mode = match parameters.get("response_mode") {
        Some("form_post") => ResponseMode::FormPost,
        _ => ResponseMode::Query,
    };
    Ok(ReturnTo { redirect_uri: asked.to_owned(), mode, state })
}

/// The rest of the request.
pub(super) fn read(
    parameters: &Parameters<'_>,
    client: &Client,
    back: ReturnTo,
    now: UnixMillis,
) -> Result<Request, OAuthError> {
    if parameters.get("request").is_some() {
        return Err(OAuthError::RequestNotSupported);
    }
    if parameters.get("request_uri").is_some() {
        return Err(OAuthError::RequestUriNotSupported);
    }
    match parameters.get("response_type") {
        Some("code") => {}
        Some(_) => return Err(OAuthError::UnsupportedResponseType),
        None => return Err(OAuthError::InvalidRequest("The parameter response_type is missing.")),
    }
    if !matches!(parameters.get("response_mode"), None | Some("query" | "form_post")) {
        return Err(OAuthError::InvalidRequest("The response_mode is query or form_post."));
    }
    if !client.may(GrantType::AuthorizationCode) {
        return Err(OAuthError::UnauthorizedClient);
    }
    let challenge = challenge(parameters)?;
    let scope = scope::narrow(parameters.get("scope").unwrap_or_default(), &client.scopes)?;
    let prompt = Prompt::read(parameters.get("prompt"))?;
    let max_age = match parameters.get("max_age").map(str::parse::<u32>) {
        None => None,
        Some(Ok(seconds)) => Some(i64::from(seconds)),
        Some(Err(_)) => return Err(OAuthError::InvalidRequest("The max_age is a number of seconds.")),
    };
    Ok(Request {
        client: client.id,
        back,
        challenge,
        scope,
        nonce: parameters.bounded("nonce", 512)?,
        ask_login: prompt.login,
        ask_consent: prompt.consent,
        ask_nothing: prompt.none,
        max_age,
        login_hint: parameters.bounded("login_hint", 254)?,
        assurance: Assurance::read(
            parameters.get("acr_values").unwrap_or_default(),
            parameters.get("claims"),
        )?,
        expected: None,
        received_at: now,
        decision: None,
    })
}

fn challenge(parameters: &Parameters<'_>) -> Result<String, OAuthError> {
    let needed = "PKCE is needed: code_challenge of 43 letters of base64url, code_challenge_method=S256.";
    let challenge = parameters.get("code_challenge").filter(|text| pkce::is_challenge(text));
    match (challenge, parameters.get("code_challenge_method")) {
        (Some(challenge), Some("S256")) => Ok(challenge.to_owned()),
        _ => Err(OAuthError::InvalidRequest(needed)),
    }
}

#[derive(Default)]
struct Prompt {
    none: bool,
    login: bool,
    consent: bool,
}

impl Prompt {
    fn read(text: Option<&str>) -> Result<Self, OAuthError> {
        let mut prompt = Self::default();
        for word in text.unwrap_or_default().split(' ').filter(|word| !word.is_empty()) {
            match word {
                "none" => prompt.none = true,
                "login" | "select_account" => prompt.login = true,
                "consent" => prompt.consent = true,
                _ => {
                    return Err(OAuthError::InvalidRequest(
                        "The prompt is none, login, consent or select_account.",
                    ));
                }
            }
        }
        if prompt.none && (prompt.login || prompt.consent) {
            return Err(OAuthError::InvalidRequest("The prompt none stands alone."));
        }
        Ok(prompt)
    }
}
