//! `/auth/transactions`: signing in step by step, for pages and programs that keep cookies.

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::{Object, OpenApi};

use crate::config::PublicAddress;
use crate::http::answer::Found;
use crate::http::browser::{Browser, LOGIN, WithCookies};
use crate::http::callback;
use crate::http::input::Input;
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::http::resources::me::credentials::TotpConfirmation;
use crate::identity::{Federation, Identity, IdentityError, IssueToken, LIFETIME, Started, Step};
use crate::organizations::Organization;

/// Signs in, step by step.
pub struct TransactionsApi {
    /// People and credentials.
    pub identity: Identity,
    /// Providers that vouch for people.
    pub federation: Federation,
    /// How the installation is reached.
    pub address: PublicAddress,
}

/// Where a login is.
#[derive(Object)]
pub struct LoginState {
    /// What can be done next, one of them: `identify`, `password`, `totp`, `recovery`, `enrol`, `confirm`, `complete`.
    next: Vec<String>,
}

/// Who wants in.
#[derive(Object)]
pub struct Identification {
    /// The person's e-mail address.
    #[oai(validator(min_length = 3, max_length = 254))]
    email: String,
}

/// A password.
#[derive(Object)]
pub struct PasswordStep {
    /// As it was chosen; at most 128 characters.
    #[oai(validator(min_length = 1, max_length = 128))]
    password: String,
}

/// What a provider's callback left.
#[derive(Object)]
#[oai(rename = "LoginVoucher")]
pub struct Voucher {
    /// What stands behind `#voucher=`.
    #[oai(validator(min_length = 1, max_length = 128))]
    voucher: String,
}

/// A code.
#[derive(Object)]
pub struct CodeStep {
    /// Six digits of the authenticator app, or a recovery code.
    #[oai(validator(min_length = 6, max_length = 64))]
    code: String,
}

/// An authenticator app that is to be confirmed, within a login.
#[derive(Object)]
pub struct LoginEnrolment {
    /// For typing, base32.
    secret: String,
    /// For scanning.
    otpauth_url: String,
    /// What can be done next.
    next: Vec<String>,
}

/// The app is confirmed; codes for when it is lost, told this once.
#[derive(Object)]
pub struct LoginEnrolled {
    /// Each is good once.
    recovery_codes: Vec<String>,
    /// What can be done next.
    next: Vec<String>,
}

/// How a login ends.
#[derive(Object)]
pub struct Completion {
    /// Whether to answer an access token, too.
    access_token: Option<bool>,
}

/// Somebody is signed in.
#[derive(Object)]
pub struct SignedInPerson {
    /// Who.
    user_id: String,
    /// The session's id, which opens nothing.
    session_id: String,
    /// `aal1`, or `aal2` with a second factor.
    acr: String,
    /// The access token, when it was asked for.
    access_token: Option<String>,
    /// Always `Bearer`.
    token_type: Option<String>,
    /// Seconds until the token is over.
    expires_in: Option<i64>,
}

#[OpenApi(prefix_path = "/api/v1/auth/transactions", tag = "Tag::Auth")]
impl TransactionsApi {
    /// Begin to sign in
    ///
    /// Sets the cookie `stoa_tx` (`__Host-stoa_tx` over https), which the next steps need; ten minutes. Every step
    /// needs the header `X-Stoa-Request: 1`.
    #[oai(path = "/", method = "post", operation_id = "begin_login")]
    async fn begin(
        &self,
        organization: Data<&Arc<Organization>>,
        browser: Browser,
    ) -> Result<WithCookies<Found<LoginState>>, Problem> {
        browser.own()?;
        let (cookie, steps) = self.identity.begin_login(organization.0).await?;
        Ok(WithCookies::new(state(&steps), vec![browser.login(&self.address, &cookie)]))
    }

    /// Where the login is
    #[oai(path = "/", method = "get", operation_id = "get_login")]
    async fn get(
        &self,
        organization: Data<&Arc<Organization>>,
        browser: Browser,
    ) -> Result<Found<LoginState>, Problem> {
        let cookie = self.cookie(&browser)?;
        Ok(state(&self.identity.login_steps(organization.0, &cookie)?))
    }

    /// Say who wants in
    ///
    /// The answer is the same whether or not somebody has the address.
    #[oai(path = "/identify", method = "post", operation_id = "identify_login")]
    async fn identify(
        &self,
        organization: Data<&Arc<Organization>>,
        browser: Browser,
        input: Input<Identification>,
    ) -> Result<Found<LoginState>, Problem> {
        let cookie = self.cookie(&browser)?;
        Ok(state(&self.identity.login_identify(organization.0, &cookie, &input.0.email).await?))
    }

    /// Say the password
    #[oai(path = "/password", method = "post", operation_id = "password_login")]
    async fn password(
        &self,
        organization: Data<&Arc<Organization>>,
        browser: Browser,
        input: Input<PasswordStep>,
    ) -> Result<Found<LoginState>, Problem> {
        let (cookie, visitor) = (self.cookie(&browser)?, browser.visitor(&self.address));
        let password = &input.0.password;
        let steps = self.identity.login_password(organization.0, &cookie, password, &visitor).await?;
        Ok(state(&steps))
    }

