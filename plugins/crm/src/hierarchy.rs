//! The rule of trees of companies: no company above itself, and no more than ten levels. Pure.

use stoa_sdk::{RecordId, Result};

/// Levels of a tree, the top included.
pub(crate) const LEVELS: usize = 10;

/// What is above a record.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Above {
    /// So many records.
    Levels(usize),
    /// The record itself.
    Itself,
    /// More records than any tree may have.
    TooMany,
}

/// Walks up from `id`, whose parent is `parent`.
pub(crate) fn above(
    id: RecordId,
    parent: RecordId,
    mut parent_of: impl FnMut(RecordId) -> Result<Option<RecordId>>,
) -> Result<Above> {
    let mut at = Some(parent);
    let mut levels = 0;
    while let Some(record) = at {
        if record == id {
            return Ok(Above::Itself);
        }
        levels += 1;
        if levels >= LEVELS {
            return Ok(Above::TooMany);
        }
        at = parent_of(record)?;
    }
    Ok(Above::Levels(levels))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> RecordId {
        RecordId::from_halves(0, n)
    }

    /// Record n stands below n + 1, up to `top`.
    fn chain(top: u64) -> impl FnMut(RecordId) -> Result<Option<RecordId>> {
        move |record| Ok(Some(record.halves().1).filter(|n| *n < top).map(|n| id(n + 1)))
    }

    #[test]
    fn nobody_stands_above_themselves() {
        assert_eq!(above(id(1), id(1), chain(1)).unwrap(), Above::Itself);
        assert_eq!(above(id(3), id(1), chain(5)).unwrap(), Above::Itself);
        assert_eq!(above(id(9), id(1), chain(3)).unwrap(), Above::Levels(3));
    }

    #[test]
    fn a_tree_ends_after_ten_levels_and_a_circle_above_does_not_hang() {
        assert_eq!(above(id(0), id(1), chain(9)).unwrap(), Above::Levels(9));
        assert_eq!(above(id(0), id(1), chain(10)).unwrap(), Above::TooMany);
        assert_eq!(above(id(0), id(1), |_| Ok(Some(id(1)))).unwrap(), Above::TooMany);
    }
}
