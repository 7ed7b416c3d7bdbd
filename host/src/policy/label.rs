//! How private a field is, and what follows where no row speaks of it.

use std::str::FromStr;

use super::scope::UnknownWord;

/// How private a field is.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Label {
    /// Anybody may know it.
    Public,
    /// For everybody who may read the record.
    #[default]
    Internal,
    /// Says something of a person. For everybody who may read the record.
    Personal,
    /// Only for whom a row names: `#<field>` or `#@restricted`.
    Restricted,
    /// Nobody reads it; it can be replaced.
    Secret,
}

impl Label {
    /// The word in policy rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Personal => "personal",
            Self::Restricted => "restricted",
            Self::Secret => "secret",
        }
    }

    /// The label of a manifest's `class`: `sensitive` and `special` are kinds of restricted.
    #[must_use]
    pub fn of_class(class: &str) -> Option<Self> {
        match class {
            "sensitive" | "special" => Some(Self::Restricted),
            other => other.parse().ok(),
        }
    }
}

impl FromStr for Label {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        [Self::Public, Self::Internal, Self::Personal, Self::Restricted, Self::Secret]
            .into_iter()
            .find(|label| label.as_str() == text)
            .ok_or(UnknownWord)
    }
}

/// What is done with a field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FieldUse {
    /// It is shown, or asked about.
    Read,
    /// It is given a value.
    Write,
}

impl FieldUse {
    /// The action in rows.
    #[must_use]
    pub const fn action(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "update",
        }
    }
}
