//! Ids of records, of people, and of records of one entity.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

/// The text is no id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InvalidId;

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an id: 32 hexadecimal digits with hyphens")
    }
}

impl std::error::Error for InvalidId {}

/// A record's id: a UUIDv7 that the host made.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RecordId([u8; 16]);

impl RecordId {
    /// The id with these bytes, in network order.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes, in network order.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The two big-endian halves in which ids cross the contract.
    #[must_use]
    pub fn halves(self) -> (u64, u64) {
        let both = u128::from_be_bytes(self.0);
        // The masks are the types: the upper and the lower 64 bits.
        ((both >> 64) as u64, both as u64)
    }

    /// The id of these halves.
    #[must_use]
    pub fn from_halves(high: u64, low: u64) -> Self {
        Self(((u128::from(high) << 64) | u128::from(low)).to_be_bytes())
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RecordId {
    type Err = InvalidId;

    /// Accepts the hyphenated form only, in either case.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let hyphens = [8, 13, 18, 23];
        let placed = hyphens.iter().all(|at| text.as_bytes().get(*at) == Some(&b'-'));
        let hex: String = text.split('-').collect();
        if text.len() != 36 || !placed || hex.len() != 32 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit())
        {
            return Err(InvalidId);
        }
        u128::from_str_radix(&hex, 16).map(|id| Self(id.to_be_bytes())).map_err(|_| InvalidId)
    }
}

/// The id of whoever owns records or acts: a person, an API key, the platform.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct UserId(pub RecordId);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The id of a team of the organization.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TeamId(pub RecordId);

impl fmt::Display for TeamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The id of an uploaded file.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FileId(pub RecordId);

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The id of a record of the entity `T`, which this plugin declares.
pub struct Reference<T> {
    id: RecordId,
    entity: PhantomData<fn() -> T>,
}

impl<T> Reference<T> {
    /// The record's id.
    #[must_use]
    pub const fn id(self) -> RecordId {
        self.id
    }
}

impl<T> From<RecordId> for Reference<T> {
    fn from(id: RecordId) -> Self {
        Self { id, entity: PhantomData }
    }
}

impl<T> From<Reference<T>> for RecordId {
    fn from(reference: Reference<T>) -> Self {
        reference.id
    }
}

impl<T> Clone for Reference<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Reference<T> {}

impl<T> PartialEq for Reference<T> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl<T> Eq for Reference<T> {}

impl<T> PartialOrd for Reference<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Reference<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.id.cmp(&other.id)
    }
}

impl<T> Hash for Reference<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl<T> fmt::Debug for Reference<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.id, f)
    }
}

impl<T> fmt::Display for Reference<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.id, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        let text = "018f5b2c-7d1e-7a3b-9c4d-5e6f70819203";
        assert_eq!(text.parse::<RecordId>().unwrap().to_string(), text);
        for bad in [
            "",
            "x",
            "018f5b2c7d1e7a3b9c4d5e6f70819203",
            "018f5b2c-7d1e-7a3b-9c4d-5e6f7081920g",
            "+18f5b2c-7d1e-7a3b-9c4d-5e6f70819203",
        ] {
            assert!(bad.parse::<RecordId>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn ids_come_back(bytes in any::<[u8; 16]>()) {
            let id = RecordId::from_bytes(bytes);
            let (high, low) = id.halves();
            prop_assert_eq!(RecordId::from_halves(high, low), id);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }
    }
}
