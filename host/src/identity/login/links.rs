//! Links that are sent by mail: a forgotten password, a new address and the way back from it. And a new password for
//! somebody who knows the old one.
//!
//! Where a link goes is made of the configured address, never of a request. Its token stands in the fragment, which
//! browsers do not send, is good once, for one purpose, and never instead of a second factor. Whether anybody has an
//! address is not told: every request for a link is answered alike.

use crate::caller::Caller;
use crate::clock::UnixMillis;
use crate::identity::factors::{self, Outcome};
use crate::identity::people::{self, Email, User, key_of};
use crate::identity::sessions::{self, Visitor};
use crate::identity::sign_ins::{Event, EventKind, record};
use crate::identity::{AccessToken, Identity, IdentityError, IssueToken, LIFETIME, platform, secret};
use crate::ids::{OrganizationId, RequestId};
use crate::organizations::{Organization, Status};

use super::attempt::Proof;
use super::store::MailLink;
use super::{PREFIX_MAIL, acting, password, store};

/// How long a link to a new password is good, in milliseconds.
const RESET: UnixMillis = 15 * 60_000;
/// How long a new address can be confirmed, in milliseconds.
const CONFIRM: UnixMillis = 24 * 3_600_000;
/// How long a change of address can be undone, in milliseconds.
const UNDO: UnixMillis = 7 * 24 * 3_600_000;

/// What a link is good for.
#[derive(Clone, Copy)]
enum Purpose {
    Reset,
    Confirm,
    Undo,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Confirm => "email_confirm",
            Self::Undo => "email_undo",
        }
    }

    const fn life(self) -> UnixMillis {
        match self {
            Self::Reset => RESET,
            Self::Confirm => CONFIRM,
            Self::Undo => UNDO,
        }
    }
}

impl Identity {
    /// Sends a link to a new password, if somebody has this address. Nobody is told whether.
    ///
    /// # Errors
    /// [`IdentityError::Throttled`] for networks that ask too often; else only when the identity file fails.
    pub async fn request_reset(
        &self,
        organization: &Organization,
        email: &str,
        visitor: &Visitor,
    ) -> Result<(), IdentityError> {
        self.floored(async {
            let now = self.clock.now();
            self.networks.admit(visitor, now)?;
            self.networks.failed(visitor, now);
            let key = key_of(email.get(..email.floor_char_boundary(254)).unwrap_or_default());
            // Nobody's mailbox is filled by asking again and again.
            let Ok(attempt) = self.throttle.begin(organization.id, &format!("reset\u{0}{key}")) else {
                return Ok(());
            };
            attempt.fail();
            let account = self.read(organization.id, |connection| Ok(store::find_account(connection, &key)?))?;
            let active = account.as_ref().is_some_and(|account| account.status == people::UserStatus::Active);
            let event = Event::new(EventKind::ResetRequested)
                .of_either(account.as_ref().map(|account| account.id), self.stranger(organization.id, &key));
            let event = event.at(visitor);
            let cause = if account.is_none() { "unknown_person" } else { "disabled" };
            let event = if active { event } else { event.because(cause) };
            self.journal(organization.id, vec![event]).await;
            let Some(account) = account.filter(|_| active) else {
                return Ok(());
            };
            let link = MailLink { user: account.id, email: None };
            let address = self.make_link(organization, Purpose::Reset, link, "auth/reset").await?;
            let text = format!(
                "Somebody asked for a new password for your account. If it was you, choose it within 15 minutes at\n\n\
                 {address}\n\nIf it was not you, do nothing: your password stays as it is."
            );
            self.tell(organization, account.id, "A new password", &text).await;
            Ok(())
        })
        .await
    }

