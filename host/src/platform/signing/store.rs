//! The platform's signing keys in the control database.

use sqlx::{Row, SqliteConnection};

use crate::clock::UnixMillis;
use crate::ids::RecordId;
use crate::storage::StorageError;

use super::PlatformKey;

type Result<T> = std::result::Result<T, StorageError>;

/// A key as it is stored.
pub(super) struct Stored {
    pub(super) key: PlatformKey,
    pub(super) public: Vec<u8>,
    /// Only of the one that signs.
    pub(super) sealed: Option<Vec<u8>>,
}

/// Every key that signs or may still have signed something good, the newest first.
pub(super) async fn list(db: &mut SqliteConnection, now: UnixMillis) -> Result<Vec<Stored>> {
    let rows = sqlx::query(
        "select kid, public_key, private_key, created_at, verifies_until from platform_keys
         where verifies_until is null or verifies_until > $1 order by id desc",
    )
    .bind(now)
    .fetch_all(db)
    .await?;
    let read = |row: &sqlx::sqlite::SqliteRow| {
        let key = PlatformKey {
            kid: row.try_get("kid")?,
            created_at: row.try_get("created_at")?,
            verifies_until: row.try_get("verifies_until")?,
        };
        Ok(Stored { key, public: row.try_get("public_key")?, sealed: row.try_get("private_key")? })
    };
    rows.iter().map(read).collect()
}

/// Adds the key that signs from now on.
pub(super) async fn insert(db: &mut SqliteConnection, new: &Stored) -> Result<()> {
    sqlx::query(
        "insert into platform_keys (id, kid, public_key, private_key, created_at) values ($1, $2, $3, $4, $5)",
    )
    .bind(RecordId::new().as_bytes().as_slice())
    .bind(new.key.kid.as_str())
    .bind(new.public.as_slice())
    .bind(new.sealed.as_deref())
    .bind(new.key.created_at)
    .execute(db)
    .await?;
    Ok(())
}

/// Lets every key sign no more and verify until `until`; their private parts go.
pub(super) async fn retire_all(db: &mut SqliteConnection, until: UnixMillis) -> Result<()> {
    sqlx::query(
        "update platform_keys set private_key = null,
             verifies_until = case when verifies_until is null or verifies_until > $1 then $1 else verifies_until end",
    )
    .bind(until)
    .execute(db)
    .await?;
    Ok(())
}
