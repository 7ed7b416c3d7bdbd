//! A report over more rows than one result may have: it reads them in parts, with a cursor.

use stoa_sdk::prelude::*;

use crate::dishes::Course;

/// Which dishes.
#[entity(value)]
pub(crate) struct Params {
    course: Option<Course>,
}

/// One dish.
#[entity(row)]
pub(crate) struct Line {
    name: String,
    portions: i64,
    /// What the cheapest portion costs.
    least: Money,
    /// What the dearest costs: a cent more, where the price does not divide.
    most: Money,
}

/// A row for each portion.
const PORTIONS: Sql = sql!(
    "with recursive portion (dish, name, number, servings, price, currency) as (",
    "select id, name, 1, servings, price, price_currency from visible_dish ",
    "where price is not null and servings > 0 and (?1 is null or course = ?1) ",
    "union all select dish, name, number + 1, servings, price, currency from portion where number < servings) ",
    "select dish, name, price * number / servings - price * (number - 1) / servings, currency from portion ",
    "order by name, dish, number"
);

/// `portions`
pub(crate) fn portions(ctx: &Context, params: Params) -> Result<Report<Line>> {
    let mut lines: Vec<(RecordId, Line)> = Vec::new();
    let mut rows = 0_u32;
    for row in ctx.sql().cursor(PORTIONS, &[&params.course])?.rows::<(RecordId, String, Money)>() {
        let (dish, name, share) = row?;
        rows += 1;
        match lines.last_mut() {
            Some((last, line)) if *last == dish => {
                line.portions += 1;
                line.least.minor = line.least.minor.min(share.minor);
                line.most.minor = line.most.minor.max(share.minor);
            }
            _ => lines.push((dish, Line { name, portions: 1, least: share, most: share })),
        }
    }
    Ok(Report::new(lines.into_iter().map(|(_, line)| line).collect()).note("portions", rows))
}

#[cfg(test)]
mod tests {
    use stoa_sdk::cells::Cell;
    use stoa_sdk::testing::Host;

    use super::*;

    #[test]
    fn portions_of_a_dish_become_one_line() {
        let host = Host::new::<crate::Plugin>();
        let (stew, soup) = ([1; 16], [2; 16]);
        let row =
            |dish, name, share| [Cell::Blob(dish), Cell::Text(name), Cell::Integer(share), Cell::Text("EUR")];
        let rows = [
            row(&soup, "Soup", 250),
            row(&stew, "Stew", 333),
            row(&stew, "Stew", 333),
            row(&stew, "Stew", 334),
        ];
        host.answer(PORTIONS, 4, &rows.concat());
        let report = portions(&host.context(), Params { course: None }).unwrap();
        let lines: Vec<_> = report
            .rows
            .iter()
            .map(|line| (&*line.name, line.portions, line.least.minor, line.most.minor))
            .collect();
        assert_eq!(lines, [("Soup", 1, 250, 250), ("Stew", 3, 333, 334)]);
    }
}
