//! Principals as a bearer needs them, in an identity file.

use std::sync::Arc;

use rusqlite::{OptionalExtension, Row};

use crate::caller::{Principal, PrincipalKind};
use crate::clock::UnixMillis;
use crate::identity::{IdentityError, keys, oauth, people, sessions};
use crate::ids::{ClientId, PrincipalId};
use crate::storage::{Connection, StorageError};

use super::Verified;

type Result<T> = std::result::Result<T, StorageError>;

/// An active person, with the epochs of the file and of their tokens in the same snapshot.
pub(super) struct Found {
    pub(super) principal: Principal,
    pub(super) token_epoch: i64,
    pub(super) epoch: i64,
}

/// The person or the service account, if they are active.
pub(super) fn find_principal(connection: &Connection, id: PrincipalId) -> Result<Option<Found>> {
    let mut statement = connection
        .prepare("select name, roles, token_epoch from users where id = ?1 and status = 'active'")?;
    let read = |row: &Row<'_>| {
        let name: Arc<str> = row.get("name")?;
        let token_epoch: i64 = row.get("token_epoch")?;
        Ok((name, people::roles_of(row)?, token_epoch))
    };
    let epoch = crate::identity::store::epoch(connection)?;
    let Some((name, roles, token_epoch)) = statement.query_row([id.as_bytes()], read).optional()? else {
        let service = keys::service_principal(connection, id)?;
        return Ok(service.map(|(principal, token_epoch)| Found { principal, token_epoch, epoch }));
    };
    let teams = people::teams_of(connection, id)?;
    let principal = Principal::new(id, PrincipalKind::User, name)
        .with_roles(roles)
        .with_subteams(people::subteams_of(connection, &teams)?)
        .with_teams(teams);
    Ok(Some(Found { principal, token_epoch, epoch }))
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
    if let Some(session) = claims.session
        && !sessions::is_live(connection, session, now)?
    {
        return Ok(None);
    }
    let Some(mut found) = find_principal(connection, claims.user)? else { return Ok(None) };
    found.principal.session = claims.session;
    if claims.client.is_some() {
        found.principal.limits = Some(claims.scope.split_ascii_whitespace().map(Arc::from).collect());
        // Whom a program acts for did not sign in here: it makes nobody who outlives what was consented to.
        found.principal.administers = false;
    }
    Ok(Some(found))
}

/// The epoch of the tokens of this person or service account, if they may act.
pub(in crate::identity) fn principal_epoch(connection: &Connection, id: PrincipalId) -> Result<Option<i64>> {
    token_epoch(connection, id, None)
}

/// The epoch of the tokens of whoever acts with a token of this client, if they may act.
pub(super) fn token_epoch(
    connection: &Connection,
    user: PrincipalId,
    client: Option<ClientId>,
) -> Result<Option<i64>> {
    if client.is_some_and(|client| client.as_bytes() == user.as_bytes()) {
        return Ok(Some(0)); // a client's tokens end with their grants
    }
    let mut statement =
        connection.prepare("select token_epoch from users where id = ?1 and status = 'active'")?;
    if let Some(epoch) = statement.query_row([user.as_bytes()], |row| row.get(0)).optional()? {
        return Ok(Some(epoch));
    }
    Ok(keys::service_principal(connection, user)?.map(|(_, epoch)| epoch))
}
