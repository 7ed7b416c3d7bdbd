//! How much one caller, one organization and one stranger may ask for: token buckets (GCRA), charged by what a request costs.
//!
//! People, programs and the begin of long work draw from pools of their own, so that an integration cannot keep people
//! out; requests that are dear (reports, searches, exports, merges) draw from one more. Buckets live in memory, for this
//! process: what must outlive it (guessed passwords) is counted elsewhere.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dashmap::DashMap;
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use ipnet::IpNet;
use poem::http::{HeaderName, HeaderValue, Method, StatusCode};

use crate::caller::{Caller, PrincipalKind};
use crate::http::problem::Problem;
use crate::http::proxy::ClientAddress;
use crate::http::terms::{Limits, Rate};
use crate::ids::{OrganizationId, PrincipalId};

/// What is left, of the draft of the IETF's working group for HTTP APIs.
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// What there is, of the same draft.
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// A request is ten units, so that a row of many can be one.
const UNITS: u32 = 10;

/// Strangers' networks that are remembered at once; those beyond share one bucket.
const STRANGERS: usize = 65_536;

/// How often buckets that are full again are forgotten.
const SWEEP: Duration = Duration::from_secs(60);

type Bucketed = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// What a request costs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// One record, a page of them, a change.
    Plain,
    /// A figure over many records, words, a file of all of them.
    Heavy,
    /// Many changes: charged by the row once they are counted.
    Bulk,
    /// The begin of work that outlives the request.
    Job,
}

impl Class {
    /// The class of an address below the organization.
    #[must_use]
    pub fn of(method: &Method, path: &str) -> Self {
        let rest = path.strip_prefix("/api/v1/").unwrap_or_default();
        let segments: Vec<&str> = rest.split('/').collect();
        match segments.as_slice() {
            ["imports" | "duplicates" | "exports", ..] if *method == Method::POST => Self::Job,
            ["search", ..] | ["authz", "explain", ..] | [_, "reports", _] => Self::Heavy,
            [_, _, "search" | "export" | "duplicates" | "merge"] => Self::Heavy,
            ["bulk"] | [_, _, "bulk"] if *method == Method::POST => Self::Bulk,
            _ => Self::Plain,
        }
    }

    const fn units(self) -> u32 {
        match self {
            Self::Plain | Self::Bulk => UNITS,
            Self::Heavy | Self::Job => 10 * UNITS,
        }
    }
}

/// Whose bucket.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Key {
    Principal(OrganizationId, PrincipalId),
    Organization(OrganizationId, Pool),
    Heavy(OrganizationId, Pool),
    Jobs(OrganizationId),
}

/// Who draws from the same buckets.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Pool {
    /// People.
    Interactive,
    /// Keys and service accounts.
    Integration,
}

impl Pool {
    const fn of(kind: PrincipalKind) -> Self {
        match kind {
            PrincipalKind::User | PrincipalKind::Platform => Self::Interactive,
            _ => Self::Integration,
        }
    }

    /// As it is told.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Integration => "integration",
        }
    }
}

struct Bucket {
    rate: Rate,
    limiter: Bucketed,
    /// Seconds since the start of [`Rates`], when it was last drawn from.
    used: AtomicU64,
}

/// What is left in a bucket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Left {
    /// Requests of the plain kind.
    pub remaining: u32,
    /// Seconds until it is full.
    pub reset: u32,
}

/// The requests of an organization that are being served.
#[derive(Default)]
struct Flights {
    people: AtomicU32,
    programs: AtomicU32,
}

/// Every bucket of the process. Cheap to clone.
#[derive(Clone)]
pub struct Rates(Arc<Inner>);

struct Inner {
    clock: DefaultClock,
    started: Instant,
    buckets: DashMap<Key, Bucket>,
    strangers: DashMap<IpNet, Bucket>,
    stranger: Rate,
    swept: AtomicU64,
    flights: DashMap<OrganizationId, Arc<Flights>>,
}

/// A place among the requests of the organization that are being served, until it is dropped.
pub struct Place(Arc<Flights>, Pool);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.of(self.1).fetch_sub(1, Ordering::Relaxed);
    }
}

impl Flights {
    const fn of(&self, pool: Pool) -> &AtomicU32 {
        match pool {
            Pool::Interactive => &self.people,
            Pool::Integration => &self.programs,
        }
    }
}

/// Where a request draws from, as data of the request.
#[derive(Clone)]
pub struct Meter {
    rates: Rates,
    limits: Arc<Limits>,
    organization: OrganizationId,
    principal: PrincipalId,
    /// Its pool.
    pub pool: Pool,
}

impl Rates {
    /// Empty, with this rate for each stranger.
    #[must_use]
    pub fn new(stranger: Rate) -> Self {
        Self(Arc::new(Inner {
            clock: DefaultClock::default(),
            started: Instant::now(),
            buckets: DashMap::new(),
            strangers: DashMap::new(),
            stranger,
            swept: AtomicU64::new(0),
            flights: DashMap::new(),
        }))
    }

