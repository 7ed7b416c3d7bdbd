//! What is said to a provider: the address that a browser goes to, and the code that is exchanged for tokens. The only file
//! that uses the OAuth crate.

use std::error::Error;

use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, ExtraTokenFields, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, RequestTokenError, Scope, StandardRevocableToken, StandardTokenResponse, TokenResponse,
    TokenUrl,
};
use serde::{Deserialize, Serialize};

use crate::identity::IdentityError;
use crate::outbound::{Outbound, OutboundError, Request};

use super::provider::Provider;
use super::refused;

/// The most bytes of an answer with tokens.
const LARGEST: usize = 256 * 1024;

#[derive(Debug, Deserialize, Serialize)]
struct IdToken {
    id_token: Option<String>,
}

impl ExtraTokenFields for IdToken {}

type Party = Client<
    BasicErrorResponse,
    StandardTokenResponse<IdToken, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// Somebody whose code is exchanged.
pub(super) struct Going<'a> {
    pub(super) provider: &'a Provider,
    pub(super) callback: String,
    pub(super) client_secret: Option<Vec<u8>>,
    pub(super) code: String,
    pub(super) verifier: String,
}

/// What a code was good for.
pub(super) struct Tokens {
    pub(super) id_token: String,
    pub(super) access_token: String,
}

fn party(provider: &Provider, callback: &str) -> Result<Party, IdentityError> {
    let bad = |_| IdentityError::ProviderUnreachable("its addresses cannot be read");
    let endpoints = &provider.endpoints;
    Ok(Client::new(ClientId::new(provider.client_id.clone()))
        .set_auth_uri(AuthUrl::new(endpoints.authorization_endpoint.clone()).map_err(bad)?)
        .set_token_uri(TokenUrl::new(endpoints.token_endpoint.clone()).map_err(bad)?)
        .set_redirect_uri(RedirectUrl::new(callback.to_owned()).map_err(bad)?))
}

/// Where a browser goes.
pub(super) fn authorization_url(
    provider: &Provider,
    callback: &str,
    state: &str,
    nonce: &str,
    verifier: &str,
) -> Result<String, IdentityError> {
    let verifier = PkceCodeVerifier::new(verifier.to_owned());
    let (state, scopes) = (state.to_owned(), provider.scopes.iter().cloned().map(Scope::new));
    let party = party(provider, callback)?;
    let mut request = party
        .authorize_url(|| CsrfToken::new(state))
        .add_scopes(scopes)
        .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
        .add_extra_param("nonce", nonce);
    if !provider.second_factor_acrs.is_empty() {
        request = request.add_extra_param("acr_values", provider.second_factor_acrs.join(" "));
    }
    Ok(request.url().0.to_string())
}

/// Exchanges a code.
pub(super) async fn redeem(outbound: &Outbound, going: Going<'_>) -> Result<Tokens, IdentityError> {
    let mut party = party(going.provider, &going.callback)?;
    let methods = &going.provider.endpoints.token_endpoint_auth_methods_supported;
    let knows = |method: &str| methods.iter().any(|known| known == method);
    if knows("client_secret_post") && !knows("client_secret_basic") {
        party = party.set_auth_type(AuthType::RequestBody);
    }
    if let Some(secret) = going.client_secret {
        let secret =
            String::from_utf8(secret).map_err(|_| IdentityError::Cryptography("a client's secret"))?;
        party = party.set_client_secret(ClientSecret::new(secret));
    }
    let ask = |request: HttpRequest| asked(outbound.clone(), request);
    let answer = party
        .exchange_code(AuthorizationCode::new(going.code))
        .set_pkce_verifier(PkceCodeVerifier::new(going.verifier))
        .request_async(&ask)
        .await
        .map_err(|error| failed(&error))?;
    let access_token = answer.access_token().secret().clone();
    let id_token = answer.extra_fields().id_token.clone().ok_or_else(|| refused("no ID token"))?;
    Ok(Tokens { id_token, access_token })
}

/// The crate's requests, sent by our client.
async fn asked(outbound: Outbound, request: HttpRequest) -> Result<HttpResponse, OutboundError> {
    let (parts, body) = request.into_parts();
    let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
    let request = Request {
        method: parts.method.to_string(),
        address: parts.uri.to_string(),
        headers: headers.collect(),
        body,
        limit: LARGEST,
    };
    let answer = outbound.send(request).await?;
    let mut builder = oauth2::http::Response::builder().status(answer.status);
    if let Some(kind) = answer.content_type {
        builder = builder.header("content-type", kind);
    }
    builder.body(answer.body).map_err(|_| OutboundError::Unreachable)
}

fn failed<T>(error: &RequestTokenError<OutboundError, T>) -> IdentityError
where
    T: oauth2::ErrorResponse + 'static,
{
    match error {
        RequestTokenError::Request(error) => super::unreachable("issuer", error),
        RequestTokenError::ServerResponse(_) => refused("the provider does not take the code"),
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            let cause: &dyn Error = error;
            tracing::debug!(error = %cause, "an answer with tokens cannot be read");
            IdentityError::ProviderUnreachable("its tokens cannot be read")
        }
    }
}
