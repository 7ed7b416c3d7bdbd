//! What the tests of the engine start from: one organization on real files, people in it, and hooks that a test scripts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value as Json};
use tokio::runtime::Runtime;

use super::garden::garden;
use crate::caller::{Caller, Principal, PrincipalKind, Source};
use crate::clock::Clock;
use crate::identity::{Cost, Identity, NewUser, platform};
use crate::ids::{OrganizationId, PolicyId, PrincipalId, RecordId, RequestId, TeamId};
use crate::organizations::{Organization, Slug, Status};
use crate::policy::{Addition, Effect, Grant, Overlay, Policy, PolicyIndex, Scope as Reach, Words};
use crate::records::list::{Count, Query, View};
use crate::records::schema::{Entity, Module};
use crate::records::sort::Sort;
use crate::records::tx::{Draft, Hook, Hooks, Tx};
use crate::records::write::{self, Change, Changes, RowOutcome};
use crate::records::{RecordError, Records, Scope, filter};
use crate::storage::{ChangeOrigin, GROUP_COMMIT, Secrets, TenantFiles, Verdict};

pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) runtime: Runtime,
    pub(crate) clock: Clock,
    pub(crate) files: TenantFiles,
    pub(crate) people: Identity,
    pub(crate) records: Records,
    pub(crate) organization: Arc<Organization>,
    pub(crate) policy: Arc<PolicyIndex>,
    pub(crate) module: Arc<Module>,
}

impl World {
    /// The garden, in which a rep reaches everything that he owns, and an owner everything.
    pub(crate) fn new() -> Self {
        Self::of(OrganizationId::new(), garden())
    }

    pub(crate) fn of(organization: OrganizationId, module: Arc<Module>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let place = (folder, runtime, Clock::fixed(1_700_000_000_000));
        Self::in_place(place, Arc::new(acme(organization)), module)
    }

    pub(crate) fn in_place(
        (folder, runtime, clock): (tempfile::TempDir, Runtime, Clock),
        organization: Arc<Organization>,
        module: Arc<Module>,
    ) -> Self {
        let files = TenantFiles::new(folder.path().to_owned(), clock.clone(), GROUP_COMMIT);
        let secrets = Secrets::open(folder.path()).unwrap();
        let people = Identity::with_cost(files.clone(), secrets.clone(), clock.clone(), Cost::FLOOR);
        let records = Records::new(files.clone(), people.clone(), &secrets, clock.clone());
        let policy = runtime.block_on(Policy::new().load(organization.id, &grants(&module))).unwrap();
        runtime.block_on(records.prepare(&organization, &module)).unwrap();
        Self { folder, runtime, clock, files, people, records, organization, policy, module }
    }

    /// Puts rows of the organization's own in force: subject, object, action, scope, effect.
    pub(crate) fn rule(&mut self, rows: &[[&str; 5]]) {
        let row = |row: &[&str; 5]| {
            let [subject, object, action, scope, effect] = row.map(str::to_owned);
            let words = Words { subject, object, action, scope, condition: String::new(), effect };
            let (reason, created_by) = (String::new(), PrincipalId::new());
            Addition { id: PolicyId::new(), words, reason, created_at: 0, created_by }
        };
        let overlay = Overlay { roles: Vec::new(), rows: rows.iter().map(row).collect() };
        let (policies, grants) = (Policy::with_clock(self.clock.clone()), grants(&self.module));
        let build = policies.build(self.organization.id, &grants, &overlay);
        self.policy = self.runtime.block_on(build).unwrap().index;
    }

    pub(crate) fn entity(&self, key: &str) -> Arc<Entity> {
        self.module.entity(key).unwrap()
    }

    pub(crate) fn platform(&self) -> Caller {
        platform(self.organization.id, RequestId::new())
    }

    pub(crate) fn team(&self, name: &str) -> TeamId {
        self.runtime.block_on(self.people.create_team(&self.platform(), name)).unwrap().id
    }

    /// A person who is there, as a caller.
    pub(crate) fn person(&self, name: &str, role: &str, team: Option<TeamId>) -> Caller {
        let new = NewUser {
            email: None,
            name: name.to_owned(),
            roles: vec![role.to_owned()],
            team,
            external_id: None,
        };
        let user = self.runtime.block_on(self.people.create_user(&self.platform(), new)).unwrap();
        acting(self.organization.id, user.id, role, &user.teams)
    }

