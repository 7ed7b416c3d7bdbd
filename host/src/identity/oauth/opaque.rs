//! The texts of random secrets: `{prefix}{43 letters of base64url}_{CRC-32 of what stands before, 8 hex digits}`. Pure.
//!
//! The prefix says the kind, and is hashed with the rest: a secret of one kind is nothing as one of another.

use zeroize::Zeroizing;

use crate::identity::{IdentityError, secret};

const SECRET: usize = 43;
const CHECKSUM: usize = 9;

/// What a text is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// A request to sign in that waits for the person.
    Request,
    /// An authorization code.
    Code,
    /// A refresh token.
    Refresh,
    /// A client's secret.
    ClientSecret,
}

impl Kind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Request => "stoa_q1_",
            Self::Code => "stoa_c1_",
            Self::Refresh => "stoa_r1_",
            Self::ClientSecret => "stoa_o1_",
        }
    }

    /// A fresh one.
    pub(super) fn make(self) -> Result<Zeroizing<String>, IdentityError> {
        let random = secret::random()?;
        let body = Zeroizing::new(format!("{}{}", self.prefix(), secret::encode(random.as_slice())));
        Ok(Zeroizing::new(format!("{}_{:08x}", *body, crc32fast::hash(body.as_bytes()))))
    }

    /// Whether the text has the shape of one.
    pub(super) fn fits(self, text: &str) -> bool {
        let length = self.prefix().len() + SECRET + CHECKSUM;
        if text.len() != length || !text.is_ascii() || !text.starts_with(self.prefix()) {
            return false;
        }
        let (body, checksum) = text.split_at(length - CHECKSUM);
        format!("_{:08x}", crc32fast::hash(body.as_bytes())) == checksum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_one_kind_is_none_of_another() {
        let kinds = [Kind::Request, Kind::Code, Kind::Refresh, Kind::ClientSecret];
        for kind in kinds {
            let text = kind.make().unwrap();
            for other in kinds {
                assert_eq!(other.fits(&text), kind == other);
            }
            assert!(!kind.fits(&text[1..]) && !kind.fits(&text.replace('_', "-")) && !kind.fits(""));
            assert_ne!(*kind.make().unwrap(), *text);
        }
    }
}
