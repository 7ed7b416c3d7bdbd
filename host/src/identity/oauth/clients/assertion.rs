//! Assertions of clients: RFC 7523 and OpenID Connect Core 9, `private_key_jwt`. Pure.
//!
//! A client signs, with a key that is registered for it, that it is the one: here, now, once. A good assertion names the
//! instant until which its `jti` has to be remembered.

use serde::Deserialize;
use serde_json::Value;

use crate::clock::UnixMillis;
use crate::identity::foreign::{Keys, Signed, one_audience};

/// The longest assertion, in bytes.
const LONGEST: usize = 8_192;

/// How far ahead of ours a client's clock may be, in seconds. `exp` is by our clock alone.
const LEEWAY: i64 = 30;

/// How far ahead an assertion may end, in seconds.
const FARTHEST: i64 = 5 * 60;

/// How long before its use it may have been made, in seconds.
const OLDEST: i64 = 60 * 60;

/// The longest `jti`, in bytes.
const LONGEST_ID: usize = 255;

const TYPES: [&str; 2] = ["JWT", "client-authentication+jwt"];

/// Typed, so that a claim that stands twice or is of another type fails.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Value,
    exp: i64,
    iat: Option<i64>,
    nbf: Option<i64>,
    jti: String,
}

/// What an assertion is good for, once.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Good {
    pub(super) jti: String,
    pub(super) until: UnixMillis,
}

/// An assertion of which nothing is known but whom it says to be.
pub(super) struct Assertion<'a> {
    signed: Signed<'a>,
    pub(super) subject: String,
}

impl<'a> Assertion<'a> {
    /// Takes one apart.
    ///
    /// # Errors
    /// Why it cannot be a good one, for the log.
    pub(super) fn parse(text: &'a str) -> Result<Self, &'static str> {
        if text.len() > LONGEST {
            return Err("too long");
        }
        let signed = Signed::parse(text, &TYPES)?;
        let claims: Claims = read(&signed.unverified_claims()?)?;
        Ok(Self { signed, subject: claims.sub })
    }

    /// Checks it: `audiences` are the names that this authorization server goes by.
    ///
    /// # Errors
    /// Why it is refused, for the log.
    pub(super) fn verify(
        &self,
        client: &str,
        keys: &Keys,
        audiences: &[&str],
        now: UnixMillis,
    ) -> Result<Good, &'static str> {
        let claims: Claims = read(&self.signed.claims(keys)?)?;
        if claims.iss != client || claims.sub != client {
            return Err("another client");
        }
        if !one_audience(&claims.aud).is_some_and(|named| audiences.contains(&named)) {
            return Err("another audience, or more than one");
        }
        let now = now.div_euclid(1_000);
        if claims.exp <= now {
            return Err("expired");
        }
        if claims.exp.saturating_sub(now) > FARTHEST {
            return Err("good for longer than five minutes");
        }
        let early = |at: i64| at > now.saturating_add(LEEWAY);
        if claims.nbf.is_some_and(early) || claims.iat.is_some_and(early) {
            return Err("made in the future");
        }
        if claims.iat.is_some_and(|at| at < now.saturating_sub(OLDEST)) {
            return Err("made too long ago");
        }
        if claims.jti.is_empty() || claims.jti.len() > LONGEST_ID {
            return Err("no jti, or a long one");
        }
        Ok(Good { jti: claims.jti, until: claims.exp.saturating_mul(1_000) })
    }
}

