//! Actions of every target and mode. An input is a struct whose doc comments become the document's descriptions; what a
//! `read` action takes over GET arrives as text, so its inputs are texts, choices, dates and exact numbers.

use serde_json::json;
use stoa_sdk::prelude::*;

use crate::around::Tasting;
use crate::dishes::{Course, Dish};

/// How good it was.
#[entity(value)]
pub(crate) struct Praise {
    #[field(min = 1, max = 10)]
    points: i64,
    /// What to tell the cook.
    #[field(min = 1, max = 500)]
    remark: String,
}

/// What came of it.
#[entity(value)]
pub(crate) struct Praised {
    /// The points of all.
    rating: i64,
    tasting: Reference<Tasting>,
}

/// `POST /api/v1/kitchen/dishes/{id}/praise`
pub(crate) fn praise(ctx: &Context, id: Reference<Dish>, input: Praise) -> Result<Praised> {
    let mut dish = ctx.records::<Dish>().get(id)?;
    let tastings = ctx.records::<Tasting>().as_plugin();
    let before = tastings.find(&Find::all().eq("dish", &id))?;
    if before.iter().any(|tasting| tasting.remark == input.remark) {
        let refusal = Refusal::conflict("said_before", "somebody has said that already; find other words");
        return Err(refusal.with("allowed", json!([{ "action": "recipe" }])));
    }
    let now = Some(ctx.now());
    let tasting = Tasting { dish: Some(id), points: input.points, remark: input.remark, tasted_at: now };
    let tasting = tastings.create(&tasting)?;
    dish.rating += input.points;
    // `rating` is read-only to everybody else: only plugin code writes it.
    ctx.records().save(&mut dish)?;
    Ok(Praised { rating: dish.rating, tasting })
}

/// For how many.
#[entity(value)]
pub(crate) struct Guests {
    /// Servings, exact to halves: `2.5`.
    servings: Option<Decimal<1>>,
}

/// A recipe.
#[entity(value)]
pub(crate) struct Recipe {
    name: String,
    /// In kilograms.
    weight: Option<Decimal<3>>,
    takes: Option<Duration>,
    with: Vec<Reference<Dish>>,
}

/// `GET /api/v1/kitchen/dishes/{id}/recipe?servings=2.5`
pub(crate) fn recipe(ctx: &Context, id: Reference<Dish>, input: Guests) -> Result<Recipe> {
    let dish = ctx.records::<Dish>().get(id)?;
    let tenths = input.servings.map_or(dish.servings.saturating_mul(10), Decimal::scaled);
    let grams = |weight: Decimal<3>| {
        let wanted = i128::from(weight.scaled()) * i128::from(tenths);
        let grams = stoa_sdk::divide_rounded(wanted, i128::from(dish.servings) * 10)?;
        i64::try_from(grams).ok()
    };
    let weight = dish.weight.and_then(grams).map(Decimal::from_scaled);
    Ok(Recipe { name: dish.name.clone(), weight, takes: dish.cooking_time, with: dish.goes_with.clone() })
}

/// Where to.
#[entity(value)]
pub(crate) struct Delivery {
    to: Address,
}

/// Never runs: this host answers `not_available` to actions with effects.
pub(crate) fn deliver(_: &Context, id: Reference<Dish>, input: Delivery) -> Result<Delivery> {
    let _ = id;
    Ok(input)
}

/// By how much.
#[entity(value)]
pub(crate) struct Reprice {
    /// Of the present price.
    by: Percent,
    currency: Currency,
}

/// How many.
#[entity(value)]
pub(crate) struct Count {
    count: i64,
}

/// `POST /api/v1/kitchen/dishes/reprice`
pub(crate) fn reprice(ctx: &Context, input: Reprice) -> Result<Count> {
    if input.by.ppm() <= 0 {
        return Err(Refusal::invalid("/by", "too_small", "prices are only ever raised: say more than 0"));
    }
    let mut dishes = ctx.records::<Dish>().find(&Find::all())?;
    dishes.retain(|dish| dish.price.is_some_and(|price| price.currency == input.currency));
    for dish in &mut dishes {
        let Some(price) = &mut dish.price else { continue };
        let raised = input.by.of(price.minor).and_then(|more| price.minor.checked_add(more));
        price.minor =
            raised.ok_or_else(|| Refusal::invalid("/by", "too_large", "no price can be that high"))?;
    }
    ctx.records().save_all(&mut dishes)?;
    Ok(Count { count: i64::try_from(dishes.len()).unwrap_or(i64::MAX) })
}

