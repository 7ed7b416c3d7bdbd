//! Pipeline by stage: what stands where, what it is worth, and for how long it has stood there.

use std::collections::BTreeMap;

use stoa_sdk::divide_rounded;
use stoa_sdk::prelude::*;

use super::Selection;
use super::quantile::{Days, Histogram};
use crate::pipelines::{Kind, Pipeline, Stage};
use crate::totals::{Fitting, whole};

/// One stage and currency.
#[entity(row)]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pipeline: Reference<Pipeline>,
    stage: Reference<Stage>,
    #[field(label = "Stage name")]
    stage_name: String,
    position: i64,
    kind: Kind,
    count: i64,
    amount: Option<Money>,
    /// Amount times probability.
    weighted: Option<Money>,
    /// Of all currencies of the stage.
    #[field(label = "Median days in stage")]
    median_days: Option<Days>,
    /// Of all currencies of the stage.
    stale: i64,
}

const SUMS: Sql = sql!(
    "select stage, amount_currency, coalesce(probability, 0), count(*), ",
    "coalesce(sum(amount >> 32), 0), coalesce(sum(amount & 4294967295), 0) ",
    "from visible_opportunity where (?1 is null or expected_close_on >= ?1) ",
    "and (?2 is null or expected_close_on <= ?2) and (?3 is null or pipeline = ?3) and (?4 is null or owner_id = ?4) ",
    "group by 1, 2, 3"
);

const AGES: Sql = sql!(
    "select stage, (?5 - stage_entered_at) / 86400000, count(*) ",
    "from visible_opportunity where closed_on is null and stage_entered_at is not null ",
    "and (?1 is null or expected_close_on >= ?1) and (?2 is null or expected_close_on <= ?2) ",
    "and (?3 is null or pipeline = ?3) and (?4 is null or owner_id = ?4) group by 1, 2"
);

/// stage, currency, probability, count, upper and lower half of the sum.
type Part = (Reference<Stage>, Option<Currency>, Percent, i64, i64, i64);

/// `pipeline_by_stage`
pub(crate) fn by_stage(ctx: &Context, selection: Selection) -> Result<Report<Line>> {
    selection.check()?;
    let stages = ctx.records::<Stage>().find(&Find::all().sort("position"))?;
    let parts: Vec<Part> = ctx.sql().read(SUMS, &selection.params())?;
    let now = ctx.now();
    let [from, to, pipeline, owner] = selection.params();
    let ages: Vec<(Reference<Stage>, i64, i64)> = ctx.sql().read(AGES, &[from, to, pipeline, owner, &now])?;
    let mut by_stage: BTreeMap<Reference<Stage>, Vec<(i64, i64)>> = BTreeMap::new();
    ages.into_iter().for_each(|(stage, days, count)| by_stage.entry(stage).or_default().push((days, count)));

    let (mut rows, mut fitting) = (Vec::new(), Fitting::default());
    for stage in &stages {
        let ages = Histogram::new(by_stage.remove(&stage.id).unwrap_or_default());
        let mine: Vec<&Part> = parts.iter().filter(|part| part.0 == stage.id).collect();
        rows.extend(lines(stage, &mine, &ages, &mut fitting));
    }
    rows.sort_by_key(|line| (line.pipeline, line.position));
    Ok(fitting.report(rows))
}

/// A stage's lines, one per currency.
fn lines(stage: &Record<Stage>, parts: &[&Part], ages: &Histogram, fitting: &mut Fitting) -> Vec<Line> {
    let mut currencies: BTreeMap<Option<Currency>, (i64, i128, i128)> = BTreeMap::new();
    for (_, currency, probability, count, upper, lower) in parts {
        let amount = whole(*upper, *lower);
        let sums = currencies.entry(*currency).or_default();
        sums.0 += count;
        sums.1 += amount;
        // A sum of products stays exact in 128 bits; it is rounded once, at the end.
        sums.2 += amount * i128::from(probability.ppm());
    }
    let line = |(currency, (count, amount, product)): (Option<Currency>, (i64, i128, i128))| {
        let weighted = divide_rounded(product, 1_000_000).filter(|_| stage.kind == Kind::Open);
        Line {
            pipeline: stage.pipeline,
            stage: stage.id,
            stage_name: stage.name.clone(),
            position: stage.position,
            kind: stage.kind,
            count,
            amount: fitting.money(amount, currency),
            weighted: weighted.and_then(|weighted| fitting.money(weighted, currency)),
            median_days: ages.percentile(50),
            stale: stage.rotten_after_days.map_or(0, |limit| ages.above(limit)),
        }
    };
    currencies.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use stoa_sdk::cells::Cell;
    use stoa_sdk::testing::Host;

    use super::*;
    use crate::totals::tests::halves;

    #[test]
    fn weights_are_rounded_once_per_currency_and_ages_are_of_the_stage() {
        let host = Host::new::<crate::Plugin>();
        let ctx = host.context();
        let (_, stage) = crate::pipelines::talk(&ctx, 30);
        let stage = stage.id();
        let id = Cell::Blob(stage.as_bytes());
        let eur = Cell::Text("EUR");
        let part = |currency, probability, count, amounts: &[i64]| {
            let [upper, lower] = halves(amounts);
            [id, currency, Cell::Integer(probability), Cell::Integer(count), upper, lower]
        };
        let parts = [
            part(eur, 500_000, 1, &[1]),
            part(eur, 250_000, 2, &[1, 2]),
            part(Cell::Null, 100_000, 4, &[]),
            // The amounts leave 64 bits, the weighted sum does not: a quarter of it, and a half that is rounded away.
            part(Cell::Text("USD"), 250_000, 2, &[i64::MAX, i64::MAX]),
        ];
        host.answer(SUMS, 6, parts.as_flattened());
        host.answer(
            AGES,
            3,
            &[id, Cell::Integer(10), Cell::Integer(6), id, Cell::Integer(40), Cell::Integer(1)],
        );

        let all = Selection { from: None, to: None, pipeline: None, owner: None };
        let report = by_stage(&ctx, all).unwrap();
        let eur = &report.rows[1];
        // 0.5 + 0.75 cents: rounded apart they would be 2.
        assert_eq!(
            (eur.count, eur.amount.map(|m| m.minor), eur.weighted.map(|m| m.minor)),
            (3, Some(4), Some(1))
        );
        assert_eq!((eur.stale, eur.median_days), (1, Some(Days::from_scaled(1000))));
        assert_eq!((report.rows[0].count, report.rows[0].amount), (4, None));
        let usd = &report.rows[2];
        assert_eq!((usd.count, usd.amount, usd.weighted.map(|m| m.minor)), (2, None, Some(1 << 62)));
        assert_eq!(report.notes["sums_too_large"], 1);
    }
}
