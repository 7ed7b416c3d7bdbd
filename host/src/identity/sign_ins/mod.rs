//! What happens at an organization's door: every event of authentication, and of whom a second factor is demanded.
//!
//! An event is written in the transaction that brings it about, or, when there is none, by one `INSERT` before the answer.
//! Rows are never changed. They are kept for [`KEPT`], failures [`MOST_FAILURES`] at most, so that nobody fills a disk by
//! guessing. No secret is in them; of an address that nobody has only a keyed hash. `event.rs` has the types, `store.rs`
//! the SQL, `demand.rs` who needs a second factor.

mod demand;
mod event;
mod store;

#[cfg(test)]
mod tests;

use crate::caller::Caller;
use crate::clock::UnixMillis;
use crate::identity::{Identity, IdentityError, secret};
use crate::ids::{OrganizationId, PrincipalId};
use crate::storage::{Connection, StorageError};

pub use demand::Demand;
pub use event::{EventKind, SignIn, SignInFilter};

pub(in crate::identity) use demand::{Asked, asked};
pub(in crate::identity) use event::Event;

/// How long an event is kept, in milliseconds: half a year.
const KEPT: UnixMillis = 180 * 24 * 3_600_000;

/// Failures that are kept at most.
const MOST_FAILURES: i64 = 100_000;

impl Identity {
    /// At most `limit` events, the newest first, older than the one with the number `before`.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn sign_ins(
        &self,
        organization: OrganizationId,
        filter: &SignInFilter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<SignIn>, IdentityError> {
        self.read(organization, |connection| Ok(store::list(connection, filter, before, limit)?))
    }

    /// Writes events down that no other change brings about. What was done is done: a file that fails is logged.
    pub(in crate::identity) async fn journal(&self, organization: OrganizationId, events: Vec<Event>) {
        let now = self.clock.now();
        let written = self.note(organization, move |connection| {
            events.iter().try_for_each(|event| record(connection, event, now)).map_err(Into::into)
        });
        if let Err(error) = written.await {
            tracing::error!(%error, %organization, "events of signing in were not written down");
        }
    }

    /// What stands in an event for an address that nobody has.
    pub(in crate::identity) fn stranger(&self, organization: OrganizationId, key: &str) -> Option<[u8; 32]> {
        let named = [b"stranger:", key.as_bytes()].concat();
        secret::keyed_hash(&self.peppers.session, organization.as_bytes(), &named).ok()
    }
}

/// Writes an event down within a change.
pub(in crate::identity) fn record(
    connection: &Connection,
    event: &Event,
    now: UnixMillis,
) -> Result<(), StorageError> {
    store::insert(connection, event, now)?;
    store::forget(connection, now.saturating_sub(KEPT), MOST_FAILURES)
}

/// What somebody did to their own way in, or to that of somebody else.
pub(in crate::identity) fn deed(kind: EventKind, by: &Caller, of: PrincipalId) -> Event {
    let event = Event::new(kind).of(of);
    if by.principal.id == of { event } else { event.by(by.principal.id) }
}
