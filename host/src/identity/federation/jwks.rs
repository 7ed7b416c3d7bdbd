//! The keys of a provider: read strictly, kept for an hour, asked for again at once when a token names one that is unknown, but
//! for that reason at most once a minute.

use std::sync::Arc;

use dashmap::DashMap;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;

use crate::clock::UnixMillis;
use crate::identity::{IdentityError, secret};
use crate::ids::ProviderId;
use crate::outbound::{Outbound, Request};

/// The most bytes of a set.
const LARGEST: usize = 256 * 1024;

/// The most keys of a set.
const MOST: usize = 20;

/// How long a set is kept, in milliseconds.
const KEPT: UnixMillis = 3_600_000;

/// How often it is asked for because of an unknown key, in milliseconds.
const AGAIN: UnixMillis = 60_000;

#[derive(Deserialize)]
struct Set {
    keys: Vec<Jwk>,
}

/// A member that is not what its standard says makes the key unusable, not the set.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

struct Key {
    kid: Option<String>,
    algorithm: &'static str,
    key: DecodingKey,
}

/// The keys of a set that verify signatures.
pub(super) struct Keys(Vec<Key>);

impl Keys {
    /// Reads a set.
    ///
    /// # Errors
    /// Why it is not one.
    pub(super) fn parse(text: &[u8]) -> Result<Self, &'static str> {
        let set: Set = serde_json::from_slice(text).map_err(|_| "the provider's keys cannot be read")?;
        if set.keys.len() > MOST {
            return Err("the provider has more than 20 keys");
        }
        Ok(Self(set.keys.into_iter().filter_map(usable).collect()))
    }

    /// The key with this id for this algorithm; without an id, the only one for it.
    pub(super) fn find(&self, kid: Option<&str>, algorithm: &str) -> Option<&DecodingKey> {
        let mut fitting = self
            .0
            .iter()
            .filter(|key| key.algorithm == algorithm && (kid.is_none() || key.kid.as_deref() == kid));
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => Some(&only.key),
            _ => None,
        }
    }

    fn knows(&self, kid: Option<&str>) -> bool {
        kid.is_none() || self.0.iter().any(|key| key.kid.as_deref() == kid)
    }
}

fn usable(jwk: Jwk) -> Option<Key> {
    let signs = jwk.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
        && jwk.key_ops.as_ref().is_none_or(|all| all.iter().any(|one| one == "verify"));
    let (algorithm, key) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", None) => {
            let (modulus, exponent) =
                (secret::decode(jwk.n.as_deref()?)?, secret::decode(jwk.e.as_deref()?)?);
            // 2048 to 8192 bits.
            if !(256..=1_024).contains(&modulus.len()) {
                return None;
            }
            ("RS256", DecodingKey::from_rsa_raw_components(&modulus, &exponent))
        }
        ("EC", Some("P-256")) => {
            ("ES256", DecodingKey::from_ec_components(jwk.x.as_deref()?, jwk.y.as_deref()?).ok()?)
        }
        ("OKP", Some("Ed25519")) => ("EdDSA", DecodingKey::from_ed_components(jwk.x.as_deref()?).ok()?),
        _ => return None,
    };
    let fits = jwk.alg.as_deref().is_none_or(|named| named == algorithm);
    (signs && fits).then_some(Key { kid: jwk.kid, algorithm, key })
}

struct Kept {
    address: String,
    keys: Arc<Keys>,
    at: UnixMillis,
    /// When an unknown key was the reason to ask last.
    again: Option<UnixMillis>,
}

impl Kept {
    /// Whether the set is to be asked for because of a token that names this key.
    fn is_stale(&self, kid: Option<&str>, now: UnixMillis) -> bool {
        let since = |then: UnixMillis| now.saturating_sub(then);
        since(self.at) >= KEPT
            || (!self.keys.knows(kid) && self.again.is_none_or(|then| since(then) >= AGAIN))
    }
}

/// The sets that are known. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct KeySets(Arc<DashMap<ProviderId, Kept>>);

impl KeySets {
    /// The set of a provider that knows this key, if the provider has it.
    pub(super) async fn of(
        &self,
        outbound: &Outbound,
        provider: ProviderId,
        address: &str,
        kid: Option<&str>,
        now: UnixMillis,
    ) -> Result<Arc<Keys>, IdentityError> {
        let known = self.0.get(&provider).filter(|kept| kept.address == address);
        let mut again = None;
        if let Some(kept) = known {
            if !kept.is_stale(kid, now) {
                return Ok(Arc::clone(&kept.keys));
            }
            again = if kept.keys.knows(kid) { kept.again } else { Some(now) };
        }
        let answer = outbound.send(Request::get(address, LARGEST)).await;
        let answer = answer.map_err(|error| super::unreachable("jwks_uri", &error))?;
        if answer.status != 200 {
            return Err(IdentityError::ProviderUnreachable("its keys are not where it says"));
        }
        let keys = Arc::new(Keys::parse(&answer.body).map_err(IdentityError::ProviderUnreachable)?);
        self.0
            .insert(provider, Kept { address: address.to_owned(), keys: Arc::clone(&keys), at: now, again });
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn count(keys: serde_json::Value) -> usize {
        crate::identity::bearer::install_cryptography();
        Keys::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap().0.len()
    }

    #[test]
    fn only_keys_that_verify_with_their_own_algorithm_are_taken() {
        let x = secret::encode(&[1; 32]);
        let key = |member: &str, value: serde_json::Value| {
            let mut key = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "a"});
            key[member] = value;
            json!([key])
        };
        assert_eq!(count(key("use", json!("sig"))), 1);
        assert_eq!(count(key("alg", json!("EdDSA"))), 1);
        for (member, value) in [
            ("use", json!("enc")),
            ("alg", json!("HS256")),
            ("key_ops", json!(["sign"])),
            ("crv", json!("X25519")),
            ("kty", json!("oct")),
        ] {
            assert_eq!(count(key(member, value.clone())), 0, "{member} {value}");
        }
        let small = json!([{"kty": "RSA", "n": secret::encode(&[200; 128]), "e": "AQAB", "kid": "r"}]);
        assert_eq!(count(small), 0, "1024 bits");
    }

    #[test]
    fn an_unknown_key_is_a_reason_to_ask_once_a_minute() {
        let kept = |again| Kept { address: String::new(), keys: Arc::new(Keys(Vec::new())), at: 0, again };
        assert!(kept(None).is_stale(Some("new"), 1), "at once");
        assert!(!kept(Some(1)).is_stale(Some("new"), AGAIN), "but not again within a minute");
        assert!(kept(Some(1)).is_stale(Some("new"), AGAIN + 1));
        assert!(!kept(None).is_stale(None, KEPT - 1));
        assert!(kept(None).is_stale(None, KEPT));
    }

    #[test]
    fn a_set_has_twenty_keys_at_most() {
        let many = vec![json!({"kty": "OKP", "crv": "Ed25519", "x": secret::encode(&[1; 32])}); 21];
        assert!(Keys::parse(json!({ "keys": many }).to_string().as_bytes()).is_err());
        assert!(Keys::parse(b"[]").is_err());
    }
}