    pub(crate) fn scope(&self, caller: Caller) -> Scope {
        Scope {
            caller,
            organization: Arc::clone(&self.organization),
            policy: Arc::clone(&self.policy),
            modules: vec![Arc::clone(&self.module)].into(),
            settings: Arc::new(HashMap::new()),
            allow_duplicates: None,
        }
    }

    /// The engine as this caller meets it, no hook having anything to say.
    pub(crate) fn desk(&self, caller: Caller) -> Desk<'_> {
        Desk { world: self, scope: self.scope(caller), hooks: Script::silent() }
    }

    /// The desk of somebody who may do everything.
    pub(crate) fn owner(&self) -> Desk<'_> {
        self.desk(acting(self.organization.id, PrincipalId::new(), "owner", &[]))
    }

    /// Empties the tables of the module, change log and external ids included.
    pub(crate) fn clear(&self) {
        let module = Arc::clone(&self.module);
        self.raw(move |conn| {
            for entity in &module.entities {
                conn.batch(&format!("delete from \"{}\"", entity.key))?;
            }
            Ok(conn.batch("delete from _stoa_external_ids; delete from _stoa_links")?)
        });
    }

    /// The host's own hand in the module's file.
    pub(crate) fn raw<T: Send + 'static>(
        &self,
        f: impl FnOnce(&std::rc::Rc<crate::storage::Connection>) -> Result<T, RecordError> + Send + 'static,
    ) -> T {
        let file = self.records.file(self.organization.id, &self.module).unwrap();
        let origin = ChangeOrigin::from(&self.platform());
        file.write_blocking(origin, move |conn| f(conn).map(Verdict::Keep)).unwrap()
    }

    /// A single number out of the module's file.
    pub(crate) fn number(&self, sql: &'static str) -> i64 {
        self.raw(move |conn| Ok(conn.prepare(sql)?.query_row([], |row| row.get(0))?))
    }
}

/// A rep reaches everything that he owns.
fn grants(module: &Module) -> Vec<Grant> {
    let own = |object: &str| {
        ["read", "create", "update", "delete"].map(|action| grant("rep", object, action, Reach::Own))
    };
    module.entities.iter().flat_map(|entity| own(&entity.object)).collect()
}

pub(crate) fn grant(role: &str, object: &str, action: &str, scope: Reach) -> Grant {
    Grant { role: role.into(), object: object.into(), action: action.into(), scope, effect: Effect::Allow }
}

pub(crate) fn acting(organization: OrganizationId, id: PrincipalId, role: &str, teams: &[TeamId]) -> Caller {
    let principal = Principal::new(id, PrincipalKind::User, "somebody").with_roles([role]).with_teams(teams);
    Caller { organization, principal: principal.into(), request: RequestId::new(), source: Source::Api }
}

fn acme(id: OrganizationId) -> Organization {
    Organization {
        id,
        slug: Slug::parse("acme").unwrap(),
        name: "Acme".to_owned(),
        status: Status::Active,
        zone: "UTC".to_owned(),
        locale: "en".to_owned(),
        currency: "EUR".to_owned(),
        created_at: 0,
    }
}

type Turn = dyn Fn(&Tx, Hook, &Arc<Entity>, &mut [Draft]) -> Result<(), RecordError> + Send + Sync;

/// Hooks that a test writes, and a record of when they ran on what.
pub(crate) struct Script {
    /// Hook, entity and number of drafts of each run.
    pub(crate) ran: Mutex<Vec<(Hook, String, usize)>>,
    turn: Box<Turn>,
}

impl Script {
    pub(crate) fn silent() -> Arc<Self> {
        Self::new(|_, _, _, _| Ok(()))
    }

    pub(crate) fn new(
        turn: impl Fn(&Tx, Hook, &Arc<Entity>, &mut [Draft]) -> Result<(), RecordError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { ran: Mutex::new(Vec::new()), turn: Box::new(turn) })
    }

    pub(crate) fn hooks(&self) -> Vec<Hook> {
        self.ran.lock().unwrap().iter().map(|(hook, _, _)| *hook).collect()
    }
}

impl Hooks for Script {
    fn run(
        &self,
        tx: &Tx,
        hook: Hook,
        entity: &Arc<Entity>,
        drafts: &mut [Draft],
    ) -> Result<(), RecordError> {
        self.ran.lock().unwrap().push((hook, entity.key.to_string(), drafts.len()));
        (self.turn)(&tx.deeper()?, hook, entity, drafts)
    }
}

/// The engine as one caller meets it.
pub(crate) struct Desk<'w> {
    pub(crate) world: &'w World,
    pub(crate) scope: Scope,
    pub(crate) hooks: Arc<Script>,
}

