//! Run a real Stoa host in a temporary folder and talk to it over HTTP, from a test.
//!
//! ```no_run
//! use serde_json::json;
//! use stoa_testkit::Host;
//!
//! let host = Host::start();
//! let acme = host.organization("acme", &["sales"]);
//! let account = acme.owner().post("/api/v1/crm/accounts", &json!({"name": "Initech"})).created();
//! acme.owner().get(&format!("/api/v1/crm/accounts/{}", account["id"].as_str().unwrap())).ok();
//! ```
//!
//! The binary is the one named by the environment variable `STOA_BIN`, else `debug/stoa` in the target folder, else the one on
//! the path; Stoa's own `cargo xtask test` builds it and sets the variable. `stoa plugin test` sets it too, and gives every host the
//! package that it has just built. [`Setup::at`] gives a host a clock that only [`Host::advance`] moves. Nothing is shared between two hosts: each has its own
//! folder, its own ports, and is killed when the [`Host`] is dropped.
//!
//! A test kit reports by failing the test, so its methods panic with the request and the answer in the message
//! instead of returning errors.
//!
//! Reading order: `host.rs` (the process), `organization.rs` (who calls), `client.rs` (a call), `answer.rs` (what came back),
//! `wire.rs` (HTTP/1.1 over a socket, small enough to also drive load).
#![warn(missing_docs)]
#![expect(clippy::indexing_slicing, clippy::panic, reason = "a test kit reports by failing the test")]

mod answer;
mod client;
mod host;
mod organization;
mod ports;
mod wire;

pub use answer::Answer;
pub use client::{Call, Client, Part};
pub use host::{Finished, Host, Setup};
pub use organization::Organization;
pub use wire::{Connection, Response, encode};

use std::time::{Duration, Instant};

/// Waits until `fact` holds, asking every few milliseconds; fails the test after `limit`.
///
/// # Panics
/// When the fact does not hold in time.
pub fn wait_for<T>(what: &str, limit: Duration, mut fact: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = fact() {
            return found;
        }
        assert!(started.elapsed() < limit, "waited {} s in vain for: {what}", limit.as_secs());
        std::thread::sleep(Duration::from_millis(5));
    }
}
