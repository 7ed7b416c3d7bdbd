//! A login in steps, for pages and programs: identify, password, second factor, complete.
//!
//! What it takes is decided here when somebody identifies themselves, kept in a row that only the cookie of this login
//! finds, and looked at again when it is completed; a restart or a second tab begins with nothing done. Nothing tells
//! before the right password whether anybody has the address or a second factor.

use crate::clock::UnixMillis;
use crate::identity::factors::{self, Outcome};
use crate::identity::people::{UserStatus, find_user, key_of};
use crate::identity::sessions::{self, Method, NewSession, Started, Visitor, acr_of};
use crate::identity::sign_ins::{Event, EventKind, asked, record};
use crate::identity::{Identity, IdentityError, platform, secret};
use crate::ids::{OrganizationId, RequestId};
use crate::organizations::{Organization, Status};
use crate::storage::Connection;

use super::progress::{External, Login, Step};
use super::store;

/// How long a login may take, in milliseconds.
pub const PATIENCE: UnixMillis = 10 * 60_000;

/// The longest cookie that is looked at, in bytes.
const LONGEST: usize = 128;

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
        visitor: &Visitor,
    ) -> Result<Vec<Step>, IdentityError> {
        let (hash, _) = self.login(organization, cookie)?;
        let (secrets, code, now) = (self.secrets.clone(), code.to_owned(), self.clock.now());
        let event = Event::new(EventKind::SignIn).at(visitor);
        self.change_login(organization, hash, move |connection, login| {
            let user = login.asked(Step::Totp)?;
            let outcome = factors::take_totp(connection, &secrets, user, &code, now)?;
            match outcome {
                Outcome::Right => login.done.push(Method::Totp),
                Outcome::Wrong => record(connection, &event.of(user).because("wrong_code"), now)?,
                // Nothing is written for what was not looked at: nobody fills the log by asking faster.
                Outcome::Slowed(_) => {}
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
        let (code, now) = (self.recovery_hash(user, code)?, self.clock.now());
        let event = Event::new(EventKind::RecoveryUsed).at(visitor);
        let next = self.change_login(organization, hash, move |connection, login| {
            let user = login.asked(Step::Recovery)?;
            let outcome = factors::take_recovery(connection, user, &code)?;
            if outcome == Outcome::Right {
                login.done.push(Method::Recovery);
                record(connection, &event.of(user), now)?;
            } else {
                record(connection, &event.of(user).because("wrong_code"), now)?;
            }
            Ok(outcome)
        });
        let next = next.await;
        match &next {
            Ok(_) => self.tell(organization, user, "A recovery code was used", factors::RECOVERED).await,
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
                ..Login::default()
            };
            Ok(Outcome::Right)
        })
        .await
    }

    /// Ends a login with a session, if everything that it takes was done. The session that the browser had ends, whosever
    /// it was.
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
        let earlier = self.session_of(organization, visitor)?;
        let by = platform(organization.id, RequestId::new());
        let visitor = visitor.clone();
        let (session, displaced) = self
            .write_ending(&by, move |connection| {
                // What was added since the person identified themselves counts, too.
                let found = find(connection, &login, now)?;
                let user = found.user.ok_or(IdentityError::LoginIncomplete)?;
                if found.steps() != [Step::Complete] {
                    return Err(IdentityError::LoginIncomplete);
                }
                store::drop_login(connection, &login)?;
                let how: Vec<&str> = found.done.iter().map(|method| method.as_str()).collect();
                let event = Event::new(EventKind::SignIn).of(user).at(&visitor).about(&how.join(" "));
                record(connection, &event, now)?;
                let ended = sessions::end_earlier(connection, earlier.as_ref(), now)?;
                let acr = acr_of(&found.done, found.acr.as_deref());
                let auth_time = found.auth_time.unwrap_or(now);
                let new = NewSession { user, auth_time, methods: found.done, acr, visitor };
                let begun = sessions::begin(connection, &hash, new, now)?;
                let ended = ended || begun.1 > 0;
                Ok((begun, ended))
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

    pub(super) fn login(
        &self,
        organization: &Organization,
        cookie: &str,
    ) -> Result<([u8; 32], Login), IdentityError> {
        if cookie.is_empty() || cookie.len() > LONGEST || organization.status != Status::Active {
            return Err(IdentityError::InvalidLogin);
        }
        let (hash, now) = (self.login_hash(organization.id, cookie)?, self.clock.now());
        let login = self.read(organization.id, |connection| find(connection, &hash, now))?;
        Ok((hash, login))
    }

    /// Changes the row of a login. What a wrong code counts is kept, too.
    pub(super) async fn change_login(
        &self,
        organization: &Organization,
        hash: [u8; 32],
        change: impl FnOnce(&Connection, &mut Login) -> Result<Outcome, IdentityError> + Send + 'static,
    ) -> Result<Vec<Step>, IdentityError> {
        let now = self.clock.now();
        let by = platform(organization.id, RequestId::new());
        let (outcome, steps) = self
            .write_ending(&by, move |connection| {
                let mut login = find(connection, &hash, now)?;
                let outcome = change(connection, &mut login)?;
                if outcome == Outcome::Right {
                    if let Some(user) = login.user {
                        login.ask(asked(connection, user)?);
                    }
                    store::update_login(connection, &hash, &login)?;
                }
                Ok(((outcome, login.steps()), login.ended))
            })
            .await?;
        outcome.into_result().map(|()| steps)
    }
}

const DISPLACED: &str = "You were signed in at more places than we keep; the oldest session was ended.";

/// The login with this hash, with what is asked of its person by now.
fn find(connection: &Connection, hash: &[u8; 32], now: UnixMillis) -> Result<Login, IdentityError> {
    let mut login = store::find_login(connection, hash, now)?.ok_or(IdentityError::InvalidLogin)?;
    if let Some(user) = login.user {
        login.ask(asked(connection, user)?);
    }
    Ok(login)
}
