//! The organization's own schema: fields on the entities of plugins, objects of its own, option sets, validation rules,
//! conditional requirements, as one document. It is edited as a draft, checked against what is there, put in force
//! atomically as a new version, and taken back by publishing an old version anew. Nothing is ever dropped.
//!
//! Reading order: `document.rs` (what is written), `shape.rs` (its form), `compile.rs` with `fields.rs`, `names.rs` and
//! `conditions.rs` (the modules it makes), `history.rs` (what may become of it), `impact.rs` (what it means for records),
//! `publish.rs` and `fill.rs` (how it is put in force), `edit.rs` (single changes), `judge.rs` (how records are held to it).

mod compile;
mod conditions;
pub mod document;
pub mod edit;
mod fields;
mod fill;
mod history;
mod impact;
pub(in crate::records) mod judge;
mod names;
mod publish;
pub mod shape;
mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use dashmap::DashMap;

pub use self::compile::{Compiled, compile};
pub use self::document::Document;
pub use self::impact::Impact;
pub use self::publish::Report;
use super::error::{Fault, RecordError};
use super::schema::Module;
use super::{Records, SettingsByPlugin};
use crate::caller::Caller;
use crate::clock::UnixMillis;
use crate::ids::{OrganizationId, PrincipalId};
use crate::organizations::Organization;
use crate::storage::{ChangeOrigin, Verdict};

/// How old what is known of an organization's version may be, in milliseconds: another process may have published.
const VERSION_AGE: UnixMillis = 1_000;

/// What a document is read against.
#[derive(Clone)]
pub struct Ground {
    /// The modules as their plugins declare them; those that the organization may use.
    pub declared: Arc<[Arc<Module>]>,
    /// The organization.
    pub organization: Arc<Organization>,
    /// What it set.
    pub settings: Arc<SettingsByPlugin>,
}

/// A published version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Version {
    /// From 1; 0 stands for nothing published yet.
    pub version: i64,
    /// When.
    pub published_at: UnixMillis,
    /// By whom.
    pub published_by: PrincipalId,
    /// Why.
    pub note: String,
    /// Whose document it is again.
    pub rolled_back_from: Option<i64>,
}

/// A published version with its document.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    /// Which.
    pub version: Version,
    /// What it says.
    pub document: Document,
}

impl Published {
    fn nothing() -> Self {
        let nobody = PrincipalId::from_bytes([0; 16]);
        let version = Version {
            version: 0,
            published_at: 0,
            published_by: nobody,
            note: String::new(),
            rolled_back_from: None,
        };
        Self { version, document: Document::default() }
    }
}

/// What is being prepared.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// What it says so far.
    pub document: Document,
    /// The version that it was made from.
    pub base: i64,
    /// Grows with every change.
    pub revision: i64,
    /// When and by whom it was last changed; `None`: never.
    pub updated: Option<(UnixMillis, PrincipalId)>,
}

/// Every operation on the schemas of organizations. Cheap to clone.
#[derive(Clone)]
pub struct Configuration {
    records: Records,
    known: Arc<DashMap<OrganizationId, Arc<Known>>>,
}

/// What is known of an organization's version.
struct Known {
    version: AtomicI64,
    read_at: AtomicI64,
}

impl Configuration {
    /// The schemas that are kept beside these records.
    #[must_use]
    pub fn new(records: Records) -> Self {
        Self { records, known: Arc::new(DashMap::new()) }
    }

    /// The version in force. From memory, but for a look into the file each second.
    ///
    /// # Errors
    /// The file fails.
    pub fn version_in_force(&self, organization: OrganizationId) -> Result<i64, RecordError> {
        let known = self.known(organization);
        let (now, read_at) = (self.records.now(), known.read_at.load(Ordering::Acquire));
        if now.saturating_sub(read_at) >= VERSION_AGE || now < read_at {
            let version = self.records.own_file(organization)?.read(store::current)?;
            known.version.fetch_max(version, Ordering::AcqRel);
            known.read_at.store(now, Ordering::Release);
        }
        Ok(known.version.load(Ordering::Acquire))
    }

    /// This process knows that the version is in force.
    fn saw(&self, organization: OrganizationId, version: i64) {
        self.known(organization).version.fetch_max(version, Ordering::AcqRel);
    }

    fn known(&self, organization: OrganizationId) -> Arc<Known> {
        if let Some(known) = self.known.get(&organization) {
            return Arc::clone(&known);
        }
        let fresh = || Known { version: AtomicI64::new(0), read_at: AtomicI64::new(UnixMillis::MIN) };
        Arc::clone(&self.known.entry(organization).or_insert_with(|| Arc::new(fresh())))
    }

    /// What is in force.
    ///
    /// # Errors
    /// The file fails.
    pub fn published(&self, organization: OrganizationId) -> Result<Published, RecordError> {
        let found =
            self.records.own_file(organization)?.read(|conn| store::find(conn, store::current(conn)?))?;
        let published = found.map_or_else(|| Ok(Published::nothing()), stored)?;
        self.saw(organization, published.version.version);
        Ok(published)
    }

