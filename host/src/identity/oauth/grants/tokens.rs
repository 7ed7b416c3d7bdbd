//! What the token endpoint answers: an access token, an ID token where a person signed in, a refresh token where the
//! client may come back.

use serde::Serialize;
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

use super::Grant;
use crate::clock::UnixMillis;
use crate::identity::oauth::Client;
use crate::identity::{Identity, IdentityError, IssueToken, SigningAlgorithm, secret};
use crate::ids::{ClientId, PrincipalId, SessionId};
use crate::organizations::Organization;

/// How long an ID token is good, in seconds.
const ID_TOKEN: i64 = 5 * 60;

/// What a client gets.
#[derive(Clone)]
pub struct TokenAnswer {
    /// For `Authorization: Bearer`.
    pub access_token: String,
    /// Seconds.
    pub expires_in: i64,
    /// What it was allowed, separated by spaces.
    pub scope: String,
    /// Good once, for the next answer.
    pub refresh_token: Option<Zeroizing<String>>,
    /// Who signed in.
    pub id_token: Option<String>,
}

#[derive(Serialize)]
struct IdClaims<'a> {
    iss: String,
    sub: PrincipalId,
    aud: ClientId,
    exp: i64,
    iat: i64,
    auth_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    at_hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<SessionId>,
    acr: &'a str,
    amr: &'a [String],
}

impl Identity {
    /// Signs what comes of a grant. `scope` may be narrower than the grant's.
    pub(super) async fn token_answer(
        &self,
        organization: &Organization,
        client: &Client,
        grant: &Grant,
        scope: String,
        refresh_token: Option<Zeroizing<String>>,
    ) -> Result<TokenAnswer, IdentityError> {
        let access = self
            .issue(IssueToken {
                organization,
                user: grant.user,
                session: grant.session,
                client: Some(client.id),
                scope: &scope,
                grant: Some(grant.id),
                auth_time: grant.auth_time,
                amr: &grant.amr,
                acr: &grant.acr,
                life: client.lives.access_before(grant.ends_at, self.clock.now()),
            })
            .await?;
        let wanted = scope.split(' ').any(|scope| scope == "openid");
        let id_token = match wanted {
            true => Some(self.id_token(organization, client, grant, &access.token).await?),
            false => None,
        };
        let (access_token, expires_in) = (access.token, access.expires_in);
        Ok(TokenAnswer { access_token, expires_in, scope, refresh_token, id_token })
    }

    async fn id_token(
        &self,
        organization: &Organization,
        client: &Client,
        grant: &Grant,
        access_token: &str,
    ) -> Result<String, IdentityError> {
        let algorithm = client.id_token_algorithm;
        let signer = self.signer(organization.id, algorithm).await?;
        let seconds = |at: UnixMillis| at.div_euclid(1_000);
        let now = seconds(self.clock.now());
        let claims = IdClaims {
            iss: self.issuer(organization),
            sub: grant.user,
            aud: client.id,
            exp: now + ID_TOKEN,
            iat: now,
            auth_time: seconds(grant.auth_time),
            nonce: grant.nonce.as_deref(),
            at_hash: at_hash(algorithm, access_token),
            sid: grant.session,
            acr: &grant.acr,
            amr: &grant.amr,
        };
        let kind = "JWT";
        match algorithm {
            SigningAlgorithm::EdDsa => signer.compact(kind, &claims),
            // RSA takes milliseconds: not on an async worker.
            SigningAlgorithm::Rs256 => {
                let claims = serde_json::to_value(&claims)
                    .map_err(|_| IdentityError::Cryptography("writing a token's claims"))?;
                tokio::task::spawn_blocking(move || signer.compact(kind, &claims))
                    .await
                    .map_err(|_| IdentityError::Cryptography("signing a token"))?
            }
        }
    }
}

/// OpenID Connect Core 3.1.3.6: the left half of the hash that the signature uses.
fn at_hash(algorithm: SigningAlgorithm, token: &str) -> String {
    match algorithm {
        SigningAlgorithm::EdDsa => secret::encode(left(&Sha512::digest(token))),
        SigningAlgorithm::Rs256 => secret::encode(left(&Sha256::digest(token))),
    }
}

fn left(hash: &[u8]) -> &[u8] {
    hash.split_at_checked(hash.len() / 2).map_or(hash, |(left, _)| left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_hash_is_the_left_half_of_the_hash() {
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(at_hash(SigningAlgorithm::Rs256, token), "77QmUPtjPfzWtF2AnpK9RQ");
        assert_eq!(at_hash(SigningAlgorithm::EdDsa, token).len(), 43);
    }
}
