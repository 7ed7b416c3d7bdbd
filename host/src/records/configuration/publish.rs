//! Putting a document in force. The files are brought to it first (columns and tables are only added), then the records,
//! then one row says that it is in force: that row is the switch. What comes to nothing before it leaves columns that
//! nobody uses.

use std::rc::Rc;
use std::sync::Arc;

use super::document::Document;
use super::impact::{Impact, impacts};
use super::{
    Compiled, Configuration, Draft, Ground, Published, Version, compile, faults_of, fill, history, store,
};
use crate::records::error::{Fault, RecordError};
use crate::records::schema::Module;
use crate::records::{Scope, evolve};
use crate::storage::{ChangeOrigin, Connection, Verdict};

/// What a check found.
#[derive(Debug)]
pub struct Report {
    /// The revision of the draft that was looked at.
    pub revision: i64,
    /// What keeps it from being published.
    pub faults: Vec<Fault>,
    /// What it means for the records that are there; empty while there are faults.
    pub impact: Vec<Impact>,
}

/// A document on its way.
struct Plan {
    document: Document,
    before: Published,
    /// The revision of the draft, when it is a draft.
    revision: Option<i64>,
    note: String,
    rolled_back_from: Option<i64>,
}

/// Refuses a draft that another version came before.
pub(super) fn on_base(draft: &Draft, current: i64) -> Result<(), RecordError> {
    if draft.base == current {
        return Ok(());
    }
    Err(conflict(
        "draft_outdated",
        format!(
            "version {current} was published after this draft was made from version {}; merge it with \
             GET /configuration and PUT the draft, or DELETE it",
            draft.base
        ),
    ))
}

/// Refuses a change that was decided on another revision.
pub(super) fn fresh(draft: &Draft, expected: Option<i64>) -> Result<(), RecordError> {
    match expected {
        Some(sent) if sent != draft.revision => Err(RecordError::Stale {
            current: draft.revision.unsigned_abs(),
            sent: sent.unsigned_abs(),
            record: serde_json::to_vec(&draft.document).unwrap_or_default(),
            changed: Vec::new(),
        }),
        _ => Ok(()),
    }
}

fn conflict(code: &'static str, detail: String) -> RecordError {
    RecordError::Conflict { code: code.into(), detail, extra: serde_json::Map::new(), faults: Vec::new() }
}

impl Configuration {
    /// What is wrong with the draft, and what it would mean. Waits for counts: not for an async worker.
    ///
    /// # Errors
    /// A file fails.
    pub fn check(&self, scope: &Scope, ground: &Ground) -> Result<Report, RecordError> {
        let (draft, before) = (self.draft(ground.organization.id)?, self.published(ground.organization.id)?);
        let now = self.records.now();
        let compiled = compile(ground, &draft.document, &before.document, now);
        let mut faults = faults_of(&compiled, &before.document, &draft.document);
        if let Err(error) = on_base(&draft, before.version.version) {
            faults.push(super::shape::fault("", "draft_outdated", error.to_string()));
        }
        let impact = if faults.is_empty() {
            let old = compile(ground, &before.document, &before.document, now);
            impacts(&self.records, &within(scope, &compiled), &old.modules, &draft.document)?
        } else {
            Vec::new()
        };
        Ok(Report { revision: draft.revision, faults, impact })
    }

    /// Puts the draft in force. The caller sees to it that the organization is not made ready meanwhile, nor another
    /// document published.
    ///
    /// # Errors
    /// [`RecordError::Stale`], [`RecordError::Invalid`] with every fault, [`RecordError::Conflict`] when the records do not
    /// allow it; then nothing is in force that was not before.
    pub async fn publish(
        &self,
        scope: &Scope,
        ground: &Ground,
        expected: Option<i64>,
        note: String,
    ) -> Result<Published, RecordError> {
        let (draft, before) = (self.draft(ground.organization.id)?, self.published(ground.organization.id)?);
        fresh(&draft, expected)?;
        on_base(&draft, before.version.version)?;
        if draft.document.clone().settled() == before.document.clone().settled() && !replaces(&draft.document)
        {
            return Err(conflict(
                "nothing_to_publish",
                "the draft says what is in force already; change it first".into(),
            ));
        }
        let revision = Some(draft.revision);
        self.put_in_force(
            scope,
            ground,
            Plan { document: draft.document, before, revision, note, rolled_back_from: None },
        )
        .await
    }

    /// Puts an old version in force again, as a new one; what was added since is archived.
    ///
    /// # Errors
    /// [`RecordError::NotFound`] for a version that there is not, and those of [`publish`](Self::publish).
    pub async fn roll_back(
        &self,
        scope: &Scope,
        ground: &Ground,
        number: i64,
        note: String,
    ) -> Result<Published, RecordError> {
        let target = self.version(ground.organization.id, number)?;
        let before = self.published(ground.organization.id)?;
        if before.version.version == number {
            return Err(conflict("nothing_to_publish", format!("version {number} is in force already")));
        }
        let document = history::back_to(&target.document, &before.document);
        let rolled_back_from = Some(number);
        self.put_in_force(scope, ground, Plan { document, before, revision: None, note, rolled_back_from })
            .await
    }

