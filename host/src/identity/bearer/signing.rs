//! The organization's signing keys (Ed25519): made at its first login, the private part sealed with the installation's
//! secrets and opened only to sign. The public parts are kept in memory.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use jsonwebtoken::{DecodingKey, EncodingKey};
use zeroize::Zeroizing;

use crate::caller::Caller;
use crate::identity::{Identity, IdentityError, secret};
use crate::ids::{OrganizationId, RecordId};

use super::store;

/// What verifies an organization's tokens, as of an epoch of its identity file.
pub(super) struct KeySet {
    pub(super) epoch: i64,
    keys: Vec<(String, DecodingKey)>,
}

impl KeySet {
    /// `keys`: key id and the 32 bytes of the public key.
    pub(super) fn new(epoch: i64, keys: &[(String, [u8; 32])]) -> Self {
        let keys = keys.iter().map(|(kid, public)| (kid.clone(), DecodingKey::from_ed_der(public))).collect();
        Self { epoch, keys }
    }

    /// The key with this id. It is compared, and never becomes a path, a query or an address.
    pub(super) fn find(&self, kid: &str) -> Option<&DecodingKey> {
        self.keys.iter().find(|(known, _)| known == kid).map(|(_, key)| key)
    }
}

/// What signs: the key and its id.
pub(super) struct Signer {
    pub(super) kid: String,
    pub(super) key: EncodingKey,
}

impl Identity {
    /// The organization's active key, made if there is none.
    pub(super) async fn signer(&self, by: &Caller) -> Result<Signer, IdentityError> {
        let organization = by.organization;
        let active = self.read(organization, |connection| Ok(store::active_key(connection)?))?;
        let (kid, sealed) = match active {
            Some(active) => active,
            None => {
                let made = self.make_key(organization)?;
                // Two first logins at once both get here; the one that comes second uses the other's key.
                self.write(by, move |connection| {
                    if let Some(active) = store::active_key(connection)? {
                        return Ok(active);
                    }
                    store::insert_key(connection, &made)?;
                    Ok((made.kid, made.sealed))
                })
                .await?
            }
        };
        let private = Zeroizing::new(self.secrets.open_sealed(&purpose(organization), &sealed)?);
        Ok(Signer { kid, key: EncodingKey::from_ed_der(&private) })
    }

    fn make_key(&self, organization: OrganizationId) -> Result<store::NewKey, IdentityError> {
        let failed = |_| IdentityError::Cryptography("generating a signing key");
        let private = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(failed)?;
        let pair = Ed25519KeyPair::from_pkcs8(private.as_ref())
            .map_err(|_| IdentityError::Cryptography("reading a signing key"))?;
        let public = <[u8; 32]>::try_from(pair.public_key().as_ref())
            .map_err(|_| IdentityError::Cryptography("the length of a public key"))?;
        Ok(store::NewKey {
            id: RecordId::new(),
            kid: thumbprint(&public),
            public,
            sealed: self.secrets.seal(&purpose(organization), private.as_ref())?,
            now: self.clock.now(),
        })
    }
}

/// Names the organization, so that a sealed key does not open in another one's file.
fn purpose(organization: OrganizationId) -> String {
    format!("signing-key:{organization}")
}

/// RFC 7638, of an Ed25519 key.
fn thumbprint(public: &[u8; 32]) -> String {
    let jwk = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, secret::encode(public));
    secret::encode(&secret::digest(&[jwk.as_bytes()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_id_is_the_thumbprint_of_rfc_8037() {
        let public = secret::decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        let expected = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
        assert_eq!(thumbprint(&public.try_into().unwrap()), expected);
    }
}
