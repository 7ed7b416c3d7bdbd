//! What a browser brings and takes away: the visitor, the cookies of the session, of a login and of a known device.
//!
//! Over https a cookie has the prefix `__Host-`, is secure and of the whole host; over http, in development, it has
//! neither and belongs to the organization's prefix. Whatever is done with a cookie takes a header that forms and
//! foreign pages cannot send.

use std::sync::Arc;

use poem::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use poem::{FromRequest, IntoResponse, Request, RequestBody, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaResponses, Registry};

use crate::config::PublicAddress;
use crate::http::access::Prefix;
use crate::http::problem::Problem;
use crate::http::proxy::ClientAddress;
use crate::identity::Visitor;
use crate::organizations::Organization;

/// The cookie of a session.
pub const SESSION: &str = "stoa_sid";
/// The cookie of a login under way.
pub const LOGIN: &str = "stoa_tx";
/// The cookie of a device on which somebody signed in.
pub const DEVICE: &str = "stoa_device";

/// How long a device is known, in seconds.
const DEVICE_AGE: i64 = 400 * 24 * 3_600;

/// The header that pages of our own send.
const OWN_REQUEST: HeaderName = HeaderName::from_static("x-stoa-request");

/// A browser, or a program that behaves as one.
pub struct Browser {
    headers: HeaderMap,
    address: ClientAddress,
    path: Arc<str>,
    slug: String,
}

impl<'a> FromRequest<'a> for Browser {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let parts = (request.data::<Arc<Organization>>(), request.data::<Prefix>());
        let (Some(organization), Some(prefix)) = parts else {
            return Err(Problem::opaque().into());
        };
        Ok(Self {
            headers: request.headers().clone(),
            address: ClientAddress::of(request),
            path: Arc::clone(&prefix.0),
            slug: organization.slug.to_string(),
        })
    }
}

impl Browser {
    /// Whoever is there.
    #[must_use]
    pub fn visitor(&self, address: &PublicAddress) -> Visitor {
        let agent = self.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Visitor {
            address: self.address.0,
            user_agent: agent.unwrap_or_default().chars().take(400).collect(),
            known_device: self.cookie(address, DEVICE),
            session: self.cookie(address, SESSION),
        }
    }

    /// Lets pass what our own pages ask.
    ///
    /// # Errors
    /// 403 for whatever another site could have made a browser send.
    pub fn own(&self) -> Result<(), Problem> {
        let marked = self.headers.get(OWN_REQUEST).is_some_and(|value| value.as_bytes() == b"1");
        let site = self.headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        if marked && site.is_none_or(|site| site == b"same-origin" || site == b"none") {
            return Ok(());
        }
        let detail = "Send `X-Stoa-Request: 1`, from a page of the same origin.";
        Err(Problem::new(StatusCode::FORBIDDEN, "cross_site_request", detail))
    }

    /// The value of a cookie; none when it was sent twice.
    #[must_use]
    pub fn cookie(&self, address: &PublicAddress, name: &str) -> Option<String> {
        let name = self.name(address, name);
        let lines = self.headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut values = lines
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(known, _)| *known == name)
            .map(|(_, value)| value.to_owned());
        match (values.next(), values.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        }
    }

    /// The line that sets a cookie until the browser closes, or for so many seconds.
    fn line(&self, address: &PublicAddress, name: &str, value: &str, age: Option<i64>) -> String {
        let secure = self.secure(address);
        let path = if secure || self.path.is_empty() { "/" } else { &*self.path };
        let mut line = format!("{}={value}; Path={path}; HttpOnly; SameSite=Lax", self.name(address, name));
        if secure {
            line.push_str("; Secure");
        }
        if let Some(age) = age {
            line.push_str(&format!("; Max-Age={age}"));
        }
        line
    }

    /// The line of a login's cookie.
    #[must_use]
    pub fn login(&self, address: &PublicAddress, value: &str) -> String {
        self.line(address, LOGIN, value, Some(600))
    }

    /// The line of a session's cookie.
    #[must_use]
    pub fn session(&self, address: &PublicAddress, value: &str) -> String {
        self.line(address, SESSION, value, None)
    }

    /// The line of a known device's cookie.
    #[must_use]
    pub fn device(&self, address: &PublicAddress, value: &str) -> String {
        self.line(address, DEVICE, value, Some(DEVICE_AGE))
    }

    /// The line that takes a cookie away.
    #[must_use]
    pub fn without(&self, address: &PublicAddress, name: &str) -> String {
        self.line(address, name, "", Some(0))
    }

    fn secure(&self, address: &PublicAddress) -> bool {
        address.of(&self.slug).starts_with("https:")
    }

    fn name(&self, address: &PublicAddress, name: &str) -> String {
        if self.secure(address) { format!("__Host-{name}") } else { name.to_owned() }
    }
}