    /// Exchanges a link for a new password. Every session and token of the person ends; nobody is signed in by it.
    ///
    /// # Errors
    /// [`IdentityError::InvalidLink`]; [`IdentityError::SecondFactorRequired`], [`IdentityError::InvalidCredentials`]
    /// and [`IdentityError::WeakPassword`] leave the link good.
    pub async fn reset_password(
        &self,
        organization: &Organization,
        token: &str,
        new: &str,
        code: Option<&str>,
    ) -> Result<(), IdentityError> {
        let (hash, link) = self.link(organization, Purpose::Reset, token)?;
        let user = self.user(organization.id, link.user).map_err(|_| IdentityError::InvalidLink)?;
        self.check_new_password(organization, &user, new)?;
        let password_hash = self.hasher.choose(new).await?;
        let (id, now, secrets) = (user.id, self.clock.now(), self.secrets.clone());
        let recovery = self.recovery_hash(id, code.unwrap_or_default())?;
        let code = code.map(str::to_owned);
        let by = acting(organization.id, id, &user.name);
        let outcome = self
            .write(&by, move |connection| {
                let event = Event::new(EventKind::PasswordReset).of(id);
                if factors::factors_of(connection, id)?.totp {
                    let code = code.ok_or(IdentityError::SecondFactorRequired)?;
                    let mut outcome = factors::take_recovery(connection, id, &recovery)?;
                    if outcome == Outcome::Right {
                        record(connection, &Event::new(EventKind::RecoveryUsed).of(id), now)?;
                    } else {
                        outcome = factors::take_totp(connection, &secrets, id, &code, now)?;
                    }
                    if outcome != Outcome::Right {
                        record(connection, &event.because("wrong_code"), now)?;
                        return Ok(outcome);
                    }
                }
                if !store::take_link(connection, &hash)? {
                    return Err(IdentityError::InvalidLink);
                }
                store::drop_links(connection, id)?;
                store::set_password(connection, id, &password_hash)?;
                record(connection, &event, now)?;
                people::end_tokens(connection, id)?;
                sessions::end_sessions_of(connection, id, None, now)?;
                Ok(Outcome::Right)
            })
            .await?;
        outcome.into_result()?;
        self.notify(organization, user.email.as_deref(), "Your password was changed", CHANGED).await;
        Ok(())
    }

    /// Changes the password of somebody who says the present one. Every other session and every token ends; the answer
    /// is a new token for the session in which this was done, if it was done in one.
    ///
    /// # Errors
    /// [`IdentityError::InvalidCredentials`], [`IdentityError::SecondFactorRequired`], [`IdentityError::Throttled`],
    /// [`IdentityError::WeakPassword`].
    pub async fn change_password(
        &self,
        by: &Caller,
        organization: &Organization,
        proof: &Proof<'_>,
        new: &str,
    ) -> Result<AccessToken, IdentityError> {
        let user = self.prove(by, organization, proof).await?;
        self.check_new_password(organization, &user, new)?;
        let hash = self.hasher.choose(new).await?;
        let (id, session, now) = (user.id, by.principal.session, self.clock.now());
        let event = Event::new(EventKind::PasswordChanged).of(id).at(proof.visitor);
        self.write(by, move |connection| {
            record(connection, &event, now)?;
            store::drop_links(connection, id)?;
            store::set_password(connection, id, &hash)?;
            people::end_tokens(connection, id)?;
            sessions::end_sessions_of(connection, id, session, now)?;
            if let Some(session) = session {
                sessions::keep(connection, session)?;
            }
            Ok(())
        })
        .await?;
        self.notify(organization, user.email.as_deref(), "Your password was changed", CHANGED).await;
        let two = proof.code.is_some() && self.factors(organization.id, id)?.totp;
        let amr: &[&str] = if two { &["pwd", "otp", "mfa"] } else { &["pwd"] };
        let amr: Vec<String> = amr.iter().map(|&word| word.to_owned()).collect();
        let acr = if two { "aal2" } else { "aal1" };
        let token = IssueToken {
            organization,
            user: id,
            session,
            client: None,
            scope: "",
            grant: None,
            auth_time: now,
            amr: &amr,
            acr,
            life: LIFETIME,
        };
        self.issue(token).await
    }

    /// Sends a link that confirms a new address. The answer does not tell whether somebody else has it.
    ///
    /// # Errors
    /// [`IdentityError::InvalidCredentials`], [`IdentityError::SecondFactorRequired`], [`IdentityError::Throttled`].
    pub async fn request_email(
        &self,
        by: &Caller,
        organization: &Organization,
        proof: &Proof<'_>,
        email: &Email,
    ) -> Result<(), IdentityError> {
        let user = self.prove(by, organization, proof).await?;
        if self.user_by_email(organization.id, email.as_str())?.is_some() {
            return Ok(());
        }
        let link = MailLink { user: user.id, email: Some(email.as_str().to_owned()) };
        let address = self.make_link(organization, Purpose::Confirm, link, "auth/email").await?;
        let text = format!("Confirm within 24 hours that this is your address:\n\n{address}");
        self.notify(organization, Some(email.as_str()), "Confirm your address", &text).await;
        Ok(())
    }

