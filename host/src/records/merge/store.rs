//! SQL of merges: the log, its steps and moves, tombstones, external ids that moved along.

use std::rc::Rc;

use rusqlite::{OptionalExtension as _, Row, params, params_from_iter};
use serde_json::Value as Json;

use super::entry::{Entry, Images, Move, State};
use crate::clock::UnixMillis;
use crate::ids::{MergeId, PrincipalId, RecordId, RequestId};
use crate::records::error::RecordError;
use crate::records::value::Value;
use crate::storage::Connection;

const ENTRY: &str = "select m.id, m.entity, m.survivor, m.losers, m.state, m.at, m.by, m.request, m.undone_at, m.undone_by, \
     m.owner_id, m.team_id from _stoa_merges m";

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let id = |at: usize| row.get::<_, [u8; 16]>(at);
    let text: String = row.get(3)?;
    Ok(Entry {
        id: MergeId::from_bytes(id(0)?),
        entity: row.get(1)?,
        survivor: RecordId::from_bytes(id(2)?),
        losers: serde_json::from_str(&text).unwrap_or_default(),
        state: State::parse(row.get_ref(4)?.as_str().unwrap_or_default()),
        at: row.get(5)?,
        by: PrincipalId::from_bytes(id(6)?),
        request: RequestId::from_bytes(id(7)?),
        undone_at: row.get(8)?,
        undone_by: row.get::<_, Option<[u8; 16]>>(9)?.map(PrincipalId::from_bytes),
        owner: Value::from_sql(row.get_ref(10)?),
        team: Value::from_sql(row.get_ref(11)?),
    })
}

fn json(row: &Row<'_>, at: usize) -> rusqlite::Result<Json> {
    let text: Option<String> = row.get(at)?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

/// Adds a merge to the log, with everybody who took part.
pub(super) fn insert(conn: &Rc<Connection>, entry: &Entry, images: &Images) -> Result<(), RecordError> {
    let losers = serde_json::json!(entry.losers).to_string();
    let sql = "insert into _stoa_merges (id, entity, survivor, losers, owner_id, team_id, choices, origins, before, after, \
               broken, beside, state, at, by, request) \
               values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
    conn.prepare(sql)?.execute(params![
        entry.id.as_bytes(),
        entry.entity,
        entry.survivor.as_bytes(),
        losers,
        entry.owner,
        entry.team,
        images.choices.to_string(),
        images.origins.to_string(),
        images.before.to_string(),
        images.after.to_string(),
        images.broken.to_string(),
        images.beside.to_string(),
        entry.state.as_str(),
        entry.at,
        entry.by.as_bytes(),
        entry.request.as_bytes(),
    ])?;
    let sql = "insert into _stoa_merge_records (entity, record, merge) values (?1, ?2, ?3)";
    for record in entry.records() {
        conn.prepare(sql)?.execute(params![entry.entity, record.as_bytes(), entry.id.as_bytes()])?;
    }
    Ok(())
}

/// One merge.
pub(super) fn find(conn: &Rc<Connection>, id: MergeId) -> Result<Option<Entry>, RecordError> {
    let sql = format!("{ENTRY} where m.id = ?1");
    Ok(conn.prepare(&sql)?.query_row([id.as_bytes()], entry).optional()?)
}

/// What the log keeps of a merge beside its [`Entry`].
pub(super) fn images(conn: &Rc<Connection>, id: MergeId) -> Result<Images, RecordError> {
    let sql = "select choices, origins, before, after, broken, undo, beside from _stoa_merges where id = ?1";
    let read = |row: &Row<'_>| {
        Ok(Images {
            choices: json(row, 0)?,
            origins: json(row, 1)?,
            before: json(row, 2)?,
            after: json(row, 3)?,
            broken: json(row, 4)?,
            undo: json(row, 5)?,
            beside: json(row, 6)?,
        })
    };
    Ok(conn.prepare(sql)?.query_row([id.as_bytes()], read)?)
}

