//! Why a request is not read, and what its client is told.

use poem::http::{HeaderName, StatusCode};

use crate::http::problem::Problem;

/// The header of the request that stands for a refused one. No client can send it.
pub const REFUSED: HeaderName = HeaderName::from_static("x-stoa-refused");

/// Why a request is not read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// Not HTTP/1.1, or HTTP/1.1 that two readers could understand differently.
    Malformed,
    /// The address is too long.
    AddressTooLong,
    /// The head is too long, or has too many headers.
    HeadTooLarge,
    /// The head did not come in time.
    TooSlow,
}

impl Refusal {
    pub(super) const ALL: [Self; 4] =
        [Self::Malformed, Self::AddressTooLong, Self::HeadTooLarge, Self::TooSlow];

    fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Malformed => {
                (StatusCode::BAD_REQUEST, "malformed_request", "The request is not well-formed HTTP/1.1.")
            }
            Self::AddressTooLong => {
                (StatusCode::URI_TOO_LONG, "address_too_long", "The address is longer than 16 KiB.")
            }
            Self::HeadTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "headers_too_large",
                "At most 100 headers and 64 KiB of them are read.",
            ),
            Self::TooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                "request_too_slow",
                "The head of the request did not arrive in time.",
            ),
        }
    }

    pub(super) fn code(self) -> &'static str {
        self.parts().1
    }

    /// The refusal that a request of ours stands for.
    #[must_use]
    pub fn of(headers: &poem::http::HeaderMap) -> Option<Self> {
        let code = headers.get(REFUSED)?.to_str().ok()?;
        Self::ALL.into_iter().find(|refusal| refusal.code() == code)
    }

    /// What the client is told.
    #[must_use]
    pub fn problem(self) -> Problem {
        let (status, code, detail) = self.parts();
        Problem::new(status, code, detail)
    }
}
