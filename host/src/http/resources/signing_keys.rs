//! `/keys`: the organization's signing keys. No private part ever leaves the host.

use poem_openapi::{Object, OpenApi};

use crate::clock::rfc3339;
use crate::http::access::Access;
use crate::http::answer::Found;
use crate::http::input::Input;
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::identity::{Identity, SigningKey};

const OBJECT: &str = "host.signing-key";

/// Lists and rotates signing keys.
pub struct SigningKeysApi {
    /// People and credentials.
    pub identity: Identity,
}

/// A signing key, without its private part.
#[derive(Object)]
#[oai(rename = "SigningKey")]
pub struct SigningKeyView {
    /// RFC 7638 thumbprint of the public part; the `kid` of tokens.
    kid: String,
    /// `EdDSA` or `RS256`.
    algorithm: String,
    /// `next` (published), `active` (signs), `retired` (verifies), `destroyed`.
    state: String,
    /// When it was made and published.
    created_at: String,
    /// When it began to sign.
    activated_at: Option<String>,
    /// When it ceased to.
    retired_at: Option<String>,
    /// When it was destroyed.
    destroyed_at: Option<String>,
    /// Of a retired key: until when it verifies.
    verifies_until: Option<String>,
}

/// All signing keys, destroyed ones included.
#[derive(Object)]
pub struct SigningKeyList {
    /// In the order of their making.
    data: Vec<SigningKeyView>,
    /// Always null: an organization has few keys.
    next_cursor: Option<String>,
}

/// How to rotate.
#[derive(Object)]
pub struct Rotation {
    /// True: every key is destroyed at once, and with it every token that it signed. False unless asked for.
    emergency: Option<bool>,
}

#[OpenApi(prefix_path = "/api/v1/keys", tag = "Tag::Clients")]
impl SigningKeysApi {
    /// List signing keys
    #[oai(path = "/", method = "get", operation_id = "list_signing_keys")]
    async fn list(&self, access: Access) -> Result<Found<SigningKeyList>, Problem> {
        access.must(OBJECT, "read")?;
        Ok(Found::new(shown(&self.identity.signing_keys(access.organization().id)?)))
    }

    /// Rotate the signing keys
    ///
    /// Keys rotate by themselves every 90 days. This hurries them on: a next key that has been published for a day signs
    /// from now on; where there is none, one is made.
    #[oai(path = "/rotate", method = "post", operation_id = "rotate_signing_keys")]
    async fn rotate(&self, access: Access, input: Input<Rotation>) -> Result<Found<SigningKeyList>, Problem> {
        access.must(OBJECT, "update")?;
        let keys = self.identity.rotate_keys(&access.caller, input.0.emergency.unwrap_or(false)).await?;
        Ok(Found::new(shown(&keys)))
    }
}

fn shown(keys: &[SigningKey]) -> SigningKeyList {
    let view = |key: &SigningKey| SigningKeyView {
        kid: key.kid.clone(),
        algorithm: key.algorithm.as_str().to_owned(),
        state: key.state.as_str().to_owned(),
        created_at: rfc3339(key.created_at),
        activated_at: key.activated_at.map(rfc3339),
        retired_at: key.retired_at.map(rfc3339),
        destroyed_at: key.destroyed_at.map(rfc3339),
        verifies_until: key.verifies_until.map(rfc3339),
    };
    SigningKeyList { data: keys.iter().map(view).collect(), next_cursor: None }
}
