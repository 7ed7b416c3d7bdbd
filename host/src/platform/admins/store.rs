//! Administrators, the claim code and invitations in the control database.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::clock::UnixMillis;
use crate::ids::PrincipalId;
use crate::storage::StorageError;

use super::{Account, Admin, AdminStatus};

type Result<T> = std::result::Result<T, StorageError>;

const COLUMNS: &str = "select id, version, email, name, status, password_hash, totp_secret, totp_pending, totp_step, \
                       created_at, updated_at from platform_admins";

/// Whether there is or was anybody.
pub(super) async fn any(db: &mut SqliteConnection) -> Result<bool> {
    Ok(sqlx::query("select 1 from platform_admins limit 1").fetch_optional(db).await?.is_some())
}

/// Whether there is a claim code, good or not.
pub(super) async fn has_claim(db: &mut SqliteConnection) -> Result<bool> {
    Ok(sqlx::query("select 1 from platform_claim").fetch_optional(db).await?.is_some())
}

/// Stores a claim code; the one before is void.
pub(super) async fn put_claim(
    db: &mut SqliteConnection,
    hash: &[u8; 32],
    now: UnixMillis,
    expires_at: UnixMillis,
) -> Result<()> {
    sqlx::query(
        "insert into platform_claim (only_row, code_hash, created_at, expires_at) values (1, $1, $2, $3)
         on conflict (only_row) do update set code_hash = excluded.code_hash, created_at = excluded.created_at,
             expires_at = excluded.expires_at",
    )
    .bind(&hash[..])
    .bind(now)
    .bind(expires_at)
    .execute(db)
    .await?;
    Ok(())
}

/// Whether this is the claim code and still good.
pub(super) async fn is_claim(db: &mut SqliteConnection, hash: &[u8; 32], now: UnixMillis) -> Result<bool> {
    let found = sqlx::query("select 1 from platform_claim where code_hash = $1 and expires_at > $2");
    Ok(found.bind(&hash[..]).bind(now).fetch_optional(db).await?.is_some())
}

/// Uses the claim code up; `false` when it is not good any more.
pub(super) async fn take_claim(db: &mut SqliteConnection, hash: &[u8; 32], now: UnixMillis) -> Result<bool> {
    let taken = sqlx::query("delete from platform_claim where code_hash = $1 and expires_at > $2");
    Ok(taken.bind(&hash[..]).bind(now).execute(db).await?.rows_affected() == 1)
}

/// Adds an administrator; `false` when the address is taken.
pub(super) async fn insert(
    db: &mut SqliteConnection,
    admin: &Admin,
    email_key: &str,
    password_hash: Option<&str>,
    by: Option<PrincipalId>,
) -> Result<bool> {
    let done = sqlx::query(
        "insert into platform_admins (id, email, email_key, name, status, password_hash, created_by, created_at,
             updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $8) on conflict (email_key) do nothing",
    )
    .bind(admin.id.as_bytes().as_slice())
    .bind(admin.email.as_str())
    .bind(email_key)
    .bind(admin.name.as_str())
    .bind(admin.status.as_str())
    .bind(password_hash)
    .bind(by.map(|by| by.as_bytes().to_vec()))
    .bind(admin.created_at)
    .execute(&mut *db)
    .await?;
    if done.rows_affected() == 1 {
        set_roles(db, admin.id, &admin.roles).await?;
        return Ok(true);
    }
    Ok(false)
}

/// Gives exactly these roles.
pub(super) async fn set_roles(db: &mut SqliteConnection, id: PrincipalId, roles: &[String]) -> Result<()> {
    let gone = sqlx::query("delete from platform_admin_roles where admin_id = $1");
    gone.bind(id.as_bytes().as_slice()).execute(&mut *db).await?;
    for role in roles {
        sqlx::query("insert into platform_admin_roles (admin_id, role) values ($1, $2)")
            .bind(id.as_bytes().as_slice())
            .bind(role.as_str())
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

/// The administrator with this id.
pub(in crate::platform) async fn find(db: &mut SqliteConnection, id: PrincipalId) -> Result<Option<Account>> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} where id = $1")))
        .bind(id.as_bytes().as_slice())
        .fetch_optional(&mut *db)
        .await?;
    with_roles(db, row).await
}

/// The administrator with this address.
pub(in crate::platform) async fn find_by_email(
    db: &mut SqliteConnection,
    email_key: &str,
) -> Result<Option<Account>> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} where email_key = $1")))
        .bind(email_key)
        .fetch_optional(&mut *db)
        .await?;
    with_roles(db, row).await
}

/// A page of them, in the order of their making.
pub(super) async fn page(
    db: &mut SqliteConnection,
    after: Option<PrincipalId>,
    limit: u32,
) -> Result<Vec<Admin>> {
    let after = after.map_or_else(Vec::new, |after| after.as_bytes().to_vec());
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} where id > $1 order by id limit $2")))
        .bind(after)
        .bind(limit)
        .fetch_all(&mut *db)
        .await?;
    let mut admins = Vec::with_capacity(rows.len());
    for row in rows {
        admins.extend(with_roles(db, Some(row)).await?.map(|account| account.admin));
    }
    Ok(admins)
}

