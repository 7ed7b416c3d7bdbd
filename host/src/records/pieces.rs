//! Merging the pieces of the FTS5 indexes that the host keeps: a little with each write.
//!
//! Each transaction leaves its words as a sorted piece, and pieces are merged as they become many. FTS5 does it by itself in
//! strokes of 64 pages for each size of pieces: most writes wait for none of it, some for all. So it is told not to, and
//! every write merges about as much as it adds in the long run.

use std::rc::Rc;

use super::error::RecordError;
use crate::storage::Connection;

/// Pages that a write merges, beside one for each of its rows: a row is written again once for each size of pieces, of
/// which a million records have about ten.
const PAGES: usize = 16;

/// Has an index left alone by FTS5. `table` is quoted.
pub(super) fn by_hand(conn: &Rc<Connection>, table: &str) -> Result<(), RecordError> {
    conn.batch(&format!("insert into {table} ({table}, rank) values ('automerge', 0)"))?;
    Ok(())
}

/// Merges a little, after so many rows were written to an index. `table` is quoted.
pub(super) fn merge(conn: &Rc<Connection>, table: &str, rows: usize) -> Result<(), RecordError> {
    let pages = i64::try_from(PAGES + rows).unwrap_or(i64::MAX);
    conn.prepare(&format!("insert into {table} ({table}, rank) values ('merge', ?1)"))?.execute([pages])?;
    Ok(())
}
