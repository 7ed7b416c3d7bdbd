//! What holds for the requests of one organization: its limits, and the web pages that may ask in a browser. Read from its
//! settings, kept in memory.
//!
//! | Setting (`host`) | Meaning |
//! |---|---|
//! | `limits` | limits the organization set for itself: they only tighten |
//! | `limits.granted` | limits the operator gave it, in the place of the installation's |
//! | `cors.origins` | a list of origins |

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use dashmap::DashMap;
use serde_json::Value;

use crate::http::cors::Origin;
use crate::ids::OrganizationId;
use crate::settings::{Settings, SettingsError};

/// Limits that the organization set.
pub const LIMITS: &str = "limits";
/// Limits that the operator gave.
const GRANTED: &str = "limits.granted";
/// Origins whose pages may ask.
pub const ORIGINS: &str = "cors.origins";

/// The most that can be allowed per second.
const HIGHEST: u32 = 10_000_000;

/// Plain requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    /// How many come back each second.
    pub per_second: u32,
    /// How many there can be.
    pub burst: u32,
}

impl Rate {
    /// So many each second, and twice as many at once.
    #[must_use]
    pub const fn of(per_second: u32) -> Self {
        Self { per_second, burst: per_second.saturating_mul(2) }
    }

    /// So many each second, and what comes in a minute at once if that is less than now.
    fn slowed_to(self, per_second: u64) -> Self {
        let per_second = u32::try_from(per_second).unwrap_or(HIGHEST).clamp(1, HIGHEST);
        Self { per_second, burst: self.burst.min(per_second.saturating_mul(60)) }
    }

    fn at_most(self, other: Self) -> Self {
        Self { per_second: self.per_second.min(other.per_second), burst: self.burst.min(other.burst) }
    }
}

impl FromStr for Rate {
    type Err = String;

    /// `100`, or `100:500` with what there can be at once.
    fn from_str(text: &str) -> Result<Self, String> {
        let (rate, burst) = text.split_once(':').map_or((text, None), |(rate, burst)| (rate, Some(burst)));
        let number = |text: &str| text.parse().ok().filter(|number| (1..=HIGHEST).contains(number));
        let rate = number(rate).map(|per_second| match burst {
            None => Some(Self::of(per_second)),
            Some(burst) => number(burst).map(|burst| Self { per_second, burst }),
        });
        rate.flatten().ok_or_else(|| format!("`{text}` is not a rate, such as 100 or 100:500"))
    }
}

/// The limits of one organization.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// For each person.
    pub person: Rate,
    /// For each key and service account.
    pub program: Rate,
    /// For all people, and for all programs.
    pub organization: Rate,
    /// Reports, searches, exports and merges, for all people, and for all programs.
    pub heavy: Rate,
    /// Begun work.
    pub jobs: Rate,
    /// Requests that are served at the same time.
    pub at_once: u32,
}

impl Limits {
    /// These with the values of a JSON object; what it does not name, or says wrongly, stays.
    fn with(self, text: Option<&String>) -> Self {
        let Some(Value::Object(values)) = text.and_then(|text| serde_json::from_str(text).ok()) else {
            return self;
        };
        let rate = |name: &str, old: Rate| match values.get(name) {
            Some(Value::Number(number)) => number.as_u64().map_or(old, |number| old.slowed_to(number)),
            Some(Value::String(text)) => text.parse().unwrap_or(old),
            _ => old,
        };
        let at_once = values.get("at_once").and_then(Value::as_u64);
        Self {
            person: rate("person", self.person),
            program: rate("program", self.program),
            organization: rate("organization", self.organization),
            heavy: rate("heavy", self.heavy),
            jobs: rate("jobs", self.jobs),
            at_once: at_once.and_then(|n| u32::try_from(n).ok()).map_or(self.at_once, |n| n.max(1)),
        }
    }

