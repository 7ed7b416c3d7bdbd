//! The tables `users`, `teams` and `team_members` of an identity file.

use std::sync::Arc;

use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Row, params};

use crate::ids::{PrincipalId, RecordId, TeamId};
use crate::storage::{Connection, StorageError};

use super::{Invited, Team, User, UserStatus};

type Result<T> = std::result::Result<T, StorageError>;

/// The person with this id.
pub(in crate::identity) fn find_user(connection: &Connection, id: PrincipalId) -> Result<Option<User>> {
    let mut statement = connection.prepare("select * from users where id = ?1")?;
    let user = statement.query_row([id.as_bytes()], read_user).optional()?;
    user.map(|user| with_teams(connection, user)).transpose()
}

/// The person with this address.
pub(in crate::identity) fn find_by_email(connection: &Connection, key: &str) -> Result<Option<User>> {
    let mut statement = connection.prepare("select * from users where email_key = ?1")?;
    let user = statement.query_row([key], read_user).optional()?;
    user.map(|user| with_teams(connection, user)).transpose()
}

/// The person with this key of another system.
pub(super) fn find_by_external_id(connection: &Connection, external_id: &str) -> Result<Option<User>> {
    let mut statement = connection.prepare("select * from users where external_id = ?1")?;
    let user = statement.query_row([external_id], read_user).optional()?;
    user.map(|user| with_teams(connection, user)).transpose()
}

/// The people with this name, at most two: whoever asks wants to know whether it is one.
pub(super) fn find_by_name(connection: &Connection, name: &str) -> Result<Vec<User>> {
    let mut statement = connection.prepare("select * from users where name = ?1 collate nocase limit 2")?;
    let users = statement.query_map([name], read_user)?.collect::<rusqlite::Result<Vec<_>>>()?;
    users.into_iter().map(|user| with_teams(connection, user)).collect()
}

/// People after `after`, by id.
pub(super) fn list_users(
    connection: &Connection,
    after: Option<PrincipalId>,
    limit: u32,
) -> Result<Vec<User>> {
    let mut statement = connection.prepare("select * from users where id > ?1 order by id limit ?2")?;
    let after = after.as_ref().map_or([0; 16], |id| *id.as_bytes());
    let users =
        statement.query_map(params![after, limit], read_user)?.collect::<rusqlite::Result<Vec<_>>>()?;
    users.into_iter().map(|user| with_teams(connection, user)).collect()
}

/// Adds a person, without teams.
pub(super) fn insert_user(connection: &Connection, user: &User, email_key: Option<&str>) -> Result<()> {
    connection.execute(
        "insert into users (id, version, name, email, email_key, external_id, status, roles,
                            created_at, created_by, updated_at, updated_by)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            user.id.as_bytes(),
            user.version,
            user.name,
            user.email,
            email_key,
            user.external_id,
            user.status.as_str(),
            roles_text(&user.roles),
            user.created_at,
            user.created_by.as_bytes(),
            user.updated_at,
            user.updated_by.as_bytes(),
        ],
    )?;
    Ok(())
}

/// Stores what can change of a person, but for address, teams and credentials.
pub(super) fn update_user(connection: &Connection, user: &User) -> Result<()> {
    connection.execute(
        "update users set version = ?2, name = ?3, external_id = ?4, status = ?5, roles = ?6,
                          updated_at = ?7, updated_by = ?8 where id = ?1",
        params![
            user.id.as_bytes(),
            user.version,
            user.name,
            user.external_id,
            user.status.as_str(),
            roles_text(&user.roles),
            user.updated_at,
            user.updated_by.as_bytes(),
        ],
    )?;
    Ok(())
}

/// Stores an address: as written, and its key.
pub(in crate::identity) fn set_email(
    connection: &Connection,
    id: PrincipalId,
    email: Option<(&str, &str)>,
) -> Result<()> {
    let (written, key) = email.unzip();
    let sql = "update users set email = ?2, email_key = ?3 where id = ?1";
    connection.execute(sql, params![id.as_bytes(), written, key])?;
    Ok(())
}

/// Makes every access token of the person old.
pub(in crate::identity) fn end_tokens(connection: &Connection, id: PrincipalId) -> Result<()> {
    connection.execute("update users set token_epoch = token_epoch + 1 where id = ?1", [id.as_bytes()])?;
    Ok(())
}

/// The invitation that a person has, old ones included.
pub(super) fn find_invitation(connection: &Connection, user: PrincipalId) -> Result<Option<Invited>> {
    let mut statement = connection
        .prepare("select created_by, created_at, expires_at from setup_tokens where user_id = ?1")?;
    let read = |row: &Row<'_>| {
        Ok(Invited { by: PrincipalId::from_bytes(row.get(0)?), at: row.get(1)?, expires_at: row.get(2)? })
    };
    Ok(statement.query_row([user.as_bytes()], read).optional()?)
}

