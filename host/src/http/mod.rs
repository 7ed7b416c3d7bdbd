//! The REST API, on poem and nowhere else: who is asked, who asks, one file per resource, problems for every refusal.
//!
//! Four listeners, all on `server.rs` (connections) and `framing/` (where requests begin and end). The public one is
//! [`public`]: `edge.rs` (request ids, panics, headers) around `plane.rs` (organization, bearer, which part answers; with
//! `gate.rs`: host names, origins, limits) around `resources/` (the host's own), `gateway/` (plugins), `openapi.rs` and `docs.rs`.
//! The operator's machines ask [`operations`] (`ops.rs`), the command line asks [`operator::routes`] over a local socket;
//! those who run the installation ask [`platform::routes`].
//!
//! Reading order: `problem.rs`, `address.rs`, `plane.rs`, `access.rs`, then one resource, such as `resources/teams.rs`.

pub mod access;
pub mod address;
pub mod answer;
pub mod aside;
pub mod body;
pub mod browser;
pub mod callback;
pub mod cors;
pub mod docs;
pub mod edge;
pub mod errors;
pub mod framing;
pub mod gate;
pub mod gateway;
pub mod input;
pub mod metrics;
pub mod mutated;
pub mod oauth;
pub mod openapi;
pub mod operator;
pub mod ops;
pub mod plane;
pub mod platform;
pub mod problem;
pub mod proxy;
pub mod query;
pub mod rates;
pub mod request;
pub mod resources;
pub mod server;
pub mod terms;

#[cfg(test)]
mod tests;

use poem::Response;
use poem::endpoint::Endpoint;

use crate::app::App;

pub use self::metrics::Metrics;
pub use self::plane::Site;
pub use self::problem::{Fault, Problem};

/// The public API of every organization.
///
/// # Errors
/// When the host's own API document is not what `openapi.rs` expects; a test holds that it is.
pub fn public(
    app: App,
    site: Site,
    metrics: Metrics,
) -> Result<impl Endpoint<Output = Response> + 'static, serde_json::Error> {
    Ok(edge::guarded(plane::Plane::new(app, site)?, metrics))
}

/// The listener for the operator's machines.
pub fn operations(app: App, metrics: Metrics) -> impl Endpoint<Output = Response> + 'static {
    ops::routes(app, metrics)
}
