//! Duplicate sets: records that are taken for one, for people to look at, merge or dismiss.
//!
//! They come from writes that a rule let through and from the job that walks a whole table ([`walk`]). A set shows the
//! members that whoever asks may read; one with fewer than two of them is not shown.

mod store;
mod unite;
mod walk;

use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::clock::UnixMillis;
use crate::ids::RecordId;
use crate::jobs::{Job, JobError, JobState, Jobs, NewJob};
use crate::records::error::RecordError;
use crate::records::schema::{Entity, Module};
use crate::records::tx::{Hooks, Tx};
use crate::records::{Records, Scope};
use crate::storage::{Connection, Verdict};

pub use self::store::{Listed, Status};

/// The kind of the job that looks for duplicates in a whole table.
pub const KIND: &str = "duplicates";
/// Most members of a set.
pub const MEMBERS: usize = 50;
/// Newest jobs among which one that still runs is looked for.
const RECENT: u32 = 100;

/// Why sets cannot be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum SetsError {
    /// The entity, the caller's rights, the file.
    #[error(transparent)]
    Records(#[from] RecordError),
    /// The job does not exist, or was cancelled.
    #[error(transparent)]
    Job(#[from] JobError),
}

/// Two records that a rule takes for one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::records) struct Pair {
    /// The smaller id.
    pub(in crate::records) a: RecordId,
    /// The larger id.
    pub(in crate::records) b: RecordId,
    /// In percent.
    pub(in crate::records) score: u8,
    /// The rule's key.
    pub(in crate::records) rule: String,
    /// Whether they could be merged without anybody looking.
    pub(in crate::records) automatic: bool,
}

/// Adds a pair to the open sets: to the one that has either record, or as a new one. Two sets that it connects become
/// one, if that is not too large.
pub(in crate::records) fn report(
    conn: &Rc<Connection>,
    entity: &Entity,
    pair: &Pair,
    now: UnixMillis,
) -> Result<(), RecordError> {
    let (one, other) = (store::open_set_of(conn, entity, pair.a)?, store::open_set_of(conn, entity, pair.b)?);
    let set = match (one, other) {
        (None, None) => store::add_set(conn, entity, pair, None, now)?,
        (Some(set), None) | (None, Some(set)) => set,
        (Some(set), Some(same)) if set == same => set,
        (Some(set), Some(other)) => {
            let sizes = (store::size(conn, set)?, store::size(conn, other)?);
            if sizes.0 + sizes.1 > MEMBERS {
                return Ok(()); // both are shown as they are
            }
            store::absorb(conn, set, other)?;
            set
        }
    };
    for record in [pair.a, pair.b] {
        if store::size(conn, set)? < MEMBERS {
            store::add_member(conn, set, record)?;
        }
    }
    store::touch(conn, set, pair, now)
}

#[cfg(test)]
pub(super) use self::store::OPEN_SET_OF;

/// How many members each open set shows to the caller, and whether it says what they are called.
#[cfg(test)]
pub(super) fn listed(
    conn: &Rc<Connection>,
    scope: &Scope,
    entity: &Entity,
) -> Result<Vec<(usize, bool)>, RecordError> {
    let sets = store::list(conn, scope, entity, Status::Open, None, 10)?;
    let shown = |set: &Listed| (set.members.len(), set.members.iter().all(|(_, title)| title.is_some()));
    Ok(sets.iter().map(shown).collect())
}

/// Sets of every organization. Cheap to clone.
#[derive(Clone)]
pub struct DuplicateSets {
    engine: Records,
    jobs: Jobs,
}

impl DuplicateSets {
    /// Sets among these records.
    #[must_use]
    pub fn new(engine: Records, jobs: Jobs) -> Self {
        Self { engine, jobs }
    }

    /// Queues a job that looks for duplicates in the whole table of `plugin.entity`.
    ///
    /// # Errors
    /// The entity is not known or has no rules, the caller may not change its records, or such a job waits or runs.
    pub async fn submit(&self, scope: &Scope, object: &str) -> Result<Job, SetsError> {
        let (_, entity) = known(scope, object)?;
        allowed(scope, &entity, "update")?;
        if entity.duplicates.iter().all(|rule| !rule.within()) {
            let detail = format!("{object} has no matching rules; declare some first");
            return Err(RecordError::invalid("entity", "no_rules", detail).into());
        }
        let spec = json!({ "entity": object }).to_string();
        let organization = scope.organization.id;
        let waiting = self.jobs.list(organization, None, RECENT).await?;
        let same = |job: &&Job| {
            let open = matches!(job.state, JobState::Queued | JobState::Running);
            open && job.kind == KIND && entity_of(job).is_some_and(|named| named == object)
        };
        if let Some(job) = waiting.iter().find(same) {
            return Err(RecordError::Conflict {
                code: "job_running".into(),
                detail: format!("job {} looks for duplicates in {object} already; wait for it", job.id),
                extra: std::iter::once(("job".to_owned(), Json::from(job.id.to_string()))).collect(),
                faults: Vec::new(),
            }
            .into());
        }
        let created_by = scope.caller.principal.id;
        Ok(self.jobs.create(NewJob { organization, kind: KIND.to_owned(), spec, created_by }).await?)
    }

