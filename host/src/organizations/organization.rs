//! An organization, its slug, and what makes their values acceptable. Pure.

use std::fmt;

use jiff::tz::TimeZone;

use crate::clock::UnixMillis;
use crate::ids::OrganizationId;

use super::OrganizationError;

/// Slugs that address something of the installation itself, or that people would take for it.
const RESERVED: [&str; 44] = [
    "about",
    "account",
    "admin",
    "administrator",
    "api",
    "app",
    "assets",
    "auth",
    "blog",
    "cdn",
    "console",
    "dev",
    "docs",
    "favicon",
    "ftp",
    "health",
    "healthz",
    "help",
    "host",
    "id",
    "imap",
    "internal",
    "localhost",
    "login",
    "logout",
    "mail",
    "metrics",
    "ns",
    "oauth",
    "openapi",
    "platform",
    "readyz",
    "robots",
    "root",
    "security",
    "smtp",
    "static",
    "status",
    "stoa",
    "support-team",
    "system",
    "test",
    "well-known",
    "www",
];

/// An organization's human key, part of every address: 3 to 32 of `a-z`, `0-9` and single inner dashes, first a letter.
///
/// Holding one is the proof that the text was checked. ASCII only, so no two slugs look alike.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Slug(String);

impl Slug {
    /// Checks `text`; the only way to make a slug from outside.
    ///
    /// # Errors
    /// [`OrganizationError::Invalid`] says what a slug is, or that this one is reserved.
    pub fn parse(text: &str) -> Result<Self, OrganizationError> {
        let invalid = |reason| OrganizationError::Invalid { field: "slug", reason };
        let well_formed = (3..=32).contains(&text.len())
            && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && !text.ends_with('-')
            && !text.contains("--");
        if !well_formed {
            return Err(invalid("use 3 to 32 of a-z, 0-9 and single inner dashes, beginning with a letter"));
        }
        if RESERVED.contains(&text) {
            return Err(invalid("this slug is reserved"));
        }
        Ok(Self(text.to_owned()))
    }

    /// What the control database holds was checked when it was written; a name reserved later stays its owner's.
    pub(super) fn stored(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether an organization's people may work.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Status {
    /// They may.
    Active,
    /// Nobody is let in; everything is kept.
    Suspended,
}

impl Status {
    /// The stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }

    /// Anything that is not `active` keeps people out.
    pub(super) fn stored(text: &str) -> Self {
        if text == "active" { Self::Active } else { Self::Suspended }
    }
}

/// A customer of the installation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Organization {
    /// Its id; also the name of its folder.
    pub id: OrganizationId,
    /// Its key in addresses.
    pub slug: Slug,
    /// What people call it.
    pub name: String,
    /// Whether its people may work.
    pub status: Status,
    /// IANA time zone in which its days begin: `Europe/Vienna`.
    pub zone: String,
    /// BCP 47 tag for texts and formats: `de-AT`.
    pub locale: String,
    /// ISO 4217 code its reports are in: `EUR`.
    pub currency: String,
    /// When it was created.
    pub created_at: UnixMillis,
}

/// What is asked for when an organization is created. Checked by [`super::Organizations::create`].
#[derive(Clone, Debug)]
pub struct NewOrganization {
    /// See [`Slug`].
    pub slug: String,
    /// 1 to 200 characters.
    pub name: String,
    /// IANA time zone.
    pub zone: String,
    /// BCP 47 tag.
    pub locale: String,
    /// ISO 4217 code.
    pub currency: String,
}

impl Organization {
    /// An active organization with a new id.
    ///
    /// # Errors
    /// [`OrganizationError::Invalid`] for the first value that is not acceptable.
    pub(super) fn new(new: NewOrganization, now: UnixMillis) -> Result<Self, OrganizationError> {
        let invalid = |field, reason| OrganizationError::Invalid { field, reason };
        let slug = Slug::parse(&new.slug)?;
        let name = new.name.trim();
        if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
            return Err(invalid("name", "use 1 to 200 characters, no control characters"));
        }
        if TimeZone::get(&new.zone).is_err() {
            return Err(invalid("zone", "use an IANA time zone such as Europe/Vienna"));
        }
        if !is_language_tag(&new.locale) {
            return Err(invalid("locale", "use a BCP 47 tag such as de-AT"));
        }
        if iso_currency::Currency::from_code(&new.currency).is_none() {
            return Err(invalid("currency", "use an ISO 4217 code such as EUR"));
        }
        Ok(Self {
            id: OrganizationId::new(),
            slug,
            name: name.to_owned(),
            status: Status::Active,
            zone: new.zone,
            locale: new.locale,
            currency: new.currency,
            created_at: now,
        })
    }
}

/// Language, then subtags: the shape of BCP 47. Whether the host has texts for it is another question.
fn is_language_tag(text: &str) -> bool {
    let mut parts = text.split('-');
    let language = parts.next().unwrap_or_default();
    (2..=3).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_lowercase())
        && text.len() <= 35
        && parts.all(|part| {
            (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new() -> NewOrganization {
        let text = str::to_owned;
        NewOrganization {
            slug: text("acme"),
            name: text(" Acme "),
            zone: text("Europe/Vienna"),
            locale: text("de-AT"),
            currency: text("EUR"),
        }
    }

    #[test]
    fn a_slug_is_short_lowercase_ascii_and_begins_with_a_letter() {
        for good in ["acme", "a-1", "north-wind-9", "abcdefghijabcdefghijabcdefghij12"] {
            assert!(Slug::parse(good).is_ok(), "{good}");
        }
        let too_long = "a".repeat(33);
        for bad in [
            "", "ab", "Acme", "-acme", "acme-", "1acme", "ac me", "a\u{e9}e", "a--b", "a_b", "..", "a.b",
            "a\0b", &too_long,
        ] {
            assert!(Slug::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn slugs_that_address_the_installation_are_reserved() {
        for reserved in ["www", "api", "admin", "platform", "static", "well-known"] {
            assert!(Slug::parse(reserved).is_err(), "{reserved}");
        }
    }

    #[test]
    fn a_new_organization_is_active_and_its_name_is_trimmed() {
        let organization = Organization::new(new(), 7).unwrap();
        assert_eq!(
            (organization.name.as_str(), organization.status, organization.created_at),
            ("Acme", Status::Active, 7)
        );
    }

    #[test]
    fn the_first_unacceptable_value_is_named() {
        type Spoil = fn(&mut NewOrganization);
        let cases: [(&str, Spoil); 7] = [
            ("slug", |new| new.slug = "x".to_owned()),
            ("name", |new| new.name = "  ".to_owned()),
            ("name", |new| new.name = "a\nb".to_owned()),
            ("zone", |new| new.zone = "Mars/Olympus".to_owned()),
            ("locale", |new| new.locale = "German".to_owned()),
            ("currency", |new| new.currency = "EUX".to_owned()),
            ("currency", |new| new.currency = "eur".to_owned()),
        ];
        for (expected, spoil) in cases {
            let mut new = new();
            spoil(&mut new);
            match Organization::new(new, 0) {
                Err(OrganizationError::Invalid { field, .. }) => assert_eq!(field, expected),
                other => panic!("{expected}: {other:?}"),
            }
        }
    }
}
