//! Bearers: from the text behind `Authorization: Bearer` to a caller, on every request.
//!
//! The first time, an access token's signature is checked (`token.rs`) or an API key's hash compared, and the principal
//! is read from the identity file: its roles and teams are never in the token. What came out is remembered under the
//! SHA-256 of the bearer, for [`REMEMBERED`] at most and only while the organization's epoch stays the same. Every
//! refusal is the same [`IdentityError::InvalidToken`]; the reason goes to the log, at debug level.
//!
//! Another process that changes the identity file is noticed within [`EPOCH_AGE`].

mod store;
mod token;

#[cfg(test)]
mod forge;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use dashmap::DashMap;
use moka::sync::Cache;

use crate::caller::{Caller, Principal, PrincipalKind, Source};
use crate::clock::UnixMillis;
use crate::identity::signing::KeySet;
use crate::identity::{Identity, IdentityError, UserStatus, keys, people, secret};
use crate::ids::{OrganizationId, PrincipalId, RequestId};
use crate::organizations::{Organization, Status};

pub use token::{AUDIENCE, AccessToken, IssueToken, LIFETIME, LONGEST_LIFE};

pub(super) use store::principal_epoch;
pub(super) use token::{Unverified, Verified, install_cryptography};

/// The longest bearer that is looked at, in bytes.
const LONGEST: usize = 4_096;

/// How long a bearer is remembered, in milliseconds.
const REMEMBERED: UnixMillis = 60_000;

/// How old what is known of an organization's epoch may be, in milliseconds.
const EPOCH_AGE: UnixMillis = 1_000;

/// Bearers that are remembered at once.
const CAPACITY: u64 = 100_000;

/// What is remembered about bearers.
pub(super) struct Bearers {
    remembered: Cache<[u8; 32], Arc<Remembered>>,
    organizations: DashMap<OrganizationId, Arc<Known>>,
}

struct Remembered {
    organization: OrganizationId,
    epoch: i64,
    until: UnixMillis,
    principal: Arc<Principal>,
}

/// What is known of an organization.
struct Known {
    epoch: AtomicI64,
    read_at: AtomicI64,
    keys: ArcSwapOption<KeySet>,
}

impl Bearers {
    pub(super) fn new() -> Self {
        // Entries say themselves how long they are good; this only gives their memory back.
        let life = Duration::from_millis(REMEMBERED.unsigned_abs());
        let remembered = Cache::builder().max_capacity(CAPACITY).time_to_live(life).build();
        Self { remembered, organizations: DashMap::new() }
    }

    /// The organization's file has this epoch now. Epochs never go back.
    pub(super) fn saw_epoch(&self, organization: OrganizationId, epoch: i64) {
        self.known(organization).epoch.fetch_max(epoch, Ordering::AcqRel);
    }

    fn known(&self, organization: OrganizationId) -> Arc<Known> {
        if let Some(known) = self.organizations.get(&organization) {
            return known.clone();
        }
        let fresh = || Known {
            epoch: AtomicI64::new(0),
            read_at: AtomicI64::new(UnixMillis::MIN),
            keys: ArcSwapOption::empty(),
        };
        self.organizations.entry(organization).or_insert_with(|| Arc::new(fresh())).clone()
    }
}

impl Identity {
    /// The caller that this bearer stands for, in this organization and in no other.
    ///
    /// # Errors
    /// [`IdentityError::InvalidToken`] for every bearer that is not good, and when the organization is suspended.
    pub fn authenticate(
        &self,
        organization: &Organization,
        bearer: &str,
        request: RequestId,
    ) -> Result<Caller, IdentityError> {
        if bearer.len() > LONGEST || organization.status != Status::Active {
            return Err(refused(organization.id, "too long, or the organization is suspended"));
        }
        let (digest, now) = (secret::digest(&[bearer.as_bytes()]), self.clock.now());
        let known = self.bearers.known(organization.id);
        let epoch = self.current_epoch(organization.id, &known, now)?;
        if let Some(hit) = self.bearers.remembered.get(&digest)
            && hit.organization == organization.id
            && hit.epoch == epoch
            && now < hit.until
        {
            return Ok(caller(organization.id, hit.principal.clone(), request));
        }
        let found = match keys::looks_like(bearer) {
            true => self.check_key(organization.id, bearer, now)?,
            false => self.check_token(organization, bearer, now)?,
        };
        known.epoch.fetch_max(found.epoch, Ordering::AcqRel);
        let principal = found.principal.clone();
        self.bearers.remembered.insert(digest, Arc::new(found));
        Ok(caller(organization.id, principal, request))
    }

    fn check_token(
        &self,
        organization: &Organization,
        bearer: &str,
        now: UnixMillis,
    ) -> Result<Remembered, IdentityError> {
        let refuse = |why| refused(organization.id, why);
        let claims = self.read_token(organization, bearer, now)?.map_err(refuse)?;
        let found = self.read(organization.id, |connection| store::find_bearer(connection, &claims, now))?;
        let found = found.ok_or_else(|| refuse("nobody, disabled, or what it rests on has ended"))?;
        if found.token_epoch != claims.epoch {
            return Err(refuse("the user's tokens were ended"));
        }
        let until = claims.expires_at.min(now.saturating_add(REMEMBERED));
        let principal = Arc::new(found.principal);
        Ok(Remembered { organization: organization.id, epoch: found.epoch, until, principal })
    }

