//! Which passwords are good enough. Pure.
//!
//! Length is what counts; there are no rules of composition and no forced changes. What is refused is what a guesser
//! tries first: well-known passwords, repetitions and sequences, and what anybody knows of this account.

use crate::identity::IdentityError;
use crate::identity::people::key_of;

/// The shortest, in characters.
const MIN: usize = 12;

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
    let refuse = |reason| Err(IdentityError::WeakPassword(reason));
    let length = password.chars().count();
    if length < MIN {
        return refuse("use at least 12 characters");
    }
    if length > MAX {
        return refuse("use at most 128 characters");
    }
    let key = key_of(password);
    let local = email.map(key_of).and_then(|email| email.rsplit_once('@').map(|(local, _)| local.to_owned()));
    if [local.as_deref().unwrap_or_default(), slug].iter().any(|word| word.len() >= 4 && key.contains(word)) {
        return refuse("do not use your e-mail address or the organization's name in it");
    }
    if is_well_known(&key) {
        return refuse("this password is among the first that are guessed");
    }
    Ok(())
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
            "violet tram 9",
            "plain-old-words",
            "\u{436}\u{443}\u{440}\u{430}\u{432}\u{43b}\u{438}\u{43d}\u{430}\u{44f}\u{441}\u{442}",
            " leading space is mine ",
        ] {
            assert!(good(password), "{password}");
        }
        let longest: String = "a violet tram 9 ".repeat(8);
        assert!(longest.len() == MAX && good(&longest));
        assert!(!good("short tram9"));
        assert!(!good(&"violet tram 9".repeat(10)));
    }

    #[test]
    fn what_anybody_knows_of_the_account_is_refused() {
        for password in ["ANN.LEE is my name", "welcome to acme inc", "xAcMexviolettram"] {
            assert!(!good(password), "{password}");
        }
        assert!(check("welcome to acme inc", None, "globex").is_ok());
        assert!(
            check("a violet tram 9", Some("al@example.com"), "acme").is_ok(),
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
