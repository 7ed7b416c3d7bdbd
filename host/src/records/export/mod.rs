//! Export: every record that the caller may read and export, as CSV, XLSX or JSON Lines, with the memory of a page.
//!
//! No read transaction stays open while somebody downloads, because the write-ahead log cannot shrink behind it. What that
//! means for what comes out:
//!
//! - Without filter and order, records come in the order in which they were made. One that is there the whole time comes
//!   exactly once.
//! - With a filter or an order, which records come and in which order is decided at the start, in one snapshot (eight
//!   bytes of memory for each). One that is deleted or hidden before its turn is left out.
//! - Values are those of the moment at which a page is read: 500 records of one snapshot.
//!
//! Reading order: `plan.rs` (which columns), `walk.rs` (which records), `csv.rs`, `xlsx.rs`, `jsonl.rs` (how they are
//! written), `titles.rs` (names of referred records), `store.rs` (the trail).

mod csv;
mod jsonl;
mod plan;
mod store;
#[cfg(test)]
mod tests;
mod titles;
mod walk;
mod xlsx;

use std::path::Path;
use std::sync::Arc;

use super::error::RecordError;
use super::filter::Filter;
use super::schema::{Entity, Module};
use super::search::Words;
use super::sort::Sort;
use super::{Records, Scope};
use crate::clock::UnixMillis;
use crate::ids::{PrincipalId, RecordId};
use crate::storage::{ChangeOrigin, Verdict};

use self::plan::Plan;
use self::titles::Titles;
use self::walk::Walk;
pub use self::xlsx::MOST_ROWS;

/// Bytes that are handed on at a time.
const CHUNK: usize = 64 * 1024;

/// A format of exports.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// RFC 4180, with guards against formulas.
    Csv,
    /// A workbook with one sheet.
    Xlsx,
    /// One JSON object on each line, as the API shows records.
    Jsonl,
}

impl Format {
    /// The format with this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Csv, Self::Xlsx, Self::Jsonl].into_iter().find(|format| format.as_str() == text)
    }

    /// Its name, which is also how a file's name ends.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Jsonl => "jsonl",
        }
    }
}

/// What is asked for.
#[derive(Debug)]
pub struct Wanted {
    /// The format.
    pub format: Format,
    /// Field keys in the order of their columns; all when `None`.
    pub fields: Option<String>,
    /// Which records.
    pub filter: Filter,
    /// The words that they hold.
    pub words: Option<Words>,
    /// In which order; `None`: as they were made.
    pub sort: Option<Sort>,
    /// Whether references get a column with the title of what they refer to.
    pub titles: bool,
    /// Whether a CSV begins with a byte order mark, for spreadsheets that need one.
    pub mark: bool,
    /// The query string as it was sent, for the trail.
    pub query: String,
}

/// An entry of the trail.
#[derive(Clone, Debug)]
pub struct Trail {
    /// Its id.
    pub id: RecordId,
    /// When it began.
    pub at: UnixMillis,
    /// Who.
    pub principal: PrincipalId,
    /// `plugin.entity`
    pub entity: String,
    /// What was asked for.
    pub query: String,
    /// The format's name.
    pub format: String,
    /// How many records went out; `None` while it runs.
    pub rows: Option<i64>,
    /// When it was over.
    pub finished_at: Option<UnixMillis>,
    /// `complete` or `broken`; `None` while it runs.
    pub outcome: Option<String>,
}

/// Takes what is written.
pub trait Sink {
    /// Takes the next bytes; whether there is still somebody who wants them.
    fn take(&mut self, bytes: Vec<u8>) -> bool;
}

/// An export that may begin.
pub struct Export {
    engine: Records,
    scope: Scope,
    module: Arc<Module>,
    entity: Arc<Entity>,
    wanted: Wanted,
    plan: Plan,
    walk: Walk,
    trail: RecordId,
}

impl Records {
    /// Plans an export and notes it in the trail. Not for an async worker.
    ///
    /// # Errors
    /// The caller may not read or not export the entity, a field that it does not have, more rows than a sheet holds, or
    /// the file fails.
    pub fn export(&self, scope: &Scope, entity: &Arc<Entity>, wanted: Wanted) -> Result<Export, RecordError> {
        let module = scope.module(&entity.plugin).cloned().ok_or(RecordError::NotFound)?;
        let plan = Plan::new(scope, entity, wanted.fields.as_deref(), wanted.titles)?;
        let walk = Walk::new(self, scope, &module, entity, &wanted)?;
        if wanted.format == Format::Xlsx {
            xlsx::fits(walk.count(self, scope, &module, entity)?)?;
        }
        let export = Export {
            engine: self.clone(),
            scope: scope.clone(),
            module,
            entity: Arc::clone(entity),
            wanted,
            plan,
            walk,
            trail: RecordId::new(),
        };
        export.begin()?;
        Ok(export)
    }

