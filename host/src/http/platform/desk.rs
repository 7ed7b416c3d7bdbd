//! The operations themselves, for whoever was let in: what a request to them may bring, and the log of what became of it.

use std::sync::Arc;

use poem::endpoint::{BoxEndpoint, Endpoint};
use poem::http::{HeaderValue, StatusCode, header};
use poem::{EndpointExt, IntoEndpoint, Request, Response};
use poem_openapi::{OpenApi, OpenApiService};
use tracing::Instrument as _;

use crate::http::address::no_route;
use crate::http::body;
use crate::http::problem::Problem;
use crate::http::query::QueryTable;
use crate::http::request;
use crate::ids::RequestId;
use crate::platform::Platform;
use crate::plugins::LARGEST;

use super::record::{Acting, Operation, Operations};

/// Where packages come in.
const PACKAGES: &str = "/admin/v1/plugins";

/// Some of the plane's operations.
pub(in crate::http) struct Desk {
    pub(super) platform: Platform,
    operations: Operations,
    queries: QueryTable,
    resources: BoxEndpoint<'static>,
}

impl Desk {
    /// A desk that serves the operations of `service`.
    pub(super) fn of<T: OpenApi + 'static>(platform: Platform, service: OpenApiService<T, ()>) -> Self {
        Self {
            platform,
            operations: Operations::of::<T>(),
            queries: QueryTable::of::<T>(),
            resources: service.into_endpoint().map_to_response().boxed(),
        }
    }

    /// The operation that is asked for.
    pub(in crate::http) fn operation(&self, request: &Request) -> Result<&Operation, Problem> {
        let path = request.uri().path();
        self.operations.find(request.method(), path).ok_or_else(|| {
            let allowed = self.operations.methods(path);
            if allowed.is_empty() { no_route() } else { not_allowed(&allowed) }
        })
    }

    /// Serves the request, and writes down who asked from where and what became of it. Both to the end, also when nobody waits
    /// for the answer any more: a plugin must not be left half installed, nor a step unrecorded.
    pub(in crate::http) async fn serve(
        self: &Arc<Self>,
        operation: &Operation,
        request: Request,
        (acting, address): (Acting, &str),
    ) -> poem::Result<Response> {
        let (desk, operation, address) = (Arc::clone(self), operation.clone(), address.to_owned());
        let id = request::current().unwrap_or_else(RequestId::new);
        let work = async move { desk.done(&operation, request, (acting, &address)).await };
        let served = tokio::spawn(request::serving(id, work.in_current_span())).await;
        served.map_err(|error| Problem::internal(&error))?
    }

    async fn done(
        &self,
        operation: &Operation,
        mut request: Request,
        (acting, address): (Acting, &str),
    ) -> poem::Result<Response> {
        let path = request.uri().path().to_owned();
        request.set_data(acting.clone());
        let answer = match self.checked(&mut request) {
            Ok(()) => self.resources.call(request).await,
            Err(problem) => Err(problem.into()),
        };
        self.record(operation, &path, address, &acting, &answer).await?;
        answer
    }

    fn checked(&self, request: &mut Request) -> Result<(), Problem> {
        let package = request.uri().path() == PACKAGES;
        body::bound(request, if package { LARGEST } else { body::LIMIT })?;
        self.queries.check(request)
    }
}

/// 405.
pub(super) fn not_allowed(methods: &str) -> Problem {
    let detail = "This address does not serve this method.";
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
    match HeaderValue::from_str(methods) {
        Ok(allow) => problem.with_header(header::ALLOW, allow),
        Err(_) => problem,
    }
}
