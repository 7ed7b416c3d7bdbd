//! Public keys as RFC 7517 writes them.

use jsonwebtoken::DecodingKey;
use serde::{Deserialize, Serialize};

use crate::identity::secret;

/// The most keys of a set.
const MOST: usize = 20;

/// The longest id of a key that is registered, in bytes.
const LONGEST_ID: usize = 200;

/// The least public exponent of an RSA key that is registered.
const EXPONENT: u64 = 65_537;

#[derive(Deserialize)]
struct Set {
    keys: Vec<Jwk>,
}

/// A public key. Members that are not named here are passed over.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Jwk {
    /// `RSA`, `EC` or `OKP`.
    pub kty: String,
    /// What tokens name it by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// What it is for.
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The same, in another way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_ops: Option<Vec<String>>,
    /// What it signs with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// The curve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    /// The modulus of an RSA key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    /// Its exponent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
    /// A point on the curve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// Its other coordinate, for `EC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
}

struct Key {
    kid: Option<String>,
    algorithm: &'static str,
    key: DecodingKey,
}

/// The keys of a set that verify signatures.
pub(in crate::identity) struct Keys(Vec<Key>);

impl Keys {
    /// Reads a set as its owner publishes it. A member that is not what its standard says makes the key unusable, not the set.
    ///
    /// # Errors
    /// Why it is not one.
    pub(in crate::identity) fn parse(text: &[u8]) -> Result<Self, &'static str> {
        let set: Set = serde_json::from_slice(text).map_err(|_| "the provider's keys cannot be read")?;
        if set.keys.len() > MOST {
            return Err("the provider has more than 20 keys");
        }
        Ok(Self(set.keys.iter().filter_map(|key| usable(key).ok()).collect()))
    }

    /// Takes a set that is registered here: each key of it has to be good, and to be told from the others.
    ///
    /// # Errors
    /// What would be good.
    pub(in crate::identity) fn registered(keys: &[Jwk]) -> Result<Self, &'static str> {
        if !(1..=MOST).contains(&keys.len()) {
            return Err("send 1 to 20 public keys");
        }
        let ids: Vec<_> = keys.iter().map(|key| key.kid.as_deref()).collect();
        let named = |id: &Option<&str>| id.is_some_and(|id| (1..=LONGEST_ID).contains(&id.len()));
        let twice = ids.iter().enumerate().any(|(at, id)| ids.iter().skip(at + 1).any(|other| other == id));
        if (keys.len() > 1 && !ids.iter().all(named)) || ids.iter().any(|id| id.is_some() && !named(id)) {
            return Err("give each key a kid of 1 to 200 letters");
        }
        if twice {
            return Err("give each key a kid of its own");
        }
        keys.iter().map(usable).collect::<Result<_, _>>().map(Self)
    }

    /// The key with this id for this algorithm; without an id, the only one for it.
    pub(in crate::identity) fn find(&self, kid: Option<&str>, algorithm: &str) -> Option<&DecodingKey> {
        let mut fitting = self
            .0
            .iter()
            .filter(|key| key.algorithm == algorithm && (kid.is_none() || key.kid.as_deref() == kid));
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => Some(&only.key),
            _ => None,
        }
    }

    /// Whether there is a key with this id.
    pub(in crate::identity) fn knows(&self, kid: Option<&str>) -> bool {
        kid.is_none() || self.0.iter().any(|key| key.kid.as_deref() == kid)
    }

    /// No keys.
    #[cfg(test)]
    pub(in crate::identity) const fn none() -> Self {
        Self(Vec::new())
    }
}

fn usable(jwk: &Jwk) -> Result<Key, &'static str> {
    let signs = jwk.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
        && jwk.key_ops.as_ref().is_none_or(|all| all.iter().any(|one| one == "verify"));
    let (algorithm, key) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", None) => ("RS256", rsa(jwk)?),
        ("EC", Some("P-256")) => {
            let (x, y) = (coordinate(jwk.x.as_deref())?, coordinate(jwk.y.as_deref())?);
            ("ES256", DecodingKey::from_ec_components(x, y).map_err(|_| POINT)?)
        }
        ("OKP", Some("Ed25519")) => {
            ("EdDSA", DecodingKey::from_ed_components(coordinate(jwk.x.as_deref())?).map_err(|_| POINT)?)
        }
        _ => return Err("use RSA keys, EC keys on P-256 or OKP keys on Ed25519"),
    };
    if jwk.alg.as_deref().is_some_and(|named| named != algorithm) {
        return Err("use RS256 with RSA, ES256 with P-256, EdDSA with Ed25519");
    }
    if !signs {
        return Err("a key for signatures has the use `sig`, and `verify` among its key_ops");
    }
    Ok(Key { kid: jwk.kid.clone(), algorithm, key })
}

