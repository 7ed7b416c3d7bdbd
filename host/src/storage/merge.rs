//! Merging the pieces of FTS5 indexes while nothing waits to be written.
//!
//! FTS5 leaves a sorted piece of the index with each commit and merges pieces of one size into a larger one. It does so
//! within the commit that fills a size, in strokes of up to a megabyte, and one write in twenty would wait for one. Here
//! the writer takes a small step after a group of writes when nobody waits; and when a file has been quiet for a moment,
//! after an import above all, a thread merges what is left in slices that wait for their turn like writes. FTS5's own
//! strokes stay: under a load without any pause they do the work, otherwise they find little.
//!
//! FTS5 counts the pieces of a level and not their pages. After an import every level has large ones, and a thousand
//! single writes are enough to have the largest rewritten together with a few pages of theirs. An index that has grown by
//! a twentieth is therefore made one piece, which lies on a level that single writes hardly reach.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use rusqlite::OptionalExtension as _;

use super::connection::Connection;
use super::error::StorageError;
use super::file::Inner;
use super::group::Waiting;
use super::pool::Pool;
use crate::clock::UnixMillis;

/// Commits with new pieces after which the writer takes steps: fewer would merge the smallest ones over and over.
const COMMITS: u32 = 8;
/// Pages of one step: about a millisecond.
const STEP: i32 = 32;
/// How long a slice goes on in a quiet file: what a write waits for at most that comes meanwhile.
const SLICE: Duration = Duration::from_millis(4);
/// How long nobody has written to a quiet file, and how often files are looked at. Longer than an import needs for making
/// its next batch: one that is taken for a pause would be held up by the merging of what it goes on to add to.
const QUIET: Duration = Duration::from_millis(500);
/// How long one quiet file is merged before others have their turn.
const TURN: Duration = Duration::from_millis(100);

/// Fewer new rows than these are no reason to make an index one piece.
const ROWS: i64 = 10_000;
/// The part of an index by which it grows until it is made one piece: one of so many.
const SHARE: i64 = 20;

/// What the writer of a file knows of its indexes.
#[derive(Default)]
pub(super) struct Pieces {
    tables: RefCell<BTreeMap<String, Index>>,
    /// Whether the group of writes that runs adds any.
    fresh: Cell<bool>,
    commits: Cell<u32>,
}

#[derive(Default)]
struct Index {
    /// Whether pieces may have to be merged.
    owes: bool,
    /// How many rows were added since it was one piece.
    rows: i64,
}

impl Connection {
    /// Says that this write adds a row to an FTS5 table of the host (its name as SQL has it).
    pub fn adds_to_index(&self, table: &str) {
        self.pieces.fresh.set(true);
        let mut tables = self.pieces.tables.borrow_mut();
        if !tables.contains_key(table) {
            tables.insert(table.to_owned(), Index::default());
        }
        if let Some(index) = tables.get_mut(table) {
            index.owes = true;
            index.rows += 1;
        }
    }

    /// After a group of writes for which nobody waits any more: one step, when there are enough new pieces.
    pub(super) fn merge_after_writes(&self) -> Result<(), StorageError> {
        let Pieces { fresh, commits, .. } = &self.pieces;
        commits.set(commits.get() + u32::from(fresh.take()));
        if commits.get() < COMMITS {
            return Ok(());
        }
        // If the power fails, this commit may be lost with nothing that anybody was told of.
        self.run("pragma synchronous = normal")?;
        let merged = self.run("begin immediate").and_then(|()| {
            let step = self.merge_step();
            self.run(if step.is_ok() { "commit" } else { "rollback" })?;
            step.map(|_| ())
        });
        self.run("pragma synchronous = full")?;
        merged
    }

    /// Whether there may be something to merge.
    pub(super) fn owes_merging(&self) -> bool {
        self.pieces.tables.borrow().values().any(|index| index.owes)
    }

