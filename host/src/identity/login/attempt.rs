//! One password, checked: at the same cost and with the same answer whoever asks, slowed down per address of a person,
//! per network, and not at all noticeable in time.

use std::time::{Duration, Instant};

use crate::clock::UnixMillis;
use crate::identity::factors::{self, Outcome};
use crate::identity::people::{self, User, UserStatus, key_of};
use crate::identity::sessions::Visitor;
use crate::identity::sign_ins::{Event, EventKind, record};
use crate::identity::{AccessToken, Identity, IdentityError, IssueToken, LIFETIME, platform, secret};
use crate::ids::{OrganizationId, PrincipalId, RequestId};
use crate::mail::Message;
use crate::organizations::{Organization, Status};

use super::{Account, acting, store};

/// An answer about credentials takes at least this long.
pub(in crate::identity) const FLOOR: Duration = Duration::from_millis(250);

/// And up to this much longer, in milliseconds.
const JITTER: u64 = 50;

/// After so many failures in a day, an address gets in from known devices only.
const KNOWN_ONLY: u32 = 100;

/// How long somebody without a password is taken at the word of their last sign-in, in milliseconds.
const RECENT: UnixMillis = 5 * 60_000;

/// Owners that are told of an attack.
const ALARMED: usize = 20;

const SPRAYED: &str = "In the last minutes many wrong passwords were tried at many addresses of your organization. Attempts \
    from unknown devices are slowed down for now. The log of sign-ins has the details.";

/// What somebody who is signed in says once more, to change how they get in.
#[derive(Clone, Copy, Debug)]
pub struct Proof<'a> {
    /// Their password.
    pub password: &'a str,
    /// A code of their authenticator app, or a recovery code; needed when they have a second factor.
    pub code: Option<&'a str>,
    /// Where they are.
    pub visitor: &'a Visitor,
}

impl Identity {
    /// Exchanges address and password for an access token: for people without a second factor.
    ///
    /// # Errors
    /// [`IdentityError::InvalidCredentials`] whatever is wrong with them; [`IdentityError::SecondFactorRequired`] when
    /// nothing is, but more is needed; [`IdentityError::Throttled`] after failures, whether or not anybody has the
    /// address; [`IdentityError::Busy`].
    pub async fn log_in(
        &self,
        organization: &Organization,
        email: &str,
        password: &str,
        visitor: &Visitor,
    ) -> Result<AccessToken, IdentityError> {
        let key = key_of(email.get(..email.floor_char_boundary(254)).unwrap_or_default());
        let account = self.floored(self.check_password(organization, &key, password, visitor)).await?;
        let event = Event::new(EventKind::SignIn).of(account.id).at(visitor).about("pwd");
        if self.needs_second(organization.id, account.id)? {
            self.journal(organization.id, vec![event.because("second_factor_required")]).await;
            return Err(IdentityError::SecondFactorRequired);
        }
        self.journal(organization.id, vec![event]).await;
        self.issue(IssueToken {
            organization,
            user: account.id,
            session: None,
            client: None,
            scope: "",
            grant: None,
            auth_time: self.clock.now(),
            amr: &["pwd".to_owned()],
            acr: "aal1",
            life: LIFETIME,
        })
        .await
    }

    /// The account that this address and password open.
    pub(super) async fn check_password(
        &self,
        organization: &Organization,
        key: &str,
        password: &str,
        visitor: &Visitor,
    ) -> Result<Account, IdentityError> {
        self.networks.admit(visitor, self.clock.now())?;
        let known = self.known_device(organization.id, key, visitor)?;
        if !known {
            self.sprays.admit(organization.id, self.clock.now())?;
        }
        // A known device has a counter of its own: strangers cannot use up the attempts of the person.
        let counter = if known { format!("{key}\u{0}known") } else { key.to_owned() };
        let attempt = self.throttle.begin(organization.id, &counter)?;
        let unheard = !known && attempt.failures() >= KNOWN_ONLY;
        let account = self.read(organization.id, |connection| Ok(store::find_account(connection, key)?))?;
        let stored = account.as_ref().and_then(|account| account.hash.clone()).filter(|_| !unheard);
        let verdict = match self.hasher.verify(password, stored).await {
            Err(busy @ IdentityError::Busy { .. }) => {
                attempt.withdraw();
                return Err(busy);
            }
            other => other?,
        };
        let active = |account: &Account| {
            account.status == UserStatus::Active && organization.status == Status::Active && verdict.correct
        };
        let right = account.as_ref().is_some_and(active);
        let alarm = !known && self.sprays.settled(organization.id, key, right, self.clock.now());
        if !right {
            let failures = attempt.failures().saturating_add(1);
            attempt.fail();
            self.networks.failed(visitor, self.clock.now());
            self.failed(organization, key, account.as_ref(), visitor, (failures, unheard)).await;
            if alarm {
                self.alarm(organization, visitor).await;
            }
            return Err(IdentityError::InvalidCredentials);
        }
        let account = account.ok_or(IdentityError::InvalidCredentials)?;
        attempt.succeed();
        if verdict.outdated {
            self.rehash(organization.id, &account, password).await?;
        }
        Ok(account)
    }