    /// Runs a claimed job to its end on this thread, which must not be an async worker. Goes on where it stopped.
    ///
    /// # Errors
    /// The caller's rights are gone, the job was cancelled, a file fails.
    pub fn run(
        &self,
        job: &Job,
        scope: &Scope,
        hooks: &Arc<dyn Hooks + Send + Sync>,
    ) -> Result<String, SetsError> {
        let object = entity_of(job).ok_or(RecordError::NotFound)?;
        let (module, entity) = known(scope, &object)?;
        allowed(scope, &entity, "update")?;
        let walk =
            walk::Walk { engine: &self.engine, jobs: &self.jobs, scope, module, entity, hooks, job: job.id };
        walk.run()
    }

    /// A page of sets, the most alike first, each with the members that the caller may read.
    ///
    /// # Errors
    /// The entity is not known, or the caller may not read its records.
    pub fn list(
        &self,
        scope: &Scope,
        object: &str,
        status: Status,
        after: Option<(u8, RecordId)>,
        limit: u32,
    ) -> Result<Vec<Listed>, RecordError> {
        let (module, entity) = known(scope, object)?;
        allowed(scope, &entity, "read")?;
        self.engine.read(scope, &module, |conn| store::list(conn, scope, &entity, status, after, limit))
    }

    /// Says that the members of a set are not the same: the set is closed, and no pair of them is reported again.
    ///
    /// # Errors
    /// [`RecordError::NotFound`] unless the caller may read two members, [`RecordError::Forbidden`] unless all of them and
    /// change such records, [`RecordError::Conflict`] when the set is not open.
    pub async fn dismiss(
        &self,
        scope: &Scope,
        hooks: &Arc<dyn Hooks + Send + Sync>,
        set: RecordId,
    ) -> Result<Listed, RecordError> {
        let (module, entity) = self.home(scope, set)?;
        let work = move |tx: &Tx| {
            let listed = store::one(&tx.conn, &tx.scope, &entity, set)?.ok_or(RecordError::NotFound)?;
            allowed(&tx.scope, &entity, "update")?;
            if listed.hidden > 0 {
                let action = "dismiss: it has members that you may not read".into();
                return Err(RecordError::Forbidden { object: entity.object.to_string(), action });
            }
            if listed.status != Status::Open {
                return Err(RecordError::Conflict {
                    code: "set_not_open".into(),
                    detail: "this set was dismissed already".into(),
                    extra: serde_json::Map::new(),
                    faults: Vec::new(),
                });
            }
            store::dismiss(&tx.conn, &entity, set, tx.now, tx.scope.caller.principal.id)?;
            let listed = Listed { status: Status::Dismissed, updated_at: tx.now, ..listed };
            Ok(Verdict::Keep(listed))
        };
        self.engine.write(scope, &module, hooks, work).await
    }

    /// The module and entity whose set this is.
    fn home(&self, scope: &Scope, set: RecordId) -> Result<(Arc<Module>, Arc<Entity>), RecordError> {
        for module in &*scope.modules {
            if let Some(key) = self.engine.read(scope, module, |conn| store::entity_of(conn, set))? {
                let entity = module.entity(&key).ok_or(RecordError::NotFound)?;
                return Ok((Arc::clone(module), entity));
            }
        }
        Err(RecordError::NotFound)
    }
}

/// The entity that a job walks.
fn entity_of(job: &Job) -> Option<String> {
    let spec: Json = serde_json::from_str(&job.spec).ok()?;
    Some(spec.get("entity")?.as_str()?.to_owned())
}

fn known(scope: &Scope, object: &str) -> Result<(Arc<Module>, Arc<Entity>), RecordError> {
    let found = object.split_once('.').and_then(|(plugin, key)| {
        let module = scope.module(plugin)?;
        Some((Arc::clone(module), module.entity(key)?))
    });
    found.ok_or_else(|| {
        let shown: String = object.chars().filter(|sign| !sign.is_control()).take(64).collect();
        RecordError::invalid(
            "entity",
            "unknown_entity",
            format!("`{shown}` is no entity; write `plugin.entity`"),
        )
    })
}

fn allowed(scope: &Scope, entity: &Entity, action: &str) -> Result<(), RecordError> {
    if scope.policy.decide(&scope.caller.principal, &entity.object, action).never() {
        return Err(RecordError::Forbidden { object: entity.object.to_string(), action: action.to_owned() });
    }
    Ok(())
}
