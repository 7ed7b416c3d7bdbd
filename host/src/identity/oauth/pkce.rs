//! PKCE, RFC 7636: S256 and nothing else. Pure.

use subtle::ConstantTimeEq;

use crate::identity::secret;

/// Whether the text is a challenge: 43 letters of base64url.
pub(super) fn is_challenge(text: &str) -> bool {
    text.len() == 43 && secret::decode(text).is_some()
}

/// Whether this verifier belongs to this challenge.
pub(super) fn verifies(verifier: &str, challenge: &str) -> bool {
    let unreserved =
        |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'.' | b'_' | b'~');
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(unreserved) {
        return false;
    }
    let made = secret::encode(&secret::digest(&[verifier.as_bytes()]));
    made.as_bytes().ct_eq(challenge.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_example_of_rfc_7636_holds() {
        assert!(is_challenge(CHALLENGE) && verifies(VERIFIER, CHALLENGE));
    }

    #[test]
    fn b3_a_verifier_of_another_length_or_alphabet_is_none() {
        let of = |verifier: &str| {
            let challenge = secret::encode(&secret::digest(&[verifier.as_bytes()]));
            verifies(verifier, &challenge)
        };
        assert!(of(&"a".repeat(43)) && of(&"a".repeat(128)));
        for bad in ["a".repeat(42), "a".repeat(129), format!("{}+", "a".repeat(50)), "\u{e9}".repeat(30)] {
            assert!(!of(&bad), "{bad}");
        }
        assert!(!verifies(VERIFIER, VERIFIER) && !verifies(CHALLENGE, CHALLENGE), "plain is not taken");
    }

    #[test]
    fn b1_a_challenge_is_exactly_43_letters_of_base64url() {
        for bad in ["", &CHALLENGE[1..], &format!("{CHALLENGE}="), &format!("{CHALLENGE}a"), &"+".repeat(43)]
        {
            assert!(!is_challenge(bad), "{bad}");
        }
    }
}
