//! Refusals of an authorization server, as RFC 6749, RFC 9207 and OpenID Connect name them.

use crate::identity::IdentityError;

/// Why a client gets no token, or no code.
#[derive(Debug, thiserror::Error)]
pub enum OAuthError {
    /// A parameter is missing, malformed or not of the kind that is taken here.
    #[error("{0}")]
    InvalidRequest(&'static str),
    /// Nobody's client, or it did not prove that it is.
    #[error("The client is not known, or did not prove that it is the one.")]
    InvalidClient,
    /// The code or token is not good; why is for the log.
    #[error("The code or token is not valid.")]
    InvalidGrant(&'static str),
    /// The client is not registered for this.
    #[error("The client is not registered for this.")]
    UnauthorizedClient,
    /// Not one of the grants that there are.
    #[error("This grant type is not offered.")]
    UnsupportedGrantType,
    /// Only `code`.
    #[error("Only the response type `code` is offered.")]
    UnsupportedResponseType,
    /// None of the scopes is one that the client may ask for.
    #[error("None of these scopes is one that the client may ask for.")]
    InvalidScope,
    /// The person said no.
    #[error("The person did not allow it.")]
    AccessDenied,
    /// Nobody is signed in, or not as was asked for, and nobody may be asked.
    #[error("Nobody is signed in as asked for.")]
    LoginRequired,
    /// The person would have to be asked, and may not be.
    #[error("The person has not allowed this yet.")]
    ConsentRequired,
    /// The person cannot be proved as well as the client needs it.
    #[error("The person cannot prove who they are as well as is needed.")]
    UnmetAuthenticationRequirements,
    /// Request objects are not taken.
    #[error("Request objects are not taken.")]
    RequestNotSupported,
    /// Nor are they fetched.
    #[error("Request objects are not fetched.")]
    RequestUriNotSupported,
    /// Ours: for the log, never for the client.
    #[error("Something failed on our side.")]
    Failed(#[from] IdentityError),
}

impl From<crate::storage::StorageError> for OAuthError {
    fn from(error: crate::storage::StorageError) -> Self {
        Self::Failed(error.into())
    }
}

impl OAuthError {
    /// The code on the wire.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant(_) => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::AccessDenied => "access_denied",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::Failed(_) => "server_error",
        }
    }
}