    /// Forgets what is full again, from time to time, until nobody holds the rates.
    pub fn keep_small(&self) {
        let inner = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SWEEP).await;
                let Some(inner) = inner.upgrade() else { return };
                inner.sweep();
            }
        });
    }

    /// Where this caller draws from.
    #[must_use]
    pub fn meter(&self, limits: &Arc<Limits>, caller: &Caller) -> Meter {
        Meter {
            rates: self.clone(),
            limits: Arc::clone(limits),
            organization: caller.organization,
            principal: caller.principal.id,
            pool: Pool::of(caller.principal.kind),
        }
    }

    /// Charges one request to a client without a valid credential.
    ///
    /// # Errors
    /// 429.
    pub fn stranger(&self, client: ClientAddress) -> Result<(), Problem> {
        let inner = &self.0;
        let mut network = client.network(32, 64);
        if inner.strangers.len() >= STRANGERS && !inner.strangers.contains_key(&network) {
            inner.sweep_at_most_once_a_second();
            if inner.strangers.len() >= STRANGERS {
                network = IpNet::from(IpAddr::V4(Ipv4Addr::BROADCAST));
            }
        }
        let taken = inner.take(&inner.strangers, network, inner.stranger, UNITS);
        taken.map(drop).map_err(|wait| limited("address", wait))
    }
}

impl Inner {
    fn now(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    /// Draws `units`, or says how long to wait.
    fn take<K: Copy + Eq + std::hash::Hash>(
        &self,
        table: &DashMap<K, Bucket>,
        key: K,
        rate: Rate,
        units: u32,
    ) -> Result<Left, Duration> {
        if let Some(bucket) = table.get(&key).filter(|bucket| bucket.rate == rate) {
            return self.draw(&bucket, units);
        }
        let bucket = Bucket {
            rate,
            limiter: RateLimiter::direct_with_clock(quota(rate), self.clock.clone()).with_middleware(),
            used: AtomicU64::new(0),
        };
        let drawn = self.draw(&bucket, units);
        table.insert(key, bucket);
        drawn
    }

    fn draw(&self, bucket: &Bucket, units: u32) -> Result<Left, Duration> {
        bucket.used.store(self.now(), Ordering::Relaxed);
        // What costs more than there can ever be is charged as all that there can be.
        let most = bucket.rate.burst.saturating_mul(UNITS).max(1);
        let units = NonZeroU32::new(units.min(most)).unwrap_or(NonZeroU32::MIN);
        match bucket.limiter.check_n(units) {
            Ok(Ok(state)) => {
                let remaining = state.remaining_burst_capacity() / UNITS;
                let missing = bucket.rate.burst.saturating_sub(remaining);
                Ok(Left { remaining, reset: missing.div_ceil(bucket.rate.per_second.max(1)) })
            }
            Ok(Err(until)) => Err(until.wait_time_from(self.clock.now())),
            Err(_) => Err(Duration::from_secs(1)),
        }
    }

    fn sweep(&self) {
        let now = self.now();
        let idle = |bucket: &Bucket| {
            let refill = u64::from(bucket.rate.burst / bucket.rate.per_second.max(1)) + 1;
            now.saturating_sub(bucket.used.load(Ordering::Relaxed)) > refill
        };
        self.buckets.retain(|_, bucket| !idle(bucket));
        self.strangers.retain(|_, bucket| !idle(bucket));
        self.flights.retain(|_, flights| Arc::strong_count(flights) > 1);
    }

    fn sweep_at_most_once_a_second(&self) {
        let now = self.now();
        if self.swept.swap(now, Ordering::Relaxed) != now {
            self.sweep();
        }
    }
}

impl Meter {
    /// Charges a request of this class to everybody who pays for it, and takes a place.
    ///
    /// # Errors
    /// 429.
    pub fn admit(&self, class: Class) -> Result<(Place, Left), Problem> {
        let place = self.place()?;
        let units = class.units();
        let own = self.draw(Key::Principal(self.organization, self.principal), self.own_rate(), units);
        let left = own.map_err(|wait| limited("principal", wait))?;
        let all = self.draw(Key::Organization(self.organization, self.pool), self.limits.organization, units);
        all.map_err(|wait| limited("organization", wait))?;
        match class {
            Class::Heavy => {
                let key = Key::Heavy(self.organization, self.pool);
                self.draw(key, self.limits.heavy, UNITS).map_err(|wait| limited("heavy", wait))?;
            }
            Class::Job => {
                let key = Key::Jobs(self.organization);
                self.draw(key, self.limits.jobs, UNITS).map_err(|wait| limited("jobs", wait))?;
            }
            Class::Plain | Class::Bulk => {}
        }
        Ok((place, left))
    }

