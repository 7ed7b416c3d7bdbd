//! The change log `_stoa_changes`: recorded changes become rows, each hashed over the one before.
//!
//! The hash of an entry is SHA-256 over: the hash before (32 zero bytes at first), `seq`, `at`, `principal`, `request`,
//! `source`, `as_plugin`, `entity`, `record`, `operation`, `old`, `new`. Integers are eight bytes and `as_plugin` one,
//! little-endian; everything else is its length in four bytes and then its bytes, with length `ffffffff` for null.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::{Connection, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};

use super::ChangeOrigin;
use super::error::StorageError;
use super::recorder::{CHANGED, Cell, Change, Columns, Key, Operation, Reader, Recorder};
use crate::clock::UnixMillis;

/// Where the chain ends.
#[derive(Clone, Copy, Default)]
pub(super) struct Head {
    seq: i64,
    hash: [u8; 32],
}

impl Head {
    /// The end of the chain in the file.
    pub(super) fn read(connection: &Connection) -> Result<Self, StorageError> {
        let head = connection
            .prepare_cached("select seq, hash from _stoa_changes order by seq desc limit 1")?
            .query_row([], |row| Ok(Self { seq: row.get(0)?, hash: row.get(1)? }))
            .optional()?;
        Ok(head.unwrap_or_default())
    }
}

/// Who caused the changes of a request, and when.
pub(super) struct Context<'a> {
    pub(super) origin: &'a ChangeOrigin,
    pub(super) at: UnixMillis,
    pub(super) redacted: &'static [&'static str],
}

const INSERT: &str = "insert into _stoa_changes \
    (seq, at, principal, request, source, as_plugin, entity, record, operation, old, new, hash) \
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

/// Writes what was recorded, and answers where the chain ends now.
pub(super) fn write(
    connection: &Connection,
    recorder: &mut Recorder,
    context: &Context<'_>,
    mut head: Head,
) -> Result<Head, StorageError> {
    if recorder.is_broken() {
        return Err(StorageError::ChangeLog("a change could not be read".into()));
    }
    name_columns(connection, recorder, context.redacted)?;
    let mut insert = connection.prepare_cached(INSERT)?;
    let mut entry = Entry::default();
    let mut changes = recorder.changes.iter().peekable();
    while let Some(change) = changes.next() {
        let end = changes.peek().map_or(recorder.values.len(), |next| next.start);
        let incomplete = || StorageError::ChangeLog("an entry is incomplete".into());
        let values = recorder.values.get(change.start..end).ok_or_else(incomplete)?;
        let table = recorder.tables.get(change.table).ok_or_else(incomplete)?;
        let columns = table.columns.as_ref().ok_or_else(incomplete)?;
        entry.fill(*change, columns, values).ok_or_else(incomplete)?;
        head.seq += 1;
        let line = Line {
            at: context.at,
            principal: context.origin.principal.as_bytes(),
            request: context.origin.request.as_bytes(),
            source: context.origin.source.as_str(),
            as_plugin: change.as_plugin,
            entity: &table.name,
            record: &entry.record,
            operation: change.operation.as_str(),
            old: (change.operation != Operation::Insert).then_some(entry.old.as_slice()),
            new: (change.operation != Operation::Delete).then_some(entry.new.as_slice()),
        };
        head.hash = line.hash(&head);
        insert.execute(params![
            head.seq,
            line.at,
            line.principal,
            line.request,
            line.source,
            line.as_plugin,
            line.entity,
            line.record,
            line.operation,
            line.old.map(text),
            line.new.map(text),
            head.hash
        ])?;
    }
    Ok(head)
}

/// Gives every table with recorded changes its column names. Must also happen before the schema changes.
pub(super) fn name_columns(
    connection: &Connection,
    recorder: &mut Recorder,
    redacted: &[&str],
) -> Result<(), StorageError> {
    for table in recorder.tables.iter_mut().filter(|table| table.columns.is_none()) {
        table.columns = Some(columns_of(connection, &table.name, redacted)?);
    }
    Ok(())
}

