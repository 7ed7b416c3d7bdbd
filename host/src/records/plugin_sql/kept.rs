//! A result that is read in parts. It is kept packed from when it is opened: a statement that is being stepped borrows its
//! connection, and what a call keeps between two calls of the host cannot.

use std::rc::Rc;
use std::time::Duration;

use super::{Found, Most, bind, pack, too_big};
use crate::records::cells::{Cell, Cells};
use crate::records::value::Value;
use crate::storage::{Connection, PluginMode, PluginSqlError};

/// What a SELECT found when it was opened, and how far it was read.
#[derive(Debug)]
pub struct Kept {
    found: Found,
    /// Bytes that were read.
    at: usize,
    /// Rows that were not.
    left: u32,
}

impl Kept {
    /// Runs a SELECT to its end. What is larger than `room` is refused, and nothing of it is kept.
    ///
    /// # Errors
    /// What the plugin is told.
    pub fn open(
        conn: &Rc<Connection>,
        mode: PluginMode,
        (sql, host): &(String, Vec<Value>),
        params: &[Cell<'_>],
        time: Duration,
        room: usize,
    ) -> Result<Self, PluginSqlError> {
        let mut found = conn.plugin(mode, sql, time, |statement| {
            bind(statement, params, host)?;
            let found = pack(statement, Most { rows: u32::MAX, bytes: room })?;
            if found.more || found.cells.len() > room { Err(too_big()) } else { Ok(found) }
        })?;
        found.cells.shrink_to_fit();
        Ok(Self::from(found))
    }

    /// The next rows, as many as asked for unless a limit or the end comes first. `more`: it is not the end.
    pub fn next(&mut self, max: u32, most: Most) -> Found {
        let rest = self.found.cells.get(self.at..).unwrap_or_default();
        let (mut cells, mut count, mut size) = (Cells::new(rest), 0, 0);
        while count < max.min(most.rows).min(self.left) && size <= most.bytes {
            for _ in 0..self.found.columns {
                let _ = cells.next();
            }
            count += 1;
            size = rest.len() - cells.left();
        }
        let part = rest.get(..size).unwrap_or_default().to_vec();
        self.at += size;
        self.left -= count;
        Found { columns: self.found.columns, count, cells: part, more: self.left > 0 }
    }

    /// The memory that it takes.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.found.cells.len()
    }
}

impl From<Found> for Kept {
    fn from(found: Found) -> Self {
        Self { at: 0, left: found.count, found }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::cells::push;

    /// Rows of a number and a text of so many bytes.
    fn kept(rows: u32, length: usize) -> Kept {
        let mut cells = Vec::new();
        for row in 0..rows {
            push(&Value::Integer(row.into()), &mut cells);
            push(&Value::Text("x".repeat(length)), &mut cells);
        }
        Found { columns: 2, count: rows, cells, more: false }.into()
    }

    const MOST: Most = Most { rows: 10_000, bytes: 4 << 20 };

    /// The numbers of a part, and whether there is more.
    fn numbers(part: &Found) -> (Vec<i64>, bool) {
        let cells: Vec<Cell<'_>> = Cells::new(&part.cells).map(Result::unwrap).collect();
        assert_eq!(cells.len(), 2 * part.count as usize);
        let first = |row: &[Cell<'_>]| match row {
            [Cell::Integer(number), Cell::Text(_)] => *number,
            other => panic!("{other:?}"),
        };
        (cells.chunks(2).map(first).collect(), part.more)
    }

    #[test]
    fn a_kept_result_comes_in_parts_each_row_once_in_order() {
        let mut kept = kept(10, 3);
        assert_eq!(numbers(&kept.next(4, MOST)), (vec![0, 1, 2, 3], true));
        assert_eq!(numbers(&kept.next(0, MOST)), (vec![], true), "asked for none");
        assert_eq!(numbers(&kept.next(6, MOST)), (vec![4, 5, 6, 7, 8, 9], false));
        assert_eq!(numbers(&kept.next(6, MOST)), (vec![], false), "and stays at its end");
    }

    #[test]
    fn a_part_is_never_larger_than_a_result_may_be() {
        let mut wide = kept(30, 1 << 20);
        let part = wide.next(u32::MAX, MOST);
        assert!(part.more && part.count == 4, "{}", part.count);
        let mut long = kept(25_000, 1);
        let counts: Vec<(u32, bool)> =
            (0..3).map(|_| long.next(u32::MAX, MOST)).map(|part| (part.count, part.more)).collect();
        assert_eq!(counts, [(10_000, true), (10_000, true), (5_000, false)]);
        assert_eq!(kept(0, 1).next(5, MOST).count, 0);
    }
}
