//! ID tokens of other issuers, checked strictly. Pure.
//!
//! Only RS256, ES256 and EdDSA, and of those only what the provider announced; a key of the provider's own set, never one
//! that the token brings; issuer and audience exact, one audience; nonce, lifetimes, `azp` and `at_hash` as OpenID Connect
//! has them; a subject that is one.

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde_json::Value;
use subtle::ConstantTimeEq;

use crate::clock::UnixMillis;
use crate::identity::secret;

use super::jwks::Keys;

/// How far the clocks may differ, in seconds.
const LEEWAY: i64 = 60;

/// How long before its use an ID token may have been made, in seconds.
const OLDEST: i64 = 600;

/// The longest token that is looked at, in bytes.
const LONGEST: usize = 32 * 1024;

/// What the token must agree with.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) access_token: &'a str,
    /// What the provider announced.
    pub(super) algorithms: &'a [String],
    pub(super) now: UnixMillis,
}

/// What a good token says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Person {
    pub(super) subject: String,
    /// Only an address that the provider has verified.
    pub(super) email: Option<String>,
    pub(super) name: Option<String>,
    pub(super) groups: Vec<String>,
    /// How the provider says it proved who they are.
    pub(super) acr: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    crit: Option<Value>,
}

/// Typed, so that a claim that stands twice or is of another type fails.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Value,
    azp: Option<String>,
    exp: i64,
    iat: i64,
    nbf: Option<i64>,
    nonce: String,
    at_hash: Option<String>,
    email: Option<String>,
    email_verified: Option<Value>,
    name: Option<String>,
    acr: Option<Value>,
}

/// A token taken apart, of which nothing is known yet.
pub(super) struct Unverified<'a> {
    algorithm: Algorithm,
    pub(super) kid: Option<String>,
    message: &'a str,
    claims: &'a str,
    signature: &'a str,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// Why it cannot be a good one, for the log.
    pub(super) fn parse(token: &'a str) -> Result<Self, &'static str> {
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
        if header.typ.is_some_and(|kind| !kind.eq_ignore_ascii_case("jwt")) {
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

    /// Checks the signature with one of these keys, then the claims.
    ///
    /// # Errors
    /// Why it is refused, for the log.
    pub(super) fn verify(
        &self,
        keys: &Keys,
        expected: &Expected<'_>,
        groups_claim: &str,
    ) -> Result<Person, &'static str> {
        let name = name_of(self.algorithm);
        if !expected.algorithms.iter().any(|announced| announced == name) {
            return Err("an algorithm that the provider did not announce");
        }
        let key = keys.find(self.kid.as_deref(), name).ok_or("no key of the provider fits")?;
        let genuine =
            jsonwebtoken::crypto::verify(self.signature, self.message.as_bytes(), key, self.algorithm);
        if !genuine.is_ok_and(|genuine| genuine) {
            return Err("wrong signature");
        }
        let bytes = secret::decode(self.claims).ok_or("the claims are not base64url")?;
        let claims: Claims = serde_json::from_slice(&bytes).map_err(|_| "the claims cannot be read")?;
        check(&claims, expected, self.algorithm)?;
        let all: Value = serde_json::from_slice(&bytes).map_err(|_| "the claims cannot be read")?;
        let verified = claims.email_verified == Some(Value::Bool(true));
        Ok(Person {
            subject: claims.sub,
            email: claims.email.filter(|_| verified),
            name: claims.name,
            groups: groups(all.get(groups_claim)),
            acr: claims.acr.as_ref().and_then(Value::as_str).map(str::to_owned),
        })
    }
}

const fn name_of(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::ES256 => "ES256",
        Algorithm::EdDSA => "EdDSA",
        _ => "RS256",
    }
}

