//! Sessions, second factors and recovery codes in the control database.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::clock::UnixMillis;
use crate::ids::{PrincipalId, SessionId};
use crate::storage::StorageError;

use super::Session;

type Result<T> = std::result::Result<T, StorageError>;

/// Adds a session.
pub(super) async fn insert(db: &mut SqliteConnection, session: &Session, hash: &[u8; 32]) -> Result<()> {
    sqlx::query(
        "insert into platform_sessions (id, token_hash, admin_id, methods, strong, address, created_at, last_seen_at,
             expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $7, $8)",
    )
    .bind(session.id.as_bytes().as_slice())
    .bind(&hash[..])
    .bind(session.admin.as_bytes().as_slice())
    .bind(session.methods.join(" "))
    .bind(session.strong)
    .bind(session.address.as_str())
    .bind(session.created_at)
    .bind(session.expires_at)
    .execute(db)
    .await?;
    Ok(())
}

/// The session with this id.
pub(super) async fn find(db: &mut SqliteConnection, id: SessionId) -> Result<Option<Session>> {
    let row = sqlx::query("select * from platform_sessions where id = $1")
        .bind(id.as_bytes().as_slice())
        .fetch_optional(db)
        .await?;
    row.as_ref().map(read).transpose()
}

/// The session with this secret.
pub(super) async fn find_by_hash(db: &mut SqliteConnection, hash: &[u8; 32]) -> Result<Option<Session>> {
    let row = sqlx::query("select * from platform_sessions where token_hash = $1")
        .bind(&hash[..])
        .fetch_optional(db)
        .await?;
    row.as_ref().map(read).transpose()
}

/// A page of the sessions that have not ended, of everybody or of one administrator.
pub(super) async fn page(
    db: &mut SqliteConnection,
    of: Option<PrincipalId>,
    after: Option<SessionId>,
    (limit, now, idle_since): (u32, UnixMillis, UnixMillis),
) -> Result<Vec<Session>> {
    let of = of.map(|of| of.as_bytes().to_vec());
    let rows = sqlx::query(
        "select * from platform_sessions where id > $1 and ($2 is null or admin_id = $2) and ended_at is null
             and expires_at > $3 and last_seen_at > $4 order by id limit $5",
    )
    .bind(after.map_or_else(Vec::new, |after| after.as_bytes().to_vec()))
    .bind(of)
    .bind(now)
    .bind(idle_since)
    .bind(limit)
    .fetch_all(db)
    .await?;
    rows.iter().map(read).collect()
}

/// Notes that a session is used.
pub(super) async fn touch(db: &mut SqliteConnection, id: SessionId, now: UnixMillis) -> Result<()> {
    let sql = "update platform_sessions set last_seen_at = $2 where id = $1 and last_seen_at < $2";
    sqlx::query(sql).bind(id.as_bytes().as_slice()).bind(now).execute(db).await?;
    Ok(())
}

/// Ends a session.
pub(super) async fn end(db: &mut SqliteConnection, id: SessionId, now: UnixMillis) -> Result<()> {
    let sql = "update platform_sessions set ended_at = $2 where id = $1 and ended_at is null";
    sqlx::query(sql).bind(id.as_bytes().as_slice()).bind(now).execute(db).await?;
    Ok(())
}

/// Ends every session of an administrator.
pub(in crate::platform) async fn end_all(
    db: &mut SqliteConnection,
    admin: PrincipalId,
    now: UnixMillis,
) -> Result<()> {
    let sql = "update platform_sessions set ended_at = $2 where admin_id = $1 and ended_at is null";
    sqlx::query(sql).bind(admin.as_bytes().as_slice()).bind(now).execute(db).await?;
    Ok(())
}

/// Ends every session of an administrator but this one.
pub(super) async fn end_all_but(
    db: &mut SqliteConnection,
    admin: PrincipalId,
    kept: SessionId,
    now: UnixMillis,
) -> Result<()> {
    let sql =
        "update platform_sessions set ended_at = $3 where admin_id = $1 and id <> $2 and ended_at is null";
    let ended = sqlx::query(sql).bind(admin.as_bytes().as_slice()).bind(kept.as_bytes().as_slice());
    ended.bind(now).execute(db).await?;
    Ok(())
}

