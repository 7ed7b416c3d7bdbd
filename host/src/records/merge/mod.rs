//! Merging records: one survives, the others become part of it, and whatever named them names the survivor, in every
//! module of the organization. Everything is logged, and a merge can be undone.
//!
//! In the file of the records one transaction does it all ([`perform`], [`undo`]). No transaction spans two files, so
//! the references of other modules follow afterwards ([`steps`]): what is left to do is written down in the first
//! transaction, each batch may be repeated, and [`Records::resume_merges`] finishes it after a crash. Meanwhile nobody
//! can point at a merged record, and whoever asks for one is told where it went ([`tombstone`]).
//!
//! Reading order: `plan.rs` (what the survivor holds), `circle.rs`, `reparent.rs` (references that follow), `perform.rs`,
//! `steps.rs`, `undo.rs`, `log.rs` and `told.rs` (what is told of merges), `store.rs`.

mod circle;
mod entry;
mod image;
mod log;
mod perform;
mod plan;
mod reparent;
mod steps;
mod store;
mod told;
mod tombstone;
mod undo;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::error::RecordError;
use super::list::{self, View};
use super::mutation::{self, Manner, Reply};
use super::rights::masked_names;
use super::schema::{Entity, Module};
use super::tx::{Hooks, Tx};
use super::{Records, Scope};
use crate::ids::{MergeId, RecordId};
use crate::storage::{Connection, StorageError};

pub use self::entry::{Entry, State};
pub use self::log::Which;
pub use self::perform::{FOLLOWERS, LOSERS, Request};
use self::reparent::Followers;
use self::told::Told;
pub(in crate::records) use self::tombstone::{by_spare_id, fault, refuse_pending, successor};
pub use self::tombstone::{refusal, refuse_merged};

/// Ids that an answer lists of each field.
const SHOWN: u32 = 100;

/// What came of a merge or of its undoing.
#[derive(Debug)]
pub struct Outcome {
    /// Whether a file of another module could not be changed yet.
    pub open: bool,
    /// Whether this was answered before, and nothing happened this time.
    pub replayed: bool,
    /// For the caller.
    pub body: Json,
}

/// How many references an undoing left in this file.
fn refusals(conn: &std::rc::Rc<Connection>, id: MergeId) -> Result<i64, RecordError> {
    Ok(store::counts(conn, id, "refused")?.iter().map(|(_, _, count)| *count).sum())
}

impl Records {
    /// Merges records. A dry run does everything in their own file and undoes it, and counts in the others. The key of
    /// the request is kept with the log: sent again, it is answered with the same merge, as far as that is by then.
    ///
    /// # Errors
    /// See `perform`: [`RecordError::Invalid`], [`RecordError::Forbidden`], [`RecordError::Stale`],
    /// [`RecordError::Conflict`]; [`RecordError::KeyReused`]; or a file fails.
    pub async fn merge(
        &self,
        scope: &Scope,
        entity: &Arc<Entity>,
        hooks: &Arc<dyn Hooks + Send + Sync>,
        request: Request,
        manner: Manner,
    ) -> Result<Outcome, RecordError> {
        let home = scope.module(&entity.plugin).ok_or(RecordError::NotFound)?;
        let taking_part: Vec<RecordId> =
            std::iter::once(request.survivor).chain(request.losers.iter().copied().take(LOSERS)).collect();
        let dry = manner.dry_run;
        if !dry {
            // What an earlier merge of these records left to do comes first; a failure shows as `merge_pending`.
            if let Err(error) = self.finish_of(scope, entity, hooks, &taking_part).await {
                tracing::error!(%error, "an earlier merge could not be finished");
            }
        }
        let (kind, asked, view) =
            (Arc::clone(entity), request.clone(), View::within(scope, entity, None, None)?);
        let merge = move |tx: &Tx| {
            let id = MergeId::new();
            let entry = perform::perform(tx, &kind, &asked, id)?;
            let record = match list::get(&tx.conn, &tx.scope, &kind, asked.survivor, &view) {
                Err(RecordError::NotFound) => Json::Null, // the caller may merge it away from his own eyes
                other => serde_json::from_slice(&other?.body).unwrap_or_default(),
            };
            let images = store::images(&tx.conn, id)?;
            let body = json!({
                "merge": entry.shown(&kind.object),
                "record": record,
                "fields": log::without(images.origins, &masked_names(&tx.scope, &kind)),
                "broken": images.broken,
                "moved": log::listed(&log::followers(&tx.conn, &tx.scope, &tx.module, id, "moved")?),
            });
            Ok(Reply::ok(body.to_string().into_bytes()))
        };
        let work = move |tx: &Tx| mutation::perform(tx, &manner, merge);
        let reply = self.write(scope, home, hooks, work).await?;
        let mut told = Told::read(&reply.body, dry);
        if dry {
            told.moved_too(&self.foresee(scope, home, entity, &request)?);
            return Ok(Outcome { open: false, replayed: false, body: told.whole });
        }
        let mut entry = self.entry(scope, home, told.merge()?)?;
        self.try_finish(scope, home, hooks, &mut entry).await;
        // Sent again, the request may find that the merge was undone: it moved them all the same.
        told.moved_too(&self.moved_elsewhere(scope, home, entry.id, &["moved", "back", "refused"])?);
        told.set("merge", entry.shown(&entity.object));
        Ok(Outcome { open: entry.state.open(), replayed: reply.replayed, body: told.whole })
    }

