//! `/me/…`: what people change about how they get in. Programs have none of it.

use poem::http::StatusCode;
use poem_openapi::{Object, OpenApi};

use crate::clock::rfc3339;
use crate::config::PublicAddress;
use crate::http::access::{Access, id};
use crate::http::answer::{Accepted, Done, Found};
use crate::http::browser::Browser;
use crate::http::input::Input;
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::http::resources::auth::{Taken, Token};
use crate::identity::{Email, FactorProof as Proof, Identity, IdentityError, Session, Visitor, score};

/// Profile, sessions, password and second factors of whoever asks.
pub struct CredentialsApi {
    /// People and credentials.
    pub identity: Identity,
    /// How the installation is reached.
    pub address: PublicAddress,
}

/// How somebody gets in.
#[derive(Object)]
pub struct Profile {
    /// The person's id.
    id: String,
    /// Their name.
    name: String,
    /// Their address.
    email: Option<String>,
    /// Whether an authenticator app is asked for.
    totp: bool,
    /// Recovery codes that are left.
    recovery_codes: u32,
}

/// Somewhere they are signed in.
#[derive(Object)]
pub struct MySession {
    /// Its id.
    id: String,
    /// Whether it is that of the token of this request.
    current: bool,
    /// When it began.
    created_at: String,
    /// When it was last used, to the minute.
    last_seen: String,
    /// What it is recognized by.
    device: String,
    /// Where from: a prefix of the address.
    network: String,
    /// `aal1` or `aal2`.
    acr: String,
}

/// Every session.
#[derive(Object)]
pub struct MySessions {
    /// The newest first.
    data: Vec<MySession>,
}

/// Which sessions end, and who asks, once more.
#[derive(Object)]
pub struct SessionsEnd {
    /// The id of one; without it, every one but the present one.
    #[oai(validator(max_length = 64))]
    session: Option<String>,
    /// The present password. Whoever has none has signed in within the last five minutes instead.
    #[oai(validator(min_length = 1, max_length = 128))]
    password: Option<String>,
    /// A code of the authenticator app, or a recovery code; needed with a second factor.
    #[oai(validator(max_length = 64))]
    code: Option<String>,
}

/// Who they are, once more.
#[derive(Object)]
pub struct Confirmation {
    /// The present password.
    #[oai(validator(min_length = 1, max_length = 128))]
    password: String,
    /// A code of the authenticator app, or a recovery code; needed with a second factor.
    #[oai(validator(max_length = 64))]
    code: Option<String>,
}

/// A new password.
#[derive(Object)]
pub struct PasswordChange {
    /// The present password.
    #[oai(validator(min_length = 1, max_length = 128))]
    password: String,
    /// A code of the authenticator app, or a recovery code; needed with a second factor.
    #[oai(validator(max_length = 64))]
    code: Option<String>,
    /// 15 to 128 characters; 12 with a second factor.
    #[oai(validator(max_length = 128))]
    new_password: String,
}

/// A password to be judged.
#[derive(Object)]
pub struct Candidate {
    /// It is not kept.
    #[oai(validator(max_length = 128))]
    password: String,
}

/// How hard a password is to guess.
#[derive(Object)]
pub struct Strength {
    /// 0 to 4, an estimate; it refuses nothing.
    score: u8,
}

/// A new address.
#[derive(Object)]
pub struct EmailChange {
    /// The present password.
    #[oai(validator(min_length = 1, max_length = 128))]
    password: String,
    /// A code of the authenticator app, or a recovery code; needed with a second factor.
    #[oai(validator(max_length = 64))]
    code: Option<String>,
    /// The new address.
    #[oai(validator(min_length = 3, max_length = 254))]
    email: String,
}

/// An authenticator app that is to be confirmed.
#[derive(Object)]
pub struct TotpEnrolment {
    /// For typing, base32.
    secret: String,
    /// For scanning.
    otpauth_url: String,
}

