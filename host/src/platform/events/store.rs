//! The log of the platform's plane in the control database. There is no statement that changes or removes a row.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::ids::{PrincipalId, RecordId, RequestId};
use crate::storage::StorageError;

use super::{Event, EventsPage, Outcome};

type Result<T> = std::result::Result<T, StorageError>;

/// Adds an event.
pub(super) async fn insert(db: &mut SqliteConnection, event: &Event) -> Result<()> {
    sqlx::query(
        "insert into platform_events (id, at, admin_id, admin_name, action, target, outcome, code, request_id, address)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(event.id.as_bytes().as_slice())
    .bind(event.at)
    .bind(event.admin.map(|id| id.as_bytes().to_vec()))
    .bind(event.admin_name.as_deref())
    .bind(event.action.as_str())
    .bind(event.target.as_deref())
    .bind(event.outcome.as_str())
    .bind(event.code.as_deref())
    .bind(event.request.as_bytes().as_slice())
    .bind(event.address.as_str())
    .execute(db)
    .await?;
    Ok(())
}

/// A page of events, the newest first.
pub(super) async fn page(db: &mut SqliteConnection, page: &EventsPage) -> Result<Vec<Event>> {
    let rows = sqlx::query(
        "select * from platform_events where ($1 is null or id < $1) and ($2 is null or admin_id = $2)
             and ($3 is null or action = $3) and ($4 is null or outcome = $4) order by id desc limit $5",
    )
    .bind(page.before.map(|id| id.as_bytes().to_vec()))
    .bind(page.admin.map(|id| id.as_bytes().to_vec()))
    .bind(page.action.as_deref())
    .bind(page.outcome.map(Outcome::as_str))
    .bind(page.limit)
    .fetch_all(db)
    .await?;
    rows.iter().map(read).collect()
}

fn read(row: &SqliteRow) -> Result<Event> {
    let invalid = |error| sqlx::Error::Decode(Box::new(error));
    let (id, request): (Vec<u8>, Vec<u8>) = (row.try_get("id")?, row.try_get("request_id")?);
    let admin: Option<Vec<u8>> = row.try_get("admin_id")?;
    let outcome: String = row.try_get("outcome")?;
    Ok(Event {
        id: RecordId::from_slice(&id).map_err(invalid)?,
        at: row.try_get("at")?,
        admin: admin.map(|id| PrincipalId::from_slice(&id)).transpose().map_err(invalid)?,
        admin_name: row.try_get("admin_name")?,
        action: row.try_get("action")?,
        target: row.try_get("target")?,
        outcome: Outcome::stored(&outcome),
        code: row.try_get("code")?,
        request: RequestId::from_slice(&request).map_err(invalid)?,
        address: row.try_get("address")?,
    })
}
