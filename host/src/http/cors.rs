//! Requests from web pages of other origins: an exact list for each organization, compared after parsing, never reflected,
//! never with credentials. Beside that list, pages that a client registered may call the authorization server for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use poem::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use poem::{Request, Response};

use crate::http::problem::Problem;

/// What a page may send, beyond what every page may.
const HEADERS: &str =
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-Id, traceparent";

/// What a page may read of an answer.
const EXPOSED: &str = "Content-Disposition, ETag, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id";

/// How long a browser may remember the answer to a question before a request, in seconds.
const REMEMBERED: &str = "600";

/// Scheme, host and port, as browsers write them: lower case, no port where it is the scheme's own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin(String);

impl Origin {
    /// Reads one. `null`, a path, a name beyond ASCII and anything that is no origin are none.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok().filter(|text| text.is_ascii() && text.len() <= 300)?;
        let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        let origin = url.origin().ascii_serialization();
        // A pattern is not one origin.
        url.host_str().filter(|host| !host.contains('*'))?;
        // Whatever else stood in the text is missing in the origin, or was written in another way.
        let plain = text.strip_suffix('/').unwrap_or(text);
        let port = if url.scheme() == "https" { ":443" } else { ":80" };
        let written = plain.strip_suffix(port).unwrap_or(plain);
        written.eq_ignore_ascii_case(&origin).then_some(Self(origin))
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a request says it comes from.
#[derive(Debug, Eq, PartialEq)]
pub enum From {
    /// No page, or one of this origin.
    Here,
    /// A page of an origin on the list.
    Listed(Origin),
    /// A page of another origin, or of one that cannot be told.
    Elsewhere,
}

impl From {
    /// Compares the `Origin` of the request with the organization's own address and its list.
    #[must_use]
    pub fn of(headers: &HeaderMap, own: &str, listed: &[Origin]) -> Self {
        let mut values = headers.get_all(header::ORIGIN).iter();
        let (value, more) = (values.next(), values.next());
        let Some(value) = value else { return Self::Here };
        let Some(origin) = Origin::parse(value.as_bytes()).filter(|_| more.is_none()) else {
            return Self::Elsewhere;
        };
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let authority = origin.0.split_once("://").map_or("", |(_, authority)| authority);
        let own = Origin::parse(own.as_bytes());
        if own.as_ref() == Some(&origin) || authority.eq_ignore_ascii_case(host) {
            return Self::Here;
        }
        if listed.contains(&origin) { Self::Listed(origin) } else { Self::Elsewhere }
    }

    /// Refuses what a page of an origin that is not listed must not do: ask before a request, or change something.
    ///
    /// # Errors
    /// 403.
    pub fn check(&self, request: &Request) -> Result<(), Problem> {
        let safe = matches!(*request.method(), Method::GET | Method::HEAD);
        if *self != Self::Elsewhere || safe || is_navigation(request.uri().path()) {
            return Ok(());
        }
        let detail = "Pages of this origin may not ask here; an administrator lists origins under \
                      `/api/v1/organization/origins`.";
        Err(Problem::new(StatusCode::FORBIDDEN, "origin_not_allowed", detail))
    }

    /// Tells the browser that the page may read the answer.
    pub fn allow(&self, headers: &mut HeaderMap) {
        let Self::Listed(origin) = self else { return };
        let Ok(value) = HeaderValue::from_str(origin.as_str()) else { return };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, value);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
}

/// A page whose origin a client of the organization registered. It reads what was asked for that client.
#[derive(Clone, Debug)]
pub struct Page {
    origin: Origin,
    reads: Arc<AtomicBool>,
}

impl Page {
    /// A page of this origin, which reads the answer at once, or when it has turned out to be of the client that asks.
    #[must_use]
    pub fn new(origin: Origin, reads: bool) -> Self {
        Self { origin, reads: Arc::new(AtomicBool::new(reads)) }
    }

    /// Whether it is of a client with these origins. If it is, it reads the answer.
    #[must_use]
    pub fn is_of(&self, origins: &[String]) -> bool {
        let known = origins.contains(&self.origin.0);
        self.reads.fetch_or(known, Ordering::AcqRel);
        known
    }

