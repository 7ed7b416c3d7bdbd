//! Second factors: codes of an authenticator app, and recovery codes for when it is lost.
//!
//! The secret of an app is sealed; the last step that was taken is compared and stored in one statement, so no code is
//! good twice, not even at once. Five wrong codes in half a minute, then the ladder of passwords. `totp.rs` has the
//! arithmetic, `store.rs` the SQL. Whoever changes a factor says their password (and the factor) in the same request.

mod store;
pub(crate) mod totp;

#[cfg(test)]
mod tests;

use zeroize::Zeroizing;

use crate::caller::{Caller, PrincipalKind};
use crate::clock::UnixMillis;
use crate::identity::keys::administers;
use crate::identity::login::{Proof, pause_after};
use crate::identity::sign_ins::{EventKind, asked, deed, record};
use crate::identity::{Identity, IdentityError, people, secret, sessions};
use crate::ids::{OrganizationId, PrincipalId};
use crate::organizations::Organization;
use crate::storage::{Connection, Secrets};

pub(in crate::identity) use store::{put_codes, replace};

/// Recovery codes that a person gets.
const RECOVERY_CODES: usize = 10;

/// Random bytes of one: 120 bits.
const RECOVERY_BYTES: usize = 15;

/// Wrong codes that are looked at in one step.
const TRIES: u32 = 5;

/// An authenticator app that is to be confirmed.
pub struct Enrolment {
    /// For typing, base32.
    pub secret: String,
    /// For scanning.
    pub address: String,
}

/// What a person is told by mail.
pub(in crate::identity) const ADDED: &str =
    "An authenticator app was added to your account. If it was not you, change your password now.";

pub(in crate::identity) const RECOVERED: &str = "One of your recovery codes was used. If it was not you, change your \
    password and make new recovery codes now. At your next sign-in you set up your authenticator app anew.";

const RESET: &str = "An administrator of your organization removed the second factor of your account and signed you out \
    everywhere. If you did not ask for that, tell them now.";

/// What a person has beside their password.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Factors {
    /// A confirmed authenticator app.
    pub totp: bool,
    /// Recovery codes that were not used yet.
    pub recovery_codes: u32,
    /// A recovery code was used, so the app is to be set up anew at the next login.
    pub renew: bool,
}

/// What became of a code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::identity) enum Outcome {
    Right,
    Wrong,
    /// It was not looked at; seconds to wait.
    Slowed(u64),
}

impl Outcome {
    /// # Errors
    /// What to answer unless it was right.
    pub(in crate::identity) fn into_result(self) -> Result<(), IdentityError> {
        match self {
            Self::Right => Ok(()),
            Self::Wrong => Err(IdentityError::InvalidCredentials),
            Self::Slowed(retry_after) => Err(IdentityError::Throttled { retry_after }),
        }
    }
}

