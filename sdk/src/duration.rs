//! Lengths of time.

/// A length of time in milliseconds, which may be negative. A month is none: its length depends on the month.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Duration(i64);

impl Duration {
    /// So many milliseconds.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// So many seconds; the longest there is, if they are more.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// So many hours; the longest there is, if they are more.
    #[must_use]
    pub const fn from_hours(hours: i64) -> Self {
        Self(hours.saturating_mul(3_600_000))
    }

    /// Its milliseconds.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Its whole seconds, cut towards zero.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0 / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_that_is_too_long_is_the_longest_there_is() {
        assert_eq!(Duration::from_hours(2).seconds(), 7200);
        assert_eq!(Duration::from_secs(i64::MAX).millis(), i64::MAX);
        assert_eq!(Duration::from_hours(i64::MIN).millis(), i64::MIN);
        assert_eq!(Duration::from_millis(-1999).seconds(), -1);
    }
}
