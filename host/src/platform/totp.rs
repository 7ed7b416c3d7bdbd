//! Codes of RFC 6238: the second factor. Pure.

use totp_rs::{Builder, Totp};

use crate::clock::UnixMillis;

/// Bytes of a secret, as RFC 4226 recommends.
pub(super) const SECRET: usize = 20;

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The step in which `code` is the code of this secret: that of now, the one before or the one after, and later than
/// `used`, because each is good once.
pub(super) fn check(secret: &[u8], code: &str, used: Option<i64>, now: UnixMillis) -> Option<i64> {
    let digits = code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit());
    let now = u64::try_from(now.div_euclid(1_000)).ok().filter(|_| digits)?;
    let step = i64::try_from(of(secret)?.check(code, now)?).ok()?;
    used.is_none_or(|used| step > used).then_some(step)
}

/// What an authenticator app scans or is told.
pub(super) fn address(secret: &[u8], email: &str) -> String {
    let email: String = email
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'@' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect();
    format!("otpauth://totp/Stoa%20Platform:{email}?secret={}&issuer=Stoa%20Platform", base32(secret))
}

/// RFC 4648, without padding: [`SECRET`] bytes need none.
pub(super) fn base32(bytes: &[u8]) -> String {
    let (mut text, mut held, mut bits) = (String::new(), 0_u32, 0);
    for byte in bytes {
        (held, bits) = ((held << 8) | u32::from(*byte), bits + 8);
        while bits >= 5 {
            bits -= 5;
            let index = usize::try_from((held >> bits) & 31).unwrap_or_default();
            text.extend(ALPHABET.get(index).map(|letter| char::from(*letter)));
        }
        held &= (1 << bits) - 1;
    }
    text
}

fn of(secret: &[u8]) -> Option<Totp> {
    Builder::new().with_secret(<[u8; SECRET]>::try_from(secret).ok()?).build().ok()
}

/// The code of an instant, for tests.
#[cfg(test)]
pub(super) fn code(secret: &[u8], now: UnixMillis) -> String {
    of(secret).unwrap().generate(u64::try_from(now / 1_000).unwrap()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = 59_000;

    #[test]
    fn the_code_is_that_of_the_standard_and_good_once() {
        let secret = b"12345678901234567890";
        assert_eq!(check(secret, "287082", None, NOW), Some(1));
        assert_eq!(check(secret, "287082", Some(1), NOW), None, "used");
        assert_eq!(check(secret, "287082", Some(0), NOW), Some(1));
        assert_eq!(check(secret, "287082", None, NOW + 30_000), Some(1), "one step late");
        assert_eq!(check(secret, "287082", None, NOW + 61_000), None, "two steps late");
        for bad in ["", "28708", "2870820", "28708x", "287 082", "287083"] {
            assert_eq!(check(secret, bad, None, NOW), None, "{bad}");
        }
    }

    #[test]
    fn the_secret_is_told_in_base32() {
        assert_eq!(base32(b"12345678901234567890"), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let address = address(&[0; SECRET], "a b&c@example.com");
        assert!(
            address.starts_with("otpauth://totp/Stoa%20Platform:a%20b%26c@example.com?secret=AAAA"),
            "{address}"
        );
    }
}
