//! SQL of stored keys: for each entity one FTS5 table, contentless, its rows named by `_row`, each key one token.
//!
//! Keys are hashes: in an ordinary index every key of a new record lies on a page of its own, and an import of a million
//! records writes tens of gigabytes of such pages. FTS5 collects the keys of a transaction into one sorted piece and merges
//! the pieces as they grow, so what is written is a few times what the keys take.

use std::rc::Rc;

use rusqlite::{OptionalExtension as _, params};

use super::blocking::Key;
use crate::ids::RecordId;
use crate::records::error::RecordError;
use crate::records::schema::Entity;
use crate::storage::Connection;

/// A key, and the record that has it.
pub(super) type Held = (Key, RecordId);

fn table(entity: &Entity) -> String {
    format!("\"_stoa_{}.keys\"", entity.key)
}

/// The table of the index' tokens, each with the rows that have it.
fn tokens(entity: &Entity) -> String {
    format!("\"_stoa_{}.tokens\"", entity.key)
}

/// A key as a token: its kind without the point, and its hash in 16 hexadecimal digits.
fn token(key: &Key) -> String {
    format!("{}{:016x}", key.sort.replace('.', ""), key.hash)
}

/// The key of a token: families are named by one letter.
fn key(token: &str) -> Option<Key> {
    let (name, hash) = token.split_at_checked(token.len().checked_sub(16)?)?;
    let (kind, family) = name.split_at_checked(name.len().checked_sub(1)?)?;
    let hash = u64::from_str_radix(hash, 16).ok()?;
    Some(Key { sort: format!("{kind}.{family}"), hash: hash.cast_signed() })
}

/// Makes the table of an entity anew, without keys.
pub(super) fn clear(conn: &Rc<Connection>, entity: &Entity) -> Result<(), RecordError> {
    let (table, tokens) = (table(entity), tokens(entity));
    // No column sizes would be smaller still, but then records could not be taken out.
    conn.batch(&format!(
        "drop table if exists {tokens};
         drop table if exists {table};
         create virtual table {table} using fts5(keys, content='', contentless_delete=1, detail=none, tokenize='ascii');
         create virtual table {tokens} using fts5vocab({table}, instance)"
    ))?;
    Ok(())
}

/// Gives a record its keys, in the place of those that it had. Its row must be there.
pub(super) fn put(
    conn: &Rc<Connection>,
    entity: &Entity,
    record: RecordId,
    keys: &[Key],
) -> Result<(), RecordError> {
    let Some(row) = number(conn, entity, record)? else { return Ok(()) };
    let table = table(entity);
    conn.adds_to_index(&table);
    if keys.is_empty() {
        conn.prepare(&format!("delete from {table} where rowid = ?1"))?.execute([row])?;
        return Ok(());
    }
    let text = keys.iter().map(token).collect::<Vec<_>>().join(" ");
    let sql = format!("insert or replace into {table} (rowid, keys) values (?1, ?2)");
    conn.prepare(&sql)?.execute(params![row, text])?;
    Ok(())
}

/// The number of a record's row.
fn number(conn: &Rc<Connection>, entity: &Entity, record: RecordId) -> Result<Option<i64>, RecordError> {
    let sql = format!("select _row from \"{}\" where id = ?1", entity.key);
    Ok(conn.prepare(&sql)?.query_row([record.as_bytes()], |row| row.get(0)).optional()?)
}

/// Rows of records that have a key: at most `limit`.
pub(super) fn having(
    conn: &Rc<Connection>,
    entity: &Entity,
    key: &Key,
    limit: usize,
) -> Result<Vec<i64>, RecordError> {
    let table = table(entity);
    let mut statement =
        conn.prepare(&format!("select rowid from {table} where {table} match ?1 limit ?2"))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![format!("\"{}\"", token(key)), limit], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The record of a row.
pub(super) fn record(
    conn: &Rc<Connection>,
    entity: &Entity,
    row: i64,
) -> Result<Option<RecordId>, RecordError> {
    let sql = format!("select id from \"{}\" where _row = ?1", entity.key);
    let id = conn.prepare(&sql)?.query_row([row], |row| row.get(0)).optional()?;
    Ok(id.map(RecordId::from_bytes))
}

/// A stretch of an entity's keys in the order of their tokens, behind one of them.
pub(super) fn stretch(
    conn: &Rc<Connection>,
    entity: &Entity,
    behind: Option<&Key>,
    limit: usize,
) -> Result<Vec<Held>, RecordError> {
    let sql = format!(
        "select term, id from (select term, doc from {} where term > ?1 order by term limit ?2)
         cross join \"{}\" on _row = doc",
        tokens(entity),
        entity.key
    );
    let mut statement = conn.prepare(&sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![behind.map(token).unwrap_or_default(), limit])?;
    let mut held = Vec::new();
    while let Some(row) = rows.next()? {
        let record = RecordId::from_bytes(row.get(1)?);
        held.extend(key(row.get_ref(0)?.as_str().unwrap_or_default()).map(|key| (key, record)));
    }
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::{Key, key, token};

    #[test]
    fn a_key_is_read_back_from_its_token() {
        for hash in [0, 1, -1, i64::MIN, i64::MAX] {
            let one = Key { sort: "email.n".to_owned(), hash };
            assert_eq!(key(&token(&one)), Some(one));
        }
        assert_eq!(token(&Key { sort: "email.n".to_owned(), hash: -1 }), "emailnffffffffffffffff");
        for other in ["", "n", "0123456789abcdef", "n0123456789abcdeg", "é"] {
            assert!(key(other).is_none_or(|key| key.sort == ".n"), "{other}");
        }
    }
}
