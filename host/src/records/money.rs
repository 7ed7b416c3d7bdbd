//! Exact numbers as text: decimals, money, percent. No floating point, no rounding: what does not fit is refused.

use std::fmt::Write as _;

use iso_currency::Currency;

/// Parses `-12.50` to an integer scaled by 10^`scale`. `None` when it is not a plain decimal, has more places than
/// `scale` (trailing zeros aside), or does not fit 64 bits.
#[must_use]
pub fn parse_scaled(text: &str, scale: u8) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) || (digits.contains('.') && fraction.is_empty())
    {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > usize::from(scale) {
        return None;
    }
    let mut value: i128 = 0;
    let padding = usize::from(scale) - fraction.len();
    for byte in whole.bytes().chain(fraction.bytes()).chain(std::iter::repeat_n(b'0', padding)) {
        value = value.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
        if value > i128::from(i64::MAX) {
            return None;
        }
    }
    i64::try_from(if negative { -value } else { value }).ok()
}

/// Writes a scaled integer as a decimal with exactly `scale` places.
pub fn write_scaled(value: i64, scale: u8, out: &mut String) {
    if value < 0 {
        out.push('-');
    }
    let digits = value.unsigned_abs();
    let unit = 10_u64.pow(u32::from(scale.min(18)));
    let _ = write!(out, "{}", digits / unit);
    if scale > 0 {
        let _ = write!(out, ".{:0width$}", digits % unit, width = usize::from(scale));
    }
}

/// Decimal places of a currency: EUR 2, JPY 0, KWD 3. `None` for a code that ISO 4217 does not know, and for
/// those without minor units (metals, test codes).
#[must_use]
pub fn exponent(code: &str) -> Option<u8> {
    u8::try_from(Currency::from_code(code)?.exponent()?).ok()
}

/// Parts per million as percent with up to four places, without needless zeros: 631500 is `63.15`.
pub fn write_percent(ppm: i64, out: &mut String) {
    let from = out.len();
    write_scaled(ppm, 4, out);
    let kept =
        from + out.get(from..).map_or(0, |text| text.trim_end_matches('0').trim_end_matches('.').len());
    out.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_plain_exact_decimals_are_numbers() {
        assert_eq!(parse_scaled("1234.50", 2), Some(123_450));
        assert_eq!(parse_scaled("-0.5", 2), Some(-50));
        assert_eq!(parse_scaled("1.500", 2), Some(150));
        for bad in [
            "",
            ".",
            "-",
            "1.",
            ".5",
            "1,5",
            "1e3",
            " 1",
            "+1",
            "1.005",
            "٣",
            "99999999999999999999",
            "1.2.3",
        ] {
            assert_eq!(parse_scaled(bad, 2), None, "{bad}");
        }
    }

    #[test]
    fn percent_is_written_without_needless_zeros() {
        for (ppm, text) in [(631_500, "63.15"), (500_000, "50"), (0, "0"), (1, "0.0001"), (-125_000, "-12.5")]
        {
            let mut out = String::from(">");
            write_percent(ppm, &mut out);
            assert_eq!(out, format!(">{text}"));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in any::<i64>(), scale in 0_u8..=6) {
            prop_assume!(value != i64::MIN);
            let mut text = String::new();
            write_scaled(value, scale, &mut text);
            prop_assert_eq!(parse_scaled(&text, scale), Some(value));
        }
    }
}
