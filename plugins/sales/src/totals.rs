//! Totals of money: exact whatever was entered, and given out only where they fit a cell.
//!
//! SQLite's `sum` fails for everybody once two amounts together leave 64 bits. So a statement sums the upper and the
//! lower 32 bits of the amounts apart, as `sum(amount >> 32), sum(amount & 4294967295)`: neither leaves 64 bits before
//! there are two thousand million rows. They are put together here in 128.

use stoa_sdk::prelude::*;

/// The sum whose upper and lower halves were summed apart.
pub(crate) fn whole(upper: i64, lower: i64) -> i128 {
    (i128::from(upper) << 32) + i128::from(lower)
}

/// Makes cells of totals, and counts those that are too large for one.
#[derive(Debug, Default)]
pub(crate) struct Fitting {
    too_large: i64,
}

impl Fitting {
    /// The total as money; none without a currency, and none when it is too large.
    pub(crate) fn money(&mut self, total: i128, currency: Option<Currency>) -> Option<Money> {
        let currency = currency?;
        let minor = i64::try_from(total).ok();
        self.too_large += i64::from(minor.is_none());
        minor.map(|minor| Money::new(minor, currency))
    }

    /// How many totals were too large.
    pub(crate) const fn too_large(&self) -> i64 {
        self.too_large
    }

    /// The report, with the number of totals that it leaves empty in its notes.
    pub(crate) fn report<R>(&self, rows: Vec<R>) -> Report<R> {
        Report::new(rows).note("sums_too_large", self.too_large)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use stoa_sdk::cells::Cell;

    use super::*;

    /// What the two sums of the halves of these amounts answer.
    pub(crate) fn halves(amounts: &[i64]) -> [Cell<'static>; 2] {
        let sum = |half: fn(i64) -> i64| Cell::Integer(amounts.iter().map(|amount| half(*amount)).sum());
        [sum(|amount| amount >> 32), sum(|amount| amount & 4_294_967_295)]
    }

    #[test]
    fn halves_summed_apart_make_the_exact_sum() {
        for amounts in
            [&[i64::MAX, i64::MAX, 1][..], &[i64::MIN, i64::MIN], &[-1, -1, 5], &[4_294_967_296, -7], &[0]]
        {
            let [Cell::Integer(upper), Cell::Integer(lower)] = halves(amounts) else {
                panic!("two integers");
            };
            assert_eq!(whole(upper, lower), amounts.iter().map(|amount| i128::from(*amount)).sum());
        }
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_counted() {
        let mut fitting = Fitting::default();
        let eur = "EUR".parse().ok();
        let largest = i128::from(i64::MAX);
        assert_eq!(fitting.money(largest, eur).map(|money| money.minor), Some(i64::MAX));
        assert_eq!(fitting.money(largest + 1, None), None);
        assert_eq!(fitting.too_large(), 0);
        assert_eq!(fitting.money(largest + 1, eur), None);
        assert_eq!(fitting.report(vec![0]).notes["sums_too_large"], 1);
    }

    #[test]
    fn amounts_and_prices_are_declared_with_the_bound() {
        let manifest = crate::describe();
        let bounds = ["amount", "list_price"].map(|key| {
            let entities = manifest.entities.iter().filter(|entity| entity.key != "stage_history");
            entities.flat_map(|entity| &entity.fields).find(|field| field.key == key).unwrap().max
        });
        // Ten trillion of a currency with two places.
        assert_eq!(bounds, [Some(1_000_000_000_000_000); 2]);
    }
}
