//! Time as a value: whoever needs an instant takes a [`Clock`], so that tests choose it and a decision can be replayed.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Milliseconds since 1970-01-01T00:00:00Z, UTC. What every file stores.
pub type UnixMillis = i64;

/// Where instants come from. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until [`Clock::advance`] moves it.
    #[must_use]
    pub fn fixed(at: UnixMillis) -> Self {
        Self(Source::Fixed(Arc::new(AtomicI64::new(at))))
    }

    /// The present instant.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
    pub fn now(&self) -> UnixMillis {
        match &self.0 {
            Source::System => Timestamp::now().as_millisecond(),
            Source::Fixed(at) => at.load(Ordering::Relaxed),
        }
    }

    /// Moves a fixed clock; the system clock stays as it is.
    pub fn advance(&self, millis: i64) {
        if let Source::Fixed(at) = &self.0 {
            at.fetch_add(millis, Ordering::Relaxed);
        }
    }
}

/// The calendar date of `at` in `zone`, `YYYY-MM-DD`.
#[must_use]
pub fn date_in(at: UnixMillis, zone: &TimeZone) -> String {
    let timestamp = Timestamp::from_millisecond(at).unwrap_or_default();
    timestamp.to_zoned(zone.clone()).date().to_string()
}

/// The calendar date of `at` in the zone with this IANA name; an unknown one counts as UTC.
#[must_use]
pub fn civil(at: UnixMillis, zone: &str) -> Date {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    Timestamp::from_millisecond(at).unwrap_or_default().to_zoned(zone).date()
}

/// `at` as RFC 3339 in UTC with milliseconds: `2026-11-22T09:30:00.000Z`.
#[must_use]
pub fn rfc3339(at: UnixMillis) -> String {
    let timestamp = Timestamp::from_millisecond(at).unwrap_or_default();
    format!("{timestamp:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_in_utc_with_milliseconds() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
    }

    #[test]
    fn a_date_belongs_to_a_zone() {
        let late = 1_700_000_000_000; // 22:13 UTC
        assert_eq!(date_in(late, &TimeZone::get("Europe/Vienna").unwrap()), "2023-11-14");
        assert_eq!(date_in(late, &TimeZone::get("Asia/Tokyo").unwrap()), "2023-11-15");
    }
}