fn read(claims: &[u8]) -> Result<Claims, &'static str> {
    serde_json::from_slice(claims).map_err(|_| "the claims cannot be read")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::identity::foreign::forge::Other;

    const NOW: i64 = 1_700_000_000;
    const HERE: [&str; 2] = ["https://acme.example", "https://acme.example/oauth/token"];

    fn good() -> Value {
        json!({"iss": "c1", "sub": "c1", "aud": HERE[0], "exp": NOW + 60, "iat": NOW, "jti": "once"})
    }

    fn verify(other: &Other, token: &str) -> Result<Good, &'static str> {
        Assertion::parse(token)?.verify("c1", &other.keys(), &HERE, NOW * 1_000)
    }

    fn of(other: &Other, claims: &str) -> Result<Good, &'static str> {
        verify(other, &other.token(&json!({"alg": "EdDSA", "kid": "a"}), claims))
    }

    #[test]
    fn a_client_says_that_it_is_the_one_here_and_now() {
        let other = Other::new();
        let expected = Good { jti: "once".to_owned(), until: (NOW + 60) * 1_000 };
        assert_eq!(of(&other, &good().to_string()), Ok(expected));
        for (member, value) in [
            ("aud", json!(HERE[1])),
            ("aud", json!([HERE[0]])),
            ("exp", json!(NOW + 1)),
            ("exp", json!(NOW + 300)),
            ("iat", json!(NOW + 30)),
            ("nbf", json!(NOW + 30)),
            ("more", json!("else")),
        ] {
            let mut claims = good();
            claims[member] = value.clone();
            assert!(of(&other, &claims.to_string()).is_ok(), "{member} {value}");
        }
        for kind in ["JWT", "client-authentication+jwt"] {
            let header = json!({"alg": "EdDSA", "typ": kind});
            assert!(verify(&other, &other.token(&header, &good().to_string())).is_ok(), "{kind}");
        }
    }

    #[test]
    fn an_assertion_that_is_not_quite_the_clients_is_refused() {
        let other = Other::new();
        for (member, value) in [
            ("iss", json!("c2")),
            ("sub", json!("c2")),
            ("sub", json!(["c1"])),
            ("aud", json!("https://globex.example")),
            ("aud", json!("https://acme.example/")),
            ("aud", json!("https://acme.example/oauth/revoke")),
            ("aud", json!([HERE[0], HERE[1]])),
            ("aud", json!([])),
            ("exp", json!(NOW)),
            ("exp", json!(NOW + 301)),
            ("exp", json!(i64::MAX)),
            ("exp", json!("x")),
            ("exp", json!(1.5)),
            ("iat", json!(NOW + 31)),
            ("iat", json!(NOW - 3_601)),
            ("nbf", json!(NOW + 31)),
            ("jti", json!("")),
            ("jti", json!("x".repeat(256))),
            ("jti", json!(7)),
        ] {
            let mut claims = good();
            claims[member] = value.clone();
            assert!(of(&other, &claims.to_string()).is_err(), "{member} {value}");
        }
        for missing in ["iss", "sub", "aud", "exp", "jti"] {
            let mut claims = good();
            claims.as_object_mut().unwrap().remove(missing);
            assert!(of(&other, &claims.to_string()).is_err(), "without {missing}");
        }
        let twice = good().to_string().replacen('{', r#"{"sub":"c2","#, 1);
        assert!(of(&other, &twice).is_err());
        assert!(Assertion::parse(&"x".repeat(LONGEST + 1)).is_err());
    }

    #[test]
    fn an_assertion_is_signed_with_a_registered_key_and_its_own_algorithm() {
        let other = Other::new();
        let claims = good().to_string();
        for header in [
            json!({"alg": "none"}),
            json!({"alg": "HS256", "kid": "a"}),
            json!({"alg": "ES256", "kid": "a"}),
            json!({"alg": "EdDSA", "kid": "b"}),
            json!({"alg": "EdDSA", "kid": "a", "typ": "at+jwt"}),
            json!({"alg": "EdDSA", "kid": "a", "crit": ["exp"]}),
        ] {
            assert!(verify(&other, &other.token(&header, &claims)).is_err(), "{header}");
        }
        let own = json!({"alg": "EdDSA", "jwk": serde_json::to_value(&other.public).unwrap()});
        assert!(verify(&Other::new(), &other.token(&own, &claims)).is_err(), "a key that it brings itself");
    }
}
