//! An API key, and its text: `stoa_k1_{id}_{secret}_{checksum}`. Pure.
//!
//! `id` is 32 hex digits, `secret` 43 letters of base64url (256 bits), `checksum` the CRC-32 of everything before it, in
//! 8 hex digits. The checksum proves nothing; it lets scanners find leaked keys, and mistyped ones fail without a lookup.

use std::fmt;

use ipnet::IpNet;
use zeroize::Zeroizing;

use crate::clock::UnixMillis;
use crate::identity::{IdentityError, secret};
use crate::ids::PrincipalId;

const PREFIX: &str = "stoa_k1_";
const ID: usize = 32;
const SECRET: usize = 43;
const CHECKSUM: usize = 8;
const LENGTH: usize = PREFIX.len() + ID + 1 + SECRET + 1 + CHECKSUM;

/// A key of an organization, without its secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ApiKey {
    /// The id that records name as their creator.
    pub id: PrincipalId,
    /// What people call it.
    pub name: String,
    /// What it may do when it is a principal itself; `None`: what its service account may.
    pub role: Option<String>,
    /// The program that it acts as; `None`: it is a principal itself.
    pub service: Option<PrincipalId>,
    /// What it is limited to, as scopes; `None`: not further.
    pub scopes: Option<Vec<String>>,
    /// The networks it is good from; `None`: from anywhere.
    pub networks: Option<Vec<IpNet>>,
    /// Whether it may create and change people, as far as its role allows.
    pub administers: bool,
    /// The first instant it is no longer good; `None`, for keys of before: until revoked.
    pub expires_at: Option<UnixMillis>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<UnixMillis>,
    /// When it was revoked.
    pub revoked_at: Option<UnixMillis>,
    /// When it was created.
    pub created_at: UnixMillis,
    /// By whom.
    pub created_by: PrincipalId,
}

impl ApiKey {
    /// Whether it is good at this instant.
    #[must_use]
    pub fn is_good(&self, now: UnixMillis) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| now < at)
    }
}

/// What is asked for when a key is created.
#[derive(Clone, Debug, Default)]
pub struct NewApiKey {
    /// 1 to 200 characters.
    pub name: String,
    /// A role, at most as strong as the creator's: the key is a principal itself. Or else `service`.
    pub role: Option<String>,
    /// The program that it acts as.
    pub service: Option<PrincipalId>,
    /// What it is limited to; `None`: not further.
    pub scopes: Option<Vec<String>>,
    /// The networks it is good from; `None`: from anywhere.
    pub networks: Option<Vec<IpNet>>,
    /// Whether it may create and change people.
    pub administers: bool,
    /// The first instant it is no longer good; `None`: a year from now.
    pub expires_at: Option<UnixMillis>,
}

/// At most this many scopes, and networks.
const MOST: usize = 50;

/// The scopes as they are kept: what each covers is the policy's business, here they only have to look like one.
///
/// # Errors
/// [`IdentityError::Invalid`].
pub(super) fn checked_scopes(scopes: Option<Vec<String>>) -> Result<Option<Vec<String>>, IdentityError> {
    let Some(mut scopes) = scopes else {
        return Ok(None);
    };
    if scopes.is_empty() || scopes.len() > MOST || !scopes.iter().all(|scope| looks_like_a_scope(scope)) {
        let reason = "name 1 to 50 scopes such as `read`, `crm.contact:read` or `crm:*`";
        return Err(IdentityError::Invalid { field: "scopes", reason });
    }
    scopes.sort_unstable();
    scopes.dedup();
    Ok(Some(scopes))
}

fn looks_like_a_scope(scope: &str) -> bool {
    let word = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-'))
            && text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase())
    };
    let object = |text: &str| match text.split_once('.') {
        Some((plugin, entity)) => word(plugin) && word(entity),
        None => word(text),
    };
    let shaped = match scope.split_once(':') {
        Some((of, "*")) => object(of),
        Some((of, action)) => of.contains('.') && object(of) && word(action),
        None => scope == "read",
    };
    shaped && scope.len() <= 128
}