    /// Undoes a merge. A dry run does everything in its own file and takes it back, and looks into the others.
    ///
    /// # Errors
    /// [`RecordError::NotFound`] for a merge that the caller may not see; see `undo` for the conflicts;
    /// [`RecordError::KeyReused`].
    pub async fn undo_merge(
        &self,
        scope: &Scope,
        hooks: &Arc<dyn Hooks + Send + Sync>,
        id: MergeId,
        manner: Manner,
    ) -> Result<Outcome, RecordError> {
        let (home, entity, before) = self.merge_of(scope, id)?;
        let dry = manner.dry_run;
        if before.state.open() && !dry {
            self.try_finish(scope, &home, hooks, &mut before.clone()).await;
        }
        let kind = Arc::clone(&entity);
        let undo = move |tx: &Tx| {
            let entry = undo::undo(tx, id)?;
            let images = store::images(&tx.conn, id)?;
            let said = |member: &str| images.undo.get(member).cloned().unwrap_or_else(|| json!([]));
            let body = json!({
                "merge": entry.shown(&kind.object),
                "kept": said("kept"),
                "emptied": said("emptied"),
                "purged": said("purged"),
                "moved": log::listed(&log::followers(&tx.conn, &tx.scope, &tx.module, id, "back")?),
                "refused": log::refused(&tx.conn, &tx.scope, &tx.module, id)?,
                "refused_count": refusals(&tx.conn, id)?,
            });
            Ok(Reply::ok(body.to_string().into_bytes()))
        };
        let work = move |tx: &Tx| mutation::perform(tx, &manner, undo);
        let reply = self.write(scope, &home, hooks, work).await?;
        let mut told = Told::read(&reply.body, dry);
        if dry {
            let purged: HashSet<RecordId> = told.member("purged");
            let (engine, scope) = (self.clone(), scope.clone());
            // Thousands of rows may have to be looked at: nothing for an async worker.
            let look = move || engine.foresee_back(&scope, &home, id, &purged);
            let seen = tokio::task::spawn_blocking(look).await;
            let (back, stay, left) = seen.map_err(|_| RecordError::Storage(StorageError::Panicked))??;
            told.moved_too(&back);
            told.refused_too(stay, left);
            return Ok(Outcome { open: false, replayed: false, body: told.whole });
        }
        let mut entry = self.entry(scope, &home, id)?;
        self.try_finish(scope, &home, hooks, &mut entry).await;
        told.moved_too(&self.moved_elsewhere(scope, &home, id, &["back"])?);
        for module in scope.modules.iter().filter(|module| module.plugin != home.plugin) {
            self.read(scope, module, |conn| {
                told.refused_too(log::refused(conn, scope, module, id)?, refusals(conn, id)?);
                Ok(())
            })?;
        }
        told.set("merge", entry.shown(&entity.object));
        Ok(Outcome { open: entry.state.open(), replayed: reply.replayed, body: told.whole })
    }