    /// Writes a failure down, and that the address is slowed down from now on: one write, whoever it was.
    async fn failed(
        &self,
        organization: &Organization,
        key: &str,
        account: Option<&Account>,
        visitor: &Visitor,
        (failures, unheard): (u32, bool),
    ) {
        let cause = match account {
            None => "unknown_person",
            Some(account) if account.status != UserStatus::Active => "disabled",
            Some(_) if unheard => "unknown_device",
            Some(account) if account.hash.is_none() => "no_password",
            Some(_) => "wrong_password",
        };
        let stranger = self.stranger(organization.id, key);
        let whose = |event: Event| event.of_either(account.map(|account| account.id), stranger).at(visitor);
        let mut events = vec![whose(Event::new(EventKind::SignIn)).because(cause)];
        if matches!(failures, 3 | 9 | 25 | KNOWN_ONLY) {
            events.push(whose(Event::new(EventKind::Throttled)).about(&failures));
        }
        self.journal(organization.id, events).await;
    }

    /// Tells the owners that many addresses are being tried.
    async fn alarm(&self, organization: &Organization, visitor: &Visitor) {
        tracing::warn!(organization = %organization.slug, "passwords are being tried at many addresses");
        let event = Event::new(EventKind::Spraying).at(visitor);
        self.journal(organization.id, vec![event]).await;
        let owners = self.read(organization.id, |connection| Ok(people::owners(connection)?));
        for owner in owners.unwrap_or_default().into_iter().take(ALARMED) {
            self.tell(organization, owner, "Passwords are being tried", SPRAYED).await;
        }
    }

    /// Keeps the password at today's cost. Tokens stay good: it is the same password.
    async fn rehash(
        &self,
        organization: OrganizationId,
        account: &Account,
        password: &str,
    ) -> Result<(), IdentityError> {
        let (id, hash) = (account.id, self.hasher.hash(password).await?);
        let by = acting(organization, id, &account.name);
        self.write(&by, move |connection| Ok(store::set_password(connection, id, &hash)?)).await
    }

    /// Lets somebody who is signed in prove who they are once more.
    pub(in crate::identity) async fn prove(
        &self,
        by: &crate::caller::Caller,
        organization: &Organization,
        proof: &Proof<'_>,
    ) -> Result<User, IdentityError> {
        let user = self.person(by, organization)?;
        let key = user.email.as_deref().map(key_of).ok_or(IdentityError::InvalidCredentials)?;
        let checked = self.floored(self.check_password(organization, &key, proof.password, proof.visitor));
        if checked.await?.id != user.id {
            return Err(IdentityError::InvalidCredentials);
        }
        let code = proof.code.map(str::to_owned);
        self.check_second(organization, user.id, code, proof.visitor).await?;
        Ok(user)
    }

    /// The same for what people do who may have no password, too: their sign-in of a moment ago stands for it.
    pub(in crate::identity) async fn prove_or_recent(
        &self,
        by: &crate::caller::Caller,
        organization: &Organization,
        proof: Option<&Proof<'_>>,
    ) -> Result<User, IdentityError> {
        if let Some(proof) = proof {
            return self.prove(by, organization, proof).await;
        }
        let user = self.person(by, organization)?;
        let live = self.sessions_of(organization.id, user.id)?;
        let here = live.iter().find(|session| by.principal.session == Some(session.id));
        let recent = |at: UnixMillis| self.clock.now().saturating_sub(at) < RECENT;
        if user.has_password || !here.is_some_and(|session| recent(session.auth_time)) {
            return Err(IdentityError::StepUpRequired);
        }
        Ok(user)
    }

