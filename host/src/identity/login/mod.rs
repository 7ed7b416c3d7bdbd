//! Passwords: how one is chosen, checked and exchanged for an access token.
//!
//! Nobody is given a password. An invitation is a link with 256 random bits, good once and for [`INVITATION`]; whoever
//! holds it chooses one (`password.rs` says which are good enough). A login answers an unknown person, a wrong
//! password and a disabled person alike, at the same cost and in the same time (`attempt.rs`), and slows down per
//! address of a person (`throttle.rs`) and per network (`networks.rs`) and per organization (`sprays.rs`). `transaction.rs` is the login in steps, `progress.rs` what
//! its steps are, `breached.rs` the operator's list of leaked passwords, `enrol.rs` the second factor that is added in it, `links.rs` what is sent by mail.

mod attempt;
mod breached;
mod enrol;
mod hasher;
mod links;
mod networks;
mod password;
mod progress;
mod sprays;
mod store;
mod throttle;
mod transaction;

#[cfg(test)]
mod even_tests;
#[cfg(test)]
mod link_tests;
#[cfg(test)]
mod tests;

use crate::caller::{Caller, PrincipalKind, Source};
use crate::clock::UnixMillis;
use crate::identity::keys::administers;
use crate::identity::people::{self, UserStatus};
use crate::identity::sign_ins::{Event, EventKind, deed, record};
use crate::identity::{Identity, IdentityError, secret};
use crate::ids::{OrganizationId, PrincipalId, RecordId, RequestId};
use crate::organizations::{Organization, Status};

pub(super) use store::drop_links;

pub use attempt::Proof;
pub use breached::Breached;
pub use hasher::Cost;
pub use password::score;
pub use progress::{External, Step};
pub use transaction::PATIENCE;

pub(crate) use hasher::Hasher;
pub(crate) use password::check as check_password;
pub(crate) use throttle::{Attempt, Throttle};

pub(super) use attempt::FLOOR;
pub(super) use networks::Networks;
pub(super) use sprays::Sprays;
pub(super) use throttle::pause_after;

/// How long an invitation is good, in milliseconds.
pub const INVITATION: UnixMillis = 72 * 3_600_000;

const PREFIX: &str = "stoa_s1_";

/// How the tokens of mailed links begin.
const PREFIX_MAIL: &str = "stoa_m1_";

/// An invitation. The token is shown once; only its hash is stored.
#[derive(Clone)]
pub struct SetupToken {
    /// What the set-up link carries.
    pub token: String,
    /// Who may choose a password with it.
    pub user: PrincipalId,
    /// The first instant it is no longer good.
    pub expires_at: UnixMillis,
}

/// What a login needs to know of a person.
struct Account {
    id: PrincipalId,
    name: String,
    status: UserStatus,
    hash: Option<String>,
}

impl Identity {
    /// Invites a person to choose a password, also a new one for a forgotten one. An earlier invitation is void.
    ///
    /// # Errors
    /// [`IdentityError::UserNotFound`], [`IdentityError::RoleRequired`], [`IdentityError::NoEmail`];
    /// [`IdentityError::Invalid`] for a disabled person.
    pub async fn invite(&self, by: &Caller, user: PrincipalId) -> Result<SetupToken, IdentityError> {
        administers(&by.principal)?;
        let random = secret::random()?;
        let token = format!("{PREFIX}{}", secret::encode(random.as_slice()));
        let hash = self.setup_hash(by.organization, &token)?;
        let now = self.clock.now();
        let expires_at = now.saturating_add(INVITATION);
        let caller = by.clone();
        self.write(by, move |connection| {
            let person = people::find_user(connection, user)?.ok_or(IdentityError::UserNotFound(user))?;
            people::covers(&caller.principal, &person.roles)?;
            if person.email.is_none() {
                return Err(IdentityError::NoEmail);
            }
            if person.status != UserStatus::Active {
                return Err(IdentityError::Invalid { field: "status", reason: "the user is disabled" });
            }
            let row =
                store::NewToken { id: RecordId::new(), user, hash, expires_at, now, by: caller.principal.id };
            Ok(store::put_setup_token(connection, &row)?)
        })
        .await?;
        Ok(SetupToken { token, user, expires_at })
    }

