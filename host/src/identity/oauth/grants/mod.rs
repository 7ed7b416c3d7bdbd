//! Grants: what one signing in to one client gives, and the tokens that come of it.
//!
//! A grant lives in one row; its code, its refresh tokens and its access tokens are good only as long as it is. It ends
//! when something of it is used twice, when consent is taken back, when the client is switched off, when the person's
//! tokens are ended (password changed, disabled), and at an instant that never moves.
//!
//! Reading order: `exchange.rs` (a code or a client's own word for tokens), `refresh.rs` (rotation), `tokens.rs` (what
//! is answered), `inspect.rs` (introspection, revocation, hints, user info), `store.rs`.

mod exchange;
mod inspect;
mod refresh;
mod store;
mod tokens;

use super::authorize::SignedIn;
use super::{Client, GrantType};
use crate::clock::UnixMillis;
use crate::identity::IdentityError;
use crate::identity::bearer::principal_epoch;
use crate::ids::{ClientId, PrincipalId, RecordId, SessionId};
use crate::storage::{Connection, StorageError};

pub use inspect::{Hint, Introspection, UserInfo};
pub use tokens::TokenAnswer;

#[cfg(test)]
pub(super) use store::generations;

const HOUR: UnixMillis = 3_600_000;

/// A grant that is good.
#[derive(Clone, Debug)]
struct Grant {
    id: RecordId,
    client: ClientId,
    user: PrincipalId,
    session: Option<SessionId>,
    scope: String,
    nonce: Option<String>,
    auth_time: UnixMillis,
    amr: Vec<String>,
    acr: String,
    user_epoch: i64,
    ends_at: UnixMillis,
}

impl Grant {
    fn has(&self, scope: &str) -> bool {
        self.scope.split(' ').any(|known| known == scope)
    }
}

/// What a new grant is made of.
pub(super) struct NewGrant(Grant);

impl NewGrant {
    /// A person signed in to a client.
    pub(super) fn of_person(
        client: &Client,
        person: &SignedIn,
        scope: &[String],
        nonce: Option<String>,
        now: UnixMillis,
    ) -> Self {
        Self(Grant {
            id: RecordId::new(),
            client: client.id,
            user: person.user,
            session: Some(person.session),
            scope: scope.join(" "),
            nonce,
            auth_time: person.auth_time,
            amr: person.amr.clone(),
            acr: person.acr.clone(),
            user_epoch: 0,
            ends_at: client.lives.end(now),
        })
    }

    /// A client asks for its service account.
    fn of_service(client: &Client, service: PrincipalId, scope: &[String], now: UnixMillis) -> Self {
        Self(Grant {
            id: RecordId::new(),
            client: client.id,
            user: service,
            session: None,
            scope: scope.join(" "),
            nonce: None,
            auth_time: now,
            amr: Vec::new(),
            acr: "aal1".to_owned(),
            user_epoch: 0,
            ends_at: now.saturating_add(HOUR),
        })
    }
}

/// How long a client may do what a person allows, in milliseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lasting {
    /// At most.
    pub longest: UnixMillis,
    /// Without being used; `None`: it does not outlast the person's session.
    pub unused: Option<UnixMillis>,
}

impl Lasting {
    /// How long these scopes last in the hands of this client.
    pub(super) fn of(client: &Client, scopes: &[String]) -> Self {
        if comes_back(client, |scope| scopes.iter().any(|known| known == scope)) {
            let (longest, unused) = (client.lives.end(0), client.lives.idle_end(0));
            return Self { longest, unused: Some(unused) };
        }
        Self { longest: client.lives.access.saturating_mul(1_000), unused: None }
    }
}

/// Whether the client may come back without the person.
fn comes_back(client: &Client, has: impl Fn(&str) -> bool) -> bool {
    client.may(GrantType::RefreshToken) && has("offline_access")
}

/// Stores a grant, unless whoever it is of may not act.
pub(super) fn begin(
    connection: &Connection,
    new: NewGrant,
    now: UnixMillis,
) -> Result<Option<RecordId>, IdentityError> {
    let Some(user_epoch) = principal_epoch(connection, new.0.user)? else { return Ok(None) };
    let grant = Grant { user_epoch, ..new.0 };
    store::insert(connection, &grant, now)?;
    Ok(Some(grant.id))
}

/// Whether tokens of this grant of this client are good, for all that the grant says.
pub(in crate::identity) fn is_live(
    connection: &Connection,
    grant: RecordId,
    client: ClientId,
    now: UnixMillis,
) -> Result<bool, IdentityError> {
    let live = store::find_live(connection, grant, now)?.is_some_and(|grant| grant.client == client);
    Ok(live && super::clients::find(connection, client)?.is_some_and(|client| client.active))
}

/// Ends every grant of a client.
pub(super) fn end_of_client(
    connection: &Connection,
    client: ClientId,
    reason: &str,
    now: UnixMillis,
) -> Result<(), StorageError> {
    store::revoke_all(connection, client, None, reason, now)
}

/// Ends every grant of a client to one person.
pub(super) fn end_of_consent(
    connection: &Connection,
    user: PrincipalId,
    client: ClientId,
    now: UnixMillis,
) -> Result<(), StorageError> {
    store::revoke_all(connection, client, Some(user), "consent_revoked", now)
}
