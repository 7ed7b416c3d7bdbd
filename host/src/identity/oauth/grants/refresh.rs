//! Rotation of refresh tokens: each is good once, and gives the next one of its family.
//!
//! One conditional UPDATE decides between all who present the same token; what it decided is on disk before anybody is
//! answered. Whoever lost the answer on the way may ask again for ten seconds and gets the same successor, if the client
//! is public (it cannot have given the token to somebody who proved to be it) and the successor was not used. Any other
//! use of a used token means that somebody has a copy: the family ends.

use zeroize::Zeroizing;

use super::exchange::still_good;
use super::{Grant, store};
use crate::clock::UnixMillis;
use crate::identity::oauth::opaque::Kind;
use crate::identity::oauth::{Client, GrantType, OAuthError, TokenAnswer, scope};
use crate::identity::{Identity, IdentityError, platform, secret, sessions};
use crate::ids::{PrincipalId, RequestId};
use crate::organizations::Organization;
use crate::storage::Connection;

/// How long an answer that was lost may be asked for again, in milliseconds.
const AGAIN: UnixMillis = 10_000;

/// What came of a presented token.
enum Outcome {
    /// The grant and its next generation begin, or began a moment ago: the successor, sealed.
    Next(Grant, Vec<u8>),
    /// A copy of it is about; the family has ended.
    Reused(PrincipalId),
    /// It is nothing; nothing has changed.
    Refused(&'static str),
    /// The client asks for more than it has; the token is still good.
    Wider,
}

/// What is presented, and what would come next.
struct Turn {
    hash: [u8; 32],
    next: [u8; 32],
    sealed: Vec<u8>,
    asked: Option<String>,
}

impl Identity {
    /// Exchanges a refresh token for tokens, and itself for the next one.
    ///
    /// # Errors
    /// [`OAuthError::InvalidGrant`], [`OAuthError::InvalidScope`], [`OAuthError::UnauthorizedClient`].
    pub async fn refresh(
        &self,
        organization: &Organization,
        client: &Client,
        token: &str,
        asked: Option<&str>,
    ) -> Result<TokenAnswer, OAuthError> {
        if !client.may(GrantType::RefreshToken) {
            return Err(OAuthError::UnauthorizedClient);
        }
        if !Kind::Refresh.fits(token) {
            return Err(OAuthError::InvalidGrant("not a refresh token"));
        }
        let purpose = format!("refresh-successor:{}", secret::encode(&secret::digest(&[token.as_bytes()])));
        let next = Kind::Refresh.make()?;
        let turn = Turn {
            hash: self.opaque_hash(organization.id, token)?,
            next: self.opaque_hash(organization.id, &next)?,
            sealed: self.secrets.seal(&purpose, next.as_bytes()).map_err(IdentityError::from)?,
            asked: asked.map(str::to_owned),
        };
        let (now, owner) = (self.clock.now(), client.clone());
        let by = platform(organization.id, RequestId::new());
        let outcome = self
            .write_ending(&by, move |connection| {
                let outcome = rotate(connection, &owner, &turn, now)?;
                let ended = matches!(outcome, Outcome::Reused(_));
                Ok((outcome, ended))
            })
            .await?;
        let (grant, sealed) = match outcome {
            Outcome::Next(grant, sealed) => (grant, sealed),
            Outcome::Wider => return Err(OAuthError::InvalidScope),
            Outcome::Refused(why) => return Err(OAuthError::InvalidGrant(why)),
            Outcome::Reused(user) => {
                self.tell_of_reuse(organization, client, user).await;
                return Err(OAuthError::InvalidGrant("used before"));
            }
        };
        let successor = self.secrets.open_sealed(&purpose, &sealed).map_err(IdentityError::from)?;
        let successor = String::from_utf8(successor).map_err(|_| OAuthError::InvalidGrant("unreadable"))?;
        let scope = narrowed(&grant, asked)?;
        Ok(self.token_answer(organization, client, &grant, scope, Some(Zeroizing::new(successor))).await?)
    }

