//! The merge log as callers see it: which merges there were, what each did, how the records stood before.

use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;

use rusqlite::params_from_iter;
use serde_json::{Map, Value as Json, json};

use super::entry::{Entry, Move};
use super::reparent::Followers;
use super::{SHOWN, image, store};
use crate::ids::{MergeId, RecordId};
use crate::records::error::RecordError;
use crate::records::list::write_visible;
use crate::records::rights::{gone_predicate, masked_names, permits, predicate};
use crate::records::schema::{Entity, Module};
use crate::records::value::Value;
use crate::records::{Records, Scope};
use crate::storage::Connection;

/// Which merges a list shows.
#[derive(Clone, Debug, Default)]
pub struct Which {
    /// Those of this entity, `plugin.entity`.
    pub entity: Option<String>,
    /// Those that this record took part in.
    pub record: Option<RecordId>,
    /// Those before this one.
    pub before: Option<MergeId>,
}

impl Records {
    /// The newest merges, at most `limit`, that the caller may see: those whose survivor he may read.
    ///
    /// # Errors
    /// [`RecordError::BadRequest`] for an entity that the organization has not, or a file fails.
    pub fn merges(
        &self,
        scope: &Scope,
        which: &Which,
        limit: usize,
    ) -> Result<Vec<(MergeId, Json)>, RecordError> {
        let wanted = |entity: &Entity| which.entity.as_deref().is_none_or(|object| *object == *entity.object);
        let mut modules =
            scope.modules.iter().filter(|module| module.entities.iter().any(|entity| wanted(entity)));
        let mut found = Vec::new();
        let first = modules.next().ok_or_else(|| {
            RecordError::bad(
                "unknown_entity",
                "`entity` is plugin.entity, such as one that the document lists",
            )
        })?;
        for module in std::iter::once(first).chain(modules) {
            for entity in module.entities.iter().filter(|entity| wanted(entity)) {
                let merges = self.read(scope, module, |conn| visible(conn, scope, entity, which, limit))?;
                found.extend(merges.into_iter().map(|entry| (entry.id, entry.shown(&entity.object))));
            }
        }
        found.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
        found.truncate(limit);
        Ok(found)
    }

    /// One merge with everything that the log keeps of it and the caller may read.
    ///
    /// # Errors
    /// [`RecordError::NotFound`], or a file fails.
    pub fn merge_entry(&self, scope: &Scope, id: MergeId) -> Result<Json, RecordError> {
        let (home, entity, entry) = self.merge_of(scope, id)?;
        let (images, steps) =
            self.read(scope, &home, |conn| Ok((store::images(conn, id)?, store::steps(conn, id)?)))?;
        let (mut moved, mut back, mut refused) = (Followers::new(), Followers::new(), Vec::new());
        for module in &*scope.modules {
            self.read(scope, module, |conn| {
                for state in ["moved", "back", "refused"] {
                    add(&mut moved, followers(conn, scope, module, id, state)?);
                }
                add(&mut back, followers(conn, scope, module, id, "back")?);
                refused.extend(self::refused(conn, scope, module, id)?);
                Ok(())
            })?;
        }
        let rows = Some(scope.policy.decide(&scope.caller.principal, &entity.object, "read"));
        let survivor = images.before.get("survivor").into_iter();
        let mut before = Map::new();
        for (record, image) in entry.records().zip(survivor.chain(images.losers())) {
            let values = image::values(&entity, image);
            if self.read(scope, &home, |conn| Ok(permits(conn, scope, &entity, &rows, &values)))? {
                before.insert(record.to_string(), image::shown(scope, &entity, &values));
            }
        }
        let steps: Map<String, Json> =
            steps.into_iter().map(|(module, state)| (module, state.as_str().into())).collect();
        let mut shown = entry.shown(&entity.object);
        if let Some(members) = shown.as_object_mut() {
            let masked = masked_names(scope, &entity);
            members.insert("choices".into(), without(images.choices, &masked));
            members.insert("fields".into(), without(images.origins, &masked));
            members.insert("broken".into(), images.broken);
            members.insert("modules".into(), steps.into());
            members.insert("moved".into(), listed(&moved).into());
            members.insert("before".into(), before.into());
            if let Json::Object(mut said) = images.undo {
                said.insert("moved".into(), listed(&back).into());
                said.insert("refused".into(), refused.into());
                members.insert("undo".into(), said.into());
            }
        }
        Ok(shown)
    }

    /// Where a merge is, if the caller may see it.
    pub(super) fn merge_of(
        &self,
        scope: &Scope,
        id: MergeId,
    ) -> Result<(Arc<Module>, Arc<Entity>, Entry), RecordError> {
        for module in &*scope.modules {
            let Some(entry) = self.read(scope, module, |conn| store::find(conn, id))? else { continue };
            let entity = module.entity(&entry.entity).ok_or(RecordError::NotFound)?;
            let Some((sql, mut params)) = condition(scope, &entity) else {
                return Err(RecordError::NotFound);
            };
            params.push(Value::Id(*id.as_bytes()));
            let sql = format!("{sql} and m.id = ?{}", params.len());
            let seen = self.read(scope, module, |conn| store::select(conn, &sql, &params))?;
            return if seen.is_empty() {
                Err(RecordError::NotFound)
            } else {
                Ok((Arc::clone(module), entity, entry))
            };
        }
        Err(RecordError::NotFound)
    }
}

/// An object by field, without these.
pub(super) fn without(json: Json, masked: &[String]) -> Json {
    match json {
        Json::Object(mut members) => {
            members.retain(|key, _| !masked.contains(key));
            members.into()
        }
        other => other,
    }
}

