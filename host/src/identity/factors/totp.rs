//! Codes of RFC 6238: SHA-1, six digits, 30 seconds. Pure.

use totp_rs::{Builder, Totp};

use crate::clock::UnixMillis;

/// Bytes of a secret, as RFC 4226 recommends.
pub(crate) const SECRET: usize = 20;

/// How long one code is shown, in milliseconds.
pub(crate) const STEP: UnixMillis = 30_000;

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The step of which `code` is the code: that of now, the one before or the one after, and later than `used`, because
/// each is good once.
pub(crate) fn check(secret: &[u8], code: &str, used: i64, now: UnixMillis) -> Option<i64> {
    let digits = code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = u64::try_from(now.div_euclid(1_000)).ok().filter(|_| digits)?;
    let step = i64::try_from(of(secret)?.check(code, seconds)?).ok()?;
    (step > used).then_some(step)
}

/// The step of `second`, when `first` is the code of the step before: the proof that an app keeps time.
pub(crate) fn check_two(secret: &[u8], first: &str, second: &str, now: UnixMillis) -> Option<i64> {
    let step = check(secret, second, 0, now)?;
    let before = step.saturating_sub(1);
    (check(secret, first, before.saturating_sub(1), before.saturating_mul(STEP)) == Some(before))
        .then_some(step)
}

/// What an authenticator app scans.
pub(crate) fn address(secret: &[u8], issuer: &str, account: &str) -> String {
    let (issuer, account) = (percent(issuer), percent(account));
    format!("otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}", base32(secret))
}

fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'@');
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// RFC 4648, without padding: [`SECRET`] bytes, and 15 of a recovery code, need none.
pub(crate) fn base32(bytes: &[u8]) -> String {
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
pub(crate) fn code(secret: &[u8], now: UnixMillis) -> String {
    of(secret).unwrap().generate(u64::try_from(now / 1_000).unwrap()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = 59_000;
    const KEY: &[u8] = b"12345678901234567890";

    #[test]
    fn the_code_is_that_of_the_standard_and_good_once() {
        assert_eq!(check(KEY, "287082", 0, NOW), Some(1));
        assert_eq!(check(KEY, "287082", 1, NOW), None, "used");
        assert_eq!(check(KEY, "287082", 0, NOW + 30_000), Some(1), "one step late");
        assert_eq!(check(KEY, "287082", 0, NOW + 61_000), None, "two steps late");
        for bad in ["", "28708", "2870820", "28708x", "287 082", "287083", "\u{662}87082"] {
            assert_eq!(check(KEY, bad, 0, NOW), None, "{bad}");
        }
    }

    #[test]
    fn an_app_is_confirmed_by_two_codes_in_a_row() {
        let now = 1_700_000_000_000;
        let at = |steps: i64| code(KEY, now + steps * STEP);
        let step = now / STEP;
        assert_eq!(check_two(KEY, &at(-1), &at(0), now), Some(step));
        assert_eq!(check_two(KEY, &at(0), &at(1), now), Some(step + 1));
        assert_eq!(check_two(KEY, &at(0), &at(0), now), None, "the same one twice");
        assert_eq!(check_two(KEY, &at(0), &at(-1), now), None, "in the wrong order");
        assert_eq!(check_two(KEY, &at(-2), &at(0), now), None, "not in a row");
    }

    #[test]
    fn what_an_app_scans_cannot_be_broken_up_by_names() {
        assert_eq!(base32(b"foobar1234"), "MZXW6YTBOIYTEMZU");
        let address = address(KEY, "A&B <i>", "ann@example.com");
        assert!(address.starts_with("otpauth://totp/A%26B%20%3Ci%3E:ann@example.com?secret="), "{address}");
    }
}
