//! What a merge and its undoing still have to do in the files of other modules, batch by batch. Each batch may be done
//! twice without harm, so a crash in between costs nothing but time.

use std::sync::Arc;

use super::entry::{Entry, State};
use super::{reparent, store, undo};
use crate::caller::{Caller, Principal, PrincipalKind, Source};
use crate::ids::{MergeId, PrincipalId, RecordId, RequestId};
use crate::records::error::RecordError;
use crate::records::schema::{Entity, Module};
use crate::records::tx::{Hooks, Tx};
use crate::records::{Records, Scope};
use crate::storage::Verdict;

/// References that move in one transaction.
const BATCH: usize = 500;

/// Plugin code, as writes take it.
type Code = Arc<dyn Hooks + Send + Sync>;

impl Records {
    /// Finishes what merges of the organization left undone in files of other modules: after a crash, and for a module
    /// that the organization has got since.
    ///
    /// # Errors
    /// A file fails. Every merge is tried; the first failure is answered.
    pub async fn resume_merges(&self, scope: &Scope, hooks: &Code) -> Result<(), RecordError> {
        let mut outcome = Ok(());
        for home in &*scope.modules {
            self.adopt(scope, home, hooks).await?;
            for entry in self.read(scope, home, store::unfinished)? {
                if let Err(error) = self.finish(scope, home, hooks, &entry).await {
                    tracing::error!(merge = %entry.id, %error, "a merge could not be finished");
                    outcome = outcome.and(Err(error));
                }
            }
        }
        outcome
    }

