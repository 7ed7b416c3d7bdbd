//! `/claim`, `/invitations`, `/auth`: the ways in, and out.

use poem::web::Data;
use poem_openapi::param::Header;
use poem_openapi::{Object, OpenApi};

use crate::http::answer::{Created, Done, Found};
use crate::http::input::Input;
use crate::http::platform::access::Enrolling;
use crate::http::platform::cookie::{self, WithCookie};
use crate::http::platform::record::Acting;
use crate::http::problem::Problem;
use crate::http::proxy::ClientAddress;
use crate::identity::Email;
use crate::platform::{self, LIFETIME, Platform, PlatformError};

use super::Tag;
use super::admins::AdminView;

/// Lets people in.
pub(in crate::http::platform) struct AuthApi {
    /// The plane.
    pub platform: Platform,
}

/// The first owner.
#[derive(Object)]
pub(in crate::http::platform) struct Claim {
    /// What `stoa serve` or `stoa admin claim-code` printed.
    #[oai(validator(min_length = 1, max_length = 128))]
    code: String,
    /// Your e-mail address.
    #[oai(validator(min_length = 3, max_length = 254))]
    email: String,
    /// What people call you.
    #[oai(validator(min_length = 1, max_length = 200))]
    name: String,
    /// 15 to 128 characters.
    #[oai(validator(min_length = 1, max_length = 128))]
    password: String,
}

/// The token of an invitation and the password that its administrator chose.
#[derive(Object)]
pub(in crate::http::platform) struct Acceptance {
    /// What stands behind `#token=` in the link.
    #[oai(validator(min_length = 1, max_length = 128))]
    token: String,
    /// 15 to 128 characters.
    #[oai(validator(min_length = 1, max_length = 128))]
    password: String,
}

/// Address, password and, once there is one, a code of the second factor.
#[derive(Object)]
#[oai(rename = "SignIn")]
pub(in crate::http::platform) struct SignInInput {
    /// In any letter case.
    #[oai(validator(min_length = 3, max_length = 254))]
    email: String,
    /// At most 128 characters.
    #[oai(validator(min_length = 1, max_length = 128))]
    password: String,
    /// Six digits, or a recovery code.
    #[oai(validator(min_length = 1, max_length = 64))]
    code: Option<String>,
}

/// What to send as `Authorization: Bearer …`.
#[derive(Object)]
#[oai(rename = "PlatformToken")]
pub(in crate::http::platform) struct Token {
    /// The access token.
    access_token: String,
    /// Always `Bearer`.
    token_type: String,
    /// Seconds until it is over; `POST /admin/v1/auth/token` gives the next one.
    expires_in: i64,
    /// Without a second factor the token is good for enrolling one, and for nothing else.
    enrolment_required: bool,
}

impl Token {
    pub(super) fn new(access_token: String, strong: bool) -> Self {
        let token_type = "Bearer".to_owned();
        Self { access_token, token_type, expires_in: LIFETIME, enrolment_required: !strong }
    }
}

#[OpenApi(prefix_path = "/admin/v1", tag = "Tag::Auth")]
impl AuthApi {
    /// Claim the platform
    ///
    /// Makes the first owner. The code is good once and for 24 hours; of many who come at once, one gets in.
    #[oai(path = "/claim", method = "post", operation_id = "claim_platform")]
    async fn claim(&self, acting: Data<&Acting>, input: Input<Claim>) -> Result<Created<AdminView>, Problem> {
        let Claim { code, email, name, password } = input.0;
        let claim = platform::Claim { code, email: Email::parse(&email)?, name, password };
        let admin = self.platform.claim(claim).await?;
        acting.is(&admin);
        let location = format!("/admin/v1/admins/{}", admin.id);
        Ok(Created::new(AdminView::from(&admin)).at(location).version(admin.version))
    }

    /// Accept an invitation
    ///
    /// Chooses a password; sign in with it then. The link works once and for 72 hours.
    #[oai(path = "/invitations/accept", method = "post", operation_id = "accept_platform_invitation")]
    async fn accept(&self, acting: Data<&Acting>, input: Input<Acceptance>) -> Result<Done, Problem> {
        let admin = self.platform.accept(&input.0.token, &input.0.password).await?;
        acting.is(&admin);
        Ok(Done)
    }

    /// Sign in
    ///
    /// Begins a session: a cookie, with which `POST /admin/v1/auth/token` gives access tokens of ten minutes; the session of
    /// the cookie that is sent along ends. Unknown address,
    /// wrong password, wrong code and disabled administrator get the same answer; without a code where one is needed it is 401
    /// `second_factor_required`.
    #[oai(path = "/auth/sign-in", method = "post", operation_id = "sign_in_administrator")]
    async fn sign_in(
        &self,
        acting: Data<&Acting>,
        from: Data<&ClientAddress>,
        request: &poem::Request,
        input: Input<SignInInput>,
    ) -> Result<WithCookie<Found<Token>>, Problem> {
        let SignInInput { email, password, code } = input.0;
        // Whose account it was about, for the log; asked whether or not anybody has the address.
        if let Some(id) = self.platform.id_of(&email).await? {
            acting.on(id.to_string());
        }
        let earlier = cookie::read(request.headers(), self.platform.origin()).map(str::to_owned);
        let with = platform::SignIn { email, password, code, address: from.0.0.to_string(), earlier };
        let signed = self.platform.sign_in(with).await?;
        acting.is(&signed.admin);
        let cookie = cookie::set(self.platform.origin(), &signed.secret);
        Ok(WithCookie(Found::new(Token::new(signed.token, signed.session.strong)), cookie))
    }

    /// Get an access token
    ///
    /// For the session of the cookie. Needs `X-Stoa-Request: 1`.
    #[oai(path = "/auth/token", method = "post", operation_id = "renew_administrator_token")]
    async fn token(
        &self,
        acting: Data<&Acting>,
        request: &poem::Request,
        /// Always `1`: a form of another site cannot send it.
        #[oai(name = "X-Stoa-Request")]
        meant: Header<Option<String>>,
    ) -> Result<Found<Token>, Problem> {
        cookie::meant(meant.0.as_deref())?;
        let secret = cookie::read(request.headers(), self.platform.origin());
        let (signed, token) = self.platform.renew(secret.ok_or(PlatformError::InvalidSession)?).await?;
        acting.is(&signed.admin);
        Ok(Found::new(Token::new(token, signed.strong)))
    }

    /// Sign out
    ///
    /// Ends the session; its access tokens end with it.
    #[oai(path = "/auth/sign-out", method = "post", operation_id = "sign_out_administrator")]
    async fn sign_out(&self, staff: Enrolling) -> Result<WithCookie<Done>, Problem> {
        self.platform.end_session(&staff.0, staff.0.session, false).await?;
        Ok(WithCookie(Done, cookie::clear(self.platform.origin())))
    }
}