fn object(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(members) => members,
        other => panic!("{other} is no object"),
    }
}

impl Desk<'_> {
    pub(crate) fn with(mut self, hooks: &Arc<Script>) -> Self {
        self.hooks = Arc::clone(hooks);
        self
    }

    pub(crate) fn write<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Tx) -> Result<T, RecordError> + Send + 'static,
    ) -> Result<T, RecordError> {
        let hooks: Arc<dyn Hooks + Send + Sync> = Arc::clone(&self.hooks) as _;
        let records = &self.world.records;
        records.write_blocking(&self.scope, &self.world.module, &hooks, move |tx| f(tx).map(Verdict::Keep))
    }

    pub(crate) fn create(&self, entity: &str, json: Json) -> Result<RecordId, RecordError> {
        let (entity, members) = (self.world.entity(entity), object(json));
        self.write(move |tx| write::create_one(tx, &entity, Changes::Members(members)))
    }

    pub(crate) fn create_all(&self, entity: &str, rows: Vec<Json>) -> Result<Vec<RowOutcome>, RecordError> {
        let entity = self.world.entity(entity);
        let inputs = rows.into_iter().map(|row| Changes::Members(object(row))).collect();
        self.write(move |tx| write::create(tx, &entity, inputs))
    }

    /// Answers the new version.
    pub(crate) fn update(
        &self,
        entity: &str,
        id: RecordId,
        version: Option<u64>,
        json: Json,
    ) -> Result<u64, RecordError> {
        let (entity, changes) = (self.world.entity(entity), Changes::Members(object(json)));
        let change = Change { id, version, changes };
        self.write(move |tx| write::update(tx, &entity, vec![change])).map(|versions| versions[0])
    }

    pub(crate) fn delete(&self, entity: &str, id: RecordId) -> Result<(), RecordError> {
        let entity = self.world.entity(entity);
        self.write(move |tx| write::delete(tx, &entity, id, None))
    }

    pub(crate) fn get(&self, entity: &str, id: RecordId) -> Result<Json, RecordError> {
        self.get_expanded(entity, id, None)
    }

    pub(crate) fn get_expanded(
        &self,
        entity: &str,
        id: RecordId,
        expand: Option<&str>,
    ) -> Result<Json, RecordError> {
        let entity = self.world.entity(entity);
        let view = View::within(&self.scope, &entity, None, expand)?;
        let one = self.world.records.get(&self.scope, &entity, id, &view)?;
        Ok(serde_json::from_slice(&one.body).unwrap())
    }

    /// What the filters of this caller are read against.
    pub(crate) fn context(&self) -> filter::Context<'_> {
        filter::Context::of(&self.scope, self.world.clock.now())
    }

    /// One page of all records that the filter, in its JSON form, selects, and the number of all.
    pub(crate) fn page(
        &self,
        entity: &str,
        json: &Json,
        sort: &str,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Json, RecordError> {
        let entity = self.world.entity(entity);
        let filter = match json {
            Json::Null => filter::Filter::all(),
            json => filter::parse_json(&self.context(), &entity, json)?,
        };
        let sort = if sort.is_empty() { Sort::newest() } else { Sort::parse(&entity, sort)? };
        let view = View::within(&self.scope, &entity, None, None)?;
        let query = Query { filter, words: None, sort, limit, cursor, view, count: Count::Exact };
        let body = self.world.records.list(&self.scope, &entity, &query)?;
        Ok(serde_json::from_slice(&body).unwrap())
    }

    /// The ids of all records that the filter selects.
    pub(crate) fn ids(&self, entity: &str, json: &Json) -> Result<Vec<RecordId>, RecordError> {
        let page = self.page(entity, json, "", 200, None)?;
        Ok(ids_of(&page))
    }
}

pub(crate) fn ids_of(page: &Json) -> Vec<RecordId> {
    let rows = page["data"].as_array().unwrap();
    rows.iter().map(|row| row["id"].as_str().unwrap().parse().unwrap()).collect()
}

/// The codes and pointers of a refusal of the input.
pub(crate) fn faults<T: std::fmt::Debug>(outcome: Result<T, RecordError>) -> Vec<String> {
    let mut listed = match outcome {
        Err(RecordError::Invalid(faults)) => told(&faults),
        other => panic!("{other:?} is no refusal of the input"),
    };
    listed.sort();
    listed
}

/// `/pointer code` of each.
pub(crate) fn told(faults: &[crate::records::Fault]) -> Vec<String> {
    faults.iter().map(|fault| format!("{} {}", fault.pointer, fault.code)).collect()
}
