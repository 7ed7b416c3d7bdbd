//! `/oauth/end_session`: RP-initiated logout. Without a hint that names the session, the person is asked.

use std::sync::Arc;

use poem::http::{Method, header};
use poem::{Request, Response};

use super::parameters::Parameters;
use super::{OAuth, answer, person};
use crate::caller::{Caller, Source};
use crate::http::request;
use crate::identity::{Client, Hint, IdentityError, SignedIn};
use crate::ids::RequestId;
use crate::organizations::Organization;

impl OAuth {
    pub(super) async fn end_session(
        &self,
        mut request: Request,
        organization: &Arc<Organization>,
    ) -> Response {
        match self.try_end_session(&mut request, organization).await {
            Ok(answer) => answer,
            Err(error) => {
                super::logged(&error);
                answer::failed_page()
            }
        }
    }

    async fn try_end_session(
        &self,
        request: &mut Request,
        organization: &Arc<Organization>,
    ) -> Result<Response, IdentityError> {
        let person = person::signed_in(&self.identity, organization, request.headers()).await?;
        let (posted, own) = (*request.method() == Method::POST, person::is_own_form(request.headers()));
        let parameters = match Parameters::of(request).await {
            Ok(parameters) => parameters,
            Err(error) => return Ok(answer::refused_page(&error.to_string())),
        };
        let hint = match parameters.get("id_token_hint") {
            Some(hint) => self.identity.read_hint(organization, hint)?,
            None => None,
        };
        let confirmed = posted && own && parameters.get("confirm") == Some("yes");
        let about = |hint: &Hint, person: &SignedIn| {
            hint.user == person.user && hint.session.is_none_or(|session| session == person.session)
        };
        if let Some(person) = &person {
            if !confirmed && !hint.as_ref().is_some_and(|hint| about(hint, person)) {
                return Ok(question());
            }
            self.end(organization, person).await?;
        }
        let back = match &hint {
            Some(hint) => self.way_back(organization, hint, &parameters)?,
            None => None,
        };
        let answer = back.map_or_else(signed_out, |back| answer::redirect(&back));
        Ok(answer::with_header(answer, header::SET_COOKIE, &self.gone(organization)))
    }

    /// Where the client wants the person to go, if it registered that.
    fn way_back(
        &self,
        organization: &Arc<Organization>,
        hint: &Hint,
        parameters: &Parameters,
    ) -> Result<Option<String>, IdentityError> {
        let Some(asked) = parameters.get("post_logout_redirect_uri") else { return Ok(None) };
        let named = parameters.get("client_id").is_none_or(|id| id == hint.client.to_string());
        let client = match self.identity.client(organization.id, hint.client) {
            Ok(client) => client,
            Err(IdentityError::ClientNotFound(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let registered =
            |client: &Client| client.active && client.logout_uris.iter().any(|known| known == asked);
        if !named || !registered(&client) {
            return Ok(None);
        }
        let state = parameters.get("state").map(|state| ("state", state.to_owned()));
        Ok(Some(match state {
            Some(state) => answer::with_query(asked, &[state]),
            None => asked.to_owned(),
        }))
    }

    async fn end(&self, organization: &Arc<Organization>, person: &SignedIn) -> Result<(), IdentityError> {
        let Some(principal) = self.identity.principal(organization.id, person.user)? else { return Ok(()) };
        let request = request::current().unwrap_or_else(RequestId::new);
        let by = Caller { organization: organization.id, principal, request, source: Source::Api };
        match self.identity.end_session(&by, person.session).await {
            // Somebody else was faster.
            Err(IdentityError::SessionNotFound(_)) => Ok(()),
            other => other,
        }
    }

    /// Takes the cookie back.
    fn gone(&self, organization: &Arc<Organization>) -> String {
        let issuer = self.identity.issuer(organization);
        let name = person::cookie_name(&issuer);
        let secure = issuer.starts_with("https://");
        let path = match issuer.split_once("://").and_then(|(_, rest)| rest.split_once('/')) {
            Some((_, path)) if !secure => format!("/{path}"),
            _ => "/".to_owned(),
        };
        let guard = if secure { "; Secure" } else { "" };
        format!("{name}=; Path={path}; Max-Age=0; HttpOnly; SameSite=Lax{guard}")
    }
}

fn question() -> Response {
    let body = "<h1>Sign out?</h1><form method=\"post\" action=\"end_session\">\
                <input type=\"hidden\" name=\"confirm\" value=\"yes\"><button type=\"submit\">Sign out</button></form>";
    let policy = "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    answer::with_header(answer::page(200, "Sign out", body), header::CONTENT_SECURITY_POLICY, policy)
}

fn signed_out() -> Response {
    answer::page(200, "Signed out", "<h1>You are signed out</h1><p>You can close this page.</p>")
}
