//! A login in steps, for pages and programs: identify, password, second factor, complete.
//!
//! What it takes is decided here when somebody identifies themselves, kept in a row that only the cookie of this login
//! finds, and looked at again when it is completed; a restart or a second tab begins with nothing done. Nothing tells
//! before the right password whether anybody has the address or a second factor.

use crate::clock::UnixMillis;
use crate::identity::factors::{self, Outcome};
use crate::identity::people::{UserStatus, find_user, key_of};
use crate::identity::sessions::{self, Method, NewSession, Started, Visitor, acr_of};
use crate::identity::{Identity, IdentityError, platform, secret};
use crate::ids::{OrganizationId, PrincipalId, RequestId};
use crate::organizations::{Organization, Status};
use crate::storage::Connection;

use super::store;

/// How long a login may take, in milliseconds.
pub const PATIENCE: UnixMillis = 10 * 60_000;

/// The longest cookie that is looked at, in bytes.
const LONGEST: usize = 128;

/// What can be done next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// Say who you are.
    Identify,
    /// Say the password.
    Password,
    /// Say a code of the authenticator app.
    Totp,
    /// Say a recovery code.
    Recovery,
    /// Ask for the session.
    Complete,
}

impl Step {
    /// The word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identify => "identify",
            Self::Password => "password",
            Self::Totp => "totp",
            Self::Recovery => "recovery",
            Self::Complete => "complete",
        }
    }
}

/// What another issuer vouched for.
#[derive(Clone, Debug)]
pub struct External {
    /// Who it is here.
    pub user: PrincipalId,
    /// How well they were proved: `aal1` or `aal2`.
    pub acr: String,
    /// When.
    pub auth_time: UnixMillis,
}

/// A login under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Login {
    pub(super) user: Option<PrincipalId>,
    pub(super) email_key: Option<String>,
    pub(super) required: Vec<Method>,
    pub(super) done: Vec<Method>,
    pub(super) acr: Option<String>,
    pub(super) auth_time: Option<UnixMillis>,
}

impl Login {
    fn steps(&self) -> Vec<Step> {
        let first = [Method::Password, Method::Federated];
        if self.email_key.is_none() && self.user.is_none() {
            return vec![Step::Identify];
        }
        if !self.done.iter().any(|method| first.contains(method)) {
            return vec![Step::Password];
        }
        let second = self.required.iter().any(|method| method.is_second());
        if second && !self.done.iter().any(|method| method.is_second()) {
            return vec![Step::Totp, Step::Recovery];
        }
        vec![Step::Complete]
    }

    fn require_second(&mut self, has_one: bool) {
        // Another issuer that asked for a second factor has done it for us.
        if has_one && self.acr.as_deref() != Some("aal2") && !self.required.contains(&Method::Totp) {
            self.required.push(Method::Totp);
        }
    }
}

