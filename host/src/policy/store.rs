//! The tables `roles` and `policies` of an identity file.

use rusqlite::types::Type;
use rusqlite::{OptionalExtension as _, Row, params};

use super::overlay::{Addition, Overlay, Role, Words};
use crate::ids::{PolicyId, PrincipalId, RecordId};
use crate::storage::{Connection, StorageError};

type Result<T> = std::result::Result<T, StorageError>;

/// All that the organization added.
pub(super) fn overlay(connection: &Connection) -> Result<Overlay> {
    let mut statement = connection.prepare(
        "select name, label, description, inherits, version, created_at, created_by, updated_at from roles order by name",
    )?;
    let roles = statement.query_map([], role)?.collect::<rusqlite::Result<_>>()?;
    let mut statement = connection.prepare(
        "select id, subject, object, action, scope, condition, effect, reason, created_at, created_by from policies order by id",
    )?;
    let rows = statement.query_map([], addition)?.collect::<rusqlite::Result<_>>()?;
    Ok(Overlay { roles, rows })
}

pub(super) fn insert_role(connection: &Connection, role: &Role) -> Result<()> {
    connection.execute(
        "insert into roles (id, name, label, description, inherits, created_at, created_by, updated_at, updated_by)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?6, ?7)",
        params![
            RecordId::new().as_bytes(),
            role.name,
            role.label,
            role.description,
            inherits(&role.inherits),
            role.created_at,
            role.created_by.as_bytes()
        ],
    )?;
    Ok(())
}

pub(super) fn update_role(connection: &Connection, role: &Role, by: PrincipalId) -> Result<()> {
    connection.execute(
        "update roles set label = ?2, description = ?3, inherits = ?4, version = ?5, updated_at = ?6, updated_by = ?7
         where name = ?1",
        params![
            role.name,
            role.label,
            role.description,
            inherits(&role.inherits),
            role.version,
            role.updated_at,
            by.as_bytes()
        ],
    )?;
    Ok(())
}

pub(super) fn delete_role(connection: &Connection, name: &str) -> Result<()> {
    connection.execute("delete from roles where name = ?1", [name])?;
    Ok(())
}

/// Whether somebody has the role: a person, a program, a key that is not revoked.
pub(super) fn is_held(connection: &Connection, name: &str) -> Result<bool> {
    let sql = "select 1 from users where exists (select 1 from json_each(users.roles) where value = ?1)
               union all select 1 from api_keys where role = ?1 and revoked_at is null
               union all select 1 from service_accounts
                   where exists (select 1 from json_each(service_accounts.roles) where value = ?1) limit 1";
    let held: Option<i64> = connection.prepare(sql)?.query_row([name], |row| row.get(0)).optional()?;
    Ok(held.is_some())
}

pub(super) fn insert(connection: &Connection, added: &Addition) -> Result<()> {
    let words = &added.words;
    connection.execute(
        "insert into policies (id, subject, object, action, scope, condition, effect, reason, created_at, created_by)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            added.id.as_bytes(),
            words.subject,
            words.object,
            words.action,
            words.scope,
            words.condition,
            words.effect,
            added.reason,
            added.created_at,
            added.created_by.as_bytes()
        ],
    )?;
    Ok(())
}

pub(super) fn delete(connection: &Connection, id: PolicyId) -> Result<()> {
    connection.execute("delete from policies where id = ?1", [id.as_bytes()])?;
    Ok(())
}

fn inherits(roles: &[String]) -> String {
    serde_json::to_string(roles).unwrap_or_else(|_| "[]".to_owned())
}

fn role(row: &Row<'_>) -> rusqlite::Result<Role> {
    let inherits: String = row.get(3)?;
    // A role that lost what it inherits would lose its denies, too: then nothing loads.
    let inherits = serde_json::from_str(&inherits)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(3, Type::Text, Box::new(error)))?;
    Ok(Role {
        name: row.get(0)?,
        label: row.get(1)?,
        description: row.get(2)?,
        inherits,
        version: row.get(4)?,
        created_at: row.get(5)?,
        created_by: PrincipalId::from_bytes(row.get(6)?),
        updated_at: row.get(7)?,
    })
}

fn addition(row: &Row<'_>) -> rusqlite::Result<Addition> {
    let words = Words {
        subject: row.get(1)?,
        object: row.get(2)?,
        action: row.get(3)?,
        scope: row.get(4)?,
        condition: row.get(5)?,
        effect: row.get(6)?,
    };
    Ok(Addition {
        id: PolicyId::from_bytes(row.get(0)?),
        words,
        reason: row.get(7)?,
        created_at: row.get(8)?,
        created_by: PrincipalId::from_bytes(row.get(9)?),
    })
}
