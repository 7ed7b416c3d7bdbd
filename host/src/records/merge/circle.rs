//! Circles: a merge makes one node of several, and what was a chain of parents may bite its tail. Pure.

use std::collections::HashSet;

use crate::ids::RecordId;

/// Longest chain that is walked; a longer one is taken for endless.
const LONGEST: usize = 10_000;

/// Whether the chain that begins at `start` comes to `survivor`; every record of `merged` counts as the survivor.
///
/// # Errors
/// Those of `parent_of`.
pub(super) fn returns_to<E>(
    survivor: RecordId,
    start: Option<RecordId>,
    merged: &[RecordId],
    mut parent_of: impl FnMut(RecordId) -> Result<Option<RecordId>, E>,
) -> Result<bool, E> {
    let (mut at, mut seen) = (start, HashSet::new());
    while let Some(record) = at {
        if record == survivor || merged.contains(&record) {
            return Ok(true);
        }
        if seen.len() >= LONGEST || !seen.insert(record) {
            return Ok(false); // a circle that does not pass through the survivor is not of our making
        }
        at = parent_of(record)?;
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::convert::Infallible;

    use super::*;

    fn returns(parents: &[(u8, u8)], start: u8, merged: &[u8]) -> bool {
        let id = |n: u8| RecordId::from_bytes([n; 16]);
        let parents: HashMap<_, _> = parents.iter().map(|(from, to)| (id(*from), id(*to))).collect();
        let merged: Vec<_> = merged.iter().map(|n| id(*n)).collect();
        let parent_of = |record| Ok::<_, Infallible>(parents.get(&record).copied());
        returns_to(id(1), Some(id(start)), &merged, parent_of).unwrap()
    }

    #[test]
    fn a_chain_that_meets_the_survivor_or_a_loser_returns_to() {
        assert!(returns(&[], 1, &[]));
        assert!(returns(&[(2, 3), (3, 1)], 2, &[]));
        assert!(returns(&[(2, 3)], 2, &[3]));
        assert!(!returns(&[(2, 3), (3, 4)], 2, &[5]));
    }

    #[test]
    fn a_circle_elsewhere_ends_the_walk() {
        assert!(!returns(&[(2, 3), (3, 2)], 2, &[]));
    }
}
