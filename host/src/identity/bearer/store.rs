//! Principals as a bearer needs them, in an identity file.

use std::sync::Arc;

use rusqlite::{OptionalExtension, Row};

use crate::caller::{Principal, PrincipalKind};
use crate::clock::UnixMillis;
use crate::identity::{IdentityError, oauth, people};
use crate::ids::PrincipalId;
use crate::storage::{Connection, StorageError};

use super::Verified;

type Result<T> = std::result::Result<T, StorageError>;

/// An active person, with the epochs of the file and of their tokens in the same snapshot.
pub(super) struct Found {
    pub(super) principal: Principal,
    pub(super) token_epoch: i64,
    pub(super) epoch: i64,
}

/// The person, if they are active.
pub(super) fn find_principal(connection: &Connection, id: PrincipalId) -> Result<Option<Found>> {
    let mut statement = connection
        .prepare("select name, roles, token_epoch from users where id = ?1 and status = 'active'")?;
    let read = |row: &Row<'_>| {
        let name: Arc<str> = row.get("name")?;
        let token_epoch: i64 = row.get("token_epoch")?;
        Ok((name, people::roles_of(row)?, token_epoch))
    };
    let Some((name, roles, token_epoch)) = statement.query_row([id.as_bytes()], read).optional()? else {
        return Ok(None);
    };
    let principal = Principal::new(id, PrincipalKind::User, name)
        .with_roles(roles)
        .with_teams(people::teams_of(connection, id)?);
    Ok(Some(Found { principal, token_epoch, epoch: crate::identity::store::epoch(connection)? }))
}

/// Whoever acts with this token, if they may act and what the token rests on has not ended.
pub(super) fn find_bearer(
    connection: &Connection,
    claims: &Verified,
    now: UnixMillis,
) -> std::result::Result<Option<Found>, IdentityError> {
    if let (Some(client), Some(grant)) = (claims.client, claims.grant)
        && !oauth::grant_is_live(connection, grant, client, now)?
    {
        return Ok(None);
    }
    let Some(mut found) = find_principal(connection, claims.user)? else { return Ok(None) };
    found.principal.session = claims.session;
    if claims.client.is_some() {
        found.principal.limits = Some(claims.scope.split_ascii_whitespace().map(Arc::from).collect());
    }
    Ok(Some(found))
}

/// The epoch of the tokens of this person or service account, if they may act.
pub(in crate::identity) fn principal_epoch(connection: &Connection, id: PrincipalId) -> Result<Option<i64>> {
    Ok(find_principal(connection, id)?.map(|found| found.token_epoch))
}
