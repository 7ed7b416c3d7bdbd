//! One search: what a record shares with others by their keys, and how they then score.
//!
//! A shared key says that two values are equal, so that of a candidate only what can still decide is read and brought to
//! its common form.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::blocking::{self, Key};
use super::normalize::Region;
use super::pair::{End, Forms, Score, forms, forms_where, reachable, score};
use super::rule::{Criterion, Rule};
use super::{index, keys};
use crate::ids::RecordId;
use crate::records::error::RecordError;
use crate::records::schema::Entity;
use crate::records::value::Value;
use crate::storage::Connection;

/// A record under the rules that compare it with one entity.
pub(super) struct Search<'a> {
    rules: Vec<Ruled<'a>>,
    keys: Vec<Key>,
    region: Region,
}

/// One rule, and what it compares of the record.
struct Ruled<'a> {
    rule: &'a Rule,
    end: End,
    own: Forms,
    /// For each criterion of equality: which key a record shares that is equal in it.
    anchors: Vec<Option<usize>>,
}

/// Records that share keys.
pub(super) struct Candidates {
    /// By their ids, the shared keys.
    pub(super) found: BTreeMap<RecordId, BTreeSet<usize>>,
    /// Keys that too many records have: nothing is known by them.
    pub(super) common: BTreeSet<usize>,
}

impl<'a> Search<'a> {
    /// For the likes of the record of `entity` with these values.
    pub(super) fn new(rules: &[(&'a Rule, End)], entity: &Entity, values: &[Value], region: Region) -> Self {
        let mut search = Self { rules: Vec::with_capacity(rules.len()), keys: Vec::new(), region };
        for (rule, end) in rules {
            let own = forms(rule, End::Own, entity, values, region);
            search.keys.extend(blocking::keys(rule, *end, &own));
            search.rules.push(Ruled { rule, end: *end, own, anchors: Vec::new() });
        }
        search.keys.sort_unstable();
        search.keys.dedup();
        for ruled in &mut search.rules {
            let anchor = |(criterion, form): (&Criterion, &Option<_>)| {
                let key = blocking::equality(criterion, ruled.end, form.as_ref()?)?;
                search.keys.binary_search(&key).ok()
            };
            ruled.anchors = ruled.rule.criteria.iter().zip(&ruled.own).map(anchor).collect();
        }
        search
    }

    /// Records that share a key and can still match a rule.
    pub(super) fn candidates(
        &self,
        conn: &Rc<Connection>,
        entity: &Entity,
        except: Option<RecordId>,
        most: usize,
    ) -> Result<Candidates, RecordError> {
        let mut candidates = Candidates { found: BTreeMap::new(), common: BTreeSet::new() };
        if !keys::kept(conn, entity)? {
            return Ok(candidates);
        }
        let mut sharing: BTreeMap<i64, BTreeSet<usize>> = BTreeMap::new();
        for (at, key) in self.keys.iter().enumerate() {
            let having = index::having(conn, entity, key, most + 1)?;
            if having.len() > most {
                candidates.common.insert(at);
                continue;
            }
            for row in having {
                sharing.entry(row).or_default().insert(at);
            }
        }
        for (row, shared) in sharing {
            if !self.rules.iter().any(|ruled| ruled.can_match(&shared, &candidates.common)) {
                continue;
            }
            if let Some(id) = index::record(conn, entity, row)?.filter(|id| Some(*id) != except) {
                candidates.found.insert(id, shared);
            }
        }
        Ok(candidates)
    }

    /// How a candidate with these values fares under each rule that takes it for the same.
    pub(super) fn scores(
        &self,
        candidates: &Candidates,
        id: RecordId,
        entity: &Entity,
        values: &[Value],
    ) -> Vec<(usize, Score)> {
        let Some(shared) = candidates.found.get(&id) else {
            return Vec::new();
        };
        let mut scores = Vec::new();
        for (at, ruled) in self.rules.iter().enumerate() {
            if !ruled.can_match(shared, &candidates.common) {
                continue;
            }
            let wanted = |criterion: usize| ruled.decides(criterion, shared, &candidates.common);
            let theirs = forms_where(ruled.rule, ruled.end, entity, values, self.region, wanted);
            let score = score(ruled.rule, &ruled.own, &theirs);
            if score.matches {
                scores.push((at, score));
            }
        }
        scores
    }
}

impl Ruled<'_> {
    /// Whether the rule can match a record that shares these keys.
    fn can_match(&self, shared: &BTreeSet<usize>, common: &BTreeSet<usize>) -> bool {
        reachable(self.rule, |criterion| self.decides(criterion, shared, common))
    }

    /// Whether a criterion can still count: its values are not known to differ.
    fn decides(&self, criterion: usize, shared: &BTreeSet<usize>, common: &BTreeSet<usize>) -> bool {
        match (self.own.get(criterion), self.anchors.get(criterion)) {
            (Some(Some(_)), Some(Some(anchor))) => shared.contains(anchor) || common.contains(anchor),
            (Some(Some(_)), _) => true, // merely alike is enough
            _ => self.rule.criteria.get(criterion).is_some_and(|criterion| criterion.null_matches),
        }
    }
}
