//! Passwords and invitations in an identity file: `users.password_hash` and `setup_tokens`.

use rusqlite::{OptionalExtension, params};

use crate::clock::UnixMillis;
use crate::identity::people::UserStatus;
use crate::identity::sessions::Method;
use crate::ids::{PrincipalId, RecordId};
use crate::storage::{Connection, StorageError};

use super::Account;
use super::progress::Login;

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

/// Stores a login that begins.
pub(super) fn put_login(
    connection: &Connection,
    hash: &[u8; 32],
    login: &Login,
    expires_at: UnixMillis,
) -> Result<()> {
    connection.execute(
        "insert into _stoa_logins (hash, required, done, expires_at) values (?1, '[]', '[]', ?2)",
        params![hash, expires_at],
    )?;
    update_login(connection, hash, login)
}

/// The login with this hash, unless it took too long.
pub(super) fn find_login(connection: &Connection, hash: &[u8; 32], now: UnixMillis) -> Result<Option<Login>> {
    let mut statement = connection.prepare(
        "select user_id, email_key, required, done, acr, auth_time, pending from _stoa_logins
         where hash = ?1 and expires_at > ?2",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Login {
            user: row.get::<_, Option<[u8; 16]>>(0)?.map(PrincipalId::from_bytes),
            email_key: row.get(1)?,
            required: methods(&row.get::<_, String>(2)?),
            done: methods(&row.get::<_, String>(3)?),
            acr: row.get(4)?,
            auth_time: row.get(5)?,
            pending: row.get(6)?,
            ..Login::default()
        })
    };
    Ok(statement.query_row(params![hash, now], read).optional()?)
}

/// Stores how far a login is.
pub(super) fn update_login(connection: &Connection, hash: &[u8; 32], login: &Login) -> Result<()> {
    let text = |methods: &[Method]| {
        let words: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
        serde_json::Value::from(words).to_string()
    };
    connection.execute(
        "update _stoa_logins set user_id = ?2, email_key = ?3, required = ?4, done = ?5, acr = ?6,
             auth_time = ?7, pending = ?8 where hash = ?1",
        params![
            hash,
            login.user.map(|id| *id.as_bytes()),
            login.email_key,
            text(&login.required),
            text(&login.done),
            login.acr,
            login.auth_time,
            login.pending,
        ],
    )?;
    Ok(())
}

/// Ends a login.
pub(super) fn drop_login(connection: &Connection, hash: &[u8; 32]) -> Result<()> {
    connection.execute("delete from _stoa_logins where hash = ?1", [hash])?;
    Ok(())
}

/// Drops the logins that took too long.
pub(super) fn forget_logins(connection: &Connection, now: UnixMillis) -> Result<()> {
    connection.execute("delete from _stoa_logins where expires_at <= ?1", [now])?;
    Ok(())
}

fn methods(text: &str) -> Vec<Method> {
    let words: Vec<String> = serde_json::from_str(text).unwrap_or_default();
    words.iter().filter_map(|word| Method::stored(word)).collect()
}

/// A link that is sent by mail.
pub(super) struct MailLink {
    pub(super) user: PrincipalId,
    pub(super) email: Option<String>,
}

/// Stores a link. Earlier ones of its purpose are void.
pub(super) fn put_link(
    connection: &Connection,
    hash: &[u8; 32],
    purpose: &str,
    link: &MailLink,
    (now, expires_at): (UnixMillis, UnixMillis),
) -> Result<()> {
    // An undo stays good whatever comes after it: that is its purpose.
    let sql = "delete from _stoa_mail_links where expires_at <= ?1 or (user_id = ?2 and purpose = ?3 and ?3 <> 'email_undo')";
    connection.execute(sql, params![now, link.user.as_bytes(), purpose])?;
    connection.execute(
        "insert into _stoa_mail_links (hash, purpose, user_id, email, expires_at, created_at)
         values (?1, ?2, ?3, ?4, ?5, ?6)",
        params![hash, purpose, link.user.as_bytes(), link.email, expires_at, now],
    )?;
    Ok(())
}

/// The link with this hash and purpose, if it is good and its person active.
pub(super) fn find_link(
    connection: &Connection,
    hash: &[u8; 32],
    purpose: &str,
    now: UnixMillis,
) -> Result<Option<MailLink>> {
    let mut statement = connection.prepare(
        "select user_id, l.email from _stoa_mail_links l join users on users.id = user_id
         where hash = ?1 and purpose = ?2 and expires_at > ?3 and status = 'active'",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(MailLink { user: PrincipalId::from_bytes(row.get(0)?), email: row.get(1)? })
    };
    Ok(statement.query_row(params![hash, purpose, now], read).optional()?)
}

/// Uses a link up; `false` when somebody else did.
pub(super) fn take_link(connection: &Connection, hash: &[u8; 32]) -> Result<bool> {
    Ok(connection.execute("delete from _stoa_mail_links where hash = ?1", [hash])? == 1)
}

/// Makes void what was sent to reset the password or to change the address.
pub(in crate::identity) fn drop_links(connection: &Connection, user: PrincipalId) -> Result<()> {
    let sql = "delete from _stoa_mail_links where user_id = ?1 and purpose <> 'email_undo'";
    connection.execute(sql, [user.as_bytes()])?;
    Ok(())
}

/// The person's row has changed.
pub(super) fn advance_version(connection: &Connection, user: PrincipalId, now: UnixMillis) -> Result<()> {
    let sql = "update users set version = version + 1, updated_at = ?2, updated_by = id where id = ?1";
    connection.execute(sql, params![user.as_bytes(), now])?;
    Ok(())
}