    /// The entry of a merge as it is now.
    fn entry(&self, scope: &Scope, home: &Arc<Module>, id: MergeId) -> Result<Entry, RecordError> {
        self.read(scope, home, |conn| store::find(conn, id))?.ok_or(RecordError::NotFound)
    }

    /// Does what is left elsewhere. A failure is no failure of the merge, which is committed: it is tried again when the
    /// organization is next made ready, and before anything else is done to these records.
    async fn try_finish(
        &self,
        scope: &Scope,
        home: &Arc<Module>,
        hooks: &Arc<dyn Hooks + Send + Sync>,
        entry: &mut Entry,
    ) {
        if !entry.state.open() {
            return;
        }
        match self.finish(scope, home, hooks, entry).await {
            Ok(state) => entry.state = state,
            Err(error) => tracing::error!(merge = %entry.id, %error, "a merge could not be finished"),
        }
    }

    /// What followed, or came back, in the files of other modules.
    fn moved_elsewhere(
        &self,
        scope: &Scope,
        home: &Module,
        id: MergeId,
        states: &[&str],
    ) -> Result<Followers, RecordError> {
        let mut moved = Followers::new();
        for module in scope.modules.iter().filter(|module| module.plugin != home.plugin) {
            for state in states {
                let more = self.read(scope, module, |conn| log::followers(conn, scope, module, id, state))?;
                log::add(&mut moved, more);
            }
        }
        Ok(moved)
    }

    /// What would follow in the files of other modules.
    fn foresee(
        &self,
        scope: &Scope,
        home: &Module,
        entity: &Entity,
        request: &Request,
    ) -> Result<Followers, RecordError> {
        let mut moved = Followers::new();
        for module in scope.modules.iter().filter(|module| module.plugin != home.plugin) {
            let relations = reparent::relations(module, entity);
            if relations.is_empty() {
                continue;
            }
            let counted = self.read(scope, module, |conn| {
                let mut counted = BTreeMap::new();
                for relation in &relations {
                    let (count, ids) = relation.children(conn, (&request.losers, &[]), SHOWN)?;
                    let ids = log::readable(conn, scope, Some(&relation.entity), ids)?;
                    let field = relation.field().map(|field| field.key.to_string()).unwrap_or_default();
                    counted.insert((relation.entity.object.to_string(), field), (count, ids));
                }
                Ok(counted)
            })?;
            moved.extend(counted.into_iter().filter(|(_, (count, _))| *count > 0));
        }
        Ok(moved)
    }

    /// What would come back from the files of other modules, what the caller may know of those that would stay, and how
    /// many these are.
    fn foresee_back(
        &self,
        scope: &Scope,
        home: &Module,
        id: MergeId,
        purged: &HashSet<RecordId>,
    ) -> Result<(Followers, Vec<Json>, i64), RecordError> {
        let most = usize::try_from(FOLLOWERS).unwrap_or(usize::MAX);
        let (mut back, mut stay, mut left) = (Followers::new(), Vec::new(), 0);
        for module in scope.modules.iter().filter(|module| module.plugin != home.plugin) {
            self.read(scope, module, |conn| {
                for moved in store::moves(conn, id, most)? {
                    if let Some(reason) = reparent::would_stay(conn, module, &moved, purged)? {
                        left += 1;
                        stay.extend(log::told(conn, scope, module, &moved, Some(reason))?);
                        continue;
                    }
                    let object = format!("{}.{}", module.plugin, moved.entity);
                    let (count, ids) = back.entry((object, moved.field)).or_default();
                    *count += 1;
                    if *count <= u64::from(SHOWN) {
                        let entity = module.entity(&moved.entity);
                        ids.extend(log::readable(conn, scope, entity.as_deref(), vec![moved.record])?);
                    }
                }
                Ok(())
            })?;
        }
        Ok((back, stay, left))
    }
}
