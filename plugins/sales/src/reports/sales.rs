//! Sales by owner and product: what was won, by whom, with what.

use std::cmp::Reverse;

use stoa_sdk::prelude::*;

use super::Selection;
use crate::products::Product;
use crate::totals::{Fitting, whole};

/// One owner, product and currency.
#[entity(row)]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sales {
    owner: Option<UserId>,
    product: Option<Reference<Product>>,
    won: i64,
    revenue: Option<Money>,
}

const WON: Sql = sql!(
    "select owner_id, product, count(*), sum(amount >> 32), sum(amount & 4294967295), amount_currency ",
    "from visible_opportunity where is_won = 1 and (?1 is null or closed_on >= ?1) ",
    "and (?2 is null or closed_on <= ?2) and (?3 is null or pipeline = ?3) and (?4 is null or owner_id = ?4) ",
    "group by owner_id, product, amount_currency order by amount_currency, owner_id, product"
);

/// owner, product, count, upper and lower half of the sum, currency.
type Won = (Option<UserId>, Option<Reference<Product>>, i64, Option<i64>, Option<i64>, Option<Currency>);

/// `sales_by_owner_and_product`
pub(crate) fn by_owner_and_product(ctx: &Context, selection: Selection) -> Result<Report<Sales>> {
    selection.check()?;
    ctx.sql().read(WON, &selection.params()).map(ranked)
}

/// The lines of each currency, the largest revenue first; what is equal stays in the order of the statement.
fn ranked(lines: Vec<Won>) -> Report<Sales> {
    let total = |line: &Won| Some(whole(line.3?, line.4?));
    let mut lines: Vec<_> = lines.into_iter().map(|line| (total(&line), line)).collect();
    lines.sort_by_key(|(total, line)| (line.5, Reverse(*total)));
    let mut fitting = Fitting::default();
    let row = |(total, (owner, product, won, _, _, currency)): (Option<i128>, Won)| {
        let revenue = total.and_then(|total| fitting.money(total, currency));
        Sales { owner, product, won, revenue }
    };
    let rows = lines.into_iter().map(row).collect();
    fitting.report(rows)
}

#[cfg(test)]
mod tests {
    use stoa_sdk::cells::Cell;
    use stoa_sdk::testing::Host;

    use super::*;
    use crate::totals::tests::halves;

    #[test]
    fn revenue_is_ranked_by_its_exact_sum_even_where_no_cell_holds_it() {
        let host = Host::new::<crate::Plugin>();
        let mut cells = Vec::new();
        for (count, amounts) in [(1, &[5][..]), (2, &[i64::MAX, i64::MAX]), (3, &[4_294_967_295, 1, 1])] {
            let [upper, lower] = halves(amounts);
            cells.extend([Cell::Null, Cell::Null, Cell::Integer(count), upper, lower, Cell::Text("EUR")]);
        }
        host.answer(WON, 6, &cells);
        let all = Selection { from: None, to: None, pipeline: None, owner: None };
        let report = by_owner_and_product(&host.context(), all).unwrap();
        let rows: Vec<_> =
            report.rows.iter().map(|row| (row.won, row.revenue.map(|money| money.minor))).collect();
        assert_eq!(rows, [(2, None), (3, Some(4_294_967_297)), (1, Some(5))]);
        assert_eq!(report.notes["sums_too_large"], 1);
    }
}
