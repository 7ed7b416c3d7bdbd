//! From pairs to sets: records that are connected by pairs stand together. Pure.

use std::collections::HashMap;

use super::{MEMBERS, Pair};
use crate::ids::RecordId;

/// A set before it is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Built {
    /// In order.
    pub(super) members: Vec<RecordId>,
    /// The best pair.
    pub(super) best: Pair,
    /// Whether every pair could be merged without anybody looking.
    pub(super) automatic: bool,
}

/// The sets that pairs make, the best pairs first: a pair that would make a set too large is left out, so that chains of
/// weak likeness cannot swallow a table.
pub(super) fn unite(mut pairs: Vec<Pair>) -> Vec<Built> {
    pairs.sort_by(|one, other| {
        other.score.cmp(&one.score).then(one.a.cmp(&other.a)).then(one.b.cmp(&other.b))
    });
    let mut forest = Forest::default();
    for pair in &pairs {
        let (a, b) = (forest.node(pair.a), forest.node(pair.b));
        forest.connect(a, b);
    }
    let mut sets: HashMap<usize, Built> = HashMap::new();
    for pair in pairs {
        let (a, b) = (forest.node(pair.a), forest.node(pair.b));
        let (root, other) = (forest.root(a), forest.root(b));
        if root != other {
            continue; // it would have made the set too large
        }
        let fresh = || Built { members: Vec::new(), automatic: true, best: pair.clone() };
        let set = sets.entry(root).or_insert_with(fresh); // the first pair of a set is its best
        set.automatic &= pair.automatic;
        set.members.extend([pair.a, pair.b]);
    }
    let mut sets: Vec<Built> = sets.into_values().collect();
    for set in &mut sets {
        set.members.sort_unstable();
        set.members.dedup();
    }
    sets.sort_by(|one, other| one.members.cmp(&other.members));
    sets
}

/// Trees of records, each node knowing its parent.
#[derive(Default)]
struct Forest {
    nodes: HashMap<RecordId, usize>,
    parent: Vec<usize>,
    size: Vec<usize>,
}

impl Forest {
    fn node(&mut self, record: RecordId) -> usize {
        let next = self.parent.len();
        let node = *self.nodes.entry(record).or_insert(next);
        if node == next {
            self.parent.push(next);
            self.size.push(1);
        }
        node
    }

    fn root(&mut self, mut node: usize) -> usize {
        while let Some(parent) = self.parent.get(node).copied().filter(|parent| *parent != node) {
            let above = self.parent.get(parent).copied().unwrap_or(parent);
            if let Some(slot) = self.parent.get_mut(node) {
                *slot = above; // half the way for whoever comes next
            }
            node = parent;
        }
        node
    }

    fn connect(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        let size = |forest: &Self, node: usize| forest.size.get(node).copied().unwrap_or(1);
        let together = size(self, a) + size(self, b);
        if a == b || together > MEMBERS {
            return;
        }
        let (above, below) = if size(self, a) >= size(self, b) { (a, b) } else { (b, a) };
        if let (Some(parent), Some(size)) = (self.parent.get_mut(below), self.size.get_mut(above)) {
            (*parent, *size) = (above, together);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: u8) -> RecordId {
        RecordId::from_bytes([number; 16])
    }

    fn pair(a: u8, b: u8, score: u8) -> Pair {
        Pair { a: record(a), b: record(b), score, rule: format!("r{score}"), automatic: score == 100 }
    }

    #[test]
    fn connected_records_stand_together_with_their_best_pair() {
        let sets = unite(vec![pair(1, 2, 90), pair(2, 3, 100), pair(7, 8, 100)]);
        assert_eq!(sets.len(), 2);
        assert_eq!(sets[0].members, [1, 2, 3].map(record));
        assert_eq!((sets[0].best.score, sets[0].best.rule.as_str(), sets[0].automatic), (100, "r100", false));
        assert_eq!((sets[1].members.as_slice(), sets[1].automatic), ([7, 8].map(record).as_slice(), true));
    }

    #[test]
    fn a_chain_is_cut_where_the_set_is_full_at_its_weakest_pairs() {
        let mut pairs: Vec<Pair> = (1..=60).map(|n| pair(n, n + 1, 95)).collect();
        pairs.push(pair(100, 101, 100));
        let sets = unite(pairs);
        assert!(sets.iter().all(|set| (2..=MEMBERS).contains(&set.members.len())));
        let mut all: Vec<RecordId> = sets.iter().flat_map(|set| set.members.clone()).collect();
        let listed = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), listed, "no record stands in two sets");
        assert_eq!(sets.len(), 3);
    }
}
