//! Links to the content of a file: whoever has one may fetch it for ten minutes, without a token. The link says the
//! module, so that the file is found without a search, and is signed over all that it says and the organization.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::attachment::{self, Attachment};
use crate::clock::UnixMillis;
use crate::ids::{OrganizationId, RecordId};
use crate::records::{RecordError, Records};

/// How long a link is good.
pub const LIFETIME: UnixMillis = 10 * 60 * 1000;

/// What a link opens.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    /// Whose file.
    pub organization: OrganizationId,
    /// In which module's file its row is.
    pub module: &'a str,
    /// Which file.
    pub file: RecordId,
    /// Until when, in seconds since 1970.
    pub expires: i64,
}

/// Why a link opens nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refused {
    /// It was not made here, or changed since.
    Forged,
    /// Its time is over.
    Expired,
}

impl Link<'_> {
    /// The signature of the link.
    #[must_use]
    pub fn signature(&self, key: &[u8; 32]) -> String {
        URL_SAFE_NO_PAD.encode(self.tag(key))
    }

    /// Checks a signature, in a time that says nothing of how much of it is right, and then the time.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn check(&self, key: &[u8; 32], signature: &str, now: UnixMillis) -> Result<(), Refused> {
        let sent = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Refused::Forged)?;
        if !bool::from(self.tag(key).as_slice().ct_eq(&sent)) {
            return Err(Refused::Forged);
        }
        if self.expires.saturating_mul(1000) <= now { Err(Refused::Expired) } else { Ok(()) }
    }

    fn tag(&self, key: &[u8; 32]) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key)
            .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        mac.update(self.organization.as_bytes());
        mac.update(self.file.as_bytes());
        mac.update(&self.expires.to_le_bytes());
        mac.update(self.module.as_bytes()); // last: the others have one length
        mac.finalize().into_bytes().to_vec()
    }
}

impl Records {
    /// The query of a link to a file of this organization, good from now for [`LIFETIME`].
    #[must_use]
    pub fn link(&self, organization: OrganizationId, module: &str, file: RecordId) -> String {
        let expires = (self.now() + LIFETIME) / 1000;
        let link = Link { organization, module, file, expires };
        // Modules are named in letters, digits, `-` and `_`: nothing to encode.
        format!("module={module}&expires={expires}&signature={}", link.signature(&self.link_key))
    }

    /// The file that a link opens, and where its content is.
    ///
    /// # Errors
    /// Why the link is refused (`Ok`), or [`RecordError::NotFound`] for a file that is gone, or storage fails (`Err`).
    pub fn open_link(
        &self,
        link: &Link<'_>,
        signature: &str,
    ) -> Result<(Attachment, PathBuf), Result<Refused, RecordError>> {
        link.check(&self.link_key, signature, self.now()).map_err(Ok)?;
        // The signature is good: the organization has this module's file, and had this row.
        let found = self.file_of(link.organization, link.module).and_then(|file| {
            file.read(|conn| attachment::store::find(conn, link.file))?.ok_or(RecordError::NotFound)
        });
        let found = found.map_err(Err)?;
        let path = self.blobs.path(link.organization, link.module, &found.sha256);
        Ok((found, path.map_err(|error| Err(error.into()))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_good_for_what_it_says_until_it_expires() {
        let (key, now) = ([7; 32], 1_700_000_000_000);
        let link = Link {
            organization: OrganizationId::new(),
            module: "garden",
            file: RecordId::new(),
            expires: now / 1000 + 600,
        };
        let signature = link.signature(&key);
        assert_eq!(link.check(&key, &signature, now), Ok(()));
        assert_eq!(link.check(&key, &signature, now + LIFETIME), Err(Refused::Expired));
        let others = [
            Link { organization: OrganizationId::new(), ..link },
            Link { module: "gardens", ..link },
            Link { file: RecordId::new(), ..link },
            Link { expires: link.expires + 1, ..link },
        ];
        for other in others {
            assert_eq!(other.check(&key, &signature, now), Err(Refused::Forged), "{other:?}");
        }
        assert_eq!(link.check(&[8; 32], &signature, now), Err(Refused::Forged));
        for bad in ["", "x", &signature[1..], &format!("{signature}A"), &signature.to_uppercase()] {
            assert_eq!(link.check(&key, bad, now), Err(Refused::Forged), "{bad}");
        }
    }
}