fn columns_of(connection: &Connection, table: &str, redacted: &[&str]) -> Result<Columns, StorageError> {
    let mut columns = Columns { names: Vec::new(), redacted: Vec::new(), key: Key::Rowid };
    let mut primary = Vec::new();
    let mut statement = connection.prepare_cached("select name, pk from pragma_table_xinfo(?1)")?;
    let mut rows = statement.query([table])?;
    while let Some(row) = rows.next()? {
        let (name, pk): (String, i64) = (row.get(0)?, row.get(1)?);
        let position = columns.names.len();
        if name == "id" {
            columns.key = Key::Id(position);
        }
        if pk > 0 {
            primary.push(position);
        }
        columns.redacted.push(redacted.iter().any(|hidden| match hidden.split_once('.') {
            Some((of, column)) => of == table && column == name,
            None => *hidden == name,
        }));
        let mut json = Vec::with_capacity(name.len() + 3);
        push_text(&mut json, name.as_bytes());
        json.push(b':');
        columns.names.push(text(&json).into());
    }
    if matches!(columns.key, Key::Rowid) && !primary.is_empty() {
        columns.key = Key::Primary(primary);
    }
    Ok(columns)
}

/// The parts of an entry that are built from the row; its buffers serve one entry after another.
#[derive(Default)]
struct Entry {
    record: Vec<u8>,
    old: Vec<u8>,
    new: Vec<u8>,
}

impl Entry {
    fn fill(&mut self, change: Change, columns: &Columns, values: &[u8]) -> Option<()> {
        for buffer in [&mut self.record, &mut self.old, &mut self.new] {
            buffer.clear();
        }
        if let Key::Rowid = columns.key {
            self.record.extend_from_slice(change.rowid.to_string().as_bytes());
        }
        let mut reader = Reader(values);
        match change.operation {
            Operation::Insert => self.whole_row(columns, &mut reader, true)?,
            Operation::Delete => self.whole_row(columns, &mut reader, false)?,
            Operation::Update => {
                while let Some(column) = reader.column() {
                    let changed = reader.byte()? == CHANGED;
                    let old = reader.cell()?;
                    self.name(columns, column, old);
                    if changed {
                        push_field(&mut self.old, columns, column, old)?;
                        push_field(&mut self.new, columns, column, reader.cell()?)?;
                    }
                }
            }
        }
        for buffer in [&mut self.old, &mut self.new] {
            buffer.push(if buffer.is_empty() { b'{' } else { b'}' });
            if buffer.len() == 1 {
                buffer.push(b'}');
            }
        }
        if let Key::Primary(_) = columns.key {
            self.record.push(b']');
        }
        Some(())
    }

    fn whole_row(&mut self, columns: &Columns, reader: &mut Reader<'_>, inserted: bool) -> Option<()> {
        let mut column = 0;
        while !reader.0.is_empty() {
            let cell = reader.cell()?;
            self.name(columns, column, cell);
            push_field(if inserted { &mut self.new } else { &mut self.old }, columns, column, cell)?;
            column += 1;
        }
        Some(())
    }

    /// Takes the cell into the record's name if it belongs there.
    fn name(&mut self, columns: &Columns, column: usize, cell: Option<Cell<'_>>) {
        let cell = cell.unwrap_or(Cell::Null);
        match &columns.key {
            Key::Id(id) if *id == column => match cell {
                Cell::Blob(bytes) | Cell::Text(bytes) => self.record.extend_from_slice(bytes),
                other => push_json(&mut self.record, other),
            },
            Key::Primary(primary) if primary.contains(&column) => {
                self.record.push(if self.record.is_empty() { b'[' } else { b',' });
                push_json(&mut self.record, cell);
            }
            _ => {}
        }
    }
}

/// One row of the log, as it is hashed.
struct Line<'a> {
    at: i64,
    principal: &'a [u8],
    request: &'a [u8],
    source: &'a str,
    as_plugin: bool,
    entity: &'a str,
    record: &'a [u8],
    operation: &'a str,
    old: Option<&'a [u8]>,
    new: Option<&'a [u8]>,
}

