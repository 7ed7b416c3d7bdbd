//! Texts that mean something, JSON as a value, and choices.

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
