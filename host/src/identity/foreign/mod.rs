//! What others sign: their public keys, and their tokens checked with them. Pure.
//!
//! Only RS256, ES256 and EdDSA. A token names a key and an algorithm; which keys and algorithms are good is never its word.
//! What the claims mean is for the callers: providers' ID tokens in `federation/`, clients' assertions in `oauth/clients/`.

mod keys;
mod token;

pub use keys::Jwk;
pub(super) use keys::Keys;
pub(super) use token::{Signed, one_audience};

#[cfg(test)]
pub(super) use token::tests as forge;

/// What is taken of others, as JOSE names it.
pub const ALGORITHMS: [&str; 3] = ["RS256", "ES256", "EdDSA"];
