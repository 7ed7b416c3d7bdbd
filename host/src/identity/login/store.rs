//! Passwords and invitations in an identity file: `users.password_hash` and `setup_tokens`.

use rusqlite::{OptionalExtension, params};

use crate::clock::UnixMillis;
use crate::identity::people::UserStatus;
use crate::ids::{PrincipalId, RecordId};
use crate::storage::{Connection, StorageError};

use super::Account;

type Result<T> = std::result::Result<T, StorageError>;

/// An invitation to store.
pub(super) struct NewToken {
    pub(super) id: RecordId,
    pub(super) user: PrincipalId,
    pub(super) hash: [u8; 32],
    pub(super) expires_at: UnixMillis,
    pub(super) now: UnixMillis,
    pub(super) by: PrincipalId,
}

/// Stores an invitation; the one the person had is gone.
pub(super) fn put_setup_token(connection: &Connection, token: &NewToken) -> Result<()> {
    connection.execute("delete from setup_tokens where user_id = ?1", [token.user.as_bytes()])?;
    connection.execute(
        "insert into setup_tokens (id, user_id, token_hash, expires_at, created_at, created_by)
         values (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            token.id.as_bytes(),
            token.user.as_bytes(),
            token.hash,
            token.expires_at,
            token.now,
            token.by.as_bytes()
        ],
    )?;
    Ok(())
}

/// Whose invitation this is, if it is good: not used, not too old, the person not disabled.
pub(super) fn find_setup_token(
    connection: &Connection,
    hash: &[u8; 32],
    now: UnixMillis,
) -> Result<Option<PrincipalId>> {
    let mut statement = connection.prepare(
        "select user_id from setup_tokens join users on users.id = user_id
         where token_hash = ?1 and expires_at > ?2 and status = 'active'",
    )?;
    Ok(statement.query_row(params![hash, now], |row| Ok(PrincipalId::from_bytes(row.get(0)?))).optional()?)
}

/// Uses an invitation up; `false` when it is not good any more.
pub(super) fn take_setup_token(connection: &Connection, hash: &[u8; 32], now: UnixMillis) -> Result<bool> {
    let taken = connection.execute(
        "delete from setup_tokens where token_hash = ?1 and expires_at > ?2
             and user_id in (select id from users where status = 'active')",
        params![hash, now],
    )?;
    Ok(taken == 1)
}

/// The account with this address.
pub(super) fn find_account(connection: &Connection, email_key: &str) -> Result<Option<Account>> {
    let mut statement =
        connection.prepare("select id, name, status, password_hash from users where email_key = ?1")?;
    let read = |row: &rusqlite::Row<'_>| {
        let status: String = row.get(2)?;
        Ok(Account {
            id: PrincipalId::from_bytes(row.get(0)?),
            name: row.get(1)?,
            status: UserStatus::stored(&status),
            hash: row.get(3)?,
        })
    };
    Ok(statement.query_row([email_key], read).optional()?)
}

/// Stores the hash of a password.
pub(super) fn set_password(connection: &Connection, id: PrincipalId, hash: &str) -> Result<()> {
    connection.execute("update users set password_hash = ?2 where id = ?1", params![id.as_bytes(), hash])?;
    Ok(())
}
