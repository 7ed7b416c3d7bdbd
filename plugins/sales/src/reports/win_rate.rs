//! Win rate: won / (won + lost), by count and by value.

use std::collections::BTreeMap;

use stoa_sdk::prelude::*;

use super::Selection;
use crate::totals::{Fitting, whole};

/// A line of the report: all currencies together (no values), or one currency.
#[entity(row)]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WinRate {
    currency: Option<Currency>,
    won: i64,
    lost: i64,
    /// By count.
    #[field(label = "Win rate")]
    win_rate: Option<Percent>,
    won_value: Option<Money>,
    lost_value: Option<Money>,
    /// By value.
    #[field(label = "Win rate by value")]
    value_win_rate: Option<Percent>,
}

const CLOSED: Sql = sql!(
    "select is_won, coalesce(lost_reason in ('duplicate', 'test'), 0), count(*), amount_currency, ",
    "coalesce(sum(amount >> 32), 0), coalesce(sum(amount & 4294967295), 0) ",
    "from visible_opportunity where closed_on is not null and (?1 is null or closed_on >= ?1) ",
    "and (?2 is null or closed_on <= ?2) and (?3 is null or pipeline = ?3) and (?4 is null or owner_id = ?4) ",
    "group by 1, 2, 4"
);

/// is_won, not a real loss, count, currency, upper and lower half of the sum.
type Closed = (bool, bool, i64, Option<Currency>, i64, i64);

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    won: i64,
    lost: i64,
    won_value: i128,
    lost_value: i128,
}

impl Sums {
    fn add(&mut self, closed: &Closed) {
        let (count, value) = if closed.0 {
            (&mut self.won, &mut self.won_value)
        } else {
            (&mut self.lost, &mut self.lost_value)
        };
        *count += closed.2;
        *value += whole(closed.4, closed.5);
    }

    fn row(self, currency: Option<Currency>, fitting: &mut Fitting) -> WinRate {
        let rate = |won: i128, lost: i128| Percent::ratio(won, won + lost, 2);
        WinRate {
            currency,
            won: self.won,
            lost: self.lost,
            win_rate: rate(self.won.into(), self.lost.into()),
            won_value: fitting.money(self.won_value, currency),
            lost_value: fitting.money(self.lost_value, currency),
            value_win_rate: currency.and_then(|_| rate(self.won_value, self.lost_value)),
        }
    }
}

/// `win_rate`
pub(crate) fn win_rate(ctx: &Context, selection: Selection) -> Result<Report<WinRate>> {
    selection.check()?;
    let closed: Vec<Closed> = ctx.sql().read(CLOSED, &selection.params())?;
    Ok(rates(&closed))
}

fn rates(closed: &[Closed]) -> Report<WinRate> {
    let (not_lost, counted): (Vec<&Closed>, Vec<&Closed>) = closed.iter().partition(|line| !line.0 && line.1);
    let mut all = Sums::default();
    let mut by_currency: BTreeMap<Currency, Sums> = BTreeMap::new();
    for line in counted {
        all.add(line);
        if let Some(currency) = line.3 {
            by_currency.entry(currency).or_default().add(line);
        }
    }
    let mut fitting = Fitting::default();
    let mut rows = vec![all.row(None, &mut fitting)];
    rows.extend(by_currency.into_iter().map(|(currency, sums)| sums.row(Some(currency), &mut fitting)));
    fitting.report(rows).note("excluded_losses", not_lost.iter().map(|line| line.2).sum::<i64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_the_tutorial_come_out() {
        let usd = "USD".parse().ok();
        let report = rates(&[(true, false, 4238, usd, 0, 1_000_553_400), (false, false, 2473, usd, 0, 0)]);
        let rate = |at: usize| report.rows[at].win_rate.map(|rate| rate.to_string()).unwrap_or_default();
        assert_eq!((report.rows[0].won, report.rows[0].lost, rate(0).as_str()), (4238, 2473, "63.15"));
        assert_eq!(report.rows[1].won_value.map(|value| value.amount()).as_deref(), Some("10005534.00"));
        assert_eq!(report.rows[1].value_win_rate, Some(Percent::WHOLE));
    }

    #[test]
    fn losses_that_are_none_are_left_out_and_counted() {
        let report = rates(&[(true, false, 1, None, 0, 0), (false, true, 5, None, 0, 0)]);
        assert_eq!(report.rows[0].win_rate, Some(Percent::WHOLE));
        assert_eq!(report.notes["excluded_losses"], 5);
    }

    #[test]
    fn values_beyond_64_bits_still_have_a_rate() {
        let (upper, eur, jpy) = (1 << 32, "EUR".parse().ok(), "JPY".parse().ok());
        let report = rates(&[
            (true, false, 3, eur, 3 * upper, 0),
            (false, false, 1, eur, upper, 0),
            (true, false, 1, jpy, 0, 7),
        ]);
        let eur = &report.rows[1];
        assert_eq!((eur.won_value, eur.lost_value), (None, None));
        assert_eq!(eur.value_win_rate.map(|rate| rate.to_string()).as_deref(), Some("75"));
        assert_eq!(report.rows[2].won_value.map(|value| value.minor), Some(7));
        assert_eq!(report.notes["sums_too_large"], 2);
    }

    #[test]
    fn nothing_closed_has_no_rate() {
        let report = rates(&[]);
        assert_eq!((report.rows.len(), report.rows[0].win_rate), (1, None));
    }
}
