//! A report with a column of every type.

use stoa_sdk::prelude::*;

use crate::dishes::Course;

/// Which dishes. Over GET every value arrives as text.
#[entity(value)]
pub(crate) struct Params {
    course: Option<Course>,
    /// Invented on this day or later.
    from: Option<Date>,
    /// Invented on this day or earlier.
    to: Option<Date>,
    /// Cheaper ones are left out.
    #[field(max = 12)]
    currency: Option<String>,
}

/// One dish.
#[entity(row)]
pub(crate) struct Line {
    name: String,
    servings: i64,
    weight: Option<Decimal<3>>,
    margin: Option<Percent>,
    price: Option<Money>,
    vegan: bool,
    invented_on: Option<Date>,
    first_served_at: Option<DateTime>,
    cooking_time: Option<Duration>,
    course: Course,
    #[field(references = "crm.account")]
    supplier: Option<RecordId>,
    invented_by: Option<UserId>,
    brigade: Option<TeamId>,
}

const CARD: Sql = sql!(
    "select name, servings, weight, margin, price, price_currency, vegan, invented_on, first_served_at, ",
    "cooking_time, course, supplier, invented_by, brigade from visible_dish ",
    "where (?1 is null or course = ?1) and (?2 is null or invented_on >= ?2) ",
    "and (?3 is null or invented_on <= ?3) and (?4 is null or price_currency = ?4) order by name, id limit 200"
);

/// `card`
pub(crate) fn card(ctx: &Context, params: Params) -> Result<Report<Line>> {
    if params.from.zip(params.to).is_some_and(|(from, to)| from > to) {
        return Err(Refusal::invalid("/from", "after_to", "choose a day that is not after `to`"));
    }
    let lines: Vec<Line> =
        ctx.sql().read(CARD, &[&params.course, &params.from, &params.to, &params.currency])?;
    let vegan = lines.iter().filter(|line| line.vegan).count();
    Ok(Report::new(lines).note("vegan", vegan))
}
