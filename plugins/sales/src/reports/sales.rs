//! Sales by owner and product: what was won, by whom, with what.

use stoa_sdk::prelude::*;

use super::Selection;
use crate::products::Product;

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
    "select owner_id, product, count(*), sum(amount), amount_currency ",
    "from visible_opportunity where is_won = 1 and (?1 is null or closed_on >= ?1) ",
    "and (?2 is null or closed_on <= ?2) and (?3 is null or pipeline = ?3) and (?4 is null or owner_id = ?4) ",
    "group by owner_id, product, amount_currency order by amount_currency, sum(amount) desc, owner_id, product"
);

/// `sales_by_owner_and_product`
pub(crate) fn by_owner_and_product(ctx: &Context, selection: Selection) -> Result<Report<Sales>> {
    selection.check()?;
    ctx.sql().read(WON, &selection.params()).map(Report::new)
}