    fn at_most(self, other: Self) -> Self {
        Self {
            person: self.person.at_most(other.person),
            program: self.program.at_most(other.program),
            organization: self.organization.at_most(other.organization),
            heavy: self.heavy.at_most(other.heavy),
            jobs: self.jobs.at_most(other.jobs),
            at_once: self.at_once.min(other.at_once),
        }
    }

    fn of(self, settings: &BTreeMap<String, String>) -> Self {
        let granted = self.with(settings.get(GRANTED));
        granted.with(settings.get(LIMITS)).at_most(granted)
    }
}

/// Generous: they are there to stop one from taking everything, not to sell less.
impl Default for Limits {
    fn default() -> Self {
        Self {
            person: Rate { per_second: 1_000, burst: 5_000 },
            program: Rate { per_second: 5_000, burst: 20_000 },
            organization: Rate { per_second: 10_000, burst: 40_000 },
            heavy: Rate { per_second: 100, burst: 1_000 },
            jobs: Rate { per_second: 10, burst: 500 },
            at_once: 512,
        }
    }
}

/// What holds for one organization.
pub struct Terms {
    settings: Arc<BTreeMap<String, String>>,
    /// Its limits.
    pub limits: Arc<Limits>,
    /// The pages of others that may ask.
    pub origins: Vec<Origin>,
}

/// The terms of every organization that asked. Cheap to clone.
#[derive(Clone)]
pub struct AllTerms {
    settings: Settings,
    installation: Limits,
    known: Arc<DashMap<OrganizationId, Arc<Terms>>>,
}

impl AllTerms {
    /// Terms out of these settings, where nothing is set the installation's.
    #[must_use]
    pub fn new(settings: Settings, installation: Limits) -> Self {
        Self { settings, installation, known: Arc::new(DashMap::new()) }
    }

    /// The terms of this organization, from memory unless its settings changed.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn of(&self, organization: OrganizationId) -> Result<Arc<Terms>, SettingsError> {
        let settings = self.settings.held(organization).await?;
        let known = self.known.get(&organization).map(|terms| Arc::clone(&terms));
        if let Some(terms) = known.filter(|terms| Arc::ptr_eq(&terms.settings, &settings)) {
            return Ok(terms);
        }
        let listed = settings.get(ORIGINS).and_then(|text| serde_json::from_str::<Vec<String>>(text).ok());
        let origins = listed.unwrap_or_default();
        let terms = Arc::new(Terms {
            limits: Arc::new(self.installation.of(&settings)),
            origins: origins.iter().filter_map(|text| Origin::parse(text.as_bytes())).collect(),
            settings,
        });
        self.known.insert(organization, Arc::clone(&terms));
        Ok(terms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_a_second_and_perhaps_what_there_can_be_at_once() {
        assert_eq!("100".parse(), Ok(Rate { per_second: 100, burst: 200 }));
        assert_eq!("100:7".parse(), Ok(Rate { per_second: 100, burst: 7 }));
        for bad in ["", "0", "-1", "1:0", "1:", "1:2:3", "x", "99999999999"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_organization_tightens_what_the_operator_gave_and_no_more() {
        let settings = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let limits = Limits::default();
        let own = r#"{"person": 5, "program": "7:9", "at_once": 10000, "heavy": 100000, "jobs": "x"}"#;
        let held = limits.of(&settings(&[(LIMITS, own)]));
        assert_eq!(held.person, Rate { per_second: 5, burst: 300 });
        assert_eq!(held.program, Rate { per_second: 7, burst: 9 });
        assert_eq!((held.heavy, held.jobs, held.at_once), (limits.heavy, limits.jobs, limits.at_once));
        let granted = r#"{"heavy": "9000:9000", "at_once": 5000}"#;
        let held = limits.of(&settings(&[(LIMITS, own), (GRANTED, granted)]));
        assert_eq!((held.heavy.per_second, held.at_once), (9_000, 5_000));
        assert_eq!(limits.of(&settings(&[(LIMITS, "[]")])), limits);
    }
}
