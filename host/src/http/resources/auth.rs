//! `/auth`: getting in. The only resources that need no token.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{Object, OpenApi};

use crate::config::PublicAddress;
use crate::http::answer::{Accepted, Done, Found};
use crate::http::browser::{Browser, SESSION, WithCookies};
use crate::http::input::Input;
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::identity::{AccessToken, Identity};
use crate::organizations::Organization;

/// Logs in and sets up.
pub struct AuthApi {
    /// People and credentials.
    pub identity: Identity,
    /// How the installation is reached.
    pub address: PublicAddress,
}

/// An address and a password.
#[derive(Object)]
pub struct Login {
    /// As it was given when the person was created, in any letter case.
    #[oai(validator(min_length = 3, max_length = 254))]
    email: String,
    /// At most 128 characters.
    #[oai(validator(min_length = 1, max_length = 128))]
    password: String,
}

/// What to send as `Authorization: Bearer …`.
#[derive(Object)]
pub struct Token {
    /// The access token.
    access_token: String,
    /// Always `Bearer`.
    token_type: String,
    /// Seconds until it is over.
    expires_in: i64,
}

impl Token {
    pub(super) fn of(token: AccessToken) -> Self {
        let token_type = "Bearer".to_owned();
        Self { access_token: token.token, token_type, expires_in: token.expires_in }
    }
}

impl Taken {
    pub(super) fn new(detail: &str) -> Self {
        Self { detail: detail.to_owned() }
    }
}

/// Somebody who forgot their password.
#[derive(Object)]
pub struct ForgottenPassword {
    /// Their e-mail address.
    #[oai(validator(min_length = 3, max_length = 254))]
    email: String,
}

/// The token of a mailed link and the new password.
#[derive(Object)]
pub struct PasswordReset {
    /// What stands behind `#token=` in the link.
    #[oai(validator(min_length = 1, max_length = 256))]
    token: String,
    /// 15 to 128 characters; 12 with a second factor.
    #[oai(validator(max_length = 128))]
    password: String,
    /// A code of the authenticator app or a recovery code: for people with a second factor.
    #[oai(validator(max_length = 64))]
    code: Option<String>,
}

/// The token of a mailed link.
#[derive(Object)]
pub struct MailedToken {
    /// What stands behind `#token=` or `#undo=` in the link.
    #[oai(validator(min_length = 1, max_length = 256))]
    token: String,
}

/// A request that is taken, whatever becomes of it.
#[derive(Object)]
pub struct Taken {
    /// The same for everybody.
    detail: String,
}

/// The token of a set-up link and the password that its person chose.
#[derive(Object)]
pub struct SetUp {
    /// What stands behind `#token=` in the link.
    #[oai(validator(min_length = 1, max_length = 256))]
    token: String,
    /// 15 to 128 characters.
    #[oai(validator(max_length = 128))]
    password: String,
}

#[OpenApi(prefix_path = "/api/v1/auth", tag = "Tag::Auth")]
impl AuthApi {
    /// Log in
    ///
    /// For people without a second factor, and for programs; with one, `second_factor_required` points to
    /// `/auth/transactions`. Unknown address, wrong password and disabled person get the same answer.
    #[oai(path = "/login", method = "post", operation_id = "log_in")]
    async fn log_in(
        &self,
        organization: Data<&Arc<Organization>>,
        browser: Browser,
        input: Input<Login>,
    ) -> Result<Found<Token>, Problem> {
        let Login { email, password } = input.0;
        let token =
            self.identity.log_in(organization.0, &email, &password, &browser.visitor(&self.address)).await?;
        Ok(Found::new(Token::of(token)))
    }

    /// Choose the password behind a set-up link
    ///
    /// The link works once and for 72 hours.
    #[oai(path = "/setup", method = "post", operation_id = "set_up")]
    async fn set_up(
        &self,
        organization: Data<&Arc<Organization>>,
        input: Input<SetUp>,
    ) -> Result<Done, Problem> {
        self.identity.set_up(organization.0, &input.0.token, &input.0.password).await?;
        Ok(Done)
    }

    /// Sign out
    ///
    /// Ends the session of the cookie, at once; without one there is nothing to end. Needs `X-Stoa-Request: 1`.
    #[oai(path = "/logout", method = "post", operation_id = "log_out")]
    async fn log_out(
        &self,
        organization: Data<&Arc<Organization>>,
        browser: Browser,
    ) -> Result<WithCookies<Done>, Problem> {
        browser.own()?;
        if let Some(cookie) = browser.cookie(&self.address, SESSION) {
            self.identity.log_out(organization.0, &cookie).await?;
        }
        Ok(WithCookies::new(Done, vec![browser.without(&self.address, SESSION)]).clearing())
    }

    /// Ask for a new password
    ///
    /// If somebody has the address, a link is sent there, good for 15 minutes. Nobody is told whether.
    #[oai(path = "/reset", method = "post", operation_id = "request_password_reset")]
    async fn request_reset(
        &self,
        organization: Data<&Arc<Organization>>,
        browser: Browser,
        input: Input<ForgottenPassword>,
    ) -> Result<Accepted<Taken>, Problem> {
        let visitor = browser.visitor(&self.address);
        self.identity.request_reset(organization.0, &input.0.email, &visitor).await?;
        Ok(Accepted::new(Taken::new("If somebody has this address, a link was sent to it.")))
    }

    /// Choose a new password behind a mailed link
    ///
    /// Ends every session and token. A second factor is asked as ever, and nobody is signed in by this.
    #[oai(path = "/reset/confirm", method = "post", operation_id = "reset_password")]
    async fn reset(
        &self,
        organization: Data<&Arc<Organization>>,
        input: Input<PasswordReset>,
    ) -> Result<Done, Problem> {
        let PasswordReset { token, password, code } = input.0;
        self.identity.reset_password(organization.0, &token, &password, code.as_deref()).await?;
        Ok(Done)
    }

    /// Confirm a new address
    #[oai(path = "/email/confirm", method = "post", operation_id = "confirm_email")]
    async fn confirm_email(
        &self,
        organization: Data<&Arc<Organization>>,
        input: Input<MailedToken>,
    ) -> Result<Done, Problem> {
        self.identity.confirm_email(organization.0, &input.0.token).await?;
        Ok(Done)
    }

    /// Undo a change of address
    ///
    /// For seven days, from the earlier address. Ends every session and token.
    #[oai(path = "/email/undo", method = "post", operation_id = "undo_email")]
    async fn undo_email(
        &self,
        organization: Data<&Arc<Organization>>,
        input: Input<MailedToken>,
    ) -> Result<Done, Problem> {
        self.identity.undo_email(organization.0, &input.0.token).await?;
        Ok(Done)
    }
}
