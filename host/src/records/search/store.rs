//! SQL of the index: one FTS5 table for each entity with searchable fields, contentless, its rows named by `_row`.
//!
//! Beside a column for each field there is `facet`: whose record it is, so that a caller who sees only his own records
//! does not wade through everybody's.

use std::fmt::Write as _;
use std::rc::Rc;

use rusqlite::{OptionalExtension as _, params, params_from_iter};
use serde::{Deserialize, Serialize};

use super::{HIT, text};
use crate::ids::RecordId;
use crate::records::error::RecordError;
use crate::records::filter::bind;
use crate::records::schema::{Entity, Field, OWNER, TEAM};
use crate::records::value::Value;
use crate::storage::Connection;

/// What the file's index was built for, and how far.
#[derive(Deserialize, PartialEq, Serialize)]
struct State {
    fields: Vec<String>,
    /// Rows after this one are still missing; `None`: the index is complete.
    built_to: Option<i64>,
}

fn table(entity: &Entity) -> String {
    format!("\"_stoa_search_{}\"", entity.key)
}

fn state(conn: &Rc<Connection>, entity: &Entity) -> Result<Option<State>, RecordError> {
    let stored: Option<String> = conn
        .prepare("select value from _stoa_schema where key = ?1")?
        .query_row([format!("search:{}", entity.key)], |row| row.get(0))
        .optional()?;
    Ok(stored.and_then(|text| serde_json::from_str(&text).ok()))
}

fn remember(conn: &Rc<Connection>, entity: &Entity, state: &State) -> Result<(), RecordError> {
    let value = serde_json::to_string(state).unwrap_or_default();
    conn.execute(
        "insert or replace into _stoa_schema (key, value) values (?1, ?2)",
        params![format!("search:{}", entity.key), value],
    )?;
    Ok(())
}

/// Makes the index what the searchable fields ask for; an index of other fields is dropped and must be built anew.
pub(super) fn prepare(conn: &Rc<Connection>, entity: &Entity) -> Result<(), RecordError> {
    let fields: Vec<String> = entity.searched().map(|field| field.key.to_string()).collect();
    let known = state(conn, entity)?;
    if known.as_ref().map_or(fields.is_empty(), |known| known.fields == fields) {
        return Ok(());
    }
    let name = table(entity);
    conn.batch(&format!("drop table if exists {name}"))?;
    if fields.is_empty() {
        conn.execute("delete from _stoa_schema where key = ?1", [format!("search:{}", entity.key)])?;
        return Ok(());
    }
    let columns: Vec<String> = (0..fields.len()).map(|at| format!("f{at}")).collect();
    conn.batch(&format!(
        "create virtual table {name} using fts5({}, facet, content='', contentless_delete=1, \
         tokenize='unicode61 remove_diacritics 2', prefix='1 2 3')",
        columns.join(", ")
    ))?;
    let filled = conn.prepare(&format!("select 1 from \"{}\" limit 1", entity.key))?.exists([])?;
    remember(conn, entity, &State { fields, built_to: filled.then_some(0) })
}

/// Whether every record is in the index.
pub(super) fn complete(conn: &Rc<Connection>, entity: &Entity) -> Result<bool, RecordError> {
    Ok(state(conn, entity)?.is_some_and(|state| state.built_to.is_none()))
}

/// Adds the next `rows` records to an index that is being built. Answers whether it is complete.
pub(super) fn build(conn: &Rc<Connection>, entity: &Entity, rows: usize) -> Result<bool, RecordError> {
    let Some(mut state) = state(conn, entity)? else { return Ok(true) };
    let Some(from) = state.built_to else { return Ok(true) };
    let sql = format!(
        "select _row, {} from \"{}\" where _row > ?1 and deleted_at is null order by _row limit ?2",
        entity.select, entity.key
    );
    let mut batch: Vec<(i64, Vec<Value>)> = Vec::with_capacity(rows);
    {
        let mut statement = conn.prepare(&sql)?;
        let mut found = statement.query(params![from, i64::try_from(rows).unwrap_or(i64::MAX)])?;
        while let Some(row) = found.next()? {
            let values = (1..=entity.width).map(|at| row.get_ref(at).map(Value::from_sql));
            batch.push((row.get(0)?, values.collect::<rusqlite::Result<_>>()?));
        }
    }
    for (row, values) in &batch {
        put_at(conn, entity, *row, values)?;
    }
    state.built_to = batch.last().filter(|_| batch.len() == rows).map(|(row, _)| *row);
    remember(conn, entity, &state)?;
    Ok(state.built_to.is_none())
}

