//! The tables `_stoa_totp` and `_stoa_recovery_codes` of an identity file.

use rusqlite::{OptionalExtension, params};

use crate::clock::UnixMillis;
use crate::ids::PrincipalId;
use crate::storage::{Connection, StorageError};

type Result<T> = std::result::Result<T, StorageError>;

/// An authenticator app of a person.
pub(super) struct Stored {
    pub(super) secret: Vec<u8>,
    pub(super) confirmed: bool,
    pub(super) last_step: i64,
    pub(super) window_start: UnixMillis,
    pub(super) tries: u32,
    pub(super) failures: u32,
    pub(super) renew: bool,
}

/// The person's authenticator app, confirmed or not.
pub(super) fn find(connection: &Connection, user: PrincipalId) -> Result<Option<Stored>> {
    let mut statement = connection.prepare(
        "select secret, confirmed_at is not null, last_step, window_start, tries, failures, renew
         from _stoa_totp where user_id = ?1",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Stored {
            secret: row.get(0)?,
            confirmed: row.get(1)?,
            last_step: row.get(2)?,
            window_start: row.get(3)?,
            tries: row.get(4)?,
            failures: row.get(5)?,
            renew: row.get(6)?,
        })
    };
    Ok(statement.query_row([user.as_bytes()], read).optional()?)
}

/// Stores one that is not confirmed yet. A confirmed one stays.
pub(super) fn put(
    connection: &Connection,
    user: PrincipalId,
    secret: &[u8],
    now: UnixMillis,
) -> Result<bool> {
    let stored = connection.execute(
        "insert into _stoa_totp (user_id, secret, created_at) values (?1, ?2, ?3)
         on conflict (user_id) do update set secret = excluded.secret, created_at = excluded.created_at,
             last_step = 0, tries = 0, failures = 0 where confirmed_at is null",
        params![user.as_bytes(), secret, now],
    )?;
    Ok(stored == 1)
}

/// Confirms one; `false` when that was done before.
pub(super) fn confirm(
    connection: &Connection,
    user: PrincipalId,
    step: i64,
    now: UnixMillis,
) -> Result<bool> {
    let sql = "update _stoa_totp set confirmed_at = ?3, last_step = ?2, tries = 0, failures = 0
        where user_id = ?1 and confirmed_at is null";
    Ok(connection.execute(sql, params![user.as_bytes(), step, now])? == 1)
}

/// Puts a confirmed one into the place of whatever there was.
pub(in crate::identity) fn replace(
    connection: &Connection,
    user: PrincipalId,
    secret: &[u8],
    step: i64,
    now: UnixMillis,
) -> Result<()> {
    connection.execute("delete from _stoa_totp where user_id = ?1", [user.as_bytes()])?;
    connection.execute(
        "insert into _stoa_totp (user_id, secret, confirmed_at, last_step, created_at) values (?1, ?2, ?4, ?3, ?4)",
        params![user.as_bytes(), secret, step, now],
    )?;
    Ok(())
}

/// The app is to be set up anew.
pub(super) fn renew(connection: &Connection, user: PrincipalId) -> Result<()> {
    connection.execute("update _stoa_totp set renew = 1 where user_id = ?1", [user.as_bytes()])?;
    Ok(())
}

/// Uses a step up; `false` when it, or a later one, was used before.
pub(super) fn take_step(connection: &Connection, user: PrincipalId, step: i64) -> Result<bool> {
    let sql = "update _stoa_totp set last_step = ?2, tries = 0, failures = 0
        where user_id = ?1 and confirmed_at is not null and last_step < ?2";
    Ok(connection.execute(sql, params![user.as_bytes(), step])? == 1)
}

/// Counts a wrong code.
pub(super) fn count_failure(
    connection: &Connection,
    user: PrincipalId,
    window_start: UnixMillis,
    tries: u32,
) -> Result<()> {
    let sql =
        "update _stoa_totp set window_start = ?2, tries = ?3, failures = failures + 1 where user_id = ?1";
    connection.execute(sql, params![user.as_bytes(), window_start, tries])?;
    Ok(())
}

/// Removes a person's second factors.
pub(super) fn remove(connection: &Connection, user: PrincipalId) -> Result<()> {
    connection.execute("delete from _stoa_totp where user_id = ?1", [user.as_bytes()])?;
    connection.execute("delete from _stoa_recovery_codes where user_id = ?1", [user.as_bytes()])?;
    Ok(())
}

/// Puts these recovery codes into the place of those that the person had.
pub(in crate::identity) fn put_codes(
    connection: &Connection,
    user: PrincipalId,
    hashes: &[[u8; 32]],
    now: UnixMillis,
) -> Result<()> {
    connection.execute("delete from _stoa_recovery_codes where user_id = ?1", [user.as_bytes()])?;
    let mut statement = connection
        .prepare("insert into _stoa_recovery_codes (hash, user_id, created_at) values (?1, ?2, ?3)")?;
    for hash in hashes {
        statement.execute(params![hash, user.as_bytes(), now])?;
    }
    Ok(())
}

/// Uses a recovery code up; `false` when it is not one of the person's.
pub(super) fn take_code(connection: &Connection, user: PrincipalId, hash: &[u8; 32]) -> Result<bool> {
    let sql = "delete from _stoa_recovery_codes where user_id = ?1 and hash = ?2";
    Ok(connection.execute(sql, params![user.as_bytes(), hash])? == 1)
}

/// How many recovery codes a person has left.
pub(super) fn codes_left(connection: &Connection, user: PrincipalId) -> Result<u32> {
    let mut statement = connection.prepare("select count(*) from _stoa_recovery_codes where user_id = ?1")?;
    Ok(statement.query_row([user.as_bytes()], |row| row.get(0))?)
}
