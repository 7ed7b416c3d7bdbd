//! SQL of duplicate sets, their members, dismissals, and how far a walk came.

use std::fmt::Write as _;
use std::rc::Rc;

use rusqlite::{OptionalExtension as _, Row, params, params_from_iter};

use super::{MEMBERS, Pair};
use crate::clock::UnixMillis;
use crate::ids::{JobId, PrincipalId, RecordId};
use crate::records::Scope;
use crate::records::duplicates::check::tells;
use crate::records::error::RecordError;
use crate::records::filter::bind;
use crate::records::list::write_visible;
use crate::records::schema::Entity;
use crate::records::value::Value;
use crate::storage::Connection;

/// What became of a set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Status {
    /// Nobody has said anything yet.
    Open,
    /// Its members are not the same.
    Dismissed,
}

impl Status {
    /// The word that is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Dismissed => "dismissed",
        }
    }
}

/// A set as somebody sees it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its id.
    pub id: RecordId,
    /// `plugin.entity`
    pub object: String,
    /// What became of it.
    pub status: Status,
    /// Of the best pair, in percent.
    pub score: u8,
    /// The key of the rule that took the best pair for one.
    pub rule: String,
    /// Whether it could be merged without anybody looking.
    pub automatic: bool,
    /// The members that the caller may read, with what people call them.
    pub members: Vec<(RecordId, Option<String>)>,
    /// How many others there are.
    pub hidden: usize,
    /// When it was found.
    pub created_at: UnixMillis,
    /// When it last changed.
    pub updated_at: UnixMillis,
}

/// By the few sets of a record: joined the other way round, SQLite would go through all open ones.
pub(in crate::records::duplicates) const OPEN_SET_OF: &str = "select s.id from _stoa_duplicate_members m
    cross join _stoa_duplicate_sets s on s.id = m.set_id
    where m.record = ?1 and s.entity = ?2 and s.status = 'open' limit 1";

/// The open set that a record stands in.
pub(super) fn open_set_of(
    conn: &Rc<Connection>,
    entity: &Entity,
    record: RecordId,
) -> Result<Option<RecordId>, RecordError> {
    let mut statement = conn.prepare(OPEN_SET_OF)?;
    let found = statement.query_row(params![record.as_bytes(), &*entity.key], |row| row.get(0));
    Ok(found.optional()?.map(RecordId::from_bytes))
}

/// The entity whose set this is, unless a job is still making it.
pub(super) fn entity_of(conn: &Rc<Connection>, set: RecordId) -> Result<Option<String>, RecordError> {
    let sql = "select entity from _stoa_duplicate_sets where id = ?1 and status <> 'building'";
    Ok(conn.prepare(sql)?.query_row([set.as_bytes()], |row| row.get(0)).optional()?)
}

/// A new set around its best pair: open, or being built by a job.
pub(super) fn add_set(
    conn: &Rc<Connection>,
    entity: &Entity,
    best: &Pair,
    job: Option<JobId>,
    now: UnixMillis,
) -> Result<RecordId, RecordError> {
    let sql = "insert into _stoa_duplicate_sets
        (id, entity, status, score, rule, automatic, job, created_at, updated_at) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)";
    let set = RecordId::new();
    let status = if job.is_some() { "building" } else { "open" };
    conn.prepare(sql)?.execute(params![
        set.as_bytes(),
        &*entity.key,
        status,
        best.score,
        best.rule,
        best.automatic,
        job.as_ref().map(JobId::as_bytes),
        now
    ])?;
    Ok(set)
}

/// Adds a member, once.
pub(super) fn add_member(conn: &Rc<Connection>, set: RecordId, record: RecordId) -> Result<(), RecordError> {
    let sql = "insert or ignore into _stoa_duplicate_members (set_id, record) values (?1, ?2)";
    conn.prepare(sql)?.execute(params![set.as_bytes(), record.as_bytes()])?;
    Ok(())
}

