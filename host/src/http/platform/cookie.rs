//! The session cookie of administrators: it brings new access tokens and nothing else.

use poem::http::{HeaderMap, HeaderValue, StatusCode, header};
use poem::{IntoResponse, Request, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaResponses, Registry};

use crate::http::problem::Problem;

/// Over plain http a browser refuses the prefix and the `Secure` that goes with it.
fn name(origin: &str) -> &'static str {
    if origin.starts_with("https://") { "__Host-stoa_admin" } else { "stoa_admin" }
}

/// The cookie that holds `secret`.
pub(super) fn set(origin: &str, secret: &str) -> String {
    format!("{}={secret}; Path=/; HttpOnly; SameSite=Strict{}", name(origin), secure(origin))
}

/// The cookie that takes it away.
pub(super) fn clear(origin: &str) -> String {
    format!("{}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0{}", name(origin), secure(origin))
}

fn secure(origin: &str) -> &'static str {
    if origin.starts_with("https://") { "; Secure" } else { "" }
}

/// The secret in the one cookie of that name.
pub(super) fn read<'a>(headers: &'a HeaderMap, origin: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(key, _)| *key == name(origin)).map(|(_, value)| value);
    match (found.next(), found.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// Refuses what a browser sends on behalf of another site.
///
/// # Errors
/// 403.
pub(super) fn same_site(request: &Request) -> Result<(), Problem> {
    match request.header("sec-fetch-site") {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) => Err(foreign()),
    }
}

/// Refuses what did not say that it means it: a form of another site cannot.
///
/// # Errors
/// 403.
pub(super) fn meant(said: Option<&str>) -> Result<(), Problem> {
    if said == Some("1") { Ok(()) } else { Err(foreign()) }
}

fn foreign() -> Problem {
    let detail = "This is done from the platform's own pages or programs: send `X-Stoa-Request: 1`.";
    Problem::new(StatusCode::FORBIDDEN, "cross_site_request", detail)
}

/// An answer that sets the cookie or takes it away.
pub(super) struct WithCookie<T>(pub(super) T, pub(super) String);

impl<T: IntoResponse> IntoResponse for WithCookie<T> {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        if let Ok(value) = HeaderValue::from_str(&self.1) {
            response.headers_mut().insert(header::SET_COOKIE, value);
        }
        response
    }
}

impl<T: ApiResponse> ApiResponse for WithCookie<T> {
    fn meta() -> MetaResponses {
        T::meta()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, line.parse().unwrap());
        }
        headers
    }

    #[test]
    fn d1_the_cookie_is_bound_to_its_host_and_out_of_reach_of_scripts() {
        let cookie = set("https://admin.example.com", "s");
        for part in ["__Host-stoa_admin=s", "Path=/", "HttpOnly", "SameSite=Strict", "Secure"] {
            assert!(cookie.split("; ").any(|given| given == part), "{cookie}");
        }
        assert!(!cookie.contains("Domain"));
        assert!(clear("https://x").contains("Max-Age=0"));
        let plain = set("http://127.0.0.1:9091", "s");
        assert!(plain.starts_with("stoa_admin=s") && !plain.contains("Secure"), "{plain}");
    }

    #[test]
    fn one_cookie_of_the_name_is_read() {
        let origin = "http://x";
        assert_eq!(read(&headers(&["a=b; stoa_admin=s"]), origin), Some("s"));
        assert_eq!(read(&headers(&["stoa_admin=s", "stoa_admin=t"]), origin), None);
        assert_eq!(read(&headers(&["xstoa_admin=s; stoa_admin"]), origin), None);
        assert_eq!(read(&headers(&["stoa_admin=s"]), "https://x"), None, "the other name");
    }

    #[test]
    fn d2_another_sites_page_is_refused() {
        let from = |site: &str| Request::builder().header("sec-fetch-site", site).finish();
        for bad in ["cross-site", "same-site", ""] {
            assert_eq!(same_site(&from(bad)).unwrap_err().code, "cross_site_request", "{bad}");
        }
        assert!(same_site(&from("same-origin")).is_ok() && same_site(&Request::default()).is_ok());
        assert!(meant(Some("1")).is_ok() && meant(None).is_err() && meant(Some("true")).is_err());
    }
}
