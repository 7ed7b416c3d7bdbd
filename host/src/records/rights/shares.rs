//! Who shared what with whom. A share lets somebody read a record, or read and change it, until it ends.
//!
//! Whoever may change a record otherwise than by a share may share it: nobody passes on what was only lent to him.

use std::rc::Rc;

use rusqlite::{OptionalExtension as _, Row, params};
use serde::Serialize;

use super::permits;
use crate::caller::Principal;
use crate::clock::{UnixMillis, rfc3339};
use crate::ids::{PrincipalId, RecordId, ShareId, TeamId};
use crate::records::error::{Fault, RecordError};
use crate::records::schema::Entity;
use crate::records::tx::Tx;
use crate::records::{Scope, write};
use crate::storage::Connection;

/// Most shares of one record.
pub const MOST: usize = 100;

/// With whom.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum With {
    /// A person.
    User(PrincipalId),
    /// Everybody in a team.
    Team(TeamId),
}

/// What a share lets.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Read the record.
    Read,
    /// Read and change it.
    Update,
}

impl Level {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Update => "update",
        }
    }
}

/// A share.
#[derive(Clone, Debug, Serialize)]
pub struct Share {
    /// Which.
    pub id: ShareId,
    /// With whom: `user` or `team`.
    pub kind: &'static str,
    /// The person's or the team's id.
    pub subject: PrincipalId,
    /// What it lets.
    pub level: Level,
    /// When it ends.
    pub expires_at: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// Who shared.
    pub created_by: PrincipalId,
}

/// What is to be shared.
#[derive(Clone, Debug)]
pub struct NewShare {
    /// With whom.
    pub with: With,
    /// What it lets.
    pub level: Level,
    /// When it ends.
    pub expires_at: Option<UnixMillis>,
}

