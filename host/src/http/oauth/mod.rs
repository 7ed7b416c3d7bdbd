//! The organization's authorization server: `/.well-known/…` and `/oauth/…` at its root.
//!
//! Its answers have the shapes of RFC 6749, 7009, 7662, 8414, 9207 and OpenID Connect, its refusals too; they are the only
//! answers of this host that are not RFC 9457. Whoever must not be redirected sees a page. `parameters.rs` reads what
//! comes in, `answer.rs` shapes what goes out, `person.rs` finds out whose browser asks.

mod answer;
mod authorize;
mod consent;
mod discovery;
mod logout;
mod parameters;
mod person;
mod token;

use std::sync::Arc;

use poem::http::{Method, header};
use poem::{Request, Response};

use crate::http::oauth::answer::own;
use crate::http::problem::Problem;
use crate::identity::{Identity, IdentityError};
use crate::organizations::Organization;

pub use self::answer::OwnShape;

const DISCOVERY: [&str; 2] = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];

/// The script of the form that posts an answer to a client; see `answer.rs`.
const FORM_POST: &str = "/oauth/form_post.js";

/// The authorization server of every organization.
pub struct OAuth {
    identity: Identity,
}

/// Whether the authorization server serves this path.
#[must_use]
pub fn serves(path: &str) -> bool {
    path.starts_with("/oauth/") || path.starts_with("/.well-known/")
}

/// Whether this is what everybody may read: what the server says of itself.
#[must_use]
pub fn is_public(path: &str) -> bool {
    DISCOVERY.contains(&path) || path == "/oauth/jwks"
}

/// Whether the pages of clients call this.
#[must_use]
pub fn is_for_pages(path: &str) -> bool {
    is_public(path) || matches!(path, "/oauth/token" | "/oauth/revoke" | "/oauth/userinfo")
}

/// RFC 8414, 3.1 puts the name of the document before the path of the issuer: `/.well-known/{document}/t/acme`.
#[must_use]
pub fn without_insertion(path: &str) -> Option<String> {
    DISCOVERY.into_iter().find_map(|document| {
        let slug = path.strip_prefix(document)?.strip_prefix("/t/")?;
        (!slug.is_empty() && !slug.contains('/')).then(|| format!("/t/{slug}{document}"))
    })
}

impl OAuth {
    /// The server over this identity.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self { identity }
    }

    /// Answers a request to one of its paths.
    ///
    /// # Errors
    /// 404 and 405 as problems, and those of the consent page's own interface.
    pub async fn call(
        &self,
        request: Request,
        organization: &Arc<Organization>,
    ) -> Result<Response, Problem> {
        let path = request.uri().path().to_owned();
        let (get, post) =
            (matches!(*request.method(), Method::GET | Method::HEAD), *request.method() == Method::POST);
        let answer = match (path.as_str(), get, post) {
            (path, true, _) if DISCOVERY.contains(&path) => self.discovery(organization),
            ("/oauth/jwks", true, _) => self.key_set(organization).await?,
            (FORM_POST, true, _) => answer::form_post_script(),
            ("/oauth/authorize", true, _) | ("/oauth/authorize", _, true) => {
                self.authorize(request, organization).await
            }
            ("/oauth/token", _, true) => self.token(request, organization).await,
            ("/oauth/revoke", _, true) => self.revoke(request, organization).await,
            ("/oauth/introspect", _, true) => self.introspect(request, organization).await,
            ("/oauth/userinfo", true, _) | ("/oauth/userinfo", _, true) => {
                self.user_info(request, organization).await
            }
            ("/oauth/end_session", true, _) | ("/oauth/end_session", _, true) => {
                self.end_session(request, organization).await
            }
            (path, get, post) => match path.strip_prefix("/oauth/consent/") {
                Some(name) if get => self.consent_question(request, organization, name).await?,
                Some(_) if post => self.answer_consent(request, organization).await?,
                _ => return Err(refused(path)),
            },
        };
        Ok(own(answer))
    }

    async fn key_set(&self, organization: &Arc<Organization>) -> Result<Response, Problem> {
        let keys = self.identity.key_set(organization.id).await?;
        let answer = answer::json(200, &keys);
        Ok(answer::with_header(answer, header::CACHE_CONTROL, "public, max-age=300"))
    }
}

/// 405 where there is something, 404 where there is nothing.
fn refused(path: &str) -> Problem {
    let known = DISCOVERY.contains(&path)
        || path == FORM_POST
        || path.starts_with("/oauth/consent/")
        || ["authorize", "token", "revoke", "introspect", "userinfo", "end_session", "jwks"]
            .iter()
            .any(|name| path.strip_prefix("/oauth/") == Some(name));
    if !known {
        return crate::http::address::no_route();
    }
    let allow = match path {
        "/oauth/token" | "/oauth/revoke" | "/oauth/introspect" => "POST",
        "/oauth/jwks" | FORM_POST => "GET",
        path if DISCOVERY.contains(&path) => "GET",
        _ => "GET, POST",
    };
    let detail = "This address does not serve this method.";
    Problem::new(poem::http::StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
        .with_header(header::ALLOW, poem::http::HeaderValue::from_static(allow))
}

/// Logs a failure of ours; the caller learns nothing of it.
fn logged(error: &IdentityError) {
    tracing::error!(error = %error, "the authorization server failed");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inserted_form_of_rfc_8414_is_the_same_document() {
        let inserted = "/.well-known/oauth-authorization-server/t/acme";
        let expected = "/t/acme/.well-known/oauth-authorization-server";
        assert_eq!(without_insertion(inserted).as_deref(), Some(expected));
        for other in
            ["/t/acme/docs", "/.well-known/oauth-authorization-server/t/acme/x", "/.well-known/x/t/a"]
        {
            assert_eq!(without_insertion(other), None, "{other}");
        }
    }

    #[test]
    fn a_known_address_refuses_the_method_and_an_unknown_one_everything() {
        assert_eq!(refused("/oauth/token").status.as_u16(), 405);
        assert_eq!(refused("/oauth/tokens").status.as_u16(), 404);
        assert_eq!(refused("/.well-known/x").status.as_u16(), 404);
    }
}