    /// Gives merges a step in each module that refers to their entity and of which they know nothing.
    async fn adopt(&self, scope: &Scope, home: &Arc<Module>, hooks: &Code) -> Result<(), RecordError> {
        let mut unknown = Vec::new();
        for module in scope.modules.iter().filter(|module| module.plugin != home.plugin) {
            for entity in &home.entities {
                if !reparent::relations(module, entity).is_empty() {
                    let merges = self
                        .read(scope, home, |conn| store::without_step(conn, &entity.key, &module.plugin))?;
                    unknown.extend(merges.into_iter().map(|id| (id, Arc::clone(&module.plugin))));
                }
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        let work = move |tx: &Tx| {
            for (id, module) in &unknown {
                store::set_step(&tx.conn, *id, module, State::Pending)?;
                store::set_state(&tx.conn, *id, State::Pending)?;
            }
            Ok(Verdict::Keep(()))
        };
        self.write(scope, home, hooks, work).await
    }

    /// Finishes the merges that one of these records takes part in.
    pub(super) async fn finish_of(
        &self,
        scope: &Scope,
        entity: &Entity,
        hooks: &Code,
        records: &[RecordId],
    ) -> Result<(), RecordError> {
        let home = scope.module(&entity.plugin).ok_or(RecordError::NotFound)?;
        let mut open: Vec<Entry> = Vec::new();
        for id in records {
            open.extend(self.read(scope, home, |conn| store::unfinished_of(conn, &entity.key, *id))?);
        }
        open.sort_by_key(|entry| entry.id);
        open.dedup_by_key(|entry| entry.id);
        for entry in open {
            self.finish(scope, home, hooks, &entry).await?;
        }
        Ok(())
    }

    /// Does the open steps of a merge in the modules that the organization has. Answers the state of the merge then.
    pub(super) async fn finish(
        &self,
        scope: &Scope,
        home: &Arc<Module>,
        hooks: &Code,
        entry: &Entry,
    ) -> Result<State, RecordError> {
        let Some(entity) = home.entity(&entry.entity) else { return Ok(entry.state) };
        let scope = acting_for(scope, entry);
        let steps = self.read(&scope, home, |conn| store::steps(conn, entry.id))?;
        for (plugin, state) in steps.into_iter().filter(|(_, state)| state.open()) {
            let Some(module) = scope.module(&plugin).cloned() else { continue };
            match state {
                State::Pending => self.carry_over(&scope, home, &module, hooks, &entity, entry).await?,
                _ => self.carry_back(&scope, home, &module, hooks, entry).await?,
            }
            self.close_step(&scope, home, hooks, entry, plugin, state).await?;
        }
        let now = self.read(&scope, home, |conn| store::find(conn, entry.id))?;
        Ok(now.map_or(entry.state, |entry| entry.state))
    }

    /// Has the references of one module name the survivor.
    async fn carry_over(
        &self,
        scope: &Scope,
        home: &Arc<Module>,
        module: &Arc<Module>,
        hooks: &Code,
        entity: &Arc<Entity>,
        entry: &Entry,
    ) -> Result<(), RecordError> {
        loop {
            let (entity, entry, home) = (Arc::clone(entity), entry.clone(), Arc::clone(home));
            let work = move |tx: &Tx| {
                let mut room = BATCH;
                if !stands(tx, &home, entry.id, State::Pending)? {
                    return Ok(Verdict::Keep(room));
                }
                for relation in reparent::relations(&tx.module, &entity) {
                    let target = (entry.survivor, entry.losers.as_slice());
                    room -= relation.follow(tx, entry.id, target, &[], room)?.min(room);
                }
                Ok(Verdict::Keep(room))
            };
            if self.write(scope, module, hooks, work).await? > 0 {
                return Ok(());
            }
        }
    }

    /// Has the references of one module name again what they named.
    async fn carry_back(
        &self,
        scope: &Scope,
        home: &Arc<Module>,
        module: &Arc<Module>,
        hooks: &Code,
        entry: &Entry,
    ) -> Result<(), RecordError> {
        let purged = self.read(scope, home, |conn| store::images(conn, entry.id))?.missing();
        loop {
            let (id, purged, home) = (entry.id, purged.iter().copied().collect(), Arc::clone(home));
            let work = move |tx: &Tx| {
                let back = if stands(tx, &home, id, State::Undoing)? {
                    undo::move_back(tx, id, &purged, BATCH)?
                } else {
                    0
                };
                Ok(Verdict::Keep(back))
            };
            if self.write(scope, module, hooks, work).await? < BATCH {
                return Ok(());
            }
        }
    }

    /// Notes that a step is done, and the merge with its last one.
    async fn close_step(
        &self,
        scope: &Scope,
        home: &Arc<Module>,
        hooks: &Code,
        entry: &Entry,
        plugin: String,
        state: State,
    ) -> Result<(), RecordError> {
        let id = entry.id;
        let work = move |tx: &Tx| {
            let now = store::steps(&tx.conn, id)?;
            // An undoing may have begun meanwhile: its step stays open.
            if now.iter().any(|(module, now)| *module == plugin && *now == state) {
                store::set_step(&tx.conn, id, &plugin, state.settled())?;
            }
            if store::steps(&tx.conn, id)?.iter().all(|(_, state)| !state.open()) {
                store::set_state(&tx.conn, id, state.settled())?;
            }
            Ok(Verdict::Keep(()))
        };
        self.write(scope, home, hooks, work).await
    }
}

/// Whether the step of this file is still in that state. Asked inside each batch: whoever is late must not move what an
/// undoing has moved back meanwhile, which needs this file's one writer too.
fn stands(tx: &Tx, home: &Module, id: MergeId, state: State) -> Result<bool, RecordError> {
    let steps = tx.engine.read(&tx.scope, home, |conn| store::steps(conn, id))?;
    Ok(steps.iter().any(|(module, now)| **module == *tx.module.plugin && *now == state))
}

/// The scope with whoever merged, or undid, as the caller: what follows is their doing, whenever it happens.
fn acting_for(scope: &Scope, entry: &Entry) -> Scope {
    let by: PrincipalId = entry.undone_by.filter(|_| entry.state == State::Undoing).unwrap_or(entry.by);
    if scope.caller.principal.id == by {
        return scope.clone();
    }
    let principal = Principal::new(by, PrincipalKind::Platform, "Merge");
    let request = if entry.state == State::Undoing { RequestId::new() } else { entry.request };
    let caller = Caller {
        organization: scope.caller.organization,
        principal: Arc::new(principal),
        request,
        source: Source::Platform,
    };
    Scope { caller, ..scope.clone() }
}