fn check(claims: &Claims, expected: &Expected<'_>, algorithm: Algorithm) -> Result<(), &'static str> {
    if claims.iss != expected.issuer {
        return Err("another issuer");
    }
    let one = match &claims.aud {
        Value::String(one) => Some(one.as_str()),
        Value::Array(all) => match all.as_slice() {
            [Value::String(one)] => Some(one.as_str()),
            _ => None,
        },
        _ => None,
    };
    if one != Some(expected.client_id) {
        return Err("another audience, or more than one");
    }
    if claims.azp.as_deref().is_some_and(|party| party != expected.client_id) {
        return Err("made for another party");
    }
    if !bool::from(claims.nonce.as_bytes().ct_eq(expected.nonce.as_bytes())) {
        return Err("another nonce");
    }
    let now = expected.now.div_euclid(1_000);
    if claims.exp.saturating_add(LEEWAY) <= now {
        return Err("expired");
    }
    if claims.iat > now.saturating_add(LEEWAY) || claims.iat < now.saturating_sub(OLDEST) {
        return Err("made in the future, or too long ago");
    }
    if claims.nbf.is_some_and(|at| at > now.saturating_add(LEEWAY)) {
        return Err("not yet good");
    }
    let subject = claims.sub.trim();
    if subject.is_empty() || subject == "null" || claims.sub.len() > 255 || !claims.sub.is_ascii() {
        return Err("no subject");
    }
    let hash = claims.at_hash.as_deref();
    if hash.is_some_and(|hash| hash != at_hash(algorithm, expected.access_token)) {
        return Err("made for another access token");
    }
    Ok(())
}

/// The left half of the hash that goes with the algorithm.
fn at_hash(algorithm: Algorithm, access_token: &str) -> String {
    let hash = if algorithm == Algorithm::EdDSA { &SHA512 } else { &SHA256 };
    let hash = digest(hash, access_token.as_bytes());
    let hash = hash.as_ref();
    secret::encode(hash.get(..hash.len() / 2).unwrap_or_default())
}

fn groups(claim: Option<&Value>) -> Vec<String> {
    match claim {
        Some(Value::Array(all)) => {
            all.iter().filter_map(Value::as_str).take(500).map(str::to_owned).collect()
        }
        Some(Value::String(one)) => vec![one.clone()],
        _ => Vec::new(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
    use jsonwebtoken::EncodingKey;
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_700_000_000;

    struct Issuer(EncodingKey, Keys);

    fn issuer() -> Issuer {
        crate::identity::bearer::install_cryptography();
        let private = Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(private.as_ref()).unwrap();
        let x = secret::encode(pair.public_key().as_ref());
        let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "a", "use": "sig"}]});
        Issuer(EncodingKey::from_ed_der(private.as_ref()), Keys::parse(set.to_string().as_bytes()).unwrap())
    }

    fn good() -> Value {
        json!({"iss": "https://idp.example", "sub": "u1", "aud": "client", "exp": NOW + 300, "iat": NOW, "nonce": "n",
               "email": "ann@example.com", "email_verified": true, "groups": ["sales", 7]})
    }

    fn token(issuer: &Issuer, header: &Value, claims: &str) -> String {
        let message = format!(
            "{}.{}",
            secret::encode(header.to_string().as_bytes()),
            secret::encode(claims.as_bytes())
        );
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &issuer.0, Algorithm::EdDSA).unwrap();
        format!("{message}.{signature}")
    }

    fn verify(issuer: &Issuer, token: &str) -> Result<Person, &'static str> {
        let algorithms = ["RS256".to_owned(), "EdDSA".to_owned()];
        let expected = Expected {
            issuer: "https://idp.example",
            client_id: "client",
            nonce: "n",
            access_token: "t",
            algorithms: &algorithms,
            now: NOW * 1_000,
        };
        Unverified::parse(token)?.verify(&issuer.1, &expected, "groups")
    }

    fn with(member: &str, value: Value) -> Value {
        let mut claims = good();
        claims[member] = value;
        claims
    }

    #[test]
    fn a_good_token_says_who_it_is() {
        let issuer = issuer();
        let header = json!({"alg": "EdDSA", "kid": "a"});
        let person = verify(&issuer, &token(&issuer, &header, &good().to_string())).unwrap();
        assert_eq!((person.subject.as_str(), person.email.as_deref()), ("u1", Some("ann@example.com")));
        assert_eq!(person.groups, ["sales"]);
        for same in [
            with("aud", json!(["client"])),
            with("azp", json!("client")),
            with("at_hash", json!(at_hash(Algorithm::EdDSA, "t"))),
        ] {
            assert!(verify(&issuer, &token(&issuer, &header, &same.to_string())).is_ok(), "{same}");
        }
        let unverified = token(&issuer, &header, &with("email_verified", json!("true")).to_string());
        assert_eq!(verify(&issuer, &unverified).unwrap().email, None, "only the boolean counts");
    }

    #[test]
    fn b26_a_token_that_is_not_quite_ours_is_refused() {
        let issuer = issuer();
        let header = json!({"alg": "EdDSA", "kid": "a"});
        for (member, value) in [
            ("nonce", json!("other")),
            ("nonce", json!(null)),
            ("aud", json!("other")),
            ("aud", json!(["client", "other"])),
            ("aud", json!([])),
            ("aud", json!({"client": 1})),
            ("azp", json!("other")),
            ("iss", json!("https://idp.example/")),
            ("iss", json!(["https://idp.example"])),
            ("exp", json!(NOW - 61)),
            ("exp", json!("x")),
            ("exp", json!(1.5)),
            ("iat", json!(NOW + 61)),
            ("iat", json!(NOW - 601)),
            ("nbf", json!(NOW + 61)),
            ("sub", json!("")),
            ("sub", json!("null")),
            ("sub", json!(null)),
            ("sub", json!(" ")),
            ("sub", json!(7)),
            ("at_hash", json!("AAAA")),
            ("iat", json!(null)),
        ] {
            let claims = with(member, value.clone());
            assert!(
                verify(&issuer, &token(&issuer, &header, &claims.to_string())).is_err(),
                "{member}: {value}"
            );
        }
        for missing in ["iss", "sub", "aud", "exp", "iat", "nonce"] {
            let mut claims = good();
            claims.as_object_mut().unwrap().remove(missing);
            assert!(
                verify(&issuer, &token(&issuer, &header, &claims.to_string())).is_err(),
                "without {missing}"
            );
        }
        let twice = good().to_string().replacen('{', r#"{"sub":"other","#, 1);
        assert!(verify(&issuer, &token(&issuer, &header, &twice)).is_err());
    }

    #[test]
    fn b26_a_header_brings_neither_key_nor_algorithm() {
        let issuer = issuer();
        let claims = good().to_string();
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
            assert!(verify(&issuer, &token(&issuer, &header, &claims)).is_err(), "{header}");
        }
        let genuine = token(&issuer, &json!({"alg": "EdDSA", "kid": "a"}), &claims);
        let (unsigned, _) = genuine.rsplit_once('.').unwrap();
        assert!(verify(&issuer, &format!("{unsigned}.")).is_err() && verify(&issuer, unsigned).is_err());
        let stranger = super::tests::issuer();
        assert!(verify(&stranger, &genuine).is_err(), "another issuer's key of the same id");
    }
}
