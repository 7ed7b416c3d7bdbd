//! Bodies from strangers: counted while they stream, timed, and refused when they are too big, packed or of the wrong kind.

use std::error::Error;
use std::io;
use std::time::Duration;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use poem::error::ReadBodyError;
use poem::http::{HeaderMap, StatusCode, header};
use poem::{Body, Request};

use crate::http::problem::Problem;

/// The most bytes of a body, unless its route says otherwise.
pub const LIMIT: usize = 1024 * 1024;

/// The most bytes of many operations in one body.
pub const BULK_LIMIT: usize = 8 * 1024 * 1024;

/// The most bytes of an uploaded file.
pub const UPLOAD_LIMIT: usize = 64 * 1024 * 1024;

/// How long a client may take for a body that is read into memory.
const PATIENCE: Duration = Duration::from_secs(30);

/// Refuses a body that announces more than `limit` bytes, and lets one without announcement stream up to it.
///
/// # Errors
/// 413, and 415 for a packed body.
pub fn bound(request: &mut Request, limit: usize) -> Result<(), Problem> {
    let announced = declared_length(request.headers());
    if announced.is_some_and(|bytes| bytes > limit as u64) {
        return Err(too_large(limit));
    }
    if request.headers().contains_key(header::CONTENT_ENCODING) {
        return Err(unsupported("Send the body as it is, without Content-Encoding."));
    }
    if announced.is_none() && request.headers().contains_key(header::TRANSFER_ENCODING) {
        let body = http_body_util::combinators::BoxBody::from(request.take_body());
        request.set_body(Limited::new(body, limit).map_err(io::Error::other).boxed());
    }
    Ok(())
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The whole body in memory. [`bound`] has limited it before.
///
/// # Errors
/// 408 when the client is too slow, 413, 400 when the connection broke.
pub async fn read(body: Body) -> Result<Vec<u8>, Problem> {
    read_within(body, LIMIT).await
}

/// [`read`] where [`bound`] let more pass.
///
/// # Errors
/// Those of [`read`].
pub async fn read_within(body: Body, limit: usize) -> Result<Vec<u8>, Problem> {
    match tokio::time::timeout(PATIENCE, body.into_bytes()).await {
        Ok(Ok(bytes)) => Ok(bytes.into()),
        Ok(Err(error)) => Err(unreadable_within(&error, limit)),
        Err(_) => Err(too_slow()),
    }
}

/// The problem of a body that could not be read.
#[must_use]
pub fn unreadable(error: &ReadBodyError) -> Problem {
    unreadable_within(error, LIMIT)
}

fn unreadable_within(error: &ReadBodyError, limit: usize) -> Problem {
    match error {
        ReadBodyError::PayloadTooLarge => too_large(limit),
        ReadBodyError::Io(cause) if has(cause, is_over_limit) => too_large(limit),
        ReadBodyError::Io(cause) if has(cause, is_late) => too_slow(),
        _ => Problem::malformed("body_unreadable", "The body could not be read to its end."),
    }
}

fn is_over_limit(error: &(dyn Error + 'static)) -> bool {
    error.is::<LengthLimitError>()
}

fn is_late(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

/// Whether something among the causes is `what`.
fn has(cause: &io::Error, what: fn(&(dyn Error + 'static)) -> bool) -> bool {
    let mut next = Some(cause as &(dyn Error + 'static));
    while let Some(error) = next {
        if what(error) {
            return true;
        }
        next = match error.downcast_ref::<io::Error>() {
            Some(io) => io.get_ref().map(|inner| inner as _),
            None => error.source(),
        };
    }
    false
}

/// 408.
fn too_slow() -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", "The body did not arrive in time.")
}

/// 413.
#[must_use]
pub fn too_large(limit: usize) -> Problem {
    let detail = format!("The body is larger than {limit} bytes.");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail).with_extra("limit", limit)
}

/// 415.
#[must_use]
pub fn unsupported(detail: &str) -> Problem {
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
}

/// Whether `content_type` is JSON in UTF-8.
#[must_use]
pub fn is_json(content_type: Option<&str>) -> bool {
    let Some(text) = content_type else { return false };
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
    let json = kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"));
    json && parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_that_announces_nothing_is_cut_off_at_the_limit() {
        let mut request = Request::builder().header("transfer-encoding", "chunked").body(vec![b'x'; 32]);
        bound(&mut request, 16).unwrap();
        assert_eq!(read(request.take_body()).await.unwrap_err().code, "body_too_large");
        let mut request = Request::builder().header("transfer-encoding", "chunked").body(vec![b'x'; 16]);
        bound(&mut request, 16).unwrap();
        assert_eq!(read(request.take_body()).await.unwrap().len(), 16);
    }

    #[test]
    fn an_announced_flood_is_refused_before_it_is_read() {
        let mut request = Request::builder().header("content-length", "17").body(vec![b'x'; 17]);
        assert_eq!(bound(&mut request, 16).unwrap_err().status, StatusCode::PAYLOAD_TOO_LARGE);
        let mut request = Request::builder().header("content-encoding", "gzip").body("x");
        assert_eq!(bound(&mut request, 16).unwrap_err().status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }

    #[test]
    fn json_is_json_in_utf_8() {
        for good in ["application/json", "Application/JSON; charset=UTF-8", "application/merge-patch+json"] {
            assert!(is_json(Some(good)), "{good}");
        }
        for bad in [
            None,
            Some("text/plain"),
            Some("application/json; charset=utf-7"),
            Some("application/x-www-form-urlencoded"),
        ] {
            assert!(!is_json(bad), "{bad:?}");
        }
    }
}
