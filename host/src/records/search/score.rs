//! Which hit comes first, and the piece of text that shows why. Pure.

use super::words::{Token, Word, Words, tokens};

/// Characters of a snippet before the first found word.
const BEFORE: usize = 30;
/// Characters of a snippet.
const LENGTH: usize = 120;

/// A text of a record that was searched.
#[derive(Clone, Debug)]
pub(super) struct Searched<'a> {
    /// The field.
    pub(super) field: &'a str,
    /// Its weight.
    pub(super) weight: u8,
    /// What it says.
    pub(super) text: &'a str,
}

/// A piece of a field's text with the places of the words in it.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
pub struct Snippet {
    /// The field.
    pub field: String,
    /// The piece; `…` where something was left out.
    pub text: String,
    /// Start and end of each found word in the piece, in characters.
    pub hits: Vec<[usize; 2]>,
}

/// How well a record fits, by the texts that were searched: for each word the best of weight times 4 (the field says
/// nothing else), 3 (it begins so), 2 (a whole word), 1 (the beginning of a word).
pub(super) fn score(words: &Words, texts: &[Searched<'_>]) -> u32 {
    let holding = texts.iter().filter(|searched| words.iter().any(|word| may_hold(searched.text, word)));
    let split: Vec<(u8, Vec<Token>)> =
        holding.map(|searched| (searched.weight, tokens(searched.text))).collect();
    let best = |word: &Word| {
        let points = split.iter().map(|(weight, tokens)| places(word, tokens).0 * u32::from(*weight));
        points.max().unwrap_or_default()
    };
    words.iter().map(best).sum()
}

/// Whether a text can hold a word at all: most texts of a hit do not, and looking costs much less than taking them apart.
fn may_hold(text: &str, word: &Word) -> bool {
    match word.tokens.first() {
        Some(first) if !first.is_empty() && text.is_ascii() => {
            text.as_bytes().windows(first.len()).any(|part| part.eq_ignore_ascii_case(first.as_bytes()))
        }
        _ => true,
    }
}

/// Why a record was found: pieces of at most three texts, of those that fit best.
pub(super) fn snippets(words: &Words, texts: &[Searched<'_>]) -> Vec<Snippet> {
    let split: Vec<(&Searched<'_>, Vec<Token>)> =
        texts.iter().map(|searched| (searched, tokens(searched.text))).collect();
    let mut found: Vec<(u32, Vec<usize>)> = vec![(0, Vec::new()); split.len()];
    for word in words.iter() {
        for ((searched, tokens), (sum, hits)) in split.iter().zip(&mut found) {
            let (quality, places) = places(word, tokens);
            *sum += quality * u32::from(searched.weight);
            hits.extend(places);
        }
    }
    let mut order: Vec<usize> =
        (0..found.len()).filter(|at| found.get(*at).is_some_and(|(sum, _)| *sum > 0)).collect();
    order.sort_by_key(|at| std::cmp::Reverse(found.get(*at).map_or(0, |(sum, _)| *sum)));
    let best = order.into_iter().take(3).filter_map(|at| {
        let ((searched, tokens), (_, hits)) = split.get(at).zip(found.get(at))?;
        let mut hits = hits.clone();
        hits.sort_unstable();
        hits.dedup();
        Some(snippet(searched, tokens, &hits))
    });
    best.collect()
}

/// How well a word fits a text, and the tokens where it stands.
fn places(word: &Word, tokens: &[Token]) -> (u32, Vec<usize>) {
    let length = word.tokens.len();
    let (mut best, mut hits) = (0, Vec::new());
    for (start, window) in tokens.windows(length).enumerate() {
        let Some(exact) = fits(word, window) else { continue };
        let quality = match (exact, start == 0, tokens.len() == length) {
            (true, true, true) => 4,
            (_, true, _) => 3,
            (true, ..) => 2,
            _ => 1,
        };
        best = best.max(quality);
        hits.extend(start..start + length);
    }
    (best, hits)
}

/// Whether the tokens are those of the word, and if so, whether to the last letter.
fn fits(word: &Word, window: &[Token]) -> Option<bool> {
    let mut exact = true;
    for (at, (wanted, token)) in word.tokens.iter().zip(window).enumerate() {
        if *wanted == token.text {
            continue;
        }
        let last = at + 1 == word.tokens.len();
        if !(last && word.open && token.text.starts_with(wanted.as_str())) {
            return None;
        }
        exact = false;
    }
    Some(exact)
}

fn snippet(searched: &Searched<'_>, tokens: &[Token], hits: &[usize]) -> Snippet {
    let hits: Vec<&Token> = hits.iter().filter_map(|at| tokens.get(*at)).collect();
    let first = hits.first().map_or(0, |token| token.start);
    let total = searched.text.chars().count();
    let mut start = if total <= LENGTH { 0 } else { first.saturating_sub(BEFORE) };
    if start > 0 {
        // Not in the middle of a word.
        let next = tokens.iter().find(|token| token.start >= start).map_or(start, |token| token.start);
        start = next.min(first);
    }
    let end = total.min(start + LENGTH);
    let (before, after) = (if start > 0 { "…" } else { "" }, if end < total { "…" } else { "" });
    let middle: String = searched
        .text
        .chars()
        .skip(start)
        .take(end - start)
        .map(|sign| if sign.is_control() { ' ' } else { sign })
        .collect();
    let shift = before.chars().count();
    let inside = hits.iter().filter(|token| token.start >= start && token.end <= end);
    Snippet {
        field: searched.field.to_owned(),
        text: format!("{before}{middle}{after}"),
        hits: inside.map(|token| [token.start - start + shift, token.end - start + shift]).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(query: &str, text: &str) -> u32 {
        super::score(&Words::parse(query).unwrap(), &[Searched { field: "name", weight: 1, text }])
    }

    #[test]
    fn a_text_is_passed_over_only_when_it_holds_nothing() {
        let texts = ["Acme Works", "ACME", "Acmé", "acm", "works of acme", "a-c-m-e", "", "wörks"];
        for query in ["acme", "acme works", "wor", "\"works of\"", "é", "acm works"] {
            for word in Words::parse(query).unwrap().iter() {
                for text in texts {
                    let fits = places(word, &tokens(text)).0 > 0;
                    assert!(may_hold(text, word) || !fits, "{query} in {text}");
                }
            }
        }
        let words = Words::parse("acme").unwrap();
        let holding = texts.iter().filter(|text| may_hold(text, words.iter().next().unwrap())).count();
        assert_eq!(holding, 5, "three of them cannot, and two are not ASCII");
    }

    #[test]
    fn what_is_closer_to_the_words_scores_higher() {
        assert_eq!(score("acme ", "ACME"), 4);
        assert_eq!(score("acme ", "Acme Corporation"), 3);
        assert_eq!(score("acme ", "The Acme"), 2);
        assert_eq!(score("acm", "The Acme"), 1);
        assert_eq!(score("acm ", "The Acme"), 0);
    }

    #[test]
    fn a_heavier_field_wins() {
        let words = Words::parse("rome ").unwrap();
        let name = [Searched { field: "name", weight: 10, text: "The Rome Company" }];
        let note = [Searched { field: "note", weight: 1, text: "Rome" }];
        assert!(super::score(&words, &name) > super::score(&words, &note));
    }

    #[test]
    fn a_snippet_shows_the_words_where_they_stand() {
        let long = format!("{} Ünïque needle here {}", "word ".repeat(40), "tail ".repeat(40));
        let words = Words::parse("unique needle").unwrap();
        let snippet = &snippets(&words, &[Searched { field: "note", weight: 1, text: &long }])[0];
        let shown: Vec<String> = snippet
            .hits
            .iter()
            .map(|[start, end]| snippet.text.chars().skip(*start).take(end - start).collect())
            .collect();
        assert_eq!(shown, ["Ünïque", "needle"]);
        assert!(snippet.text.starts_with('…') && snippet.text.ends_with('…'), "{}", snippet.text);
        assert!(snippet.text.chars().count() <= LENGTH + 2);
    }

    #[test]
    fn a_short_text_is_shown_whole() {
        let shown =
            snippets(&Words::parse("b").unwrap(), &[Searched { field: "n", weight: 1, text: "a b c" }]);
        assert_eq!(shown, [Snippet { field: "n".into(), text: "a b c".into(), hits: vec![[2, 3]] }]);
    }
}