    /// Makes the address that a link confirms the person's. The earlier one is told, with a way back for a week.
    ///
    /// # Errors
    /// [`IdentityError::InvalidLink`], also when somebody else has the address by now.
    pub async fn confirm_email(&self, organization: &Organization, token: &str) -> Result<(), IdentityError> {
        let before = self.move_email(organization, Purpose::Confirm, token).await?;
        let Some(old) = before.email else { return Ok(()) };
        let link = MailLink { user: before.id, email: Some(old.clone()) };
        let address = self.make_link(organization, Purpose::Undo, link, "auth/email").await?;
        let text = format!(
            "The address of your account was changed. If it was not you, undo it within 7 days:\n\n{address}"
        );
        self.notify(organization, Some(&old), "Your address was changed", &text).await;
        Ok(())
    }

    /// Gives somebody the address back that they had. Every session and token of the account ends.
    ///
    /// # Errors
    /// [`IdentityError::InvalidLink`].
    pub async fn undo_email(&self, organization: &Organization, token: &str) -> Result<(), IdentityError> {
        let before = self.move_email(organization, Purpose::Undo, token).await?;
        let text = "The change of your account's address was undone from the earlier address.";
        self.notify(organization, before.email.as_deref(), "Your address was changed back", text).await;
        Ok(())
    }

    /// The person as they were before.
    async fn move_email(
        &self,
        organization: &Organization,
        purpose: Purpose,
        token: &str,
    ) -> Result<User, IdentityError> {
        let (hash, link) = self.link(organization, purpose, token)?;
        let email = Email::parse(link.email.as_deref().unwrap_or_default());
        let email = email.map_err(|_| IdentityError::InvalidLink)?;
        let before = self.user(organization.id, link.user).map_err(|_| IdentityError::InvalidLink)?;
        let (id, now) = (before.id, self.clock.now());
        let by = acting(organization.id, id, &before.name);
        self.write(&by, move |connection| {
            let other = store::find_account(connection, email.key())?;
            if other.is_some_and(|other| other.id != id) || !store::take_link(connection, &hash)? {
                return Err(IdentityError::InvalidLink);
            }
            // What was sent to the other address is void.
            store::drop_links(connection, id)?;
            people::set_email(connection, id, Some((email.as_str(), email.key())))?;
            store::advance_version(connection, id, now)?;
            let undone = matches!(purpose, Purpose::Undo);
            let kind = if undone { EventKind::EmailRestored } else { EventKind::EmailChanged };
            record(connection, &Event::new(kind).of(id), now)?;
            if matches!(purpose, Purpose::Undo) {
                people::end_tokens(connection, id)?;
                sessions::end_sessions_of(connection, id, None, now)?;
            }
            Ok(())
        })
        .await?;
        Ok(before)
    }

    fn check_new_password(
        &self,
        organization: &Organization,
        user: &User,
        new: &str,
    ) -> Result<(), IdentityError> {
        let second = self.factors(organization.id, user.id)?.totp;
        password::check_beside(new, user.email.as_deref(), organization.slug.as_str(), second)
    }

    async fn make_link(
        &self,
        organization: &Organization,
        purpose: Purpose,
        link: MailLink,
        page: &str,
    ) -> Result<String, IdentityError> {
        let token = format!("{PREFIX_MAIL}{}", secret::encode(secret::random()?.as_slice()));
        let (hash, now) = (self.link_hash(organization.id, purpose, &token)?, self.clock.now());
        let by = platform(organization.id, RequestId::new());
        self.write_quietly(&by, move |connection| {
            let life = (now, now.saturating_add(purpose.life()));
            Ok(store::put_link(connection, &hash, purpose.as_str(), &link, life)?)
        })
        .await?;
        let name = if matches!(purpose, Purpose::Undo) { "undo" } else { "token" };
        Ok(format!("{}/{page}#{name}={token}", self.address.of(organization.slug.as_str())))
    }

    fn link(
        &self,
        organization: &Organization,
        purpose: Purpose,
        token: &str,
    ) -> Result<([u8; 32], MailLink), IdentityError> {
        if organization.status != Status::Active || token.len() > 128 || !token.starts_with(PREFIX_MAIL) {
            return Err(IdentityError::InvalidLink);
        }
        let (hash, now) = (self.link_hash(organization.id, purpose, token)?, self.clock.now());
        let found = self.read(organization.id, |connection| {
            Ok(store::find_link(connection, &hash, purpose.as_str(), now)?)
        })?;
        Ok((hash, found.ok_or(IdentityError::InvalidLink)?))
    }

    fn link_hash(
        &self,
        organization: OrganizationId,
        purpose: Purpose,
        token: &str,
    ) -> Result<[u8; 32], IdentityError> {
        let named = format!("{}:{token}", purpose.as_str());
        secret::keyed_hash(&self.peppers.mail_link, organization.as_bytes(), named.as_bytes())
    }
}

const CHANGED: &str = "The password of your account was changed, and every other session was ended. If it was not you, \
    ask for a new password now.";
