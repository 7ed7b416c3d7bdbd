//! Signed tokens of an issuer that is no organization's: the same form and the same strictness, with keys and claims that
//! the issuer keeps itself.

use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde::Serialize;
use zeroize::Zeroizing;

use super::IdentityError;
use super::bearer::Unverified;
use super::signing::{Pair, Signer, SigningAlgorithm, thumbprint};

/// The type of an access token, RFC 9068.
const ACCESS_TOKEN: &str = "at+jwt";

/// A fresh Ed25519 pair and its RFC 7638 name.
pub(crate) struct Key {
    pub(crate) kid: String,
    pub(crate) public: Vec<u8>,
    pub(crate) private: Zeroizing<Vec<u8>>,
}

/// Makes a key.
pub(crate) fn generate() -> Result<Key, IdentityError> {
    let Pair { public, private } = Pair::generate(SigningAlgorithm::EdDsa)?;
    Ok(Key { kid: thumbprint(SigningAlgorithm::EdDsa, &public), public, private })
}

/// Signs an access token with a key that [`generate`] made.
pub(crate) fn sign(
    kid: String,
    private: Zeroizing<Vec<u8>>,
    claims: &impl Serialize,
) -> Result<String, IdentityError> {
    Signer { kid, algorithm: SigningAlgorithm::EdDsa, private }.compact(ACCESS_TOKEN, claims)
}

/// The claims of an access token whose signature one of `keys` (key id and public part) made. Nothing of what the claims
/// say was looked at.
///
/// # Errors
/// Why it is refused, for the log.
pub(crate) fn claims(token: &str, keys: &[(String, Vec<u8>)]) -> Result<Vec<u8>, &'static str> {
    Unverified::parse(token)?.claims(|kid, message, signature| {
        let (_, public) = keys.iter().find(|(known, _)| known == kid).ok_or("unknown key")?;
        let key = DecodingKey::from_ed_der(public);
        match crypto::verify(signature, message.as_bytes(), &key, Algorithm::EdDSA) {
            Ok(true) => Ok(()),
            _ => Err("wrong signature"),
        }
    })
}
