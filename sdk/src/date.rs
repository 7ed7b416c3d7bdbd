//! Calendar dates without a zone, and instants. "Today" is the host's answer: it knows the organization's zone.

use std::fmt;
use std::str::FromStr;

/// The text is no date or instant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InvalidDate;

impl fmt::Display for InvalidDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a date of the calendar")
    }
}

impl std::error::Error for InvalidDate {}

const DAY: i64 = 86_400_000;

/// A day of the calendar, years 1 to 9999: `2026-11-22`.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

const fn days_in(year: i64, month: u8) -> u8 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl Date {
    /// The day, if the calendar has it.
    #[must_use]
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let known = (1..=9999).contains(&year) && (1..=12).contains(&month);
        let known = known && (1..=days_in(i64::from(year), month)).contains(&day);
        known.then_some(Self { year, month, day })
    }

    /// The year.
    #[must_use]
    pub const fn year(self) -> u16 {
        self.year
    }

    /// The month, 1 to 12.
    #[must_use]
    pub const fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, from 1.
    #[must_use]
    pub const fn day(self) -> u8 {
        self.day
    }

    /// Days since 1970-01-01 (Hinnant's civil calendar).
    #[must_use]
    pub fn days(self) -> i64 {
        let month = i64::from(self.month);
        let year = i64::from(self.year) - i64::from(month <= 2);
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + i64::from(self.day) - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }

    /// The day so many days after 1970-01-01; `None` outside the years 1 to 9999.
    #[must_use]
    pub fn from_days(days: i64) -> Option<Self> {
        let shifted = days.checked_add(719_468)?;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let shifted_month = (5 * of_year + 2) / 153;
        let day = u8::try_from(of_year - (153 * shifted_month + 2) / 5 + 1).ok()?;
        let month = u8::try_from((shifted_month + 2) % 12 + 1).ok()?;
        let year = u16::try_from(era * 400 + year + i64::from(month <= 2)).ok()?;
        Self::new(year, month, day)
    }

    /// The day so many days later (earlier, if negative).
    #[must_use]
    pub fn plus_days(self, days: i64) -> Option<Self> {
        Self::from_days(self.days().checked_add(days)?)
    }

    /// Days from `earlier` to this day.
    #[must_use]
    pub fn days_since(self, earlier: Self) -> i64 {
        self.days() - earlier.days()
    }

    /// Midnight UTC of this day.
    #[must_use]
    pub fn midnight(self) -> DateTime {
        DateTime::from_millis(self.days() * DAY)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Digits only, of this length.
fn digits<T: FromStr>(text: &str, from: usize, to: usize) -> Result<T, InvalidDate> {
    let part =
        text.get(from..to).filter(|part| part.bytes().all(|b| b.is_ascii_digit())).ok_or(InvalidDate)?;
    part.parse().map_err(|_| InvalidDate)
}

impl FromStr for Date {
    type Err = InvalidDate;

    fn from_str(text: &str) -> Result<Self, InvalidDate> {
        let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes() else { return Err(InvalidDate) };
        let digits = [y1, y2, y3, y4, m1, m2, d1, d2];
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(InvalidDate);
        }
        let [y1, y2, y3, y4, m1, m2, d1, d2] = digits.map(|digit| digit - b'0');
        let year = u16::from(y1 * 10 + y2) * 100 + u16::from(y3 * 10 + y4);
        Self::new(year, m1 * 10 + m2, d1 * 10 + d2).ok_or(InvalidDate)
    }
}

/// An instant: UTC milliseconds since 1970; on the wire `2026-11-22T09:30:00Z`.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DateTime(i64);

impl DateTime {
    /// So many milliseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Milliseconds from `earlier` to this instant.
    #[must_use]
    pub const fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = Date::from_days(self.0.div_euclid(DAY)).unwrap_or(Date { year: 9999, month: 12, day: 31 });
        let millis = self.0.rem_euclid(DAY);
        let (hour, minute, second) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1000 % 60);
        write!(f, "{date}T{hour:02}:{minute:02}:{second:02}")?;
        if millis % 1000 > 0 {
            write!(f, ".{:03}", millis % 1000)?;
        }
        f.write_str("Z")
    }
}