/// Two codes in a row.
#[derive(Object)]
pub struct TotpConfirmation {
    /// Six digits.
    #[oai(validator(min_length = 6, max_length = 6))]
    pub(in crate::http::resources) first: String,
    /// The six digits that came next.
    #[oai(validator(min_length = 6, max_length = 6))]
    pub(in crate::http::resources) second: String,
}

/// Codes for when the app is lost, told this once.
#[derive(Object)]
pub struct RecoveryCodes {
    /// Each is good once.
    codes: Vec<String>,
}

#[OpenApi(prefix_path = "/api/v1/me", tag = "Tag::Auth")]
impl CredentialsApi {
    /// How I get in
    #[oai(path = "/profile", method = "get", operation_id = "get_my_profile")]
    async fn profile(&self, access: Access) -> Result<Found<Profile>, Problem> {
        access.oneself()?;
        let organization = access.organization().id;
        let user = self.identity.user(organization, access.caller.principal.id)?;
        let factors = self.identity.factors(organization, user.id)?;
        Ok(Found::new(Profile {
            id: user.id.to_string(),
            name: user.name,
            email: user.email,
            totp: factors.totp,
            recovery_codes: factors.recovery_codes,
        }))
    }

    /// Where I am signed in
    #[oai(path = "/sessions", method = "get", operation_id = "list_my_sessions")]
    async fn sessions(&self, access: Access) -> Result<Found<MySessions>, Problem> {
        access.oneself()?;
        let principal = &access.caller.principal;
        let sessions = self.identity.sessions_of(access.organization().id, principal.id)?;
        let shown = |session: Session| MySession {
            id: session.id.to_string(),
            current: principal.session == Some(session.id),
            created_at: rfc3339(session.created_at),
            last_seen: rfc3339(session.last_seen),
            acr: session.acr().to_owned(),
            device: session.device,
            network: session.network,
        };
        Ok(Found::new(MySessions { data: sessions.into_iter().map(shown).collect() }))
    }

    /// End my sessions
    ///
    /// One, or every one but that of the token of this request. It takes the password, and a code with a second factor.
    #[oai(path = "/sessions/end", method = "post", operation_id = "end_my_sessions")]
    async fn end_sessions(
        &self,
        access: Access,
        browser: Browser,
        input: Input<SessionsEnd>,
    ) -> Result<Done, Problem> {
        let SessionsEnd { session, password, code } = &input.0;
        let session = session.as_deref().map(|text| id(text, "session_not_found")).transpose()?;
        let visitor = browser.visitor(&self.address);
        let proof = password.as_deref().map(|password| proof(password, code.as_deref(), &visitor));
        let ended =
            self.identity.end_own_sessions(&access.caller, access.organization(), session, proof.as_ref());
        ended.await.map_err(refused)?;
        Ok(Done)
    }

    /// Change my password
    ///
    /// Ends every other session and every token; the answer is a new one.
    #[oai(path = "/password", method = "post", operation_id = "change_my_password")]
    async fn password(
        &self,
        access: Access,
        browser: Browser,
        input: Input<PasswordChange>,
    ) -> Result<Found<Token>, Problem> {
        let visitor = browser.visitor(&self.address);
        let proof = proof(&input.0.password, input.0.code.as_deref(), &visitor);
        let new = &input.0.new_password;
        let changed = self
            .identity
            .change_password(&access.caller, access.organization(), &proof, new)
            .await
            .map_err(refused)?;
        Ok(Found::new(Token::of(changed)))
    }

    /// How good a password would be
    #[oai(path = "/password/strength", method = "post", operation_id = "judge_password")]
    async fn strength(&self, access: Access, input: Input<Candidate>) -> Result<Found<Strength>, Problem> {
        let organization = access.organization();
        let words = [organization.slug.as_str(), &organization.name, &access.caller.principal.name];
        Ok(Found::new(Strength { score: score(&input.0.password, &words) }))
    }

