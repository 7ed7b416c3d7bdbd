//! A host in memory, for native tests of handlers: records with the plugin's own hooks, a clock that stands still,
//! rights that the test grants, answers to SQL that the test gives, and a log that can be read.
//!
//! It checks what a plugin's rules do, not what the host does: declared rules, policies and SQL are the real host's
//! (`stoa-testkit` runs that one).

mod backend;
mod filter;

use std::cell::{Cell as StdCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use crate::backend::{RawDraft, RawRow, RawRows, RawVerdict};
use crate::cells::{Cell, Cells};
use crate::context::Context;
use crate::entity::{Entity, Record, System};
use crate::error::{Failure, Refusal, Result};
use crate::id::RecordId;
use crate::manifest::{self, Manifest};
use crate::plugin::Plugin;
use crate::sql::Sql;

/// A record in memory: the declared fields one by one, packed.
#[derive(Clone, Debug)]
struct Row {
    id: RecordId,
    version: u64,
    system: System,
    fields: Vec<Vec<u8>>,
}

impl Row {
    fn cells(&self) -> Vec<u8> {
        let mut cells = Cells::new();
        self.system.write(&mut cells);
        self.fields.iter().for_each(|field| cells.extend(field));
        cells.into_bytes()
    }

    fn raw(&self) -> RawRow {
        RawRow { id: self.id, version: self.version, cells: self.cells() }
    }
}

type RunHook = fn(&Context<'_>, &str, &str, Vec<RawDraft>) -> Result<Vec<RawVerdict>>;
type Tables = BTreeMap<String, Vec<Row>>;

/// The host in memory.
pub struct Host {
    manifest: Manifest,
    hook: RunHook,
    tables: RefCell<Tables>,
    answers: RefCell<BTreeMap<&'static str, RawRows>>,
    denied: RefCell<BTreeSet<(String, String)>>,
    settings: RefCell<BTreeMap<String, String>>,
    log: RefCell<Vec<(String, String)>>,
    now: StdCell<i64>,
    today: RefCell<String>,
    source: RefCell<String>,
    ids: StdCell<u64>,
    calls: StdCell<u32>,
}

impl Host {
    /// A host with this plugin; it is 2026-11-22T09:30:00Z.
    #[must_use]
    pub fn new<P: Plugin>() -> Self {
        let manifest = P::describe();
        let settings =
            manifest.settings.iter().map(|setting| (setting.key.clone(), setting.default.to_string()));
        Self {
            settings: RefCell::new(settings.collect()),
            manifest,
            hook: P::hook,
            tables: RefCell::default(),
            answers: RefCell::default(),
            denied: RefCell::default(),
            log: RefCell::default(),
            now: StdCell::new(1_795_339_800_000),
            today: RefCell::new("2026-11-22".into()),
            source: RefCell::new("api".into()),
            ids: StdCell::new(0),
            calls: StdCell::new(0),
        }
    }

    /// The context in which handlers run here.
    #[must_use]
    pub fn context(&self) -> Context<'_> {
        Context::new(self)
    }

    /// Lets time pass: from now on it is this instant, on this day of the organization's zone.
    pub fn set_time(&self, now_millis: i64, today: &str) {
        self.now.set(now_millis);
        today.clone_into(&mut self.today.borrow_mut());
    }

    /// From now on requests come in this way: `import`, `api`, ...
    pub fn set_source(&self, source: &str) {
        source.clone_into(&mut self.source.borrow_mut());
    }

    /// Takes a right from the principal, who otherwise has every one.
    pub fn deny(&self, object: &str, action: &str) {
        self.denied.borrow_mut().insert((object.into(), action.into()));
    }

    /// What the organization set.
    pub fn set_setting(&self, key: &str, json: &str) {
        self.settings.borrow_mut().insert(key.into(), json.into());
    }

    /// What this statement answers, read at once or with a cursor; `cells` are row-major.
    pub fn answer(&self, sql: Sql, columns: u32, cells: &[Cell<'_>]) {
        let mut packed = Cells::new();
        cells.iter().for_each(|cell| packed.push(*cell));
        let count = u32::try_from(cells.len()).unwrap_or(u32::MAX).checked_div(columns).unwrap_or(0);
        let rows = RawRows { columns, count, cells: packed.into_bytes(), more: false };
        self.answers.borrow_mut().insert(sql.text(), rows);
    }

    /// Calls of records and SQL so far: what a hook costs on a batch.
    #[must_use]
    pub fn calls(&self) -> u32 {
        self.calls.get()
    }

    fn count_call(&self) {
        self.calls.set(self.calls.get() + 1);
    }

    /// Lines logged so far: level and message.
    #[must_use]
    pub fn log_lines(&self) -> Vec<(String, String)> {
        self.log.borrow().clone()
    }

    /// All records of an entity, in the order of their making.
    ///
    /// # Errors
    /// The entity is not of this plugin.
    pub fn stored<T: Entity>(&self) -> Result<Vec<Record<T>>> {
        let tables = self.tables.borrow();
        let rows = tables.get(T::KEY).into_iter().flatten();
        Ok(rows.map(|row| Record::from_row(row.id, row.version, &row.cells())).collect::<Result<_, _>>()?)
    }

    fn entity(&self, key: &str) -> Result<&manifest::Entity> {
        let found = self.manifest.entities.iter().find(|entity| entity.key == key);
        found.ok_or_else(|| Refusal::failed("unknown_entity", format!("there is no entity {key}")))
    }

    /// Runs the hook if the entity declares it; the answers belong to `rows` in order.
    fn run_hook(
        &self,
        hook: &str,
        entity: &manifest::Entity,
        rows: &mut [Row],
        before: &[Option<Row>],
    ) -> Result<()> {
        if !entity.hooks.iter().any(|declared| declared == hook) {
            return Ok(());
        }
        let draft = |(at, row): (usize, &Row)| RawDraft {
            id: row.id,
            before: before.get(at).and_then(Option::as_ref).map(Row::cells),
            after: row.cells(),
        };
        let drafts = rows.iter().enumerate().map(draft).collect();
        let verdicts = (self.hook)(&self.context(), hook, &entity.key, drafts)?;
        let mut failures: Vec<Failure> = Vec::new();
        for (row, verdict) in rows.iter_mut().zip(verdicts) {
            failures.extend(verdict.failures);
            if let Some(fields) = verdict.fields {
                row.fields = backend::split(entity, &fields)?;
            }
        }
        Refusal::unless_empty(failures)
    }

    /// Runs `write`; undoes everything if it refuses.
    fn atomically<T>(&self, write: impl FnOnce() -> Result<T>) -> Result<T> {
        let before = self.tables.borrow().clone();
        let done = write();
        if done.is_err() {
            *self.tables.borrow_mut() = before;
        }
        done
    }

    fn system(&self) -> System {
        let (now, user) = (Some(self.context().now()), Some(self.context().user()));
        System {
            created_at: now,
            created_by: user,
            updated_at: now,
            updated_by: user,
            owner: user,
            team: None,
        }
    }
}

/// Compares a checked-in file with what the plugin says now; with `STOA_BLESS=1` in the environment it writes the
/// file instead. For the manifest: `matches_file(concat!(env!("CARGO_MANIFEST_DIR"), "/manifest.json"), &text)`.
///
/// # Errors
/// The file differs or cannot be read or written: what to do.
pub fn matches_file(path: &str, text: &str) -> std::result::Result<(), String> {
    if std::env::var_os("STOA_BLESS").is_some() {
        return std::fs::write(path, text).map_err(|error| format!("{path}: {error}"));
    }
    let found = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    if found == text {
        Ok(())
    } else {
        Err(format!(
            "{path} is not what the code says: run the test with STOA_BLESS=1 and review the difference"
        ))
    }
}