/// Puts a record as it stands now into the index.
///
/// Its number is asked for first: an INSERT with a SELECT may write several rows, for which SQLite opens a savepoint of
/// the statement's own, and at each savepoint FTS5 writes what it has collected to the file.
pub(super) fn put(
    conn: &Rc<Connection>,
    entity: &Entity,
    id: RecordId,
    row: &[Value],
) -> Result<(), RecordError> {
    number(conn, entity, id)?.map_or(Ok(()), |number| put_at(conn, entity, number, row))
}

/// Puts the record of a row into the index.
fn put_at(conn: &Rc<Connection>, entity: &Entity, number: i64, row: &[Value]) -> Result<(), RecordError> {
    let mut params = vec![Value::Integer(number)];
    let mut places = String::from("?1");
    document(entity, row, &mut places, &mut params);
    let table = table(entity);
    conn.adds_to_index(&table);
    let sql = format!("insert or replace into {table} (rowid, {}) values ({places})", columns(entity));
    conn.prepare(&sql)?.execute(params_from_iter(&params))?;
    Ok(())
}

/// Takes a record out of the index; its row must still be there.
pub(super) fn remove(conn: &Rc<Connection>, entity: &Entity, id: RecordId) -> Result<(), RecordError> {
    let Some(number) = number(conn, entity, id)? else { return Ok(()) };
    conn.prepare(&format!("delete from {} where rowid = ?1", table(entity)))?.execute([number])?;
    Ok(())
}

/// The number of a record's row.
fn number(conn: &Rc<Connection>, entity: &Entity, id: RecordId) -> Result<Option<i64>, RecordError> {
    let sql = format!("select _row from \"{}\" where id = ?1", entity.key);
    Ok(conn.prepare(&sql)?.query_row([id.as_bytes()], |row| row.get(0)).optional()?)
}

fn columns(entity: &Entity) -> String {
    let mut names: Vec<String> = entity.searched().enumerate().map(|(at, _)| format!("f{at}")).collect();
    names.push("facet".to_owned());
    names.join(", ")
}

/// Appends a place and a value for each column of the index.
fn document(entity: &Entity, row: &[Value], places: &mut String, params: &mut Vec<Value>) {
    let texts = entity.searched().map(|field| text(field, row.get(field.column)));
    for text in texts.chain([facet(row)]) {
        places.push_str(", ");
        bind(Value::Text(text), places, params);
    }
}

/// Whose record it is, as tokens.
fn facet(row: &[Value]) -> String {
    let mut text = String::new();
    for (letter, at) in [('o', OWNER), ('t', TEAM)] {
        if let Some(id) = row.get(at).and_then(Value::id) {
            let _ = write!(text, "{} ", token(letter, id.as_bytes()));
        }
    }
    text
}

/// `o` or `t` and 32 hexadecimal digits: one token.
pub(super) fn token(letter: char, id: &[u8; 16]) -> String {
    format!("{letter}{:032x}", u128::from_be_bytes(*id))
}

/// The FROM and WHERE of a search: `match` is the first parameter, `_hit` the found row, newest first.
pub(super) fn hits(entity: &Entity) -> String {
    let name = table(entity);
    format!(
        "(select rowid as {HIT} from {name} where {name} match ?1 order by rowid desc) cross join \"{}\" on _row = {HIT}",
        entity.key
    )
}

/// Restricts an expression to the columns of fields that `wanted` accepts.
pub(super) fn within(entity: &Entity, expression: &str, wanted: impl Fn(&Field) -> bool) -> String {
    let columns: Vec<String> = entity
        .searched()
        .enumerate()
        .filter(|(_, field)| wanted(field))
        .map(|(at, _)| format!("f{at}"))
        .collect();
    format!("{{{}}} : ({expression})", columns.join(" "))
}