    /// Let a provider's word stand for the password
    ///
    /// With the voucher that the provider's callback put behind `#voucher=`, in the browser that began there.
    #[oai(path = "/federated", method = "post", operation_id = "federated_login")]
    async fn federated(
        &self,
        request: &Request,
        organization: Data<&Arc<Organization>>,
        browser: Browser,
        input: Input<Voucher>,
    ) -> Result<Found<LoginState>, Problem> {
        let login = self.identity.login_hash(organization.id, &self.cookie(&browser)?)?;
        let bound = callback::cookie(request.headers(), &self.federation, organization.0);
        let external = self.federation.take(organization.0, bound.as_deref(), &input.0.voucher).await?;
        Ok(state(&self.identity.finish_external(organization.0, login, external).await?))
    }

    /// Say a code of the authenticator app
    #[oai(path = "/totp", method = "post", operation_id = "totp_login")]
    async fn totp(
        &self,
        organization: Data<&Arc<Organization>>,
        browser: Browser,
        input: Input<CodeStep>,
    ) -> Result<Found<LoginState>, Problem> {
        let (cookie, visitor) = (self.cookie(&browser)?, browser.visitor(&self.address));
        Ok(state(&self.identity.login_totp(organization.0, &cookie, &input.0.code, &visitor).await?))
    }

    /// Say a recovery code
    #[oai(path = "/recovery", method = "post", operation_id = "recovery_login")]
    async fn recovery(
        &self,
        organization: Data<&Arc<Organization>>,
        browser: Browser,
        input: Input<CodeStep>,
    ) -> Result<Found<LoginState>, Problem> {
        let (cookie, visitor) = (self.cookie(&browser)?, browser.visitor(&self.address));
        let steps = self.identity.login_recovery(organization.0, &cookie, &input.0.code, &visitor).await?;
        Ok(state(&steps))
    }

    /// Add an authenticator app
    ///
    /// When the organization demands a second factor and there is none, or when a recovery code stood for it. Asked again, it
    /// makes another secret.
    #[oai(path = "/enrol", method = "post", operation_id = "enrol_in_login")]
    async fn enrol(
        &self,
        organization: Data<&Arc<Organization>>,
        browser: Browser,
    ) -> Result<Found<LoginEnrolment>, Problem> {
        let cookie = self.cookie(&browser)?;
        let (begun, steps) = self.identity.login_enrol(organization.0, &cookie).await?;
        let next = words(&steps);
        Ok(Found::new(LoginEnrolment { secret: begun.secret, otpauth_url: begun.address, next }))
    }

    /// Confirm the authenticator app
    ///
    /// With two codes in a row. It is the second factor of this login, too.
    #[oai(path = "/enrol/confirm", method = "post", operation_id = "confirm_in_login")]
    async fn confirm(
        &self,
        organization: Data<&Arc<Organization>>,
        browser: Browser,
        input: Input<TotpConfirmation>,
    ) -> Result<Found<LoginEnrolled>, Problem> {
        let (cookie, visitor) = (self.cookie(&browser)?, browser.visitor(&self.address));
        let codes = (input.0.first.as_str(), input.0.second.as_str());
        let (recovery_codes, steps) =
            self.identity.login_confirm(organization.0, &cookie, codes, &visitor).await?;
        Ok(Found::new(LoginEnrolled { recovery_codes, next: words(&steps) }))
    }

    /// Sign in
    ///
    /// Sets the cookie `stoa_sid` (`__Host-stoa_sid` over https), always a new one, and takes that of the login away.
    #[oai(path = "/complete", method = "post", operation_id = "complete_login")]
    async fn complete(
        &self,
        organization: Data<&Arc<Organization>>,
        browser: Browser,
        input: Input<Completion>,
    ) -> Result<WithCookies<Found<SignedInPerson>>, Problem> {
        let (cookie, visitor) = (self.cookie(&browser)?, browser.visitor(&self.address));
        let started = self.identity.complete_login(organization.0, &cookie, &visitor).await?;
        let mut cookies =
            vec![browser.session(&self.address, &started.cookie), browser.without(&self.address, LOGIN)];
        let device = self.identity.device_cookie(organization.0, started.session.user)?;
        cookies.extend(device.map(|device| browser.device(&self.address, &device)));
        let asked = input.0.access_token == Some(true);
        let person = self.person(organization.0, &started, asked).await?;
        Ok(WithCookies::new(Found::new(person), cookies))
    }

    async fn person(
        &self,
        organization: &Organization,
        started: &Started,
        asked: bool,
    ) -> Result<SignedInPerson, Problem> {
        let session = &started.session;
        let mut person = SignedInPerson {
            user_id: session.user.to_string(),
            session_id: session.id.to_string(),
            acr: session.acr().to_owned(),
            access_token: None,
            token_type: None,
            expires_in: None,
        };
        if asked {
            let token = IssueToken {
                organization,
                user: session.user,
                session: Some(session.id),
                client: None,
                scope: "",
                grant: None,
                auth_time: session.auth_time,
                amr: &session.amr(),
                acr: session.acr(),
                life: LIFETIME,
            };
            let token = self.identity.issue(token).await?;
            person.access_token = Some(token.token);
            person.token_type = Some("Bearer".to_owned());
            person.expires_in = Some(token.expires_in);
        }
        Ok(person)
    }

    fn cookie(&self, browser: &Browser) -> Result<String, Problem> {
        browser.own()?;
        Ok(browser.cookie(&self.address, LOGIN).ok_or(IdentityError::InvalidLogin)?)
    }
}

fn state(steps: &[Step]) -> Found<LoginState> {
    Found::new(LoginState { next: words(steps) })
}

fn words(steps: &[Step]) -> Vec<String> {
    steps.iter().map(|step| step.as_str().to_owned()).collect()
}