    /// Exchanges an invitation for a password. Every earlier access token of the person ends.
    ///
    /// # Errors
    /// [`IdentityError::InvalidSetupToken`]; [`IdentityError::WeakPassword`] leaves the invitation good;
    /// [`IdentityError::Busy`] does too.
    pub async fn set_up(
        &self,
        organization: &Organization,
        token: &str,
        password: &str,
    ) -> Result<PrincipalId, IdentityError> {
        if organization.status != Status::Active || token.len() > 128 || !token.starts_with(PREFIX) {
            return Err(IdentityError::InvalidSetupToken);
        }
        let (hash, now) = (self.setup_hash(organization.id, token)?, self.clock.now());
        let person = self.read(organization.id, |connection| {
            let user =
                store::find_setup_token(connection, &hash, now)?.ok_or(IdentityError::InvalidSetupToken)?;
            people::find_user(connection, user)?.ok_or(IdentityError::InvalidSetupToken)
        })?;
        password::check(password, person.email.as_deref(), organization.slug.as_str())?;
        let password_hash = self.hasher.choose(password).await?;

        let by = acting(organization.id, person.id, &person.name);
        self.write(&by, move |connection| {
            // Both callers of a race got here; only one of them finds the row.
            // Whoever invited may have lost the right since: what counts is what they may now.
            people::check_inviter(connection, person.id, &person.roles, now)?;
            if !store::take_setup_token(connection, &hash, now)? {
                return Err(IdentityError::InvalidSetupToken);
            }
            store::drop_links(connection, person.id)?;
            store::set_password(connection, person.id, &password_hash)?;
            record(connection, &Event::new(EventKind::PasswordSet).of(person.id), now)?;
            Ok(people::end_tokens(connection, person.id)?)
        })
        .await?;
        Ok(person.id)
    }

    /// Sets a password without an invitation: for demonstrations and for the operator's rescue, so the platform only.
    ///
    /// # Errors
    /// [`IdentityError::RoleRequired`], [`IdentityError::UserNotFound`], [`IdentityError::WeakPassword`].
    pub async fn set_password(
        &self,
        by: &Caller,
        organization: &Organization,
        user: PrincipalId,
        password: &str,
    ) -> Result<(), IdentityError> {
        if by.principal.kind != PrincipalKind::Platform {
            return Err(IdentityError::RoleRequired("platform".to_owned()));
        }
        let person = self.user(organization.id, user)?;
        password::check(password, person.email.as_deref(), organization.slug.as_str())?;
        let hash = self.hasher.choose(password).await?;
        let by = Caller { organization: organization.id, ..by.clone() };
        let (event, now) = (deed(EventKind::PasswordSet, &by, user), self.clock.now());
        self.write(&by, move |connection| {
            store::set_password(connection, user, &hash)?;
            record(connection, &event, now)?;
            Ok(people::end_tokens(connection, user)?)
        })
        .await
    }

    fn setup_hash(&self, organization: OrganizationId, token: &str) -> Result<[u8; 32], IdentityError> {
        secret::keyed_hash(&self.peppers.setup_token, organization.as_bytes(), token.as_bytes())
    }
}

/// A person who changes their own credentials before they have a token: as the change log will name them.
fn acting(organization: OrganizationId, id: PrincipalId, name: &str) -> Caller {
    let principal = crate::caller::Principal::new(id, PrincipalKind::User, name);
    Caller {
        organization,
        principal: std::sync::Arc::new(principal),
        request: RequestId::new(),
        source: Source::Api,
    }
}
