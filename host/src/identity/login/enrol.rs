//! An authenticator app that is added within a login: because the organization demands one, or because a recovery code
//! stood for the one that was lost. There is no session and no token before two codes confirmed it.

use zeroize::Zeroizing;

use crate::identity::factors::{self, Outcome, totp};
use crate::identity::sessions::{self, Method, Visitor};
use crate::identity::sign_ins::{Event, EventKind, record};
use crate::identity::{Enrolment, Identity, IdentityError, secret};
use crate::organizations::Organization;

use super::Step;

impl Identity {
    /// Begins to add an app in the login with this cookie.
    ///
    /// # Errors
    /// [`IdentityError::InvalidLogin`]; [`IdentityError::LoginIncomplete`] when that is not asked for.
    pub async fn login_enrol(
        &self,
        organization: &Organization,
        cookie: &str,
    ) -> Result<(Enrolment, Vec<Step>), IdentityError> {
        let (hash, login) = self.login(organization, cookie)?;
        let user = self.user(organization.id, login.asked(Step::Enrol)?)?;
        let random = secret::random()?;
        let key = Zeroizing::new(random.get(..totp::SECRET).unwrap_or_default().to_vec());
        let sealed = self.secrets.seal(&factors::purpose(user.id), &key)?;
        let steps = self
            .change_login(organization, hash, move |_, login| {
                if login.asked(Step::Enrol)? != user.id {
                    return Err(IdentityError::InvalidLogin);
                }
                login.pending = Some(sealed);
                Ok(Outcome::Right)
            })
            .await?;
        let account = user.email.as_deref().unwrap_or(&user.name);
        let address = totp::address(&key, &organization.name, account);
        Ok((Enrolment { secret: totp::base32(&key), address }, steps))
    }

    /// Confirms the app with two codes in a row. The recovery codes are told this once; an app of before is replaced.
    ///
    /// # Errors
    /// [`IdentityError::InvalidCode`]; [`IdentityError::InvalidLogin`], [`IdentityError::LoginIncomplete`].
    pub async fn login_confirm(
        &self,
        organization: &Organization,
        cookie: &str,
        (first, second): (&str, &str),
        visitor: &Visitor,
    ) -> Result<(Vec<String>, Vec<Step>), IdentityError> {
        let (hash, login) = self.login(organization, cookie)?;
        let user = login.asked(Step::Confirm)?;
        let sealed = login.pending.ok_or(IdentityError::LoginIncomplete)?;
        let key = Zeroizing::new(self.secrets.open_sealed(&factors::purpose(user), &sealed)?);
        let now = self.clock.now();
        let step = totp::check_two(&key, first, second, now).ok_or(IdentityError::InvalidCode)?;
        let (codes, hashes) = self.make_codes(user)?;
        let event = Event::new(EventKind::FactorAdded).of(user).at(visitor).about("totp");
        let steps = self
            .change_login(organization, hash, move |connection, login| {
                if login.asked(Step::Confirm)? != user || login.pending.as_ref() != Some(&sealed) {
                    return Err(IdentityError::InvalidLogin);
                }
                factors::replace(connection, user, &sealed, step, now)?;
                factors::put_codes(connection, user, &hashes, now)?;
                record(connection, &event, now)?;
                // Whoever got in without it gets in with it.
                sessions::end_sessions_of(connection, user, None, now)?;
                login.ended = true;
                login.pending = None;
                if !login.done.contains(&Method::Totp) {
                    login.done.push(Method::Totp);
                }
                Ok(Outcome::Right)
            })
            .await?;
        self.tell(organization, user, "A second factor was added", factors::ADDED).await;
        Ok((codes, steps))
    }
}
