//! The platform's own plane: who runs the installation. Administrators live in the control database and nowhere in an
//! organization; their tokens come from an issuer of their own, with a key and an audience of its own, so a token of an
//! organization is none here and the reverse.
//!
//! The first administrator is made with a one-time code, further ones by invitation (`admins/`). Everybody needs a second
//! factor before anything else (`sessions/`); roles say who may do what (`role.rs`); what was done and who was refused is
//! kept in a log that only grows (`events/`).
//!
//! Reading order: `role.rs`, `admins/`, `sessions/`, `signing/`, `events/`.

mod admins;
mod error;
mod events;
mod role;
mod sessions;
mod signing;
mod store;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::identity::secret::{self, keyed_hash};
use crate::identity::{Attempt, Hasher, Identity, IdentityError, Throttle};
use crate::ids::OrganizationId;
use crate::storage::{ControlPlane, Secrets};

pub use admins::{Admin, AdminChange, AdminStatus, CLAIM, Claim, INVITATION, Invitation, NewAdmin};
pub use error::PlatformError;
pub use events::{Event, EventsPage, NewEvent, Outcome};
pub use role::{Area, OWNER, ROLES, Reach, covers, reach};
pub use sessions::{Enrolment, IDLE, LONGEST, Session, SignIn, Signed, SignedIn};
pub use signing::{AUDIENCE, LIFETIME, PlatformKey};

/// What stands where an organization's id would, in counters and hashes that are shared with organizations.
const NOBODYS: OrganizationId = OrganizationId::from_bytes([0; 16]);

/// Every operation of the platform's plane. Cheap to clone.
#[derive(Clone)]
pub struct Platform {
    control: ControlPlane,
    secrets: Secrets,
    clock: Clock,
    hasher: Hasher,
    throttle: Throttle,
    peppers: Arc<Peppers>,
    origin: Arc<str>,
}

/// The keys of the hashes, one per purpose.
struct Peppers {
    claim: Zeroizing<[u8; 32]>,
    invitation: Zeroizing<[u8; 32]>,
    session: Zeroizing<[u8; 32]>,
    recovery: Zeroizing<[u8; 32]>,
}

impl Platform {
    /// The plane over this control database. Passwords are hashed where those of organizations are.
    #[must_use]
    pub fn new(control: ControlPlane, secrets: Secrets, clock: Clock, identity: &Identity) -> Self {
        let key = |purpose| Zeroizing::new(secrets.key(purpose));
        let peppers = Peppers {
            claim: key("platform-claim-pepper"),
            invitation: key("platform-invitation-pepper"),
            session: key("platform-session-pepper"),
            recovery: key("platform-recovery-pepper"),
        };
        let throttle = Throttle::new(clock.clone());
        let hasher = identity.hasher();
        Self { control, secrets, clock, hasher, throttle, peppers: Arc::new(peppers), origin: "".into() }
    }

    /// The same, reached from outside at this origin: links and the issuer are made of it.
    #[must_use]
    pub fn at(self, origin: &str) -> Self {
        Self { origin: origin.into(), ..self }
    }

    /// The origin.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The issuer of the platform's tokens.
    #[must_use]
    pub fn issuer(&self) -> String {
        format!("{}/admin", self.origin)
    }

    /// Lets an attempt at this address's credentials through, or says how long to wait.
    fn attempt(&self, key: &str) -> Result<Attempt, IdentityError> {
        self.throttle.begin(NOBODYS, key)
    }
}

/// A secret that is shown once: a prefix that says what it is, and 256 random bits.
fn fresh(prefix: &str) -> Result<String, IdentityError> {
    Ok(format!("{prefix}{}", secret::encode(secret::random()?.as_slice())))
}

/// What is stored of it. Text that cannot be one has no hash.
fn hash_of(pepper: &[u8; 32], prefix: &str, text: &str) -> Result<Option<[u8; 32]>, IdentityError> {
    if text.len() > 128 || !text.starts_with(prefix) {
        return Ok(None);
    }
    keyed_hash(pepper, NOBODYS.as_bytes(), text.as_bytes()).map(Some)
}