const POINT: &str = "the coordinates of a key are 32 bytes each, in base64url";

fn coordinate(text: Option<&str>) -> Result<&str, &'static str> {
    let text = text.ok_or(POINT)?;
    secret::decode(text).filter(|bytes| bytes.len() == 32).map(|_| text).ok_or(POINT)
}

fn rsa(jwk: &Jwk) -> Result<DecodingKey, &'static str> {
    const WANTED: &str = "an RSA key has 2048 to 8192 bits and the exponent 65537 or an odd one above it";
    let part = |text: &Option<String>| text.as_deref().and_then(secret::decode).ok_or(WANTED);
    let (modulus, exponent) = (part(&jwk.n)?, part(&jwk.e)?);
    let top = modulus.first().copied().unwrap_or_default();
    let long = (256..=1_024).contains(&modulus.len()) && top != 0 && (modulus.len() > 256 || top >= 0x80);
    let value = exponent.iter().fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
    if !long || exponent.len() > 5 || value < EXPONENT || value % 2 == 0 {
        return Err(WANTED);
    }
    Ok(DecodingKey::from_rsa_raw_components(&modulus, &exponent))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn count(keys: Value) -> usize {
        crate::identity::bearer::install_cryptography();
        Keys::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap().0.len()
    }

    fn register(keys: Value) -> Result<Keys, &'static str> {
        Keys::registered(&serde_json::from_value::<Vec<Jwk>>(keys).unwrap())
    }

    #[test]
    fn only_keys_that_verify_with_their_own_algorithm_are_taken() {
        let x = secret::encode(&[1; 32]);
        let key = |member: &str, value: Value| {
            let mut key = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "a"});
            key[member] = value;
            json!([key])
        };
        for (member, value) in [("use", json!("sig")), ("alg", json!("EdDSA")), ("x5t", json!("else"))] {
            assert_eq!(count(key(member, value.clone())), 1);
            assert!(register(key(member, value)).is_ok());
        }
        for (member, value) in [
            ("use", json!("enc")),
            ("alg", json!("HS256")),
            ("alg", json!("none")),
            ("key_ops", json!(["sign"])),
            ("crv", json!("X25519")),
            ("kty", json!("oct")),
            ("x", json!(secret::encode(&[1; 31]))),
            ("x", json!("!")),
        ] {
            assert_eq!(count(key(member, value.clone())), 0, "{member} {value}");
            assert!(register(key(member, value.clone())).is_err(), "{member} {value}");
        }
    }

    #[test]
    fn short_moduli_and_small_exponents_are_refused() {
        let rsa = |modulus: &[u8], exponent: &str| json!([{"kty": "RSA", "n": secret::encode(modulus), "e": exponent, "kid": "r"}]);
        assert!(register(rsa(&[200; 256], "AQAB")).is_ok() && register(rsa(&[1; 512], "AQAB")).is_ok());
        for (modulus, exponent) in [
            (vec![200; 128], "AQAB"),
            (vec![1; 256], "AQAB"),
            ([vec![0], vec![200; 256]].concat(), "AQAB"),
            (vec![200; 2_000], "AQAB"),
            (vec![200; 256], "Aw"),
            (vec![200; 256], "AQ"),
            (vec![200; 256], "AQAA"),
            (vec![200; 256], ""),
        ] {
            assert_eq!(count(rsa(&modulus, exponent)), 0, "{} {exponent}", modulus.len());
            assert!(register(rsa(&modulus, exponent)).is_err(), "{} {exponent}", modulus.len());
        }
    }

    #[test]
    fn a_set_has_twenty_keys_at_most_and_registered_ones_are_told_apart() {
        let key =
            |kid: Value| json!({"kty": "OKP", "crv": "Ed25519", "x": secret::encode(&[1; 32]), "kid": kid});
        let many =
            |count: usize| Value::from((0..count).map(|n| key(json!(n.to_string()))).collect::<Vec<_>>());
        assert!(Keys::parse(json!({ "keys": many(21) }).to_string().as_bytes()).is_err());
        assert!(Keys::parse(b"[]").is_err());
        assert!(register(many(20)).is_ok() && register(many(21)).is_err() && register(json!([])).is_err());
        assert!(register(json!([key(json!(null))])).is_ok(), "a single one needs no id");
        for bad in [[json!("a"), json!("a")], [json!("a"), json!(null)], [json!("a"), json!("")]] {
            assert!(register(json!([key(bad[0].clone()), key(bad[1].clone())])).is_err(), "{bad:?}");
        }
        assert!(register(json!([key(json!("a".repeat(201)))])).is_err());
    }
}
