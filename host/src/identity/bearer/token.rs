//! Access tokens: a JWS of RFC 9068, EdDSA, signed by the organization. The only file that uses the JWT crate to check.
//!
//! The check is stricter than the crate's own: one algorithm, one type, no header but `alg`, `typ` and `kid` (so nothing
//! can bring its own key or ask for critical extensions), every claim required and of one JSON type, `iss` and `aud`
//! plain strings, instants whole seconds of the host's clock, a leeway of [`LEEWAY`] and no more.

use serde::{Deserialize, Serialize};

use crate::clock::UnixMillis;
use crate::identity::signing::{KeySet, SigningAlgorithm};
use crate::identity::{Identity, IdentityError, secret};
use crate::ids::{ClientId, OrganizationId, PrincipalId, RecordId, RequestId, SessionId};
use crate::organizations::Organization;

/// How long an access token is good, in seconds, unless its client has it otherwise.
pub const LIFETIME: i64 = 10 * 60;

/// The longest that a client can have it, in seconds. Retired keys verify for longer than this.
pub const LONGEST_LIFE: i64 = 15 * 60;

/// Whom access tokens are for.
pub const AUDIENCE: &str = "stoa";

/// The client of tokens that no registered client asked for: the host's own login.
const OWN_CLIENT: &str = "stoa";

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

/// What a new access token says.
#[derive(Clone, Debug)]
pub struct IssueToken<'a> {
    /// Whose issuer signs.
    pub organization: &'a Organization,
    /// Who acts with it: a person, or a client for itself.
    pub user: PrincipalId,
    /// The session it belongs to; it ends with it.
    pub session: Option<SessionId>,
    /// The client that asked for it; `None`: the host's own login. A client's token is limited to its scope.
    pub client: Option<ClientId>,
    /// What the client was allowed, separated by spaces.
    pub scope: &'a str,
    /// The grant of a client's token; it ends with it.
    pub grant: Option<RecordId>,
    /// When the person proved who they are.
    pub auth_time: UnixMillis,
    /// How, such as `pwd`.
    pub amr: &'a [String],
    /// How well, such as `aal1`.
    pub acr: &'a str,
    /// How long the token is good, in seconds: [`LIFETIME`], or what its client has.
    pub life: i64,
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
    client_id: String,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<RecordId>,
    auth_time: i64,
    amr: Vec<String>,
    acr: String,
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
pub(in crate::identity) struct Verified {
    pub(in crate::identity) user: PrincipalId,
    pub(in crate::identity) session: Option<SessionId>,
    pub(in crate::identity) client: Option<ClientId>,
    pub(in crate::identity) grant: Option<RecordId>,
    pub(in crate::identity) scope: String,
    /// The epoch of the person's tokens when it was issued.
    pub(in crate::identity) epoch: i64,
    /// Seconds.
    pub(in crate::identity) issued_at: i64,
    pub(in crate::identity) expires_at: UnixMillis,
}

/// A token of the right form, of which nothing is known but that.
pub(in crate::identity) struct Unverified<'a> {
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
    pub(in crate::identity) fn parse(token: &'a str) -> Result<Self, &'static str> {
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

    /// The claims as they stand there, once `genuine` has found the signature good: of key id, message and signature.
    ///
    /// # Errors
    /// Why it is refused, for the log.
    pub(in crate::identity) fn claims(
        &self,
        genuine: impl FnOnce(&str, &str, &str) -> Result<(), &'static str>,
    ) -> Result<Vec<u8>, &'static str> {
        genuine(&self.kid, self.message, self.signature)?;
        secret::decode(self.claims).ok_or("the claims are not base64url")
    }

    /// Checks the signature, then the claims.
    ///
    /// # Errors
    /// Why it is refused, for the log.
    pub(super) fn verify(
        &self,
        keys: &KeySet,
        organization: OrganizationId,
        issuer: &str,
        now: UnixMillis,
    ) -> Result<Verified, &'static str> {
        let claims = self.claims(|kid, message, signature| {
            keys.verify(kid, SigningAlgorithm::EdDsa, message, signature, now)
        })?;
        let claims: Claims = serde_json::from_slice(&claims).map_err(|_| "the claims are not ours")?;
        if claims.iss != issuer || claims.tid != organization {
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
        if claims.exp.saturating_sub(claims.iat) > LONGEST_LIFE {
            return Err("longer good than any of ours");
        }
        let client = match claims.client_id.as_str() {
            OWN_CLIENT => None,
            id => Some(id.parse().map_err(|_| "no client")?),
        };
        if client.is_some() != claims.grant.is_some() {
            return Err("a client without a grant, or the other way round");
        }
        Ok(Verified {
            user: claims.sub,
            session: claims.sid,
            client,
            grant: claims.grant,
            scope: claims.scope,
            epoch: claims.epoch,
            issued_at: claims.iat,
            expires_at: claims.exp.saturating_add(LEEWAY).saturating_mul(1_000),
        })
    }
}

impl Identity {
    /// A new token for somebody who has proved who they are.
    ///
    /// # Errors
    /// [`IdentityError::InvalidCredentials`] when they may not act; else only when a primitive or the file fails.
    pub async fn issue(&self, new: IssueToken<'_>) -> Result<AccessToken, IdentityError> {
        let organization = new.organization.id;
        let epoch =
            self.read(organization, |connection| Ok(super::store::principal_epoch(connection, new.user)?))?;
        let epoch = epoch.ok_or(IdentityError::InvalidCredentials)?;
        let signer = self.signer(organization, SigningAlgorithm::EdDsa).await?;
        let now = self.clock.now().div_euclid(1_000);
        let life = new.life.clamp(1, LONGEST_LIFE);
        let claims = Claims {
            iss: self.issuer(new.organization),
            sub: new.user,
            aud: AUDIENCE.to_owned(),
            exp: now.saturating_add(life),
            iat: now,
            nbf: now,
            jti: RequestId::new().to_string(),
            tid: organization,
            client_id: new.client.map_or_else(|| OWN_CLIENT.to_owned(), |client| client.to_string()),
            scope: new.scope.to_owned(),
            sid: new.session,
            grant: new.grant,
            auth_time: new.auth_time.div_euclid(1_000),
            amr: new.amr.to_vec(),
            acr: new.acr.to_owned(),
            epoch,
        };
        Ok(AccessToken { token: signer.compact(TYPE, &claims)?, expires_in: life, user: new.user })
    }

    /// The issuer of an organization's tokens: its address.
    #[must_use]
    pub fn issuer(&self, organization: &Organization) -> String {
        self.address.of(organization.slug.as_str())
    }
}

/// Chooses the cryptography behind the JWT crate, once per process.
pub(in crate::identity) fn install_cryptography() {
    // Refused when it was chosen before, by an earlier handle: it is the same choice.
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
}
