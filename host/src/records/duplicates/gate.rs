//! The gate that every write of an entity with matching rules passes, after everything else was checked and before the
//! row is stored. The rows of one batch are stored one by one, so that the second of two that are the same meets the first.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::check::{Found, Place, look};
use super::rule::{Policy, Rule, fields};
use super::{BYPASS, sets, store};
use crate::caller::Source;
use crate::records::error::{Fault, RecordError};
use crate::records::schema::Entity;
use crate::records::tx::{Draft, Tx};

/// A write looks at no more records than this behind one key; a check that was asked for looks further.
const COMMON_AT_WRITE: usize = 32;
/// Pairs that one write reports, the most alike first.
const REPORTED: usize = 5;

/// Lets a draft pass, or gives it a fault. A draft that is `alone` is refused with the records that it duplicates.
///
/// # Errors
/// [`RecordError::Conflict`] (`duplicate_found`, `duplicate_warning`) for a draft that is alone,
/// [`RecordError::Forbidden`] for one whose bypass the caller may not have; a file fails.
pub(in crate::records) fn pass(
    tx: &Tx,
    entity: &Arc<Entity>,
    draft: &mut Draft,
    alone: bool,
) -> Result<(), RecordError> {
    if !draft.faults.is_empty() || !looks(tx, entity) {
        return Ok(());
    }
    let (import, new) = (tx.scope.caller.source == Source::Import, draft.before.is_none());
    let concerned =
        |rule: &Rule| (applies(tx, rule) && changes(rule, entity, draft)).then(|| rule.on.of(import, new));
    let place = Place {
        engine: &tx.engine,
        scope: &tx.scope,
        module: &tx.module,
        conn: &tx.conn,
        common: COMMON_AT_WRITE,
    };
    let id = (!new).then_some(draft.id);
    let found = look(&place, entity, &draft.after, id, concerned)?;
    let Some(strictest) = found.matches.first().map(|one| one.policy) else {
        return Ok(());
    };
    if strictest > Policy::AllowAndReport {
        let leave = leave(tx, entity, strictest);
        match leave {
            Leave::Given => bypass(tx, entity, draft, strictest, &found)?,
            Leave::NotAllowed if alone => return Err(not_allowed(entity)),
            Leave::NotAsked if alone => return Err(conflict(entity, strictest, &found)),
            _ => {
                draft.faults.push(fault(entity, strictest, &found, leave));
                return Ok(());
            }
        }
    }
    for one in found.matches.iter().filter(|one| one.entity.object == entity.object).take(REPORTED) {
        let pair = sets::Pair {
            a: draft.id.min(one.id),
            b: draft.id.max(one.id),
            score: one.score.total,
            rule: one.rule.key.clone(),
            automatic: one.score.automatic,
        };
        sets::report(&tx.conn, entity, &pair, tx.now)?;
    }
    Ok(())
}

/// Whether the gate looks for the likes of this entity's drafts at all: then each needs the keys of those before it.
#[must_use]
pub(in crate::records) fn looks(tx: &Tx, entity: &Entity) -> bool {
    // What the host or a plugin writes on its own authority is not somebody's input.
    tx.authority.asks_policy() && entity.duplicates.iter().any(|rule| applies(tx, rule))
}

/// Rows of a file come by the thousand: what would only be reported is found by a search of the whole table afterwards.
fn applies(tx: &Tx, rule: &Rule) -> bool {
    tx.scope.caller.source != Source::Import || !rule.on.reports_imports_later()
}

/// Whether the draft changes anything that the rule compares.
fn changes(rule: &Rule, entity: &Entity, draft: &Draft) -> bool {
    let Some(before) = &draft.before else { return true };
    let mut compared = rule.criteria.iter().flat_map(|criterion| fields(entity, &criterion.field));
    compared.any(|field| before.get(field.column) != draft.after.get(field.column))
}

/// Whether the write is let through in spite of a rule.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Leave {
    /// The caller gave a reason and may.
    Given,
    /// The caller gave none.
    NotAsked,
    /// The caller may not.
    NotAllowed,
}

fn leave(tx: &Tx, entity: &Entity, policy: Policy) -> Leave {
    let principal = &tx.scope.caller.principal;
    match tx.scope.allow_duplicates {
        None => Leave::NotAsked,
        Some(_)
            if policy == Policy::Block
                && tx.scope.policy.decide(principal, &entity.object, BYPASS).never() =>
        {
            Leave::NotAllowed
        }
        Some(_) => Leave::Given,
    }
}

fn not_allowed(entity: &Entity) -> RecordError {
    RecordError::Forbidden { object: entity.object.to_string(), action: BYPASS.into() }
}

fn bypass(tx: &Tx, entity: &Entity, draft: &Draft, policy: Policy, found: &Found) -> Result<(), RecordError> {
    let matches: Json = found
        .matches
        .iter()
        .map(|one| {
            json!({ "entity": &*one.entity.object, "id": one.id, "score": one.score.total, "rule": one.rule.key })
        })
        .collect();
    let bypass = store::Bypass {
        record: draft.id,
        policy: word(policy),
        reason: tx.scope.allow_duplicates.as_deref().unwrap_or_default(),
        matches: matches.to_string(),
        at: tx.now,
        by: tx.scope.caller.principal.id,
    };
    store::bypass(&tx.conn, entity, &bypass)
}

const fn word(policy: Policy) -> &'static str {
    match policy {
        Policy::Block => "block",
        Policy::Warn => "warn",
        Policy::AllowAndReport => "allow_and_report",
    }
}

const fn code(policy: Policy) -> &'static str {
    match policy {
        Policy::Block => "duplicate_found",
        _ => "duplicate_warning",
    }
}

/// What to do, for whoever reads the refusal.
fn advice(entity: &Entity, policy: Policy) -> String {
    let how = "send the request again with `allow_duplicates=<reason>` to write it all the same";
    match policy {
        Policy::Block => format!(
            "there is a record like this one already; change that one, or, if your roles allow `{BYPASS}` on {}, {how}",
            entity.object
        ),
        _ => format!("there is a record like this one already; change that one, or {how}"),
    }
}

fn conflict(entity: &Entity, policy: Policy, found: &Found) -> RecordError {
    let mut extra = Map::new();
    extra.insert("duplicates".into(), found.listed());
    extra.insert("hidden".into(), found.hidden().into());
    RecordError::Conflict {
        code: code(policy).into(),
        detail: advice(entity, policy),
        extra,
        faults: Vec::new(),
    }
}

/// The fault of one row among several: it names the record that is most alike, if the caller may read it.
fn fault(entity: &Entity, policy: Policy, found: &Found, leave: Leave) -> Fault {
    let known = found.matches.iter().find(|one| one.readable);
    let which = known.map_or_else(String::new, |one| {
        format!(" ({} {}, {} % by the rule {})", one.entity.object, one.id, one.score.total, one.rule.key)
    });
    let detail = match leave {
        Leave::NotAllowed => not_allowed(entity).to_string(),
        _ => format!("{}{which}", advice(entity, policy)),
    };
    Fault { pointer: String::new(), code: code(policy).into(), detail }
}
