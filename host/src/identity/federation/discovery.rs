//! What a provider says about itself: asked for when it is set up, kept with it.

use serde::{Deserialize, Serialize};

use crate::identity::IdentityError;
use crate::outbound::{Outbound, OutboundError, Request};

/// The most bytes of a discovery document.
const LARGEST: usize = 128 * 1024;

/// Where a provider is asked what. Every address has passed the outbound guard.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Endpoints {
    /// Where people go.
    pub authorization_endpoint: String,
    /// Where codes are exchanged.
    pub token_endpoint: String,
    /// Where its keys are.
    pub jwks_uri: String,
    /// What it signs ID tokens with.
    #[serde(default)]
    pub id_token_signing_alg_values_supported: Vec<String>,
    /// How clients prove who they are; nothing means `client_secret_basic`.
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// Whether its answers always say who answers.
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    #[serde(flatten)]
    endpoints: Endpoints,
}

/// Asks a provider about itself.
///
/// # Errors
/// [`IdentityError::Invalid`] for an issuer that may not be asked, [`IdentityError::ProviderUnreachable`] for one that does
/// not answer, says it is another, or cannot be used safely.
pub(super) async fn discover(outbound: &Outbound, issuer: &str) -> Result<Endpoints, IdentityError> {
    let url = outbound.check(issuer).map_err(|error| unreachable("issuer", &error))?;
    if url.query().is_some() || url.fragment().is_some() || issuer.len() > 512 {
        return Err(IdentityError::Invalid {
            field: "issuer",
            reason: "an issuer has no query and no fragment",
        });
    }
    let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let answer = outbound.send(Request::get(&address, LARGEST)).await;
    let answer = answer.map_err(|error| unreachable("issuer", &error))?;
    if answer.status != 200 {
        return Err(IdentityError::ProviderUnreachable("it has no discovery document"));
    }
    let found: Document = serde_json::from_slice(&answer.body)
        .map_err(|_| IdentityError::ProviderUnreachable("its discovery document cannot be read"))?;
    if found.issuer != issuer {
        return Err(IdentityError::ProviderUnreachable("its discovery document names another issuer"));
    }
    let endpoints = found.endpoints;
    for address in [&endpoints.authorization_endpoint, &endpoints.token_endpoint, &endpoints.jwks_uri] {
        outbound.check(address).map_err(|error| unreachable("issuer", &error))?;
    }
    let usable = |algorithm: &String| matches!(algorithm.as_str(), "RS256" | "ES256" | "EdDSA");
    if !endpoints.id_token_signing_alg_values_supported.iter().any(usable) {
        return Err(IdentityError::ProviderUnreachable("it signs with nothing that is accepted here"));
    }
    Ok(endpoints)
}

/// A failure to ask, in the words of identity.
pub(super) fn unreachable(field: &'static str, error: &OutboundError) -> IdentityError {
    match error {
        OutboundError::Refused(reason) => IdentityError::Invalid { field, reason },
        OutboundError::TooLarge => IdentityError::ProviderUnreachable("it answers too much"),
        OutboundError::TimedOut => IdentityError::ProviderUnreachable("it answers too slowly"),
        OutboundError::Unreachable | OutboundError::Client(_) => {
            IdentityError::ProviderUnreachable("it does not answer")
        }
    }
}
