//! The page behind an administrator's invitation, and the plane's document: what is the same for everybody.

use poem::Response;
use poem::http::header;

use crate::http::address::no_route;
use crate::http::problem::Problem;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Where the document is.
pub(super) const DOCUMENT: &str = "/admin/openapi.json";

/// Whether something fixed is at `path`.
pub(super) fn serves(path: &str) -> bool {
    path == DOCUMENT || path == "/admin/invitation" || path.starts_with("/admin/invitation/")
}

/// What is there.
///
/// # Errors
/// 404.
pub(super) fn at(path: &str, document: &str) -> Result<Response, Problem> {
    let (kind, text) = match path {
        DOCUMENT => ("application/vnd.oai.openapi+json;version=3.1", document),
        "/admin/invitation" => ("text/html; charset=utf-8", include_str!("pages/invitation.html")),
        "/admin/invitation/invitation.js" => {
            ("text/javascript; charset=utf-8", include_str!("pages/invitation.js"))
        }
        "/admin/invitation/page.css" => ("text/css; charset=utf-8", include_str!("../pages/page.css")),
        _ => return Err(no_route()),
    };
    let response = Response::builder().header(header::CONTENT_TYPE, kind);
    Ok(response.header(header::CONTENT_SECURITY_POLICY, POLICY).body(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_page_loads_only_what_is_served_here() {
        let html = at("/admin/invitation", "").unwrap().into_body().into_string().await.unwrap();
        assert!(!html.contains("http:") && !html.contains("https:") && !html.contains("<script>"));
        for reference in ["invitation/page.css", "invitation/invitation.js"] {
            assert!(
                html.contains(&format!("\"{reference}\"")) && at(&format!("/admin/{reference}"), "").is_ok()
            );
        }
        assert!(at("/admin/invitation/x", "").is_err());
    }
}