/// Owners who can act: active, with a password and a second factor or on their way to one.
pub(super) async fn active_owners(db: &mut SqliteConnection) -> Result<i64> {
    let sql = "select count(*) from platform_admins join platform_admin_roles on admin_id = id
               where role = 'owner' and status = 'active'";
    Ok(sqlx::query_scalar(sql).fetch_one(db).await?)
}

/// Stores name and status, and moves the version on.
pub(in crate::platform) async fn update(db: &mut SqliteConnection, admin: &Admin) -> Result<()> {
    sqlx::query(
        "update platform_admins set name = $2, status = $3, updated_at = $4, version = version + 1 where id = $1",
    )
    .bind(admin.id.as_bytes().as_slice())
    .bind(admin.name.as_str())
    .bind(admin.status.as_str())
    .bind(admin.updated_at)
    .execute(db)
    .await?;
    Ok(())
}

/// Stores a password; whoever was invited is active now.
pub(in crate::platform) async fn set_password(
    db: &mut SqliteConnection,
    id: PrincipalId,
    hash: &str,
    now: UnixMillis,
) -> Result<()> {
    sqlx::query(
        "update platform_admins set password_hash = $2, updated_at = $3, version = version + 1,
             status = case status when 'invited' then 'active' else status end where id = $1",
    )
    .bind(id.as_bytes().as_slice())
    .bind(hash)
    .bind(now)
    .execute(db)
    .await?;
    Ok(())
}

/// Stores an invitation; the one before is void.
pub(super) async fn put_invitation(
    db: &mut SqliteConnection,
    id: PrincipalId,
    hash: &[u8; 32],
    by: PrincipalId,
    (now, expires_at): (UnixMillis, UnixMillis),
) -> Result<()> {
    sqlx::query(
        "insert into platform_invitations (admin_id, token_hash, created_by, created_at, expires_at)
         values ($1, $2, $3, $4, $5)
         on conflict (admin_id) do update set token_hash = excluded.token_hash, created_by = excluded.created_by,
             created_at = excluded.created_at, expires_at = excluded.expires_at",
    )
    .bind(id.as_bytes().as_slice())
    .bind(&hash[..])
    .bind(by.as_bytes().as_slice())
    .bind(now)
    .bind(expires_at)
    .execute(db)
    .await?;
    Ok(())
}

/// Whose invitation this is and who made it, if it is good.
pub(super) async fn find_invitation(
    db: &mut SqliteConnection,
    hash: &[u8; 32],
    now: UnixMillis,
) -> Result<Option<(PrincipalId, PrincipalId)>> {
    let row = sqlx::query(
        "select admin_id, created_by from platform_invitations where token_hash = $1 and expires_at > $2",
    )
    .bind(&hash[..])
    .bind(now)
    .fetch_optional(db)
    .await?;
    row.map(|row| Ok((id_of(&row, "admin_id")?, id_of(&row, "created_by")?))).transpose()
}

/// Uses an invitation up; `false` when it is not there any more.
pub(super) async fn take_invitation(db: &mut SqliteConnection, hash: &[u8; 32]) -> Result<bool> {
    let taken = sqlx::query("delete from platform_invitations where token_hash = $1");
    Ok(taken.bind(&hash[..]).execute(db).await?.rows_affected() == 1)
}

/// Removes the invitation that somebody has.
pub(super) async fn drop_invitation(db: &mut SqliteConnection, id: PrincipalId) -> Result<()> {
    let gone = sqlx::query("delete from platform_invitations where admin_id = $1");
    gone.bind(id.as_bytes().as_slice()).execute(db).await?;
    Ok(())
}

async fn with_roles(db: &mut SqliteConnection, row: Option<SqliteRow>) -> Result<Option<Account>> {
    let Some(row) = row else { return Ok(None) };
    let id = id_of(&row, "id")?;
    let sql = "select role from platform_admin_roles where admin_id = $1 order by role";
    let roles = sqlx::query_scalar(sql).bind(id.as_bytes().as_slice()).fetch_all(db).await?;
    let status: String = row.try_get("status")?;
    let password_hash: Option<String> = row.try_get("password_hash")?;
    let secret: Option<Vec<u8>> = row.try_get("totp_secret")?;
    let admin = Admin {
        id,
        version: row.try_get("version")?,
        email: row.try_get("email")?,
        name: row.try_get("name")?,
        status: AdminStatus::stored(&status),
        roles,
        has_password: password_hash.is_some(),
        has_factor: secret.is_some(),
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    };
    let (pending, step) = (row.try_get("totp_pending")?, row.try_get("totp_step")?);
    Ok(Some(Account { admin, password_hash, secret, pending, step }))
}

fn id_of(row: &SqliteRow, column: &str) -> Result<PrincipalId> {
    let bytes: Vec<u8> = row.try_get(column)?;
    Ok(PrincipalId::from_slice(&bytes).map_err(|error| sqlx::Error::Decode(Box::new(error)))?)
}
