//! Names of people: in any order, with or without titles, by nickname or in full.

use super::fold::{fold, words};
use super::nicknames;

/// What stands before or behind a name and is not part of it. Sorted.
const TITLES: &[&str] = &[
    "bsc",
    "dipl",
    "dott",
    "dr",
    "dra",
    "esq",
    "frau",
    "frl",
    "herr",
    "hr",
    "ing",
    "llm",
    "mag",
    "mba",
    "miss",
    "mlle",
    "mme",
    "monsieur",
    "mr",
    "mrs",
    "ms",
    "msc",
    "mx",
    "phd",
    "prof",
    "professor",
    "rev",
    "senor",
    "senora",
    "sig",
    "signor",
    "signora",
    "signore",
    "sir",
    "sra",
    "srta",
    "univ",
];
/// Degrees whose dots would make words of their parts.
const DEGREES: &[&str] = &["ph.d", "m.sc", "b.sc", "m.d.", "ll.m"];

/// The words of the name in order of the alphabet: folded, titles dropped, nicknames in full.
#[must_use]
pub fn normal(raw: &str) -> Vec<String> {
    let mut text = fold(raw);
    for degree in DEGREES {
        if text.contains(degree) && text.trim().len() > degree.len() + 1 {
            text = text.replace(degree, " ");
        }
    }
    let all = words(&text);
    let named: Vec<String> =
        all.iter().filter(|word| TITLES.binary_search(&word.as_str()).is_err()).cloned().collect();
    let kept = if named.is_empty() { all } else { named };
    let mut names: Vec<String> = kept.iter().map(|word| nicknames::full(word)).collect();
    names.sort();
    names
}

/// How the words of two names fit, 0 to 100: each word with its best partner by `alike`; an initial stands for a name
/// that begins with it. A second first name that only one of them has counts little, a missing first name much.
#[must_use]
pub(in crate::records::duplicates) fn fit(
    a: &[String],
    b: &[String],
    alike: impl Fn(&str, &str) -> u8,
) -> u8 {
    let mut pairs: Vec<(u8, usize, usize)> = Vec::with_capacity(a.len() * b.len());
    for (i, left) in a.iter().enumerate() {
        pairs.extend(b.iter().enumerate().map(|(j, right)| (word_fit(left, right, &alike), i, j)));
    }
    pairs.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(&other.1)).then(one.2.cmp(&other.2)));
    let (mut left, mut right) = (vec![false; a.len()], vec![false; b.len()]);
    let (mut sum, mut matched) = (0_usize, 0_usize);
    for (similarity, i, j) in pairs {
        if let (Some(taken @ false), Some(other @ false)) = (left.get_mut(i), right.get_mut(j)) {
            (*taken, *other) = (true, true);
            sum += usize::from(similarity);
            matched += 1;
        }
    }
    let spare = a.len().max(b.len()) - matched;
    let fit = match matched {
        0 => 0,
        1 => sum / (1 + spare), // half a name
        _ => (sum / matched).saturating_sub(spare * EXTRA),
    };
    u8::try_from(fit.min(100)).unwrap_or(100)
}

/// What a word that only one of the names has costs.
const EXTRA: usize = 4;
/// How well an initial fits a name.
const INITIAL: u8 = 90;

fn word_fit(a: &str, b: &str, alike: &impl Fn(&str, &str) -> u8) -> u8 {
    let is_initial = |short: &str, long: &str| short.chars().nth(1).is_none() && long.starts_with(short);
    if a != b && (is_initial(a, b) || is_initial(b, a)) { INITIAL } else { alike(a, b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_folded_and_in_order() {
        assert!(TITLES.is_sorted());
        assert!(TITLES.iter().all(|title| fold(title) == **title));
    }
}
