//! Money: minor units and a currency, exact, and never added across currencies.

use std::fmt;
use std::str::FromStr;

use crate::decimal::{InvalidNumber, Percent, parse_scaled, write_scaled};

/// Currencies of ISO 4217 without minor units.
const NO_PLACES: [&str; 16] = [
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF",
    "XOF",
];
/// Currencies with three places.
const THREE_PLACES: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// An ISO 4217 code: three capital letters. Whether it is in use, the host checks.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The code.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX") // always three ASCII letters
    }

    /// Decimal places of the amount: EUR 2, JPY 0, KWD 3.
    #[must_use]
    pub fn places(self) -> u8 {
        match self.code() {
            "XPF" => 0,
            "CLF" | "UYW" => 4,
            code if NO_PLACES.contains(&code) => 0,
            code if THREE_PLACES.contains(&code) => 3,
            _ => 2,
        }
    }
}

impl FromStr for Currency {
    type Err = InvalidNumber;

    fn from_str(text: &str) -> Result<Self, InvalidNumber> {
        match text.as_bytes() {
            &[a, b, c] if [a, b, c].iter().all(u8::is_ascii_uppercase) => Ok(Self([a, b, c])),
            _ => Err(InvalidNumber),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount of money: on the wire `{"amount":"1234.50","currency":"EUR"}`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Money {
    /// Cents, or whatever the currency's smallest unit is.
    pub minor: i64,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// So many minor units.
    #[must_use]
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Parses `1234.50` in this currency.
    ///
    /// # Errors
    /// The amount is no plain decimal or has more places than the currency.
    pub fn parse(amount: &str, currency: Currency) -> Result<Self, InvalidNumber> {
        parse_scaled(amount, currency.places()).map(|minor| Self { minor, currency }).ok_or(InvalidNumber)
    }

    /// The amount without the currency: `1234.50`.
    #[must_use]
    pub fn amount(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = write_scaled(&mut text, self.minor, self.currency.places());
        text
    }

    /// The sum; `None` for different currencies or out of range.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        if self.currency != other.currency {
            return None;
        }
        Some(Self { minor: self.minor.checked_add(other.minor)?, ..self })
    }

    /// The difference; `None` for different currencies or out of range.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        if self.currency != other.currency {
            return None;
        }
        Some(Self { minor: self.minor.checked_sub(other.minor)?, ..self })
    }

    /// This share of the amount, rounded half away from zero.
    #[must_use]
    pub fn share(self, percent: Percent) -> Option<Self> {
        Some(Self { minor: percent.of(self.minor)?, ..self })
    }

    /// Splits the amount by weights without losing a cent: every part gets its exact share rounded towards zero, and
    /// the units left go to the largest remainders, the earlier part first. All parts are zero for weights of zero
    /// only when the amount is: otherwise `None`.
    #[must_use]
    pub fn allocate(self, weights: &[u32]) -> Option<Vec<Self>> {
        let total: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
        if total == 0 {
            return (self.minor == 0).then(|| weights.iter().map(|_| self).collect());
        }
        let exact = |weight: &u32| i128::from(self.minor) * i128::from(*weight);
        let mut parts: Vec<i128> = weights.iter().map(|weight| exact(weight) / total).collect();
        let mut order: Vec<(u128, usize)> = weights
            .iter()
            .enumerate()
            .map(|(at, weight)| ((exact(weight) % total).unsigned_abs(), at))
            .collect();
        order.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));

        let left = i128::from(self.minor) - parts.iter().sum::<i128>();
        let count = usize::try_from(left.unsigned_abs()).ok()?;
        for (_, at) in order.into_iter().take(count) {
            if let Some(part) = parts.get_mut(at) {
                *part += left.signum();
            }
        }
        parts.into_iter().map(|minor| i64::try_from(minor).ok().map(|minor| Self { minor, ..self })).collect()
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount(), self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn euro(minor: i64) -> Money {
        Money::new(minor, "EUR".parse().unwrap())
    }

    #[test]
    fn a_currency_decides_the_places() {
        for (code, text, minor) in [("EUR", "12.30", 1230), ("JPY", "12", 12), ("KWD", "1.234", 1234)] {
            let currency = code.parse().unwrap();
            assert_eq!(Money::parse(text, currency), Ok(Money::new(minor, currency)));
            assert_eq!(Money::new(minor, currency).amount(), text);
        }
        assert!(Money::parse("1.5", "JPY".parse().unwrap()).is_err());
        assert!("eur".parse::<Currency>().is_err());
    }

    #[test]
    fn currencies_do_not_mix() {
        assert_eq!(euro(1).checked_add(Money::new(1, "USD".parse().unwrap())), None);
        assert_eq!(euro(i64::MAX).checked_add(euro(1)), None);
    }

    #[test]
    fn the_units_left_go_to_the_largest_remainders() {
        let parts: Vec<i64> = euro(100).allocate(&[1, 1, 1]).unwrap().iter().map(|part| part.minor).collect();
        assert_eq!(parts, [34, 33, 33]);
        assert_eq!(euro(100).allocate(&[0, 0]), None);
    }

    proptest! {
        #[test]
        fn no_cent_is_lost_and_no_part_is_off_by_a_unit(minor in any::<i64>(), weights in prop::collection::vec(0_u32..1000, 1..20)) {
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            let total: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
            let parts = euro(minor).allocate(&weights).unwrap();
            prop_assert_eq!(parts.iter().map(|part| i128::from(part.minor)).sum::<i128>(), i128::from(minor));
            for (part, weight) in parts.iter().zip(&weights) {
                let off = i128::from(part.minor) * total - i128::from(minor) * i128::from(*weight);
                prop_assert!(off.abs() < total);
            }
        }

        #[test]
        fn what_is_written_is_read_back(minor in any::<i64>()) {
            prop_assert_eq!(Money::parse(&euro(minor).amount(), euro(0).currency), Ok(euro(minor)));
        }
    }
}
