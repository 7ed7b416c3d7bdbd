//! Values of more than one part: several options, a postal address.

use std::fmt;

use crate::entity as declare;
use crate::text::Choice;

/// Some of a fixed set of options, each once, in the order in which they are declared.
///
/// ```
/// use stoa_sdk::prelude::*;
///
/// #[entity]
/// #[derive(PartialOrd, Ord)]
/// enum Colour {
///     Red,
///     Green,
///     Blue,
/// }
///
/// let chosen: Options<Colour> = [Colour::Blue, Colour::Red, Colour::Blue].into_iter().collect();
/// assert_eq!(chosen.iter().collect::<Vec<_>>(), [Colour::Red, Colour::Blue]);
/// assert!(chosen.has(Colour::Blue) && !chosen.has(Colour::Green));
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct Options<T>(Vec<T>);

impl<T: Choice> Options<T> {
    /// None of them.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Whether this one is among them.
    #[must_use]
    pub fn has(&self, option: T) -> bool {
        self.0.contains(&option)
    }

    /// Those that are chosen, in the order in which the options are declared.
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        self.0.iter().copied()
    }

    /// Whether none is chosen.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds one; one that is there already stays once.
    pub fn insert(&mut self, option: T) {
        *self = self.iter().chain([option]).collect();
    }

    /// Takes one away.
    pub fn remove(&mut self, option: T) {
        self.0.retain(|chosen| *chosen != option);
    }
}

impl<T: Choice> Default for Options<T> {
    fn default() -> Self {
        Self::none()
    }
}

impl<T: Choice> fmt::Debug for Options<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Choice::key)).finish()
    }
}

impl<T: Choice> FromIterator<T> for Options<T> {
    fn from_iter<I: IntoIterator<Item = T>>(options: I) -> Self {
        let given: Vec<T> = options.into_iter().collect();
        let declared = T::OPTIONS.iter().filter_map(|(key, _)| T::from_key(key));
        Self(declared.filter(|option| given.contains(option)).collect())
    }
}

/// A postal address. The host checks its parts: 200 characters each, `country` two letters of ISO 3166-1.
#[declare(value)]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Address {
    /// Street and number; lines are separated by line breaks.
    #[field(max = 200)]
    pub street: Option<String>,
    /// Postal code.
    #[field(max = 200)]
    pub postal_code: Option<String>,
    /// City.
    #[field(max = 200)]
    pub city: Option<String>,
    /// State, province, canton.
    #[field(max = 200)]
    pub region: Option<String>,
    /// ISO 3166-1 alpha-2: `AT`.
    #[field(max = 2)]
    pub country: Option<String>,
}

impl Address {
    /// Whether no part says anything: what is stored as no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let parts = [&self.street, &self.postal_code, &self.city, &self.region, &self.country];
        parts.into_iter().all(|part| part.as_deref().is_none_or(str::is_empty))
    }
}