    /// Change my address
    ///
    /// Nothing changes before the link that is sent to the new address is opened. Nobody is told whether it is taken.
    #[oai(path = "/email", method = "post", operation_id = "change_my_email")]
    async fn email(
        &self,
        access: Access,
        browser: Browser,
        input: Input<EmailChange>,
    ) -> Result<Accepted<Taken>, Problem> {
        let visitor = browser.visitor(&self.address);
        let proof = proof(&input.0.password, input.0.code.as_deref(), &visitor);
        let email = Email::parse(&input.0.email)?;
        self.identity
            .request_email(&access.caller, access.organization(), &proof, &email)
            .await
            .map_err(refused)?;
        Ok(Accepted::new(Taken::new("If the address is free, a link was sent to it.")))
    }

    /// Add an authenticator app
    ///
    /// It is asked for as soon as it is confirmed with two codes in a row.
    #[oai(path = "/totp", method = "post", operation_id = "begin_my_totp")]
    async fn begin_totp(
        &self,
        access: Access,
        browser: Browser,
        input: Input<Confirmation>,
    ) -> Result<Found<TotpEnrolment>, Problem> {
        let visitor = browser.visitor(&self.address);
        let proof = proof(&input.0.password, input.0.code.as_deref(), &visitor);
        let begun =
            self.identity.begin_totp(&access.caller, access.organization(), &proof).await.map_err(refused)?;
        Ok(Found::new(TotpEnrolment { secret: begun.secret, otpauth_url: begun.address }))
    }

    /// Confirm the authenticator app
    #[oai(path = "/totp/confirm", method = "post", operation_id = "confirm_my_totp")]
    async fn confirm_totp(
        &self,
        access: Access,
        input: Input<TotpConfirmation>,
    ) -> Result<Found<RecoveryCodes>, Problem> {
        let TotpConfirmation { first, second } = &input.0;
        let codes = self.identity.confirm_totp(&access.caller, access.organization(), first, second).await?;
        Ok(Found::new(RecoveryCodes { codes }))
    }

    /// Remove the authenticator app and the recovery codes
    #[oai(path = "/totp/remove", method = "post", operation_id = "remove_my_totp")]
    async fn remove_totp(
        &self,
        access: Access,
        browser: Browser,
        input: Input<Confirmation>,
    ) -> Result<Done, Problem> {
        let visitor = browser.visitor(&self.address);
        let proof = proof(&input.0.password, input.0.code.as_deref(), &visitor);
        self.identity.remove_factors(&access.caller, access.organization(), &proof).await.map_err(refused)?;
        Ok(Done)
    }

    /// Make new recovery codes
    #[oai(path = "/recovery-codes", method = "post", operation_id = "make_my_recovery_codes")]
    async fn recovery_codes(
        &self,
        access: Access,
        browser: Browser,
        input: Input<Confirmation>,
    ) -> Result<Found<RecoveryCodes>, Problem> {
        let visitor = browser.visitor(&self.address);
        let proof = proof(&input.0.password, input.0.code.as_deref(), &visitor);
        let codes = self
            .identity
            .new_recovery_codes(&access.caller, access.organization(), &proof)
            .await
            .map_err(refused)?;
        Ok(Found::new(RecoveryCodes { codes }))
    }
}

pub(in crate::http::resources) fn proof<'a>(
    password: &'a str,
    code: Option<&'a str>,
    visitor: &'a Visitor,
) -> Proof<'a> {
    Proof { password, code, visitor }
}

/// The token of the request is good: what is wrong with the proof must not make a program drop it.
pub(in crate::http::resources) fn refused(error: IdentityError) -> Problem {
    let proves = matches!(error, IdentityError::InvalidCredentials | IdentityError::SecondFactorRequired);
    let mut problem = Problem::from(error);
    if proves {
        problem.status = StatusCode::FORBIDDEN;
    }
    problem
}
