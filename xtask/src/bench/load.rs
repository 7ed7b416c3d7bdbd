//! Load on a server: threads with one keep-alive connection each, every answer's status checked.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use stoa_testkit::Connection;

use super::processor::Tree;
use crate::fault::Fault;

/// One kind of request, as bytes made for the n-th request of the run.
pub(super) struct Kind<'a> {
    pub(super) address: &'a str,
    pub(super) status: u16,
    pub(super) request: &'a (dyn Fn(u64) -> Vec<u8> + Sync),
}

/// What a round gave.
pub(super) struct Round {
    pub(super) completed: u64,
    pub(super) elapsed: Duration,
    pub(super) processor: Duration,
    /// Microseconds, sorted.
    latencies: Vec<u32>,
}

impl Round {
    /// A round of these latencies, in microseconds.
    pub(super) fn of(mut latencies: Vec<u32>, elapsed: Duration, processor: Duration) -> Self {
        latencies.sort_unstable();
        Self { completed: latencies.len() as u64, elapsed, processor, latencies }
    }

    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    pub(super) fn per_second(&self) -> f64 {
        self.completed as f64 / self.elapsed.as_secs_f64()
    }

    /// Server CPU per request, in microseconds.
    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    pub(super) fn cost(&self) -> f64 {
        self.processor.as_secs_f64() * 1e6 / (self.completed.max(1) as f64)
    }

    /// The latency that this share of the requests did not exceed, in milliseconds.
    pub(super) fn latency(&self, percent: usize) -> f64 {
        let at = (self.latencies.len() * percent / 100).min(self.latencies.len().saturating_sub(1));
        f64::from(self.latencies.get(at).copied().unwrap_or_default()) / 1e3
    }
}

/// Runs `connections` connections for `length`.
///
/// A refused request ends the round with its answer: a fast error is not a result.
pub(super) fn drive(
    kind: &Kind<'_>,
    connections: usize,
    length: Duration,
    tree: &Tree,
) -> Result<Round, Fault> {
    let counter = AtomicU64::new(0);
    let wrong = Mutex::new(None);
    let start = Barrier::new(connections + 1);
    let (latencies, elapsed, processor) = thread::scope(|scope| {
        let workers: Vec<_> = (0..connections)
            .map(|_| scope.spawn(|| worker(kind, length, &counter, &start, &wrong)))
            .collect();
        start.wait();
        let (before, began) = (tree.used(), Instant::now());
        let latencies: Vec<u32> =
            workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect();
        (latencies, began.elapsed(), tree.used().saturating_sub(before))
    });
    if let Ok(Some(wrong)) = wrong.into_inner() {
        return Err(Fault::new(wrong));
    }
    Ok(Round::of(latencies, elapsed, processor))
}

fn worker(
    kind: &Kind<'_>,
    length: Duration,
    counter: &AtomicU64,
    start: &Barrier,
    wrong: &Mutex<Option<String>>,
) -> Vec<u32> {
    let connection = Connection::open(kind.address);
    start.wait();
    let outcome = connection
        .map_err(|error| error.to_string())
        .and_then(|connection| repeat(kind, connection, Instant::now() + length, counter));
    outcome.unwrap_or_else(|reason| {
        if let Ok(mut wrong) = wrong.lock() {
            wrong.get_or_insert(reason);
        }
        Vec::new()
    })
}

fn repeat(
    kind: &Kind<'_>,
    mut connection: Connection,
    end: Instant,
    counter: &AtomicU64,
) -> Result<Vec<u32>, String> {
    let mut latencies = Vec::new();
    while Instant::now() < end {
        let request = (kind.request)(counter.fetch_add(1, Ordering::Relaxed));
        let began = Instant::now();
        let response = connection.exchange(&request).map_err(|error| error.to_string())?;
        latencies.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
        if response.status != kind.status {
            let line = String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned();
            return Err(format!("{line}: {} {}", response.status, String::from_utf8_lossy(&response.body)));
        }
        if response.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            connection = Connection::open(kind.address).map_err(|error| error.to_string())?;
        }
    }
    Ok(latencies)
}

/// Spreads consecutive numbers over a range in an order that looks like chance and repeats in every run.
pub(super) fn scattered(number: u64, range: usize) -> usize {
    let mixed = (number ^ (number >> 15)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    usize::try_from((mixed >> 20) % (range.max(1) as u64)).unwrap_or_default()
}
