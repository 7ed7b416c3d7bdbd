//! A licence, and what an organization's licences allow together. Pure.

use crate::clock::UnixMillis;

use super::LicensingError;

/// That an organization may use a module.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Licence {
    /// Which module, as manifests name it: `sales`.
    pub module: String,
    /// The edition it was licensed in.
    pub edition: String,
    /// The first instant it covers.
    pub valid_from: UnixMillis,
    /// The first instant it no longer covers; `None`: until revoked.
    pub valid_until: Option<UnixMillis>,
}

impl Licence {
    /// A licence of the standard edition from `from` on.
    ///
    /// # Errors
    /// [`LicensingError::InvalidModule`], [`LicensingError::AlreadyOver`].
    pub(super) fn new(
        module: &str,
        from: UnixMillis,
        until: Option<UnixMillis>,
    ) -> Result<Self, LicensingError> {
        let well_formed = (1..=64).contains(&module.len())
            && module.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
            && module.starts_with(|first: char| first.is_ascii_lowercase());
        if !well_formed {
            return Err(LicensingError::InvalidModule(module.to_owned()));
        }
        if until.is_some_and(|until| until <= from) {
            return Err(LicensingError::AlreadyOver);
        }
        let edition = "standard".to_owned();
        Ok(Self { module: module.to_owned(), edition, valid_from: from, valid_until: until })
    }

    fn covers(&self, at: UnixMillis) -> bool {
        self.valid_from <= at && self.valid_until.is_none_or(|until| at < until)
    }
}

/// What an organization may use.
#[derive(Clone, Debug, Default)]
pub struct Entitlement {
    licences: Vec<Licence>,
}

impl Entitlement {
    pub(super) fn new(licences: Vec<Licence>) -> Self {
        Self { licences }
    }

    /// Whether the module may be used at this instant.
    #[must_use]
    pub fn allows(&self, module: &str, now: UnixMillis) -> bool {
        self.licences.iter().any(|licence| licence.module == module && licence.covers(now))
    }

    /// The modules that may be used at this instant, in order of their names.
    pub fn modules(&self, now: UnixMillis) -> impl Iterator<Item = &str> {
        self.licences.iter().filter(move |licence| licence.covers(now)).map(|licence| licence.module.as_str())
    }

    /// Every licence, over or not, in order of the modules' names.
    #[must_use]
    pub fn licences(&self) -> &[Licence] {
        &self.licences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_covers_its_first_instant_and_not_its_last() {
        let entitlement = Entitlement::new(vec![Licence::new("sales", 10, Some(20)).unwrap()]);
        let allowed = |now| entitlement.allows("sales", now);
        assert_eq!([9, 10, 19, 20].map(allowed), [false, true, true, false]);
        assert_eq!(entitlement.modules(15).collect::<Vec<_>>(), ["sales"]);
        assert_eq!(entitlement.modules(20).count(), 0);
    }

    #[test]
    fn nothing_is_allowed_without_a_licence() {
        assert!(!Entitlement::default().allows("sales", 0));
    }

    #[test]
    fn a_licence_names_a_module_and_does_not_end_before_it_begins() {
        for bad in ["", "Sales", "1st", "sales module", "sales%"] {
            assert!(matches!(Licence::new(bad, 0, None), Err(LicensingError::InvalidModule(_))), "{bad}");
        }
        assert!(matches!(Licence::new("sales", 10, Some(10)), Err(LicensingError::AlreadyOver)));
    }
}
