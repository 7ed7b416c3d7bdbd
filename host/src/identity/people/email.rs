//! An e-mail address: as somebody wrote it, and as two of them are compared. Pure.

use email_address::{EmailAddress, Options};
use unicode_normalization::UnicodeNormalization;
use unicode_security::confusable_detection::skeleton;
use unicode_security::{RestrictionLevel, RestrictionLevelDetection};

use crate::identity::IdentityError;

/// An address of a person.
///
/// Holding one is the proof that the text was checked. Two addresses are the same when their keys are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Email {
    written: String,
    key: String,
}

impl Email {
    /// Checks `text`; the only way to make an address.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`].
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let invalid =
            || IdentityError::Invalid { field: "email", reason: "use an address such as ann@example.com" };
        let written = text.trim();
        let key = key_of(written);
        let options = Options::default().without_display_text().without_domain_literal().with_required_tld();
        if written.len() > 254 || key.contains('"') || key.chars().any(hides) {
            return Err(invalid());
        }
        EmailAddress::parse_with_options(&key, options).map_err(|_| invalid())?;
        if key.split(['@', '.']).any(misleads) {
            let reason = "it mixes scripts, or looks like another address";
            return Err(IdentityError::Invalid { field: "email", reason });
        }
        Ok(Self { written: written.to_owned(), key })
    }

    /// As it was written: what mail is sent to.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// What is compared.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What stands behind the `@`, lower case.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.key.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// What stands before the `@`, lower case.
    #[must_use]
    pub fn local_part(&self) -> &str {
        self.key.rsplit_once('@').map_or("", |(local, _)| local)
    }
}

/// NFKC and lower case. Whatever could still be written in two ways is refused by [`hides`] and [`misleads`].
pub(crate) fn key_of(text: &str) -> String {
    text.trim().nfkc().flat_map(char::to_lowercase).nfkc().collect()
}

/// Whether a part of an address mixes scripts that do not belong together, or is written in another script altogether
/// and looks like plain letters.
fn misleads(part: &str) -> bool {
    if part.is_ascii() {
        return false;
    }
    let letters: String = part.chars().filter(|letter| letter.is_alphanumeric()).collect();
    let mixed = letters.as_str().detect_restriction_level() > RestrictionLevel::HighlyRestrictive;
    mixed || skeleton(&letters).all(|letter| letter.is_ascii())
}

/// Letters that show nothing, or that combine with the one before: with them one address has several spellings.
fn hides(letter: char) -> bool {
    letter.is_control()
        || letter.is_whitespace()
        || matches!(letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
            | '\u{0300}'..='\u{036f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe2f}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_kept_as_written_and_compared_in_lower_case() {
        let email = Email::parse(" Ann.Lee@Example.COM ").unwrap();
        assert_eq!(
            (email.as_str(), email.key(), email.local_part()),
            ("Ann.Lee@Example.COM", "ann.lee@example.com", "ann.lee")
        );
    }

    #[test]
    fn full_width_letters_are_the_same_address() {
        let wide = Email::parse("\u{ff21}nn@example.com").unwrap();
        assert_eq!(wide.key(), Email::parse("ann@example.com").unwrap().key());
    }

    #[test]
    fn c20_an_address_that_looks_like_another_is_refused() {
        for bad in [
            "\u{430}nn@example.com",             // a Cyrillic a before Latin letters
            "\u{430}\u{440}\u{435}@example.com", // all Cyrillic, reads `ape`
            "ann@ex\u{430}mple.com",
            "ann@\u{430}\u{440}\u{440}\u{4cf}\u{435}.com", // all Cyrillic, reads `apple`
            "\u{3b1}nn@example.com",                       // a Greek alpha
        ] {
            assert!(Email::parse(bad).is_err(), "{bad:?}");
        }
        for good in [
            "jos\u{e9}@example.com",
            "\u{438}\u{432}\u{430}\u{43d}@example.com",
            "\u{592a}\u{90ce}@example.jp",
        ] {
            assert!(Email::parse(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn c20_every_spelling_of_an_address_is_the_same_address() {
        let key = |text: &str| Email::parse(text).map(|email| email.key().to_owned());
        for same in
            ["ANN@EXAMPLE.COM", "\u{ff41}nn@example.com", "a\u{ff2e}n@example.com", "\u{1d41a}nn@example.com"]
        {
            assert_eq!(key(same).unwrap(), "ann@example.com", "{same:?}");
        }
        assert_eq!(key("e\u{301}va@example.com").ok(), key("\u{e9}va@example.com").ok());
    }

    #[test]
    fn what_is_no_address_or_has_two_spellings_is_refused() {
        let long = format!("{}@example.com", "a".repeat(250));
        for bad in [
            "",
            "ann",
            "@example.com",
            "ann@",
            "ann@localhost",
            "Ann <ann@example.com>",
            "ann@[127.0.0.1]",
            "ann@exa mple.com",
            "ann\u{200b}@example.com",
            "ann\0@example.com",
            "n\u{0301}\u{0302}nn@example.com",
            "ann@example.com\r\nbcc: b@example.com",
            "\"a b\"@example.com",
            &long,
        ] {
            assert!(Email::parse(bad).is_err(), "{bad:?}");
        }
    }
}