    async fn put_in_force(
        &self,
        scope: &Scope,
        ground: &Ground,
        plan: Plan,
    ) -> Result<Published, RecordError> {
        let now = self.records.now();
        let compiled = compile(ground, &plan.document, &plan.before.document, now);
        let faults = faults_of(&compiled, &plan.before.document, &plan.document);
        if !faults.is_empty() {
            return Err(RecordError::Invalid(faults));
        }
        let old = compile(ground, &plan.before.document, &plan.before.document, now);
        let scope = within(scope, &compiled);
        self.allowed(&scope, &old, &plan.document).await?;
        for module in &*compiled.modules {
            self.add_columns(&scope, module).await?;
            self.records.prepare(&ground.organization, module).await.map_err(refused)?;
        }
        fill::fill(&self.records, &scope, &old.modules, &plan.document, fill::NUMBERED).await?;
        let document = plan.document.clone();
        let published = self.switch(&scope, plan).await?;
        // What was written between the filling and the switch.
        fill::fill(&self.records, &scope, &old.modules, &document, 2 * fill::BATCH).await?;
        Ok(published)
    }

    /// Adds what the tables lack, each column in a write of its own: other writes go on in between.
    async fn add_columns(&self, scope: &Scope, module: &Arc<Module>) -> Result<(), RecordError> {
        let file = self.records.file(scope.organization.id, module)?;
        for sql in file.read(|conn| evolve::lacking(conn, module))? {
            let add = move |conn: &Rc<Connection>| Ok::<_, RecordError>(Verdict::Keep(conn.batch(&sql)?));
            file.write(ChangeOrigin::from(&scope.caller), add).await?;
        }
        Ok(())
    }

    /// Refuses what the records that are there do not allow.
    async fn allowed(&self, scope: &Scope, old: &Compiled, document: &Document) -> Result<(), RecordError> {
        let (records, scope, old) = (self.records.clone(), scope.clone(), Arc::clone(&old.modules));
        let document = document.clone();
        let counted = tokio::task::spawn_blocking(move || impacts(&records, &scope, &old, &document)).await;
        let impact = counted.map_err(|_| RecordError::Schema("the impact could not be counted".into()))??;
        let blocking: Vec<&Impact> = impact.iter().filter(|impact| impact.blocks).collect();
        let Some(first) = blocking.first() else { return Ok(()) };
        let extra = blocking.iter().map(|impact| {
            let ids: Vec<String> = impact.ids.iter().map(ToString::to_string).collect();
            serde_json::json!({ "entity": impact.entity, "field": impact.field, "code": impact.code, "count": impact.count, "ids": ids })
        });
        let extra = std::iter::once(("impact".to_owned(), extra.collect())).collect();
        let detail = format!("{}: {} {}", first.entity, first.count.unwrap_or_default(), first.detail);
        Err(RecordError::Conflict { code: "values_not_unique".into(), detail, extra, faults: Vec::new() })
    }

    /// The switch.
    async fn switch(&self, scope: &Scope, plan: Plan) -> Result<Published, RecordError> {
        let organization = scope.organization.id;
        let file = self.records.own_file(organization)?;
        let (at, by) = (self.records.now(), scope.caller.principal.id);
        let published = file
            .write(ChangeOrigin::from(&scope.caller), move |conn| {
                let mut draft = super::draft(conn)?;
                fresh(&draft, plan.revision)?;
                let base = plan.before.version.version;
                if store::current(conn)? != base {
                    let detail = "another version was published meanwhile; look at it and try again";
                    return Err(conflict("published_meanwhile", detail.into()));
                }
                let version = Version {
                    version: base + 1,
                    published_at: at,
                    published_by: by,
                    note: plan.note,
                    rolled_back_from: plan.rolled_back_from,
                };
                let published = Published { version, document: plan.document.settled() };
                store::publish(conn, &published)?;
                // A draft that is published, or in which nothing was changed, goes along; another one waits for its author.
                let idle = draft.base == base && draft.document == plan.before.document;
                if plan.revision.is_some() || idle {
                    draft.document = published.document.clone();
                    (draft.base, draft.revision) = (published.version.version, draft.revision + 1);
                    draft.updated = Some((at, by));
                    store::save(conn, &draft)?;
                }
                Ok(Verdict::Keep(published))
            })
            .await?;
        self.saw(organization, published.version.version);
        Ok(published)
    }
}

fn replaces(document: &Document) -> bool {
    document.option_sets.iter().any(|set| !set.replace.is_empty())
}

/// The scope with the modules as they will be.
fn within(scope: &Scope, compiled: &Compiled) -> Scope {
    Scope { modules: Arc::clone(&compiled.modules), ..scope.clone() }
}

/// A file that does not take the schema: the records or an older column are in the way.
fn refused(error: RecordError) -> RecordError {
    match error {
        RecordError::Schema(why) => conflict("schema_refused", why),
        other => other,
    }
}
