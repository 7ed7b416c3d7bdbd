//! Postal addresses: country, postal code and house number together.

use serde::Deserialize;

use super::fold::{fold, words};

/// The members of an address that make its key.
#[derive(Deserialize)]
struct Address {
    country: Option<String>,
    postal_code: Option<String>,
    street: Option<String>,
}

/// `DE|10115|12a` of an address as it is stored (JSON), or of such a key; `None` when one of the three is not known.
#[must_use]
pub fn normal(raw: &str) -> Option<String> {
    let Ok(address) = serde_json::from_str::<Address>(raw) else {
        return is_key(raw).then(|| raw.to_owned());
    };
    let country: String = fold(&address.country?).chars().filter(|sign| sign.is_alphanumeric()).collect();
    let code: String = fold(&address.postal_code?).chars().filter(|sign| sign.is_alphanumeric()).collect();
    let house = house_number(&address.street?)?;
    (!country.is_empty() && !code.is_empty())
        .then(|| format!("{}|{}|{house}", country.to_uppercase(), code.to_uppercase()))
}

/// The house number of a street: the last word that begins with a digit, or the first word when the street begins with
/// it; with the letter behind it (`12 a` is `12a`), without a range's end or a flat.
fn house_number(street: &str) -> Option<String> {
    let street = fold(street);
    let street = street.split(',').next().unwrap_or_default();
    let words = words(street);
    let numeric = |word: &&String| word.starts_with(|first: char| first.is_ascii_digit());
    let at = match words.first() {
        Some(first) if numeric(&first) && words.len() > 1 && !is_ordinal(first) => 0,
        _ => {
            let last = words.iter().rposition(|word| numeric(&word))?;
            // The last of `12-14` is not where the house begins.
            let before = last.checked_sub(1).and_then(|before| words.get(before));
            if before.as_ref().is_some_and(numeric) { last - 1 } else { last }
        }
    };
    let mut number = words.get(at)?.clone();
    let letter = words.get(at + 1).filter(|word| word.len() == 1 && word.chars().all(char::is_alphabetic));
    if number.chars().all(|sign| sign.is_ascii_digit())
        && let Some(letter) = letter.filter(|_| at > 0)
    {
        number.push_str(letter);
    }
    Some(number)
}

/// `5th` in `5th Avenue 10`
fn is_ordinal(word: &str) -> bool {
    ["st", "nd", "rd", "th"].iter().any(|ending| word.ends_with(ending))
}

fn is_key(text: &str) -> bool {
    let parts: Vec<&str> = text.split('|').collect();
    parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && part.chars().all(char::is_alphanumeric))
}
