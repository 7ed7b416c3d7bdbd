//! Median, percentiles and mean of days, from a histogram, exact to a hundredth. Pure.

use stoa_sdk::{Decimal, divide_rounded};

/// Hundredths of a day.
pub(crate) type Days = Decimal<2>;

/// How often each number of days occurs, in ascending order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Histogram(Vec<(i64, i64)>);

impl Histogram {
    /// A histogram of (days, count).
    pub(crate) fn new(mut counts: Vec<(i64, i64)>) -> Self {
        counts.sort_unstable();
        Self(counts)
    }

    pub(crate) fn count(&self) -> i64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// How many have more days than this.
    pub(crate) fn above(&self, limit: i64) -> i64 {
        self.0.iter().filter(|(days, _)| *days > limit).map(|(_, count)| count).sum()
    }

    /// The value at this position of the sorted list, from 0.
    fn at(&self, position: i64) -> Option<i64> {
        let mut passed = 0;
        self.0.iter().find_map(|(days, count)| {
            passed += count;
            (position < passed).then_some(*days)
        })
    }

    /// The percentile, interpolated between the two nearest values as `PERCENTILE_CONT` does; 50 is the median.
    pub(crate) fn percentile(&self, percent: i64) -> Option<Days> {
        let hundredths = self.count().checked_sub(1).filter(|last| *last >= 0)?.checked_mul(percent)?;
        let (below, part) = (hundredths / 100, hundredths % 100);
        let low = self.at(below)?;
        let high = if part == 0 { low } else { self.at(below + 1)? };
        Some(Days::from_scaled(low * 100 + (high - low) * part))
    }

    /// The mean, rounded half away from zero to a hundredth.
    pub(crate) fn mean(&self) -> Option<Days> {
        let sum: i128 = self.0.iter().map(|(days, count)| i128::from(*days) * i128::from(*count)).sum();
        let scaled = divide_rounded(sum * 100, i128::from(self.count()))?;
        i64::try_from(scaled).ok().map(Days::from_scaled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(days: Option<Days>) -> String {
        days.map(|days| days.to_string()).unwrap_or_default()
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        let four = Histogram::new(vec![(1, 1), (3, 1), (2, 1), (10, 1)]);
        assert_eq!(text(four.percentile(50)), "2.50");
        assert_eq!(text(four.percentile(75)), "4.75");
        assert_eq!(text(four.mean()), "4.00");
        let five = Histogram::new(vec![(7, 2), (57, 1), (90, 2)]);
        assert_eq!(text(five.percentile(50)), "57.00");
        assert_eq!(text(five.percentile(90)), "90.00");
    }

    #[test]
    fn nothing_has_no_median() {
        let none = Histogram::default();
        assert_eq!((none.percentile(50), none.mean(), none.count()), (None, None, 0));
    }

    #[test]
    fn one_value_is_every_percentile() {
        let one = Histogram::new(vec![(5, 1)]);
        assert!([0, 50, 90, 100].iter().all(|percent| text(one.percentile(*percent)) == "5.00"));
    }

    #[test]
    fn the_mean_is_rounded_half_away_from_zero() {
        assert_eq!(text(Histogram::new(vec![(0, 7), (1, 1)]).mean()), "0.13");
    }
}