    /// Asks for the second factor of a person who has one.
    async fn check_second(
        &self,
        organization: &Organization,
        user: PrincipalId,
        code: Option<String>,
        visitor: &Visitor,
    ) -> Result<(), IdentityError> {
        let (secrets, now) = (self.secrets.clone(), self.clock.now());
        let recovery = self.recovery_hash(user, code.as_deref().unwrap_or_default())?;
        let by = platform(organization.id, RequestId::new());
        let here = Event::new(EventKind::SignIn).of(user).at(visitor);
        let (outcome, recovered) = self
            .write_quietly(&by, move |connection| {
                if !factors::factors_of(connection, user)?.totp {
                    return Ok((Outcome::Right, false));
                }
                let code = code.ok_or(IdentityError::SecondFactorRequired)?;
                if factors::take_recovery(connection, user, &recovery)? == Outcome::Right {
                    record(connection, &here.instead(EventKind::RecoveryUsed), now)?;
                    return Ok((Outcome::Right, true));
                }
                let outcome = factors::take_totp(connection, &secrets, user, &code, now)?;
                if outcome == Outcome::Wrong {
                    record(connection, &here.because("wrong_code"), now)?;
                }
                Ok((outcome, false))
            })
            .await?;
        if recovered {
            self.tell(organization, user, "A recovery code was used", factors::RECOVERED).await;
        }
        outcome.into_result()
    }

    /// Lets an answer take as long as every other one of its kind. Nothing is blocked meanwhile.
    pub(super) async fn floored<T>(&self, work: impl Future<Output = T>) -> T {
        let started = Instant::now();
        let answer = work.await;
        if !self.floor.is_zero() {
            let random = secret::random().ok().and_then(|bytes| bytes.first().copied()).unwrap_or_default();
            let jitter = Duration::from_millis(u64::from(random) * JITTER / 255);
            tokio::time::sleep((self.floor + jitter).saturating_sub(started.elapsed())).await;
        }
        answer
    }

    /// The cookie of a device on which this person has just signed in.
    ///
    /// # Errors
    /// Only when the identity file or a primitive fails.
    pub fn device_cookie(
        &self,
        organization: &Organization,
        user: PrincipalId,
    ) -> Result<Option<String>, IdentityError> {
        let user = self.user(organization.id, user)?;
        let key = user.email.as_deref().map(key_of);
        key.map(|key| Ok(secret::encode(&self.device_hash(organization.id, &key)?))).transpose()
    }

    fn known_device(
        &self,
        organization: OrganizationId,
        key: &str,
        visitor: &Visitor,
    ) -> Result<bool, IdentityError> {
        use subtle::ConstantTimeEq;
        let given = visitor.known_device.as_deref().filter(|text| text.len() <= 64).and_then(secret::decode);
        let Some(given) = given else { return Ok(false) };
        Ok(given.ct_eq(&self.device_hash(organization, key)?).into())
    }

    fn device_hash(&self, organization: OrganizationId, key: &str) -> Result<[u8; 32], IdentityError> {
        let named = [b"device:", key.as_bytes()].concat();
        secret::keyed_hash(&self.peppers.session, organization.as_bytes(), &named)
    }

    /// Writes to a person. What they asked for is done; a full spool does not undo it.
    pub(in crate::identity) async fn notify(
        &self,
        organization: &Organization,
        to: Option<&str>,
        subject: &str,
        text: &str,
    ) {
        let (Some(mailer), Some(to)) = (&self.mailer, to) else { return };
        let text =
            format!("{text}\n\n{}\n{}\n", organization.name, self.address.of(organization.slug.as_str()));
        let (to, subject) = (to.to_owned(), subject.to_owned());
        let message = Message { organization: organization.id, to, subject, text, html: None };
        if let Err(error) = mailer.send(message).await {
            tracing::error!(%error, organization = %organization.slug, "a message did not go out");
        }
    }

    /// Writes to a person by their id.
    pub(super) async fn tell(
        &self,
        organization: &Organization,
        user: PrincipalId,
        subject: &str,
        text: &str,
    ) {
        if let Ok(user) = self.user(organization.id, user) {
            self.notify(organization, user.email.as_deref(), subject, text).await;
        }
    }
}
