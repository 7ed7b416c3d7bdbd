//! Checking a record against those that are there: candidates by equal keys, compared under every rule.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::candidates::Search;
use super::pair::{End, Score};
use super::rule::{Policy, Rule, fields};
use super::{COMMON, keys, store};
use crate::ids::RecordId;
use crate::records::error::{Fault, RecordError};
use crate::records::schema::{Entity, Module};
use crate::records::value::Value;
use crate::records::{Records, Scope, input, write};
use crate::storage::Connection;

/// Most records that an answer lists.
const LISTED: usize = 50;

/// Where a check looks: the organization as the caller meets it, and the open file of the record's module.
pub(super) struct Place<'a> {
    pub(super) engine: &'a Records,
    pub(super) scope: &'a Scope,
    pub(super) module: &'a Module,
    pub(super) conn: &'a Rc<Connection>,
    /// A key that more records have says nothing.
    pub(super) common: usize,
}

impl Place<'_> {
    /// Runs `f` on the file of an entity, which may be another module's.
    fn at<T>(
        &self,
        entity: &Entity,
        f: impl FnOnce(&Rc<Connection>) -> Result<T, RecordError>,
    ) -> Result<Option<T>, RecordError> {
        if entity.plugin == self.module.plugin {
            return f(self.conn).map(Some);
        }
        match self.scope.module(&entity.plugin) {
            Some(module) => self.engine.read(self.scope, module, f).map(Some),
            None => Ok(None),
        }
    }
}

/// A record that may be the same.
#[derive(Clone, Debug)]
pub struct Match {
    /// Its entity.
    pub entity: Arc<Entity>,
    /// Its id.
    pub id: RecordId,
    /// What people call it.
    pub title: Option<String>,
    /// The rule that took the two for one.
    pub rule: Rule,
    /// How alike they are.
    pub score: Score,
    /// What that means for the write.
    pub policy: Policy,
    /// Whether the caller may know of it: read the record, and every field that the rule compares.
    pub readable: bool,
}

/// What a check found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The strictest first, then the most alike.
    pub matches: Vec<Match>,
    /// Keys that were skipped because too many records have them.
    pub skipped: usize,
}

impl Found {
    /// The matches that the caller may read, for an answer.
    #[must_use]
    pub fn listed(&self) -> Json {
        let readable = self.matches.iter().filter(|one| one.readable).take(LISTED);
        readable.map(Match::to_json).collect()
    }

    /// How many there are that the caller may not know of.
    #[must_use]
    pub fn hidden(&self) -> usize {
        self.matches.iter().filter(|one| !one.readable).count()
    }
}

impl Match {
    fn to_json(&self) -> Json {
        json!({
            "entity": &*self.entity.object,
            "id": self.id,
            "title": self.title,
            "score": self.score.total,
            "rule": self.rule.key,
            "automatic": self.score.automatic,
            "explanation": self.score.explanation(&self.rule),
        })
    }
}

/// One entity that a record is compared with, and the rules under which.
struct Target<'a> {
    entity: Arc<Entity>,
    rules: Vec<(&'a Rule, End)>,
}