    /// Merges within the transaction that is open, for a slice. Answers whether there is more to do.
    fn merge_slice(&self) -> Result<bool, StorageError> {
        let until = Instant::now() + SLICE;
        self.begin_one_piece()?;
        while self.merge_step()? {
            if Instant::now() >= until {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Begins to merge all pieces of an index that has grown by a [`SHARE`]; further steps go on with it.
    fn begin_one_piece(&self) -> Result<(), StorageError> {
        let mut tables = self.pieces.tables.borrow_mut();
        for (table, index) in tables.iter_mut().filter(|(_, index)| index.rows >= ROWS) {
            let newest = format!("select rowid from {table} order by rowid desc limit 1");
            let newest: Option<i64> = self.prepare(&newest)?.query_row([], |row| row.get(0)).optional()?;
            if index.rows >= newest.unwrap_or_default() / SHARE {
                (index.rows, index.owes) = (0, true);
                self.merge(table, -STEP)?;
            }
        }
        Ok(())
    }

    /// Merges a few pages of one index. Answers whether there is more to do.
    fn merge_step(&self) -> Result<bool, StorageError> {
        let mut tables = self.pieces.tables.borrow_mut();
        if let Some((table, index)) = tables.iter_mut().find(|(_, index)| index.owes) {
            index.owes = false;
            index.owes = self.merge(table, STEP)?;
        }
        let more = tables.values().any(|index| index.owes);
        if !more {
            self.pieces.commits.set(0);
        }
        Ok(more)
    }

    /// Has FTS5 merge so many pages, of all pieces if the number is negative. Answers whether there was anything to merge.
    fn merge(&self, table: &str, pages: i32) -> Result<bool, StorageError> {
        let before = self.raw().total_changes();
        // A command for FTS5 is a value for the column that is called as the table.
        self.execute(&format!("insert into {table} ({table}, rank) values ('merge', ?1)"), [pages])?;
        // SQLite's documentation of FTS5, section 6.8: fewer than two changes mean that there was nothing.
        Ok(self.raw().total_changes() - before >= 2)
    }
}

/// A slice of merging, which waits for its turn like a write.
struct Slice {
    more: bool,
    answer: SyncSender<bool>,
}

impl Waiting for Slice {
    fn run(&mut self, connection: &Rc<Connection>, _: UnixMillis) {
        self.more = connection.merge_slice().unwrap_or_else(|error| {
            // A table that was dropped meanwhile, above all. Later writes name the others again.
            tracing::warn!(%error, "an index was not merged");
            false
        });
    }

    fn answer(self: Box<Self>, failure: Option<&Arc<str>>) {
        let _ = self.answer.send(self.more && failure.is_none());
    }
}

/// The files that owe merging, and the thread that sees to them when they are quiet. It goes when there are none.
#[derive(Default)]
pub(super) struct Owing(Mutex<State>);

#[derive(Default)]
struct State {
    /// Weak, because a file that nobody uses is closed as it is.
    files: Vec<Weak<Inner>>,
    running: bool,
}

impl Owing {
    /// Remembers a file that owes merging and was not remembered yet.
    pub(super) fn remember(&self, file: &Arc<Inner>, pool: &Arc<Pool>) {
        let mut state = self.lock();
        state.files.push(Arc::downgrade(file));
        if std::mem::replace(&mut state.running, true) {
            return;
        }
        drop(state);
        let pool = Arc::clone(pool);
        let spawned = std::thread::Builder::new().name("stoa-merge".into()).spawn(move || work(&pool));
        if let Err(error) = spawned {
            tracing::warn!(%error, "no thread for merging indexes; later writes ask again");
            let mut state = self.lock();
            state.running = false;
            state.files.drain(..).filter_map(|file| file.upgrade()).for_each(|file| file.forgotten());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn work(pool: &Arc<Pool>) {
    loop {
        std::thread::sleep(QUIET);
        let files = std::mem::take(&mut pool.owing.lock().files);
        let owing =
            files.into_iter().filter(|file| file.upgrade().is_some_and(|file| still_owes(&file, pool)));
        let owing: Vec<_> = owing.collect();
        let mut state = pool.owing.lock();
        state.files.extend(owing);
        if state.files.is_empty() {
            state.running = false;
            return;
        }
    }
}

/// Merges a quiet file for its turn. Answers whether it is to be looked at again.
fn still_owes(file: &Arc<Inner>, pool: &Arc<Pool>) -> bool {
    let until = Instant::now() + TURN;
    while file.is_quiet(QUIET) {
        let (answer, merged) = sync_channel(1);
        file.enqueue(Box::new(Slice { more: false, answer }), pool);
        if !merged.recv().unwrap_or(false) {
            file.forgotten();
            return false;
        }
        if Instant::now() >= until {
            break;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{COMMITS, Connection, ROWS, StorageError};
    use crate::storage::FileKind;
    use crate::storage::confine::Shared;
    use crate::storage::connection::Role;

    fn writer(folder: &tempfile::TempDir) -> Connection {
        let shared = Shared::new("seal".into(), Arc::default());
        let path = folder.path().join("file.sqlite");
        let writer = Connection::open(&path, Role::Writer, FileKind::Host, &[], Arc::new(shared)).unwrap();
        writer
            .batch("create virtual table found using fts5(text, content='', contentless_delete=1)")
            .unwrap();
        writer
    }

    fn add(writer: &Connection, commits: u32) {
        for _ in 0..commits {
            writer.execute("insert into found (text) values ('amber works')", []).unwrap();
            writer.adds_to_index("found");
            writer.merge_after_writes().unwrap();
        }
    }

    fn number(writer: &Connection, sql: &str) -> u32 {
        writer.prepare(sql).unwrap().query_row([], |row| row.get(0)).unwrap()
    }

    const PIECES: &str = "select count(distinct segid) from found_idx";
    const FOUND: &str = "select count(*) from found where found match 'amber'";

    #[test]
    fn the_writer_merges_when_there_are_some_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder);
        add(&writer, COMMITS - 1);
        assert_eq!(number(&writer, PIECES), COMMITS - 1, "too few");
        add(&writer, 1);
        assert_eq!(number(&writer, PIECES), 1);
        assert_eq!(number(&writer, FOUND), COMMITS);
        assert_eq!(number(&writer, "pragma synchronous"), 2, "other commits wait for the disk");
    }

    #[test]
    fn what_is_left_is_merged_in_slices() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder);
        assert!(!writer.owes_merging() && !writer.merge_slice().unwrap());
        add(&writer, COMMITS - 1);
        assert!(writer.owes_merging());
        while writer.merge_slice().unwrap() {}
        assert!(!writer.owes_merging());
        assert_eq!(number(&writer, PIECES), 1);
        assert_eq!(number(&writer, FOUND), COMMITS - 1);
    }

    #[test]
    fn an_index_that_grew_becomes_one_piece_that_few_writes_do_not_touch() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder);
        let mut large = Vec::new();
        for batch in 0..3 {
            writer.run("begin").unwrap();
            for row in 0..ROWS / 3 + 1 {
                let sql = "insert into found (text) values (?1)";
                writer.execute(sql, [format!("works {batch} of {row}")]).unwrap();
                writer.adds_to_index("found");
            }
            writer.run("commit").unwrap();
            large.push(number(&writer, PIECES));
        }
        assert_eq!(large, [1, 2, 3], "too few for FTS5");
        while writer.merge_slice().unwrap() {}
        assert_eq!(number(&writer, PIECES), 1);
        let piece = number(&writer, "select min(segid) from found_idx");
        add(&writer, 100);
        while writer.merge_slice().unwrap() {}
        let pages = number(&writer, &format!("select count(*) from found_idx where segid = {piece}"));
        assert!(pages > 10, "{pages}");
        assert_eq!(number(&writer, FOUND), 100);
    }

    #[test]
    fn an_index_that_is_gone_is_told_once_and_leaves_no_transaction_behind() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder);
        add(&writer, COMMITS - 1);
        writer.adds_to_index("found");
        writer.batch("drop table found").unwrap();
        writer.pieces.fresh.set(true);
        assert!(matches!(writer.merge_after_writes(), Err(StorageError::Sqlite(_))));
        assert!(writer.raw().is_autocommit() && !writer.owes_merging());
    }
}
