//! `/auth/federation`: signing in with another issuer. Needs no token; a cookie binds the way there and back to one browser.

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::{Object, OpenApi};

use crate::http::answer::Found;
use crate::http::callback;
use crate::http::input::Input;
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::http::resources::auth::Token;
use crate::http::resources::providers::{Gone, gone_to};
use crate::identity::{Federation, IdentityError, UserStatus};
use crate::organizations::Organization;

/// Lets people sign in with a provider.
pub struct SignInApi {
    /// Providers, and those who come from them.
    pub federation: Federation,
}

/// A way to sign in.
#[derive(Object)]
pub struct SignInOption {
    /// For `POST /auth/federation`.
    id: String,
    /// What to write on the button.
    name: String,
}

/// The ways to sign in beside a password.
#[derive(Object)]
pub struct SignInOptions {
    /// In the order of their creation.
    data: Vec<SignInOption>,
}

/// With whom.
#[derive(Object)]
pub struct SignInInput {
    /// A provider's id.
    #[oai(validator(max_length = 64))]
    provider: String,
}

/// What the sign-in page got.
#[derive(Object)]
pub struct VoucherInput {
    /// What stands behind `#voucher=`.
    #[oai(validator(min_length = 1, max_length = 128))]
    voucher: String,
}

#[OpenApi(prefix_path = "/api/v1/auth", tag = "Tag::Auth")]
impl SignInApi {
    /// List the ways to sign in
    ///
    /// The providers that are enabled, for the buttons of a sign-in page. What a button does is `POST /auth/federation`.
    #[oai(path = "/federation", method = "get", operation_id = "list_sign_in_options")]
    async fn options(&self, organization: Data<&Arc<Organization>>) -> Result<Found<SignInOptions>, Problem> {
        let providers = self.federation.providers(organization.id)?;
        let active = providers.into_iter().filter(|provider| provider.status == UserStatus::Active);
        let data = active
            .map(|provider| SignInOption { id: provider.id.to_string(), name: provider.name })
            .collect();
        Ok(Found::new(SignInOptions { data }))
    }

    /// Sign in with a provider
    ///
    /// The browser that asks gets a cookie and goes to the address; it comes back to the sign-in page with a voucher.
    #[oai(path = "/federation", method = "post", operation_id = "sign_in_elsewhere")]
    async fn depart(
        &self,
        organization: Data<&Arc<Organization>>,
        input: Input<SignInInput>,
    ) -> Result<Gone, Problem> {
        let unknown = |_| Problem::from(IdentityError::FederationRefused);
        let provider = input.0.provider.parse().map_err(unknown)?;
        let gone = self.federation.depart(organization.0, provider).await?;
        Ok(gone_to(gone, &self.federation, organization.0))
    }

    /// Exchange a voucher for an access token
    ///
    /// Works once, within a minute, in the browser that began.
    #[oai(path = "/federation/token", method = "post", operation_id = "redeem_voucher")]
    async fn redeem(
        &self,
        request: &Request,
        organization: Data<&Arc<Organization>>,
        input: Input<VoucherInput>,
    ) -> Result<Found<Token>, Problem> {
        let cookie = callback::cookie(request.headers(), &self.federation, organization.0);
        let token = self.federation.redeem(organization.0, cookie.as_deref(), &input.0.voucher).await?;
        Ok(Found::new(Token::of(token)))
    }
}
