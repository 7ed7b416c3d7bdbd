//! Whose browser asks: the session behind the cookie, and whether a write comes from a page of ours.

use poem::http::{HeaderMap, StatusCode, header};

use crate::http::problem::Problem;
use crate::identity::{Identity, IdentityError, SignedIn};
use crate::organizations::Organization;

/// The cookie of a session: with the prefix that browsers guard, wherever there is TLS.
pub(super) fn cookie_name(issuer: &str) -> &'static str {
    if issuer.starts_with("https://") { "__Host-stoa_sid" } else { "stoa_sid" }
}

/// The one cookie of this name.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut found = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(known, _)| *known == name)
        .map(|(_, value)| value);
    match (found.next(), found.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// The person whose browser asks, if they are signed in.
pub(super) async fn signed_in(
    identity: &Identity,
    organization: &Organization,
    headers: &HeaderMap,
) -> Result<Option<SignedIn>, IdentityError> {
    let name = cookie_name(&identity.issuer(organization));
    let Some(cookie) = cookie(headers, name) else { return Ok(None) };
    let session = identity.session(organization, cookie).await?;
    Ok(session.map(|session| SignedIn {
        session: session.id,
        user: session.user,
        auth_time: session.auth_time,
        amr: session.amr(),
        acr: session.acr().to_owned(),
    }))
}

/// Lets a write with a cookie pass only from a page of ours.
pub(super) fn same_site(headers: &HeaderMap) -> Result<(), Problem> {
    let one = |name: &str| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(only), None) => only.to_str().ok(),
            _ => None,
        }
    };
    let site = match headers.contains_key("sec-fetch-site") {
        false => true,
        true => matches!(one("sec-fetch-site"), Some("same-origin" | "none")),
    };
    if site && one("x-stoa-request") == Some("1") {
        return Ok(());
    }
    let detail = "Send `X-Stoa-Request: 1`, from a page of this organization.";
    Err(Problem::new(StatusCode::FORBIDDEN, "cross_site_request", detail))
}

/// Whether a form was posted by a page of ours, as far as the browser says.
pub(super) fn is_own_form(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(|value| value.to_str().unwrap_or_default());
    matches!(site, Some("same-origin") | None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn one_cookie_of_the_name_is_looked_at() {
        let found = |values: &[(&'static str, &str)]| cookie(&headers(values), "stoa_sid").map(str::to_owned);
        assert_eq!(found(&[("cookie", "a=b; stoa_sid=x")]).as_deref(), Some("x"));
        assert_eq!(found(&[("cookie", "stoa_sid=x; stoa_sid=y")]), None);
        assert_eq!(found(&[("cookie", "stoa_sid=x"), ("cookie", "stoa_sid=y")]), None);
        assert_eq!(found(&[("cookie", "__Host-stoa_sid=x")]), None);
    }

    #[test]
    fn b23_a_write_comes_from_a_page_of_ours() {
        let asked = ("x-stoa-request", "1");
        assert!(same_site(&headers(&[asked])).is_ok());
        assert!(same_site(&headers(&[asked, ("sec-fetch-site", "same-origin")])).is_ok());
        for bad in [
            &[][..],
            &[asked, ("sec-fetch-site", "cross-site")],
            &[asked, ("sec-fetch-site", "same-site")],
            &[asked, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "same-origin")],
        ] {
            assert_eq!(same_site(&headers(bad)).unwrap_err().code, "cross_site_request", "{bad:?}");
        }
    }
}
