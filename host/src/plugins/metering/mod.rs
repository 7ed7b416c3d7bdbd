//! What plugins used by day: the figures of `usage.rs`, which end with the process, added up in the control database.

mod store;

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::sync::Mutex;

use super::{CallKind, Plugins, Used};
use crate::clock::{Clock, date_in};
use crate::ids::{InvalidId, OrganizationId};
use crate::storage::{ControlPlane, StorageError};

/// Rows that are added in one transaction. Others wait for the control database meanwhile.
const AT_ONCE: usize = 1_000;

/// Keeps what plugins used. Cheap to clone.
#[derive(Clone)]
pub struct Metering {
    control: ControlPlane,
    plugins: Plugins,
    clock: Clock,
    /// How much of what this process counted is kept. Held while more is added.
    kept: Arc<Mutex<HashMap<Key, Used>>>,
}

#[derive(Clone, Eq, Hash, PartialEq)]
struct Key {
    organization: OrganizationId,
    plugin: Arc<str>,
    version: Arc<str>,
    kind: CallKind,
}

/// By what days are added up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Granularity {
    /// Each by itself.
    Day,
    /// Those of a calendar month.
    Month,
    /// All of them.
    Total,
}

/// Which figures are asked for.
#[derive(Clone, Debug)]
pub struct Period {
    /// The first day, in UTC.
    pub from: Date,
    /// The last one.
    pub to: Date,
    /// By what they are added up.
    pub granularity: Granularity,
    /// Of this organization; `None`: of each.
    pub organization: Option<OrganizationId>,
    /// Of this plugin, by id; `None`: of each.
    pub plugin: Option<String>,
    /// Those behind this place only.
    pub after: Option<Place>,
    /// How many at most.
    pub limit: u32,
}

/// Calls of one kind of a plugin's version in an organization.
#[derive(Clone, Debug)]
pub struct Metered {
    /// Where it stands among all.
    pub place: Place,
    /// Calls that were made.
    pub calls: u64,
    /// Those of them that the host had to end, or that ended abnormally.
    pub failures: u64,
    /// Calls that were not made because too many had failed.
    pub refused: u64,
    /// Processor time of guest and host for them.
    pub cpu: Duration,
    /// Time altogether, waiting included.
    pub wall: Duration,
    /// Calls of the host.
    pub host_calls: u64,
}

/// What figures are of; they are sorted by it. As text, the parts between `~`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// `2026-11-23`, `2026-11`, or nothing for the total.
    pub period: String,
    /// Where it was called.
    pub organization: OrganizationId,
    /// The plugin's id.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// The word of the [`CallKind`].
    pub kind: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { period, organization, plugin, version, kind } = self;
        write!(f, "{period}~{organization}~{plugin}~{version}~{kind}")
    }
}

impl FromStr for Place {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let parts: Vec<&str> = text.split('~').collect();
        let [period, organization, plugin, version, kind] = parts[..] else { return Err(InvalidId) };
        Ok(Self {
            period: period.to_owned(),
            organization: organization.parse()?,
            plugin: plugin.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
        })
    }
}

impl Metering {
    /// What these plugins use, kept in this database.
    #[must_use]
    pub fn new(control: ControlPlane, plugins: Plugins, clock: Clock) -> Self {
        Self { control, plugins, clock, kept: Arc::default() }
    }

    /// Adds what was used since the last time to the present day. Must be run to its end: given up in between, something
    /// could be added twice.
    ///
    /// # Errors
    /// Only when the control database fails; what was not added is added the next time.
    pub async fn keep(&self) -> Result<(), StorageError> {
        let mut kept = self.kept.lock().await;
        let now = self.clock.now();
        let day = date_in(now, &TimeZone::UTC);
        let mut due = Vec::new();
        for usage in self.plugins.usage(None, now) {
            for (kind, used) in CallKind::ALL.into_iter().zip(usage.used) {
                let key = Key {
                    organization: usage.organization,
                    plugin: Arc::clone(&usage.plugin),
                    version: Arc::clone(&usage.version),
                    kind,
                };
                let more = used.since(&kept.get(&key).copied().unwrap_or_default());
                if more.calls > 0 || more.refused > 0 {
                    due.push((key, used, more));
                }
            }
        }
        for batch in due.chunks(AT_ONCE) {
            store::add(self.control.pool(), &day, batch.iter().map(|(key, _, more)| (key, more))).await?;
            kept.extend(batch.iter().map(|(key, used, _)| (key.clone(), *used)));
        }
        Ok(())
    }

    /// The figures that were kept, by period, organization, plugin, version and kind.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn figures(&self, period: &Period) -> Result<Vec<Metered>, StorageError> {
        store::figures(self.control.pool(), period).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let place = Place {
            period: "2026-11".to_owned(),
            organization: OrganizationId::new(),
            plugin: "notes".to_owned(),
            version: "1.2.0".to_owned(),
            kind: "hook".to_owned(),
        };
        assert_eq!(place.to_string().parse(), Ok(place));
        for bad in ["", "~~~~", "2026-11~x~notes~1.2.0~hook", "a~b"] {
            assert_eq!(bad.parse::<Place>(), Err(InvalidId), "{bad}");
        }
    }
}