impl Identity {
    /// What this person has beside their password.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn factors(&self, organization: OrganizationId, user: PrincipalId) -> Result<Factors, IdentityError> {
        self.read(organization, |connection| factors_of(connection, user))
    }

    /// Begins with an authenticator app. It counts once it is confirmed.
    ///
    /// # Errors
    /// [`IdentityError::InvalidCredentials`], [`IdentityError::Throttled`]; [`IdentityError::Taken`] when there is one.
    pub async fn begin_totp(
        &self,
        by: &Caller,
        organization: &Organization,
        proof: &Proof<'_>,
    ) -> Result<Enrolment, IdentityError> {
        let user = self.prove(by, organization, proof).await?;
        let random = secret::random()?;
        let key = Zeroizing::new(random.get(..totp::SECRET).unwrap_or_default().to_vec());
        let sealed = self.secrets.seal(&purpose(user.id), &key)?;
        let now = self.clock.now();
        let stored =
            self.write(by, move |connection| Ok(store::put(connection, user.id, &sealed, now)?)).await?;
        if !stored {
            return Err(IdentityError::Taken { field: "totp" });
        }
        let account = user.email.as_deref().unwrap_or(&user.name);
        Ok(Enrolment {
            secret: totp::base32(&key),
            address: totp::address(&key, &organization.name, account),
        })
    }

    /// Confirms an authenticator app with two codes in a row. The recovery codes are told this once.
    ///
    /// # Errors
    /// [`IdentityError::InvalidCode`].
    pub async fn confirm_totp(
        &self,
        by: &Caller,
        organization: &Organization,
        first: &str,
        second: &str,
    ) -> Result<Vec<String>, IdentityError> {
        let user = self.person(by, organization)?;
        let found = self.read(organization.id, |connection| Ok(store::find(connection, user.id)?))?;
        let found = found.filter(|stored| !stored.confirmed).ok_or(IdentityError::InvalidCode)?;
        let key = Zeroizing::new(self.secrets.open_sealed(&purpose(user.id), &found.secret)?);
        let now = self.clock.now();
        let step = totp::check_two(&key, first, second, now).ok_or(IdentityError::InvalidCode)?;
        let (codes, hashes) = self.make_codes(user.id)?;
        let session = by.principal.session;
        let event = deed(EventKind::FactorAdded, by, user.id).about("totp");
        self.write(by, move |connection| {
            if !store::confirm(connection, user.id, step, now)? {
                return Err(IdentityError::InvalidCode);
            }
            // Whoever got in without the second factor gets in with it.
            sessions::end_sessions_of(connection, user.id, session, now)?;
            record(connection, &event, now)?;
            Ok(store::put_codes(connection, user.id, &hashes, now)?)
        })
        .await?;
        self.notify(organization, user.email.as_deref(), "A second factor was added", ADDED).await;
        Ok(codes)
    }

    /// Removes the authenticator app and the recovery codes. Every other session ends; where the organization demands a
    /// second factor, this one and every token does, too.
    ///
    /// # Errors
    /// [`IdentityError::InvalidCredentials`], [`IdentityError::Throttled`].
    pub async fn remove_factors(
        &self,
        by: &Caller,
        organization: &Organization,
        proof: &Proof<'_>,
    ) -> Result<(), IdentityError> {
        let user = self.prove(by, organization, proof).await?;
        let (session, now) = (by.principal.session, self.clock.now());
        let event = deed(EventKind::FactorRemoved, by, user.id).at(proof.visitor).about("totp");
        self.write(by, move |connection| {
            store::remove(connection, user.id)?;
            record(connection, &event, now)?;
            let demanded = asked(connection, user.id)?.demanded;
            sessions::end_sessions_of(connection, user.id, session.filter(|_| !demanded), now)?;
            // Where one is demanded, nobody goes on without: they add the next one when they sign in again.
            if demanded {
                people::end_tokens(connection, user.id)?;
            }
            Ok(())
        })
        .await?;
        let text =
            "The second factor of your account was removed. If it was not you, ask your administrator now.";
        self.notify(organization, user.email.as_deref(), "Your second factor was removed", text).await;
        Ok(())
    }

    /// Takes away the second factor of somebody else, who has lost app and recovery codes. Everything that they are signed in
    /// with ends; they add the next one when they sign in, where the organization demands one.
    ///
    /// # Errors
    /// [`IdentityError::NotOneself`], [`IdentityError::RoleRequired`] for somebody with more rights,
    /// [`IdentityError::UserNotFound`], [`IdentityError::KeyCannotAdminister`]; what a proof is refused for,
    /// [`IdentityError::StepUpRequired`] without one.
    pub async fn reset_factors(
        &self,
        by: &Caller,
        organization: &Organization,
        of: PrincipalId,
        proof: Option<&Proof<'_>>,
    ) -> Result<(), IdentityError> {
        administers(&by.principal)?;
        if of == by.principal.id {
            return Err(IdentityError::NotOneself);
        }
        people::covers(&by.principal, &self.user(organization.id, of)?.roles)?;
        self.prove_or_recent(by, organization, proof).await?;
        let (caller, now) = (by.clone(), self.clock.now());
        let person = self.write(by, move |connection| {
            let person = people::find_user(connection, of)?.ok_or(IdentityError::UserNotFound(of))?;
            people::covers(&caller.principal, &person.roles)?;
            if !factors_of(connection, of)?.totp {
                return Ok(None);
            }
            store::remove(connection, of)?;
            sessions::end_sessions_of(connection, of, None, now)?;
            people::end_tokens(connection, of)?;
            record(connection, &deed(EventKind::FactorRemoved, &caller, of).about("totp"), now)?;
            Ok(Some(person))
        });
        if let Some(person) = person.await? {
            self.notify(organization, person.email.as_deref(), "Your second factor was removed", RESET).await;
        }
        Ok(())
    }

    /// Makes new recovery codes; earlier ones are void. They are told this once.
    ///
    /// # Errors
    /// [`IdentityError::InvalidCredentials`], [`IdentityError::Throttled`]; [`IdentityError::InvalidCode`] without a
    /// second factor.
    pub async fn new_recovery_codes(
        &self,
        by: &Caller,
        organization: &Organization,
        proof: &Proof<'_>,
    ) -> Result<Vec<String>, IdentityError> {
        let user = self.prove(by, organization, proof).await?;
        if !self.factors(organization.id, user.id)?.totp {
            return Err(IdentityError::InvalidCode);
        }
        let (codes, hashes) = self.make_codes(user.id)?;
        let now = self.clock.now();
        let event = deed(EventKind::RecoveryCodesMade, by, user.id).at(proof.visitor);
        self.write(by, move |connection| {
            record(connection, &event, now)?;
            Ok(store::put_codes(connection, user.id, &hashes, now)?)
        })
        .await?;
        let text = "New recovery codes were made for your account; the earlier ones are void.";
        self.notify(organization, user.email.as_deref(), "New recovery codes", text).await;
        Ok(codes)
    }

    /// The hash under which a recovery code is kept, however it was typed.
    pub(in crate::identity) fn recovery_hash(
        &self,
        user: PrincipalId,
        code: &str,
    ) -> Result<[u8; 32], IdentityError> {
        let typed: String = code.chars().filter(|letter| letter.is_ascii_alphanumeric()).take(64).collect();
        let typed = typed.to_ascii_uppercase();
        secret::keyed_hash(&self.peppers.recovery_code, user.as_bytes(), typed.as_bytes())
    }

    pub(in crate::identity) fn make_codes(
        &self,
        user: PrincipalId,
    ) -> Result<(Vec<String>, Vec<[u8; 32]>), IdentityError> {
        let (mut codes, mut hashes) = (Vec::new(), Vec::new());
        for _ in 0..RECOVERY_CODES {
            let random = secret::random()?;
            let text = totp::base32(random.get(..RECOVERY_BYTES).unwrap_or_default());
            hashes.push(self.recovery_hash(user, &text)?);
            let groups: Vec<&str> =
                text.as_bytes().chunks(6).filter_map(|part| str::from_utf8(part).ok()).collect();
            codes.push(groups.join("-"));
        }
        Ok((codes, hashes))
    }

    /// The person who acts: factors and passwords are for people only.
    pub(in crate::identity) fn person(
        &self,
        by: &Caller,
        organization: &Organization,
    ) -> Result<crate::identity::User, IdentityError> {
        // A program that acts for somebody is not them.
        if by.principal.kind != PrincipalKind::User || by.principal.limits.is_some() {
            return Err(IdentityError::PersonRequired);
        }
        self.user(organization.id, by.principal.id)
    }
}