/// The condition of what the caller may see: a survivor that he may read; of one that is gone, the log knows whose it
/// was. `None`: nothing.
fn condition(scope: &Scope, entity: &Entity) -> Option<(String, Vec<Value>)> {
    let principal = &scope.caller.principal;
    let rows = scope.policy.decide(principal, &entity.object, "read");
    if rows.never() {
        return None;
    }
    let mut params = vec![Value::Text(entity.key.to_string())];
    let mut sql = String::from("m.entity = ?1");
    if !rows.always() {
        let (mut now, mut then) = (String::new(), String::new());
        predicate(scope, entity, &rows, Some("r"), &mut now, &mut params).ok()?;
        gone_predicate(scope, entity, &rows, "m", &mut then, &mut params).ok()?;
        let live = format!("from \"{}\" r where r.id = m.survivor and r.deleted_at is null", entity.key);
        let _ = write!(
            sql,
            " and (exists (select 1 {live} and ({now})) or (({then}) and not exists (select 1 {live})))"
        );
    }
    Some((sql, params))
}

fn visible(
    conn: &Rc<Connection>,
    scope: &Scope,
    entity: &Entity,
    which: &Which,
    limit: usize,
) -> Result<Vec<Entry>, RecordError> {
    let Some((mut sql, mut params)) = condition(scope, entity) else { return Ok(Vec::new()) };
    if let Some(record) = which.record {
        params.push(record.into());
        let _ = write!(
            sql,
            " and m.id in (select merge from _stoa_merge_records where entity = ?1 and record = ?{})",
            params.len()
        );
    }
    if let Some(before) = which.before {
        params.push(Value::Id(*before.as_bytes()));
        let _ = write!(sql, " and m.id < ?{}", params.len());
    }
    let _ = write!(sql, " order by m.id desc limit {limit}");
    store::select(conn, &sql, &params)
}

/// Those of the records that the caller may read; what moved is no secret, who it was may be.
pub(super) fn readable(
    conn: &Rc<Connection>,
    scope: &Scope,
    entity: Option<&Entity>,
    ids: Vec<RecordId>,
) -> Result<Vec<RecordId>, RecordError> {
    let Some(entity) = entity.filter(|_| !ids.is_empty()) else { return Ok(Vec::new()) };
    let mut params: Vec<Value> = ids.into_iter().map(Value::from).collect();
    let places: Vec<String> = (1..=params.len()).map(|at| format!("?{at}")).collect();
    let mut sql = format!("select id from \"{}\" where id in ({}) and ", entity.key, places.join(", "));
    match write_visible(scope, entity, "read", &mut sql, &mut params) {
        Err(RecordError::Forbidden { .. }) => return Ok(Vec::new()),
        other => other?,
    }
    sql.push_str(" order by _row");
    let mut statement = conn.prepare(&sql)?;
    let found = statement.query_map(params_from_iter(&params), |row| row.get::<_, [u8; 16]>(0))?;
    Ok(found.map(|id| id.map(RecordId::from_bytes)).collect::<rusqlite::Result<_>>()?)
}

/// What followed a merge in this file (`moved`), came back (`back`) or was left (`refused`): counts, and the ids of the
/// first that the caller may read.
pub(super) fn followers(
    conn: &Rc<Connection>,
    scope: &Scope,
    module: &Module,
    id: MergeId,
    state: &str,
) -> Result<Followers, RecordError> {
    let mut found = Followers::new();
    for (entity, field, count) in store::counts(conn, id, state)? {
        let ids = store::first_moved(conn, id, state, (&entity, &field), SHOWN)?;
        let ids = readable(conn, scope, module.entity(&entity).as_deref(), ids)?;
        found.insert((format!("{}.{entity}", module.plugin), field), (count.unsigned_abs(), ids));
    }
    Ok(found)
}

/// Adds counts and ids to those that are there.
pub(super) fn add(to: &mut Followers, more: Followers) {
    for (key, (count, ids)) in more {
        let known = to.entry(key).or_default();
        known.0 += count;
        let room = usize::try_from(SHOWN).unwrap_or(100).saturating_sub(known.1.len());
        known.1.extend(ids.into_iter().take(room));
    }
}

/// What the undoing left where it is, each with its reason: the first that the caller may read.
pub(super) fn refused(
    conn: &Rc<Connection>,
    scope: &Scope,
    module: &Module,
    id: MergeId,
) -> Result<Vec<Json>, RecordError> {
    let mut told = Vec::new();
    for moved in store::refused(conn, id, usize::try_from(SHOWN).unwrap_or(100))? {
        told.extend(self::told(conn, scope, module, &moved, None)?);
    }
    Ok(told)
}

/// One reference that stays where it is; nothing of a record that the caller may not read. One that is gone is nobody's.
pub(super) fn told(
    conn: &Rc<Connection>,
    scope: &Scope,
    module: &Module,
    moved: &Move,
    reason: Option<&str>,
) -> Result<Option<Json>, RecordError> {
    let reason = reason.or(moved.reason.as_deref());
    let entity = module.entity(&moved.entity);
    if reason != Some("purged") && readable(conn, scope, entity.as_deref(), vec![moved.record])?.is_empty() {
        return Ok(None);
    }
    let object = format!("{}.{}", module.plugin, moved.entity);
    Ok(Some(json!({ "entity": object, "field": moved.field, "record": moved.record, "reason": reason })))
}

/// Counts and first ids, for an answer.
pub(super) fn listed(followers: &Followers) -> Vec<Json> {
    let told = followers.iter().map(|((entity, field), (count, ids))| {
        json!({ "entity": entity, "field": field, "count": count, "ids": ids })
    });
    told.collect()
}
