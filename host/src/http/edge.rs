//! The outermost layer of every listener: request id, panics, counters, problems, headers of the browser's guard.

use std::time::Instant;

use poem::endpoint::Endpoint;
use poem::http::{HeaderMap, HeaderName, HeaderValue, header};
use poem::middleware::CatchPanic;
use poem::{EndpointExt, Request, Response};

use crate::http::framing::Refusal;
use crate::http::metrics::Metrics;
use crate::http::{errors, request};
use crate::ids::RequestId;

/// The header that carries the request's id in both directions.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a page or an answer may do in a browser, unless it says otherwise: nothing.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// What of a device a page may use: nothing.
const NO_DEVICES: &str = "accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), \
                          fullscreen=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), \
                          payment=(), publickey-credentials-get=(self), usb=(), xr-spatial-tracking=()";

/// The most of an address that is logged.
const LOGGED: usize = 256;

/// The class of routes that an answer belongs to, for the counters. Set on the response by whoever routes.
#[derive(Clone, Copy, Debug)]
pub struct RouteClass(pub &'static str);

/// Wraps `inner`: the result never fails and never panics.
pub fn guarded(
    inner: impl Endpoint + 'static,
    metrics: Metrics,
) -> impl Endpoint<Output = Response> + 'static {
    let inner = inner.map_to_response().with(CatchPanic::new().with_handler(errors::panicked));
    Edge { inner: inner.map_to_response(), metrics }
}

struct Edge<E> {
    inner: E,
    metrics: Metrics,
}

impl<E: Endpoint<Output = Response>> Endpoint for Edge<E> {
    type Output = Response;

    async fn call(&self, mut incoming: Request) -> poem::Result<Response> {
        let (id, started, _in_flight) =
            (request_id(incoming.headers()), Instant::now(), self.metrics.request());
        incoming.set_data(id);
        let (method, path) = (incoming.method().clone(), incoming.uri().path().to_owned());
        let mut response = request::serving(id, async {
            if let Some(refusal) = Refusal::of(incoming.headers()) {
                return refusal.problem().response();
            }
            match self.inner.call(incoming).await {
                Ok(response) => errors::checked(response),
                Err(error) => errors::answer(error),
            }
        })
        .await;
        let class = response.data::<RouteClass>().map_or("other", |class| class.0);
        let (status, took) = (response.status().as_u16(), started.elapsed());
        self.metrics.served(class, status, took);
        if status == 429 {
            self.metrics.limited();
        }
        let path: String = path.chars().take(LOGGED).collect();
        tracing::debug!(request = %id, %method, path, status, micros = took.as_micros(), "served");
        set_headers(response.headers_mut(), id);
        Ok(response)
    }
}

/// The client's id when it is one of ours in shape, else a new one: it ends up in logs and in files.
fn request_id(headers: &HeaderMap) -> RequestId {
    let given =
        headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    given.unwrap_or_else(RequestId::new)
}

fn set_headers(headers: &mut HeaderMap, id: RequestId) {
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(REQUEST_ID, value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    );
    headers.insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
    headers.insert(HeaderName::from_static("permissions-policy"), HeaderValue::from_static(NO_DEVICES));
    // A page of another origin may get another answer, or one with other headers.
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    for (name, value) in [(header::CONTENT_SECURITY_POLICY, POLICY), (header::CACHE_CONTROL, "no-store")] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use poem::endpoint::make_sync;
    use poem::http::StatusCode;

    use super::*;

    #[tokio::test]
    async fn every_answer_carries_the_request_id_and_the_guard_headers() {
        let edge = guarded(make_sync(|_| "hello"), Metrics::default());
        let id = RequestId::new();
        let response =
            edge.get_response(Request::builder().header("x-request-id", id.to_string()).finish()).await;
        assert_eq!(response.header("x-request-id"), Some(id.to_string().as_str()));
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(response.header("content-security-policy"), Some(POLICY));
        let response = edge.get_response(Request::builder().header("x-request-id", "a\"b").finish()).await;
        assert!(response.header("x-request-id").unwrap().parse::<RequestId>().is_ok());
    }

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        let metrics = Metrics::default();
        let edge = guarded(make_sync(|_| -> &'static str { panic!("on purpose") }), metrics.clone());
        let response = edge.get_response(Request::default()).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = response.into_body().into_string().await.unwrap();
        assert!(body.contains("\"code\":\"internal\"") && body.contains("request_id"), "{body}");
        assert!(metrics.render(0).contains("status=\"500\"} 1"));
    }
}
