//! A code for tokens, and a client's own word for tokens.

use super::{Grant, NewGrant, begin, comes_back, is_live, store};
use crate::clock::UnixMillis;
use crate::identity::bearer::principal_epoch;
use crate::identity::oauth::opaque::Kind;
use crate::identity::oauth::{Client, GrantType, OAuthError, TokenAnswer, pkce, scope};
use crate::identity::{Identity, IdentityError, platform, sessions};
use crate::ids::RequestId;
use crate::organizations::Organization;
use crate::storage::Connection;

/// What a client presents with a code.
struct Presented {
    hash: [u8; 32],
    redirect_uri: Option<String>,
    verifier: String,
}

impl Identity {
    /// Exchanges a code. Whatever is presented with it, it is used up; presented again, it ends all that came of it.
    ///
    /// # Errors
    /// [`OAuthError::InvalidGrant`], [`OAuthError::UnauthorizedClient`].
    pub async fn exchange_code(
        &self,
        organization: &Organization,
        client: &Client,
        code: &str,
        redirect_uri: Option<&str>,
        verifier: &str,
    ) -> Result<TokenAnswer, OAuthError> {
        if !client.may(GrantType::AuthorizationCode) {
            return Err(OAuthError::UnauthorizedClient);
        }
        if !Kind::Code.fits(code) {
            return Err(OAuthError::InvalidGrant("not a code"));
        }
        let presented = Presented {
            hash: self.opaque_hash(organization.id, code)?,
            redirect_uri: redirect_uri.map(str::to_owned),
            verifier: verifier.to_owned(),
        };
        let refresh = Kind::Refresh.make()?;
        let refresh_hash = self.opaque_hash(organization.id, &refresh)?;
        let (now, owner) = (self.clock.now(), client.clone());
        let by = platform(organization.id, RequestId::new());
        let outcome = self
            .write_ending(&by, move |connection| {
                let outcome = redeem(connection, &owner, &presented, now)?;
                if let Ok(grant) = &outcome
                    && comes_back(&owner, |scope| grant.has(scope))
                {
                    let expires_at = owner.lives.idle_end(now).min(grant.ends_at);
                    store::insert_refresh(connection, &refresh_hash, grant.id, 1, expires_at)?;
                }
                // A refusal has ended a grant: what is remembered of its tokens must go.
                let refused = outcome.is_err();
                Ok((outcome, refused))
            })
            .await?;
        let grant = outcome.map_err(|why| {
            tracing::warn!(organization = %organization.id, client = %client.id, why, "code refused");
            OAuthError::InvalidGrant(why)
        })?;
        let refresh = comes_back(client, |scope| grant.has(scope)).then_some(refresh);
        Ok(self.token_answer(organization, client, &grant, grant.scope.clone(), refresh).await?)
    }

    /// Tokens for the service account of a client.
    ///
    /// # Errors
    /// [`OAuthError::UnauthorizedClient`], [`OAuthError::InvalidScope`].
    pub async fn client_credentials(
        &self,
        organization: &Organization,
        client: &Client,
        asked: Option<&str>,
    ) -> Result<TokenAnswer, OAuthError> {
        let service = client.service.filter(|_| client.may(GrantType::ClientCredentials));
        let service = service.ok_or(OAuthError::UnauthorizedClient)?;
        let own: Vec<String> = client
            .scopes
            .iter()
            .filter(|scope| !scope::STANDARD.contains(&scope.as_str()))
            .cloned()
            .collect();
        let scopes = match asked {
            Some(asked) => scope::narrow(asked, &own)?,
            None if own.is_empty() => return Err(OAuthError::InvalidScope),
            None => own,
        };
        let now = self.clock.now();
        let new = NewGrant::of_service(client, service, &scopes, now);
        let grant = new.0.clone();
        let begun = self
            .write_quietly(&platform(organization.id, RequestId::new()), move |connection| {
                begin(connection, new, now)
            })
            .await?;
        if begun.is_none() {
            return Err(OAuthError::UnauthorizedClient); // the service account is gone or disabled
        }
        Ok(self.token_answer(organization, client, &grant, grant.scope.clone(), None).await?)
    }
}

/// The grant of a code that is good; else why not, and the grant has ended.
fn redeem(
    connection: &Connection,
    client: &Client,
    presented: &Presented,
    now: UnixMillis,
) -> Result<Result<Grant, &'static str>, IdentityError> {
    let Some(code) = store::take_code(connection, &presented.hash, now)? else {
        if let Some(grant) = store::grant_of_code(connection, &presented.hash)? {
            store::revoke(connection, grant, "code_reused", now)?;
            return Ok(Err("used before"));
        }
        return Ok(Err("no such code"));
    };
    let grant = store::find_live(connection, code.grant, now)?;
    let why = match &grant {
        _ if code.client != client.id => Some("another client's"),
        _ if now >= code.expires_at => Some("too old"),
        _ if presented.redirect_uri.as_ref().is_some_and(|uri| *uri != code.redirect_uri) => {
            Some("another redirect_uri")
        }
        _ if !pkce::verifies(&presented.verifier, &code.challenge) => Some("another verifier"),
        None => Some("the grant has ended"),
        Some(grant) if !still_good(connection, grant, now)? => Some("the person may not act any more"),
        Some(Grant { session: Some(session), .. }) if !sessions::is_live(connection, *session, now)? => {
            Some("the session has ended")
        }
        Some(_) => None,
    };
    match (grant, why) {
        (Some(grant), None) => Ok(Ok(grant)),
        (_, why) => {
            store::revoke(connection, code.grant, "code_refused", now)?;
            Ok(Err(why.unwrap_or("the grant has ended")))
        }
    }
}

/// Whether the person may act, their tokens were not ended since, and client and session still are.
pub(super) fn still_good(
    connection: &Connection,
    grant: &Grant,
    now: UnixMillis,
) -> Result<bool, IdentityError> {
    Ok(principal_epoch(connection, grant.user)? == Some(grant.user_epoch)
        && is_live(connection, grant.id, grant.client, now)?)
}