impl fmt::Debug for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for DateTime {
    type Err = InvalidDate;

    /// RFC 3339 with `Z` or an offset; what is finer than a millisecond is cut.
    fn from_str(text: &str) -> Result<Self, InvalidDate> {
        let date: Date = text.get(..10).ok_or(InvalidDate)?.parse()?;
        let mark =
            |at: usize, byte: u8| text.as_bytes().get(at).is_some_and(|b| b.eq_ignore_ascii_case(&byte));
        if !mark(10, b'T') || !mark(13, b':') || !mark(16, b':') {
            return Err(InvalidDate);
        }
        let (hour, minute, second): (i64, i64, i64) =
            (digits(text, 11, 13)?, digits(text, 14, 16)?, digits(text, 17, 19)?);
        let rest = text.get(19..).ok_or(InvalidDate)?;
        let (fraction, zone) = match rest.strip_prefix('.') {
            Some(rest) => rest.split_at(rest.bytes().take_while(u8::is_ascii_digit).count()),
            None => ("0", rest),
        };
        if hour > 23 || minute > 59 || second > 59 || fraction.is_empty() || fraction.len() > 9 {
            return Err(InvalidDate);
        }
        let millis: i64 = digits(&format!("{fraction:0<3}"), 0, 3)?;
        let local = date.days() * DAY + ((hour * 60 + minute) * 60 + second) * 1000 + millis;
        Ok(Self(local - offset(zone)? * 60_000))
    }
}

/// Minutes east of UTC.
fn offset(zone: &str) -> Result<i64, InvalidDate> {
    if zone.eq_ignore_ascii_case("z") {
        return Ok(0);
    }
    let sign = match zone.as_bytes() {
        [b'+', _, _, b':', _, _] => 1,
        [b'-', _, _, b':', _, _] => -1,
        _ => return Err(InvalidDate),
    };
    let (hours, minutes): (i64, i64) = (digits(zone, 1, 3)?, digits(zone, 4, 6)?);
    if hours > 23 || minutes > 59 { Err(InvalidDate) } else { Ok(sign * (hours * 60 + minutes)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_days_of_the_calendar_are_dates() {
        assert_eq!("2024-02-29".parse::<Date>().unwrap().days(), 19_782);
        for bad in
            ["2023-02-29", "2023-13-01", "20230101", "2023-1-01", "0000-01-01", "2023-01-00", "+023-01-01"]
        {
            assert_eq!(bad.parse::<Date>(), Err(InvalidDate), "{bad}");
        }
    }

    #[test]
    fn the_length_of_a_deal_is_counted_in_days() {
        let opened: Date = "2016-10-20".parse().unwrap();
        assert_eq!("2017-03-01".parse::<Date>().unwrap().days_since(opened), 132);
    }

    #[test]
    fn instants_are_read_with_any_offset_and_written_in_utc() {
        for (text, written) in [
            ("2026-11-22T09:30:00Z", "2026-11-22T09:30:00Z"),
            ("2026-11-22t10:30:00.5+01:00", "2026-11-22T09:30:00.500Z"),
            ("2026-11-22T00:00:00-00:30", "2026-11-22T00:30:00Z"),
        ] {
            assert_eq!(text.parse::<DateTime>().unwrap().to_string(), written);
        }
        for bad in [
            "2026-11-22T09:30:00",
            "2026-11-22 09:30:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T09:30:00+1:00",
        ] {
            assert_eq!(bad.parse::<DateTime>(), Err(InvalidDate), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn days_and_dates_are_the_same_thing(days in -719_162_i64..2_932_896) {
            let date = Date::from_days(days).unwrap();
            prop_assert_eq!(date.days(), days);
            prop_assert_eq!(date.to_string().parse(), Ok(date));
            prop_assert!(date.plus_days(1).is_none_or(|next| next > date));
        }

        #[test]
        fn instants_come_back(millis in -62_135_596_800_000_i64..253_402_300_799_999) {
            let instant = DateTime::from_millis(millis);
            prop_assert_eq!(instant.to_string().parse(), Ok(instant));
        }
    }
}