/// Ends the oldest sessions of an administrator beyond the newest `most`.
pub(super) async fn end_oldest(
    db: &mut SqliteConnection,
    admin: PrincipalId,
    most: u32,
    now: UnixMillis,
) -> Result<()> {
    sqlx::query(
        "update platform_sessions set ended_at = $3 where admin_id = $1 and ended_at is null and id not in
             (select id from platform_sessions where admin_id = $1 and ended_at is null order by id desc limit $2)",
    )
    .bind(admin.as_bytes().as_slice())
    .bind(most)
    .bind(now)
    .execute(db)
    .await?;
    Ok(())
}

/// Keeps a secret until it is confirmed.
pub(super) async fn set_pending(db: &mut SqliteConnection, admin: PrincipalId, sealed: &[u8]) -> Result<()> {
    let sql = "update platform_admins set totp_pending = $2 where id = $1";
    sqlx::query(sql).bind(admin.as_bytes().as_slice()).bind(sealed).execute(db).await?;
    Ok(())
}

/// Makes the pending secret the second factor, its first code used in `step`.
pub(super) async fn confirm(db: &mut SqliteConnection, admin: PrincipalId, step: i64) -> Result<()> {
    let sql = "update platform_admins set totp_secret = totp_pending, totp_pending = null, totp_step = $2,
                   version = version + 1 where id = $1";
    sqlx::query(sql).bind(admin.as_bytes().as_slice()).bind(step).execute(db).await?;
    Ok(())
}

/// Uses a step up.
pub(super) async fn set_step(db: &mut SqliteConnection, admin: PrincipalId, step: i64) -> Result<()> {
    let sql = "update platform_admins set totp_step = $2 where id = $1";
    sqlx::query(sql).bind(admin.as_bytes().as_slice()).bind(step).execute(db).await?;
    Ok(())
}

/// Takes the second factor and its recovery codes away.
pub(in crate::platform) async fn clear_factor(db: &mut SqliteConnection, admin: PrincipalId) -> Result<()> {
    let sql = "update platform_admins set totp_secret = null, totp_pending = null, totp_step = null,
                   version = version + 1 where id = $1";
    sqlx::query(sql).bind(admin.as_bytes().as_slice()).execute(&mut *db).await?;
    put_recovery(db, admin, &[]).await
}

/// Stores these recovery codes and no others.
pub(super) async fn put_recovery(
    db: &mut SqliteConnection,
    admin: PrincipalId,
    hashes: &[[u8; 32]],
) -> Result<()> {
    let gone = sqlx::query("delete from platform_recovery_codes where admin_id = $1");
    gone.bind(admin.as_bytes().as_slice()).execute(&mut *db).await?;
    for hash in hashes {
        sqlx::query("insert into platform_recovery_codes (admin_id, code_hash) values ($1, $2)")
            .bind(admin.as_bytes().as_slice())
            .bind(&hash[..])
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

/// Uses a recovery code up; `false` when there is none.
pub(super) async fn take_recovery(
    db: &mut SqliteConnection,
    admin: PrincipalId,
    hash: &[u8; 32],
) -> Result<bool> {
    let taken = sqlx::query("delete from platform_recovery_codes where admin_id = $1 and code_hash = $2");
    let taken = taken.bind(admin.as_bytes().as_slice()).bind(&hash[..]).execute(db).await?;
    Ok(taken.rows_affected() == 1)
}

fn read(row: &SqliteRow) -> Result<Session> {
    let (id, admin): (Vec<u8>, Vec<u8>) = (row.try_get("id")?, row.try_get("admin_id")?);
    let invalid = |error| sqlx::Error::Decode(Box::new(error));
    let methods: String = row.try_get("methods")?;
    Ok(Session {
        id: SessionId::from_slice(&id).map_err(invalid)?,
        admin: PrincipalId::from_slice(&admin).map_err(invalid)?,
        methods: methods.split(' ').map(str::to_owned).collect(),
        strong: row.try_get("strong")?,
        address: row.try_get("address")?,
        created_at: row.try_get("created_at")?,
        last_seen_at: row.try_get("last_seen_at")?,
        expires_at: row.try_get("expires_at")?,
        ended_at: row.try_get("ended_at")?,
    })
}