/// The networks as they are kept.
///
/// # Errors
/// [`IdentityError::Invalid`] when there is none, or more than [`MOST`].
pub(super) fn checked_networks(networks: Option<Vec<IpNet>>) -> Result<Option<Vec<IpNet>>, IdentityError> {
    let networks = networks.map(|networks| networks.iter().map(IpNet::trunc).collect::<Vec<_>>());
    if networks.as_ref().is_some_and(|networks| networks.is_empty() || networks.len() > MOST) {
        return Err(IdentityError::Invalid { field: "allowed_networks", reason: "name 1 to 50 networks" });
    }
    Ok(networks)
}

/// The text of a key. It is shown once, and never by `Debug`.
#[derive(Clone)]
pub struct ApiKeySecret(Zeroizing<String>);

impl ApiKeySecret {
    pub(super) fn new(id: PrincipalId, random: &[u8; 32]) -> Self {
        let id = hex(id.as_bytes());
        let body = Zeroizing::new(format!("{PREFIX}{id}_{}", secret::encode(random)));
        Self(Zeroizing::new(format!("{}_{:08x}", *body, crc32fast::hash(body.as_bytes()))))
    }

    /// The text, to show it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeySecret(..)")
    }
}

/// Whether a bearer is meant to be an API key.
pub(in crate::identity) fn looks_like(bearer: &str) -> bool {
    bearer.starts_with("stoa_k")
}

/// The parts of a well-formed key, which may still be nobody's.
pub(in crate::identity) struct Parsed {
    /// Which key it claims to be.
    pub(in crate::identity) id: PrincipalId,
    /// What proves it.
    pub(in crate::identity) secret: Zeroizing<Vec<u8>>,
}

impl Parsed {
    /// Takes the text apart; `None` when it cannot be a key.
    pub(in crate::identity) fn parse(text: &str) -> Option<Self> {
        if text.len() != LENGTH || !text.is_ascii() {
            return None;
        }
        let (body, checksum) = text.split_at_checked(LENGTH - CHECKSUM - 1)?;
        if format!("_{:08x}", crc32fast::hash(body.as_bytes())) != checksum {
            return None;
        }
        let (id, secret) = body.strip_prefix(PREFIX)?.split_at_checked(ID)?;
        let secret = Zeroizing::new(secret::decode(secret.strip_prefix('_')?)?);
        Some(Self { id: PrincipalId::from_bytes(unhex(id)?), secret })
    }
}

fn hex(bytes: &[u8; 16]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Lower case only: a key has one spelling.
fn unhex(text: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    if text.len() != 32 || text.bytes().any(|letter| !matches!(letter, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_apart_as_it_was_put_together() {
        let id = PrincipalId::new();
        let text = ApiKeySecret::new(id, &[7; 32]);
        assert!(text.reveal().starts_with("stoa_k1_") && text.reveal().len() == LENGTH);
        let parsed = Parsed::parse(text.reveal()).unwrap();
        assert_eq!((parsed.id, parsed.secret.as_slice()), (id, [7; 32].as_slice()));
        assert_eq!(format!("{text:?}"), "ApiKeySecret(..)");
    }

    #[test]
    fn scopes_look_like_scopes() {
        let checked = |scope: &str| checked_scopes(Some(vec![scope.to_owned()]));
        for good in [
            "read",
            "crm:*",
            "crm.contact:*",
            "crm.contact:read",
            "host.user:create",
            "kitchen-sink.dish_x:cook",
        ] {
            assert!(checked(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "*",
            "write",
            "crm",
            "crm:read",
            ":read",
            "crm.:read",
            "crm.contact:",
            "CRM:*",
            "a b:*",
            "*:*",
        ] {
            assert!(checked(bad).is_err(), "{bad}");
        }
        assert!(checked_scopes(Some(Vec::new())).is_err(), "a key limited to nothing is a mistake");
        assert_eq!(checked_scopes(None).unwrap(), None);
    }

    #[test]
    fn every_other_spelling_is_no_key() {
        let text = ApiKeySecret::new(PrincipalId::new(), &[7; 32]).reveal().to_owned();
        for position in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[position] = if bytes[position] == b'x' { b'y' } else { b'x' };
            assert!(Parsed::parse(&String::from_utf8(bytes).unwrap()).is_none(), "at {position}");
        }
        let spellings = [
            text.to_uppercase(),
            format!("{text} "),
            format!(" {text}"),
            text[1..].to_owned(),
            String::new(),
        ];
        for spelling in spellings {
            assert!(Parsed::parse(&spelling).is_none(), "{spelling}");
        }
    }
}