    /// One version.
    ///
    /// # Errors
    /// [`RecordError::NotFound`], or the file fails.
    pub fn version(&self, organization: OrganizationId, number: i64) -> Result<Published, RecordError> {
        let found = self.records.own_file(organization)?.read(|conn| store::find(conn, number))?;
        stored(found.ok_or(RecordError::NotFound)?)
    }

    /// Versions below `before` (all when `None`), the latest first.
    ///
    /// # Errors
    /// The file fails.
    pub fn versions(
        &self,
        organization: OrganizationId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Version>, RecordError> {
        self.records.own_file(organization)?.read(|conn| store::list(conn, before.unwrap_or(i64::MAX), limit))
    }

    /// What is being prepared; a copy of what is in force while nothing is.
    ///
    /// # Errors
    /// The file fails.
    pub fn draft(&self, organization: OrganizationId) -> Result<Draft, RecordError> {
        self.records.own_file(organization)?.read(draft)
    }

    /// Puts another document in the place of the draft, made from what is in force now. `expected` is the revision that the
    /// change was decided on.
    ///
    /// # Errors
    /// [`RecordError::Stale`], or the file fails.
    pub async fn replace(
        &self,
        caller: &Caller,
        expected: Option<i64>,
        document: Document,
    ) -> Result<Draft, RecordError> {
        self.change(caller, expected, move |draft, current| {
            draft.document = document;
            draft.base = current.version.version;
            Ok(())
        })
        .await
    }

    /// Makes the draft what is in force again.
    ///
    /// # Errors
    /// [`RecordError::Stale`], or the file fails.
    pub async fn discard(&self, caller: &Caller, expected: Option<i64>) -> Result<Draft, RecordError> {
        self.change(caller, expected, |draft, current| {
            draft.document = current.document.clone();
            draft.base = current.version.version;
            Ok(())
        })
        .await
    }

    /// Changes a part of the draft; `edit` gets it and what is in force.
    ///
    /// # Errors
    /// [`RecordError::Stale`], [`RecordError::Conflict`] when another version was published since the draft was made,
    /// whatever `edit` answers, or the file fails.
    pub async fn edit(
        &self,
        caller: &Caller,
        expected: Option<i64>,
        edit: impl FnOnce(&mut Document, &Document) -> Result<(), RecordError> + Send + 'static,
    ) -> Result<Draft, RecordError> {
        self.change(caller, expected, move |draft, current| {
            publish::on_base(draft, current.version.version)?;
            edit(&mut draft.document, &current.document)?;
            match serde_json::to_value(&draft.document) {
                // Lengths of lists and of the whole are judged on the result.
                Ok(json) => shape::document(&json).map(drop).map_err(RecordError::Invalid),
                Err(_) => {
                    Err(RecordError::invalid("", "wrong_type", "the document cannot be written as JSON"))
                }
            }
        })
        .await
    }

    async fn change(
        &self,
        caller: &Caller,
        expected: Option<i64>,
        change: impl FnOnce(&mut Draft, &Published) -> Result<(), RecordError> + Send + 'static,
    ) -> Result<Draft, RecordError> {
        let (at, by) = (self.records.now(), caller.principal.id);
        let file = self.records.own_file(caller.organization)?;
        file.write(ChangeOrigin::from(caller), move |conn| {
            let mut draft = draft(conn)?;
            publish::fresh(&draft, expected)?;
            let current = store::find(conn, store::current(conn)?)?;
            let current = current.map_or_else(|| Ok(Published::nothing()), stored)?;
            change(&mut draft, &current)?;
            draft.revision += 1;
            draft.updated = Some((at, by));
            store::save(conn, &draft)?;
            Ok(Verdict::Keep(draft))
        })
        .await
    }

    /// The modules as the organization has them, its grants, and what had to be left out.
    #[must_use]
    pub fn modules(&self, ground: &Ground, published: &Published) -> Compiled {
        compile(ground, &published.document, &published.document, self.records.now())
    }
}

/// The draft as the file has it, or as it begins.
fn draft(conn: &std::rc::Rc<crate::storage::Connection>) -> Result<Draft, RecordError> {
    if let Some((draft, text)) = store::draft(conn)? {
        return Ok(Draft { document: parsed(&text)?, ..draft });
    }
    let published = store::find(conn, store::current(conn)?)?;
    let published = published.map_or_else(|| Ok(Published::nothing()), stored)?;
    Ok(Draft { document: published.document, base: published.version.version, revision: 0, updated: None })
}

fn stored((version, text): (Version, String)) -> Result<Published, RecordError> {
    Ok(Published { version, document: parsed(&text)? })
}

/// A document out of the file. One that a newer host wrote is refused, not guessed at.
fn parsed(text: &str) -> Result<Document, RecordError> {
    serde_json::from_str(text)
        .map_err(|error| RecordError::Schema(format!("the stored configuration cannot be read: {error}")))
}

/// What is wrong with a document: what does not compile, and what it does to the one before.
fn faults_of(compiled: &Compiled, before: &Document, document: &Document) -> Vec<Fault> {
    let mut faults = compiled.faults.clone();
    faults.extend(history::faults(before, document));
    let mut seen = std::collections::HashSet::new();
    faults.retain(|fault| seen.insert((fault.pointer.clone(), fault.code.clone())));
    faults
}
