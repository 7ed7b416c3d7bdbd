//! The organization as an OAuth 2.1 authorization server and OpenID provider.
//!
//! A client is registered (`clients/`), asks for a person to sign in (`authorize/`: code with PKCE S256, and nothing
//! else), and exchanges the code for tokens (`grants/`). A grant is one signing in and the family of everything that
//! comes of it: the code, the refresh tokens, the access tokens. Use something of it twice, and the whole of it ends.
//!
//! Pure and beside this file: `redirect.rs`, `origin.rs`, `pkce.rs`, `scope.rs`, `opaque.rs` (the texts of secrets).

mod authorize;
mod clients;
mod error;
mod grants;
mod opaque;
mod origin;
mod pkce;
mod redirect;
mod scope;

#[cfg(test)]
mod tests;

pub use authorize::{
    Ask, Authorization, AuthorizeError, ClientAnswer, Consent, ConsentQuestion, ResponseMode, SignedIn,
};
pub use clients::{
    Client, ClientAuth, ClientChange, ClientKind, ClientProof, ClientSecret, GrantType, Lives, LivesChange,
    NewClient,
};
pub use error::OAuthError;
pub use grants::{Hint, Introspection, Lasting, TokenAnswer, UserInfo};
pub use scope::STANDARD as STANDARD_SCOPES;

pub(super) use grants::is_live as grant_is_live;