/// Which.
#[entity(value)]
pub(crate) struct Selection {
    course: Option<Course>,
    /// Invented on this day or later.
    since: Option<Date>,
}

const COUNT: Sql = sql!(
    "select count(*) from visible_dish where (?1 is null or course = ?1) ",
    "and (?2 is null or invented_on >= ?2)"
);

/// `GET /api/v1/kitchen/dishes/count?course=main`
pub(crate) fn count(ctx: &Context, input: Selection) -> Result<Count> {
    let rows: Vec<(i64,)> = ctx.sql().read(COUNT, &[&input.course, &input.since])?;
    Ok(Count { count: rows.first().map_or(0, |row| row.0) })
}

/// Never runs.
pub(crate) fn advertise(_: &Context, _: ()) -> Result<()> {
    Ok(())
}

/// When.
#[entity(value)]
pub(crate) struct Opening {
    /// Today unless said.
    day: Option<Date>,
}

/// How often.
#[entity(value)]
pub(crate) struct Opened {
    day: Date,
    /// How often the kitchen was opened on that day.
    times: i64,
}

const OPEN: Sql =
    sql!("insert into opening (day, times) values (?1, 1) on conflict (day) do update set times = times + 1");
const TIMES: Sql = sql!("select times from opening where day = ?1");

/// `POST /api/v1/kitchen/open`: what no entity needs to know stands in a private table.
pub(crate) fn open(ctx: &Context, input: Opening) -> Result<Opened> {
    let day = input.day.map_or_else(|| ctx.today(), Ok)?;
    ctx.sql().run(OPEN, &[&day])?;
    let times: Vec<(i64,)> = ctx.sql().read(TIMES, &[&day])?;
    Ok(Opened { day, times: times.first().map_or(0, |row| row.0) })
}

/// The settings.
#[entity(value)]
pub(crate) struct Hours {
    opens: String,
    seats: i64,
}

/// `GET /api/v1/kitchen/hours`
pub(crate) fn hours(ctx: &Context, _: ()) -> Result<Hours> {
    Ok(Hours { opens: ctx.setting("opens")?, seats: ctx.setting("seats")? })
}

/// Never runs.
pub(crate) fn announce(_: &Context, _: ()) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use stoa_sdk::testing::Host;

    use super::*;
    use crate::data::plain;

    #[test]
    fn a_praise_counts_once_and_a_recipe_scales() {
        let host = Host::new::<crate::Plugin>();
        let ctx = host.context();
        let dish = Dish { weight: Some(Decimal::from_scaled(1_000)), servings: 4, ..plain("Stew") };
        let id = ctx.records().create(&dish).unwrap();
        let praised = |points| praise(&ctx, id, Praise { points, remark: "Good".into() });
        assert_eq!(praised(7).unwrap().rating, 7);
        assert_eq!(praised(3).err().map(|refusal| refusal.code), Some("said_before".into()));
        let recipe = recipe(&ctx, id, Guests { servings: Some(Decimal::from_scaled(25)) }).unwrap();
        assert_eq!(recipe.weight.map(Decimal::scaled), Some(625));
    }

    #[test]
    fn prices_rise_in_one_currency() {
        let host = Host::new::<crate::Plugin>();
        let ctx = host.context();
        let price = |text: &str, code: &str| Money::parse(text, code.parse().unwrap()).ok();
        let dishes = [("a", price("10.00", "EUR")), ("b", price("10.00", "USD")), ("c", None)];
        let dishes = dishes.map(|(name, price)| Dish { price, ..plain(name) });
        ctx.records().create_all(&dishes).unwrap();
        let raise = |ppm| Reprice { by: Percent::from_ppm(ppm), currency: "EUR".parse().unwrap() };
        assert_eq!(reprice(&ctx, raise(50_000)).unwrap().count, 1);
        assert_eq!(host.stored::<Dish>().unwrap()[0].price.map(|price| price.minor), Some(1_050));
        assert!(reprice(&ctx, raise(0)).is_err());
    }
}
