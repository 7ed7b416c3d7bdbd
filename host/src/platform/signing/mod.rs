//! The platform's own issuer: one key that signs, those before it for as long as something they signed may be good, and
//! access tokens of RFC 9068 with an audience that no organization has.

mod store;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::clock::UnixMillis;
use crate::identity::{IdentityError, jws};
use crate::ids::{PrincipalId, RequestId, SessionId};

use super::sessions::Session;
use super::store::{begin, commit, reader};
use super::{Platform, PlatformError};

use store::Stored;

/// Whom the platform's access tokens are for, and the client they are given to.
pub const AUDIENCE: &str = "stoa-platform";

/// How long an access token is good, in seconds.
pub const LIFETIME: i64 = 10 * 60;

/// How far the clocks of two hosts may differ, in seconds.
const LEEWAY: i64 = 5;

/// How long a key that signs no more verifies, in milliseconds.
const RETIRED: UnixMillis = (LIFETIME + 10 * 60) * 1_000;

/// The longest bearer that is looked at, in bytes.
const LONGEST: usize = 4_096;

/// What the private key is sealed for.
const PURPOSE: &str = "platform-signing-key";

/// A signing key, without its private part.
#[derive(Clone, Debug)]
pub struct PlatformKey {
    /// RFC 7638.
    pub kid: String,
    /// When it was made; it signs from then on.
    pub created_at: UnixMillis,
    /// `None`: it signs. Else it only verifies, until then.
    pub verifies_until: Option<UnixMillis>,
}

/// Nothing about what an administrator may do: that is read when the token is used.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    sub: PrincipalId,
    aud: String,
    exp: i64,
    iat: i64,
    nbf: i64,
    jti: String,
    client_id: String,
    sid: SessionId,
    auth_time: i64,
    amr: Vec<String>,
    acr: String,
}

/// What a good token names.
pub(super) struct Named {
    pub(super) admin: PrincipalId,
    pub(super) session: SessionId,
}

impl Platform {
    /// An access token of a session.
    pub(super) async fn issue(&self, session: &Session) -> Result<String, PlatformError> {
        let (kid, private) = self.signer().await?;
        let now = self.clock.now().div_euclid(1_000);
        let claims = Claims {
            iss: self.issuer(),
            sub: session.admin,
            aud: AUDIENCE.to_owned(),
            exp: now + LIFETIME,
            iat: now,
            nbf: now,
            jti: RequestId::new().to_string(),
            client_id: AUDIENCE.to_owned(),
            sid: session.id,
            auth_time: session.created_at.div_euclid(1_000),
            amr: session.methods.clone(),
            acr: if session.strong { "aal2" } else { "aal1" }.to_owned(),
        };
        Ok(jws::sign(kid, private, &claims)?)
    }

    /// Whom a token names, when the platform signed it, for itself, and it is good now.
    pub(super) async fn verified(&self, token: &str) -> Result<Named, PlatformError> {
        let now = self.clock.now();
        let refused = |why| {
            tracing::debug!(why, "bearer of the platform refused");
            PlatformError::Identity(IdentityError::InvalidToken)
        };
        if token.len() > LONGEST {
            return Err(refused("too long"));
        }
        let keys = store::list(&mut *reader(&self.control).await?, now).await?;
        let keys: Vec<_> = keys.into_iter().map(|stored| (stored.key.kid, stored.public)).collect();
        let claims = jws::claims(token, &keys).map_err(refused)?;
        let claims: Claims =
            serde_json::from_slice(&claims).map_err(|_| refused("the claims are not ours"))?;
        check(&claims, &self.issuer(), now.div_euclid(1_000)).map_err(refused)?;
        Ok(Named { admin: claims.sub, session: claims.sid })
    }

    /// A new key signs from now on. In an emergency nothing that another key signed is good any more.
    ///
    /// # Errors
    /// Only when a primitive or the control database fails.
    pub async fn rotate_keys(&self, emergency: bool) -> Result<Vec<PlatformKey>, PlatformError> {
        let (fresh, now) = (self.fresh_key()?, self.clock.now());
        let mut tx = begin(&self.control).await?;
        let until = if emergency { now } else { now.saturating_add(RETIRED) };
        store::retire_all(&mut tx, until).await?;
        store::insert(&mut tx, &fresh).await?;
        let keys = store::list(&mut tx, now).await?;
        commit(tx).await?;
        if emergency {
            tracing::warn!("the platform's signing keys were replaced");
        }
        Ok(keys.into_iter().map(|stored| stored.key).collect())
    }

    /// The key that signs, made if there is none.
    pub(super) async fn signer(&self) -> Result<(String, Zeroizing<Vec<u8>>), PlatformError> {
        let now = self.clock.now();
        let signs = |stored: &Stored| stored.key.verifies_until.is_none();
        let known = store::list(&mut *reader(&self.control).await?, now).await?.into_iter().find(signs);
        let active = match known {
            Some(active) => active,
            None => {
                let fresh = self.fresh_key()?;
                let mut tx = begin(&self.control).await?;
                // Two first tokens at once both get here; the one that comes second uses the other's key.
                match store::list(&mut tx, now).await?.into_iter().find(signs) {
                    Some(active) => active,
                    None => {
                        store::insert(&mut tx, &fresh).await?;
                        commit(tx).await?;
                        fresh
                    }
                }
            }
        };
        let sealed =
            active.sealed.ok_or(IdentityError::Cryptography("the signing key has no private part"))?;
        Ok((active.key.kid, Zeroizing::new(self.secrets.open_sealed(PURPOSE, &sealed)?)))
    }

    fn fresh_key(&self) -> Result<Stored, PlatformError> {
        let made = jws::generate()?;
        let sealed = self.secrets.seal(PURPOSE, &made.private)?;
        let key = PlatformKey { kid: made.kid, created_at: self.clock.now(), verifies_until: None };
        Ok(Stored { key, public: made.public, sealed: Some(sealed) })
    }
}

/// Every claim is there and of its type already.
fn check(claims: &Claims, issuer: &str, now: i64) -> Result<(), &'static str> {
    if claims.iss != issuer {
        return Err("another issuer");
    }
    if claims.aud != AUDIENCE || claims.client_id != AUDIENCE {
        return Err("another audience");
    }
    if claims.exp.saturating_add(LEEWAY) <= now {
        return Err("expired");
    }
    if claims.nbf > now.saturating_add(LEEWAY) || claims.iat > now.saturating_add(LEEWAY) {
        return Err("not yet good");
    }
    if claims.exp.saturating_sub(claims.iat) > LIFETIME {
        return Err("longer good than any of ours");
    }
    Ok(())
}