    /// What a token of this organization says, or why it is none. Whether anybody may act with it is not asked.
    pub(in crate::identity) fn read_token(
        &self,
        organization: &Organization,
        token: &str,
        now: UnixMillis,
    ) -> Result<Result<Verified, &'static str>, IdentityError> {
        if token.len() > LONGEST {
            return Ok(Err("too long"));
        }
        let unverified = match token::Unverified::parse(token) {
            Ok(unverified) => unverified,
            Err(why) => return Ok(Err(why)),
        };
        let keys = self.verifying_keys(organization.id)?;
        Ok(unverified.verify(&keys, organization.id, &self.issuer(organization), now))
    }

    fn check_key(
        &self,
        organization: OrganizationId,
        bearer: &str,
        now: UnixMillis,
    ) -> Result<Remembered, IdentityError> {
        let good = self.good_key(organization, bearer, now)?.map_err(|why| refused(organization, why))?;
        let until = good.until.min(now.saturating_add(REMEMBERED));
        Ok(Remembered { organization, epoch: good.epoch, until, principal: Arc::new(good.principal) })
    }

    /// Whoever this id stands for, with the roles and teams of now, if they may act: a person, a service account or an API key.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn principal(
        &self,
        organization: OrganizationId,
        id: PrincipalId,
    ) -> Result<Option<Arc<Principal>>, IdentityError> {
        let now = self.clock.now();
        self.read(organization, |connection| {
            if let Some(found) = store::find_principal(connection, id)? {
                return Ok(Some(Arc::new(found.principal)));
            }
            Ok(keys::key_principal(connection, id, now)?.map(Arc::new))
        })
    }

    /// The person or service account with this id that may not act, as it would: to explain what it may. Who may act is
    /// told by [`Self::principal`].
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn disabled(
        &self,
        organization: OrganizationId,
        id: PrincipalId,
    ) -> Result<Option<Arc<Principal>>, IdentityError> {
        let person = self.read(organization, |connection| {
            let Some(user) = people::find_user(connection, id)? else { return Ok(None) };
            let principal = Principal::new(id, PrincipalKind::User, user.name.as_str())
                .with_roles(user.roles.iter().map(String::as_str))
                .with_subteams(people::subteams_of(connection, &user.teams)?)
                .with_teams(user.teams);
            Ok(Some((principal, user.status)))
        })?;
        let found = match person {
            Some(person) => Some(person),
            None => match self.service_account(organization, id) {
                Ok(account) => Some((account.principal(), account.status)),
                Err(IdentityError::ServiceAccountNotFound(_)) => None,
                Err(error) => return Err(error),
            },
        };
        let disabled = found.filter(|(_, status)| *status == UserStatus::Disabled);
        Ok(disabled.map(|(principal, _)| Arc::new(principal)))
    }

    /// The owners that can act, with the roles and teams of now.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn owners(&self, organization: OrganizationId) -> Result<Vec<Principal>, IdentityError> {
        self.read(organization, |connection| {
            let ids = people::owners(connection)?.into_iter();
            let found = ids.map(|id| store::find_principal(connection, id)).collect::<Result<Vec<_>, _>>()?;
            Ok(found.into_iter().flatten().map(|found| found.principal).collect())
        })
    }

    /// The organization's epoch, read from its file when the last reading is too old.
    fn current_epoch(
        &self,
        organization: OrganizationId,
        known: &Known,
        now: UnixMillis,
    ) -> Result<i64, IdentityError> {
        let read_at = known.read_at.load(Ordering::Acquire);
        if now.saturating_sub(read_at) >= EPOCH_AGE || now < read_at {
            let epoch = self.read(organization, |connection| Ok(super::store::epoch(connection)?))?;
            known.epoch.fetch_max(epoch, Ordering::AcqRel);
            known.read_at.store(now, Ordering::Release);
        }
        Ok(known.epoch.load(Ordering::Acquire))
    }

    /// The keys that verify the organization's tokens, read again when its epoch has moved.
    pub(in crate::identity) fn verifying_keys(
        &self,
        organization: OrganizationId,
    ) -> Result<Arc<KeySet>, IdentityError> {
        let known = self.bearers.known(organization);
        let epoch = known.epoch.load(Ordering::Acquire);
        if let Some(keys) = known.keys.load_full()
            && keys.epoch >= epoch
        {
            return Ok(keys);
        }
        let keys = Arc::new(self.read(organization, |connection| {
            let epoch = super::store::epoch(connection)?;
            Ok(KeySet::read(connection, epoch)?)
        })?);
        known.keys.store(Some(keys.clone()));
        Ok(keys)
    }
}

fn caller(organization: OrganizationId, principal: Arc<Principal>, request: RequestId) -> Caller {
    Caller { organization, principal, request, source: Source::Api }
}

fn refused(organization: OrganizationId, why: &'static str) -> IdentityError {
    tracing::debug!(%organization, why, "bearer refused");
    IdentityError::InvalidToken
}