/// How many members a set has.
pub(super) fn size(conn: &Rc<Connection>, set: RecordId) -> Result<usize, RecordError> {
    let sql = "select count(*) from _stoa_duplicate_members where set_id = ?1";
    let count: i64 = conn.prepare(sql)?.query_row([set.as_bytes()], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or(MEMBERS))
}

/// Moves the members of another set over and ends that set.
pub(super) fn absorb(conn: &Rc<Connection>, set: RecordId, other: RecordId) -> Result<(), RecordError> {
    let both = params![set.as_bytes(), other.as_bytes()];
    conn.prepare("update or ignore _stoa_duplicate_members set set_id = ?1 where set_id = ?2")?
        .execute(both)?;
    let sql = "update _stoa_duplicate_sets as s set automatic = min(s.automatic, o.automatic),
        score = max(s.score, o.score), rule = iif(o.score > s.score, o.rule, s.rule)
        from (select automatic, score, rule from _stoa_duplicate_sets where id = ?2) as o where s.id = ?1";
    conn.prepare(sql)?.execute(both)?;
    conn.prepare("delete from _stoa_duplicate_members where set_id = ?1")?.execute([other.as_bytes()])?;
    conn.prepare("delete from _stoa_duplicate_sets where id = ?1")?.execute([other.as_bytes()])?;
    Ok(())
}

/// Takes a further pair into account.
pub(super) fn touch(
    conn: &Rc<Connection>,
    set: RecordId,
    pair: &Pair,
    now: UnixMillis,
) -> Result<(), RecordError> {
    let sql = "update _stoa_duplicate_sets set rule = iif(?2 > score, ?3, rule), score = max(score, ?2),
        automatic = min(automatic, ?4), updated_at = ?5 where id = ?1";
    conn.prepare(sql)?.execute(params![set.as_bytes(), pair.score, pair.rule, pair.automatic, now])?;
    Ok(())
}

/// `(select … from "entity" where it is a member of set s and the caller may read it)`
fn members_of(
    scope: &Scope,
    entity: &Entity,
    select: &str,
    set: &str,
    sql: &mut String,
    params: &mut Vec<Value>,
) -> Result<(), RecordError> {
    let _ = write!(
        sql,
        "select {select} from \"{}\" where id in (select record from _stoa_duplicate_members where set_id = {set}) and ",
        entity.key
    );
    write_visible(scope, entity, "read", sql, params)
}

/// A page of sets with two readable members at least, the most alike first.
pub(super) fn list(
    conn: &Rc<Connection>,
    scope: &Scope,
    entity: &Entity,
    status: Status,
    after: Option<(u8, RecordId)>,
    limit: u32,
) -> Result<Vec<Listed>, RecordError> {
    let (mut condition, mut params) = (String::from("s.entity = "), Vec::new());
    bind(Value::Text(entity.key.to_string()), &mut condition, &mut params);
    condition.push_str(" and s.status = ");
    bind(Value::Text(status.as_str().to_owned()), &mut condition, &mut params);
    if let Some((score, id)) = after {
        condition.push_str(" and (-s.score, s.id) > (");
        bind(Value::Integer(-i64::from(score)), &mut condition, &mut params);
        condition.push_str(", ");
        bind(Value::from(id), &mut condition, &mut params);
        condition.push(')');
    }
    found(conn, scope, entity, condition, params, limit)
}

/// One set, if the caller may read two members at least.
pub(super) fn one(
    conn: &Rc<Connection>,
    scope: &Scope,
    entity: &Entity,
    set: RecordId,
) -> Result<Option<Listed>, RecordError> {
    let (mut condition, mut params) = (String::from("s.status <> 'building' and s.id = "), Vec::new());
    bind(Value::from(set), &mut condition, &mut params);
    match found(conn, scope, entity, condition, params, 1) {
        Err(RecordError::Forbidden { .. }) => Ok(None),
        other => Ok(other?.pop()),
    }
}

