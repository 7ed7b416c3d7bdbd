//! Random secrets that are handed out once, and the keyed hashes under which they are kept.
//!
//! They have 256 bits, so a fast hash is enough; the key (a pepper, kept outside of every organization's file) makes a
//! stolen file useless for checking guesses.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::identity::IdentityError;
use crate::storage::Secrets;

/// The keys of the hashes, one per purpose.
pub(super) struct Peppers {
    /// For the secrets of API keys.
    pub(super) api_key: Zeroizing<[u8; 32]>,
    /// For clients' secrets, codes and refresh tokens.
    pub(super) oauth: Zeroizing<[u8; 32]>,
    /// For what browsers carry to a provider and back.
    pub(super) federation: Zeroizing<[u8; 32]>,
    /// For set-up links.
    pub(super) setup_token: Zeroizing<[u8; 32]>,
    /// For cookies of sessions, logins and devices.
    pub(super) session: Zeroizing<[u8; 32]>,
    /// For links that are sent by mail.
    pub(super) mail_link: Zeroizing<[u8; 32]>,
    /// For recovery codes.
    pub(super) recovery_code: Zeroizing<[u8; 32]>,
}

impl Peppers {
    pub(crate) fn new(secrets: &Secrets) -> Self {
        let key = |purpose| Zeroizing::new(secrets.key(purpose));
        Self {
            api_key: key("api-key-pepper"),
            oauth: key("oauth-pepper"),
            federation: key("federation-pepper"),
            setup_token: key("setup-token-pepper"),
            session: key("session-pepper"),
            mail_link: key("mail-link-pepper"),
            recovery_code: key("recovery-code-pepper"),
        }
    }
}

/// 256 random bits.
pub(crate) fn random() -> Result<Zeroizing<[u8; 32]>, IdentityError> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| IdentityError::Cryptography("no randomness"))?;
    Ok(bytes)
}

/// What is stored instead of a secret: HMAC-SHA-256 under `pepper` over `context` (16 bytes: whose it is) and the secret.
pub(crate) fn keyed_hash(
    pepper: &[u8; 32],
    context: &[u8; 16],
    secret: &[u8],
) -> Result<[u8; 32], IdentityError> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(pepper)
        .map_err(|_| IdentityError::Cryptography("the length of a key"))?;
    mac.update(context);
    mac.update(secret);
    Ok(mac.finalize().into_bytes().into())
}

/// SHA-256.
pub(crate) fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// base64url without padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of canonical base64url without padding.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hashed_for_its_owner_and_its_purpose() {
        let hash =
            |pepper: u8, owner: u8, secret: &[u8]| keyed_hash(&[pepper; 32], &[owner; 16], secret).unwrap();
        let one = hash(1, 1, b"secret");
        assert_eq!(one, hash(1, 1, b"secret"));
        for other in [hash(2, 1, b"secret"), hash(1, 2, b"secret"), hash(1, 1, b"other")] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn only_canonical_base64url_is_read() {
        assert_eq!(decode("AQ").unwrap(), [1]);
        for bad in ["AR", "AQ==", "A", "A+", "A/", "A\n", "\u{e9}"] {
            assert!(decode(bad).is_none(), "{bad}");
        }
    }
}