/// Removes the invitation of a person; `false` when they had none.
pub(super) fn delete_invitation(connection: &Connection, user: PrincipalId) -> Result<bool> {
    Ok(connection.execute("delete from setup_tokens where user_id = ?1", [user.as_bytes()])? == 1)
}

/// The names of the roles that the organization made.
pub(super) fn own_roles(connection: &Connection) -> Result<Vec<String>> {
    let mut statement = connection.prepare("select name from roles")?;
    let names = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    Ok(names)
}

/// How many owners can act.
pub(super) fn active_owners(connection: &Connection) -> Result<i64> {
    let mut statement = connection.prepare(
        "select count(*) from users where status = 'active'
             and exists (select 1 from json_each(users.roles) where value = 'owner')",
    )?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// The owners that can act.
pub(in crate::identity) fn owners(connection: &Connection) -> Result<Vec<PrincipalId>> {
    let mut statement = connection.prepare(
        "select id from users where status = 'active'
             and exists (select 1 from json_each(users.roles) where value = 'owner') order by id",
    )?;
    let ids = statement.query_map([], |row| Ok(PrincipalId::from_bytes(row.get(0)?)))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}

/// The name of a person, a service account or a key.
pub(super) fn name(connection: &Connection, id: PrincipalId) -> Result<Option<Arc<str>>> {
    let mut statement = connection.prepare(
        "select name from users where id = ?1 union all select name from api_keys where id = ?1
         union all select name from service_accounts where id = ?1",
    )?;
    Ok(statement.query_row([id.as_bytes()], |row| row.get(0)).optional()?)
}

/// Makes `team` the primary one; the one that was is left.
pub(super) fn set_primary_team(
    connection: &Connection,
    user: PrincipalId,
    team: Option<TeamId>,
) -> Result<()> {
    connection
        .execute("delete from team_members where user_id = ?1 and is_primary = 1", [user.as_bytes()])?;
    if let Some(team) = team {
        connection.execute(
            "insert into team_members (id, team_id, user_id, is_primary) values (?1, ?2, ?3, 1)
             on conflict (user_id, team_id) do update set is_primary = 1",
            params![RecordId::new().as_bytes(), team.as_bytes(), user.as_bytes()],
        )?;
    }
    Ok(())
}

/// Adds a further team.
pub(super) fn add_member(connection: &Connection, user: PrincipalId, team: TeamId) -> Result<()> {
    connection.execute(
        "insert into team_members (id, team_id, user_id, is_primary) values (?1, ?2, ?3, 0)
         on conflict (user_id, team_id) do nothing",
        params![RecordId::new().as_bytes(), team.as_bytes(), user.as_bytes()],
    )?;
    Ok(())
}

/// Removes a person from a team.
pub(super) fn remove_member(connection: &Connection, user: PrincipalId, team: TeamId) -> Result<()> {
    let sql = "delete from team_members where user_id = ?1 and team_id = ?2";
    connection.execute(sql, params![user.as_bytes(), team.as_bytes()])?;
    Ok(())
}

/// The person's teams, the primary one first.
pub(in crate::identity) fn teams_of(connection: &Connection, user: PrincipalId) -> Result<Vec<TeamId>> {
    let mut statement = connection
        .prepare("select team_id from team_members where user_id = ?1 order by is_primary desc, id")?;
    let teams = statement.query_map([user.as_bytes()], |row| Ok(TeamId::from_bytes(row.get(0)?)))?;
    Ok(teams.collect::<rusqlite::Result<_>>()?)
}

/// The team with this id.
pub(super) fn find_team(connection: &Connection, id: TeamId) -> Result<Option<Team>> {
    let mut statement = connection.prepare(
        "select *, (select count(*) from team_members where team_id = teams.id) as members from teams where id = ?1",
    )?;
    Ok(statement.query_row([id.as_bytes()], read_team).optional()?)
}

/// The team with this name.
pub(super) fn find_team_by_name(connection: &Connection, name: &str) -> Result<Option<Team>> {
    let mut statement = connection.prepare(
        "select *, (select count(*) from team_members where team_id = teams.id) as members from teams where name = ?1",
    )?;
    Ok(statement.query_row([name], read_team).optional()?)
}

/// Teams after `after`, by id.
pub(super) fn list_teams(connection: &Connection, after: Option<TeamId>, limit: u32) -> Result<Vec<Team>> {
    let mut statement = connection.prepare(
        "select *, (select count(*) from team_members where team_id = teams.id) as members
         from teams where id > ?1 order by id limit ?2",
    )?;
    let after = after.as_ref().map_or([0; 16], |id| *id.as_bytes());
    Ok(statement.query_map(params![after, limit], read_team)?.collect::<rusqlite::Result<_>>()?)
}

/// The name of a team.
pub(super) fn team_name(connection: &Connection, id: TeamId) -> Result<Option<Arc<str>>> {
    let mut statement = connection.prepare("select name from teams where id = ?1")?;
    Ok(statement.query_row([id.as_bytes()], |row| row.get(0)).optional()?)
}

/// Adds a team.
pub(super) fn insert_team(connection: &Connection, team: &Team) -> Result<()> {
    connection.execute(
        "insert into teams (id, version, name, parent_id, created_at, created_by, updated_at, updated_by)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            team.id.as_bytes(),
            team.version,
            team.name,
            team.parent.as_ref().map(TeamId::as_bytes),
            team.created_at,
            team.created_by.as_bytes(),
            team.updated_at,
            team.updated_by.as_bytes(),
        ],
    )?;
    Ok(())
}

