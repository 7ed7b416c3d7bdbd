//! Which passwords are good enough. Pure.
//!
//! Length is what counts; there are no rules of composition and no forced changes. What is refused is what a guesser
//! tries first: well-known passwords, repetitions and sequences, and what anybody knows of this account.

use zxcvbn::zxcvbn;

use crate::identity::IdentityError;
use crate::identity::people::key_of;

/// The shortest beside a second factor, in characters.
const MIN: usize = 12;

/// The shortest that stands alone, in characters.
const MIN_ALONE: usize = 15;

/// Whatever takes fewer guesses than this power of ten stands in a list, in one spelling or another.
const LISTED: f64 = 6.0;

/// The product's name, which everybody tries.
const PRODUCT: &str = "stoa";

/// The longest, in characters; also bounds what a login has to hash.
pub(super) const MAX: usize = 128;

/// The well-known ones of 12 characters and more, in lower case, without digits at their ends.
const WELL_KNOWN: [&str; 24] = [
    "abc",
    "admin",
    "administrator",
    "baseball",
    "changeme",
    "correcthorsebatterystaple",
    "dragon",
    "football",
    "iloveyou",
    "letmein",
    "letmeinletmein",
    "master",
    "monkey",
    "p@ssword",
    "p@ssw0rd",
    "passw0rd",
    "password",
    "passwordpassword",
    "princess",
    "qwerty",
    "qwertyqwerty",
    "sunshine",
    "superman",
    "welcome",
];

/// Runs of keys and letters of which a password must not be a piece or a repetition.
const SEQUENCES: [&str; 4] = [
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "1q2w3e4r5t6y7u8i9o0p",
];

/// Accepts or refuses a password for the person with this address in this organization. It is hashed as it was typed.
///
/// # Errors
/// [`IdentityError::WeakPassword`] says what is wrong.
pub(crate) fn check(password: &str, email: Option<&str>, slug: &str) -> Result<(), IdentityError> {
    check_beside(password, email, slug, false)
}

/// The same for a person who has a second factor, or has none.
///
/// # Errors
/// As [`check`].
pub(super) fn check_beside(
    password: &str,
    email: Option<&str>,
    slug: &str,
    second_factor: bool,
) -> Result<(), IdentityError> {
    let refuse = |reason| Err(IdentityError::WeakPassword(reason));
    let length = password.chars().count();
    if length < MIN {
        return refuse("use at least 15 characters, or 12 with a second factor");
    }
    if length < MIN_ALONE && !second_factor {
        return refuse("use at least 15 characters as long as you have no second factor");
    }
    if length > MAX {
        return refuse("use at most 128 characters");
    }
    let key = key_of(password);
    let local = email.map(key_of).and_then(|email| email.rsplit_once('@').map(|(local, _)| local.to_owned()));
    if [local.as_deref().unwrap_or_default(), slug].iter().any(|word| word.len() >= 4 && key.contains(word)) {
        return refuse("do not use your e-mail address or the organization's name in it");
    }
    if key.contains(PRODUCT) && length < MIN_ALONE + PRODUCT.len() {
        return refuse("do not use the product's name in it");
    }
    if is_well_known(&key) || is_listed(&key) {
        return refuse("this password is among the first that are guessed");
    }
    Ok(())
}

/// Whether it, or what is left without digits and punctuation at its ends, is one of the common passwords: the list of
/// 30,000 that zxcvbn carries, however it is spelled (`p4ssw0rd`, reversed).
fn is_listed(key: &str) -> bool {
    let word = key.trim_matches(|letter: char| letter.is_ascii_digit() || letter.is_ascii_punctuation());
    [key, word].into_iter().any(|text| text.chars().count() >= 4 && estimate(text) < LISTED)
}

/// The logarithm of the number of guesses it takes.
fn estimate(text: &str) -> f64 {
    zxcvbn(text, &[]).guesses_log10()
}

/// How hard a password is to guess, from 0 to 4, as zxcvbn sees it: to be shown, not enforced.
#[must_use]
pub fn score(password: &str, words: &[&str]) -> u8 {
    let end = password.char_indices().nth(MAX).map_or(password.len(), |(at, _)| at);
    u8::from(zxcvbn(password.get(..end).unwrap_or_default(), words).score())
}

fn is_well_known(key: &str) -> bool {
    let word = key.trim_matches(|letter: char| letter.is_ascii_digit() || letter.is_ascii_punctuation());
    let mut letters: Vec<char> = key.chars().collect();
    letters.sort_unstable();
    letters.dedup();
    let sequence = |run: &&str| run.contains(key) || run.chars().rev().collect::<String>().contains(key);
    word.is_empty() || letters.len() < 5 || WELL_KNOWN.contains(&word) || SEQUENCES.iter().any(sequence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(password: &str) -> bool {
        check(password, Some("Ann.Lee@example.com"), "acme").is_ok()
    }

    #[test]
    fn length_is_what_counts() {
        for password in [
            "violet tram 9 east",
            "plain-old-words",
            "\u{436}\u{443}\u{440}\u{430}\u{432}\u{43b}\u{438}\u{43d}\u{430}\u{44f}\u{441}\u{442}\u{430}\u{44f}\u{20}\u{43d}\u{43e}\u{447}\u{44c}",
            " leading space is mine ",
        ] {
            assert!(good(password), "{password}");
        }
        let longest: String = "a violet tram 9 ".repeat(8);
        assert!(longest.len() == MAX && good(&longest));
        assert!(!good("short tram9"));
        let beside = |second| check_beside("violet tram 9", None, "acme", second).is_ok();
        assert!(beside(true) && !beside(false), "12 beside a second factor, 15 alone");
        assert!(!good(&"violet tram 9".repeat(10)));
    }

    #[test]
    fn what_anybody_knows_of_the_account_is_refused() {
        for password in ["ANN.LEE is my name", "welcome to acme inc", "xAcMexviolettram"] {
            assert!(!good(password), "{password}");
        }
        assert!(check("welcome to acme inc", None, "globex").is_ok());
        assert!(
            check("a violet tram 9 al", Some("al@example.com"), "acme").is_ok(),
            "short words occur by chance"
        );
    }

    #[test]
    fn what_is_guessed_first_is_refused() {
        for password in [
            "123456789012",
            "password1234",
            "Password1234!",
            "aaaaaaaaaaaa",
            "abcabcabcabc",
            "abcdefghijkl",
            "qwertyuiopas",
            "passwordpassword1",
            "000000000000000000",
            "footballfootball",
            "passwordpassword",
            "CorrectHorseBatteryStaple",
            "1q2w3e4r5t6y",
            "9876543210987",
            "zyxwvutsrqpo",
        ] {
            assert!(!good(password), "{password}");
        }
    }
}