/// Records that the rules take for the one with these values, which has this id if it is there already.
pub(super) fn look(
    place: &Place<'_>,
    entity: &Arc<Entity>,
    values: &[Value],
    id: Option<RecordId>,
    policy: impl Fn(&Rule) -> Option<Policy>,
) -> Result<Found, RecordError> {
    let region = keys::region(place.conn)?;
    let mut found = Found::default();
    for target in targets(place.scope, entity, &policy) {
        let search = Search::new(&target.rules, entity, values, region);
        let seek = |conn: &Rc<Connection>| {
            let candidates = search.candidates(conn, &target.entity, id, place.common)?;
            let fields = keys::compared(&target.entity, &target.rules);
            let rows = store::rows(conn, &target.entity, &fields, candidates.found.keys().copied())?;
            let mut best: BTreeMap<RecordId, (usize, Score, Policy)> = BTreeMap::new();
            for (candidate, row) in &rows {
                for (at, score) in search.scores(&candidates, *candidate, &target.entity, row) {
                    let rule = target.rules.get(at).and_then(|(rule, _)| policy(rule));
                    let policy = rule.unwrap_or(Policy::AllowAndReport);
                    let better = best
                        .get(candidate)
                        .is_none_or(|(_, known, then)| (policy, score.total) > (*then, known.total));
                    if better {
                        best.insert(*candidate, (at, score, policy));
                    }
                }
            }
            let skipped = candidates.common.len();
            let matches = matches(place.scope, conn, (&**entity, &target), id, best)?;
            Ok((matches, skipped))
        };
        if let Some((matches, skipped)) = place.at(&target.entity, seek)? {
            found.matches.extend(matches);
            found.skipped += skipped;
        }
    }
    found.matches.sort_by_key(|one| std::cmp::Reverse((one.policy, one.score.total)));
    Ok(found)
}

/// The entities that the rules in question compare with.
fn targets<'a>(
    scope: &Scope,
    entity: &'a Arc<Entity>,
    policy: &impl Fn(&Rule) -> Option<Policy>,
) -> Vec<Target<'a>> {
    let mut targets: Vec<Target<'_>> = Vec::new();
    for rule in entity.duplicates.iter().filter(|rule| policy(rule).is_some()) {
        let (other, end) = match &rule.against {
            None => (Arc::clone(entity), End::Own),
            Some(object) => {
                let named = object.split_once('.').and_then(|(plugin, key)| scope.entity(plugin, key));
                // A module that the organization does not have has no records.
                let Some(other) = named else { continue };
                (other, End::Opposite)
            }
        };
        match targets.iter_mut().find(|target| target.entity.object == other.object) {
            Some(target) => target.rules.push((rule, end)),
            None => targets.push(Target { entity: other, rules: vec![(rule, end)] }),
        }
    }
    targets
}

/// Whether the caller may read every field that a rule compares, of both records: a match says what they hold.
pub(super) fn tells(scope: &Scope, entity: &Entity, rule: &Rule) -> bool {
    let shown = |entity: &Entity, end: End| {
        let mut named = rule.criteria.iter().flat_map(|criterion| fields(entity, end.keys(criterion)));
        named.all(|field| scope.shows(entity, field))
    };
    let other = rule.against.as_deref().and_then(|object| object.split_once('.'));
    let other = other.and_then(|(plugin, key)| scope.entity(plugin, key));
    shown(entity, End::Own) && other.is_none_or(|other| shown(&other, End::Opposite))
}

