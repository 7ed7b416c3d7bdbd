//! The record engine: what the host does for every declared entity, so that no plugin has to.
//!
//! A plugin declares entities ([`schema`]); each becomes a real table in the organization's file of that plugin
//! ([`evolve`]). One query compiler serves every read ([`filter`], [`sort`], [`list`]); one write pipeline serves every
//! change, whoever asks for it ([`write`]): permission, shape, declared rules, plugin hooks, store, change log, in one
//! transaction. Plugin code is reached only through the [`Hooks`] trait, which `plugins` implements.
//!
//! Reading order: `value.rs`, `schema/`, `input.rs` (JSON to values), `json.rs` (rows to JSON), `filter/`, `sort.rs`,
//! `members.rs`, `list.rs`, `expand.rs`, `tx.rs`, `write/`, `derived.rs`, `trash/` (the recycle bin), `mutation.rs`
//! (`dry_run.rs`, `idempotency/`), `bulk/`, `search/`, `duplicates/`, `companions/`, `configuration/`, `import/`, `rights/`.

pub mod blobs;
pub mod bulk;
pub mod cells;
pub mod claims;
pub mod companions;
pub mod configuration;
pub mod cursor;
pub mod derived;
mod dry_run;
pub mod duplicates;
pub mod error;
pub mod evolve;
pub mod expand;
pub mod export;
pub mod filter;
pub mod guard;
pub mod idempotency;
pub mod import;
pub mod input;
pub mod json;
pub mod list;
mod members;
pub mod merge;
pub mod money;
pub mod mutation;
pub mod number;
pub mod own;
pub mod plugin_sql;
mod profile;
pub mod published;
pub mod reference;
pub mod rights;
pub mod schema;
pub mod search;
mod shown;
pub mod since;
pub mod sort;
pub mod store;
pub mod strict;
#[cfg(test)]
pub(crate) mod tests;
pub mod trash;
pub mod tx;
pub mod value;
pub mod views;
pub mod write;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use dashmap::DashMap;

use crate::caller::{Caller, Source};
use crate::clock::Clock;
use crate::identity::{Identity, PLATFORM};
use crate::ids::{OrganizationId, RecordId, RequestId};
use crate::organizations::Organization;
use crate::policy::PolicyIndex;
use crate::storage::{ChangeOrigin, Connection, Secrets, TenantFile, TenantFiles, Verdict};

use self::blobs::Blobs;
use self::claims::{Claim, Claims};
use self::duplicates::normalize::Region;
pub use self::error::{Fault, RecordError};
use self::profile::PROFILE;
use self::schema::{Entity, Module};
pub use self::tx::{Authority, Draft, Hook, Hooks, Tx};

/// What a write answers, and the claims that it held.
type Held<T> = (T, Vec<Claim>);

/// An organization's file of one plugin.
type FileKey = (OrganizationId, Arc<str>);

/// What an organization set: JSON by plugin and key.
pub type SettingsByPlugin = HashMap<Arc<str>, BTreeMap<String, String>>;

/// What one request may do where: the caller, the organization and its policy, and the module's entities.
#[derive(Clone)]
pub struct Scope {
    /// Who asks.
    pub caller: Caller,
    /// For which organization.
    pub organization: Arc<Organization>,
    /// What the policy of the organization says.
    pub policy: Arc<PolicyIndex>,
    /// Every module that the organization may use, the base plugin included.
    pub modules: Arc<[Arc<Module>]>,
    /// What the organization set for its plugins: JSON by plugin and key.
    pub settings: Arc<SettingsByPlugin>,
    /// Why the caller wants to write what matching rules take for a duplicate, if the request says so.
    pub allow_duplicates: Option<Arc<str>>,
}

impl Scope {
    /// The declared entity `plugin.key`, if the organization has it.
    #[must_use]
    pub fn entity(&self, plugin: &str, key: &str) -> Option<Arc<Entity>> {
        self.module(plugin)?.entity(key)
    }

    /// The field of `entity` that a request names, if there is one. Filters, orders, lists of fields, expansions and
    /// searches all find their fields here: the one place where rights on fields are asked.
    ///
    /// # Errors
    /// [`RecordError::FieldNotReadable`].
    pub fn field<'e>(&self, entity: &'e Entity, key: &str) -> Result<Option<&'e schema::Field>, RecordError> {
        entity.attribute(key).map(|field| self.may_read(entity, field).map(|()| field)).transpose()
    }

    /// The module of `plugin`, if the organization has it.
    #[must_use]
    pub fn module(&self, plugin: &str) -> Option<&Arc<Module>> {
        self.modules.iter().find(|module| &*module.plugin == plugin)
    }
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Records {
    files: TenantFiles,
    /// Who is who: owners, teams, names.
    pub(crate) people: Identity,
    /// Signs cursors.
    pub(crate) cursor_key: Arc<[u8; 32]>,
    /// Signs links to files.
    pub(crate) link_key: Arc<[u8; 32]>,
    /// Contents of files.
    pub(crate) blobs: Blobs,
    clock: Clock,
    /// Records that writes under way rely on.
    pub(crate) claims: Claims,
    /// Files whose schema was brought up to date by this process, with the version it was brought to.
    ready: Arc<DashMap<FileKey, Arc<str>>>,
}

