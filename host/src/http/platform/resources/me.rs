//! `/me`: the administrator who asks, their password and their second factor.

use poem::web::Data;
use poem_openapi::{Object, OpenApi};

use crate::http::answer::{Done, Found};
use crate::http::input::Input;
use crate::http::platform::access::{Enrolling, Staff};
use crate::http::platform::cookie::{self, WithCookie};
use crate::http::problem::Problem;
use crate::http::proxy::ClientAddress;
use crate::platform::Platform;

use super::Tag;
use super::admins::AdminView;
use super::auth::Token;

/// Tells who one is.
pub(in crate::http::platform) struct MeApi {
    /// The plane.
    pub platform: Platform,
}

/// A new password, and the one of now.
#[derive(Object)]
#[oai(rename = "AdminPassword")]
pub(in crate::http::platform) struct PasswordInput {
    /// The one of now.
    #[oai(validator(min_length = 1, max_length = 128))]
    current: String,
    /// The new one, 15 to 128 characters.
    #[oai(validator(min_length = 1, max_length = 128))]
    new: String,
}

/// Who asks for a second factor, once more.
#[derive(Object)]
#[oai(rename = "AdminEnrolment")]
pub(in crate::http::platform) struct EnrolmentInput {
    /// Your password.
    #[oai(validator(min_length = 1, max_length = 128))]
    password: String,
    /// A code of the second factor that you have, if you have one.
    #[oai(validator(min_length = 1, max_length = 64))]
    code: Option<String>,
}

/// What an authenticator app needs; shown this once.
#[derive(Object)]
#[oai(rename = "AdminFactor")]
pub(in crate::http::platform) struct FactorView {
    /// In base32, for typing.
    secret: String,
    /// The same as an address, for scanning as a QR code.
    otpauth_uri: String,
}

/// The code that the app shows.
#[derive(Object)]
#[oai(rename = "AdminFactorCode")]
pub(in crate::http::platform) struct CodeInput {
    /// Six digits.
    #[oai(validator(min_length = 6, max_length = 6))]
    code: String,
}

/// A confirmed second factor.
#[derive(Object)]
#[oai(rename = "AdminFactorConfirmed")]
pub(in crate::http::platform) struct Confirmed {
    /// Each signs in once when the app is lost. Shown this once.
    recovery_codes: Vec<String>,
    /// A token of the session that begins now; earlier ones have ended.
    token: Token,
}

#[OpenApi(prefix_path = "/admin/v1/me", tag = "Tag::Me")]
impl MeApi {
    /// Who you are
    #[oai(path = "/", method = "get", operation_id = "get_administrator_self")]
    async fn get(&self, staff: Staff) -> Result<Found<AdminView>, Problem> {
        Ok(Found::new(AdminView::from(&staff.0.admin)).version(staff.0.admin.version))
    }

    /// Change your password
    ///
    /// Every other session of yours ends.
    #[oai(path = "/password", method = "post", operation_id = "change_administrator_password")]
    async fn password(&self, staff: Staff, input: Input<PasswordInput>) -> Result<Done, Problem> {
        self.platform.change_password(&staff.0, &input.0.current, &input.0.new).await?;
        Ok(Done)
    }

    /// Begin to enrol a second factor
    ///
    /// The one you have, if any, stays until the new one is confirmed.
    #[oai(path = "/totp", method = "post", operation_id = "begin_administrator_factor")]
    async fn enrol(
        &self,
        staff: Enrolling,
        input: Input<EnrolmentInput>,
    ) -> Result<Found<FactorView>, Problem> {
        let EnrolmentInput { password, code } = input.0;
        let enrolment = self.platform.enrol(&staff.0, &password, code.as_deref()).await?;
        Ok(Found::new(FactorView { secret: enrolment.secret, otpauth_uri: enrolment.address }))
    }

    /// Confirm the second factor
    ///
    /// Every session of yours ends and a new one begins.
    #[oai(path = "/totp/confirm", method = "post", operation_id = "confirm_administrator_factor")]
    async fn confirm(
        &self,
        staff: Enrolling,
        from: Data<&ClientAddress>,
        input: Input<CodeInput>,
    ) -> Result<WithCookie<Found<Confirmed>>, Problem> {
        let address = from.0.0.to_string();
        let (signed, recovery_codes) = self.platform.confirm(&staff.0, &input.0.code, &address).await?;
        let cookie = cookie::set(self.platform.origin(), &signed.secret);
        let token = Token::new(signed.token, signed.session.strong);
        Ok(WithCookie(Found::new(Confirmed { recovery_codes, token }), cookie))
    }
}
