//! A token that somebody else signed: taken apart, and its signature checked with the keys that are theirs.

use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde_json::Value;

use super::Keys;
use crate::identity::secret;

/// The longest token that is looked at, in bytes.
const LONGEST: usize = 32 * 1024;

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    crit: Option<Value>,
}

/// A token taken apart, of which nothing is known yet.
pub(in crate::identity) struct Signed<'a> {
    pub(in crate::identity) algorithm: Algorithm,
    pub(in crate::identity) kid: Option<String>,
    message: &'a str,
    claims: &'a str,
    signature: &'a str,
}

impl<'a> Signed<'a> {
    /// Takes a token of one of these types apart; one that does not say its type is one of them.
    ///
    /// # Errors
    /// Why it cannot be a good one, for the log.
    pub(in crate::identity) fn parse(token: &'a str, types: &[&str]) -> Result<Self, &'static str> {
        if token.len() > LONGEST {
            return Err("too long");
        }
        let (message, signature) = token.rsplit_once('.').ok_or("not three parts")?;
        let (header, claims) = message.split_once('.').ok_or("not three parts")?;
        if claims.contains('.') || signature.is_empty() {
            return Err("not three parts");
        }
        let header = secret::decode(header).ok_or("the header is not base64url")?;
        let header: Header = serde_json::from_slice(&header).map_err(|_| "the header cannot be read")?;
        if header.crit.is_some() {
            return Err("it has critical extensions");
        }
        if header.typ.is_some_and(|kind| !types.iter().any(|known| kind.eq_ignore_ascii_case(known))) {
            return Err("it is of another type");
        }
        let algorithm = match header.alg.as_str() {
            "RS256" => Algorithm::RS256,
            "ES256" => Algorithm::ES256,
            "EdDSA" => Algorithm::EdDSA,
            _ => return Err("an algorithm that is not accepted"),
        };
        Ok(Self { algorithm, kid: header.kid, message, claims, signature })
    }

    /// What it is signed with, as JOSE names it.
    pub(in crate::identity) const fn algorithm_name(&self) -> &'static str {
        match self.algorithm {
            Algorithm::ES256 => "ES256",
            Algorithm::EdDSA => "EdDSA",
            _ => "RS256",
        }
    }

    /// The claims, of which nothing is known: only to find out whose keys to ask.
    ///
    /// # Errors
    /// Why they cannot be read, for the log.
    pub(in crate::identity) fn unverified_claims(&self) -> Result<Vec<u8>, &'static str> {
        secret::decode(self.claims).ok_or("the claims are not base64url")
    }

    /// The claims as they stand there, if one of these keys signed them with its own algorithm.
    ///
    /// # Errors
    /// Why it is refused, for the log.
    pub(in crate::identity) fn claims(&self, keys: &Keys) -> Result<Vec<u8>, &'static str> {
        let key = keys.find(self.kid.as_deref(), self.algorithm_name()).ok_or("no key of theirs fits")?;
        let genuine =
            jsonwebtoken::crypto::verify(self.signature, self.message.as_bytes(), key, self.algorithm);
        if !genuine.is_ok_and(|genuine| genuine) {
            return Err("wrong signature");
        }
        self.unverified_claims()
    }
}

/// The audience of a token that has one.
pub(in crate::identity) fn one_audience(claim: &Value) -> Option<&str> {
    match claim {
        Value::String(one) => Some(one.as_str()),
        Value::Array(all) => match all.as_slice() {
            [Value::String(one)] => Some(one.as_str()),
            _ => None,
        },
        _ => None,
    }
}

/// Keys and tokens for tests of those who check them.
#[cfg(test)]
pub(in crate::identity) mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
    use jsonwebtoken::EncodingKey;
    use serde_json::json;

    use super::*;
    use crate::identity::foreign::Jwk;

    /// Somebody with a key pair whose id is `a`.
    pub(in crate::identity) struct Other {
        private: EncodingKey,
        pub(in crate::identity) public: Jwk,
    }

    impl Other {
        pub(in crate::identity) fn new() -> Self {
            crate::identity::bearer::install_cryptography();
            let private = Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new()).unwrap();
            let pair = Ed25519KeyPair::from_pkcs8(private.as_ref()).unwrap();
            let public = json!({"kty": "OKP", "crv": "Ed25519", "kid": "a", "use": "sig",
                                "x": secret::encode(pair.public_key().as_ref())});
            let private = EncodingKey::from_ed_der(private.as_ref());
            Self { private, public: serde_json::from_value(public).unwrap() }
        }

        pub(in crate::identity) fn keys(&self) -> Keys {
            Keys::registered(std::slice::from_ref(&self.public)).unwrap()
        }

        /// A token with this header and these claims, whatever they are.
        pub(in crate::identity) fn token(&self, header: &Value, claims: &str) -> String {
            let (header, claims) = (header.to_string(), claims.as_bytes());
            let message = format!("{}.{}", secret::encode(header.as_bytes()), secret::encode(claims));
            let signature =
                jsonwebtoken::crypto::sign(message.as_bytes(), &self.private, Algorithm::EdDSA).unwrap();
            format!("{message}.{signature}")
        }
    }

    #[test]
    fn b26_a_header_brings_neither_key_nor_algorithm() {
        let other = Other::new();
        let read = |other: &Other, token: &str| Signed::parse(token, &["JWT"])?.claims(&other.keys());
        for header in [
            json!({"alg": "none"}),
            json!({"alg": "HS256", "kid": "a"}),
            json!({"alg": "ES256", "kid": "a"}),
            json!({"alg": "RS256", "kid": "a"}),
            json!({"alg": "EdDSA", "kid": "b"}),
            json!({"kid": "a"}),
            json!({"alg": "EdDSA", "kid": "a", "crit": ["b64"], "b64": false}),
            json!({"alg": "EdDSA", "kid": "a", "typ": "at+jwt"}),
        ] {
            assert!(read(&other, &other.token(&header, "{}")).is_err(), "{header}");
        }
        let genuine = other.token(&json!({"alg": "EdDSA", "kid": "a", "typ": "jwt"}), "{}");
        assert_eq!(read(&other, &genuine).unwrap(), b"{}");
        let (unsigned, _) = genuine.rsplit_once('.').unwrap();
        assert!(read(&other, &format!("{unsigned}.")).is_err() && read(&other, unsigned).is_err());
        assert!(read(&Other::new(), &genuine).is_err(), "another key of the same id");
    }
}