/// An answer that sets cookies.
pub struct WithCookies<R> {
    answer: R,
    cookies: Vec<String>,
    clears: bool,
}

impl<R> WithCookies<R> {
    /// This answer with these lines.
    #[must_use]
    pub fn new(answer: R, cookies: Vec<String>) -> Self {
        Self { answer, cookies, clears: false }
    }

    /// The browser forgets what it has of this site.
    #[must_use]
    pub fn clearing(self) -> Self {
        Self { clears: true, ..self }
    }
}

impl<R: IntoResponse> IntoResponse for WithCookies<R> {
    fn into_response(self) -> Response {
        let mut response = self.answer.into_response();
        let headers = response.headers_mut();
        for line in &self.cookies {
            if let Ok(value) = HeaderValue::from_str(line) {
                headers.append(header::SET_COOKIE, value);
            }
        }
        if self.clears {
            let all = HeaderValue::from_static("\"cache\", \"storage\"");
            headers.insert(HeaderName::from_static("clear-site-data"), all);
        }
        response
    }
}

impl<R: ApiResponse> ApiResponse for WithCookies<R> {
    fn meta() -> MetaResponses {
        R::meta()
    }

    fn register(registry: &mut Registry) {
        R::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn browser(lines: &[(&'static str, &'static str)]) -> Browser {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let address = ClientAddress("203.0.113.9".parse().unwrap());
        Browser { headers, address, path: "/t/acme".into(), slug: "acme".to_owned() }
    }

    fn at(origin: &str) -> PublicAddress {
        PublicAddress { origin: origin.to_owned(), base_domain: None }
    }

    #[test]
    fn every_cookie_is_out_of_reach_of_scripts_and_foreign_sites() {
        let (here, https) = (browser(&[]), at("https://crm.example.com"));
        for line in [
            here.session(&https, "x"),
            here.login(&https, "x"),
            here.device(&https, "x"),
            here.without(&https, SESSION),
        ] {
            assert!(line.starts_with("__Host-stoa_") && !line.contains("Domain"), "{line}");
            for part in ["; Path=/;", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
                assert!(line.contains(part), "{part} in {line}");
            }
        }
        let plain = here.session(&at("http://127.0.0.1:8080"), "x");
        assert_eq!(plain, "stoa_sid=x; Path=/t/acme; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn what_another_site_can_make_a_browser_send_is_refused() {
        assert!(browser(&[("x-stoa-request", "1")]).own().is_ok());
        assert!(browser(&[("x-stoa-request", "1"), ("sec-fetch-site", "same-origin")]).own().is_ok());
        for lines in [
            &[][..],
            &[("sec-fetch-site", "same-origin")],
            &[("x-stoa-request", "0")],
            &[("x-stoa-request", "1"), ("sec-fetch-site", "same-site")],
            &[("x-stoa-request", "1"), ("sec-fetch-site", "cross-site")],
        ] {
            assert_eq!(browser(lines).own().unwrap_err().code, "cross_site_request", "{lines:?}");
        }
    }

    #[test]
    fn a_cookie_that_was_sent_twice_is_none() {
        let plain = at("http://127.0.0.1:8080");
        assert_eq!(browser(&[("cookie", "a=b; stoa_sid=x")]).cookie(&plain, SESSION).as_deref(), Some("x"));
        assert_eq!(browser(&[("cookie", "stoa_sid=x; stoa_sid=y")]).cookie(&plain, SESSION), None);
        assert_eq!(
            browser(&[("cookie", "stoa_sid=x"), ("cookie", "stoa_sid=y")]).cookie(&plain, SESSION),
            None
        );
        assert_eq!(browser(&[("cookie", "stoa_sid=x")]).cookie(&at("https://x.test"), SESSION), None);
    }
}
