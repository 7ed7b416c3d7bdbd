//! Every id type: a UUIDv7 that says what it identifies. The host's only `macro_rules!`, and the only place that mints.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// The text is not a UUID.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a UUID")]
pub struct InvalidId;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh id. Ids sort by the time of their making.
            #[must_use]
            #[expect(clippy::disallowed_methods, clippy::new_without_default, reason = "the one place that mints ids")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id with these bytes, in network order.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The id stored in a blob of 16 bytes.
            ///
            /// # Errors
            /// [`InvalidId`] for any other length.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, InvalidId> {
                Uuid::from_slice(bytes).map(Self).map_err(|_| InvalidId)
            }

            /// The 16 bytes, in network order.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self.0.as_hyphenated(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.as_hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            /// Accepts the hyphenated form only, in either case.
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                if text.len() != 36 {
                    return Err(InvalidId);
                }
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidId)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

id! {
    /// An organization.
    OrganizationId;
    /// Whoever can act and own records: a person, an API key, a plugin's own jobs.
    PrincipalId;
    /// A team of an organization.
    TeamId;
    /// A record of any entity.
    RecordId;
    /// A long-running piece of work.
    JobId;
    /// A saved view.
    ViewId;
    /// A merge of records.
    MergeId;
    /// A row that an organization added to its policy.
    PolicyId;
    /// A record that is shared with somebody.
    ShareId;
    /// A person's signed-in browser or app.
    SessionId;
    /// A program that asks for tokens on behalf of people, or of itself.
    ClientId;
    /// Another issuer whose people may sign in.
    ProviderId;
    /// A version of a plugin that is brought to many organizations.
    RolloutId;
    /// One request, for logs and the change log.
    RequestId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_through_text_and_bytes() {
        let id = RecordId::new();
        assert_eq!(id.to_string().parse::<RecordId>().unwrap(), id);
        assert_eq!(RecordId::from_slice(id.as_bytes()).unwrap(), id);
    }

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        for bad in ["", "x", "00000000000000000000000000000000", "{00000000-0000-0000-0000-000000000000}"] {
            assert!(bad.parse::<RecordId>().is_err(), "{bad}");
        }
    }
}
