//! Folding of letters: case, width, diacritics; and the cutting of a text into words.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// The text in lower case, without diacritics, in one Unicode form. Marks are folded where they do not make another
/// letter for readers: in Latin and Greek. Cyrillic й stays й, but ё is е.
#[must_use]
pub fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut base = ' ';
    let plain = text.chars().filter(|sign| !is_silent(*sign));
    let lower = plain.nfkd().flat_map(char::to_lowercase).filter(|sign| !is_silent(*sign));
    for sign in lower {
        if ('\u{300}'..='\u{36f}').contains(&sign) {
            let cyrillic = ('\u{400}'..='\u{52f}').contains(&base) && !(base == 'е' && sign == '\u{308}');
            if cyrillic || is_other_script(base) {
                out.push(sign);
            }
            continue;
        }
        base = sign;
        match sign {
            'ß' => out.push_str("ss"),
            'æ' => out.push_str("ae"),
            'œ' => out.push_str("oe"),
            'þ' => out.push_str("th"),
            'ø' => out.push('o'),
            'ł' => out.push('l'),
            'đ' | 'ð' => out.push('d'),
            'ħ' => out.push('h'),
            'ŧ' => out.push('t'),
            'ŋ' => out.push('n'),
            'ı' => out.push('i'),
            'ς' => out.push('σ'),
            _ => out.push(sign),
        }
    }
    out.nfc().collect()
}

/// Apostrophes, hyphens that show only at the end of a line, and signs without width: no difference to a reader.
const fn is_silent(sign: char) -> bool {
    matches!(
        sign,
        '\'' | '`' | '´' | '‘' | '’' | 'ʼ' | 'ʹ' | 'ʻ' | '\u{ad}' | '\u{200b}'
            ..='\u{200f}' | '\u{2060}' | '\u{feff}'
    )
}

/// A letter that is neither Latin nor Greek nor Cyrillic.
fn is_other_script(sign: char) -> bool {
    sign.is_alphabetic() && !matches!(sign, '\0'..='\u{52f}' | '\u{1e00}'..='\u{1fff}')
}

/// The words of a folded text: runs of letters and digits. Single letters with dots between them are one word, as in
/// `s.r.l.`.
#[must_use]
pub fn words(folded: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    // Whether the last word is made of single letters, and what stands behind it so far.
    let (mut initials, mut gap) = (false, String::new());
    let mut word = String::new();
    let mut end = |word: &mut String, gap: &mut String| {
        if word.is_empty() {
            return;
        }
        let single = word.chars().nth(1).is_none();
        match words.last_mut() {
            Some(last) if initials && single && gap == "." => last.push_str(word),
            _ => words.push(word.clone()),
        }
        initials = single;
        word.clear();
        gap.clear();
    };
    for sign in folded.chars() {
        if sign.is_alphanumeric() || is_combining_mark(sign) {
            word.push(sign);
        } else {
            end(&mut word, &mut gap);
            gap.push(sign);
        }
    }
    end(&mut word, &mut gap);
    words
}

/// A word in which `ae`, `oe` and `ue` are `a`, `o` and `u`: how umlauts are written without them. Short words stay.
#[must_use]
pub fn squeeze(word: &str) -> String {
    if word.chars().nth(3).is_none() {
        return word.to_owned();
    }
    let mut out = String::with_capacity(word.len());
    for sign in word.chars() {
        if !(sign == 'e' && out.ends_with(['a', 'o', 'u'])) {
            out.push(sign);
        }
    }
    out
}