/// Whether a record is shared with a principal now.
pub(super) fn reaches(
    conn: &Rc<Connection>,
    entity: &str,
    record: RecordId,
    principal: &Principal,
    changing: bool,
    now: UnixMillis,
) -> Result<bool, RecordError> {
    let sql = "select 1 from _stoa_shares where entity = ?1 and record = ?2 and subject = ?3 \
               and (level = 'update' or not ?4) and (expires_at is null or expires_at > ?5)";
    let mut statement = conn.prepare(sql)?;
    let teams = principal.teams.iter().map(TeamId::as_bytes);
    for subject in std::iter::once(principal.id.as_bytes()).chain(teams) {
        if statement.exists(params![entity, record.as_bytes(), subject, changing, now])? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The shares of a record that have not ended, the oldest first.
///
/// # Errors
/// [`RecordError::NotFound`] when the caller may not read the record; the file fails.
pub fn list(
    conn: &Rc<Connection>,
    scope: &Scope,
    entity: &Entity,
    record: RecordId,
    now: UnixMillis,
) -> Result<Vec<Share>, RecordError> {
    write::readable(conn, scope, entity, record)?.ok_or(RecordError::NotFound)?;
    let sql = format!(
        "select {COLUMNS} from _stoa_shares where entity = ?1 and record = ?2 \
         and (expires_at is null or expires_at > ?3) order by id"
    );
    let mut statement = conn.prepare(&sql)?;
    let shares = statement.query_map(params![&*entity.key, record.as_bytes(), now], share)?;
    Ok(shares.collect::<rusqlite::Result<_>>()?)
}

/// Shares a record; a share with the same person or team is replaced.
///
/// # Errors
/// [`RecordError::NotFound`], [`RecordError::Forbidden`], [`RecordError::Invalid`] for nobody, or a time that has passed.
pub fn add(tx: &Tx, entity: &Entity, record: RecordId, new: &NewShare) -> Result<Share, RecordError> {
    may_share(tx, entity, record)?;
    let organization = tx.scope.organization.id;
    let there = match new.with {
        With::User(id) => tx.engine.people.principal(organization, id)?.is_some(),
        With::Team(id) => tx.engine.people.team_name(organization, id)?.is_some(),
    };
    if !there {
        let detail = "there is no such user or team, or the user is disabled";
        return Err(RecordError::Invalid(vec![Fault::at("subject", "reference_not_found", detail)]));
    }
    if new.expires_at.is_some_and(|at| at <= tx.now) {
        let detail = "a share ends later than now";
        return Err(RecordError::Invalid(vec![Fault::at("expires_at", "in_the_past", detail)]));
    }
    let (kind, subject) = match new.with {
        With::User(id) => ("user", *id.as_bytes()),
        With::Team(id) => ("team", *id.as_bytes()),
    };
    tx.conn.execute(
        "delete from _stoa_shares where entity = ?1 and record = ?2 and (subject = ?3 or expires_at <= ?4)",
        params![&*entity.key, record.as_bytes(), subject, tx.now],
    )?;
    let count: i64 = tx
        .conn
        .prepare("select count(*) from _stoa_shares where entity = ?1 and record = ?2")?
        .query_row(params![&*entity.key, record.as_bytes()], |row| row.get(0))?;
    if usize::try_from(count).unwrap_or(MOST) >= MOST {
        let detail = format!("a record has at most {MOST} shares; share it with a team");
        return Err(RecordError::conflict("too_many_shares", detail));
    }
    let by = tx.scope.caller.principal.id;
    let id = ShareId::new();
    tx.conn.execute(
        "insert into _stoa_shares (id, entity, record, kind, subject, level, expires_at, created_at, created_by) \
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            id.as_bytes(),
            &*entity.key,
            record.as_bytes(),
            kind,
            subject,
            new.level.as_str(),
            new.expires_at,
            tx.now,
            by.as_bytes()
        ],
    )?;
    Ok(Share {
        id,
        kind,
        subject: PrincipalId::from_bytes(subject),
        level: new.level,
        expires_at: new.expires_at.map(rfc3339),
        created_at: rfc3339(tx.now),
        created_by: by,
    })
}

/// Takes a share back.
///
/// # Errors
/// [`RecordError::NotFound`], [`RecordError::Forbidden`], or the file fails.
pub fn remove(tx: &Tx, entity: &Entity, record: RecordId, id: ShareId) -> Result<(), RecordError> {
    may_share(tx, entity, record)?;
    let sql = "select 1 from _stoa_shares where id = ?1 and entity = ?2 and record = ?3";
    let named = params![id.as_bytes(), &*entity.key, record.as_bytes()];
    let there: Option<i64> = tx.conn.prepare(sql)?.query_row(named, |row| row.get(0)).optional()?;
    there.ok_or(RecordError::NotFound)?;
    tx.conn.execute("delete from _stoa_shares where id = ?1", [id.as_bytes()])?;
    Ok(())
}

/// Refuses who may not change the record otherwise than by a share.
fn may_share(tx: &Tx, entity: &Entity, record: RecordId) -> Result<(), RecordError> {
    let values = write::readable(&tx.conn, &tx.scope, entity, record)?.ok_or(RecordError::NotFound)?;
    let rows = tx.scope.policy.decide(&tx.scope.caller.principal, &entity.object, "update").without_shares();
    if permits(&tx.conn, &tx.scope, entity, &Some(rows), &values) {
        return Ok(());
    }
    Err(RecordError::Forbidden { object: entity.object.to_string(), action: "update".into() })
}

const COLUMNS: &str = "id, kind, subject, level, expires_at, created_at, created_by";

fn share(row: &Row<'_>) -> rusqlite::Result<Share> {
    let (kind, level): (String, String) = (row.get(1)?, row.get(3)?);
    let expires_at: Option<UnixMillis> = row.get(4)?;
    Ok(Share {
        id: ShareId::from_bytes(row.get(0)?),
        kind: if kind == "team" { "team" } else { "user" },
        subject: PrincipalId::from_bytes(row.get(2)?),
        level: if level == "update" { Level::Update } else { Level::Read },
        expires_at: expires_at.map(rfc3339),
        created_at: rfc3339(row.get(5)?),
        created_by: PrincipalId::from_bytes(row.get(6)?),
    })
}
