//! The job that looks for duplicates in a whole table: along the stored keys in bounded stretches. How far it came stands
//! in the same transaction as what it found, so that it can be interrupted anywhere.

mod store;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde_json::json;

use super::unite::unite;
use super::{Pair, SetsError};
use crate::ids::{JobId, RecordId};
use crate::jobs::{self, Jobs};
use crate::records::duplicates::blocking::Key;
use crate::records::duplicates::pair::{End, Forms, forms, score, worth};
use crate::records::duplicates::rule::Rule;
use crate::records::duplicates::{COMMON, index, keys, store as stored};
use crate::records::error::RecordError;
use crate::records::schema::{Entity, Module};
use crate::records::tx::{Hooks, Tx};
use crate::records::{Records, Scope};
use crate::storage::Verdict;

/// Keys that are read at once.
const STRETCH: usize = 5_000;
/// Sets that are stored, and pairs that are read, at once.
const BATCH: usize = 2_000;

pub(super) struct Walk<'a> {
    pub(super) engine: &'a Records,
    pub(super) jobs: &'a Jobs,
    pub(super) scope: &'a Scope,
    pub(super) module: Arc<Module>,
    pub(super) entity: Arc<Entity>,
    pub(super) hooks: &'a Arc<dyn Hooks + Send + Sync>,
    pub(super) job: JobId,
}

/// What one stretch of keys brought.
struct Stretch {
    at: store::Progress,
    pairs: Vec<Pair>,
    last: bool,
}

