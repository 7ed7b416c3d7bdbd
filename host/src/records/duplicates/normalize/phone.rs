//! Telephone numbers.

use std::str::FromStr as _;

use phonenumber::country;
use unicode_normalization::UnicodeNormalization as _;

/// Countries of languages whose locale names none.
const LIKELY: [(&str, country::Id); 22] = [
    ("bg", country::BG),
    ("cs", country::CZ),
    ("da", country::DK),
    ("de", country::DE),
    ("el", country::GR),
    ("en", country::US),
    ("es", country::ES),
    ("fi", country::FI),
    ("fr", country::FR),
    ("hr", country::HR),
    ("hu", country::HU),
    ("it", country::IT),
    ("ja", country::JP),
    ("nb", country::NO),
    ("nl", country::NL),
    ("pl", country::PL),
    ("pt", country::PT),
    ("ro", country::RO),
    ("ru", country::RU),
    ("sv", country::SE),
    ("tr", country::TR),
    ("uk", country::UA),
];

/// Fewest digits of what may be a number.
const SHORTEST: usize = 5;
/// How often a number is looked at until it stays as it is.
const LOOKS: usize = 4;

/// The country whose numbers are written without a prefix.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Region(Option<country::Id>);

impl Region {
    /// The region of a BCP 47 tag: the one that it names (`de-AT`), or the likely one of its language.
    #[must_use]
    pub fn of_locale(locale: &str) -> Self {
        let mut parts = locale.split(['-', '_']);
        let language = parts.next().unwrap_or_default();
        let named = parts
            .filter(|part| part.len() == 2)
            .find_map(|part| country::Id::from_str(&part.to_ascii_uppercase()).ok());
        let likely = || LIKELY.iter().find(|(known, _)| language.eq_ignore_ascii_case(known));
        Self(named.or_else(|| likely().map(|(_, id)| *id)))
    }

    /// The region with an ISO 3166-1 code.
    #[must_use]
    pub fn named(code: &str) -> Self {
        Self(country::Id::from_str(code).ok())
    }

    /// The ISO 3166-1 code, or nothing.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_ref().map_or("", AsRef::as_ref)
    }
}

/// The number in E.164, an extension behind `;ext=`. What is no number of any country keeps its digits. `None` when
/// there are too few of them.
#[must_use]
pub fn normal(raw: &str, region: Region) -> Option<String> {
    let mut text: String = raw.nfkc().collect();
    // A number written in an odd way may need a second look once it is in order.
    for _ in 0..LOOKS {
        let next = step(&text, region)?;
        if next == text {
            break;
        }
        text = next;
    }
    Some(text)
}

fn step(text: &str, region: Region) -> Option<String> {
    let text = text.trim();
    let text = text.strip_prefix("tel:").unwrap_or(text).trim();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if digits.len() < SHORTEST {
        return None;
    }
    parsed(text, region).or_else(|| parsed(&digits, region)).or(Some(digits))
}

fn parsed(text: &str, region: Region) -> Option<String> {
    let international = text.strip_prefix('+').or_else(|| text.strip_prefix("00"));
    let number = match international {
        // Without the region: its rules about leading zeros are not those of the number's country.
        Some(rest) => phonenumber::parse(None, format!("+{rest}")),
        None => phonenumber::parse(region.0, text),
    };
    let number = number.ok()?;
    let extension = number.extension().map(|extension| format!(";ext={extension}")).unwrap_or_default();
    Some(format!("+{}{}{extension}", number.code().value(), number.national()))
}
