//! `/docs`, an interactive page over the organization's document, and the page behind a set-up link. No request leaves the
//! house: Swagger UI is the copy inside poem-openapi, and nothing on a page is inline, so the policy can forbid inline code.

use poem::http::{Method, StatusCode, header};
use poem::{Request, Response};
use poem_openapi::OpenApiService;

use crate::http::address::no_route;
use crate::http::problem::Problem;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

const HTML: &str = "text/html; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

/// The pages of people who sign in, and what they load. `/auth/second-factor` is a step of the page before it.
const SIGNING_IN: [(&str, &str, &str); 10] = [
    ("/auth/sign-in", HTML, include_str!("pages/sign-in.html")),
    ("/auth/second-factor", HTML, include_str!("pages/sign-in.html")),
    ("/auth/sign-in.js", JS, include_str!("pages/sign-in.js")),
    ("/auth/reset", HTML, include_str!("pages/reset.html")),
    ("/auth/reset.js", JS, include_str!("pages/reset.js")),
    ("/auth/email", HTML, include_str!("pages/email.html")),
    ("/auth/email.js", JS, include_str!("pages/email.js")),
    ("/auth/consent", HTML, include_str!("pages/consent.html")),
    ("/auth/consent.js", JS, include_str!("pages/consent.js")),
    ("/auth/page.css", "text/css; charset=utf-8", include_str!("pages/page.css")),
];

/// The pages and what they load.
pub struct Pages {
    swagger_js: String,
    swagger_css: String,
}

impl Pages {
    /// Takes the script and the styles out of the page that poem-openapi makes.
    #[must_use]
    pub fn new() -> Self {
        let page = OpenApiService::new((), "", "").swagger_ui_html();
        let css =
            page.split_once("<style charset=\"UTF-8\">").and_then(|(_, rest)| rest.split_once("</style>"));
        let js = page
            .split_once("<script charset=\"UTF-8\">")
            .and_then(|(_, rest)| rest.rsplit_once("</script>\n</head>"));
        Self {
            swagger_js: js.map(|(js, _)| js.to_owned()).unwrap_or_default(),
            swagger_css: css.map(|(css, _)| css.to_owned()).unwrap_or_default(),
        }
    }

    /// Whether `path` is one of the pages or something they load.
    #[must_use]
    pub fn serves(path: &str) -> bool {
        path == "/docs"
            || path.starts_with("/docs/")
            || path == "/auth/setup"
            || path.starts_with("/auth/setup/")
            || SIGNING_IN.iter().any(|(known, _, _)| *known == path)
    }

    /// The page or file at the request's path.
    ///
    /// # Errors
    /// 404, 405.
    pub fn answer(&self, request: &Request) -> Result<Response, Problem> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let detail = "This address serves GET only.";
            return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail));
        }
        let html = "text/html; charset=utf-8";
        let js = "text/javascript; charset=utf-8";
        let css = "text/css; charset=utf-8";
        if let Some((_, kind, text)) = SIGNING_IN.iter().find(|(path, _, _)| *path == request.uri().path()) {
            return Ok(file(kind, text));
        }
        let (kind, text) = match request.uri().path() {
            "/docs" => (html, include_str!("pages/docs.html")),
            "/docs/start.js" => (js, include_str!("pages/docs.js")),
            "/docs/swagger-ui.js" => (js, self.swagger_js.as_str()),
            "/docs/swagger-ui.css" => (css, self.swagger_css.as_str()),
            "/docs/page.css" | "/auth/setup/page.css" => (css, include_str!("pages/page.css")),
            "/auth/setup" => (html, include_str!("pages/setup.html")),
            "/auth/setup/setup.js" => (js, include_str!("pages/setup.js")),
            _ => return Err(no_route()),
        };
        Ok(file(kind, text))
    }
}

impl Default for Pages {
    fn default() -> Self {
        Self::new()
    }
}

fn file(kind: &str, text: &str) -> Response {
    // Pages may change with the binary; what they load is named by it and may be kept for an hour.
    let keep = if kind.starts_with("text/html") { "no-cache" } else { "public, max-age=3600" };
    Response::builder()
        .header(header::CONTENT_TYPE, kind)
        .header(header::CACHE_CONTROL, keep)
        .header(header::CONTENT_SECURITY_POLICY, POLICY)
        .body(text.to_owned())
}

#[cfg(test)]
mod tests {
    use poem::http::Uri;

    use super::*;

    fn get(path: &'static str) -> Result<Response, Problem> {
        Pages::new().answer(&Request::builder().uri(Uri::from_static(path)).finish())
    }

    #[tokio::test]
    async fn the_pages_load_only_what_is_served_here() {
        for page in PAGES {
            let html = get(page).unwrap().into_body().into_string().await.unwrap();
            assert!(
                !html.contains("http:") && !html.contains("https:") && !html.contains("<script>"),
                "{page}"
            );
            for attribute in ["src=\"", "href=\""] {
                for reference in html.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()) {
                    // Pages stand at `…/docs` and `…/auth/setup`: references are relative to the folder above.
                    let folder = page.rsplit_once('/').unwrap().0;
                    let path: &'static str = format!("{folder}/{reference}").leak();
                    assert!(get(path).is_ok(), "{page} loads {path}");
                }
            }
        }
    }

    const PAGES: [&str; 7] = [
        "/docs",
        "/auth/setup",
        "/auth/sign-in",
        "/auth/second-factor",
        "/auth/reset",
        "/auth/email",
        "/auth/consent",
    ];

    #[tokio::test]
    async fn every_field_has_a_label_and_every_refusal_is_announced() {
        for page in PAGES.into_iter().filter(|page| *page != "/docs") {
            assert!(Pages::serves(page));
            let html = get(page).unwrap().into_body().into_string().await.unwrap();
            assert!(html.contains("role=\"alert\"") && html.contains("<html lang="), "{page}");
            for input in html.split("<input id=\"").skip(1) {
                let id = input.split('"').next().unwrap();
                assert!(html.contains(&format!("<label for=\"{id}\"")), "{page}: {id}");
            }
        }
    }

    #[test]
    fn nothing_is_written_into_a_page_as_markup() {
        for (path, _, text) in SIGNING_IN {
            for way in ["innerHTML", "insertAdjacentHTML", "document.write", "eval(", "outerHTML"] {
                assert!(!text.contains(way), "{path}: {way}");
            }
        }
    }

    #[tokio::test]
    async fn swagger_ui_is_whole() {
        let script = get("/docs/swagger-ui.js").unwrap().into_body().into_string().await.unwrap();
        assert!(script.len() > 1_000_000 && script.contains("SwaggerUIBundle"));
        let styles = get("/docs/swagger-ui.css").unwrap().into_body().into_string().await.unwrap();
        assert!(styles.len() > 100_000 && !styles.contains("</style>"));
    }

    #[test]
    fn a_page_may_not_run_inline_code_or_ask_elsewhere() {
        let response = get("/docs").unwrap();
        let policy = response.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    }
}
