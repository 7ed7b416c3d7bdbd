//! `/oauth/token`, `/oauth/revoke`, `/oauth/introspect`, `/oauth/userinfo`.

use std::sync::Arc;

use poem::http::{Method, header};
use poem::{Request, Response};
use serde_json::{Map, Value, json};

use super::parameters::{Credentials, Parameters};
use super::{OAuth, answer};
use crate::http::cors::Page;
use crate::http::plane::bearer;
use crate::http::request;
use crate::identity::{Client, IdentityError, Introspection, OAuthError, TokenAnswer, UserInfo};
use crate::ids::RequestId;
use crate::organizations::Organization;

impl OAuth {
    pub(super) async fn token(&self, mut request: Request, organization: &Arc<Organization>) -> Response {
        match self.tokens(&mut request, organization).await {
            Ok(tokens) => answer::json(200, &shown(&tokens)),
            Err(error) => answer::refusal(&error),
        }
    }

    async fn tokens(
        &self,
        request: &mut Request,
        organization: &Arc<Organization>,
    ) -> Result<TokenAnswer, OAuthError> {
        let form = Parameters::of(request).await?;
        let grant = form.need("grant_type", "The parameter grant_type is missing.")?;
        if !matches!(grant, "authorization_code" | "refresh_token" | "client_credentials") {
            return Err(OAuthError::UnsupportedGrantType);
        }
        let client = self.client(request, &form, organization).await?;
        match grant {
            "authorization_code" => {
                let code = form.need("code", "The parameter code is missing.")?;
                let (redirect, verifier) = (form.get("redirect_uri"), form.get("code_verifier"));
                let verifier = verifier.unwrap_or_default();
                self.identity.exchange_code(organization, &client, code, redirect, verifier).await
            }
            "refresh_token" => {
                let token = form.need("refresh_token", "The parameter refresh_token is missing.")?;
                self.identity.refresh(organization, &client, token, form.get("scope")).await
            }
            _ => self.identity.client_credentials(organization, &client, form.get("scope")).await,
        }
    }

    /// The client that asks; from a page only if it is one of its own.
    async fn client(
        &self,
        request: &Request,
        form: &Parameters,
        organization: &Arc<Organization>,
    ) -> Result<Client, OAuthError> {
        let shown = Credentials::of(request.headers(), form)?;
        let client = self.identity.authenticate_client(organization, &shown.proof()).await?;
        match request.data::<Page>() {
            Some(page) if !page.is_of(&client.origins) => Err(OAuthError::UnauthorizedClient),
            _ => Ok(client),
        }
    }

    /// RFC 7009: 200, whatever there was to revoke.
    pub(super) async fn revoke(&self, mut request: Request, organization: &Arc<Organization>) -> Response {
        let revoked = async {
            let form = Parameters::of(&mut request).await?;
            let client = self.client(&request, &form, organization).await?;
            let token = form.need("token", "The parameter token is missing.")?;
            self.identity.revoke_token(organization, &client, token).await
        };
        match revoked.await {
            Ok(()) => answer::json(200, &json!({})),
            Err(error) => answer::refusal(&error),
        }
    }

    /// RFC 7662: of what is not the client's own nothing is said but that it is not active.
    pub(super) async fn introspect(
        &self,
        mut request: Request,
        organization: &Arc<Organization>,
    ) -> Response {
        let found = async {
            let form = Parameters::of(&mut request).await?;
            let client = self.client(&request, &form, organization).await?;
            if client.is_public() {
                return Err(OAuthError::InvalidClient);
            }
            let token = form.need("token", "The parameter token is missing.")?;
            self.identity.introspect(organization, &client, token)
        };
        match found.await {
            Ok(Some(found)) => answer::json(200, &self.said(&found, organization)),
            Ok(None) => answer::json(200, &json!({ "active": false })),
            Err(error) => answer::refusal(&error),
        }
    }