    /// Tells the browser so.
    pub fn allow(self, headers: &mut HeaderMap) {
        if self.reads.load(Ordering::Acquire) {
            From::Listed(self.origin).allow(headers);
        }
    }
}

/// Whether this is a browser's question before a request.
#[must_use]
pub fn is_preflight(request: &Request) -> bool {
    let asks = |name| request.headers().contains_key(name);
    *request.method() == Method::OPTIONS
        && asks(header::ORIGIN)
        && asks(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to it: what the class of the route takes.
#[must_use]
pub fn preflight(methods: &'static str) -> Response {
    Response::builder()
        .status(StatusCode::NO_CONTENT)
        .header(header::ACCESS_CONTROL_ALLOW_METHODS, methods)
        .header(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS)
        .header(header::ACCESS_CONTROL_MAX_AGE, REMEMBERED)
        .finish()
}

/// Where browsers go from other sites by design; these addresses guard themselves.
fn is_navigation(path: &str) -> bool {
    matches!(path, "/oauth/authorize" | "/oauth/end_session") || path.starts_with("/auth/callback/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Option<String> {
        Origin::parse(text.as_bytes()).map(|origin| origin.0)
    }

    #[test]
    fn an_origin_is_scheme_host_and_port_and_nothing_else() {
        assert_eq!(origin("https://App.Example.com").as_deref(), Some("https://app.example.com"));
        assert_eq!(origin("https://a.test:443").as_deref(), Some("https://a.test"));
        assert_eq!(origin("http://a.test:8080").as_deref(), Some("http://a.test:8080"));
        assert_eq!(origin("http://[::1]:3000").as_deref(), Some("http://[::1]:3000"));
        for bad in [
            "null",
            "",
            "*",
            "https://*.example.com",
            "https://",
            "https://a.test/x",
            "https://evil.test/x.example.com",
            "https://a.test?x",
            "https://a.test#x",
            "https://u@a.test",
            "https://a.test:443:443",
            "ftp://a.test",
            "file:///etc",
            "https://a.test\u{e9}",
            "https://a%2etest",
            "a.test",
            "https://a.test, https://b.test",
        ] {
            assert_eq!(origin(bad), None, "{bad}");
        }
        assert_eq!(Origin::parse(b"https://\xff.test"), None);
    }

    #[test]
    fn only_the_listed_origin_is_let_in_and_never_another_that_looks_like_it() {
        let listed = [Origin::parse(b"https://app.example.com").unwrap()];
        let from = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "acme.crm.test".parse().unwrap());
            for value in values {
                headers.append(header::ORIGIN, value.parse().unwrap());
            }
            From::of(&headers, "https://acme.crm.test", &listed)
        };
        assert_eq!(from(&[]), From::Here);
        assert_eq!(from(&["https://acme.crm.test"]), From::Here);
        assert_eq!(from(&["https://app.example.com"]), From::Listed(listed[0].clone()));
        for other in [
            "null",
            "http://app.example.com",
            "https://app.example.com:8443",
            "https://app.example.com.evil.test",
            "https://evil-app.example.com",
            "https://x.app.example.com",
            "https://globex.crm.test",
        ] {
            assert_eq!(from(&[other]), From::Elsewhere, "{other}");
        }
        assert_eq!(from(&["https://app.example.com", "https://app.example.com"]), From::Elsewhere);
    }

    #[test]
    fn a_page_of_a_client_reads_what_was_asked_for_that_client() {
        let allowed = |page: Page| {
            let mut headers = HeaderMap::new();
            page.allow(&mut headers);
            headers.contains_key("access-control-allow-origin")
        };
        let page = |reads| Page::new(Origin::parse(b"https://a.test").unwrap(), reads);
        assert!(allowed(page(true)) && !allowed(page(false)));
        let (own, others) = (["https://a.test".to_owned()], ["https://b.test".to_owned()]);
        let foreign = page(false);
        assert!(!foreign.is_of(&others) && !foreign.is_of(&[]) && !allowed(foreign));
        let known = page(false);
        assert!(known.is_of(&own) && allowed(known.clone()) && allowed(known));
    }

    #[test]
    fn a_page_that_is_not_listed_changes_nothing_and_reads_nothing() {
        let ask = |method: Method, path: &'static str| {
            From::Elsewhere.check(&Request::builder().method(method).uri(path.parse().unwrap()).finish())
        };
        assert_eq!(ask(Method::POST, "/api/v1/auth/login").unwrap_err().code, "origin_not_allowed");
        assert!(ask(Method::OPTIONS, "/api/v1/me").is_err());
        assert!(ask(Method::GET, "/api/v1/me").is_ok() && ask(Method::POST, "/oauth/authorize").is_ok());
        let mut headers = HeaderMap::new();
        From::Elsewhere.allow(&mut headers);
        From::Here.allow(&mut headers);
        assert!(headers.is_empty());
        From::Listed(Origin::parse(b"https://a.test").unwrap()).allow(&mut headers);
        assert_eq!(headers["access-control-allow-origin"], "https://a.test");
        assert!(!headers.contains_key("access-control-allow-credentials"));
    }
}
