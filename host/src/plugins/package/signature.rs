//! Keys of publishers and what they sign. The only file of packages that touches a private key.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::PackageFault;
use super::archive::SIGNATURE;

const ALGORITHM: &str = "Ed25519";
const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// The file `signature`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Signature {
    algorithm: String,
    key: String,
    signature: String,
}

impl Signature {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, PackageFault> {
        let fault = |detail: String| PackageFault::new(SIGNATURE, detail);
        let read: Self = serde_json::from_slice(bytes).map_err(|error| fault(error.to_string()))?;
        if read.algorithm != ALGORITHM || read.bytes() != bytes {
            return Err(fault(format!("is no {ALGORITHM} signature as `stoa plugin sign` writes it")));
        }
        Ok(read)
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }
}

/// Who a publisher is to others.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads what [`PublicKey`] is written as: 32 bytes in base64.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        STANDARD.decode(text.trim()).ok()?.try_into().ok().map(Self)
    }

    /// Its short name: the beginning of its SHA-256 sum.
    #[must_use]
    pub fn id(&self) -> String {
        Sha256::digest(self.0).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), PackageFault> {
        if signature.key != self.id() {
            let detail = format!("the package is signed with key {}, not with {}", signature.key, self.id());
            return Err(PackageFault::new(SIGNATURE, detail));
        }
        let good = STANDARD
            .decode(&signature.signature)
            .is_ok_and(|bytes| UnparsedPublicKey::new(&ED25519, self.0).verify(message, &bytes).is_ok());
        let wrong =
            || PackageFault::new(SIGNATURE, "does not belong to index.json: one of the two was changed");
        good.then_some(()).ok_or_else(wrong)
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

/// What a publisher signs with.
pub struct PrivateKey {
    pair: Ed25519KeyPair,
    document: Zeroizing<Vec<u8>>,
}

impl PrivateKey {
    /// A new one; `None`: the system has no randomness.
    #[must_use]
    pub fn generate() -> Option<Self> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).ok()?;
        Self::of(Zeroizing::new(document.as_ref().to_vec()))
    }

    fn of(document: Zeroizing<Vec<u8>>) -> Option<Self> {
        Ed25519KeyPair::from_pkcs8(&document).ok().map(|pair| Self { pair, document })
    }

    /// Reads a key file: PKCS #8 as PEM.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let body = text.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
        let body: Zeroizing<String> = Zeroizing::new(body.split_ascii_whitespace().collect());
        Self::of(Zeroizing::new(STANDARD.decode(&*body).ok()?))
    }

    /// The key file.
    #[must_use]
    pub fn pem(&self) -> Zeroizing<String> {
        let body = Zeroizing::new(STANDARD.encode(&*self.document));
        let mut text = Zeroizing::new(format!("{BEGIN}\n"));
        for (at, character) in body.chars().enumerate() {
            if at > 0 && at % 64 == 0 {
                text.push('\n');
            }
            text.push(character);
        }
        text.push('\n');
        text.push_str(END);
        text.push('\n');
        text
    }

    /// What others know it by.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        let known = self.pair.public_key().as_ref();
        if known.len() == bytes.len() {
            bytes.copy_from_slice(known);
        }
        PublicKey(bytes)
    }

    pub(super) fn sign(&self, message: &[u8]) -> Signature {
        Signature {
            algorithm: ALGORITHM.to_owned(),
            key: self.public().id(),
            signature: STANDARD.encode(self.pair.sign(message)),
        }
    }
}
