//! Spans of time named relative to today, in an organization's zone and fiscal year. Pure.
//!
//! `this_`, `last_` and `next_` take whole units of the calendar: weeks start on Monday, quarters in January, fiscal
//! quarters with the fiscal year. `last_N_` and `next_N_` are rolling: N days, weeks or months that end or start with
//! today, today included.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan as _};

use super::Within;
use crate::clock::UnixMillis;
use crate::records::error::RecordError;
use crate::records::schema::{Field, Kind};
use crate::records::value::Value;

/// Most units of a rolling span.
const MOST: i32 = 1_000;

/// The words, for messages.
pub const WORDS: &str = "today, yesterday, tomorrow, this_month (this, last or next with week, month, quarter, year, \
     fiscal_quarter or fiscal_year), last_30_days (last or next with 1 to 1000 days, weeks or months)";

/// Where and how an organization counts its days.
#[derive(Clone, Debug, PartialEq)]
pub struct Calendar {
    /// Whose midnight starts a day.
    pub zone: TimeZone,
    /// The month in which the fiscal year starts, 1 to 12.
    pub fiscal_start: i8,
}

/// Whole days, from the first to before the last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Period {
    /// The first day.
    pub from: Date,
    /// The day after the last.
    pub until: Date,
    /// The first instant.
    pub since: UnixMillis,
    /// The first instant after it.
    pub before: UnixMillis,
}

/// The period that `word` names at `now`; `None` when it names none, or one beyond the calendar.
#[must_use]
pub fn resolve(word: &str, now: UnixMillis, zone: &TimeZone, fiscal_start: i8) -> Option<Period> {
    let today = Timestamp::from_millisecond(now).ok()?.to_zoned(zone.clone()).date();
    let (from, until) = days(word, today, fiscal_start)?;
    let start = |date: Date| Some(date.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond());
    Some(Period { from, until, since: start(from)?, before: start(until)? })
}

fn days(word: &str, today: Date, fiscal_start: i8) -> Option<(Date, Date)> {
    let offset = match word {
        "today" => Some(0),
        "yesterday" => Some(-1),
        "tomorrow" => Some(1),
        _ => None,
    };
    if let Some(offset) = offset {
        let day = today.checked_add(offset.days()).ok()?;
        return Some((day, day.tomorrow().ok()?));
    }
    let (which, unit) = word.split_once('_')?;
    let step = match which {
        "this" => 0,
        "last" => -1,
        "next" => 1,
        _ => return None,
    };
    match unit.split_once('_') {
        Some((count, unit)) if step != 0 && count.starts_with(|first: char| first.is_ascii_digit()) => {
            rolling(count, unit, step, today)
        }
        _ => whole(unit, step, today, fiscal_start),
    }
}

/// N units that end or start with today.
fn rolling(count: &str, unit: &str, step: i32, today: Date) -> Option<(Date, Date)> {
    let plain = count.bytes().all(|digit| digit.is_ascii_digit()) && !count.starts_with('0');
    let count = count.parse().ok().filter(|count| plain && (1..=MOST).contains(count))?;
    let length = match unit {
        "days" => count.days(),
        "weeks" => count.weeks(),
        "months" => count.months(),
        _ => return None,
    };
    if step > 0 {
        return Some((today, today.checked_add(length).ok()?));
    }
    let until = today.tomorrow().ok()?;
    Some((until.checked_sub(length).ok()?, until))
}

/// The unit of the calendar that today is in, the one before or the one after.
fn whole(unit: &str, step: i32, today: Date, fiscal_start: i8) -> Option<(Date, Date)> {
    let from = |start: i8, months: i32| -> Option<Date> {
        let since = (i32::from(today.month()) - i32::from(start)).rem_euclid(12);
        today.first_of_month().checked_sub((since % months).months()).ok()
    };
    let (start, length): (Date, Span) = match unit {
        "week" => {
            let since = today.weekday().to_monday_zero_offset();
            (today.checked_sub(i32::from(since).days()).ok()?, 1.week())
        }
        "month" => (today.first_of_month(), 1.month()),
        "quarter" => (from(1, 3)?, 3.months()),
        "year" => (from(1, 12)?, 1.year()),
        "fiscal_quarter" => (from(fiscal_start, 3)?, 3.months()),
        "fiscal_year" => (from(fiscal_start, 12)?, 1.year()),
        _ => return None,
    };
    let start = start.checked_add(length * i64::from(step)).ok()?;
    Some((start, start.checked_add(length).ok()?))
}

