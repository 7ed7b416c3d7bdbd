//! Texts that mean something, JSON as a value, and choices.

use std::fmt;
use std::str::FromStr;

/// An e-mail address. The host checks its form.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Email(pub String);

/// A telephone number. The host checks its form.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Phone(pub String);

/// An `http` or `https` address. The host checks its form.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Url(pub String);

/// Text with paragraphs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RichText(pub String);

/// A number for people that the host gives a record when it is made, in the field's `format`, and never again. A record
/// that is on its way to the file has none yet.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AutoNumber(String);

impl AutoNumber {
    /// The number, once the host has given it.
    #[must_use]
    pub fn get(&self) -> Option<&str> {
        Some(self.0.as_str()).filter(|number| !number.is_empty())
    }
}

impl fmt::Display for AutoNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for AutoNumber {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// Any JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Json(pub serde_json::Value);

/// One of a fixed set of options. `#[entity]` on an enum without data implements it.
pub trait Choice: Copy + Eq + Sized + 'static {
    /// Keys, which are stored and never change, and labels for people.
    const OPTIONS: &'static [(&'static str, &'static str)];

    /// The option's key.
    fn key(self) -> &'static str;

    /// The option with this key.
    fn from_key(key: &str) -> Option<Self>;
}
