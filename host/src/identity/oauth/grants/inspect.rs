//! What clients may learn of tokens, and give back: introspection, revocation, hints of who it is about, user info.

use serde::Deserialize;

use super::exchange::still_good;
use super::{Grant, store};
use crate::caller::{Caller, PrincipalKind};
use crate::clock::UnixMillis;
use crate::identity::oauth::opaque::Kind;
use crate::identity::oauth::{Client, OAuthError, clients};
use crate::identity::{Identity, IdentityError, SigningAlgorithm, people, platform, secret};
use crate::ids::{ClientId, PrincipalId, RecordId, RequestId, SessionId};
use crate::organizations::Organization;

/// What there is to say of a token that is good.
#[derive(Clone, Debug)]
pub struct Introspection {
    /// `Bearer` for an access token, absent for a refresh token.
    pub token_type: Option<&'static str>,
    /// Whose it is.
    pub client: ClientId,
    /// Who acts with it.
    pub user: PrincipalId,
    /// What for, separated by spaces.
    pub scope: String,
    /// Seconds.
    pub expires_at: i64,
    /// Seconds; absent for a refresh token.
    pub issued_at: Option<i64>,
    /// Its session.
    pub session: Option<SessionId>,
}

/// Whom an ID token of ours was about, however old it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hint {
    /// For whom it was.
    pub client: ClientId,
    /// About whom.
    pub user: PrincipalId,
    /// In which session.
    pub session: Option<SessionId>,
}

/// What a client may know of a person.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UserInfo {
    /// Who.
    pub user: PrincipalId,
    /// With the scope `profile`.
    pub name: Option<String>,
    /// With the scope `profile`, in seconds.
    pub updated_at: Option<i64>,
    /// With the scope `email`.
    pub email: Option<String>,
}

#[derive(Deserialize)]
struct HintHeader {
    alg: String,
    typ: String,
    kid: String,
}

#[derive(Deserialize)]
struct HintClaims {
    iss: String,
    sub: PrincipalId,
    aud: ClientId,
    sid: Option<SessionId>,
}

impl Identity {
    /// What there is to say of this token to this client: nothing, unless it is good and the client's own.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn introspect(
        &self,
        organization: &Organization,
        client: &Client,
        token: &str,
    ) -> Result<Option<Introspection>, OAuthError> {
        let now = self.clock.now();
        if Kind::Refresh.fits(token) {
            let hash = self.opaque_hash(organization.id, token)?;
            let found = self.read(organization.id, |connection| {
                let Some(row) = store::find_refresh(connection, &hash)? else { return Ok(None) };
                let grant = store::find_live(connection, row.grant, now)?;
                let good = |grant: &Grant| grant.client == client.id && row.live && now < row.expires_at;
                let Some(grant) = grant.filter(good) else { return Ok(None) };
                Ok(still_good(connection, &grant, now)?.then_some((grant, row.expires_at)))
            })?;
            return Ok(found.map(|(grant, expires_at)| Introspection {
                token_type: None,
                client: grant.client,
                user: grant.user,
                scope: grant.scope,
                expires_at: expires_at.div_euclid(1_000),
                issued_at: None,
                session: grant.session,
            }));
        }
        let Ok(claims) = self.read_token(organization, token, now)? else { return Ok(None) };
        if claims.client != Some(client.id)
            || self.authenticate(organization, token, RequestId::new()).is_err()
        {
            return Ok(None);
        }
        Ok(Some(Introspection {
            token_type: Some("Bearer"),
            client: client.id,
            user: claims.user,
            scope: claims.scope,
            expires_at: claims.expires_at.div_euclid(1_000),
            issued_at: Some(claims.issued_at),
            session: claims.session,
        }))
    }

    /// Ends the grant that this token is of, if it is the client's own. Of any other token nothing is said.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub async fn revoke_token(
        &self,
        organization: &Organization,
        client: &Client,
        token: &str,
    ) -> Result<(), OAuthError> {
        let now = self.clock.now();
        let Some(grant) = self.grant_of(organization, token, now)? else { return Ok(()) };
        let owner = client.id;
        let live = self.read(organization.id, |connection| Ok(store::find_live(connection, grant, now)?))?;
        if live.is_none_or(|grant| grant.client != owner) {
            return Ok(());
        }
        self.write(&platform(organization.id, RequestId::new()), move |connection| {
            Ok(store::revoke(connection, grant, "revoked", now).map(|_| ())?)
        })
        .await?;
        Ok(())
    }

    fn grant_of(
        &self,
        organization: &Organization,
        token: &str,
        now: UnixMillis,
    ) -> Result<Option<RecordId>, IdentityError> {
        if Kind::Refresh.fits(token) {
            let hash = self.opaque_hash(organization.id, token)?;
            let row = self.read(organization.id, |connection| Ok(store::find_refresh(connection, &hash)?))?;
            return Ok(row.map(|row| row.grant));
        }
        Ok(self.read_token(organization, token, now)?.ok().and_then(|claims| claims.grant))
    }

    /// The client that this access token was issued to, if one was.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn client_of_token(
        &self,
        organization: &Organization,
        token: &str,
    ) -> Result<Option<Client>, IdentityError> {
        let claims = self.read_token(organization, token, self.clock.now())?;
        let Some(id) = claims.ok().and_then(|claims| claims.client) else { return Ok(None) };
        self.read(organization.id, |connection| clients::find(connection, id))
    }

    /// Whom this ID token was about, if this organization signed it. It may be long over.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn read_hint(&self, organization: &Organization, token: &str) -> Result<Option<Hint>, IdentityError> {
        let Some((message, signature)) = token.rsplit_once('.').filter(|_| token.len() <= 8_192) else {
            return Ok(None);
        };
        let parts = message.split_once('.').and_then(|(header, claims)| {
            let header: HintHeader = serde_json::from_slice(&secret::decode(header)?).ok()?;
            let claims: HintClaims = serde_json::from_slice(&secret::decode(claims)?).ok()?;
            Some((header, claims))
        });
        let Some((header, claims)) = parts.filter(|(header, _)| header.typ == "JWT") else { return Ok(None) };
        let Some(algorithm) = SigningAlgorithm::parse(&header.alg) else { return Ok(None) };
        let keys = self.verifying_keys(organization.id)?;
        let genuine = keys.verify(&header.kid, algorithm, message, signature, self.clock.now()).is_ok();
        Ok((genuine && claims.iss == self.issuer(organization)).then_some(Hint {
            client: claims.aud,
            user: claims.sub,
            session: claims.sid,
        }))
    }

    /// What the caller's token lets a client know of the person; `None`: the token is not for that.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn user_info(&self, caller: &Caller) -> Result<Option<UserInfo>, IdentityError> {
        let has = |scope: &str| {
            caller.principal.limits.as_ref().is_none_or(|limits| limits.iter().any(|known| &**known == scope))
        };
        if caller.principal.kind != PrincipalKind::User || !has("openid") {
            return Ok(None);
        }
        let user = self.read(caller.organization, |connection| {
            Ok(people::find_user(connection, caller.principal.id)?)
        })?;
        Ok(user.map(|user| UserInfo {
            user: user.id,
            name: has("profile").then(|| user.name.clone()),
            updated_at: has("profile").then(|| user.updated_at.div_euclid(1_000)),
            email: user.email.filter(|_| has("email")),
        }))
    }
}