/// Stores what can change of a team.
pub(super) fn update_team(connection: &Connection, team: &Team) -> Result<()> {
    connection.execute(
        "update teams set version = ?2, name = ?3, parent_id = ?4, updated_at = ?5, updated_by = ?6 where id = ?1",
        params![
            team.id.as_bytes(),
            team.version,
            team.name,
            team.parent.as_ref().map(TeamId::as_bytes),
            team.updated_at,
            team.updated_by.as_bytes()
        ],
    )?;
    Ok(())
}

/// The teams below these at any depth, themselves not included.
pub(in crate::identity) fn subteams_of(connection: &Connection, teams: &[TeamId]) -> Result<Vec<TeamId>> {
    let mut statement = connection.prepare("select id from teams where parent_id = ?1 order by id")?;
    let (mut found, mut next) = (Vec::new(), teams.to_vec());
    while let Some(team) = next.pop() {
        let below = statement.query_map([team.as_bytes()], |row| Ok(TeamId::from_bytes(row.get(0)?)))?;
        for below in below {
            let below = below?;
            if !found.contains(&below) && !teams.contains(&below) {
                found.push(below);
                next.push(below);
            }
        }
    }
    Ok(found)
}

/// The levels of a team and what is below it: 1 when nothing is.
pub(super) fn height(connection: &Connection, team: TeamId) -> Result<usize> {
    let mut statement = connection.prepare(
        "with recursive below (id, level) as (
             select ?1, 1 union all
             select teams.id, level + 1 from teams join below on parent_id = below.id where level < 100)
         select max(level) from below",
    )?;
    let height: i64 = statement.query_row([team.as_bytes()], |row| row.get(0))?;
    Ok(usize::try_from(height).unwrap_or(usize::MAX))
}

/// Role names as they are stored.
pub(in crate::identity) fn roles_text(roles: &[String]) -> String {
    serde_json::Value::from(roles).to_string()
}

/// Role names as they were stored.
pub(in crate::identity) fn roles_of(row: &Row<'_>) -> rusqlite::Result<Vec<String>> {
    let text: String = row.get("roles")?;
    serde_json::from_str(&text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error)))
}

fn with_teams(connection: &Connection, user: User) -> Result<User> {
    let teams = teams_of(connection, user.id)?;
    Ok(User { teams, ..user })
}

fn read_user(row: &Row<'_>) -> rusqlite::Result<User> {
    let status: String = row.get("status")?;
    let password_hash: Option<String> = row.get("password_hash")?;
    Ok(User {
        id: PrincipalId::from_bytes(row.get("id")?),
        version: row.get("version")?,
        name: row.get("name")?,
        email: row.get("email")?,
        external_id: row.get("external_id")?,
        status: UserStatus::stored(&status),
        roles: roles_of(row)?,
        teams: Vec::new(),
        has_password: password_hash.is_some(),
        created_at: row.get("created_at")?,
        created_by: PrincipalId::from_bytes(row.get("created_by")?),
        updated_at: row.get("updated_at")?,
        updated_by: PrincipalId::from_bytes(row.get("updated_by")?),
    })
}

fn read_team(row: &Row<'_>) -> rusqlite::Result<Team> {
    Ok(Team {
        id: TeamId::from_bytes(row.get("id")?),
        version: row.get("version")?,
        name: row.get("name")?,
        parent: row.get::<_, Option<[u8; 16]>>("parent_id")?.map(TeamId::from_bytes),
        members: row.get("members")?,
        created_at: row.get("created_at")?,
        created_by: PrincipalId::from_bytes(row.get("created_by")?),
        updated_at: row.get("updated_at")?,
        updated_by: PrincipalId::from_bytes(row.get("updated_by")?),
    })
}