/// The bounds of a `within` on this field, in stored form: the first value inside, the first one after.
///
/// # Errors
/// The span lies beyond the calendar at its instant.
pub(super) fn bounds(field: &Field, span: Option<&Within>) -> Result<(Value, Value), RecordError> {
    let period =
        span.and_then(|span| resolve(&span.word, span.at, &span.calendar.zone, span.calendar.fiscal_start));
    let period = period.ok_or_else(|| unknown(&field.key))?;
    Ok(match field.kind {
        Kind::Date => (Value::Text(period.from.to_string()), Value::Text(period.until.to_string())),
        _ => (Value::Integer(period.since), Value::Integer(period.before)),
    })
}

/// The refusal of a word that names no period.
pub(super) fn unknown(name: &str) -> RecordError {
    RecordError::bad("invalid_period", format!("`{name}` is compared [within] a period: {WORDS}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn at(instant: &str) -> UnixMillis {
        instant.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn span(word: &str, now: &str, fiscal: i8) -> String {
        let period = resolve(word, at(now), &TimeZone::UTC, fiscal).unwrap();
        format!("{} {}", period.from, period.until)
    }

    #[test]
    fn units_of_the_calendar_are_whole_and_half_open() {
        let now = "2026-11-22T10:00:00Z"; // a Sunday
        for (word, expected) in [
            ("today", "2026-11-22 2026-11-23"),
            ("yesterday", "2026-11-21 2026-11-22"),
            ("tomorrow", "2026-11-23 2026-11-24"),
            ("this_week", "2026-11-16 2026-11-23"),
            ("last_week", "2026-11-09 2026-11-16"),
            ("next_week", "2026-11-23 2026-11-30"),
            ("this_month", "2026-11-01 2026-12-01"),
            ("last_month", "2026-10-01 2026-11-01"),
            ("next_month", "2026-12-01 2027-01-01"),
            ("this_quarter", "2026-10-01 2027-01-01"),
            ("last_quarter", "2026-07-01 2026-10-01"),
            ("next_quarter", "2027-01-01 2027-04-01"),
            ("this_year", "2026-01-01 2027-01-01"),
            ("last_year", "2025-01-01 2026-01-01"),
            ("next_year", "2027-01-01 2028-01-01"),
            ("last_1_days", "2026-11-22 2026-11-23"),
            ("last_7_days", "2026-11-16 2026-11-23"),
            ("next_7_days", "2026-11-22 2026-11-29"),
            ("last_2_weeks", "2026-11-09 2026-11-23"),
            ("next_1_months", "2026-11-22 2026-12-22"),
        ] {
            assert_eq!(span(word, now, 1), expected, "{word}");
        }
    }

    #[test]
    fn a_fiscal_year_starts_when_the_organization_says() {
        for (word, now, start, expected) in [
            ("this_fiscal_year", "2026-11-22T00:00:00Z", 1, "2026-01-01 2027-01-01"),
            ("this_fiscal_year", "2026-11-22T00:00:00Z", 4, "2026-04-01 2027-04-01"),
            ("this_fiscal_year", "2026-03-31T23:59:59Z", 4, "2025-04-01 2026-04-01"),
            ("last_fiscal_year", "2026-11-22T00:00:00Z", 12, "2024-12-01 2025-12-01"),
            ("next_fiscal_year", "2026-12-01T00:00:00Z", 12, "2027-12-01 2028-12-01"),
            ("this_fiscal_quarter", "2026-11-22T00:00:00Z", 2, "2026-11-01 2027-02-01"),
            ("last_fiscal_quarter", "2026-01-05T00:00:00Z", 2, "2025-08-01 2025-11-01"),
            ("next_fiscal_quarter", "2026-01-05T00:00:00Z", 2, "2026-02-01 2026-05-01"),
        ] {
            assert_eq!(span(word, now, start), expected, "{word} {now} {start}");
        }
    }

    #[test]
    fn months_end_where_they_end_and_leap_years_have_a_day_more() {
        for (word, now, expected) in [
            ("this_month", "2028-02-29T12:00:00Z", "2028-02-01 2028-03-01"),
            ("last_year", "2028-02-29T12:00:00Z", "2027-01-01 2028-01-01"),
            ("next_12_months", "2028-02-29T12:00:00Z", "2028-02-29 2029-02-28"),
            ("last_1_months", "2026-03-30T12:00:00Z", "2026-02-28 2026-03-31"),
            ("next_1_months", "2027-01-31T12:00:00Z", "2027-01-31 2027-02-28"),
            ("tomorrow", "2027-12-31T12:00:00Z", "2028-01-01 2028-01-02"),
            ("this_week", "2027-01-01T12:00:00Z", "2026-12-28 2027-01-04"),
            ("next_month", "2026-12-31T23:59:59Z", "2027-01-01 2027-02-01"),
        ] {
            assert_eq!(span(word, now, 1), expected, "{word} {now}");
        }
    }

    #[test]
    fn the_day_is_the_one_of_the_zone() {
        let now = at("2026-11-22T23:30:00Z");
        let vienna = resolve("today", now, &zone("Europe/Vienna"), 1).unwrap();
        assert_eq!(
            (vienna.from.to_string(), vienna.since),
            ("2026-11-23".into(), at("2026-11-22T23:00:00Z"))
        );
        let honolulu = resolve("today", now, &zone("Pacific/Honolulu"), 1).unwrap();
        assert_eq!(honolulu.from.to_string(), "2026-11-22");
    }

    #[test]
    fn a_day_on_which_clocks_change_is_as_long_as_it_is() {
        let hours = |zone_name: &str, now: &str| {
            let period = resolve("today", at(now), &zone(zone_name), 1).unwrap();
            (period.before - period.since) / 3_600_000
        };
        assert_eq!(hours("Europe/Vienna", "2026-03-29T12:00:00Z"), 23);
        assert_eq!(hours("Europe/Vienna", "2026-10-25T12:00:00Z"), 25);
        assert_eq!(hours("America/New_York", "2026-03-08T12:00:00Z"), 23);
        // Clocks go forward at midnight: the day starts at one.
        let santiago = resolve("today", at("2026-09-06T12:00:00Z"), &zone("America/Santiago"), 1).unwrap();
        assert_eq!(santiago.since, at("2026-09-06T04:00:00Z"));
        assert_eq!((santiago.before - santiago.since) / 3_600_000, 23);
        let week = resolve("this_week", at("2026-03-29T12:00:00Z"), &zone("Europe/Vienna"), 1).unwrap();
        assert_eq!((week.before - week.since) / 3_600_000, 7 * 24 - 1);
    }

    #[test]
    fn what_names_no_period_is_none() {
        for bad in [
            "",
            "Today",
            "this",
            "this_",
            "this_day",
            "last_0_days",
            "last_01_days",
            "last_1001_days",
            "last_-1_days",
            "last_days",
            "this_3_days",
            "next_3_years",
            "last_1_",
            "last__days",
            "now",
            "last_99999999999_days",
            "+1",
        ] {
            assert_eq!(resolve(bad, 0, &TimeZone::UTC, 1), None, "{bad}");
        }
        assert_eq!(resolve("next_year", at("9998-12-31T00:00:00Z"), &TimeZone::UTC, 1), None);
        assert_eq!(resolve("today", i64::MAX, &TimeZone::UTC, 1), None);
    }
}
