//! The shapes of answers: JSON, redirects, the form that a browser posts, pages.

use poem::http::{HeaderName, HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::identity::{ClientAnswer, OAuthError, ResponseMode};

/// Marks an answer whose shape is not that of a problem, and is meant so.
#[derive(Clone, Copy, Debug)]
pub struct OwnShape;

/// Marks it.
pub(super) fn own(mut response: Response) -> Response {
    response.set_data(OwnShape);
    response
}

/// JSON, not to be kept.
pub(super) fn json(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CACHE_CONTROL, "no-store")
        .header(header::PRAGMA, "no-cache")
        .body(body.to_string())
}

/// The same with one more header, or another value of one.
pub(super) fn with_header(mut response: Response, name: HeaderName, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

/// A refusal of the token, revocation or introspection endpoint.
pub(super) fn refusal(error: &OAuthError) -> Response {
    let status = match error {
        OAuthError::InvalidClient => 401,
        OAuthError::Failed(cause) => {
            super::logged(cause);
            500
        }
        _ => 400,
    };
    let answer = json(status, &json!({ "error": error.code(), "error_description": error.to_string() }));
    if matches!(error, OAuthError::InvalidClient) {
        return with_header(answer, header::WWW_AUTHENTICATE, "Basic realm=\"stoa\"");
    }
    answer
}

/// 303: a POST is not repeated at the next address.
pub(super) fn redirect(to: &str) -> Response {
    let answer = StatusCode::SEE_OTHER.into_response();
    with_header(with_header(answer, header::LOCATION, to), header::CACHE_CONTROL, "no-store")
}

/// An answer to a client, through the browser.
pub(super) fn to_client(answer: &ClientAnswer) -> Response {
    match answer.mode {
        ResponseMode::Query => redirect(&with_query(&answer.redirect_uri, &answer.parameters)),
        ResponseMode::FormPost => form(answer),
    }
}

/// A URI with more parameters in its query.
pub(super) fn with_query(uri: &str, parameters: &[(&'static str, String)]) -> String {
    let mut query = Serializer::new(String::new());
    for (name, value) in parameters {
        query.append_pair(name, value);
    }
    let glue = match uri.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some(_) => "&",
    };
    format!("{uri}{glue}{}", query.finish())
}

/// OAuth 2.0 Form Post Response Mode. The form has a button for browsers without scripts.
fn form(answer: &ClientAnswer) -> Response {
    let inputs: String = answer
        .parameters
        .iter()
        .map(|(name, value)| format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escaped(value)))
        .collect();
    let body = format!(
        "<h1>Going back to the application</h1><form method=\"post\" action=\"{}\">{inputs}\
         <button type=\"submit\">Continue</button></form><script src=\"form_post.js\"></script>",
        escaped(&answer.redirect_uri)
    );
    let target = Url::parse(&answer.redirect_uri).ok().map(|url| match url.origin() {
        origin if origin.is_tuple() => origin.ascii_serialization(),
        _ => format!("{}:", url.scheme()),
    });
    let policy = format!(
        "default-src 'none'; script-src 'self'; form-action {}; frame-ancestors 'none'; base-uri 'none'",
        target.unwrap_or_else(|| "'none'".to_owned())
    );
    with_header(page(200, "Going back", &body), header::CONTENT_SECURITY_POLICY, &policy)
}

/// Posts the form above.
pub(super) fn form_post_script() -> Response {
    let script = Response::builder()
        .header(header::CONTENT_TYPE, "text/javascript; charset=utf-8")
        .header(header::CACHE_CONTROL, "public, max-age=3600");
    script.body("document.forms[0].submit();\n")
}

/// A page for the person. `body` is HTML.
pub(super) fn page(status: u16, title: &str, body: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "text/html; charset=utf-8")
        .header(header::CACHE_CONTROL, "no-store")
        .body(format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
             <meta name=\"viewport\" content=\"width=device-width\"></head><body><main>{body}</main></body></html>"
        ))
}

/// A page that says why nobody is redirected.
pub(super) fn refused_page(why: &str) -> Response {
    page(400, "Cannot sign in", &format!("<h1>Cannot sign in</h1><p>{}</p>", escaped(why)))
}

/// A page for a failure of ours.
pub(super) fn failed_page() -> Response {
    page(500, "Something failed", "<h1>Something failed on our side</h1><p>Try again later.</p>")
}

/// Text as it may stand in HTML and in quoted attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_join_the_query_that_a_redirect_uri_has() {
        let parameters = [("code", "a b".to_owned()), ("iss", "https://x/t/a".to_owned())];
        let query = "code=a+b&iss=https%3A%2F%2Fx%2Ft%2Fa";
        assert_eq!(with_query("https://app/cb", &parameters), format!("https://app/cb?{query}"));
        assert_eq!(with_query("https://app/cb?x=1", &parameters), format!("https://app/cb?x=1&{query}"));
        assert_eq!(with_query("com.example.app:/cb", &parameters), format!("com.example.app:/cb?{query}"));
    }

    #[tokio::test]
    async fn a_posted_answer_is_escaped_and_may_go_to_the_client_only() {
        let answer = ClientAnswer {
            redirect_uri: "https://app.example.com/cb".to_owned(),
            mode: ResponseMode::FormPost,
            parameters: vec![("state", "\"><script>x</script>".to_owned())],
        };
        let response = to_client(&answer);
        let policy = response.header("content-security-policy").unwrap().to_owned();
        assert!(
            policy.contains("form-action https://app.example.com;") && !policy.contains("unsafe"),
            "{policy}"
        );
        let body = response.into_body().into_string().await.unwrap();
        assert!(!body.contains("<script>x") && body.contains("&quot;&gt;&lt;script&gt;"), "{body}");
    }
}
