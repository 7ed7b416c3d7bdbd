//! A client, and what makes its values acceptable. Pure.

use std::fmt;

use zeroize::Zeroizing;

use super::lives::{Lives, LivesChange};
use crate::clock::UnixMillis;
use crate::identity::foreign::{Jwk, Keys};
use crate::identity::oauth::{origin, redirect, scope};
use crate::identity::people::checked_name;
use crate::identity::{IdentityError, SigningAlgorithm};
use crate::ids::{ClientId, PrincipalId};

/// Where a client runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClientKind {
    /// On a server, or in a browser.
    Web,
    /// On a person's device; it keeps no secret.
    Native,
    /// Without people.
    Service,
}

/// How a client proves that it is the one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClientAuth {
    /// A secret in the header `Authorization: Basic`.
    Basic,
    /// A secret in the body.
    Post,
    /// An assertion that it signs with a key of its own.
    Key,
    /// Not at all: PKCE binds its codes.
    None,
}

/// How a client comes to tokens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GrantType {
    /// A person signs in.
    AuthorizationCode,
    /// A refresh token.
    RefreshToken,
    /// For its service account.
    ClientCredentials,
}

macro_rules! words {
    ($type:ident, $($variant:ident = $word:literal),+) => {
        impl $type {
            /// The word on the wire and in the file.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// What this word means.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words!(ClientKind, Web = "web", Native = "native", Service = "service");
words!(
    ClientAuth,
    Basic = "client_secret_basic",
    Post = "client_secret_post",
    Key = "private_key_jwt",
    None = "none"
);
words!(
    GrantType,
    AuthorizationCode = "authorization_code",
    RefreshToken = "refresh_token",
    ClientCredentials = "client_credentials"
);

/// A client of the organization, without its secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Client {
    /// Its `client_id`.
    pub id: ClientId,
    /// Grows with every change.
    pub version: i64,
    /// What people are asked about.
    pub name: String,
    /// Where it runs.
    pub kind: ClientKind,
    /// How it proves that it is the one.
    pub auth: ClientAuth,
    /// The public keys of its assertions.
    pub keys: Vec<Jwk>,
    /// Where codes may be sent.
    pub redirect_uris: Vec<String>,
    /// Where people may be sent after signing out.
    pub logout_uris: Vec<String>,
    /// Whose pages may call the authorization server for it.
    pub origins: Vec<String>,
    /// How long what it gets is good.
    pub lives: Lives,
    /// How it comes to tokens.
    pub grants: Vec<GrantType>,
    /// What it may ask for.
    pub scopes: Vec<String>,
    /// The service account it acts as, for `client_credentials`.
    pub service: Option<PrincipalId>,
    /// What its ID tokens are signed with.
    pub id_token_algorithm: SigningAlgorithm,
    /// The organization's own: nobody is asked for consent, unless anybody could pass for it ([`Client::is_assured_at`]).
    pub trusted: bool,
    /// Whether it may do anything.
    pub active: bool,
    /// When it was created.
    pub created_at: UnixMillis,
    /// By whom.
    pub created_by: PrincipalId,
    /// When it was last changed.
    pub updated_at: UnixMillis,
    /// By whom.
    pub updated_by: PrincipalId,
}

/// What is asked for when a client is created.
#[derive(Clone, Debug)]
pub struct NewClient {
    /// 1 to 200 characters.
    pub name: String,
    /// Where it runs.
    pub kind: ClientKind,
    /// How it proves that it is the one.
    pub auth: ClientAuth,
    /// At most 20.
    pub redirect_uris: Vec<String>,
    /// At most 20.
    pub logout_uris: Vec<String>,
    /// For assertions: 1 to 20.
    pub keys: Vec<Jwk>,
    /// Of a public client: at most 20.
    pub origins: Vec<String>,
    /// What is not said is as long as its kind may have it.
    pub lives: LivesChange,
    /// At least one.
    pub grants: Vec<GrantType>,
    /// At most 100.
    pub scopes: Vec<String>,
    /// For `client_credentials`.
    pub service: Option<PrincipalId>,
    /// RS256 unless asked for otherwise.
    pub id_token_algorithm: SigningAlgorithm,
    /// The organization's own.
    pub trusted: bool,
}

/// What is asked for when a client is changed; `None` leaves a value as it is.
#[derive(Clone, Debug, Default)]
pub struct ClientChange {
    /// The version the change is based on; `None`: whatever it is.
    pub if_version: Option<i64>,
    /// Its name.
    pub name: Option<String>,
    /// Where codes may be sent.
    pub redirect_uris: Option<Vec<String>>,
    /// Where people may be sent after signing out.
    pub logout_uris: Option<Vec<String>>,
    /// The public keys of its assertions, all of them.
    pub keys: Option<Vec<Jwk>>,
    /// Whose pages may call for it, all of them.
    pub origins: Option<Vec<String>>,
    /// How long what it gets is good.
    pub lives: LivesChange,
    /// What it may ask for.
    pub scopes: Option<Vec<String>>,
    /// What its ID tokens are signed with.
    pub id_token_algorithm: Option<SigningAlgorithm>,
    /// The organization's own.
    pub trusted: Option<bool>,
    /// Whether it may do anything.
    pub active: Option<bool>,
}

/// A client's secret. It is shown once, and never by `Debug`.
#[derive(Clone)]
pub struct ClientSecret(pub(super) Zeroizing<String>);

impl ClientSecret {
    /// The text, to show it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(..)")
    }
}

impl Client {
    /// Whether it may come to tokens this way.
    #[must_use]
    pub fn may(&self, grant: GrantType) -> bool {
        self.grants.contains(&grant)
    }

    /// Whether it cannot prove that it is the one.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.auth == ClientAuth::None
    }

    /// Whether it has a secret.
    #[must_use]
    pub fn has_secret(&self) -> bool {
        matches!(self.auth, ClientAuth::Basic | ClientAuth::Post)
    }

    /// Whether an answer at this address reaches the client and nobody else: it proves itself when it exchanges the code, or
    /// the address is served by whoever holds its name (RFC 8252, 8.6). A loopback address and a scheme of its own can be
    /// taken by any program on the device.
    #[must_use]
    pub fn is_assured_at(&self, redirect_uri: &str) -> bool {
        !self.is_public() || redirect_uri.starts_with("https://")
    }

    /// The client with a change applied, not yet checked.
    pub(super) fn changed(mut self, change: ClientChange) -> Self {
        self.name = change.name.unwrap_or(self.name);
        self.redirect_uris = change.redirect_uris.unwrap_or(self.redirect_uris);
        self.logout_uris = change.logout_uris.unwrap_or(self.logout_uris);
        self.keys = change.keys.unwrap_or(self.keys);
        self.origins = change.origins.unwrap_or(self.origins);
        self.lives = self.lives.changed(change.lives);
        self.scopes = change.scopes.unwrap_or(self.scopes);
        self.id_token_algorithm = change.id_token_algorithm.unwrap_or(self.id_token_algorithm);
        self.trusted = change.trusted.unwrap_or(self.trusted);
        self.active = change.active.unwrap_or(self.active);
        self
    }

    /// The client with its name trimmed, if all of it fits together.
    pub(super) fn checked(mut self) -> Result<Self, IdentityError> {
        self.name = checked_name(&self.name)?;
        self.check_grants()?;
        for (field, uris) in
            [("redirect_uris", &self.redirect_uris), ("post_logout_redirect_uris", &self.logout_uris)]
        {
            if uris.len() > redirect::MOST {
                return Err(IdentityError::Invalid { field, reason: "at most 20" });
            }
            if let Some(reason) = uris.iter().find_map(|uri| redirect::objection(uri, self.kind)) {
                return Err(IdentityError::Invalid { field, reason });
            }
        }
        if self.scopes.len() > 100 || !self.scopes.iter().all(|known| scope::is_scope(known)) {
            let reason =
                "at most 100, each one of openid, profile, email, offline_access, read or thing:action";
            return Err(IdentityError::Invalid { field: "scopes", reason });
        }
        self.check_keys()?;
        self.check_origins()?;
        self.lives.check(self.kind)?;
        Ok(self)
    }

    fn check_keys(&self) -> Result<(), IdentityError> {
        let reason = match (self.auth == ClientAuth::Key, self.keys.is_empty()) {
            (false, true) => None,
            (false, false) => Some("only private_key_jwt takes keys"),
            (true, _) => Keys::registered(&self.keys).err(),
        };
        reason.map_or(Ok(()), |reason| Err(IdentityError::Invalid { field: "jwks", reason }))
    }

    fn check_origins(&self) -> Result<(), IdentityError> {
        let reason = match self.origins.as_slice() {
            [] => None,
            _ if !self.is_public() => {
                Some("pages keep no secret: only a client with auth_method none has them")
            }
            origins if origins.len() > origin::MOST => Some("at most 20"),
            origins => origins.iter().find_map(|one| origin::objection(one)),
        };
        reason.map_or(Ok(()), |reason| Err(IdentityError::Invalid { field: "origins", reason }))
    }

    fn check_grants(&self) -> Result<(), IdentityError> {
        let invalid = |field, reason| Err(IdentityError::Invalid { field, reason });
        let code = self.may(GrantType::AuthorizationCode);
        let own = self.may(GrantType::ClientCredentials);
        match self.kind {
            ClientKind::Native if !self.is_public() => {
                return invalid("auth_method", "a native client keeps no secret: use none");
            }
            ClientKind::Service if self.is_public() => {
                return invalid("auth_method", "a service proves itself: with private_key_jwt or a secret");
            }
            ClientKind::Service if code => return invalid("grants", "nobody signs in to a service"),
            _ => {}
        }
        if self.grants.is_empty() {
            return invalid("grants", "at least one");
        }
        if self.may(GrantType::RefreshToken) && !code {
            return invalid("grants", "refresh_token comes with authorization_code");
        }
        if own && self.is_public() {
            return invalid("grants", "client_credentials takes a client that proves itself");
        }
        if own != self.service.is_some() {
            return invalid(
                "service_account",
                "client_credentials takes a service account, and nothing else does",
            );
        }
        if code == self.redirect_uris.is_empty() {
            return invalid("redirect_uris", "authorization_code takes at least one, and nothing else does");
        }
        Ok(())
    }
}