    /// The trail of exports from every module, newest first: at most `limit` of those before `before`, of one person if
    /// one is named.
    ///
    /// # Errors
    /// A file fails.
    pub fn exports(
        &self,
        scope: &Scope,
        of: Option<PrincipalId>,
        before: Option<RecordId>,
        limit: u32,
    ) -> Result<Vec<Trail>, RecordError> {
        let mut all = Vec::new();
        for module in &*scope.modules {
            all.extend(
                self.read(scope, module, |conn| store::list(conn, &module.plugin, of, before, limit))?,
            );
        }
        all.sort_by_key(|trail| std::cmp::Reverse(*trail.id.as_bytes()));
        all.truncate(limit as usize);
        Ok(all)
    }
}

impl Export {
    /// Writes CSV or JSON Lines into the sink; the number of records. Not for an async worker.
    ///
    /// # Errors
    /// The file fails, or nobody wants the rest.
    pub fn stream(mut self, sink: &mut dyn Sink) -> Result<u64, RecordError> {
        let mut rows = 0;
        let outcome = self.write(sink, &mut rows);
        self.end(rows, outcome.is_ok())?;
        outcome.map(|()| rows)
    }

    /// Writes a workbook to `path`, its parts to files in `folder` meanwhile; the number of records. Not for an async
    /// worker.
    ///
    /// # Errors
    /// The file fails, or a text is longer than a cell holds.
    pub fn workbook(mut self, path: &Path, folder: &Path) -> Result<u64, RecordError> {
        let mut rows = 0;
        let outcome = xlsx::write(&mut self, path, folder, &mut rows);
        self.end(rows, outcome.is_ok())?;
        outcome.map(|()| rows)
    }

    fn write(&mut self, sink: &mut dyn Sink, rows: &mut u64) -> Result<(), RecordError> {
        let mut titles = Titles::new(&self.engine, &self.scope);
        let mut buffer = Vec::with_capacity(CHUNK + CHUNK / 4);
        let mut text = String::new();
        if self.wanted.format == Format::Csv {
            csv::header(&self.plan, self.wanted.mark, &mut buffer);
        }
        let mut gone = false;
        loop {
            let (plan, format) = (&self.plan, self.wanted.format);
            let more = self.walk.page(
                (&self.engine, &self.scope, &self.module, &self.entity),
                &plan.select,
                |row| {
                    match format {
                        Format::Jsonl => jsonl::row(plan, row, &mut titles, &mut buffer)?,
                        _ => csv::row(plan, row, &mut titles, &mut text, &mut buffer)?,
                    }
                    *rows += 1;
                    Ok(())
                },
            )?;
            // What nobody takes is not read: the sink waits, and no snapshot is open meanwhile.
            if buffer.len() >= CHUNK || !more {
                gone = !sink.take(std::mem::replace(&mut buffer, Vec::with_capacity(CHUNK + CHUNK / 4)));
            }
            if gone {
                return Err(RecordError::bad("export_abandoned", "nobody takes the rest of the export"));
            }
            if !more {
                return Ok(());
            }
        }
    }

    fn begin(&self) -> Result<(), RecordError> {
        let (id, query, format) = (self.trail, self.wanted.query.clone(), self.wanted.format);
        let (origin, entity) = (ChangeOrigin::from(&self.scope.caller), Arc::clone(&self.entity));
        let now = self.engine.now();
        let file = self.engine.file(self.scope.organization.id, &self.module)?;
        file.write_blocking(origin, move |conn| {
            store::begin(conn, id, &origin, (&entity.key, &query, format.as_str()), now).map(Verdict::Keep)
        })
    }

    fn end(&self, rows: u64, complete: bool) -> Result<(), RecordError> {
        let (id, now) = (self.trail, self.engine.now());
        let file = self.engine.file(self.scope.organization.id, &self.module)?;
        file.write_blocking(ChangeOrigin::from(&self.scope.caller), move |conn| {
            store::end(conn, id, rows, complete, now).map(Verdict::Keep)
        })
    }
}
