//! Sessions: a browser or an app in which a person is signed in, known by a cookie of 256 random bits.
//!
//! Each authentication makes a new one. It ends after [`IDLE`] without use, after [`ABSOLUTE`] in any case, when it is
//! ended, and whenever the person's tokens are: with a new password, by an administrator, when the person is disabled.
//! `session.rs` has the types, `store.rs` the SQL.

mod session;
mod store;

#[cfg(test)]
mod tests;

use crate::caller::Caller;
use crate::clock::UnixMillis;
use crate::identity::sign_ins::{Event, EventKind, deed, record};
use crate::identity::{FactorProof, Identity, IdentityError, platform, secret};
use crate::ids::{OrganizationId, PrincipalId, RequestId, SessionId};
use crate::organizations::{Organization, Status};
use crate::storage::Connection;

pub use session::{Method, Session, Visitor};

pub(in crate::identity) use session::{NewSession, acr_of};
pub(in crate::identity) use store::{end, end_sessions_of, is_live, keep, touch};

/// Without use it ends after this long, in milliseconds.
pub const IDLE: UnixMillis = 30 * 60_000;

/// It ends after this long in any case, in milliseconds.
pub const ABSOLUTE: UnixMillis = 12 * 3_600_000;

/// Sessions that one person has at once; one more ends the oldest.
const MOST: usize = 20;

/// How precisely the last use is known, in milliseconds.
const SEEN_EVERY: UnixMillis = 60_000;

/// The longest cookie that is looked at, in bytes.
const LONGEST: usize = 128;

/// A session that was just made, with the only copy of what opens it.
pub struct Started {
    /// What the cookie carries.
    pub cookie: String,
    /// The session.
    pub session: Session,
    /// How many older ones it ended.
    pub displaced: usize,
}

