//! SQL of the configuration: the draft, the versions, and what a change means for the records that are there.

use std::fmt::Write as _;
use std::rc::Rc;

use rusqlite::{OptionalExtension as _, Row, params, params_from_iter};

use super::{Draft, Published, Version};
use crate::ids::{PrincipalId, RecordId};
use crate::records::error::RecordError;
use crate::records::list;
use crate::records::schema::{Entity, Field, Kind};
use crate::records::value::Value;
use crate::storage::Connection;

/// Most records that refer to one record and are looked at by one rule.
const REFERRERS: usize = 10_000;

/// Records that a rule looks at.
#[derive(Clone, Copy)]
pub(super) enum Wanted<'w> {
    /// The one with this id.
    Id(RecordId),
    /// Those whose field points at this id.
    Pointing(&'w Field, RecordId),
}

/// The live records that are wanted.
pub(super) fn rows(
    conn: &Rc<Connection>,
    entity: &Entity,
    wanted: Wanted<'_>,
) -> Result<Vec<Vec<Value>>, RecordError> {
    let order = format!(" limit {REFERRERS}");
    match wanted {
        Wanted::Id(id) => list::rows(conn, entity, "id = ?1 and deleted_at is null", "", &[id.into()]),
        Wanted::Pointing(field, id) if matches!(field.kind, Kind::References(..)) => {
            let condition = "deleted_at is null and id in \
                             (select record from _stoa_links where entity = ?2 and field = ?3 and target = ?1)";
            let text = |text: &str| Value::Text(text.to_owned());
            list::rows(conn, entity, condition, &order, &[id.into(), text(&entity.key), text(&field.key)])
        }
        Wanted::Pointing(field, id) => {
            let condition = format!("\"{}\" = ?1 and deleted_at is null", field.key);
            list::rows(conn, entity, &condition, &order, &[id.into()])
        }
    }
}

/// The version in force; 0 when nothing was ever published.
pub(super) fn current(conn: &Rc<Connection>) -> Result<i64, RecordError> {
    let sql = "select coalesce(max(version), 0) from versions";
    Ok(conn.prepare(sql)?.query_row([], |row| row.get(0))?)
}

const VERSION: &str = "version, published_at, published_by, note, rolled_back_from";

fn version(row: &Row<'_>) -> rusqlite::Result<Version> {
    Ok(Version {
        version: row.get("version")?,
        published_at: row.get("published_at")?,
        published_by: PrincipalId::from_bytes(row.get("published_by")?),
        note: row.get("note")?,
        rolled_back_from: row.get("rolled_back_from")?,
    })
}

/// A version with its document as text.
pub(super) fn find(conn: &Rc<Connection>, number: i64) -> Result<Option<(Version, String)>, RecordError> {
    let sql = format!("select {VERSION}, document from versions where version = ?1");
    let found = conn.prepare(&sql)?.query_row([number], |row| Ok((version(row)?, row.get("document")?)));
    Ok(found.optional()?)
}

/// Versions below `before`, the latest first.
pub(super) fn list(conn: &Rc<Connection>, before: i64, limit: u32) -> Result<Vec<Version>, RecordError> {
    let sql = format!("select {VERSION} from versions where version < ?1 order by version desc limit ?2");
    let mut statement = conn.prepare(&sql)?;
    let found = statement.query_map(params![before, limit], version)?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Adds the next version.
pub(super) fn publish(conn: &Rc<Connection>, published: &Published) -> Result<(), RecordError> {
    let sql = "insert into versions (version, document, published_at, published_by, note, rolled_back_from) \
               values (?1, ?2, ?3, ?4, ?5, ?6)";
    let Version { version, published_at, published_by, note, rolled_back_from } = &published.version;
    let document = written(&published.document);
    conn.prepare(sql)?.execute(params![
        version,
        document,
        published_at,
        published_by.as_bytes(),
        note,
        rolled_back_from
    ])?;
    Ok(())
}

/// The draft, if anything was ever edited: with its document as text.
pub(super) fn draft(conn: &Rc<Connection>) -> Result<Option<(Draft, String)>, RecordError> {
    let sql = "select document, base, revision, updated_at, updated_by from draft where slot = 1";
    let found = conn.prepare(sql)?.query_row([], |row| {
        let draft = Draft {
            document: super::Document::default(),
            base: row.get("base")?,
            revision: row.get("revision")?,
            updated: Some((row.get("updated_at")?, PrincipalId::from_bytes(row.get("updated_by")?))),
        };
        Ok((draft, row.get("document")?))
    });
    Ok(found.optional()?)
}

/// Puts a draft in the place of the one before.
pub(super) fn save(conn: &Rc<Connection>, draft: &Draft) -> Result<(), RecordError> {
    let sql = "insert into draft (slot, document, base, revision, updated_at, updated_by) values (1, ?1, ?2, ?3, ?4, ?5) \
               on conflict (slot) do update set document = excluded.document, base = excluded.base, \
               revision = excluded.revision, updated_at = excluded.updated_at, updated_by = excluded.updated_by";
    let (at, by) = draft.updated.unwrap_or((0, PrincipalId::from_bytes([0; 16])));
    let document = written(&draft.document);
    conn.prepare(sql)?.execute(params![document, draft.base, draft.revision, at, by.as_bytes()])?;
    Ok(())
}

fn written(document: &super::Document) -> String {
    serde_json::to_string(document).unwrap_or_else(|_| "{}".to_owned())
}

/// Whether the file has this table.
pub(super) fn has_table(conn: &Rc<Connection>, table: &str) -> Result<bool, RecordError> {
    Ok(conn.prepare("select 1 from sqlite_schema where type = 'table' and name = ?1")?.exists([table])?)
}

/// The columns of a table.
pub(super) fn columns(conn: &Rc<Connection>, table: &str) -> Result<Vec<String>, RecordError> {
    let mut statement = conn.prepare("select name from pragma_table_info(?1)")?;
    let names = statement.query_map([table], |row| row.get(0))?;
    Ok(names.collect::<rusqlite::Result<_>>()?)
}

/// How many live records of the entity satisfy a condition, and the first of them. `shadow` puts the tables as they will be
/// before the statement.
pub(super) fn count(
    conn: &Rc<Connection>,
    shadow: &str,
    table: &str,
    condition: &str,
    params: &[Value],
    ids: u32,
) -> Result<(u64, Vec<RecordId>), RecordError> {
    let from = format!("{shadow}select {{}} from \"{table}\" where deleted_at is null and ({condition})");
    let sql = from.replacen("{}", "count(*)", 1);
    let all: i64 = conn.prepare(&sql)?.query_row(params_from_iter(params), |row| row.get(0))?;
    if all == 0 {
        return Ok((0, Vec::new()));
    }
    let mut sql = from.replacen("{}", "id", 1);
    let _ = write!(sql, " order by id limit {ids}");
    let mut statement = conn.prepare(&sql)?;
    let found = statement.query_map(params_from_iter(params), |row| row.get::<_, [u8; 16]>(0))?;
    let ids = found.map(|id| id.map(RecordId::from_bytes)).collect::<rusqlite::Result<_>>()?;
    Ok((all.unsigned_abs(), ids))
}

/// Some rows that satisfy a condition, in the recycle bin or not, oldest first.
pub(super) fn some(
    conn: &Rc<Connection>,
    entity: &Entity,
    condition: &str,
    params: &[Value],
    limit: usize,
) -> Result<Vec<Vec<Value>>, RecordError> {
    list::rows(conn, entity, condition, &format!(" order by _row limit {limit}"), params)
}
