//! The organization's signing keys: EdDSA for access tokens, RS256 or EdDSA for ID tokens.
//!
//! Private parts are sealed with the installation's secrets for this organization, opened only to sign, and erased when
//! a key retires. What is due is done when a key is used or the key set read: nothing has to run for it. A key id is the
//! RFC 7638 thumbprint; one that comes in is compared, and never becomes a path, a query or an address.
//!
//! Reading order: `ring.rs` (the life of a key), `pair.rs` (the cryptography), `store.rs`.

mod pair;
mod ring;
mod store;

#[cfg(test)]
mod tests;

use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::caller::Caller;
use crate::clock::UnixMillis;
use crate::identity::{Identity, IdentityError, platform};
use crate::ids::{OrganizationId, RecordId, RequestId};
use crate::storage::{Connection, StorageError};

use ring::Step;

pub use ring::{KeyState, SigningAlgorithm, SigningKey};

use ring::{PUBLISHED, RETIRED};

pub(super) use pair::{Pair, Signer, thumbprint};

/// The exponent 65537.
const EXPONENT: [u8; 3] = [1, 0, 1];

/// What verifies an organization's tokens, as of an epoch of its identity file.
pub(super) struct KeySet {
    pub(super) epoch: i64,
    keys: Vec<(SigningKey, DecodingKey)>,
}

impl KeySet {
    /// The keys of now.
    pub(super) fn read(connection: &Connection, epoch: i64) -> Result<Self, StorageError> {
        let decoding = |key: SigningKey| {
            let public = match key.algorithm {
                SigningAlgorithm::EdDsa => DecodingKey::from_ed_der(&key.public),
                SigningAlgorithm::Rs256 => DecodingKey::from_rsa_raw_components(&key.public, &EXPONENT),
            };
            (key, public)
        };
        let keys = store::list(connection)?.into_iter().filter(|key| key.state != KeyState::Destroyed);
        Ok(Self { epoch, keys: keys.map(decoding).collect() })
    }

    /// Whether the key with this id signed this with this algorithm, and may still have.
    pub(super) fn verify(
        &self,
        kid: &str,
        algorithm: SigningAlgorithm,
        message: &str,
        signature: &str,
        now: UnixMillis,
    ) -> Result<(), &'static str> {
        let known = |(key, _): &&(SigningKey, DecodingKey)| key.kid == kid && key.algorithm == algorithm;
        let (key, public) = self.keys.iter().find(known).ok_or("unknown key")?;
        if !key.verifies(now) {
            return Err("a retired key");
        }
        let algorithm = match algorithm {
            SigningAlgorithm::EdDsa => Algorithm::EdDSA,
            SigningAlgorithm::Rs256 => Algorithm::RS256,
        };
        match jsonwebtoken::crypto::verify(signature, message.as_bytes(), public, algorithm) {
            Ok(true) => Ok(()),
            _ => Err("wrong signature"),
        }
    }
}

impl Identity {
    /// What signs with this algorithm. What is due is done first.
    pub(super) async fn signer(
        &self,
        organization: OrganizationId,
        algorithm: SigningAlgorithm,
    ) -> Result<Signer, IdentityError> {
        self.turn_keys(organization, algorithm).await?;
        let active = self.read(organization, |connection| Ok(store::active(connection, algorithm)?))?;
        let (kid, sealed) = active.ok_or(IdentityError::Cryptography("there is no active key"))?;
        let private = Zeroizing::new(self.secrets.open_sealed(&purpose(organization), &sealed)?);
        Ok(Signer { kid, algorithm, private })
    }

    /// The public keys as RFC 7517 publishes them: next, active, and retired ones that still verify.
    ///
    /// # Errors
    /// Only when a primitive or the identity file fails.
    pub async fn key_set(&self, organization: OrganizationId) -> Result<Value, IdentityError> {
        for algorithm in SigningAlgorithm::ALL {
            self.turn_keys(organization, algorithm).await?;
        }
        let now = self.clock.now();
        let keys = self.signing_keys(organization)?;
        let published = keys.iter().filter(|key| key.verifies(now));
        let keys: Vec<_> = published.map(|key| pair::jwk(key.algorithm, &key.kid, &key.public)).collect();
        Ok(json!({ "keys": keys }))
    }

