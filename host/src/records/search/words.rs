//! What somebody types into a search box: words, all of which must be found, the last one perhaps unfinished.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::records::error::RecordError;

/// Longest text to search for, in bytes.
const LONGEST: usize = 200;
/// Most words.
const WORDS: usize = 12;

/// One word or quoted phrase.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Word {
    /// Its tokens as the index knows them: lower case, without diacritics.
    pub tokens: Vec<String>,
    /// Whether the last token may go on.
    pub open: bool,
    /// As it was typed, without quotes and control characters.
    text: String,
}

/// A search text, understood.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Words(Vec<Word>);

impl Words {
    /// Understands `acme "main street" vien`: words and quoted phrases; the last word is open unless a space or a quote
    /// ends it.
    ///
    /// # Errors
    /// [`RecordError::BadRequest`] without a letter or digit, for more than 200 bytes, or for more than twelve words.
    pub fn parse(text: &str) -> Result<Self, RecordError> {
        if text.len() > LONGEST {
            return Err(RecordError::bad("invalid_search", format!("`q` has at most {LONGEST} bytes")));
        }
        let mut words = Vec::new();
        for (at, part) in text.split('"').enumerate() {
            if at % 2 == 1 {
                words.extend(Word::of(part, false));
                continue;
            }
            let unfinished = at == text.matches('"').count() && !part.ends_with(char::is_whitespace);
            let mut parts = part.split_whitespace().peekable();
            while let Some(part) = parts.next() {
                words.extend(Word::of(part, unfinished && parts.peek().is_none()));
            }
        }
        if words.is_empty() {
            return Err(RecordError::bad("invalid_search", "`q` needs at least one letter or digit"));
        }
        if words.len() > WORDS {
            return Err(RecordError::bad("invalid_search", format!("`q` has at most {WORDS} words")));
        }
        Ok(Self(words))
    }

    /// The words.
    pub fn iter(&self) -> impl Iterator<Item = &Word> {
        self.0.iter()
    }

    /// The words as an FTS5 expression, all of them wanted; the open one only as it stands there, or as far as it may go on.
    pub(super) fn expression(&self, as_typed: bool) -> String {
        let quoted = self.0.iter().map(|word| {
            let star = if word.open && !as_typed { " *" } else { "" };
            format!("\"{}\"{star}", word.text.replace('"', "\"\""))
        });
        quoted.collect::<Vec<_>>().join(" AND ")
    }

    /// Whether one of them may go on.
    pub(super) fn open(&self) -> bool {
        self.0.iter().any(|word| word.open)
    }
}

impl Word {
    /// `None` when nothing of it is in any index.
    fn of(text: &str, open: bool) -> Option<Self> {
        let text: String = text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).collect();
        let tokens: Vec<String> = tokens(&text).into_iter().map(|token| token.text).collect();
        let open = open && text.chars().next_back().is_some_and(char::is_alphanumeric);
        (!tokens.is_empty()).then_some(Self { tokens, open, text })
    }
}

/// A piece of a text that the index knows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Token {
    /// Lower case, without diacritics.
    pub(super) text: String,
    /// Where it begins, in characters.
    pub(super) start: usize,
    /// Where it ends, in characters.
    pub(super) end: usize,
}

/// The tokens of a text, as close as need be to how FTS5's `unicode61` with `remove_diacritics 2` splits: the index
/// decides what is found, this what is shown first.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut found: Vec<Token> = Vec::new();
    let mut open = false;
    for (at, sign) in text.chars().enumerate() {
        if !(sign.is_alphanumeric() || open && is_combining_mark(sign)) {
            open = false;
            continue;
        }
        if !open {
            found.push(Token { text: String::new(), start: at, end: at });
            open = true;
        }
        if let Some(token) = found.last_mut() {
            if sign.is_ascii() {
                token.text.push(sign.to_ascii_lowercase());
            } else {
                token.text.extend(sign.to_lowercase().nfd().filter(|part| !is_combining_mark(*part)));
            }
            token.end = at + 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(Vec<String>, bool)> {
        Words::parse(text).unwrap().0.into_iter().map(|word| (word.tokens, word.open)).collect()
    }

    fn word(tokens: &[&str], open: bool) -> (Vec<String>, bool) {
        (tokens.iter().map(|token| (*token).to_owned()).collect(), open)
    }

    #[test]
    fn the_last_word_is_open_unless_it_is_ended() {
        assert_eq!(parsed("acme cor"), [word(&["acme"], false), word(&["cor"], true)]);
        assert_eq!(parsed("acme cor "), [word(&["acme"], false), word(&["cor"], false)]);
        assert_eq!(parsed("\"main street\""), [word(&["main", "street"], false)]);
        assert_eq!(parsed("\"main street\" 5"), [word(&["main", "street"], false), word(&["5"], true)]);
        assert_eq!(parsed("ann@acme.example"), [word(&["ann", "acme", "example"], true)]);
        assert_eq!(parsed("acme!"), [word(&["acme"], false)]);
    }

    #[test]
    fn letters_lose_case_and_diacritics() {
        assert_eq!(parsed("ÉCOLE Müller "), [word(&["ecole"], false), word(&["muller"], false)]);
        assert_eq!(tokens("e\u{301}a b")[0], Token { text: "ea".into(), start: 0, end: 3 });
    }

    #[test]
    fn a_text_without_a_letter_or_digit_finds_nothing_and_says_so() {
        for bad in ["", " ", "\"", "--", "\"\" ()"] {
            assert!(Words::parse(bad).is_err(), "{bad}");
        }
        assert!(Words::parse(&"a ".repeat(13)).is_err());
        assert!(Words::parse(&"a".repeat(201)).is_err());
    }

    #[test]
    fn nothing_that_is_typed_becomes_syntax() {
        let words = Words::parse("f0:x NEAR(a) ^b \u{0}c OR").unwrap();
        assert_eq!(words.expression(false), "\"f0:x\" AND \"NEAR(a)\" AND \"^b\" AND \" c\" AND \"OR\" *");
    }
}
