//! Changed rows in memory, between SQLite's callback and the change log.
//!
//! Values lie one after another in one buffer, because a request may change thousands of rows and each would otherwise
//! cost an allocation per cell. Columns have only positions here: a callback cannot ask the schema for their names.

/// What happened to a row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Operation {
    Insert,
    Update,
    Delete,
}

impl Operation {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// One stored value, borrowed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell<'a> {
    Null,
    Integer(i64),
    Real(f64),
    Text(&'a [u8]),
    Blob(&'a [u8]),
}

impl PartialEq for Cell<'_> {
    /// A column of type `real` is stored as an integer where that is exact, so the two compare by value.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Integer(a), Self::Integer(b)) => a == b,
            (Self::Real(a), Self::Real(b)) => a == b,
            (Self::Integer(a), Self::Real(b)) | (Self::Real(b), Self::Integer(a)) => *a as f64 == *b,
            (Self::Text(a), Self::Text(b)) | (Self::Blob(a), Self::Blob(b)) => a == b,
            _ => false,
        }
    }
}

/// A row about to change, as the callback sees it.
pub(super) trait Row {
    fn columns(&self) -> usize;
    /// `None` for a generated column, which has no stored value.
    fn before(&self, column: usize) -> Option<Cell<'_>>;
    fn after(&self, column: usize) -> Option<Cell<'_>>;
}

/// A table as far as it is known.
pub(super) struct Table {
    pub(super) name: Box<str>,
    /// Filled when the change log is written.
    pub(super) columns: Option<Columns>,
    /// The schema may have changed since; the entry serves only the changes that point to it.
    stale: bool,
}

/// The columns of a table by position.
pub(super) struct Columns {
    /// `"name":`, escaped.
    pub(super) names: Vec<Box<str>>,
    /// Columns whose values never enter the change log.
    pub(super) redacted: Vec<bool>,
    /// The columns that name the record.
    pub(super) key: Key,
}

/// What names a record of a table.
pub(super) enum Key {
    /// The column `id`.
    Id(usize),
    /// No such column, but a primary key: its columns in the order of the table.
    Primary(Vec<usize>),
    /// Neither.
    Rowid,
}

impl Key {
    fn has(&self, column: usize) -> bool {
        match self {
            Self::Id(id) => *id == column,
            Self::Primary(columns) => columns.contains(&column),
            Self::Rowid => false,
        }
    }
}

/// One changed row: which table, and where its values lie.
#[derive(Clone, Copy)]
pub(super) struct Change {
    pub(super) table: usize,
    pub(super) operation: Operation,
    pub(super) as_plugin: bool,
    pub(super) rowid: i64,
    pub(super) start: usize,
}

/// A point to fall back to.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    changes: usize,
    values: usize,
}

impl Mark {
    /// How many changes there were.
    pub(super) const fn position(self) -> usize {
        self.changes
    }
}

/// Collects the changes of one request.
#[derive(Default)]
pub(super) struct Recorder {
    pub(super) tables: Vec<Table>,
    pub(super) changes: Vec<Change>,
    pub(super) values: Vec<u8>,
    pub(super) as_plugin: bool,
    latest: usize,
    broken: bool,
}

// How a cell of an update is stored: the value alone where it stayed (kept only to name the record), or old and new.
pub(super) const SAME: u8 = 0;
pub(super) const CHANGED: u8 = 1;

impl Recorder {
    pub(super) fn mark(&self) -> Mark {
        Mark { changes: self.changes.len(), values: self.values.len() }
    }

    /// Forgets what was recorded since, because SQLite undid it.
    pub(super) fn fall_back(&mut self, mark: Mark) {
        self.changes.truncate(mark.changes);
        self.values.truncate(mark.values);
    }

    /// An empty recorder for the next request; table names are kept.
    pub(super) fn reset(&mut self) {
        self.fall_back(Mark { changes: 0, values: 0 });
        self.values.shrink_to(1 << 20);
        self.as_plugin = false;
        self.broken = false;
        self.tables.retain(|table| !table.stale);
        self.latest = 0;
    }