impl Records {
    /// An engine on these files.
    #[must_use]
    pub fn new(files: TenantFiles, people: Identity, secrets: &Secrets, clock: Clock) -> Self {
        Self {
            blobs: Blobs::new(files.clone()),
            files,
            people,
            cursor_key: Arc::new(secrets.key("cursor")),
            link_key: Arc::new(secrets.key("file-link")),
            clock,
            claims: Claims::default(),
            ready: Arc::new(DashMap::new()),
        }
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> crate::clock::UnixMillis {
        self.clock.now()
    }

    /// The organization's file of a plugin, its schema up to date.
    ///
    /// # Errors
    /// The file cannot be opened, or [`prepare`](Self::prepare) was never run for this module.
    pub fn file(
        &self,
        organization: OrganizationId,
        module: &Module,
    ) -> Result<Arc<TenantFile>, RecordError> {
        self.file_of(organization, &module.plugin)
    }

    /// The organization's file of the plugin with this id.
    pub(in crate::records) fn file_of(
        &self,
        organization: OrganizationId,
        plugin: &str,
    ) -> Result<Arc<TenantFile>, RecordError> {
        Ok(self.files.open(organization, plugin, &PROFILE)?)
    }

    /// Brings the organization's file of this module to the declared schema. Once per file, process and version.
    ///
    /// # Errors
    /// A change that is not additive, or the file fails.
    pub async fn prepare(
        &self,
        organization: &Arc<Organization>,
        module: &Arc<Module>,
    ) -> Result<(), RecordError> {
        let key = (organization.id, Arc::clone(&module.plugin));
        // Telephone numbers are read by the organization's region, so its locale counts too.
        let state: Arc<str> = format!("{} {}", module.fingerprint, organization.locale).into();
        if self.ready.get(&key).is_some_and(|ready| *ready == state) {
            return Ok(());
        }
        let file = self.file(organization.id, module)?;
        let plan = Arc::clone(module);
        let region = Region::of_locale(&organization.locale);
        let work = move |conn: &Rc<Connection>| -> Result<_, RecordError> {
            evolve::apply(conn, &plan)?;
            trash::adopt(conn, &plan)?;
            let unkeyed = duplicates::keys::prepare(conn, &plan, region)?;
            Ok(Verdict::Keep((search::unbuilt(conn, &plan.entities)?, unkeyed)))
        };
        let (unbuilt, unkeyed) = file.write(platform_origin(), work).await?;
        if !unbuilt.is_empty() {
            tokio::spawn(search::build(Arc::clone(&file), unbuilt));
        }
        if unkeyed {
            tokio::spawn(duplicates::keys::finish(file, Arc::clone(module)));
        }
        self.sweep_at_start(organization.id, module, platform_origin())?;
        self.ready.insert(key, state);
        Ok(())
    }

    /// The explicit steps of the module that its file has not taken yet; none when there is no file to be changed.
    ///
    /// # Errors
    /// The file fails.
    pub fn pending_steps(
        &self,
        organization: OrganizationId,
        module: &Module,
    ) -> Result<Vec<String>, RecordError> {
        self.file(organization, module)?.read(|conn| evolve::pending(conn, module))
    }

    /// Forgets what is known of a file that was put aside.
    pub fn forget(&self, organization: OrganizationId, plugin: &Arc<str>) {
        self.ready.remove(&(organization, Arc::clone(plugin)));
    }

    /// Runs `f` on a snapshot of the module's file, on this thread.
    ///
    /// # Errors
    /// Whatever `f` answers, or the file fails.
    pub fn read<T>(
        &self,
        scope: &Scope,
        module: &Module,
        f: impl FnOnce(&Rc<Connection>) -> Result<T, RecordError>,
    ) -> Result<T, RecordError> {
        self.file(scope.organization.id, module)?.read(|conn| {
            conn.declare_entities(Arc::clone(&module.tables));
            f(conn)
        })
    }

    /// Runs `f` in a write transaction of the module's file: queued, in its own savepoint, answered after the commit.
    ///
    /// # Errors
    /// Whatever `f` answers, or the file fails; then nothing of it happened.
    pub async fn write<T: Send + 'static>(
        &self,
        scope: &Scope,
        module: &Arc<Module>,
        hooks: &Arc<dyn Hooks + Send + Sync>,
        f: impl FnOnce(&Tx) -> Result<Verdict<T>, RecordError> + Send + 'static,
    ) -> Result<T, RecordError> {
        let file = self.file(scope.organization.id, module)?;
        let (value, _claims) =
            file.write(ChangeOrigin::from(&scope.caller), self.work(scope, module, hooks, f)).await?;
        Ok(value)
    }

