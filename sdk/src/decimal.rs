//! Exact numbers: decimals with a fixed number of places, and percent. No floating point anywhere.

use std::fmt;
use std::str::FromStr;

/// The text is not a number of this type: not a plain decimal, too many places, or out of range.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InvalidNumber;

impl fmt::Display for InvalidNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a plain decimal with so many places, or out of range")
    }
}

impl std::error::Error for InvalidNumber {}

/// Parses `-12.50` to an integer scaled by 10^`scale`; trailing zeros are no places.
pub(crate) fn parse_scaled(text: &str, scale: u8) -> Option<i64> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) || (digits.contains('.') && fraction.is_empty())
    {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let padding = usize::from(scale).checked_sub(fraction.len())?;
    let mut value: i64 = 0;
    for byte in whole.bytes().chain(fraction.bytes()).chain(std::iter::repeat_n(b'0', padding)) {
        // Built up negative, so that the smallest integer has a text too.
        value = value.checked_mul(10)?.checked_sub(i64::from(byte - b'0'))?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

/// Writes a scaled integer with exactly `scale` places.
pub(crate) fn write_scaled(f: &mut impl fmt::Write, value: i64, scale: u8) -> fmt::Result {
    if value < 0 {
        f.write_char('-')?;
    }
    let unit = 10_u64.pow(u32::from(scale.min(18)));
    let digits = value.unsigned_abs();
    write!(f, "{}", digits / unit)?;
    if scale > 0 { write!(f, ".{:0width$}", digits % unit, width = usize::from(scale)) } else { Ok(()) }
}

/// `dividend / divisor`, rounded half away from zero; `None` for a divisor of zero.
#[must_use]
pub fn divide_rounded(dividend: i128, divisor: i128) -> Option<i128> {
    let quotient = dividend.checked_div(divisor)?;
    let twice = dividend.checked_rem(divisor)?.unsigned_abs().checked_mul(2)?;
    let away = if (dividend < 0) == (divisor < 0) { 1 } else { -1 };
    Some(if twice >= divisor.unsigned_abs() { quotient + away } else { quotient })
}

/// An exact number with `SCALE` places, kept as an integer times 10^`SCALE`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Decimal<const SCALE: u8>(i64);

impl<const SCALE: u8> Decimal<SCALE> {
    /// The number whose integer times 10^`SCALE` is this.
    #[must_use]
    pub const fn from_scaled(scaled: i64) -> Self {
        Self(scaled)
    }

    /// The integer times 10^`SCALE`.
    #[must_use]
    pub const fn scaled(self) -> i64 {
        self.0
    }

    /// `dividend / divisor`, rounded half away from zero to `SCALE` places.
    #[must_use]
    pub fn ratio(dividend: i128, divisor: i128) -> Option<Self> {
        let scaled = divide_rounded(dividend.checked_mul(10_i128.pow(u32::from(SCALE)))?, divisor)?;
        i64::try_from(scaled).ok().map(Self)
    }

    /// The sum, unless it is out of range.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, unless it is out of range.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The product, rounded half away from zero to `SCALE` places, unless it is out of range.
    #[must_use]
    pub fn checked_mul<const OTHER: u8>(self, other: Decimal<OTHER>) -> Option<Self> {
        let exact = i128::from(self.0).checked_mul(i128::from(other.0))?;
        i64::try_from(divide_rounded(exact, 10_i128.pow(u32::from(OTHER)))?).ok().map(Self)
    }
}

impl<const SCALE: u8> fmt::Display for Decimal<SCALE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(f, self.0, SCALE)
    }
}

impl<const SCALE: u8> FromStr for Decimal<SCALE> {
    type Err = InvalidNumber;

    fn from_str(text: &str) -> Result<Self, InvalidNumber> {
        parse_scaled(text, SCALE).map(Self).ok_or(InvalidNumber)
    }
}

/// A share of a whole, exact to a millionth: 50 % is 500,000 parts.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Percent(i64);

impl Percent {
    /// 0 %.
    pub const ZERO: Self = Self(0);
    /// 100 %.
    pub const WHOLE: Self = Self(1_000_000);

    /// So many parts per million of the whole.
    #[must_use]
    pub const fn from_ppm(ppm: i64) -> Self {
        Self(ppm)
    }

    /// So many hundredths of the whole.
    #[must_use]
    pub const fn whole(percent: i32) -> Self {
        Self(percent as i64 * 10_000)
    }

    /// Parts per million of the whole.
    #[must_use]
    pub const fn ppm(self) -> i64 {
        self.0
    }

    /// `part / whole` as percent, rounded half away from zero to `places` (4 at most); `None` for a whole of zero.
    #[must_use]
    pub fn ratio(part: i128, whole: i128, places: u8) -> Option<Self> {
        let step = 10_i64.pow(u32::from(4 - places.min(4)));
        let steps = divide_rounded(part.checked_mul(i128::from(1_000_000 / step))?, whole)?;
        i64::try_from(steps).ok()?.checked_mul(step).map(Self)
    }

    /// This share of `amount`, rounded half away from zero.
    #[must_use]
    pub fn of(self, amount: i64) -> Option<i64> {
        i64::try_from(divide_rounded(i128::from(amount) * i128::from(self.0), 1_000_000)?).ok()
    }
}

impl fmt::Display for Percent {
    /// Without needless zeros and without the sign: `63.15`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        write_scaled(&mut text, self.0, 4)?;
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl FromStr for Percent {
    type Err = InvalidNumber;

    fn from_str(text: &str) -> Result<Self, InvalidNumber> {
        parse_scaled(text, 4).map(Self).ok_or(InvalidNumber)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_plain_exact_decimals_are_numbers() {
        assert_eq!("1234.50".parse(), Ok(Decimal::<2>::from_scaled(123_450)));
        assert_eq!("-0.5".parse(), Ok(Decimal::<2>::from_scaled(-50)));
        for bad in
            ["", ".", "-", "1.", ".5", "1,5", "1e3", " 1", "+1", "1.005", "99999999999999999999", "1.2.3"]
        {
            assert_eq!(bad.parse::<Decimal<2>>(), Err(InvalidNumber), "{bad}");
        }
    }

    #[test]
    fn the_win_rate_of_the_tutorial_is_rounded_half_away_to_two_places() {
        let rate = Percent::ratio(4238, 4238 + 2473, 2);
        assert_eq!(rate.map(|rate| rate.to_string()).as_deref(), Some("63.15"));
        assert_eq!(Percent::ratio(1, 0, 2), None);
    }

    #[test]
    fn halves_go_away_from_zero() {
        for (dividend, divisor, expected) in
            [(5, 2, 3), (-5, 2, -3), (5, -2, -3), (4, 3, 1), (-4, 3, -1), (0, 7, 0)]
        {
            assert_eq!(divide_rounded(dividend, divisor), Some(expected), "{dividend}/{divisor}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in any::<i64>()) {
            let decimal = Decimal::<3>::from_scaled(value);
            prop_assert_eq!(decimal.to_string().parse(), Ok(decimal));
            let percent = Percent::from_ppm(value);
            prop_assert_eq!(percent.to_string().parse(), Ok(percent));
        }

        #[test]
        fn a_rounded_quotient_is_off_by_half_at_most(a in any::<i64>(), b in any::<i64>()) {
            prop_assume!(b != 0);
            let quotient = divide_rounded(i128::from(a), i128::from(b)).unwrap();
            prop_assert!((quotient * i128::from(b) - i128::from(a)).unsigned_abs() * 2 <= i128::from(b).unsigned_abs());
        }
    }
}