fn matches(
    scope: &Scope,
    conn: &Rc<Connection>,
    (of, target): (&Entity, &Target<'_>),
    id: Option<RecordId>,
    best: BTreeMap<RecordId, (usize, Score, Policy)>,
) -> Result<Vec<Match>, RecordError> {
    let entity = &target.entity;
    let ids: Vec<RecordId> = best.keys().copied().collect();
    let readable = store::readable(conn, scope, entity, &ids)?;
    let title = entity.title.as_ref().and_then(|title| scope.shown_field(entity, title));
    let titles: HashMap<RecordId, Vec<Value>> =
        store::rows(conn, entity, &title.into_iter().collect::<Vec<_>>(), ids)?.into_iter().collect();
    let mut matches = Vec::with_capacity(best.len());
    for (candidate, (at, score, policy)) in best {
        let Some((rule, end)) = target.rules.get(at) else { continue };
        let own = *end == End::Own;
        if own && id.map_or(Ok(false), |id| store::dismissed(conn, entity, id, candidate))? {
            continue;
        }
        let shown = title.and_then(|title| titles.get(&candidate)?.get(title.column)?.text());
        matches.push(Match {
            entity: Arc::clone(entity),
            id: candidate,
            title: shown.map(str::to_owned),
            rule: (*rule).clone(),
            score,
            policy,
            readable: readable.contains(&candidate) && tells(scope, of, rule),
        });
    }
    Ok(matches)
}

/// What is to be checked.
#[derive(Debug)]
pub enum Subjects {
    /// Payloads as for creating records.
    Records(Vec<Map<String, Json>>),
    /// Records that are there.
    Ids(Vec<RecordId>),
}

/// Checks payloads or records against those that are there, under all rules, and says what was found for each. Writes
/// nothing. A rule that compares a field which the caller may not read is left out. Not for an async worker.
///
/// # Errors
/// [`RecordError::Forbidden`], [`RecordError::Invalid`] with every fault of the payloads, [`RecordError::NotFound`] for an
/// id that the caller may not read, or a file fails.
pub fn check(
    engine: &Records,
    scope: &Scope,
    entity: &Arc<Entity>,
    subjects: &Subjects,
) -> Result<Json, RecordError> {
    let module = scope.module(&entity.plugin).ok_or(RecordError::NotFound)?;
    let principal = &scope.caller.principal;
    if scope.policy.decide(principal, &entity.object, "read").never() {
        return Err(RecordError::Forbidden { object: entity.object.to_string(), action: "read".into() });
    }
    let payloads = match subjects {
        Subjects::Records(records) => values_of(entity, records)?.into_iter().map(Subject::Values).collect(),
        Subjects::Ids(ids) => ids.iter().copied().map(Subject::Id).collect::<Vec<_>>(),
    };
    let mut data = Vec::with_capacity(payloads.len());
    for (at, payload) in payloads.into_iter().enumerate() {
        // A snapshot for each: the deadline of a read is for one of them.
        let found = engine.read(scope, module, |conn| {
            let (values, id) = match payload {
                Subject::Values(values) => (values, None),
                Subject::Id(id) => {
                    let row = write::readable(conn, scope, entity, id)?;
                    (row.ok_or_else(|| missing(at))?, Some(id))
                }
            };
            let place = Place { engine, scope, module, conn, common: COMMON };
            // What nobody writes needs no guard: a rule on fields that are withheld would tell what they hold.
            look(&place, entity, &values, id, |rule| {
                tells(scope, entity, rule).then(|| rule.on.of(false, true))
            })
        })?;
        data.push(json!({
            "duplicates": found.listed(),
            "hidden": found.hidden(),
            "skipped_keys": found.skipped,
        }));
    }
    let complete = engine.read(scope, module, |conn| keys::complete(conn, entity))?;
    Ok(json!({ "data": data, "complete": complete }))
}

enum Subject {
    Values(Vec<Value>),
    Id(RecordId),
}

fn missing(at: usize) -> RecordError {
    RecordError::Invalid(vec![Fault {
        pointer: format!("/ids/{at}"),
        code: "record_not_found".into(),
        detail: "there is no record with this id, or none that you may read".into(),
    }])
}

/// The payloads as columns; what only the system writes may be there too.
fn values_of(entity: &Entity, records: &[Map<String, Json>]) -> Result<Vec<Vec<Value>>, RecordError> {
    let (mut all, mut faults) = (Vec::with_capacity(records.len()), Vec::new());
    for (at, members) in records.iter().enumerate() {
        let mut values = vec![Value::Null; entity.width];
        for (key, json) in members {
            let own = |fault: Fault| Fault { pointer: format!("/records/{at}{}", fault.pointer), ..fault };
            match entity.field(key) {
                Some(_) if json.is_null() => {}
                Some(field) => match input::field(field, json) {
                    Ok((value, _)) => {
                        if let Some(slot) = values.get_mut(field.column) {
                            *slot = value;
                        }
                    }
                    Err(fault) => faults.push(own(fault)),
                },
                None if entity.attribute(key).is_some() => {}
                None => {
                    let detail = format!("{} has no field of this name", entity.object);
                    faults.push(own(Fault::at(key, "unknown_field", detail)));
                }
            }
        }
        all.push(values);
    }
    if faults.is_empty() { Ok(all) } else { Err(RecordError::Invalid(faults)) }
}