    /// Every key there is or was, without private parts.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn signing_keys(&self, organization: OrganizationId) -> Result<Vec<SigningKey>, IdentityError> {
        self.read(organization, |connection| Ok(store::list(connection)?))
    }

    /// Hurries the keys on: a next key that was published long enough signs from now on; without one, one is made.
    ///
    /// In an emergency every key that there is is destroyed, and with it everything it signed, and a new one signs at once.
    ///
    /// # Errors
    /// Only when a primitive or the identity file fails.
    pub async fn rotate_keys(&self, by: &Caller, emergency: bool) -> Result<Vec<SigningKey>, IdentityError> {
        let now = self.clock.now();
        for algorithm in SigningAlgorithm::ALL {
            let keys = self.signing_keys(by.organization)?;
            let used = keys.iter().any(|key| key.algorithm == algorithm && key.state == KeyState::Active);
            if !used {
                continue; // made when it is first needed
            }
            let state = if emergency { KeyState::Active } else { KeyState::Next };
            let fresh = self.make_key(by.organization, algorithm, state).await?;
            self.write(by, move |connection| {
                let keys = store::list(connection)?;
                let mine = keys.iter().filter(|key| key.algorithm == algorithm);
                match emergency {
                    true => replace(connection, mine, &fresh, now)?,
                    false => hurry(connection, mine, &fresh, now)?,
                }
                Ok(())
            })
            .await?;
        }
        if emergency {
            tracing::warn!(organization = %by.organization, by = %by.principal.id, "signing keys were replaced");
        }
        self.signing_keys(by.organization)
    }

    /// Does what is due for the keys of this algorithm.
    async fn turn_keys(
        &self,
        organization: OrganizationId,
        algorithm: SigningAlgorithm,
    ) -> Result<(), IdentityError> {
        let now = self.clock.now();
        let due = ring::due(&self.signing_keys(organization)?, algorithm, now);
        if due.is_empty() {
            return Ok(());
        }
        let made = due.iter().find_map(|step| if let Step::Make(state) = step { Some(*state) } else { None });
        let fresh = match made {
            Some(state) => Some(self.make_key(organization, algorithm, state).await?),
            None => None,
        };
        // Two first uses at once both get here; the one that comes second finds nothing due any more.
        self.write(&platform(organization, RequestId::new()), move |connection| {
            for step in ring::due(&store::list(connection)?, algorithm, now) {
                match (step, &fresh) {
                    (Step::Destroy(id), _) => store::destroy(connection, id, now)?,
                    (Step::Turn { from, to }, _) => turn(connection, from, to, now)?,
                    (Step::Make(state), Some(fresh)) if state == fresh.key.state => {
                        store::insert(connection, fresh)?;
                    }
                    (Step::Make(_), _) => {}
                }
            }
            Ok(())
        })
        .await
    }

    async fn make_key(
        &self,
        organization: OrganizationId,
        algorithm: SigningAlgorithm,
        state: KeyState,
    ) -> Result<store::NewKey, IdentityError> {
        let pair =
            match algorithm {
                SigningAlgorithm::EdDsa => Pair::generate(algorithm),
                SigningAlgorithm::Rs256 => tokio::task::spawn_blocking(move || Pair::generate(algorithm))
                    .await
                    .map_err(|_| IdentityError::Cryptography("generating a signing key"))?,
            }?;
        let now = self.clock.now();
        let key = SigningKey {
            id: RecordId::new(),
            kid: pair::thumbprint(algorithm, &pair.public),
            algorithm,
            state,
            public: pair.public,
            created_at: now,
            activated_at: (state == KeyState::Active).then_some(now),
            retired_at: None,
            destroyed_at: None,
            verifies_until: None,
        };
        Ok(store::NewKey { key, sealed: self.secrets.seal(&purpose(organization), &pair.private)? })
    }
}

/// Every key goes, the fresh one signs.
fn replace<'a>(
    connection: &Connection,
    keys: impl Iterator<Item = &'a SigningKey>,
    fresh: &store::NewKey,
    now: UnixMillis,
) -> Result<(), StorageError> {
    for key in keys.filter(|key| key.state != KeyState::Destroyed) {
        store::destroy(connection, key.id, now)?;
    }
    store::insert(connection, fresh)
}

/// The next key signs if it may; without one, the fresh one is next.
fn hurry<'a>(
    connection: &Connection,
    keys: impl Iterator<Item = &'a SigningKey> + Clone,
    fresh: &store::NewKey,
    now: UnixMillis,
) -> Result<(), StorageError> {
    let of = |state| keys.clone().find(|key| key.state == state);
    match (of(KeyState::Active), of(KeyState::Next)) {
        (_, None) => store::insert(connection, fresh),
        (Some(active), Some(next)) if now.saturating_sub(next.created_at) >= PUBLISHED => {
            turn(connection, active.id, next.id, now)
        }
        _ => Ok(()),
    }
}

fn turn(connection: &Connection, from: RecordId, to: RecordId, now: UnixMillis) -> Result<(), StorageError> {
    store::retire(connection, from, now, now.saturating_add(RETIRED))?;
    store::activate(connection, to, now)
}

/// Names the organization, so that a sealed key does not open in another one's file.
fn purpose(organization: OrganizationId) -> String {
    format!("signing-key:{organization}")
}
