//! Access tokens: a JWS of RFC 9068, EdDSA, signed by the organization. The only file that uses the JWT crate to check.
//!
//! The check is stricter than the crate's own: one algorithm, one type, no header but `alg`, `typ` and `kid` (so nothing
//! can bring its own key or ask for critical extensions), every claim required and of one JSON type, `iss` and `aud`
//! plain strings, instants whole seconds of the host's clock, a leeway of [`LEEWAY`] and no more.

use jsonwebtoken::{Algorithm, DecodingKey, Header};
use serde::{Deserialize, Serialize};

use crate::caller::Caller;
use crate::clock::UnixMillis;
use crate::identity::{Identity, IdentityError, secret};
use crate::ids::{OrganizationId, PrincipalId, RequestId};

/// How long an access token is good, in seconds.
pub const LIFETIME: i64 = 15 * 60;

/// Whom access tokens are for.
pub const AUDIENCE: &str = "stoa";

/// How far the clocks of two hosts may differ, in seconds.
const LEEWAY: i64 = 5;

const TYPE: &str = "at+jwt";
const TYPE_IN_FULL: &str = "application/at+jwt";

/// What a login answers.
#[derive(Clone)]
pub struct AccessToken {
    /// What goes behind `Authorization: Bearer`.
    pub token: String,
    /// How long it is good, in seconds.
    pub expires_in: i64,
    /// Whose it is.
    pub user: PrincipalId,
}

/// Nothing about what a person may do: roles and teams are read when the token is used.
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
    tid: OrganizationId,
    epoch: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StrictHeader {
    alg: String,
    typ: String,
    kid: String,
}

/// What a good token says.
pub(super) struct Verified {
    pub(super) user: PrincipalId,
    /// The epoch of the person's tokens when it was issued.
    pub(super) epoch: i64,
    pub(super) expires_at: UnixMillis,
}

/// A token of the right form, of which nothing is known but that.
pub(super) struct Unverified<'a> {
    kid: String,
    message: &'a str,
    claims: &'a str,
    signature: &'a str,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// Why it cannot be one of ours, for the log.
    pub(super) fn parse(token: &'a str) -> Result<Self, &'static str> {
        let malformed = "not three parts";
        let (message, signature) = token.rsplit_once('.').ok_or(malformed)?;
        let (header, claims) = message.split_once('.').ok_or(malformed)?;
        if claims.contains('.') || signature.is_empty() {
            return Err(malformed);
        }
        let header = secret::decode(header).ok_or("the header is not base64url")?;
        let header: StrictHeader = serde_json::from_slice(&header).map_err(|_| "the header is not ours")?;
        if header.alg != "EdDSA" {
            return Err("another algorithm");
        }
        if ![TYPE, TYPE_IN_FULL].iter().any(|known| header.typ.eq_ignore_ascii_case(known)) {
            return Err("another type");
        }
        Ok(Self { kid: header.kid, message, claims, signature })
    }

    /// The id of the key it claims to be signed with.
    pub(super) fn kid(&self) -> &str {
        &self.kid
    }

    /// Checks the signature, then the claims.
    ///
    /// # Errors
    /// Why it is refused, for the log.
    pub(super) fn verify(
        &self,
        key: &DecodingKey,
        organization: OrganizationId,
        now: UnixMillis,
    ) -> Result<Verified, &'static str> {
        let message = self.message.as_bytes();
        let genuine = jsonwebtoken::crypto::verify(self.signature, message, key, Algorithm::EdDSA);
        if !genuine.is_ok_and(|genuine| genuine) {
            return Err("wrong signature");
        }
        let claims = secret::decode(self.claims).ok_or("the claims are not base64url")?;
        let claims: Claims = serde_json::from_slice(&claims).map_err(|_| "the claims are not ours")?;
        if claims.iss != issuer(organization) || claims.tid != organization {
            return Err("another issuer");
        }
        if claims.aud != AUDIENCE {
            return Err("another audience");
        }
        let now = now.div_euclid(1_000);
        if claims.exp.saturating_add(LEEWAY) <= now {
            return Err("expired");
        }
        if claims.nbf > now.saturating_add(LEEWAY) || claims.iat > now.saturating_add(LEEWAY) {
            return Err("not yet good");
        }
        if claims.exp.saturating_sub(claims.iat) > LIFETIME {
            return Err("longer good than any of ours");
        }
        let expires_at = claims.exp.saturating_add(LEEWAY).saturating_mul(1_000);
        Ok(Verified { user: claims.sub, epoch: claims.epoch, expires_at })
    }
}

impl Identity {
    /// A new token for a person who has just proved who they are.
    pub(in crate::identity) async fn issue(
        &self,
        organization: OrganizationId,
        user: PrincipalId,
        token_epoch: i64,
        by: &Caller,
    ) -> Result<AccessToken, IdentityError> {
        let signer = self.signer(by).await?;
        let now = self.clock.now().div_euclid(1_000);
        let claims = Claims {
            iss: issuer(organization),
            sub: user,
            aud: AUDIENCE.to_owned(),
            exp: now + LIFETIME,
            iat: now,
            nbf: now,
            jti: RequestId::new().to_string(),
            tid: organization,
            epoch: token_epoch,
        };
        let header =
            Header { typ: Some(TYPE.to_owned()), kid: Some(signer.kid), ..Header::new(Algorithm::EdDSA) };
        let token = jsonwebtoken::encode(&header, &claims, &signer.key)
            .map_err(|_| IdentityError::Cryptography("signing a token"))?;
        Ok(AccessToken { token, expires_in: LIFETIME, user })
    }
}

/// The issuer of an organization's tokens.
fn issuer(organization: OrganizationId) -> String {
    format!("stoa:{organization}")
}

/// Chooses the cryptography behind the JWT crate, once per process.
pub(in crate::identity) fn install_cryptography() {
    // Refused when it was chosen before, by an earlier handle: it is the same choice.
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
}