    /// Charges the rows of a request of many changes, a tenth of a request each.
    ///
    /// # Errors
    /// 429.
    pub fn rows(&self, count: usize) -> Result<(), Problem> {
        let units = u32::try_from(count).unwrap_or(u32::MAX);
        let own = self.draw(Key::Principal(self.organization, self.principal), self.own_rate(), units);
        own.map_err(|wait| limited("principal", wait))?;
        let all = self.draw(Key::Organization(self.organization, self.pool), self.limits.organization, units);
        all.map(drop).map_err(|wait| limited("organization", wait))
    }

    /// What is left, bucket by bucket, with its rate. Looking costs a tenth of a request in each.
    #[must_use]
    pub fn left(&self) -> Vec<(&'static str, Rate, Left)> {
        let buckets = [
            ("principal", Key::Principal(self.organization, self.principal), self.own_rate()),
            ("organization", Key::Organization(self.organization, self.pool), self.limits.organization),
            ("heavy", Key::Heavy(self.organization, self.pool), self.limits.heavy),
            ("jobs", Key::Jobs(self.organization), self.limits.jobs),
        ];
        let left = |wait: Duration| Left { remaining: 0, reset: seconds(wait) };
        let rows = buckets.into_iter();
        rows.map(|(name, key, rate)| (name, rate, self.draw(key, rate, 1).unwrap_or_else(left))).collect()
    }

    /// How many requests of the organization are being served now, and how many may be.
    #[must_use]
    pub fn at_once(&self) -> (u32, u32) {
        let flights = self.rates.0.flights.get(&self.organization);
        let now = flights.map_or(0, |flights| {
            flights.people.load(Ordering::Relaxed) + flights.programs.load(Ordering::Relaxed)
        });
        (now, self.limits.at_once)
    }

    /// The limits that hold here.
    #[must_use]
    pub const fn limits(&self) -> &Arc<Limits> {
        &self.limits
    }

    /// The headers of an answer whose request left this.
    #[must_use]
    pub fn headers(&self, left: Left) -> [(HeaderName, HeaderValue); 2] {
        let (mut limit, mut policy) = (String::with_capacity(32), String::with_capacity(32));
        let rate = self.own_rate();
        let window = rate.burst.div_ceil(rate.per_second.max(1));
        // Writing to a string cannot fail.
        let _ = write!(limit, "\"principal\";r={};t={}", left.remaining, left.reset);
        let _ = write!(policy, "\"principal\";q={};w={window}", rate.burst);
        let value = |text: String| HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""));
        [(RATE_LIMIT, value(limit)), (RATE_LIMIT_POLICY, value(policy))]
    }

    fn own_rate(&self) -> Rate {
        match self.pool {
            Pool::Interactive => self.limits.person,
            Pool::Integration => self.limits.program,
        }
    }

    fn draw(&self, key: Key, rate: Rate, units: u32) -> Result<Left, Duration> {
        let inner = &self.rates.0;
        inner.take(&inner.buckets, key, rate, units)
    }

    /// Programs together get three quarters of the places, so that people always find one.
    fn place(&self) -> Result<Place, Problem> {
        let table = &self.rates.0.flights;
        let known = table.get(&self.organization).map(|flights| Arc::clone(&flights));
        let flights = known.unwrap_or_else(|| Arc::clone(&table.entry(self.organization).or_default()));
        let most = self.limits.at_once.max(1);
        let programs = flights.programs.load(Ordering::Relaxed);
        let all = programs + flights.people.load(Ordering::Relaxed);
        let room = match self.pool {
            Pool::Interactive => all < most,
            Pool::Integration => all < most && programs < (most - most / 4),
        };
        if !room {
            return Err(limited("at_once", Duration::from_secs(1)));
        }
        flights.of(self.pool).fetch_add(1, Ordering::Relaxed);
        Ok(Place(flights, self.pool))
    }
}

/// So many units come back each second, and so many there can be.
fn quota(rate: Rate) -> Quota {
    let units = |count: u32| NonZeroU32::new(count.saturating_mul(UNITS)).unwrap_or(NonZeroU32::MIN);
    Quota::per_second(units(rate.per_second)).allow_burst(units(rate.burst))
}

fn seconds(wait: Duration) -> u32 {
    u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1)
}

/// 429: which bucket is empty, and when to come back.
fn limited(what: &'static str, wait: Duration) -> Problem {
    let seconds = seconds(wait);
    let detail = match what {
        "address" => "Too many requests without a valid credential came from your network.",
        "principal" => "You have sent too many requests.",
        "at_once" => "Too many requests of this organization are being served at once.",
        "heavy" => "Too many reports, searches, exports and merges were asked for in this organization.",
        "jobs" => "Too much long work was begun in this organization.",
        _ => "Too many requests were sent in this organization.",
    };
    let item = format!("\"{what}\";r=0;t={seconds}");
    let value = HeaderValue::from_str(&item).unwrap_or(HeaderValue::from_static(""));
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail)
        .with_extra("limit", what)
        .with_retry_after(u64::from(seconds))
        .with_header(RATE_LIMIT, value)
}
