//! A host in memory, for native tests of handlers: records with the plugin's own hooks, a clock that stands still,
//! rights that the test grants, answers to SQL that the test gives, and a log that can be read.
//!
//! It checks what a plugin's rules do, not what the host does: declared rules, policies and SQL are the real host's
//! (`stoa-testkit` runs that one).

mod filter;

use std::cell::{Cell as StdCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use crate::backend::{
    Backend, Organization, Principal, RawChange, RawCursor, RawDraft, RawRow, RawRows, RawVerdict,
};
use crate::cells::{Cell, Cells, Reader};
use crate::context::Context;
use crate::entity::{Entity, Record, System};
use crate::error::{Failure, Refusal, Result};
use crate::field::Stored as _;
use crate::id::{RecordId, UserId};
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

    /// What this statement answers; `cells` are row-major.
    pub fn answer(&self, sql: Sql, columns: u32, cells: &[Cell<'_>]) {
        let mut packed = Cells::new();
        cells.iter().for_each(|cell| packed.push(*cell));
        let count = u32::try_from(cells.len()).unwrap_or(u32::MAX).checked_div(columns).unwrap_or(0);
        let rows = RawRows { columns, count, cells: packed.into_bytes(), more: false };
        self.answers.borrow_mut().insert(sql.text(), rows);
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
                row.fields = split(entity, &fields)?;
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

/// The cells of each declared field.
fn split(entity: &manifest::Entity, cells: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut reader = Reader::new(cells);
    let width = |field: &manifest::Field| if field.kind == "money" { 2 } else { 1 };
    let fields = entity.fields.iter().map(|field| reader.packed(width(field)).map(<[u8]>::to_vec));
    Ok(fields.collect::<Result<_, _>>()?)
}

/// Puts the named cells into a row; `owner_id` may stand among them.
fn fill(entity: &manifest::Entity, row: &mut Row, names: &[String], cells: &[u8]) -> Result<()> {
    let mut reader = Reader::new(cells);
    for name in names {
        if name == "owner_id" {
            row.system.owner = Option::<UserId>::read(&mut reader)?.or(row.system.owner);
            continue;
        }
        let at = entity.fields.iter().position(|field| field.key == *name);
        let at =
            at.ok_or_else(|| Refusal::failed("unknown_field", format!("{} has no {name}", entity.key)))?;
        let width = if entity.fields.get(at).is_some_and(|field| field.kind == "money") { 2 } else { 1 };
        let packed = reader.packed(width)?.to_vec();
        if let Some(field) = row.fields.get_mut(at) {
            *field = packed;
        }
    }
    Ok(())
}

impl Backend for Host {
    fn organization(&self) -> Organization {
        Organization {
            id: RecordId::from_halves(1, 1),
            slug: "test".into(),
            name: "Test".into(),
            zone: "Europe/Vienna".into(),
            locale: "en".into(),
            currency: "EUR".into(),
        }
    }

    fn principal(&self) -> Principal {
        let id = RecordId::from_halves(2, 2);
        Principal {
            id,
            kind: "user".into(),
            name: "Tester".into(),
            teams: vec![],
            roles: vec!["owner".into()],
        }
    }

    fn request_id(&self) -> String {
        "test".into()
    }

    fn source(&self) -> String {
        self.source.borrow().clone()
    }

    fn remaining_ms(&self) -> u32 {
        2000
    }

    fn allows(&self, object: &str, action: &str) -> bool {
        !self.denied.borrow().contains(&(object.into(), action.into()))
    }

    fn now(&self) -> i64 {
        self.now.get()
    }

    fn today(&self) -> String {
        self.today.borrow().clone()
    }

    fn random_bytes(&self, length: u32) -> Vec<u8> {
        // The same in every run, so that tests can be repeated.
        (0..=u8::MAX).cycle().take(usize::try_from(length).unwrap_or(0)).collect()
    }

    fn random_id(&self) -> RecordId {
        self.ids.set(self.ids.get() + 1);
        RecordId::from_halves(0x018f_0000_0000_7000, 0x8000_0000_0000_0000 + self.ids.get())
    }

    fn log(&self, level: &str, message: &str) {
        self.log.borrow_mut().push((level.into(), message.into()));
    }

    fn setting(&self, key: &str) -> Option<String> {
        self.settings.borrow().get(key).cloned()
    }

    fn get(&self, entity: &str, id: RecordId, _: &str) -> Result<Option<RawRow>> {
        self.entity(entity)?;
        Ok(self.tables.borrow().get(entity).into_iter().flatten().find(|row| row.id == id).map(Row::raw))
    }

    fn find(&self, entity: &str, filter: &str, sort: &str, limit: u32, _: &str) -> Result<Vec<RawRow>> {
        let declared = self.entity(entity)?;
        let filter = filter::Filter::parse(declared, filter)?;
        let order = filter::Order::parse(declared, sort)?;
        let tables = self.tables.borrow();
        let mut found: Vec<&Row> =
            tables.get(entity).into_iter().flatten().filter(|row| filter.fits(&row.fields)).collect();
        found.sort_by(|a, b| order.compare(&a.fields, &b.fields));
        Ok(found.into_iter().take(usize::try_from(limit).unwrap_or(1000)).map(Row::raw).collect())
    }

    fn create(&self, entity: &str, fields: &[String], rows: Vec<Vec<u8>>, _: &str) -> Result<Vec<RecordId>> {
        let declared = self.entity(entity)?;
        self.atomically(|| {
            let mut made = Vec::with_capacity(rows.len());
            for cells in rows {
                let empty = declared
                    .fields
                    .iter()
                    .map(|field| if field.kind == "money" { vec![0, 0] } else { vec![0] });
                let mut row =
                    Row { id: self.random_id(), version: 1, system: self.system(), fields: empty.collect() };
                fill(declared, &mut row, fields, &cells)?;
                made.push(row);
            }
            let nothing: Vec<Option<Row>> = made.iter().map(|_| None).collect();
            self.run_hook("validate", declared, &mut made, &nothing)?;
            self.run_hook("before_create", declared, &mut made, &nothing)?;
            self.tables.borrow_mut().entry(entity.into()).or_default().extend(made.iter().cloned());
            self.run_hook("after_create", declared, &mut made, &nothing)?;
            Ok(made.into_iter().map(|row| row.id).collect())
        })
    }

    fn update(&self, entity: &str, fields: &[String], changes: Vec<RawChange>, _: &str) -> Result<Vec<u64>> {
        let declared = self.entity(entity)?;
        self.atomically(|| {
            let (mut after, mut before) = (Vec::new(), Vec::new());
            for change in changes {
                let tables = self.tables.borrow();
                let row = tables.get(entity).into_iter().flatten().find(|row| row.id == change.id);
                let row = row.ok_or_else(|| Refusal::not_found(entity))?;
                if change.version.is_some_and(|version| version != row.version) {
                    return Err(Refusal::conflict("stale", "the record has changed"));
                }
                let mut changed = Row { version: row.version + 1, ..row.clone() };
                fill(declared, &mut changed, fields, &change.cells)?;
                before.push(Some(row.clone()));
                after.push(changed);
            }
            self.run_hook("validate", declared, &mut after, &before)?;
            self.run_hook("before_update", declared, &mut after, &before)?;
            for changed in &after {
                let mut tables = self.tables.borrow_mut();
                let rows = tables.entry(entity.into()).or_default().iter_mut();
                rows.filter(|row| row.id == changed.id).for_each(|row| *row = changed.clone());
            }
            self.run_hook("after_update", declared, &mut after, &before)?;
            Ok(after.into_iter().map(|row| row.version).collect())
        })
    }

    fn delete(&self, entity: &str, ids: &[RecordId], _: &str) -> Result<()> {
        let declared = self.entity(entity)?;
        self.atomically(|| {
            let all = self.tables.borrow().get(entity).cloned().unwrap_or_default();
            let (mut gone, kept): (Vec<Row>, Vec<Row>) =
                all.into_iter().partition(|row| ids.contains(&row.id));
            if gone.len() < ids.len() {
                return Err(Refusal::not_found(entity));
            }
            let before: Vec<Option<Row>> = gone.iter().cloned().map(Some).collect();
            self.run_hook("before_delete", declared, &mut gone, &before)?;
            self.tables.borrow_mut().insert(entity.into(), kept);
            self.run_hook("after_delete", declared, &mut gone, &before)
        })
    }

    fn sql_read(&self, text: &str, _: Vec<u8>) -> Result<RawRows> {
        let known = self.answers.borrow().get(text).cloned();
        known.ok_or_else(|| Refusal::failed("no_answer", format!("the test gives no answer to: {text}")))
    }

    fn sql_run(&self, text: &str, _: Vec<Vec<u8>>) -> Result<u64> {
        Err(Refusal::failed("no_answer", format!("there is no SQL in memory: {text}")))
    }

    fn sql_open(&self, text: &str, params: Vec<u8>) -> Result<Box<dyn RawCursor>> {
        self.sql_read(text, params).map(|rows| Box::new(Answer(rows)) as Box<dyn RawCursor>)
    }
}

/// A cursor that has everything in its first part.
struct Answer(RawRows);

impl RawCursor for Answer {
    fn next(&mut self, _: u32) -> Result<RawRows> {
        Ok(std::mem::take(&mut self.0))
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
