//! What poem itself refuses, in our words: its own texts quote parsers and types, so none of them leaves the house.

use std::any::Any;

use poem::error::{
    MethodNotAllowedError, NotFoundError, ParseMultipartError, ParsePathError as PoemPathError,
    ParseQueryError, ReadBodyError,
};
use poem::http::{StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::error::{ContentTypeError, ParseParamError, ParsePathError};

use crate::http::address::no_route;
use crate::http::body;
use crate::http::oauth::OwnShape;
use crate::http::problem::{self, Fault, Problem};

/// Any error as an answer: ours as they are, poem's as the problem they mean.
#[must_use]
pub fn answer(error: poem::Error) -> Response {
    if error.is::<Problem>() {
        return error.into_response();
    }
    if error.is_from_response() {
        return checked(error.into_response());
    }
    reading(&error).into_response()
}

/// An answer as it is, unless it is an error in another shape than ours.
#[must_use]
pub fn checked(response: Response) -> Response {
    let status = response.status();
    let failed = status.is_client_error() || status.is_server_error();
    let shaped =
        response.header(header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with(problem::CONTENT_TYPE));
    let own = response.data::<OwnShape>().is_some();
    if failed && !shaped && !own { by_status(status).into_response() } else { response }
}

/// The answer after a panic; the hook of the process has written where it was.
#[must_use]
pub fn panicked(_: Box<dyn Any + Send>) -> Response {
    tracing::error!(request = ?crate::http::request::current(), "a handler panicked");
    Problem::opaque().into_response()
}

fn reading(error: &poem::Error) -> Problem {
    if error.is::<NotFoundError>() || error.is::<PoemPathError>() || error.is::<ParsePathError>() {
        return no_route();
    }
    if error.is::<MethodNotAllowedError>() {
        return by_status(StatusCode::METHOD_NOT_ALLOWED);
    }
    if let Some(ParseParamError { name, .. }) = error.downcast_ref() {
        return invalid_parameter(name, "is missing or not what the documentation says");
    }
    if error.is::<ParseQueryError>() {
        return Problem::malformed("invalid_parameter", "The query string cannot be read.");
    }
    if error.is::<ContentTypeError>() {
        return by_status(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    if error.is::<ParseMultipartError>() {
        return Problem::malformed("malformed_multipart", "The body is not well-formed multipart/form-data.");
    }
    if let Some(error) = error.downcast_ref::<ReadBodyError>() {
        return body::unreadable(error);
    }
    if error.status().is_server_error() {
        return Problem::internal(error);
    }
    by_status(error.status())
}

/// 400 for one parameter of the query.
#[must_use]
pub fn invalid_parameter(name: &str, what: &str) -> Problem {
    parameter("invalid_parameter", name, format!("The parameter `{name}` {what}."))
}

/// 400 for a parameter of the query that nobody declared.
#[must_use]
pub fn unknown_parameter(name: &str) -> Problem {
    parameter("unknown_parameter", name, format!("The parameter `{name}` is not known here."))
}

/// 422 for a mutation that cannot be tried, rather than doing it for good.
#[must_use]
pub fn dry_run_not_offered() -> Problem {
    let detail = "This cannot be tried without doing it; leave `dry_run` out. Configurations have \
                  `/configuration/draft/check`, imports `dry_run` in their specification.";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "dry_run_not_offered", detail)
}

fn parameter(code: &'static str, name: &str, detail: String) -> Problem {
    Problem::malformed(code, detail.clone()).with_faults(vec![Fault::new(name, code, detail)])
}

fn by_status(status: StatusCode) -> Problem {
    match status {
        StatusCode::NOT_FOUND => no_route(),
        StatusCode::UNAUTHORIZED => Problem::unauthenticated(),
        StatusCode::METHOD_NOT_ALLOWED => {
            Problem::new(status, "method_not_allowed", "This address does not serve this method.")
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            body::unsupported("The body is not of a kind that is read here.")
        }
        StatusCode::PAYLOAD_TOO_LARGE => body::too_large(body::LIMIT),
        _ if status.is_server_error() => Problem::opaque(),
        _ => Problem::new(status, "malformed_request", "The request is not well formed."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_poem_says_is_replaced() {
        let reason = "invalid digit in `secret`".to_owned();
        let response = answer(ParseParamError { name: "limit", reason }.into());
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        let body = response.into_body().into_string().await.unwrap();
        assert!(body.contains("`limit`") && !body.contains("secret"), "{body}");
    }

    #[test]
    fn every_error_gets_our_shape() {
        let cases: [(poem::Error, u16); 5] = [
            (NotFoundError.into(), 404),
            (MethodNotAllowedError.into(), 405),
            (StatusCode::IM_A_TEAPOT.into(), 418),
            (poem::error::InternalServerError(std::io::Error::other("x")), 500),
            (poem::Error::from_response(StatusCode::BAD_GATEWAY.into_response()), 502),
        ];
        for (error, status) in cases {
            let response = answer(error);
            assert_eq!(response.content_type(), Some(problem::CONTENT_TYPE));
            assert!(response.status().as_u16() == status || status == 502, "{status}");
        }
    }

    #[test]
    fn our_own_problems_pass_as_they_are() {
        let problem = Problem::busy("busy", "Later.", 3);
        let response = answer(problem.into());
        assert_eq!((response.status().as_u16(), response.header("retry-after")), (503, Some("3")));
    }
}