impl Walk<'_> {
    pub(super) fn run(&self) -> Result<String, SetsError> {
        let entity = Arc::clone(&self.entity);
        while self.write(move_step(&entity))? {
            self.report(&store::Progress::default())?; // keys of new rules are still being made
        }
        let job = self.job;
        let mut at = self.engine.read(self.scope, &self.module, |conn| store::progress(conn, job))?;
        loop {
            let stretch = self.stretch(at)?;
            at = stretch.at.clone();
            let (progress, pairs) = (stretch.at, stretch.pairs);
            self.write(move |tx| store::advance(&tx.conn, job, &progress, &pairs))?;
            self.report(&at)?;
            if stretch.last {
                break;
            }
        }
        let (count, members) = self.publish()?;
        let result = json!({
            "entity": &*self.entity.object,
            "sets": count,
            "members": members,
            "compared": at.compared,
            "skipped_keys": at.skipped,
        });
        Ok(result.to_string())
    }

    fn write<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Tx) -> Result<T, RecordError> + Send + 'static,
    ) -> Result<T, RecordError> {
        self.engine.write_blocking(self.scope, &self.module, self.hooks, move |tx| f(tx).map(Verdict::Keep))
    }

    /// Tells how far it is, and hears whether it was cancelled.
    fn report(&self, at: &store::Progress) -> Result<(), SetsError> {
        // How many keys there are is known only when all were seen.
        let progress = jobs::Progress { done: at.walked, total: None, failed: 0 };
        Ok(tokio::runtime::Handle::current().block_on(self.jobs.set_progress(self.job, progress))?)
    }

    /// Compares the records that share the next keys.
    fn stretch(&self, mut at: store::Progress) -> Result<Stretch, RecordError> {
        let behind = (!at.sort.is_empty()).then(|| Key { sort: at.sort.clone(), hash: at.hash });
        let keys = self.engine.read(self.scope, &self.module, |conn| {
            index::stretch(conn, &self.entity, behind.as_ref(), STRETCH)
        })?;
        let last = keys.is_empty();
        let mut groups: Vec<Vec<RecordId>> = Vec::new();
        let mut rest = keys.as_slice();
        while let Some((key, _)) = rest.first() {
            let length = rest.iter().take_while(|(other, _)| other == key).count();
            let (group, behind) = rest.split_at(length);
            if behind.is_empty() && !last && length < keys.len() {
                break; // it may go on behind the stretch, and comes first in the next one
            }
            at.sort.clone_from(&key.sort);
            at.hash = key.hash;
            at.walked += i64::try_from(length).unwrap_or_default();
            if length > COMMON {
                at.skipped += 1;
            } else {
                groups.push(group.iter().map(|(_, record)| *record).collect());
            }
            rest = behind;
        }
        let (pairs, compared) = self.compare(&groups)?;
        at.compared += compared;
        Ok(Stretch { at, pairs, last })
    }

    fn compare(&self, groups: &[Vec<RecordId>]) -> Result<(Vec<Pair>, i64), RecordError> {
        let rules: Vec<&Rule> = self.entity.duplicates.iter().filter(|rule| rule.within()).collect();
        let records: BTreeSet<RecordId> =
            groups.iter().filter(|group| group.len() > 1).flatten().copied().collect();
        let own: Vec<(&Rule, End)> = rules.iter().map(|rule| (*rule, End::Own)).collect();
        let fields = keys::compared(&self.entity, &own);
        let (rows, region) = self.engine.read(self.scope, &self.module, |conn| {
            Ok((stored::rows(conn, &self.entity, &fields, records)?, keys::region(conn)?))
        })?;
        let read: HashMap<RecordId, Vec<Forms>> = rows
            .iter()
            .map(|(id, row)| {
                (*id, rules.iter().map(|rule| forms(rule, End::Own, &self.entity, row, region)).collect())
            })
            .collect();
        let mut seen = HashSet::new();
        let mut pairs = Vec::new();
        for group in groups {
            for (at, one) in group.iter().enumerate() {
                for other in group.iter().skip(at + 1) {
                    let (a, b) = (*one.min(other), *one.max(other));
                    if seen.insert((a, b)) {
                        pairs.extend(best(&rules, a, b, &read));
                    }
                }
            }
        }
        let compared = i64::try_from(seen.len()).unwrap_or_default();
        let undismissed = self.engine.read(self.scope, &self.module, |conn| {
            let mut kept = Vec::with_capacity(pairs.len());
            for pair in pairs {
                if !stored::dismissed(conn, &self.entity, pair.a, pair.b)? {
                    kept.push(pair);
                }
            }
            Ok(kept)
        })?;
        Ok((undismissed, compared))
    }

    /// Makes sets of the pairs; answers how many, and of how many records.
    fn publish(&self) -> Result<(usize, usize), SetsError> {
        let (mut pairs, mut behind) =
            (Vec::new(), (RecordId::from_bytes([0; 16]), RecordId::from_bytes([0; 16])));
        loop {
            let next = self
                .engine
                .read(self.scope, &self.module, |conn| store::pairs_after(conn, self.job, behind, BATCH))?;
            let Some(last) = next.last() else { break };
            behind = (last.a, last.b);
            pairs.extend(next);
        }
        let built = unite(pairs);
        let (count, members) = (built.len(), built.iter().map(|set| set.members.len()).sum());
        let (entity, job) = (Arc::clone(&self.entity), self.job);
        self.write(move |tx| store::rebuild(&tx.conn, &entity))?;
        for batch in built.chunks(BATCH) {
            let (entity, batch) = (Arc::clone(&self.entity), batch.to_vec());
            self.write(move |tx| store::build(&tx.conn, &entity, job, &batch, tx.now))?;
        }
        let entity = Arc::clone(&self.entity);
        self.write(move |tx| store::publish(&tx.conn, &entity, job))?;
        Ok((count, members))
    }
}

/// What the rules make of two records: the best that matches.
fn best(rules: &[&Rule], a: RecordId, b: RecordId, read: &HashMap<RecordId, Vec<Forms>>) -> Option<Pair> {
    let (left, right) = (read.get(&a)?, read.get(&b)?);
    let sides = rules.iter().zip(left.iter().zip(right)).filter(|(rule, (a, b))| worth(rule, a, b));
    let scores = sides.map(|(rule, (a, b))| (rule, score(rule, a, b)));
    let matching = scores.filter(|(_, score)| score.matches);
    let (rule, score) = matching.max_by_key(|(_, score)| (score.total, score.automatic))?;
    Some(Pair { a, b, score: score.total, rule: rule.key.clone(), automatic: score.automatic })
}

/// The next step of making keys for new rules; true while there are more.
fn move_step(entity: &Arc<Entity>) -> impl FnOnce(&Tx) -> Result<bool, RecordError> + Send + 'static + use<> {
    let entity = Arc::clone(entity);
    move |tx| keys::step(&tx.conn, &entity)
}
