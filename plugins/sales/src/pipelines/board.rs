//! The board: a pipeline's stages as columns, with what the caller may see in each.

use std::collections::BTreeMap;

use stoa_sdk::prelude::*;

use super::{Kind, Pipeline, Stage};
use crate::totals::{Fitting, whole};

/// What to show.
#[entity(value)]
pub(crate) struct Show {
    /// Cards per column.
    #[field(min = 0, max = 200, default = 20)]
    cards: i64,
    /// Only this owner's opportunities.
    owner: Option<UserId>,
}

/// An opportunity on the board.
#[entity(value)]
pub(crate) struct Card {
    id: RecordId,
    name: String,
    owner: Option<UserId>,
    account: Option<RecordId>,
    amount: Option<Money>,
    expected_close_on: Option<Date>,
    /// Whether it stands here longer than the stage allows.
    stale: bool,
}

/// A stage on the board.
#[entity(value)]
pub(crate) struct Column {
    stage: Reference<Stage>,
    name: String,
    kind: Kind,
    probability: Option<Percent>,
    count: i64,
    /// One sum per currency.
    sums: Vec<Money>,
    /// Sums that are left out, because they do not fit 64 bits of minor units.
    sums_too_large: i64,
    cards: Vec<Card>,
}

/// The board.
#[entity(value)]
pub(crate) struct Board {
    pipeline: Reference<Pipeline>,
    columns: Vec<Column>,
}

const SUMS: Sql = sql!(
    "select stage, count(*), sum(amount >> 32), sum(amount & 4294967295), amount_currency from visible_opportunity ",
    "where pipeline = ?1 and (?2 is null or owner_id = ?2) group by stage, amount_currency order by amount_currency"
);

const CARDS: Sql = sql!(
    "select stage, id, name, owner_id, account, amount, amount_currency, expected_close_on, stage_entered_at from (",
    "select stage, id, name, owner_id, account, amount, amount_currency, expected_close_on, stage_entered_at, ",
    "row_number() over (partition by stage order by expected_close_on is null, expected_close_on, id) as place ",
    "from visible_opportunity where pipeline = ?1 and (?2 is null or owner_id = ?2)",
    ") where place <= ?3 order by stage, place"
);

/// stage, count, upper and lower half of the sum, currency.
type Sum = (Reference<Stage>, i64, Option<i64>, Option<i64>, Option<Currency>);

/// A card as the query answers it, with its stage and since when it stands there.
#[entity(row)]
struct CardRow {
    stage: Reference<Stage>,
    id: RecordId,
    name: String,
    owner: Option<UserId>,
    account: Option<RecordId>,
    amount: Option<Money>,
    expected_close_on: Option<Date>,
    entered_at: Option<DateTime>,
}

/// `pipeline.board`
pub(crate) fn board(ctx: &Context, pipeline: Reference<Pipeline>, show: Show) -> Result<Board> {
    let stages = ctx.records::<Stage>().find(&Find::all().eq("pipeline", &pipeline).sort("position"))?;
    let sums: Vec<Sum> = ctx.sql().read(SUMS, &[&pipeline, &show.owner])?;
    let rows: Vec<CardRow> = ctx.sql().read(CARDS, &[&pipeline, &show.owner, &show.cards])?;
    let mut cards: BTreeMap<Reference<Stage>, Vec<CardRow>> = BTreeMap::new();
    rows.into_iter().for_each(|row| cards.entry(row.stage).or_default().push(row));

    let column = |stage: Record<Stage>| {
        let mine = || sums.iter().filter(|sum| sum.0 == stage.id);
        let mut fitting = Fitting::default();
        let sums = mine()
            .filter_map(|(_, _, upper, lower, currency)| {
                fitting.money(whole((*upper)?, (*lower)?), *currency)
            })
            .collect();
        let rows = cards.remove(&stage.id).unwrap_or_default();
        Column {
            stage: stage.id,
            kind: stage.kind,
            probability: stage.probability,
            count: mine().map(|sum| sum.1).sum(),
            sums,
            sums_too_large: fitting.too_large(),
            cards: rows.into_iter().map(|row| card(row, &stage, ctx.now())).collect(),
            name: stage.fields.name,
        }
    };
    Ok(Board { pipeline, columns: stages.into_iter().map(column).collect() })
}

fn card(row: CardRow, stage: &Stage, now: DateTime) -> Card {
    let days = row.entered_at.map_or(0, |entered| now.millis_since(entered) / 86_400_000);
    Card {
        id: row.id,
        name: row.name,
        owner: row.owner,
        account: row.account,
        amount: row.amount,
        expected_close_on: row.expected_close_on,
        stale: stage.kind == Kind::Open && stage.rotten_after_days.is_some_and(|limit| days > limit),
    }
}

#[cfg(test)]
mod tests {
    use stoa_sdk::cells::Cell;
    use stoa_sdk::testing::Host;

    use super::*;
    use crate::totals::tests::halves;

    #[test]
    fn a_column_counts_over_all_currencies_and_sums_each() {
        let host = Host::new::<crate::Plugin>();
        let ctx = host.context();
        let (home, stage) = crate::pipelines::talk(&ctx, 5);
        let stage = stage.id();
        let id = Cell::Blob(stage.as_bytes());
        let owner = ctx.user();
        let owner = Cell::Blob(owner.0.as_bytes());
        let sum = |count, currency, [upper, lower]: [Cell<'static>; 2]| {
            [id, Cell::Integer(count), upper, lower, currency]
        };
        let sums = [
            sum(2, Cell::Null, [Cell::Null; 2]),
            sum(3, Cell::Text("EUR"), halves(&[200, 300])),
            sum(2, Cell::Text("USD"), halves(&[i64::MAX, i64::MAX])),
        ];
        host.answer(SUMS, 5, sums.as_flattened());
        let old = Cell::Integer(ctx.now().millis() - 6 * 86_400_000);
        host.answer(
            CARDS,
            9,
            &[
                id,
                owner,
                Cell::Text("Big"),
                owner,
                Cell::Null,
                Cell::Integer(500),
                Cell::Text("EUR"),
                Cell::Null,
                old,
            ],
        );

        let board = board(&ctx, home, Show { cards: 20, owner: None }).unwrap();
        let column = &board.columns[0];
        assert_eq!((column.count, column.sums.len(), column.sums[0].minor), (7, 1, 500));
        assert_eq!(column.sums_too_large, 1);
        assert!(column.cards[0].stale);
    }
}
