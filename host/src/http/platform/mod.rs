//! The platform's plane: a listener of its own for those who run the installation, under `/admin`. Nothing of it is on the
//! organizations' listener and nothing of theirs is here.
//!
//! Every request that somebody made with a token, and every attempt to get in, is written into the platform's log here, in
//! one place, before it is answered: an operation cannot forget it.
//!
//! Reading order: this file, `access.rs` (who asks, and what their roles allow), `desk.rs`, `record.rs`, `resources/`.

mod access;
mod cookie;
mod desk;
mod error;
mod pages;
mod record;
mod resources;

use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use ipnet::IpNet;
use poem::endpoint::Endpoint;
use poem::http::{Method, StatusCode};
use poem::{Request, Response};
use poem_openapi::OpenApiService;

use crate::app::App;
use crate::http::address::{self, no_route};
use crate::http::edge::{self, RouteClass};
use crate::http::errors;
use crate::http::metrics::Metrics;
use crate::http::openapi::upgrade::upgrade;
use crate::http::plane::bearer;
use crate::http::problem::Problem;
use crate::http::proxy::{ClientAddress, TrustedProxies};
use crate::identity::IdentityError;
use crate::platform::{PlatformError, Signed};

pub(in crate::http) use self::desk::Desk;
use self::desk::not_allowed;
pub(in crate::http) use self::record::Acting;

/// Operations that need no token: ways in.
const OPEN: [&str; 4] =
    ["/admin/v1/claim", "/admin/v1/auth/sign-in", "/admin/v1/auth/token", "/admin/v1/invitations/accept"];

/// Attempts to get in that one network may make in a minute.
const ATTEMPTS: NonZeroU32 = NonZeroU32::MIN.saturating_add(119);

/// Networks that are remembered before those at rest are forgotten.
const NETWORKS: usize = 10_000;

/// The endpoint of the platform's listener, reached from outside at `origin`.
///
/// # Errors
/// When the plane's own API document cannot be read; a test holds that it can.
pub fn routes(
    app: &App,
    origin: &str,
    proxies: TrustedProxies,
    metrics: Metrics,
) -> Result<impl Endpoint<Output = Response> + 'static, serde_json::Error> {
    Ok(edge::guarded(Plane::new(app, origin, proxies)?, metrics))
}

/// The operations on plugins for the operator's socket: the same as here, without the way in.
pub(in crate::http) fn desk_of_plugins(app: &App) -> Desk {
    let service = OpenApiService::new(resources::of_plugins(app), "Plugins", env!("CARGO_PKG_VERSION"));
    Desk::of(app.platform.clone(), service)
}

struct Plane {
    desk: Arc<Desk>,
    proxies: TrustedProxies,
    document: Arc<str>,
    attempts: DefaultKeyedRateLimiter<IpNet>,
}

impl Plane {
    fn new(app: &App, origin: &str, proxies: TrustedProxies) -> Result<Self, serde_json::Error> {
        let platform = app.platform.clone().at(origin);
        let all = resources::all(app, &platform);
        let service = OpenApiService::new(all, "Stoa, the platform", env!("CARGO_PKG_VERSION")).description(
            "For those who run the installation: organizations, licences, administrators, the log.",
        );
        let mut document = serde_json::from_str(&service.spec())?;
        upgrade(&mut document);
        Ok(Self {
            desk: Desk::of(platform, service).into(),
            proxies,
            document: document.to_string().into(),
            attempts: RateLimiter::keyed(Quota::per_minute(ATTEMPTS)),
        })
    }

    /// What stands outside of the operations, or `None`.
    fn fixed(&self, request: &Request) -> Option<Result<Response, Problem>> {
        let path = request.uri().path();
        if !pages::serves(path) {
            return None;
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Some(Err(not_allowed("GET, HEAD")));
        }
        Some(pages::at(path, &self.document))
    }

    async fn signed(&self, request: &Request) -> Result<Signed, Problem> {
        let bearer = bearer(request.headers()).ok_or_else(Problem::unauthenticated)?;
        self.desk.platform.authenticate(bearer).await.map_err(|error| match error {
            PlatformError::Identity(IdentityError::InvalidToken) => Problem::unauthenticated(),
            other => Problem::internal(&other),
        })
    }

    /// Slows strangers down by their network, and lets no other site's page send people's browsers in.
    fn admit(&self, request: &Request, from: ClientAddress) -> Result<(), Problem> {
        cookie::same_site(request)?;
        if self.attempts.len() > NETWORKS {
            self.attempts.retain_recent();
        }
        self.attempts.check_key(&from.network(32, 64)).map_err(|until| {
            let seconds = until.wait_time_from(DefaultClock::default().now()).as_secs() + 1;
            let detail = "There were too many attempts from this network.";
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "throttled", detail).with_retry_after(seconds)
        })
    }

    async fn serve(&self, mut request: Request, from: ClientAddress) -> poem::Result<Response> {
        let operation = self.desk.operation(&request)?;
        let acting = Acting::default();
        if OPEN.contains(&request.uri().path()) {
            self.admit(&request, from)?;
        } else {
            let signed = self.signed(&request).await?;
            acting.is(&signed.admin);
            request.set_data(signed);
        }
        request.set_data(from);
        self.desk.serve(operation, request, (acting, &from.0.to_string())).await
    }
}

impl Endpoint for Plane {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        address::host(&request)?;
        if !address::canonical(request.uri().path()) {
            return Err(no_route().into());
        }
        if let Some(answer) = self.fixed(&request) {
            return Ok(answer?);
        }
        let from = self.proxies.client(&request);
        let mut response = match self.serve(request, from).await {
            Ok(response) => response,
            Err(error) => errors::answer(error),
        };
        response.set_data(RouteClass("platform"));
        Ok(response)
    }
}
