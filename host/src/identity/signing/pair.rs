//! A key pair: made, named, published, and used to sign. The only file that touches a private key.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256};
use serde::Serialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::SigningAlgorithm;
use crate::identity::{IdentityError, secret};

/// The public exponent of every RSA key here, 65537.
const EXPONENT: &str = "AQAB";

/// A fresh pair. The private part is PKCS #8.
pub(in crate::identity) struct Pair {
    pub(in crate::identity) public: Vec<u8>,
    pub(in crate::identity) private: Zeroizing<Vec<u8>>,
}

impl Pair {
    /// Makes one. For RSA this takes long: not on an async worker.
    pub(in crate::identity) fn generate(algorithm: SigningAlgorithm) -> Result<Self, IdentityError> {
        let failed = |_| IdentityError::Cryptography("generating a signing key");
        match algorithm {
            SigningAlgorithm::EdDsa => {
                let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(failed)?;
                let pair = Ed25519KeyPair::from_pkcs8(document.as_ref())
                    .map_err(|_| IdentityError::Cryptography("reading a signing key"))?;
                let private = Zeroizing::new(document.as_ref().to_vec());
                Ok(Self { public: pair.public_key().as_ref().to_vec(), private })
            }
            SigningAlgorithm::Rs256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa3072).map_err(failed)?;
                let document: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
                let public = pair.public_key().modulus().big_endian_without_leading_zero().to_vec();
                Ok(Self { public, private: Zeroizing::new(document.as_ref().to_vec()) })
            }
        }
    }
}

/// What signs: a private key and its name.
pub(in crate::identity) struct Signer {
    pub(in crate::identity) kid: String,
    pub(in crate::identity) algorithm: SigningAlgorithm,
    pub(in crate::identity) private: Zeroizing<Vec<u8>>,
}

impl Signer {
    /// A JWS in compact form.
    pub(in crate::identity) fn compact(
        &self,
        kind: &str,
        claims: &impl Serialize,
    ) -> Result<String, IdentityError> {
        let header = json!({ "alg": self.algorithm.as_str(), "typ": kind, "kid": self.kid }).to_string();
        let claims = serde_json::to_vec(claims)
            .map_err(|_| IdentityError::Cryptography("writing a token's claims"))?;
        let message = format!("{}.{}", secret::encode(header.as_bytes()), secret::encode(&claims));
        let signature = self.sign(message.as_bytes())?;
        Ok(format!("{message}.{}", secret::encode(&signature)))
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, IdentityError> {
        let unreadable = |_| IdentityError::Cryptography("reading a signing key");
        match self.algorithm {
            SigningAlgorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(&self.private).map_err(unreadable)?;
                Ok(pair.sign(message).as_ref().to_vec())
            }
            SigningAlgorithm::Rs256 => {
                let pair = RsaKeyPair::from_pkcs8(&self.private).map_err(unreadable)?;
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .map_err(|_| IdentityError::Cryptography("signing a token"))?;
                Ok(signature)
            }
        }
    }

    /// The private key, for tests that forge.
    #[cfg(test)]
    pub(in crate::identity) fn private(&self) -> &[u8] {
        &self.private
    }
}

/// RFC 7638.
pub(in crate::identity) fn thumbprint(algorithm: SigningAlgorithm, public: &[u8]) -> String {
    let public = secret::encode(public);
    let jwk = match algorithm {
        SigningAlgorithm::EdDsa => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{public}"}}"#),
        SigningAlgorithm::Rs256 => format!(r#"{{"e":"{EXPONENT}","kty":"RSA","n":"{public}"}}"#),
    };
    secret::encode(&secret::digest(&[jwk.as_bytes()]))
}

/// The public part as RFC 7517 publishes it.
pub(super) fn jwk(algorithm: SigningAlgorithm, kid: &str, public: &[u8]) -> Value {
    let (alg, public) = (algorithm.as_str(), secret::encode(public));
    match algorithm {
        SigningAlgorithm::EdDsa => {
            json!({ "kty": "OKP", "crv": "Ed25519", "x": public, "use": "sig", "alg": alg, "kid": kid })
        }
        SigningAlgorithm::Rs256 => {
            json!({ "kty": "RSA", "n": public, "e": EXPONENT, "use": "sig", "alg": alg, "kid": kid })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_id_is_the_thumbprint_of_rfc_8037_and_rfc_7638() {
        let public = secret::decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        let expected = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
        assert_eq!(thumbprint(SigningAlgorithm::EdDsa, &public), expected);
        let modulus = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let public = secret::decode(modulus).unwrap();
        let expected = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
        assert_eq!(thumbprint(SigningAlgorithm::Rs256, &public), expected);
    }
}
