//! The one shape of every refusal and failure: RFC 9457 `application/problem+json`.
//!
//! A [`Problem`] is what handlers return as their error; poem renders it through [`ResponseError`], the OpenAPI document
//! learns of it through [`ApiResponse`]. The cause of a failure of ours goes to the log once, with the request's id, and
//! never into the body.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::ops::{Deref, DerefMut};

use poem::error::ResponseError;
use poem::http::{HeaderName, HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::payload::{Json, Payload};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, Object};
use serde_json::{Map, Value, json};

use crate::http::request;

/// The media type of a problem.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// What is wrong with one place of the input.
#[derive(Clone, Debug, Eq, Object, PartialEq)]
#[oai(rename = "ProblemFault")]
pub struct Fault {
    /// Where: a JSON pointer into the body (`/amount`), or the name of a query parameter.
    pub pointer: String,
    /// Stable, snake case.
    pub code: String,
    /// One sentence for people.
    pub detail: String,
}

impl Fault {
    /// A fault at `pointer`.
    #[must_use]
    pub fn new(pointer: impl Into<String>, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code: code.into(), detail: sentence(detail.into()) }
    }
}

/// Why a request was not served.
#[derive(Object)]
#[oai(rename = "Problem")]
struct ProblemBody {
    /// A relative address made of the code, `/problems/{code}`.
    #[oai(rename = "type")]
    kind: String,
    /// The code in words.
    title: String,
    /// The status of the answer.
    status: u16,
    /// What is wrong this time.
    detail: String,
    /// Stable, snake case: what programs compare.
    code: String,
    /// The request, as in `X-Request-Id`; say it when you ask for help.
    request_id: Option<String>,
    /// All failures of the input that could be found at once.
    errors: Option<Vec<Fault>>,
}

/// The parts of a [`Problem`].
#[derive(Clone, Debug)]
pub struct Parts {
    /// 4xx: the caller can do something about it; 5xx: only we can.
    pub status: StatusCode,
    /// Stable, snake case.
    pub code: Cow<'static, str>,
    /// Short and the same for every problem of this code.
    pub title: String,
    /// One or two sentences about this occurrence.
    pub detail: String,
    /// All failures of the input.
    pub errors: Vec<Fault>,
    /// Further members of the body.
    pub extra: Map<String, Value>,
    /// Seconds, for 429 and 503.
    pub retry_after: Option<u64>,
    /// Further headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// A refusal or a failure. Small to move: the parts are boxed.
#[derive(Clone, Debug)]
pub struct Problem(Box<Parts>);

impl Problem {
    /// A problem whose title is its code in words.
    #[must_use]
    pub fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        let code = code.into();
        Self(Box::new(Parts {
            status,
            title: title(&code),
            code,
            detail: sentence(detail.into()),
            errors: Vec::new(),
            extra: Map::new(),
            retry_after: None,
            headers: Vec::new(),
        }))
    }

    /// 400: the request is not well formed.
    #[must_use]
    pub fn malformed(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 401, the same for every cause.
    #[must_use]
    pub fn unauthenticated() -> Self {
        let mut problem = Self::new(
            StatusCode::UNAUTHORIZED,
            "invalid_token",
            "A valid bearer token or API key is needed.",
        );
        problem.headers.push((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        problem
    }

    /// 403: the caller may know of it, not do it.
    #[must_use]
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// 404: there is none, or the caller may not know of it; which of both is never said.
    #[must_use]
    pub fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// 422 with every fault that was found.
    #[must_use]
    pub fn invalid(faults: Vec<Fault>) -> Self {
        let detail = match faults.as_slice() {
            [only] => only.detail.clone(),
            _ => format!("The input has {} faults; see `errors`.", faults.len()),
        };
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_failed", detail).with_faults(faults)
    }

    /// 503: come back in `seconds`.
    #[must_use]
    pub fn busy(code: &'static str, detail: impl Into<String>, seconds: u64) -> Self {
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail);
        problem.retry_after = Some(seconds);
        problem
    }

    /// 500. The chain of causes is logged here, once; the body says nothing of it.
    #[must_use]
    pub fn internal(cause: &dyn Error) -> Self {
        tracing::error!(error = %chain(cause), "request failed");
        Self::opaque()
    }

    /// 500 for a cause that is logged already.
    #[must_use]
    pub fn opaque() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something failed on our side. The operator finds it in the log under the request id.",
        )
    }

