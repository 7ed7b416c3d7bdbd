//! Normalizers: the common form of values that people write in many ways. Pure; each is idempotent.
//!
//! What is folded is what readers of a language take for the same: letter case, diacritics, punctuation, legal forms,
//! nicknames. Letters of different scripts that merely look alike stay different.

pub mod company;
pub mod domain;
pub mod email;
pub mod fold;
mod legal;
mod nicknames;
pub mod person;
pub mod phone;
pub mod postal;

use super::rule::Sort;

pub use self::phone::Region;

/// A value in its common form.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Form {
    /// What is compared for equality; never empty.
    pub text: String,
    /// Its words, for comparisons of what is alike.
    pub words: Vec<String>,
    /// The legal form of a company, which is compared separately.
    pub legal: Option<String>,
}

impl Form {
    /// A form that is no more than a text.
    #[must_use]
    pub fn plain(text: String) -> Option<Self> {
        (!text.is_empty()).then(|| Self { words: vec![text.clone()], text, legal: None })
    }

    fn of_words(words: Vec<String>) -> Option<Self> {
        (!words.is_empty()).then(|| Self { text: words.join(" "), words, legal: None })
    }
}

/// The common form of a value; `None` when it says nothing that could be compared.
#[must_use]
pub fn form(kind: Sort, raw: &str, region: Region, provider_rules: bool) -> Option<Form> {
    match kind {
        Sort::Email => Form::plain(email::normal(raw, provider_rules)?),
        Sort::Phone => Form::plain(phone::normal(raw, region)?),
        Sort::Domain => Form::plain(domain::normal(raw)?),
        Sort::Company => company::normal(raw),
        Sort::Person => Form::of_words(person::normal(raw)),
        Sort::Postal => Form::plain(postal::normal(raw)?),
        Sort::Text => Form::of_words(fold::words(&fold::fold(raw))),
    }
}

#[cfg(test)]
mod tests;