    /// The person learns that they were signed out, and why.
    async fn tell_of_reuse(&self, organization: &Organization, client: &Client, user: PrincipalId) {
        tracing::warn!(organization = %organization.id, client = %client.id, %user, "refresh token reused");
        let Ok(person) = self.user(organization.id, user) else { return };
        let text = format!(
            "A key of the application \"{}\" was used twice, so somebody may have a copy of it.\n\
             You have been signed out of it. If you see this more than once, tell your administrator.",
            client.name
        );
        let subject = "You were signed out of an application";
        self.notify(organization, person.email.as_deref(), subject, &text).await;
    }
}

/// The scope of the next access token: the grant's, or the part of it that is asked for.
fn narrowed(grant: &Grant, asked: Option<&str>) -> Result<String, OAuthError> {
    let Some(asked) = asked else { return Ok(grant.scope.clone()) };
    let allowed: Vec<String> = grant.scope.split(' ').map(str::to_owned).collect();
    let wanted = asked.split(' ').filter(|scope| !scope.is_empty());
    if wanted.into_iter().any(|scope| !grant.has(scope)) {
        return Err(OAuthError::InvalidScope);
    }
    Ok(scope::narrow(asked, &allowed)?.join(" "))
}

fn rotate(
    connection: &Connection,
    client: &Client,
    turn: &Turn,
    now: UnixMillis,
) -> Result<Outcome, IdentityError> {
    let Some(row) = store::find_refresh(connection, &turn.hash)? else {
        return Ok(Outcome::Refused("no such refresh token"));
    };
    let grant = store::find_live(connection, row.grant, now)?;
    let Some(grant) = grant.filter(|grant| grant.client == client.id) else {
        return Ok(Outcome::Refused("the family has ended, or is another client's"));
    };
    if !still_good(connection, &grant, now)? {
        return Ok(Outcome::Refused("the person may not act any more"));
    }
    if now >= row.expires_at && row.live {
        return Ok(Outcome::Refused("too old"));
    }
    if narrowed(&grant, turn.asked.as_deref()).is_err() {
        return Ok(Outcome::Wider);
    }
    let grant = without_ended_session(connection, grant, now)?;
    if let Some((_, generation)) = store::take_refresh(connection, &turn.hash, &turn.sealed, now)? {
        let expires_at = client.lives.idle_end(now).min(grant.ends_at);
        store::insert_refresh(connection, &turn.next, grant.id, generation + 1, expires_at)?;
        store::forget_successors(connection, grant.id, now.saturating_sub(AGAIN))?;
        return Ok(Outcome::Next(grant, turn.sealed.clone()));
    }
    let recent = row.used_at.is_some_and(|at| now.saturating_sub(at) < AGAIN);
    let direct = store::live_generation(connection, grant.id)? == Some(row.generation + 1);
    match row.successor {
        Some(sealed) if recent && direct && client.is_public() => {
            tracing::info!(client = %client.id, "a refresh was asked for again");
            Ok(Outcome::Next(grant, sealed))
        }
        _ => {
            store::revoke(connection, grant.id, "refresh_reused", now)?;
            end_session(connection, &grant, now)?;
            Ok(Outcome::Reused(grant.user))
        }
    }
}

/// What a client was allowed for when the person is away does not end with their session, but says no more of it.
fn without_ended_session(
    connection: &Connection,
    grant: Grant,
    now: UnixMillis,
) -> Result<Grant, IdentityError> {
    let live = match grant.session {
        Some(session) => sessions::is_live(connection, session, now)?,
        None => false,
    };
    Ok(Grant { session: grant.session.filter(|_| live), ..grant })
}

/// The copy may have come from where the session is.
fn end_session(connection: &Connection, grant: &Grant, now: UnixMillis) -> Result<(), IdentityError> {
    if let Some(session) = grant.session {
        sessions::end(connection, session, now)?;
    }
    Ok(())
}
