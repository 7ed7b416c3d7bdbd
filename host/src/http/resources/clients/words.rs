//! The words of clients, on the wire and within.

use poem_openapi::Enum;

use crate::identity::{ClientAuth, ClientKind, GrantType, SigningAlgorithm};

/// Where a client runs.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
#[oai(rename = "ClientKind", rename_all = "snake_case")]
pub enum KindView {
    /// On a server, or in a browser.
    Web,
    /// On a person's device.
    Native,
    /// Without people.
    Service,
}

/// How a client proves that it is the one.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
#[oai(rename = "ClientAuthMethod", rename_all = "snake_case")]
pub enum AuthView {
    /// Secret in the header `Authorization: Basic`.
    ClientSecretBasic,
    /// Secret in the form.
    ClientSecretPost,
    /// An assertion that it signs with a key of its own.
    PrivateKeyJwt,
    /// Nothing: PKCE binds its codes.
    None,
}

/// How a client comes to tokens.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
#[oai(rename = "ClientGrant", rename_all = "snake_case")]
pub enum GrantView {
    /// A person signs in.
    AuthorizationCode,
    /// The client comes back without the person; takes the scope `offline_access`.
    RefreshToken,
    /// For its service account.
    ClientCredentials,
}

/// What ID tokens are signed with.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
#[oai(rename = "IdTokenAlgorithm")]
pub enum AlgorithmView {
    /// RSA with SHA-256, which every client knows.
    #[oai(rename = "RS256")]
    Rs256,
    /// Ed25519.
    #[oai(rename = "EdDSA")]
    EdDsa,
}

impl From<KindView> for ClientKind {
    fn from(view: KindView) -> Self {
        match view {
            KindView::Web => Self::Web,
            KindView::Native => Self::Native,
            KindView::Service => Self::Service,
        }
    }
}

impl From<ClientKind> for KindView {
    fn from(kind: ClientKind) -> Self {
        match kind {
            ClientKind::Web => Self::Web,
            ClientKind::Native => Self::Native,
            ClientKind::Service => Self::Service,
        }
    }
}

impl From<AuthView> for ClientAuth {
    fn from(view: AuthView) -> Self {
        match view {
            AuthView::ClientSecretBasic => Self::Basic,
            AuthView::ClientSecretPost => Self::Post,
            AuthView::PrivateKeyJwt => Self::Key,
            AuthView::None => Self::None,
        }
    }
}

impl From<ClientAuth> for AuthView {
    fn from(auth: ClientAuth) -> Self {
        match auth {
            ClientAuth::Basic => Self::ClientSecretBasic,
            ClientAuth::Post => Self::ClientSecretPost,
            ClientAuth::Key => Self::PrivateKeyJwt,
            ClientAuth::None => Self::None,
        }
    }
}

impl From<AlgorithmView> for SigningAlgorithm {
    fn from(view: AlgorithmView) -> Self {
        match view {
            AlgorithmView::Rs256 => Self::Rs256,
            AlgorithmView::EdDsa => Self::EdDsa,
        }
    }
}

impl From<SigningAlgorithm> for AlgorithmView {
    fn from(algorithm: SigningAlgorithm) -> Self {
        match algorithm {
            SigningAlgorithm::Rs256 => Self::Rs256,
            SigningAlgorithm::EdDsa => Self::EdDsa,
        }
    }
}

impl From<GrantView> for GrantType {
    fn from(view: GrantView) -> Self {
        match view {
            GrantView::AuthorizationCode => Self::AuthorizationCode,
            GrantView::RefreshToken => Self::RefreshToken,
            GrantView::ClientCredentials => Self::ClientCredentials,
        }
    }
}

impl From<&GrantType> for GrantView {
    fn from(grant: &GrantType) -> Self {
        match grant {
            GrantType::AuthorizationCode => Self::AuthorizationCode,
            GrantType::RefreshToken => Self::RefreshToken,
            GrantType::ClientCredentials => Self::ClientCredentials,
        }
    }
}
