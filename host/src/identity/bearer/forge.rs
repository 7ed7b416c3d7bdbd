//! What the attacks on access tokens need: tokens that are genuinely signed and say whatever the attack wants.

use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

use crate::identity::fixture::World;
use crate::identity::signing::SigningAlgorithm;
use crate::identity::{IdentityError, User, secret};

/// A world with a logged-in person, and what it takes to forge tokens that are genuinely signed.
pub(super) struct Forge {
    pub(super) world: World,
    pub(super) user: User,
    pub(super) token: String,
    pub(super) kid: String,
    pub(super) key: EncodingKey,
}

impl Forge {
    pub(super) async fn new() -> Self {
        let world = World::new();
        let user = world.member("ann", "rep").await;
        let token = world.log_in("ann").await.unwrap();
        let signer = world.identity.signer(world.acme.id, SigningAlgorithm::EdDsa).await.unwrap();
        let key = EncodingKey::from_ed_der(signer.private());
        Self { world, user, token, kid: signer.kid, key }
    }

    pub(super) fn header(&self) -> Value {
        json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": self.kid })
    }

    pub(super) fn claims(&self) -> Value {
        let claims = self.token.split('.').nth(1).unwrap();
        serde_json::from_slice(&secret::decode(claims).unwrap()).unwrap()
    }

    pub(super) fn sign(&self, header: &str, claims: &str) -> String {
        sign(&self.key, header, claims)
    }

    /// A token that differs from a good one in these headers and claims; `null` removes one.
    pub(super) fn with(&self, headers: &Value, claims: &Value) -> String {
        let merge = |mut base: Value, changes: &Value| {
            for (name, value) in changes.as_object().unwrap() {
                match value {
                    Value::Null => drop(base.as_object_mut().unwrap().remove(name)),
                    value => base[name] = value.clone(),
                }
            }
            base.to_string()
        };
        self.sign(&merge(self.header(), headers), &merge(self.claims(), claims))
    }

    pub(super) fn refused(&self, token: &str) {
        let result = self.world.authenticate(token);
        assert!(matches!(result, Err(IdentityError::InvalidToken)), "{token}");
    }

    pub(super) fn accepted(&self, token: &str) {
        assert_eq!(self.world.authenticate(token).unwrap().principal.id, self.user.id);
    }
}

pub(super) fn sign(key: &EncodingKey, header: &str, claims: &str) -> String {
    let message = format!("{}.{}", secret::encode(header.as_bytes()), secret::encode(claims.as_bytes()));
    let signature = crypto::sign(message.as_bytes(), key, Algorithm::EdDSA).unwrap();
    format!("{message}.{signature}")
}
