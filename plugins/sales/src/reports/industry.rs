//! Sales by industry: opportunities beside the accounts of the base plugin, read in one statement through its view.

use stoa_sdk::prelude::*;

use super::Selection;
use crate::totals::{Fitting, whole};

/// One industry and currency.
#[entity(row)]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    industry: Option<String>,
    open: i64,
    open_amount: Option<Money>,
    won: i64,
    revenue: Option<Money>,
}

const SUMS: Sql = sql!(
    "select a.industry, o.amount_currency, coalesce(sum(o.closed_on is null), 0), ",
    "coalesce(sum((o.amount >> 32) * (o.closed_on is null)), 0), ",
    "coalesce(sum((o.amount & 4294967295) * (o.closed_on is null)), 0), coalesce(sum(o.is_won), 0), ",
    "coalesce(sum((o.amount >> 32) * o.is_won), 0), coalesce(sum((o.amount & 4294967295) * o.is_won), 0) ",
    "from visible_opportunity as o join visible_crm_accounts as a on a.id = o.account ",
    "where (?1 is null or coalesce(o.closed_on, o.expected_close_on) >= ?1) ",
    "and (?2 is null or coalesce(o.closed_on, o.expected_close_on) <= ?2) ",
    "and (?3 is null or o.pipeline = ?3) and (?4 is null or o.owner_id = ?4) group by 1, 2 order by 1, 2"
);

const APART: Sql = sql!(
    "select count(*) from visible_opportunity as o ",
    "where (?1 is null or coalesce(o.closed_on, o.expected_close_on) >= ?1) ",
    "and (?2 is null or coalesce(o.closed_on, o.expected_close_on) <= ?2) ",
    "and (?3 is null or o.pipeline = ?3) and (?4 is null or o.owner_id = ?4) ",
    "and not exists (select 1 from visible_crm_accounts as a where a.id = o.account)"
);

/// industry, currency, open: count, upper and lower half of the sum, won: the same.
type Part = (Option<String>, Option<Currency>, i64, i64, i64, i64, i64, i64);

/// `sales_by_industry`
pub(crate) fn by_industry(ctx: &Context, selection: Selection) -> Result<Report<Line>> {
    selection.check()?;
    let parts: Vec<Part> = ctx.sql().read(SUMS, &selection.params())?;
    let apart: Vec<(i64,)> = ctx.sql().read(APART, &selection.params())?;
    let mut fitting = Fitting::default();
    let rows =
        parts.into_iter().map(|(industry, currency, open, upper, lower, won, won_upper, won_lower)| Line {
            industry,
            open,
            open_amount: fitting.money(whole(upper, lower), currency),
            won,
            revenue: fitting.money(whole(won_upper, won_lower), currency),
        });
    let rows = rows.collect();
    Ok(fitting.report(rows).note("without_account", apart.iter().map(|line| line.0).sum::<i64>()))
}

#[cfg(test)]
mod tests {
    use stoa_sdk::cells::Cell;
    use stoa_sdk::testing::Host;

    use super::*;
    use crate::totals::tests::halves;

    #[test]
    fn sums_are_put_together_exactly_and_what_has_no_account_is_a_note() {
        let host = Host::new::<crate::Plugin>();
        let line = |industry, currency, open: &[i64], won: &[i64]| {
            let ([upper, lower], [won_upper, won_lower]) = (halves(open), halves(won));
            let count = |amounts: &[i64]| Cell::Integer(i64::try_from(amounts.len()).unwrap());
            [industry, currency, count(open), upper, lower, count(won), won_upper, won_lower]
        };
        let lines = [
            line(Cell::Null, Cell::Null, &[], &[]),
            line(Cell::Text("finance"), Cell::Text("EUR"), &[4_294_967_295, 1, 1], &[7]),
            line(Cell::Text("retail"), Cell::Text("EUR"), &[i64::MAX, i64::MAX], &[]),
        ];
        host.answer(SUMS, 8, lines.as_flattened());
        host.answer(APART, 1, &[Cell::Integer(3)]);
        let all = Selection { from: None, to: None, pipeline: None, owner: None };
        let report = by_industry(&host.context(), all).unwrap();
        let minor = |money: Option<Money>| money.map(|money| money.minor);
        let rows: Vec<_> = report
            .rows
            .iter()
            .map(|row| {
                (row.industry.as_deref(), row.open, minor(row.open_amount), row.won, minor(row.revenue))
            })
            .collect();
        assert_eq!(rows[0], (None, 0, None, 0, None));
        assert_eq!(rows[1], (Some("finance"), 3, Some(4_294_967_297), 1, Some(7)));
        assert_eq!(rows[2], (Some("retail"), 2, None, 0, Some(0)));
        assert_eq!(
            (&report.notes["without_account"], &report.notes["sums_too_large"]),
            (&3.into(), &1.into())
        );
    }
}