fn found(
    conn: &Rc<Connection>,
    scope: &Scope,
    entity: &Entity,
    mut condition: String,
    mut params: Vec<Value>,
    limit: u32,
) -> Result<Vec<Listed>, RecordError> {
    // What a rule on withheld fields found would say that two records hold the same there.
    for rule in entity.duplicates.iter().filter(|rule| !tells(scope, entity, rule)) {
        condition.push_str(" and s.rule <> ");
        bind(Value::Text(rule.key.clone()), &mut condition, &mut params);
    }
    let mut sql = format!(
        "select s.id, s.status, s.score, s.rule, s.automatic, s.created_at, s.updated_at
         from _stoa_duplicate_sets s where {condition} and ("
    );
    members_of(scope, entity, "count(*)", "s.id", &mut sql, &mut params)?;
    let _ = write!(sql, ") >= 2 order by s.score desc, s.id limit {limit}");
    let mut statement = conn.prepare(&sql)?;
    let rows = statement.query_map(params_from_iter(&params), |row| listed(entity, row))?;
    let mut sets: Vec<Listed> = rows.collect::<rusqlite::Result<_>>()?;
    for set in &mut sets {
        fill(conn, scope, entity, set)?;
    }
    Ok(sets)
}

fn listed(entity: &Entity, row: &Row<'_>) -> rusqlite::Result<Listed> {
    let status: String = row.get(1)?;
    Ok(Listed {
        id: RecordId::from_bytes(row.get(0)?),
        object: entity.object.to_string(),
        status: if status == "open" { Status::Open } else { Status::Dismissed },
        score: row.get(2)?,
        rule: row.get(3)?,
        automatic: row.get(4)?,
        members: Vec::new(),
        hidden: 0,
        created_at: row.get(5)?,
        updated_at: row.get(6)?,
    })
}

fn fill(conn: &Rc<Connection>, scope: &Scope, entity: &Entity, set: &mut Listed) -> Result<(), RecordError> {
    let title = entity.title.as_ref().filter(|title| scope.shown_field(entity, title).is_some());
    let title = title.map_or_else(|| "null".to_owned(), |title| format!("\"{title}\""));
    let (mut sql, mut params) = (String::new(), vec![Value::from(set.id)]);
    members_of(scope, entity, &format!("id, {title}"), "?1", &mut sql, &mut params)?;
    sql.push_str(" order by id");
    let mut statement = conn.prepare(&sql)?;
    let rows = statement.query_map(params_from_iter(&params), |row| {
        let title = Value::from_sql(row.get_ref(1)?);
        Ok((RecordId::from_bytes(row.get(0)?), title.text().map(str::to_owned)))
    })?;
    set.members = rows.collect::<rusqlite::Result<_>>()?;
    let sql = format!(
        "select count(*) from \"{}\" where deleted_at is null
            and id in (select record from _stoa_duplicate_members where set_id = ?1)",
        entity.key
    );
    let live: i64 = conn.prepare(&sql)?.query_row([set.id.as_bytes()], |row| row.get(0))?;
    set.hidden = usize::try_from(live).unwrap_or_default().saturating_sub(set.members.len());
    Ok(())
}

/// Closes a set and remembers that no two of its members are the same.
pub(super) fn dismiss(
    conn: &Rc<Connection>,
    entity: &Entity,
    set: RecordId,
    now: UnixMillis,
    by: PrincipalId,
) -> Result<(), RecordError> {
    let sql = "insert or ignore into _stoa_duplicate_dismissals (entity, a, b, at, by)
        select ?2, one.record, other.record, ?3, ?4
        from _stoa_duplicate_members one join _stoa_duplicate_members other on one.record < other.record
        where one.set_id = ?1 and other.set_id = ?1";
    conn.prepare(sql)?.execute(params![set.as_bytes(), &*entity.key, now, by.as_bytes()])?;
    let sql = "update _stoa_duplicate_sets set status = 'dismissed', updated_at = ?2 where id = ?1";
    conn.prepare(sql)?.execute(params![set.as_bytes(), now])?;
    Ok(())
}