impl Identity {
    /// The session that a cookie opens, if it is live.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub async fn session(
        &self,
        organization: &Organization,
        cookie: &str,
    ) -> Result<Option<Session>, IdentityError> {
        if organization.status != Status::Active || cookie.is_empty() || cookie.len() > LONGEST {
            return Ok(None);
        }
        let (hash, now) = (self.session_hash(organization.id, cookie)?, self.clock.now());
        let found =
            self.read(organization.id, |connection| Ok(store::find_by_hash(connection, &hash, now)?))?;
        if let Some(session) = &found
            && now.saturating_sub(session.last_seen) >= SEEN_EVERY
        {
            let id = session.id;
            let by = platform(organization.id, RequestId::new());
            self.write_quietly(&by, move |connection| Ok(touch(connection, id, now)?)).await?;
        }
        Ok(found)
    }

    /// Ends the session that a cookie opens, if there is one.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub async fn log_out(&self, organization: &Organization, cookie: &str) -> Result<(), IdentityError> {
        if let Some(session) = self.session(organization, cookie).await? {
            let now = self.clock.now();
            let by = platform(organization.id, RequestId::new());
            self.write(&by, move |connection| {
                record(
                    connection,
                    &Event::new(EventKind::SessionEnded).of(session.user).about(&session.id),
                    now,
                )?;
                Ok(end(connection, session.id, now)?)
            })
            .await?;
        }
        Ok(())
    }

    /// Ends a session: the person's own, or, by somebody with their roles, another's.
    ///
    /// # Errors
    /// [`IdentityError::SessionNotFound`], [`IdentityError::RoleRequired`].
    pub async fn end_session(&self, by: &Caller, id: SessionId) -> Result<(), IdentityError> {
        let (caller, now) = (by.clone(), self.clock.now());
        self.write(by, move |connection| {
            let owner = store::owner(connection, id)?.ok_or(IdentityError::SessionNotFound(id))?;
            if owner != caller.principal.id {
                let user = crate::identity::people::find_user(connection, owner)?
                    .ok_or(IdentityError::SessionNotFound(id))?;
                crate::identity::people::covers(&caller.principal, &user.roles)?;
            }
            match end(connection, id, now)? {
                true => {
                    Ok(record(connection, &deed(EventKind::SessionEnded, &caller, owner).about(&id), now)?)
                }
                false => Err(IdentityError::SessionNotFound(id)),
            }
        })
        .await
    }

    /// Ends one of the caller's own sessions, or every one but the present one, once they have proved who they are.
    ///
    /// # Errors
    /// [`IdentityError::SessionNotFound`]; what a proof is refused for, [`IdentityError::StepUpRequired`] without one.
    pub async fn end_own_sessions(
        &self,
        by: &Caller,
        organization: &Organization,
        one: Option<SessionId>,
        proof: Option<&FactorProof<'_>>,
    ) -> Result<(), IdentityError> {
        let (user, here) = (by.principal.id, by.principal.session);
        let known = self.sessions_of(organization.id, user)?;
        if let Some(one) = one.filter(|one| known.iter().all(|session| session.id != *one)) {
            return Err(IdentityError::SessionNotFound(one));
        }
        self.prove_or_recent(by, organization, proof).await?;
        let (caller, now) = (by.clone(), self.clock.now());
        self.write(by, move |connection| {
            for Session { id, .. } in store::list(connection, user, now)? {
                let meant = one.map_or(here != Some(id), |one| one == id);
                if meant && end(connection, id, now)? {
                    record(connection, &deed(EventKind::SessionEnded, &caller, user).about(&id), now)?;
                }
            }
            Ok(())
        })
        .await
    }

    /// The live sessions of a person, the newest first.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn sessions_of(
        &self,
        organization: OrganizationId,
        user: PrincipalId,
    ) -> Result<Vec<Session>, IdentityError> {
        let now = self.clock.now();
        self.read(organization, |connection| Ok(store::list(connection, user, now)?))
    }

    /// The hash that finds the session of a visitor's browser, if it brings the cookie of one.
    pub(in crate::identity) fn session_of(
        &self,
        organization: &Organization,
        visitor: &Visitor,
    ) -> Result<Option<[u8; 32]>, IdentityError> {
        let cookie = visitor.session.as_deref().filter(|cookie| cookie.len() <= LONGEST);
        cookie.map(|cookie| self.session_hash(organization.id, cookie)).transpose()
    }

    pub(in crate::identity) fn session_hash(
        &self,
        organization: OrganizationId,
        cookie: &str,
    ) -> Result<[u8; 32], IdentityError> {
        secret::keyed_hash(&self.peppers.session, organization.as_bytes(), cookie.as_bytes())
    }
}

/// Ends the live session with this hash, because its browser begins another; `false`: there was none.
pub(in crate::identity) fn end_earlier(
    connection: &Connection,
    earlier: Option<&[u8; 32]>,
    now: UnixMillis,
) -> Result<bool, IdentityError> {
    let earlier = earlier.map(|hash| store::find_by_hash(connection, hash, now)).transpose()?;
    let Some(session) = earlier.flatten() else { return Ok(false) };
    let event = Event::new(EventKind::SessionEnded).of(session.user).about(&session.id);
    record(connection, &event, now)?;
    Ok(end(connection, session.id, now)?)
}

/// Makes a session, inside the change that completes a login. The oldest beyond [`MOST`] end.
pub(in crate::identity) fn begin(
    connection: &Connection,
    hash: &[u8; 32],
    new: NewSession,
    now: UnixMillis,
) -> Result<(Session, usize), IdentityError> {
    let session = Session {
        id: SessionId::new(),
        user: new.user,
        created_at: now,
        last_seen: now,
        auth_time: new.auth_time,
        methods: new.methods,
        acr: new.acr,
        device: new.visitor.device(),
        network: new.visitor.prefix(),
        agent: new.visitor.family().to_owned(),
    };
    let live = store::list(connection, session.user, now)?;
    let mut displaced = 0;
    for oldest in live.iter().skip(MOST.saturating_sub(1)) {
        end(connection, oldest.id, now)?;
        displaced += 1;
    }
    if !store::insert(connection, &session, hash)? {
        return Err(IdentityError::InvalidCredentials);
    }
    store::forget_old(connection, now)?;
    Ok((session, displaced))
}
