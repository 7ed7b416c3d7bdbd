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
use crate::identity::foreign::{Keys, Signed, one_audience};
use crate::identity::secret;

/// How far the clocks may differ, in seconds.
const LEEWAY: i64 = 60;

/// How long before its use an ID token may have been made, in seconds.
const OLDEST: i64 = 600;

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

/// Checks the signature with one of these keys, then the claims.
///
/// # Errors
/// Why it is refused, for the log.
pub(super) fn verify(
    token: &Signed<'_>,
    keys: &Keys,
    expected: &Expected<'_>,
    groups_claim: &str,
) -> Result<Person, &'static str> {
    let name = token.algorithm_name();
    if !expected.algorithms.iter().any(|announced| announced == name) {
        return Err("an algorithm that the provider did not announce");
    }
    let bytes = token.claims(keys)?;
    let claims: Claims = serde_json::from_slice(&bytes).map_err(|_| "the claims cannot be read")?;
    check(&claims, expected, token.algorithm)?;
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

fn check(claims: &Claims, expected: &Expected<'_>, algorithm: Algorithm) -> Result<(), &'static str> {
    if claims.iss != expected.issuer {
        return Err("another issuer");
    }
    if one_audience(&claims.aud) != Some(expected.client_id) {
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
mod tests {
    use serde_json::json;

    use super::*;
    use crate::identity::foreign::forge::Other;

    const NOW: i64 = 1_700_000_000;

    fn good() -> Value {
        json!({"iss": "https://idp.example", "sub": "u1", "aud": "client", "exp": NOW + 300, "iat": NOW, "nonce": "n",
               "email": "ann@example.com", "email_verified": true, "groups": ["sales", 7]})
    }

    fn verify(issuer: &Other, token: &str) -> Result<Person, &'static str> {
        let algorithms = ["RS256".to_owned(), "EdDSA".to_owned()];
        let expected = Expected {
            issuer: "https://idp.example",
            client_id: "client",
            nonce: "n",
            access_token: "t",
            algorithms: &algorithms,
            now: NOW * 1_000,
        };
        super::verify(&Signed::parse(token, &["JWT"])?, &issuer.keys(), &expected, "groups")
    }

    fn with(member: &str, value: Value) -> Value {
        let mut claims = good();
        claims[member] = value;
        claims
    }

    #[test]
    fn a_good_token_says_who_it_is() {
        let issuer = Other::new();
        let header = json!({"alg": "EdDSA", "kid": "a"});
        let person = verify(&issuer, &issuer.token(&header, &good().to_string())).unwrap();
        assert_eq!((person.subject.as_str(), person.email.as_deref()), ("u1", Some("ann@example.com")));
        assert_eq!(person.groups, ["sales"]);
        for same in [
            with("aud", json!(["client"])),
            with("azp", json!("client")),
            with("at_hash", json!(at_hash(Algorithm::EdDSA, "t"))),
        ] {
            assert!(verify(&issuer, &issuer.token(&header, &same.to_string())).is_ok(), "{same}");
        }
        let unverified = issuer.token(&header, &with("email_verified", json!("true")).to_string());
        assert_eq!(verify(&issuer, &unverified).unwrap().email, None, "only the boolean counts");
    }

    #[test]
    fn b26_a_token_that_is_not_quite_ours_is_refused() {
        let issuer = Other::new();
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
                verify(&issuer, &issuer.token(&header, &claims.to_string())).is_err(),
                "{member}: {value}"
            );
        }
        for missing in ["iss", "sub", "aud", "exp", "iat", "nonce"] {
            let mut claims = good();
            claims.as_object_mut().unwrap().remove(missing);
            assert!(
                verify(&issuer, &issuer.token(&header, &claims.to_string())).is_err(),
                "without {missing}"
            );
        }
        let twice = good().to_string().replacen('{', r#"{"sub":"other","#, 1);
        assert!(verify(&issuer, &issuer.token(&header, &twice)).is_err());
    }

    #[test]
    fn b26_an_algorithm_that_the_provider_did_not_announce_is_refused() {
        let issuer = Other::new();
        let token = issuer.token(&json!({"alg": "EdDSA", "kid": "a"}), &good().to_string());
        let announced = ["RS256".to_owned()];
        let expected = Expected {
            issuer: "https://idp.example",
            client_id: "client",
            nonce: "n",
            access_token: "t",
            algorithms: &announced,
            now: NOW * 1_000,
        };
        let token = Signed::parse(&token, &["JWT"]).unwrap();
        assert!(super::verify(&token, &issuer.keys(), &expected, "groups").is_err());
    }
}