    /// The same from a thread that may wait.
    ///
    /// # Errors
    /// Those of [`Records::write`].
    pub fn write_blocking<T: Send + 'static>(
        &self,
        scope: &Scope,
        module: &Arc<Module>,
        hooks: &Arc<dyn Hooks + Send + Sync>,
        f: impl FnOnce(&Tx) -> Result<Verdict<T>, RecordError> + Send + 'static,
    ) -> Result<T, RecordError> {
        let file = self.file(scope.organization.id, module)?;
        let work = self.work(scope, module, hooks, f);
        let (value, _claims) = file.write_blocking(ChangeOrigin::from(&scope.caller), work)?;
        Ok(value)
    }

    /// What the writer does for one request. The claims come back with the value, and so live until after the commit.
    fn work<T>(
        &self,
        scope: &Scope,
        module: &Arc<Module>,
        hooks: &Arc<dyn Hooks + Send + Sync>,
        f: impl FnOnce(&Tx) -> Result<Verdict<T>, RecordError> + Send + 'static,
    ) -> impl FnOnce(&Rc<Connection>) -> Result<Verdict<Held<T>>, RecordError> + Send + 'static {
        let (engine, scope, module, hooks) =
            (self.clone(), scope.clone(), Arc::clone(module), Arc::clone(hooks));
        move |conn| {
            conn.declare_entities(Arc::clone(&module.tables));
            let (conn, now) = (Rc::clone(conn), engine.now());
            let claims = Rc::new(RefCell::new(Vec::new()));
            let held = Rc::clone(&claims);
            let verdict = f(&Tx {
                engine,
                conn,
                scope,
                module,
                hooks,
                authority: Authority::Caller,
                now,
                depth: 0,
                claims,
            })?;
            let held = held.take();
            Ok(match verdict {
                Verdict::Keep(value) => Verdict::Keep((value, held)),
                Verdict::Undo(value) => Verdict::Undo((value, held)),
            })
        }
    }

    /// One record as JSON with its version, or [`RecordError::NotFound`] when there is none that the caller may read.
    ///
    /// # Errors
    /// As said, and whatever the file answers.
    pub fn get(
        &self,
        scope: &Scope,
        entity: &Arc<Entity>,
        id: RecordId,
        view: &list::View,
    ) -> Result<list::One, RecordError> {
        let module = scope.module(&entity.plugin).ok_or(RecordError::NotFound)?;
        let mut one = self.read(scope, module, |conn| list::get(conn, scope, entity, id, view))?;
        one.body = expand::splice(self, scope, one.body, &one.places, &view.expansions)?;
        Ok(one)
    }

    /// A page of records as JSON.
    ///
    /// # Errors
    /// The caller may not read the entity, or the file fails.
    pub fn list(
        &self,
        scope: &Scope,
        entity: &Arc<Entity>,
        query: &list::Query,
    ) -> Result<Vec<u8>, RecordError> {
        let module = scope.module(&entity.plugin).ok_or(RecordError::NotFound)?;
        let page = self.read(scope, module, |conn| list::page(self, conn, scope, entity, query))?;
        expand::splice(self, scope, page.body, &page.places, &query.view.expansions)
    }
}

/// Whom the change log names when nobody asked.
fn platform_origin() -> ChangeOrigin {
    ChangeOrigin { principal: PLATFORM, request: RequestId::new(), source: Source::Platform }
}

/// The record of `target` that bears an external id, in this file or another plugin's, whoever may read it.
///
/// # Errors
/// A file fails.
pub fn find_external(
    scope: &Scope,
    tx: &Tx,
    target: &schema::Target,
    source: &str,
    id: &str,
) -> Result<Option<RecordId>, RecordError> {
    let found =
        scope.module(&target.plugin).and_then(|module| Some((module, module.entity(&target.entity)?)));
    let Some((module, entity)) = found else {
        return Ok(None);
    };
    if module.plugin == tx.module.plugin {
        return store::by_external_id(&tx.conn, &entity, source, id);
    }
    tx.engine.read(scope, module, |conn| store::by_external_id(conn, &entity, source, id))
}