/// What this person has beside their password.
pub(in crate::identity) fn factors_of(
    connection: &Connection,
    user: PrincipalId,
) -> Result<Factors, IdentityError> {
    let Some(stored) = store::find(connection, user)?.filter(|stored| stored.confirmed) else {
        return Ok(Factors { totp: false, recovery_codes: 0, renew: false });
    };
    Ok(Factors { totp: true, recovery_codes: store::codes_left(connection, user)?, renew: stored.renew })
}

/// Checks a code of the person's authenticator app and uses it up. A wrong one is counted, so the change is to be kept.
pub(in crate::identity) fn take_totp(
    connection: &Connection,
    secrets: &Secrets,
    user: PrincipalId,
    code: &str,
    now: UnixMillis,
) -> Result<Outcome, IdentityError> {
    let Some(stored) = store::find(connection, user)?.filter(|stored| stored.confirmed) else {
        return Ok(Outcome::Wrong);
    };
    let pause =
        if stored.failures < TRIES { totp::STEP } else { pause_after(stored.failures).max(totp::STEP) };
    let over = now.saturating_sub(stored.window_start) >= pause;
    // Five at first, then one for each pause: otherwise somebody who has the password guesses one in time.
    let most = if stored.failures < TRIES { TRIES } else { 1 };
    if stored.tries >= most && !over {
        let left = stored.window_start.saturating_add(pause).saturating_sub(now).saturating_add(999) / 1_000;
        return Ok(Outcome::Slowed(u64::try_from(left).unwrap_or(1).max(1)));
    }
    let key = Zeroizing::new(secrets.open_sealed(&purpose(user), &stored.secret)?);
    if let Some(step) = totp::check(&key, code, stored.last_step, now)
        && store::take_step(connection, user, step)?
    {
        return Ok(Outcome::Right);
    }
    let (start, tries) = if over { (now, 1) } else { (stored.window_start, stored.tries.saturating_add(1)) };
    store::count_failure(connection, user, start, tries)?;
    Ok(Outcome::Wrong)
}

/// Uses a recovery code up. The app is to be set up anew then.
pub(in crate::identity) fn take_recovery(
    connection: &Connection,
    user: PrincipalId,
    hash: &[u8; 32],
) -> Result<Outcome, IdentityError> {
    if !store::take_code(connection, user, hash)? {
        return Ok(Outcome::Wrong);
    }
    // Whoever needed one has lost the app, or somebody else has found the codes.
    store::renew(connection, user)?;
    Ok(Outcome::Right)
}

/// A secret opens for its person only.
pub(in crate::identity) fn purpose(user: PrincipalId) -> String {
    format!("totp:{user}")
}
