//! Texts that a spreadsheet would take for a formula: an export puts `'` in front, an import takes that one away.
//!
//! A guarded text is told from one that was so by itself: a text gets a `'` when its first sign, behind blanks, signs
//! without width and any number of `'`, begins a formula. So every text that needs a guard has exactly one more `'` when
//! it went out, and what comes in has one taken away; no text changes on its way out and back.

use std::borrow::Cow;

/// What spreadsheets pass over before they look for a formula.
fn passed_over(sign: char) -> bool {
    sign.is_whitespace()
        || matches!(sign, '\'' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}' | '\0')
}

/// Whether the text would be taken for a formula, or is guarded against it.
fn dangerous(text: &str) -> bool {
    let begins = |sign: char| matches!(sign, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠');
    text.trim_start_matches('\'').starts_with(['\t', '\r'])
        || text.chars().find(|sign| !passed_over(*sign)).is_some_and(begins)
}

/// The text as it may stand in a spreadsheet.
#[must_use]
pub fn put(text: &str) -> Cow<'_, str> {
    if dangerous(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// The text that was meant.
#[must_use]
pub fn taken(text: &str) -> &str {
    text.strip_prefix('\'').filter(|rest| dangerous(rest)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_text_becomes_a_formula() {
        for text in
            ["=1+1", "+49 1", "-x", "@a", "\tx", "\rx", " =1", "\u{200b}=1", "\u{feff}=1", "'=1", "''+1"]
        {
            assert_eq!(put(text), format!("'{text}"));
        }
        for text in ["plain - text", "'quoted'", "", "'", "5-5", "a=b"] {
            assert_eq!(put(text), text);
            assert_eq!(taken(text), text);
        }
        assert_eq!(taken("'=1"), "=1");
        assert_eq!(taken("''=1"), "'=1");
    }

    proptest! {
        #[test]
        fn what_goes_out_comes_back(text in r"['=+\-@\t\r \u{200b}a]{0,6}") {
            let out = put(&text);
            prop_assert_eq!(taken(&out), text.as_str());
            prop_assert!(!out.starts_with(['=', '+', '-', '@', '\t', '\r']));
        }
    }
}