    /// With these faults of the input.
    #[must_use]
    pub fn with_faults(mut self, faults: Vec<Fault>) -> Self {
        self.errors = faults;
        self
    }

    /// With one more member in the body; the standard members cannot be replaced.
    #[must_use]
    pub fn with_extra(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.insert(name.into(), value.into());
        self
    }

    /// With one more header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// With `Retry-After`.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> Value {
        let mut body = self.extra.clone();
        body.insert("type".to_owned(), format!("/problems/{}", self.code).into());
        body.insert("title".to_owned(), self.title.clone().into());
        body.insert("status".to_owned(), self.status.as_u16().into());
        body.insert("detail".to_owned(), self.detail.clone().into());
        body.insert("code".to_owned(), self.code.clone().into());
        if let Some(id) = request::current() {
            body.insert("request_id".to_owned(), id.to_string().into());
        }
        if !self.errors.is_empty() {
            let errors = self.errors.iter();
            let errors = errors.map(|f| json!({"pointer": f.pointer, "code": f.code, "detail": f.detail}));
            body.insert("errors".to_owned(), errors.collect());
        }
        Value::Object(body)
    }

    /// The answer.
    #[must_use]
    pub fn response(&self) -> Response {
        let mut response = Response::builder()
            .status(self.status)
            .header(header::CONTENT_TYPE, CONTENT_TYPE)
            .header(header::CACHE_CONTROL, "no-store")
            .body(self.body().to_string());
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        for (name, value) in &self.headers {
            response.headers_mut().append(name.clone(), value.clone());
        }
        response
    }
}

impl Deref for Problem {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut Parts {
        &mut self.0
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status.as_u16(), self.code, self.detail)
    }
}

impl Error for Problem {}

impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        self.status
    }

    fn as_response(&self) -> Response {
        self.response()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.response()
    }
}

impl ApiResponse for Problem {
    fn meta() -> MetaResponses {
        let range = |range: &str, description| MetaResponse {
            description,
            status: None,
            status_range: Some(range.to_owned()),
            content: vec![MetaMediaType {
                content_type: CONTENT_TYPE,
                schema: <Json<ProblemBody> as Payload>::schema_ref(),
            }],
            headers: Vec::new(),
        };
        MetaResponses {
            responses: vec![
                range("4XX", "Refused: the caller can do something about it."),
                range("5XX", "Failed: only we can."),
            ],
        }
    }

    fn register(registry: &mut Registry) {
        ProblemBody::register(registry);
    }
}

/// An error and its causes in one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Errors of the domain are fragments for a chain; people read sentences.
fn sentence(text: String) -> String {
    let mut letters = text.chars();
    let Some(first) = letters.next().filter(|first| first.is_lowercase()) else {
        return text;
    };
    let end = if text.ends_with(['.', '!', '?', ':', '`']) { "" } else { "." };
    first.to_uppercase().chain(letters).chain(end.chars()).collect()
}

/// `license_required` as "License required".
fn title(code: &str) -> String {
    let words = code.replace(['_', '.'], " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_what_is_wrong_in_the_members_of_rfc_9457() {
        let problem = Problem::invalid(vec![Fault::new("/name", "required", "`name` is required.")])
            .with_extra("allowed", vec!["a"])
            .with_extra("status", 200);
        assert_eq!(
            problem.body(),
            json!({
                "type": "/problems/validation_failed", "title": "Validation failed", "status": 422,
                "detail": "`name` is required.", "code": "validation_failed", "allowed": ["a"],
                "errors": [{"pointer": "/name", "code": "required", "detail": "`name` is required."}],
            })
        );
    }

    #[test]
    fn what_people_read_is_a_sentence() {
        assert_eq!(sentence("there is none".to_owned()), "There is none.");
        for kept in ["`x` is taken", "Already one.", "", "7 rows"] {
            assert_eq!(sentence(kept.to_owned()), kept);
        }
    }

    #[test]
    fn the_cause_of_a_failure_stays_out_of_the_body() {
        let cause = std::io::Error::other("disk /dev/sda1 is gone");
        let body = Problem::internal(&cause).body().to_string();
        assert!(!body.contains("sda1"), "{body}");
    }

    #[test]
    fn a_refusal_to_a_stranger_names_the_scheme() {
        let response = Problem::unauthenticated().into_response();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.header("www-authenticate"), Some("Bearer"));
        assert_eq!(response.content_type(), Some(CONTENT_TYPE));
    }
}
