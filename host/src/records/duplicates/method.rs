//! How alike two values in their common form are, from 0 to 100. Symmetric.

use std::collections::HashMap;

use rphonetic::DoubleMetaphone;

use super::normalize::{Form, person};
use super::rule::{Method, Sort};

/// The similarity of two values in percent.
#[must_use]
pub fn similarity(kind: Sort, method: Method, a: &Form, b: &Form) -> u8 {
    if a.text == b.text {
        return 100;
    }
    // In one order, so that no algorithm's preference for its first argument shows.
    let (a, b) = if a.text <= b.text { (a, b) } else { (b, a) };
    let below_equal = |percent: u8| percent.min(99);
    match (method, kind) {
        (Method::Exact | Method::Normalized, _) => 0,
        (Method::Phonetic, _) => person::fit(&a.words, &b.words, sounds),
        (_, Sort::Person) => {
            let alike = |left: &str, right: &str| words(method, left, right);
            below_equal(person::fit(&a.words, &b.words, alike))
        }
        _ => below_equal(words(method, &a.text, &b.text)),
    }
}

fn words(method: Method, a: &str, b: &str) -> u8 {
    let (a, b) = if a <= b { (a, b) } else { (b, a) };
    match method {
        Method::JaroWinkler => percent(strsim::jaro_winkler(a, b)),
        Method::Trigram => trigram(a, b),
        _ => u8::from(a == b) * 100,
    }
}

fn percent(share: f64) -> u8 {
    // Between 0 and 1 by contract; the cast saturates at the ends in any case.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
    let percent = (share * 100.0).floor() as u8;
    percent.min(100)
}

/// Twice the common groups of three letters in percent of all (Sørensen-Dice); ends count as letters.
#[must_use]
pub fn trigram(a: &str, b: &str) -> u8 {
    let (left, right) = (groups(a), groups(b));
    let total: usize = left.values().sum::<usize>() + right.values().sum::<usize>();
    let common: usize =
        left.iter().map(|(group, count)| right.get(group).copied().unwrap_or(0).min(*count)).sum();
    u8::try_from(200 * common / total.max(1)).unwrap_or(100)
}

fn groups(text: &str) -> HashMap<[char; 3], usize> {
    let padded: Vec<char> = [' ', ' '].into_iter().chain(text.chars()).chain([' ']).collect();
    let mut groups = HashMap::with_capacity(padded.len());
    for window in padded.windows(3) {
        if let Ok(group) = <[char; 3]>::try_from(window) {
            *groups.entry(group).or_insert(0) += 1;
        }
    }
    groups
}

/// How a word sounds: its double metaphone code, or the word itself where that knows no letters.
#[must_use]
pub fn code(word: &str) -> String {
    codes(word).0
}

/// The code and the alternative one.
fn codes(word: &str) -> (String, String) {
    if !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return (word.to_owned(), word.to_owned());
    }
    let result = DoubleMetaphone::default().double_metaphone(word);
    if result.primary().is_empty() {
        return (word.to_owned(), word.to_owned());
    }
    (result.primary(), result.alternate())
}

fn sounds(a: &str, b: &str) -> u8 {
    if a == b {
        return 100;
    }
    let (a, b) = (codes(a), codes(b));
    u8::from(a.0 == b.0 || a.0 == b.1 || a.1 == b.0) * 100
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::records::duplicates::normalize::{Region, form};

    fn compared(kind: Sort, method: Method, a: &str, b: &str) -> u8 {
        let read = |text: &str| form(kind, text, Region::default(), false).unwrap();
        similarity(kind, method, &read(a), &read(b))
    }

    #[test]
    fn people_are_alike_in_any_order_and_by_nickname() {
        let jw = |a, b| compared(Sort::Person, Method::JaroWinkler, a, b);
        assert_eq!(jw("Bob Smith", "Smith, Robert"), 100);
        assert_eq!(jw("Dr. Anna Müller", "Mueller Anna"), 100);
        assert!(jw("Jon Smyth", "John Smith") >= 80);
        assert!(jw("J. Smith", "John Smith") >= 90);
        assert!(jw("John Adam Smith", "John Smith") >= 95);
        assert!(jw("Smith", "John Smith") <= 50, "half a name is no name");
        assert!(jw("Anna Schmidt", "Peter Wagner") < 60);
    }

    #[test]
    fn companies_are_compared_by_their_stem() {
        let jw = |a, b| compared(Sort::Company, Method::JaroWinkler, a, b);
        assert_eq!(jw("Acme GmbH", "ACME AG"), 100);
        assert!((90..100).contains(&jw("Müller Maschinenbau", "Muller Maschinnenbau GmbH")));
        assert!(jw("Acme", "Zenith") < 60);
    }

    #[test]
    fn trigrams_and_sounds_find_their_kind_of_likeness() {
        assert_eq!(trigram("night", "night"), 100);
        assert_eq!(trigram("night", "nacht"), 33, "two of six groups each");
        assert_eq!(trigram("abc", "xyz"), 0);
        assert_eq!(compared(Sort::Person, Method::Phonetic, "Stephen Smyth", "Steven Smith"), 100);
        assert_eq!(compared(Sort::Person, Method::Phonetic, "Иван Петров", "Иван Сидоров"), 50);
        assert_eq!(code("дом"), "дом");
    }

    proptest! {
        #[test]
        fn similarity_is_symmetric_and_a_percentage(
            a in "\\PC{1,24}", b in "\\PC{1,24}",
            kind in prop_oneof![Just(Sort::Person), Just(Sort::Company), Just(Sort::Text)],
            method in prop_oneof![
                Just(Method::Exact), Just(Method::Normalized), Just(Method::JaroWinkler), Just(Method::Trigram),
                Just(Method::Phonetic),
            ],
        ) {
            let read = |text: &str| form(kind, text, Region::default(), false);
            if let (Some(a), Some(b)) = (read(&a), read(&b)) {
                let there = similarity(kind, method, &a, &b);
                prop_assert_eq!(there, similarity(kind, method, &b, &a));
                prop_assert!(there <= 100);
                prop_assert_eq!(similarity(kind, method, &a, &a), 100);
            }
        }

        #[test]
        fn any_word_has_a_code(word in "[a-z]{1,30}") {
            prop_assert!(!code(&word).is_empty());
        }
    }
}