/// The merges that a condition selects; `m` is the log.
pub(super) fn select(
    conn: &Rc<Connection>,
    condition: &str,
    params: &[Value],
) -> Result<Vec<Entry>, RecordError> {
    let sql = format!("{ENTRY} where {condition}");
    let mut statement = conn.prepare(&sql)?;
    let found = statement.query_map(params_from_iter(params), entry)?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// The merges that are not finished, oldest first.
pub(super) fn unfinished(conn: &Rc<Connection>) -> Result<Vec<Entry>, RecordError> {
    select(conn, "m.state in ('pending', 'undoing') order by m.id", &[])
}

/// The unfinished merges that a record takes part in.
pub(super) fn unfinished_of(
    conn: &Rc<Connection>,
    entity: &str,
    record: RecordId,
) -> Result<Vec<Entry>, RecordError> {
    let condition = "m.state in ('pending', 'undoing') and m.id in \
                     (select merge from _stoa_merge_records where entity = ?1 and record = ?2) order by m.id";
    select(conn, condition, &[Value::Text(entity.to_owned()), record.into()])
}

/// Sets what became of a merge.
pub(super) fn set_state(conn: &Rc<Connection>, id: MergeId, state: State) -> Result<(), RecordError> {
    let sql = "update _stoa_merges set state = ?2 where id = ?1";
    conn.prepare(sql)?.execute(params![id.as_bytes(), state.as_str()])?;
    Ok(())
}

/// Notes that a merge is being undone, by whom, and what is said of it.
pub(super) fn set_undone(
    conn: &Rc<Connection>,
    id: MergeId,
    state: State,
    (at, by): (UnixMillis, PrincipalId),
    undo: &Json,
) -> Result<(), RecordError> {
    let sql = "update _stoa_merges set state = ?2, undone_at = ?3, undone_by = ?4, undo = ?5 where id = ?1";
    let params = params![id.as_bytes(), state.as_str(), at, by.as_bytes(), undo.to_string()];
    conn.prepare(sql)?.execute(params)?;
    Ok(())
}

/// Sets the state of a module's step, which is made if need be.
pub(super) fn set_step(
    conn: &Rc<Connection>,
    id: MergeId,
    module: &str,
    state: State,
) -> Result<(), RecordError> {
    let sql = "insert into _stoa_merge_steps (merge, module, state) values (?1, ?2, ?3) \
               on conflict (merge, module) do update set state = excluded.state";
    conn.prepare(sql)?.execute(params![id.as_bytes(), module, state.as_str()])?;
    Ok(())
}

/// The modules of a merge with the states of their steps.
pub(super) fn steps(conn: &Rc<Connection>, id: MergeId) -> Result<Vec<(String, State)>, RecordError> {
    let sql = "select module, state from _stoa_merge_steps where merge = ?1 order by module";
    let mut statement = conn.prepare(sql)?;
    let read = |row: &Row<'_>| Ok((row.get(0)?, State::parse(row.get_ref(1)?.as_str().unwrap_or_default())));
    let found = statement.query_map([id.as_bytes()], read)?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Merges of `entity` that stand and know nothing of `module`, which the organization has got since.
pub(super) fn without_step(
    conn: &Rc<Connection>,
    entity: &str,
    module: &str,
) -> Result<Vec<MergeId>, RecordError> {
    let sql = "select id from _stoa_merges m where entity = ?1 and state in ('pending', 'done') and not exists \
               (select 1 from _stoa_merge_steps s where s.merge = m.id and s.module = ?2) order by id";
    let mut statement = conn.prepare(sql)?;
    let found = statement.query_map([entity, module], |row| row.get::<_, [u8; 16]>(0))?;
    Ok(found.map(|id| id.map(MergeId::from_bytes)).collect::<rusqlite::Result<_>>()?)
}

/// Notes that a reference followed a merge. The value before is that of the first time.
pub(super) fn insert_move(conn: &Rc<Connection>, id: MergeId, moved: &Move) -> Result<(), RecordError> {
    let sql = "insert into _stoa_merge_moves (merge, entity, field, record, old, new, version, state) \
               values (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'moved') on conflict (merge, entity, field, record) \
               do update set new = excluded.new, version = excluded.version, state = 'moved'";
    conn.prepare(sql)?.execute(params![
        id.as_bytes(),
        moved.entity,
        moved.field,
        moved.record.as_bytes(),
        moved.old.to_string(),
        moved.new.to_string(),
        moved.version,
    ])?;
    Ok(())
}

fn moves_where(
    conn: &Rc<Connection>,
    id: MergeId,
    state: &str,
    limit: usize,
) -> Result<Vec<Move>, RecordError> {
    let sql = "select entity, field, record, old, new, version, reason from _stoa_merge_moves \
               where merge = ?1 and state = ?2 limit ?3";
    let mut statement = conn.prepare(sql)?;
    let read = |row: &Row<'_>| {
        Ok(Move {
            entity: row.get(0)?,
            field: row.get(1)?,
            record: RecordId::from_bytes(row.get(2)?),
            old: json(row, 3)?,
            new: json(row, 4)?,
            version: row.get(5)?,
            reason: row.get(6)?,
        })
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let found = statement.query_map(params![id.as_bytes(), state, limit], read)?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// References that followed and are not yet looked at by the undoing.
pub(super) fn moves(conn: &Rc<Connection>, id: MergeId, limit: usize) -> Result<Vec<Move>, RecordError> {
    moves_where(conn, id, "moved", limit)
}

/// References that the undoing left where they are.
pub(super) fn refused(conn: &Rc<Connection>, id: MergeId, limit: usize) -> Result<Vec<Move>, RecordError> {
    moves_where(conn, id, "refused", limit)
}

/// What the undoing did with a reference.
pub(super) fn settle_move(
    conn: &Rc<Connection>,
    id: MergeId,
    moved: &Move,
    reason: Option<&str>,
) -> Result<(), RecordError> {
    let sql = "update _stoa_merge_moves set state = ?5, reason = ?6 \
               where merge = ?1 and entity = ?2 and field = ?3 and record = ?4";
    let state = if reason.is_some() { "refused" } else { "back" };
    let record = moved.record.as_bytes();
    conn.prepare(sql)?.execute(params![id.as_bytes(), moved.entity, moved.field, record, state, reason])?;
    Ok(())
}

/// How many references of which fields followed (`moved`), came back (`back`) or were left (`refused`).
pub(super) fn counts(
    conn: &Rc<Connection>,
    id: MergeId,
    state: &str,
) -> Result<Vec<(String, String, i64)>, RecordError> {
    let sql = "select entity, field, count(*) from _stoa_merge_moves where merge = ?1 and state = ?2 \
               group by entity, field order by entity, field";
    let mut statement = conn.prepare(sql)?;
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let found = statement.query_map(params![id.as_bytes(), state], read)?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// The first records of [`counts`].
pub(super) fn first_moved(
    conn: &Rc<Connection>,
    id: MergeId,
    state: &str,
    (entity, field): (&str, &str),
    limit: u32,
) -> Result<Vec<RecordId>, RecordError> {
    let sql = "select record from _stoa_merge_moves where merge = ?1 and state = ?2 and entity = ?3 and field = ?4 \
               order by record limit ?5";
    let mut statement = conn.prepare(sql)?;
    let found = statement
        .query_map(params![id.as_bytes(), state, entity, field, limit], |row| row.get::<_, [u8; 16]>(0))?;
    Ok(found.map(|id| id.map(RecordId::from_bytes)).collect::<rusqlite::Result<_>>()?)
}

/// Has `into` stand for a record.
pub(super) fn bury(
    conn: &Rc<Connection>,
    entity: &str,
    record: RecordId,
    into: RecordId,
    merge: MergeId,
) -> Result<(), RecordError> {
    let sql = "insert into _stoa_tombstones (entity, record, into_record, merge) values (?1, ?2, ?3, ?4)";
    conn.prepare(sql)?.execute(params![entity, record.as_bytes(), into.as_bytes(), merge.as_bytes()])?;
    Ok(())
}

/// Has nobody stand for the records of a merge any more, and their spare external ids find nobody.
pub(super) fn unbury(conn: &Rc<Connection>, merge: MergeId) -> Result<(), RecordError> {
    for sql in
        ["delete from _stoa_tombstones where merge = ?1", "delete from _stoa_merged_ids where merge = ?1"]
    {
        conn.prepare(sql)?.execute([merge.as_bytes()])?;
    }
    Ok(())
}

/// The record that stands for another one, by which merge.
pub(super) fn successor(
    conn: &Rc<Connection>,
    entity: &str,
    record: RecordId,
) -> Result<Option<(RecordId, MergeId)>, RecordError> {
    let sql = "select into_record, merge from _stoa_tombstones where entity = ?1 and record = ?2";
    let found: Option<([u8; 16], [u8; 16])> = conn
        .prepare(sql)?
        .query_row(params![entity, record.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found.map(|(into, merge)| (RecordId::from_bytes(into), MergeId::from_bytes(merge))))
}

/// Has an external id, for which the survivor has no room, find the survivor.
pub(super) fn keep_id(
    conn: &Rc<Connection>,
    entity: &str,
    (source, value): (&str, &str),
    record: RecordId,
    merge: MergeId,
) -> Result<(), RecordError> {
    let sql = "insert or ignore into _stoa_merged_ids (entity, source, value, record, merge) \
               values (?1, ?2, ?3, ?4, ?5)";
    conn.prepare(sql)?.execute(params![entity, source, value, record.as_bytes(), merge.as_bytes()])?;
    Ok(())
}

/// The survivor that an external id of a merged record finds.
pub(in crate::records) fn by_spare_id(
    conn: &Rc<Connection>,
    entity: &str,
    source: &str,
    value: &str,
) -> Result<Option<RecordId>, RecordError> {
    let sql = "select record from _stoa_merged_ids where entity = ?1 and source = ?2 and value = ?3";
    let found: Option<[u8; 16]> =
        conn.prepare(sql)?.query_row([entity, source, value], |row| row.get(0)).optional()?;
    Ok(found.map(RecordId::from_bytes))
}
