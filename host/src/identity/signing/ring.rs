//! The life of a signing key, and what is due at an instant. Pure.
//!
//! next -> active -> retired -> destroyed. A next key is published [`PUBLISHED`] before it signs, an active one signs for
//! [`PERIOD`], a retired one verifies for as long as anything it signed can be good ([`RETIRED`]).

use crate::clock::UnixMillis;
use crate::ids::RecordId;

const HOUR: UnixMillis = 3_600_000;

/// How long a key signs.
pub(super) const PERIOD: UnixMillis = 90 * 24 * HOUR;

/// How long a key is published before it signs, at least: verifiers cache key sets.
pub(super) const PUBLISHED: UnixMillis = 24 * HOUR;

/// How long before the end of its period the next key is made.
const AHEAD: UnixMillis = 7 * 24 * HOUR;

/// How long a retired key verifies: the longest life of a token (15 minutes) and ten minutes more.
pub(super) const RETIRED: UnixMillis = 25 * 60_000;

/// What a key signs with.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SigningAlgorithm {
    /// Ed25519.
    EdDsa,
    /// RSA of 3072 bits, PKCS #1 v1.5, SHA-256: what clients of strangers expect.
    Rs256,
}

impl SigningAlgorithm {
    /// Both.
    pub const ALL: [Self; 2] = [Self::EdDsa, Self::Rs256];

    /// As in the header of a token.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }

    /// The algorithm with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }
}

/// Where a key is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyState {
    /// Published, and signs nothing yet.
    Next,
    /// Signs.
    Active,
    /// Signs nothing any more, and still verifies.
    Retired,
    /// Neither. The private part is gone; the row says that there was one.
    Destroyed,
}

impl KeyState {
    /// The stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Destroyed => "destroyed",
        }
    }

    /// Any other word means that the key is of no use.
    pub(super) fn stored(word: &str) -> Self {
        [Self::Next, Self::Active, Self::Retired]
            .into_iter()
            .find(|state| state.as_str() == word)
            .unwrap_or(Self::Destroyed)
    }
}

/// A signing key, without its private part.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SigningKey {
    /// Its row.
    pub id: RecordId,
    /// RFC 7638 thumbprint of the public part.
    pub kid: String,
    /// What it signs with.
    pub algorithm: SigningAlgorithm,
    /// Where it is in its life.
    pub state: KeyState,
    /// The public part: 32 bytes of Ed25519, or the modulus of an RSA key.
    pub public: Vec<u8>,
    /// When it was made and published.
    pub created_at: UnixMillis,
    /// When it began to sign.
    pub activated_at: Option<UnixMillis>,
    /// When it ceased to.
    pub retired_at: Option<UnixMillis>,
    /// When it was destroyed.
    pub destroyed_at: Option<UnixMillis>,
    /// Of a retired key: the first instant it verifies nothing.
    pub verifies_until: Option<UnixMillis>,
}

impl SigningKey {
    /// Whether what it signed may still be good.
    #[must_use]
    pub fn verifies(&self, now: UnixMillis) -> bool {
        self.state != KeyState::Destroyed && self.verifies_until.is_none_or(|until| now < until)
    }
}

/// Something to do with the keys of one algorithm.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// Make a key that begins its life in this state.
    Make(KeyState),
    /// Let the active key retire and the next one sign.
    Turn { from: RecordId, to: RecordId },
    /// Destroy a retired key.
    Destroy(RecordId),
}

/// What is due for the keys of one algorithm.
pub(super) fn due(keys: &[SigningKey], algorithm: SigningAlgorithm, now: UnixMillis) -> Vec<Step> {
    let of = |state| keys.iter().find(|key| key.algorithm == algorithm && key.state == state);
    let spent = |key: &&SigningKey| {
        key.algorithm == algorithm && key.state == KeyState::Retired && !key.verifies(now)
    };
    let mut steps: Vec<_> = keys.iter().filter(spent).map(|key| Step::Destroy(key.id)).collect();
    let Some(active) = of(KeyState::Active) else {
        steps.push(Step::Make(KeyState::Active));
        return steps;
    };
    let age = now.saturating_sub(active.activated_at.unwrap_or(active.created_at));
    match of(KeyState::Next) {
        Some(next) if age >= PERIOD && now.saturating_sub(next.created_at) >= PUBLISHED => {
            steps.push(Step::Turn { from: active.id, to: next.id });
        }
        None if age >= PERIOD - AHEAD => steps.push(Step::Make(KeyState::Next)),
        _ => {}
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(state: KeyState, at: UnixMillis) -> SigningKey {
        SigningKey {
            id: RecordId::new(),
            kid: String::new(),
            algorithm: SigningAlgorithm::EdDsa,
            state,
            public: Vec::new(),
            created_at: at,
            activated_at: (state != KeyState::Next).then_some(at),
            retired_at: None,
            destroyed_at: None,
            verifies_until: (state == KeyState::Retired).then_some(at + RETIRED),
        }
    }

    fn steps(keys: &[SigningKey], now: UnixMillis) -> Vec<Step> {
        due(keys, SigningAlgorithm::EdDsa, now)
    }

    #[test]
    fn the_first_key_signs_at_once_and_each_algorithm_has_its_own() {
        assert_eq!(steps(&[], 0), [Step::Make(KeyState::Active)]);
        let rsa = SigningKey { algorithm: SigningAlgorithm::Rs256, ..key(KeyState::Active, 0) };
        assert_eq!(steps(&[rsa], 0), [Step::Make(KeyState::Active)]);
    }

    #[test]
    fn the_next_key_is_published_a_day_before_it_signs() {
        let active = key(KeyState::Active, 0);
        assert_eq!(steps(std::slice::from_ref(&active), PERIOD - AHEAD - 1), []);
        assert_eq!(steps(std::slice::from_ref(&active), PERIOD - AHEAD), [Step::Make(KeyState::Next)]);
        let late = key(KeyState::Next, PERIOD);
        let both = [active.clone(), late.clone()];
        assert_eq!(steps(&both, PERIOD + PUBLISHED - 1), []);
        let turn = Step::Turn { from: active.id, to: late.id };
        assert_eq!(steps(&both, PERIOD + PUBLISHED), [turn]);
        let early = [active, key(KeyState::Next, PERIOD - AHEAD)];
        assert_eq!(steps(&early, PERIOD - 1), [], "not before the period is over");
    }

    #[test]
    fn a_retired_key_is_destroyed_when_nothing_it_signed_can_be_good() {
        let keys = [key(KeyState::Active, 0), key(KeyState::Retired, 0)];
        assert_eq!(steps(&keys, RETIRED - 1), []);
        assert!(keys[1].verifies(RETIRED - 1) && !keys[1].verifies(RETIRED));
        assert_eq!(steps(&keys, RETIRED), [Step::Destroy(keys[1].id)]);
    }
}
