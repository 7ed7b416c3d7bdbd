//! `/auth/callback/{provider}`: where a provider sends people back to. The answer goes on to the sign-in page, with a voucher
//! or a reason behind `#`, which browsers send to nobody. And the cookie that binds the way there and back to a browser.

use std::sync::Arc;

use poem::http::{HeaderMap, Method, StatusCode, header};
use poem::{Request, Response};

use crate::app::App;
use crate::http::address::no_route;
use crate::http::problem::Problem;
use crate::identity::{Federation, Return};
use crate::ids::ProviderId;
use crate::organizations::Organization;

const PREFIX: &str = "/auth/callback/";

/// Whether this path is one of a provider's callback.
#[must_use]
pub fn serves(path: &str) -> bool {
    path.strip_prefix(PREFIX).is_some_and(|id| !id.is_empty() && !id.contains('/'))
}

/// Takes somebody back.
///
/// # Errors
/// 404 for what is no provider's id, 405 for everything but GET; the file fails.
pub async fn answer(
    app: &App,
    request: &Request,
    organization: &Arc<Organization>,
) -> poem::Result<Response> {
    if *request.method() != Method::GET {
        return Err(poem::error::MethodNotAllowedError.into());
    }
    let id = request.uri().path().strip_prefix(PREFIX).unwrap_or_default();
    let provider: ProviderId = id.parse().map_err(|_| no_route())?;
    let back = read(request, &app.federation, organization)?;
    let page = format!("{}/auth/sign-in", app.federation.origin(organization));
    let place = match app.federation.arrive(organization, provider, back).await {
        Ok(voucher) => format!("{page}#voucher={voucher}"),
        Err(error) => {
            let problem = Problem::from(error);
            if problem.status.is_server_error() {
                return Err(problem.into());
            }
            format!("{page}#error={}", problem.code)
        }
    };
    Ok(Response::builder()
        .status(StatusCode::SEE_OTHER)
        .header(header::LOCATION, place)
        .header(header::CACHE_CONTROL, "no-store")
        .header(header::REFERRER_POLICY, "no-referrer")
        .body(()))
}

/// What the browser brings; a parameter that stands twice is one too many. Providers add what they like.
fn read(request: &Request, federation: &Federation, organization: &Organization) -> Result<Return, Problem> {
    let query = request.uri().query().unwrap_or_default();
    let mut back =
        Return { browser: cookie(request.headers(), federation, organization), ..Return::default() };
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let place = match &*name {
            "state" => &mut back.state,
            "code" => &mut back.code,
            "iss" => &mut back.issuer,
            _ => continue,
        };
        if place.replace(value.into_owned()).is_some() {
            return Err(Problem::malformed("invalid_parameter", "A parameter stands twice."));
        }
    }
    Ok(back)
}

/// The name of the cookie: bound to the host where that can be.
fn cookie_name(origin: &str) -> &'static str {
    if origin.starts_with("https://") { "__Host-stoa_fed" } else { "stoa_fed" }
}

/// The value that binds a browser, if it has the cookie once.
#[must_use]
pub fn cookie(headers: &HeaderMap, federation: &Federation, organization: &Organization) -> Option<String> {
    let name = cookie_name(&federation.origin(organization));
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut values = pairs
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(known, _)| *known == name);
    match (values.next(), values.next()) {
        (Some((_, only)), None) => Some(only.to_owned()),
        _ => None,
    }
}

/// The header that gives a browser the cookie, for ten minutes; an empty value takes it away.
#[must_use]
pub fn set_cookie(value: &str, federation: &Federation, organization: &Organization) -> String {
    let origin = federation.origin(organization);
    let (name, secure) = (cookie_name(&origin), origin.starts_with("https://"));
    let age = if value.is_empty() { 0 } else { 600 };
    // With a prefix instead of a host name the path keeps organizations apart; `__Host-` takes no path but `/`.
    let path = url::Url::parse(&origin).map_or_else(|_| "/".to_owned(), |url| url.path().to_owned());
    let path = if secure { "/" } else { path.as_str() };
    let secure = if secure { "; Secure" } else { "" };
    format!("{name}={value}; Path={path}; Max-Age={age}; HttpOnly; SameSite=Lax{secure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_names_one_provider() {
        assert!(serves("/auth/callback/x"));
        for bad in ["/auth/callback", "/auth/callback/", "/auth/callback/x/y", "/api/v1/auth/callback/x"] {
            assert!(!serves(bad), "{bad}");
        }
    }
}
