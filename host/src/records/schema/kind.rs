//! What a field can hold, and how it is stored.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One choice of an option field.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// What is stored; never changes.
    pub key: String,
    /// What people read.
    pub label: String,
    /// Whether it is no longer chosen. Records that hold it keep it.
    #[serde(default)]
    pub archived: bool,
}

/// What happens to the record that refers when the record it refers to is deleted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDelete {
    /// The deletion is refused.
    #[default]
    Restrict,
    /// The reference is emptied.
    Detach,
    /// The record goes to the recycle bin too.
    Cascade,
}

/// A reference's target, `plugin.entity`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    /// The plugin that declares the entity.
    pub plugin: Arc<str>,
    /// The entity's key.
    pub entity: Arc<str>,
}

/// What a field holds and how it is stored.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A line of text.
    Text,
    /// Text with paragraphs.
    RichText,
    /// A 64-bit integer.
    Integer,
    /// An exact number with this many places, stored times 10^scale.
    Decimal(u8),
    /// Minor units and an ISO 4217 code: two columns, `<key>` and `<key>_currency`.
    Money,
    /// Stored as parts per million; on the wire `"12.5"` is 12.5 %.
    Percent,
    /// Stored as 0 or 1.
    Boolean,
    /// `YYYY-MM-DD`.
    Date,
    /// UTC milliseconds; RFC 3339 on the wire.
    DateTime,
    /// Milliseconds.
    Duration,
    /// One of the choices, by key.
    Option(Vec<Choice>),
    /// Some of the choices, by key: stored as a JSON array in the order in which they are declared.
    Options(Vec<Choice>),
    /// The id of a record.
    Reference(Target, OnDelete),
    /// Ids of records: stored as a JSON array, and row by row in `_stoa_links`, where they are found from the other end.
    References(Target, OnDelete),
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// An absolute http(s) address.
    Url,
    /// Any JSON, stored as text.
    Json,
    /// A postal address, one block: a JSON object of `street`, `postal_code`, `city`, `region`, `country` (ISO 3166-1
    /// alpha-2).
    Address,
    /// The id of an uploaded file.
    File,
    /// A number for people, given by the host when the record is made and never again: `INV-{YYYY}-{00000}`.
    AutoNumber(Arc<str>),
}

/// The form of a column.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stored {
    /// 64 bits.
    Integer,
    /// UTF-8.
    Text,
    /// 16 bytes.
    Id,
}

impl Kind {
    /// The form of the (first) column.
    #[must_use]
    pub const fn stored(&self) -> Stored {
        match self {
            Self::Integer | Self::Decimal(_) | Self::Money | Self::Percent => Stored::Integer,
            Self::Boolean | Self::DateTime | Self::Duration => Stored::Integer,
            Self::Reference(..) | Self::File => Stored::Id,
            Self::Text | Self::RichText | Self::Date | Self::Option(_) | Self::Options(_) => Stored::Text,
            Self::Email | Self::Phone | Self::Url | Self::Json => Stored::Text,
            Self::References(..) | Self::Address | Self::AutoNumber(_) => Stored::Text,
        }
    }

    /// Whether full-text search can look into it.
    #[must_use]
    pub const fn searchable(&self) -> bool {
        matches!(
            self,
            Self::Text
                | Self::RichText
                | Self::Email
                | Self::Phone
                | Self::Url
                | Self::Address
                | Self::AutoNumber(_)
        )
    }

    /// Whether the column holds JSON text.
    #[must_use]
    pub const fn structured(&self) -> bool {
        matches!(self, Self::Json | Self::Options(_) | Self::References(..) | Self::Address)
    }
}