impl Identity {
    /// Begins a login: the value of its cookie, and what can be done next.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub async fn begin_login(
        &self,
        organization: &Organization,
    ) -> Result<(String, Vec<Step>), IdentityError> {
        let cookie = secret::encode(secret::random()?.as_slice());
        let (hash, now) = (self.login_hash(organization.id, &cookie)?, self.clock.now());
        let by = platform(organization.id, RequestId::new());
        let login = Login::default();
        let steps = login.steps();
        self.write_quietly(&by, move |connection| {
            store::forget_logins(connection, now)?;
            Ok(store::put_login(connection, &hash, &login, now.saturating_add(PATIENCE))?)
        })
        .await?;
        Ok((cookie, steps))
    }

    /// What can be done next in a login.
    ///
    /// # Errors
    /// [`IdentityError::InvalidLogin`].
    pub fn login_steps(&self, organization: &Organization, cookie: &str) -> Result<Vec<Step>, IdentityError> {
        Ok(self.login(organization, cookie)?.1.steps())
    }

    /// Says who wants in. The answer is the same for everybody.
    ///
    /// # Errors
    /// [`IdentityError::InvalidLogin`].
    pub async fn login_identify(
        &self,
        organization: &Organization,
        cookie: &str,
        email: &str,
    ) -> Result<Vec<Step>, IdentityError> {
        let (hash, _) = self.login(organization, cookie)?;
        let key = key_of(email.get(..email.floor_char_boundary(254)).unwrap_or_default());
        let identified = self.change_login(organization, hash, move |connection, login| {
            let account = store::find_account(connection, &key)?;
            let account = account.filter(|account| account.status == UserStatus::Active);
            // Whatever was done before was done as somebody else.
            *login = Login { email_key: Some(key), required: vec![Method::Password], ..Login::default() };
            if let Some(account) = account {
                login.require_second(factors::factors_of(connection, account.id)?.totp);
                login.user = Some(account.id);
            }
            Ok(Outcome::Right)
        });
        self.floored(identified).await
    }

    /// Says the password.
    ///
    /// # Errors
    /// [`IdentityError::InvalidCredentials`] whatever is wrong; [`IdentityError::Throttled`], [`IdentityError::Busy`],
    /// [`IdentityError::InvalidLogin`].
    pub async fn login_password(
        &self,
        organization: &Organization,
        cookie: &str,
        password: &str,
        visitor: &Visitor,
    ) -> Result<Vec<Step>, IdentityError> {
        self.floored(async {
            let (hash, login) = self.login(organization, cookie)?;
            let key = login.email_key.ok_or(IdentityError::InvalidLogin)?;
            let account = self.check_password(organization, &key, password, visitor).await?;
            let now = self.clock.now();
            self.change_login(organization, hash, move |_, login| {
                // A second tab may have identified somebody else in the meantime.
                if login.user != Some(account.id) {
                    return Ok(Outcome::Wrong);
                }
                login.done = vec![Method::Password];
                login.auth_time = Some(now);
                Ok(Outcome::Right)
            })
            .await
        })
        .await
    }

    /// Says a code of the authenticator app.
    ///
    /// # Errors
    /// As [`Identity::login_password`].
    pub async fn login_totp(
        &self,
        organization: &Organization,
        cookie: &str,
        code: &str,
    ) -> Result<Vec<Step>, IdentityError> {
        let (hash, _) = self.login(organization, cookie)?;
        let (secrets, code, now) = (self.secrets.clone(), code.to_owned(), self.clock.now());
        self.change_login(organization, hash, move |connection, login| {
            let user = login.asked(Step::Totp)?;
            let outcome = factors::take_totp(connection, &secrets, user, &code, now)?;
            if outcome == Outcome::Right {
                login.done.push(Method::Totp);
            }
            Ok(outcome)
        })
        .await
    }

    /// Says a recovery code. The person is told by mail.
    ///
    /// # Errors
    /// As [`Identity::login_password`].
    pub async fn login_recovery(
        &self,
        organization: &Organization,
        cookie: &str,
        code: &str,
        visitor: &Visitor,
    ) -> Result<Vec<Step>, IdentityError> {
        self.networks.admit(visitor, self.clock.now())?;
        let (hash, login) = self.login(organization, cookie)?;
        let user = login.asked(Step::Recovery)?;
        let code = self.recovery_hash(user, code)?;
        let next = self.change_login(organization, hash, move |connection, login| {
            let user = login.asked(Step::Recovery)?;
            let outcome = factors::take_recovery(connection, user, &code)?;
            if outcome == Outcome::Right {
                login.done.push(Method::Recovery);
            }
            Ok(outcome)
        });
        let next = next.await;
        match &next {
            Ok(_) => self.tell(organization, user, "A recovery code was used", RECOVERY_USED).await,
            Err(_) => self.networks.failed(visitor, self.clock.now()),
        }
        next
    }

    /// Lets another issuer's word stand for the password in the login with this hash, see [`Identity::login_hash`].
    ///
    /// # Errors
    /// [`IdentityError::InvalidLogin`].
    pub async fn finish_external(
        &self,
        organization: &Organization,
        login: [u8; 32],
        external: External,
    ) -> Result<Vec<Step>, IdentityError> {
        self.change_login(organization, login, move |connection, login| {
            let user = find_user(connection, external.user)?;
            let user = user.filter(|user| user.status == UserStatus::Active);
            let user = user.ok_or(IdentityError::InvalidCredentials)?;
            *login = Login {
                user: Some(user.id),
                email_key: None,
                required: vec![Method::Federated],
                done: vec![Method::Federated],
                acr: Some(external.acr),
                auth_time: Some(external.auth_time),
            };
            login.require_second(factors::factors_of(connection, user.id)?.totp);
            Ok(Outcome::Right)
        })
        .await
    }

    /// Ends a login with a session, if everything that it takes was done.
    ///
    /// # Errors
    /// [`IdentityError::InvalidLogin`]; [`IdentityError::LoginIncomplete`] says that steps are missing.
    pub async fn complete_login(
        &self,
        organization: &Organization,
        cookie: &str,
        visitor: &Visitor,
    ) -> Result<Started, IdentityError> {
        let (login, _) = self.login(organization, cookie)?;
        let opener = secret::encode(secret::random()?.as_slice());
        let (hash, now) = (self.session_hash(organization.id, &opener)?, self.clock.now());
        let by = platform(organization.id, RequestId::new());
        let visitor = visitor.clone();
        let (session, displaced) = self
            .write_quietly(&by, move |connection| {
                let mut found =
                    store::find_login(connection, &login, now)?.ok_or(IdentityError::InvalidLogin)?;
                let user = found.user.ok_or(IdentityError::LoginIncomplete)?;
                // What was added since the person identified themselves counts, too.
                found.require_second(factors::factors_of(connection, user)?.totp);
                if found.steps() != [Step::Complete] {
                    return Err(IdentityError::LoginIncomplete);
                }
                store::drop_login(connection, &login)?;
                let acr = acr_of(&found.done, found.acr.as_deref());
                let auth_time = found.auth_time.unwrap_or(now);
                let new = NewSession { user, auth_time, methods: found.done, acr, visitor };
                sessions::begin(connection, &hash, new, now)
            })
            .await?;
        if displaced > 0 {
            self.tell(organization, session.user, "A session was ended", DISPLACED).await;
        }
        Ok(Started { cookie: opener, session, displaced })
    }

    /// The hash of a login's cookie: what names it elsewhere.
    ///
    /// # Errors
    /// Only when a primitive fails.
    pub fn login_hash(&self, organization: OrganizationId, cookie: &str) -> Result<[u8; 32], IdentityError> {
        let named = [b"login:", cookie.as_bytes()].concat();
        secret::keyed_hash(&self.peppers.session, organization.as_bytes(), &named)
    }

    fn login(&self, organization: &Organization, cookie: &str) -> Result<([u8; 32], Login), IdentityError> {
        if cookie.is_empty() || cookie.len() > LONGEST || organization.status != Status::Active {
            return Err(IdentityError::InvalidLogin);
        }
        let (hash, now) = (self.login_hash(organization.id, cookie)?, self.clock.now());
        let login =
            self.read(organization.id, |connection| Ok(store::find_login(connection, &hash, now)?))?;
        Ok((hash, login.ok_or(IdentityError::InvalidLogin)?))
    }

    /// Changes the row of a login. What a wrong code counts is kept, too.
    async fn change_login(
        &self,
        organization: &Organization,
        hash: [u8; 32],
        change: impl FnOnce(&Connection, &mut Login) -> Result<Outcome, IdentityError> + Send + 'static,
    ) -> Result<Vec<Step>, IdentityError> {
        let now = self.clock.now();
        let by = platform(organization.id, RequestId::new());
        let (outcome, steps) = self
            .write_quietly(&by, move |connection| {
                let mut login =
                    store::find_login(connection, &hash, now)?.ok_or(IdentityError::InvalidLogin)?;
                let outcome = change(connection, &mut login)?;
                if outcome == Outcome::Right {
                    store::update_login(connection, &hash, &login)?;
                }
                Ok((outcome, login.steps()))
            })
            .await?;
        outcome.into_result().map(|()| steps)
    }
}

const RECOVERY_USED: &str = "One of your recovery codes was used to sign in. If it was not you, change your password \
    and make new recovery codes now.";
const DISPLACED: &str = "You were signed in at more places than we keep; the oldest session was ended.";

impl Login {
    /// Who is asked for this step.
    fn asked(&self, step: Step) -> Result<PrincipalId, IdentityError> {
        let user = self.user.filter(|_| self.steps().contains(&step));
        user.ok_or(IdentityError::LoginIncomplete)
    }
}
