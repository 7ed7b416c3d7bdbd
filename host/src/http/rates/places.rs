//! Requests of one organization that are served at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::class::Pool;

/// The requests of an organization that are being served.
#[derive(Default)]
pub(super) struct Flights {
    people: AtomicU32,
    programs: AtomicU32,
}

/// A place among the requests of the organization that are being served, until it is dropped.
pub struct Place(Arc<Flights>, Pool);

impl Place {
    /// One of `most`, unless all are taken. Programs together get three quarters, so that people always find one.
    pub(super) fn take(flights: Arc<Flights>, pool: Pool, most: u32) -> Option<Self> {
        flights.of(pool).fetch_add(1, Ordering::Relaxed);
        // Dropped where there is no room, which gives it back.
        let place = Self(flights, pool);
        let most = most.max(1);
        let (people, programs) = place.0.counts();
        let room = people + programs <= most && (pool == Pool::Interactive || programs <= most - most / 4);
        room.then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.of(self.1).fetch_sub(1, Ordering::Relaxed);
    }
}

impl Flights {
    /// Of people, and of programs.
    pub(super) fn counts(&self) -> (u32, u32) {
        (self.people.load(Ordering::Relaxed), self.programs.load(Ordering::Relaxed))
    }

    const fn of(&self, pool: Pool) -> &AtomicU32 {
        match pool {
            Pool::Interactive => &self.people,
            Pool::Integration => &self.programs,
        }
    }
}