    fn said(&self, found: &Introspection, organization: &Arc<Organization>) -> Value {
        let mut body = Map::new();
        body.insert("active".to_owned(), json!(true));
        body.insert("iss".to_owned(), json!(self.identity.issuer(organization)));
        body.insert("sub".to_owned(), json!(found.user));
        body.insert("client_id".to_owned(), json!(found.client));
        body.insert("scope".to_owned(), json!(found.scope));
        body.insert("exp".to_owned(), json!(found.expires_at));
        body.extend(found.issued_at.map(|at| ("iat".to_owned(), json!(at))));
        body.extend(found.token_type.map(|kind| ("token_type".to_owned(), json!(kind))));
        body.extend(found.session.map(|session| ("sid".to_owned(), json!(session))));
        Value::Object(body)
    }

    /// OpenID Connect Core 5.3. The token stands in the header, or alone in a posted form.
    pub(super) async fn user_info(&self, mut asked: Request, organization: &Arc<Organization>) -> Response {
        let token = match (bearer(asked.headers()), asked.headers().contains_key(header::AUTHORIZATION)) {
            (Some(token), _) => Some(token.to_owned()),
            (None, false) if *asked.method() == Method::POST => {
                let form = Parameters::of_form(&mut asked).await.ok();
                form.and_then(|form| form.get("access_token").map(str::to_owned))
            }
            _ => None,
        };
        let Some(token) = token else { return unauthorized(401, "invalid_token") };
        let id = request::current().unwrap_or_else(RequestId::new);
        let caller = match self.identity.authenticate(organization, &token, id) {
            Ok(caller) => caller,
            Err(error @ (IdentityError::Storage(_) | IdentityError::Cryptography(_))) => {
                return answer::refusal(&error.into());
            }
            Err(_) => return unauthorized(401, "invalid_token"),
        };
        if let Some(page) = asked.data::<Page>() {
            match self.identity.client_of_token(organization, &token) {
                // Of another client's page nothing changes here, and its browser keeps the answer from it.
                Ok(client) => _ = page.is_of(client.as_ref().map_or(&[], |client| &client.origins)),
                Err(error) => return answer::refusal(&error.into()),
            }
        }
        match self.identity.user_info(&caller) {
            Ok(Some(info)) => answer::json(200, &claims(info)),
            Ok(None) => unauthorized(403, "insufficient_scope"),
            Err(error) => answer::refusal(&error.into()),
        }
    }
}

/// RFC 6750, 3.
fn unauthorized(status: u16, error: &str) -> Response {
    let body = json!({ "error": error });
    let challenge = format!("Bearer realm=\"stoa\", error=\"{error}\"");
    answer::with_header(answer::json(status, &body), header::WWW_AUTHENTICATE, &challenge)
}

fn shown(tokens: &TokenAnswer) -> Value {
    let mut body = Map::new();
    body.insert("access_token".to_owned(), json!(tokens.access_token));
    body.insert("token_type".to_owned(), json!("Bearer"));
    body.insert("expires_in".to_owned(), json!(tokens.expires_in));
    body.insert("scope".to_owned(), json!(tokens.scope));
    body.extend(tokens.refresh_token.as_ref().map(|token| ("refresh_token".to_owned(), json!(**token))));
    body.extend(tokens.id_token.as_ref().map(|token| ("id_token".to_owned(), json!(token))));
    Value::Object(body)
}

/// Claims by the scopes that were granted. No proof is kept that an address is the person's, so it counts as unverified:
/// a client must not join accounts by it.
fn claims(info: UserInfo) -> Value {
    let mut body = Map::new();
    body.insert("sub".to_owned(), json!(info.user));
    body.extend(info.name.map(|name| ("name".to_owned(), json!(name))));
    body.extend(info.updated_at.map(|at| ("updated_at".to_owned(), json!(at))));
    if let Some(email) = info.email {
        body.insert("email".to_owned(), json!(email));
        body.insert("email_verified".to_owned(), json!(false));
    }
    Value::Object(body)
}
