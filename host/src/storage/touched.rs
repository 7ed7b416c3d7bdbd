//! What the request at hand changed so far, readable before it is kept or undone: for dry runs, and for whoever must know
//! what came of its own writes.

use rusqlite::types::Value;

use super::changes;
use super::confine::Trusted;
use super::connection::Connection;
use super::error::StorageError;
use super::recorder::{CHANGED, Cell, Change, Columns, Key, Mark, Operation, Reader, Recorder};

/// A point in the changes of a request.
#[derive(Clone, Copy)]
pub struct ChangeMark(Option<Mark>);

impl ChangeMark {
    /// Before the first change of the request.
    pub const START: Self = Self(None);
}

/// What happened to a row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TouchKind {
    /// It is new.
    Inserted,
    /// Some of its columns are.
    Updated,
    /// It is gone.
    Deleted,
}

/// One change of a row whose table has a column `id`.
#[derive(Clone, Debug, PartialEq)]
pub struct Touched {
    /// The table.
    pub table: Box<str>,
    /// The row's `id`.
    pub id: [u8; 16],
    /// What happened.
    pub kind: TouchKind,
    /// The values before: of the changed columns, or of all when the row is gone; of none when it is new.
    pub before: Vec<(String, Value)>,
}

impl Connection {
    /// Where the changes of this request stand.
    #[must_use]
    pub fn change_mark(&self) -> ChangeMark {
        ChangeMark(self.recorder().map(|recorder| recorder.borrow().mark()))
    }

    /// The changes of this request since `mark`, in order; those of tables without a 16-byte `id` are left out, and so
    /// are the host's own tables.
    ///
    /// # Errors
    /// A recorded change cannot be read.
    pub fn changes_since(&self, mark: ChangeMark) -> Result<Vec<Touched>, StorageError> {
        self.usable()?;
        let Some(recorder) = self.recorder() else { return Ok(Vec::new()) };
        let _host = Trusted::enter(&self.watch);
        let mut recorder = recorder.borrow_mut();
        changes::name_columns(self.raw(), &mut recorder, self.redacted())?;
        read(&recorder, mark.0)
            .ok_or_else(|| StorageError::ChangeLog("a recorded change is incomplete".into()))
    }
}

fn read(recorder: &Recorder, mark: Option<Mark>) -> Option<Vec<Touched>> {
    let first = mark.map_or(0, Mark::position);
    let mut touched = Vec::with_capacity(recorder.changes.len().saturating_sub(first));
    for (at, change) in recorder.changes.iter().enumerate().skip(first) {
        let end = recorder.changes.get(at + 1).map_or(recorder.values.len(), |next| next.start);
        let table = recorder.tables.get(change.table)?;
        let columns = table.columns.as_ref()?;
        let values = recorder.values.get(change.start..end)?;
        if let Key::Id(position) = columns.key
            && let (Some(id), before) = row(*change, columns, position, values)?
        {
            touched.push(Touched { table: table.name.clone(), id, kind: kind(change.operation), before });
        }
    }
    Some(touched)
}

const fn kind(operation: Operation) -> TouchKind {
    match operation {
        Operation::Insert => TouchKind::Inserted,
        Operation::Update => TouchKind::Updated,
        Operation::Delete => TouchKind::Deleted,
    }
}

type Row = (Option<[u8; 16]>, Vec<(String, Value)>);

/// The row's id and its values before the change.
fn row(change: Change, columns: &Columns, id_at: usize, values: &[u8]) -> Option<Row> {
    let (mut id, mut before, mut reader) = (None, Vec::new(), Reader(values));
    if change.operation == Operation::Update {
        while let Some(column) = reader.column() {
            let changed = reader.byte()? == CHANGED;
            let old = reader.cell()?;
            if column == id_at {
                id = blob_of_16(old);
            }
            if changed {
                reader.cell()?; // the new value stands in the row
                before.extend(value(columns, column, old)?);
            }
        }
        return Some((id, before));
    }
    let mut column = 0;
    while !reader.0.is_empty() {
        let cell = reader.cell()?;
        if column == id_at {
            id = blob_of_16(cell);
        }
        if change.operation == Operation::Delete {
            before.extend(value(columns, column, cell)?);
        }
        column += 1;
    }
    Some((id, before))
}

fn blob_of_16(cell: Option<Cell<'_>>) -> Option<[u8; 16]> {
    match cell {
        Some(Cell::Blob(bytes)) => bytes.try_into().ok(),
        _ => None,
    }
}

/// A column's name and value; nothing for a generated or a redacted column.
fn value(columns: &Columns, column: usize, cell: Option<Cell<'_>>) -> Option<Option<(String, Value)>> {
    let Some(cell) = cell.filter(|_| columns.redacted.get(column) != Some(&true)) else {
        return Some(None);
    };
    let quoted = columns.names.get(column)?.strip_suffix(':')?;
    let name = serde_json::from_str(quoted).ok()?;
    let value = match cell {
        Cell::Null => Value::Null,
        Cell::Integer(value) => Value::Integer(value),
        Cell::Real(value) => Value::Real(value),
        Cell::Text(bytes) => Value::Text(String::from_utf8_lossy(bytes).into_owned()),
        Cell::Blob(bytes) => Value::Blob(bytes.to_vec()),
    };
    Some(Some((name, value)))
}
