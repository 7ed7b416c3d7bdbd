//! Sales cycle: how many days it takes from opening to winning, and to losing.

use stoa_sdk::prelude::*;

use super::Selection;
use super::quantile::{Days, Histogram};

/// How it ended.
#[entity]
pub(crate) enum Outcome {
    Won,
    Lost,
}

/// One outcome.
#[entity(row)]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cycle {
    outcome: Outcome,
    count: i64,
    #[field(label = "Median days")]
    median_days: Option<Days>,
    #[field(label = "75th percentile")]
    p75_days: Option<Days>,
    #[field(label = "90th percentile")]
    p90_days: Option<Days>,
    #[field(label = "Mean days")]
    mean_days: Option<Days>,
}

const DAYS: Sql = sql!(
    "select is_won, cast(round(julianday(closed_on) - julianday(opened_on)) as integer), count(*) ",
    "from visible_opportunity where closed_on is not null and (?1 is null or closed_on >= ?1) ",
    "and (?2 is null or closed_on <= ?2) and (?3 is null or pipeline = ?3) and (?4 is null or owner_id = ?4) ",
    "group by 1, 2"
);

/// is_won, days (none without an opening day), count.
type Line = (bool, Option<i64>, i64);

/// `sales_cycle`
pub(crate) fn sales_cycle(ctx: &Context, selection: Selection) -> Result<Report<Cycle>> {
    selection.check()?;
    let lines: Vec<Line> = ctx.sql().read(DAYS, &selection.params())?;
    Ok(cycles(&lines))
}

fn cycles(lines: &[Line]) -> Report<Cycle> {
    let excluded: i64 = lines.iter().filter(|line| line.1.is_none()).map(|line| line.2).sum();
    let cycle = |outcome: Outcome| {
        let mine = lines.iter().filter(|line| line.0 == (outcome == Outcome::Won));
        let days = Histogram::new(mine.filter_map(|line| Some((line.1?, line.2))).collect());
        Cycle {
            outcome,
            count: days.count(),
            median_days: days.percentile(50),
            p75_days: days.percentile(75),
            p90_days: days.percentile(90),
            mean_days: days.mean(),
        }
    };
    Report::new(vec![cycle(Outcome::Won), cycle(Outcome::Lost)])
        .note("excluded_without_opening_day", excluded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn won_and_lost_are_apart_and_what_has_no_beginning_is_counted() {
        let report = cycles(&[
            (true, Some(57), 3),
            (true, Some(90), 1),
            (true, None, 2),
            (false, Some(14), 1),
            (false, None, 1),
        ]);
        assert_eq!(report.rows[0].median_days, Some(Days::from_scaled(5700)));
        assert_eq!((report.rows[0].count, report.rows[1].count), (4, 1));
        assert_eq!(report.notes["excluded_without_opening_day"], 3);
    }
}
