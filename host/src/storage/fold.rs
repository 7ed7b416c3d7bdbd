//! Text as it is compared when letter case does not count: one form for `É`, `é` and `e` with an accent put on it. The
//! same in SQL (`stoa_contains`, `stoa_starts`) and in memory.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization as _, is_nfc};

/// The text composed and in lower case, letter by letter; every sigma is the one inside of words.
#[must_use]
pub fn folded(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(text.to_ascii_lowercase())
        } else {
            Cow::Borrowed(text)
        };
    }
    let lower = |letter: char| letter.to_lowercase().map(|letter| if letter == 'ς' { 'σ' } else { letter });
    let lowered: String = if is_nfc(text) {
        text.chars().flat_map(lower).collect()
    } else {
        text.nfc().flat_map(lower).collect()
    };
    // A letter may come apart in lower case.
    Cow::Owned(if is_nfc(&lowered) { lowered } else { lowered.nfc().collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_every_alphabet_lose_their_case() {
        for (one, other) in [
            ("ZÜRICH", "zürich"),
            ("Ärger", "ÄRGER"),
            ("ΟΔΟΣ", "οδος"),
            ("Жук", "жУК"),
            ("E\u{301}tude", "étude"),
            ("\u{1e9e}", "ß"),
            ("plain", "PLAIN"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
        assert_ne!(folded("straße"), folded("strasse"));
    }

    #[test]
    fn what_is_folded_stays_as_it_is() {
        for text in ["İstanbul", "ΣΑΣ", "e\u{301}", "ﬁ", "", "a1-ß"] {
            let once = folded(text).into_owned();
            assert_eq!(folded(&once), once, "{text}");
        }
    }
}
