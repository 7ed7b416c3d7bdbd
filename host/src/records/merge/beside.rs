//! What stands beside records and belongs to them: comments, files, followers, tags. It follows a merge and comes back.
//!
//! The one place where a merge meets the companions of records. Whoever keeps something beside rows lists it here.

use std::rc::Rc;

use rusqlite::params;
use serde_json::{Map, Value as Json};

use crate::ids::RecordId;
use crate::records::error::RecordError;
use crate::records::schema::Entity;
use crate::storage::Connection;

/// Tables whose rows have an id and a record: they move.
const OWNED: [&str; 3] = ["_stoa_comments", "_stoa_attachments", "_stoa_companion_events"];

/// Tables that say something of a record once: the table, what it says, and what else it knows. The survivor gets what
/// it has not; the loser keeps what it had, which nobody sees in the recycle bin.
const UNITED: [(&str, &str, &str); 2] =
    [("_stoa_tags", "fold", "tag, at, principal"), ("_stoa_followers", "user", "at")];

/// Has everything beside `from` stand beside `to`. Answers what moved: for [`give_back`].
///
/// # Errors
/// The file fails.
pub(super) fn reassign(
    conn: &Rc<Connection>,
    entity: &Entity,
    from: RecordId,
    to: RecordId,
) -> Result<Json, RecordError> {
    let mut moved = Map::new();
    for table in OWNED {
        if !there(conn, table)? {
            continue;
        }
        let sql =
            format!("update {table} set record = ?3 where entity = ?1 and record = ?2 returning hex(id)");
        moved.insert(table.to_owned(), listed(conn, &sql, entity, from, to)?);
    }
    for (table, what, rest) in UNITED {
        if !there(conn, table)? {
            continue;
        }
        let sql = format!(
            "insert or ignore into {table} (entity, record, {what}, {rest}) \
             select entity, ?3, {what}, {rest} from {table} where entity = ?1 and record = ?2 \
             returning hex({what})"
        );
        moved.insert(table.to_owned(), listed(conn, &sql, entity, from, to)?);
    }
    Ok(moved.into())
}

/// Undoes [`reassign`]: what stands beside `to` and came from `from` goes back there, or away where `from` has it still.
///
/// # Errors
/// The file fails.
pub(super) fn give_back(
    conn: &Rc<Connection>,
    entity: &Entity,
    from: RecordId,
    to: RecordId,
    moved: &Json,
) -> Result<(), RecordError> {
    let names = |table: &str| moved.get(table).map(Json::to_string);
    for table in OWNED {
        let Some(ids) = names(table) else { continue };
        let sql = format!(
            "update {table} set record = ?2 where entity = ?1 and record = ?3 \
             and hex(id) in (select value from json_each(?4))"
        );
        conn.prepare(&sql)?.execute(params![&*entity.key, from.as_bytes(), to.as_bytes(), ids])?;
    }
    for (table, what, _) in UNITED {
        let Some(said) = names(table) else { continue };
        let sql = format!(
            "delete from {table} where entity = ?1 and record = ?2 \
             and hex({what}) in (select value from json_each(?3))"
        );
        conn.prepare(&sql)?.execute(params![&*entity.key, to.as_bytes(), said])?;
    }
    Ok(())
}

fn there(conn: &Rc<Connection>, table: &str) -> Result<bool, RecordError> {
    Ok(conn.prepare("select 1 from sqlite_schema where type = 'table' and name = ?1")?.exists([table])?)
}

fn listed(
    conn: &Rc<Connection>,
    sql: &str,
    entity: &Entity,
    from: RecordId,
    to: RecordId,
) -> Result<Json, RecordError> {
    let mut statement = conn.prepare(sql)?;
    let rows = statement
        .query_map(params![&*entity.key, from.as_bytes(), to.as_bytes()], |row| row.get::<_, String>(0))?;
    Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?.into())
}