impl Line<'_> {
    /// `head` has the hash before and already the number of this line.
    fn hash(&self, head: &Head) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(head.hash);
        hash.update(head.seq.to_le_bytes());
        hash.update(self.at.to_le_bytes());
        let mut field = |bytes: Option<&[u8]>| {
            let length = bytes.map_or(u32::MAX, |bytes| u32::try_from(bytes.len()).unwrap_or(u32::MAX - 1));
            hash.update(length.to_le_bytes());
            hash.update(bytes.unwrap_or_default());
        };
        field(Some(self.principal));
        field(Some(self.request));
        field(Some(self.source.as_bytes()));
        field(Some(&[u8::from(self.as_plugin)]));
        field(Some(self.entity.as_bytes()));
        field(Some(self.record));
        field(Some(self.operation.as_bytes()));
        field(self.old);
        field(self.new);
        hash.finalize().into()
    }
}

/// Recomputes the chain and answers the number of entries.
pub(super) fn verify(connection: &Connection) -> Result<u64, StorageError> {
    let mut statement = connection.prepare(
        "select seq, at, principal, request, source, as_plugin, entity, record, operation, old, new, hash \
         from _stoa_changes order by seq",
    )?;
    let mut rows = statement.query([])?;
    let (mut head, mut count) = (Head::default(), 0);
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        head.seq += 1;
        let line = Line {
            at: row.get(1)?,
            principal: row.get_ref(2)?.as_blob().unwrap_or_default(),
            request: row.get_ref(3)?.as_blob().unwrap_or_default(),
            source: row.get_ref(4)?.as_str().unwrap_or_default(),
            as_plugin: row.get(5)?,
            entity: row.get_ref(6)?.as_str().unwrap_or_default(),
            record: row.get_ref(7)?.as_blob().unwrap_or_default(),
            operation: row.get_ref(8)?.as_str().unwrap_or_default(),
            old: row.get_ref(9)?.as_bytes_or_null().unwrap_or_default(),
            new: row.get_ref(10)?.as_bytes_or_null().unwrap_or_default(),
        };
        let hash = line.hash(&head);
        if seq != head.seq || row.get_ref(11)?.as_blob().ok() != Some(hash.as_slice()) {
            return Err(StorageError::BrokenChain(seq));
        }
        head.hash = hash;
        count += 1;
    }
    Ok(count)
}

fn push_field(json: &mut Vec<u8>, columns: &Columns, column: usize, cell: Option<Cell<'_>>) -> Option<()> {
    let Some(cell) = cell else { return Some(()) };
    json.push(if json.is_empty() { b'{' } else { b',' });
    json.extend_from_slice(columns.names.get(column)?.as_bytes());
    match cell {
        Cell::Null => json.extend_from_slice(b"null"),
        _ if *columns.redacted.get(column)? => json.extend_from_slice(b"\"[redacted]\""),
        cell => push_json(json, cell),
    }
    Some(())
}

fn push_json(json: &mut Vec<u8>, cell: Cell<'_>) {
    // Writing into a vector cannot fail.
    let _ = match cell {
        Cell::Null => json.write_all(b"null"),
        Cell::Integer(value) => write!(json, "{value}"),
        // JSON has no infinity; this is how SQLite itself writes one.
        Cell::Real(value) if value.is_infinite() => {
            json.write_all(if value > 0.0 { b"9e999" } else { b"-9e999" })
        }
        Cell::Real(value) => write!(json, "{value:?}"),
        Cell::Text(value) => {
            push_text(json, value);
            Ok(())
        }
        Cell::Blob(value) => match uuid::Uuid::from_slice(value) {
            Ok(id) => write!(json, "\"{}\"", id.as_hyphenated()),
            Err(_) => write!(json, "\"{}\"", STANDARD.encode(value)),
        },
    };
}

fn push_text(json: &mut Vec<u8>, value: &[u8]) {
    // A plugin can store text that is not UTF-8; the log stays JSON.
    let value = String::from_utf8_lossy(value);
    let _ = serde_json::to_writer(json, value.as_ref());
}

fn text(json: &[u8]) -> &str {
    std::str::from_utf8(json).unwrap_or_default()
}