    /// The schema changes now: later changes look their table up anew.
    pub(super) fn schema_changed(&mut self) {
        for table in &mut self.tables {
            table.stale = true;
        }
        if self.changes.is_empty() {
            self.tables.clear();
        }
    }

    pub(super) fn mark_broken(&mut self) {
        self.broken = true;
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    pub(super) fn record(&mut self, operation: Operation, table: &[u8], rowid: i64, row: &impl Row) {
        let table = self.table(table);
        let mark = self.mark();
        let change = Change { table, operation, as_plugin: self.as_plugin, rowid, start: mark.values };
        let keep = match operation {
            Operation::Update => self.push_update(table, row),
            Operation::Insert => {
                (0..row.columns()).for_each(|column| self.push(row.after(column)));
                true
            }
            Operation::Delete => {
                (0..row.columns()).for_each(|column| self.push(row.before(column)));
                true
            }
        };
        if keep {
            self.changes.push(change);
        } else {
            self.fall_back(mark);
        }
    }

    /// Answers whether anything changed at all.
    fn push_update(&mut self, table: usize, row: &impl Row) -> bool {
        let mut changed = false;
        for column in 0..row.columns() {
            let (old, new) = (row.before(column), row.after(column));
            let key = self.tables.get(table).and_then(|table| table.columns.as_ref());
            // Until the columns are known, every value may be the one that names the record.
            let wanted = key.is_none_or(|columns| columns.key.has(column));
            let same = old == new;
            if same && !wanted {
                continue;
            }
            changed |= !same;
            let position = u16::try_from(column).unwrap_or(u16::MAX);
            self.values.extend_from_slice(&position.to_le_bytes());
            self.values.push(if same { SAME } else { CHANGED });
            self.push(old);
            if !same {
                self.push(new);
            }
        }
        self.values.extend_from_slice(&u16::MAX.to_le_bytes());
        changed
    }

    fn table(&mut self, name: &[u8]) -> usize {
        let is = |table: &Table| !table.stale && table.name.as_bytes() == name;
        if self.tables.get(self.latest).is_some_and(is) {
            return self.latest;
        }
        self.latest = self.tables.iter().position(is).unwrap_or_else(|| {
            let name = String::from_utf8_lossy(name).into();
            self.tables.push(Table { name, columns: None, stale: false });
            self.tables.len() - 1
        });
        self.latest
    }

    fn push(&mut self, cell: Option<Cell<'_>>) {
        let values = &mut self.values;
        match cell {
            None => values.push(5),
            Some(Cell::Null) => values.push(0),
            Some(Cell::Integer(value)) => {
                values.push(1);
                values.extend_from_slice(&value.to_le_bytes());
            }
            Some(Cell::Real(value)) => {
                values.push(2);
                values.extend_from_slice(&value.to_le_bytes());
            }
            Some(Cell::Text(value)) => push_bytes(values, 3, value),
            Some(Cell::Blob(value)) => push_bytes(values, 4, value),
        }
    }
}

fn push_bytes(values: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    values.push(tag);
    values.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    values.extend_from_slice(bytes);
}

/// Reads the buffer of a [`Recorder`] from one change on.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]: [u8; 1]| byte)
    }

    /// The next column of an update, `None` after the last.
    pub(super) fn column(&mut self) -> Option<usize> {
        let column = u16::from_le_bytes(self.array()?);
        (column != u16::MAX).then(|| usize::from(column))
    }

    /// The next value; `Some(None)` for a column without a stored one.
    pub(super) fn cell(&mut self) -> Option<Option<Cell<'a>>> {
        Some(Some(match self.byte()? {
            0 => Cell::Null,
            1 => Cell::Integer(i64::from_le_bytes(self.array()?)),
            2 => Cell::Real(f64::from_le_bytes(self.array()?)),
            3 => Cell::Text(self.bytes()?),
            4 => Cell::Blob(self.bytes()?),
            _ => return Some(None),
        }))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = u32::from_le_bytes(self.array()?);
        self.take(usize::try_from(length).ok()?)
    }
}
