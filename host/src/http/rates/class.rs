//! What a request costs, and from which pool it is paid.

use poem::http::Method;

use super::UNITS;
use crate::caller::PrincipalKind;

/// What a request costs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// One record, a page of them, a change.
    Plain,
    /// A figure over many records, words, a file of all of them.
    Heavy,
    /// Many changes: charged by the row once they are counted.
    Bulk,
    /// The begin of work that outlives the request.
    Job,
}

impl Class {
    /// The class of an address below the organization.
    #[must_use]
    pub fn of(method: &Method, path: &str) -> Self {
        let rest = path.strip_prefix("/api/v1/").unwrap_or_default();
        let segments: Vec<&str> = rest.split('/').collect();
        match segments.as_slice() {
            ["imports" | "duplicates" | "exports", ..] if *method == Method::POST => Self::Job,
            ["search", ..] | ["authz", "explain", ..] | [_, "reports", _] => Self::Heavy,
            [_, _, "search" | "export" | "duplicates" | "merge"] => Self::Heavy,
            ["bulk"] | [_, _, "bulk"] if *method == Method::POST => Self::Bulk,
            _ => Self::Plain,
        }
    }

    /// In tenths of a plain request.
    pub(super) const fn units(self) -> u32 {
        match self {
            Self::Plain | Self::Bulk => UNITS,
            Self::Heavy | Self::Job => 10 * UNITS,
        }
    }
}

/// Who draws from the same buckets.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Pool {
    /// People.
    Interactive,
    /// Keys and service accounts.
    Integration,
}

impl Pool {
    pub(super) const fn of(kind: PrincipalKind) -> Self {
        match kind {
            PrincipalKind::User | PrincipalKind::Platform => Self::Interactive,
            _ => Self::Integration,
        }
    }

    /// As it is told.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Integration => "integration",
        }
    }
}
