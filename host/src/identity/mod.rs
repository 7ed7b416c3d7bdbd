//! Identity: the people, teams, credentials and access tokens of each organization.
//!
//! Every organization has a file of its own (`identity`), an issuer of its own and signing keys of its own, so a
//! credential of one organization is not wrong in another: it does not exist there. Each change goes through
//! [`Identity::write`], which leaves a change-log entry and moves the organization's epoch; what is remembered about
//! bearers of an older epoch is dropped, so a changed role or a disabled person is seen at the next request.
//!
//! Reading order: `people/` (users, teams, roles), `login/` (passwords), `keys/` (API keys), `bearer/` (tokens, and
//! [`Identity::authenticate`], which runs on every request), `sign_ins/` (what happens at the door), `store.rs` (the epoch).

mod bearer;
mod error;
mod factors;
mod federation;
mod foreign;
pub(crate) mod jws;
mod keys;
mod login;
mod oauth;
mod people;
pub(crate) mod secret;
mod sessions;
mod sign_ins;
mod signing;
mod store;

#[cfg(test)]
mod fixture;

use std::sync::Arc;
use std::time::Duration;

use crate::caller::{Caller, Principal, PrincipalKind, Source};
use crate::clock::Clock;
use crate::config::PublicAddress;
use crate::ids::{OrganizationId, PrincipalId, RequestId};
use crate::mail::Mailer;
use crate::storage::{
    ChangeOrigin, Connection, FileKind, FileProfile, Migration, Secrets, TenantFile, TenantFiles, Verdict,
};

use bearer::Bearers;
use login::{Networks, Sprays};
pub(crate) use people::key_of;
use secret::Peppers;

pub use bearer::{AUDIENCE, AccessToken, IssueToken, LIFETIME, LONGEST_LIFE};
pub use error::IdentityError;
pub use factors::{Enrolment, Factors};
pub use federation::{Departure, Domain, Endpoints, Federation, GroupRole, Provider, ProviderChange, Return};
pub use foreign::{ALGORITHMS as FOREIGN_ALGORITHMS, Jwk};
pub use keys::{
    ApiKey, ApiKeySecret, LONGEST as LONGEST_KEY, NewApiKey, NewServiceAccount, ServiceAccount,
    ServiceAccountChange,
};
pub use login::{
    Breached, Cost, External, INVITATION, PATIENCE as LOGIN_PATIENCE, Proof as FactorProof, SetupToken, Step,
    score,
};
pub use oauth::{
    Ask, Authorization, AuthorizeError, Client, ClientAnswer, ClientAuth, ClientChange, ClientKind,
    ClientProof, ClientSecret, Consent, ConsentQuestion, GrantType, Hint, Introspection, Lasting, Lives,
    LivesChange, NewClient, OAuthError, ResponseMode, STANDARD_SCOPES, SignedIn, TokenAnswer, UserInfo,
};
pub use people::{
    DEEPEST, Email, Invited, NewUser, OWNER, ROLES, Team, TeamChange, User, UserChange, UserStatus,
};
pub use sessions::{ABSOLUTE, IDLE, Method, Session, Started, Visitor};
pub use sign_ins::{Demand, EventKind, SignIn, SignInFilter};

pub(crate) use factors::totp;
pub(crate) use login::{Attempt, Hasher, Throttle, check_password};
pub use signing::{KeyState, SigningAlgorithm, SigningKey};

/// The identity file: host code only, and no secret in its change log.
static PROFILE: FileProfile = FileProfile {
    kind: FileKind::Host,
    migrations: &[
        Migration { name: "0001_people", sql: include_str!("../../../migrations/identity/0001_people.sql") },
        Migration {
            name: "0002_signing",
            sql: include_str!("../../../migrations/identity/0002_signing.sql"),
        },
        Migration { name: "0003_oauth", sql: include_str!("../../../migrations/identity/0003_oauth.sql") },
        Migration {
            name: "0004_sessions",
            sql: include_str!("../../../migrations/identity/0004_sessions.sql"),
        },
        Migration {
            name: "0005_factors",
            sql: include_str!("../../../migrations/identity/0005_factors.sql"),
        },
        Migration { name: "0006_people", sql: include_str!("../../../migrations/identity/0006_people.sql") },
        Migration {
            name: "0007_federation",
            sql: include_str!("../../../migrations/identity/0007_federation.sql"),
        },
        Migration { name: "0008_policy", sql: include_str!("../../../migrations/identity/0008_policy.sql") },
        Migration {
            name: "0009_second_factors_elsewhere",
            sql: include_str!("../../../migrations/identity/0009_second_factors_elsewhere.sql"),
        },
        Migration {
            name: "0010_sign_in",
            sql: include_str!("../../../migrations/identity/0010_sign_in.sql"),
        },
        Migration {
            name: "0013_domains",
            sql: include_str!("../../../migrations/identity/0013_domains.sql"),
        },
        Migration {
            name: "0015_clients",
            sql: include_str!("../../../migrations/identity/0015_clients.sql"),
        },
        Migration {
            name: "0016_group_roles",
            sql: include_str!("../../../migrations/identity/0016_group_roles.sql"),
        },
    ],
    redacted: &["password_hash", "token_hash", "secret_hash", "private_key", "client_secret"],
};

/// The id under which the platform itself acts: the operator's commands, and what is set up without a person.
pub const PLATFORM: PrincipalId = PrincipalId::from_bytes([0; 16]);

/// The platform as a caller in this organization. Nothing that comes over the network may become this.
#[must_use]
pub fn platform(organization: OrganizationId, request: RequestId) -> Caller {
    let principal = Principal::new(PLATFORM, PrincipalKind::Platform, "Platform").with_roles([OWNER]);
    Caller { organization, principal: Arc::new(principal), request, source: Source::Platform }
}

/// Every operation on people and credentials. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    files: TenantFiles,
    secrets: Secrets,
    clock: Clock,
    address: PublicAddress,
    mailer: Option<Mailer>,
    floor: Duration,
    peppers: Arc<Peppers>,
    hasher: Hasher,
    throttle: Throttle,
    networks: Networks,
    sprays: Sprays,
    bearers: Arc<Bearers>,
}

impl Identity {
    /// Identity over these files, with passwords hashed at [`Cost::SHIPPED`].
    #[must_use]
    pub fn new(files: TenantFiles, secrets: Secrets, clock: Clock) -> Self {
        Self { floor: login::FLOOR, ..Self::with_cost(files, secrets, clock, Cost::SHIPPED) }
    }

    /// The same, hashing at another cost: tests take [`Cost::FLOOR`].
    #[must_use]
    pub fn with_cost(files: TenantFiles, secrets: Secrets, clock: Clock, cost: Cost) -> Self {
        bearer::install_cryptography();
        let peppers = Arc::new(Peppers::new(&secrets));
        let hasher = Hasher::new(cost, secrets.key("password-pepper"));
        let throttle = Throttle::new(clock.clone());
        let address = PublicAddress { origin: "http://localhost".to_owned(), base_domain: None };
        Self {
            files,
            secrets,
            clock,
            address,
            mailer: None,
            floor: Duration::ZERO,
            peppers,
            hasher,
            throttle,
            networks: Networks::new(),
            sprays: Sprays::new(),
            bearers: Arc::new(Bearers::new()),
        }
    }

    /// The same, writing to people through this mailer. Without one nobody is written to.
    #[must_use]
    pub fn mailing(self, mailer: Mailer) -> Self {
        Self { mailer: Some(mailer), ..self }
    }

    /// The same, reached from outside at this address: issuers and links are made of it.
    #[must_use]
    pub fn at(self, address: PublicAddress) -> Self {
        Self { address, ..self }
    }

    /// The same, refusing passwords that are in this list when they are chosen.
    #[must_use]
    pub fn refusing(self, breached: Breached) -> Self {
        Self { hasher: self.hasher.refusing(Arc::new(breached)), ..self }
    }

    /// What hashes passwords: one for the whole host, so that its bound on memory holds for all of them.
    pub(crate) fn hasher(&self) -> Hasher {
        self.hasher.clone()
    }

    fn file(&self, organization: OrganizationId) -> Result<Arc<TenantFile>, IdentityError> {
        Ok(self.files.open(organization, "identity", &PROFILE)?)
    }

    fn read<T>(
        &self,
        organization: OrganizationId,
        f: impl FnOnce(&Connection) -> Result<T, IdentityError>,
    ) -> Result<T, IdentityError> {
        self.file(organization)?.read(|connection| f(connection))
    }

    /// Looks at the organization's file, for what other modules keep there.
    ///
    /// # Errors
    /// Whatever `f` answers, or the file fails.
    pub fn look<T>(
        &self,
        organization: OrganizationId,
        f: impl FnOnce(&Connection) -> Result<T, IdentityError>,
    ) -> Result<T, IdentityError> {
        self.read(organization, f)
    }

    /// Changes what other modules keep in the organization's file. When this returns, no bearer is answered from what
    /// was true before.
    ///
    /// # Errors
    /// Whatever `f` answers, or the file fails.
    pub async fn put<T: Send + 'static>(
        &self,
        by: &Caller,
        f: impl FnOnce(&Connection) -> Result<T, IdentityError> + Send + 'static,
    ) -> Result<T, IdentityError> {
        self.write(by, f).await
    }

    /// One change to what is neither logged nor remembered about bearers, so the epoch stays.
    async fn note<T: Send + 'static>(
        &self,
        organization: OrganizationId,
        f: impl FnOnce(&Connection) -> Result<T, IdentityError> + Send + 'static,
    ) -> Result<T, IdentityError> {
        let origin =
            ChangeOrigin { principal: PLATFORM, request: RequestId::new(), source: Source::Platform };
        let change = move |connection: &std::rc::Rc<Connection>| -> Result<Verdict<T>, IdentityError> {
            Ok(Verdict::Keep(f(connection)?))
        };
        self.file(organization)?.write(origin, change).await
    }

    /// One change, whole or absent. When this returns, no bearer is answered from what was true before.
    async fn write<T: Send + 'static>(
        &self,
        by: &Caller,
        f: impl FnOnce(&Connection) -> Result<T, IdentityError> + Send + 'static,
    ) -> Result<T, IdentityError> {
        let origin = ChangeOrigin { principal: by.principal.id, request: by.request, source: by.source };
        let change = move |connection: &std::rc::Rc<Connection>| -> Result<Verdict<(T, i64)>, IdentityError> {
            let value = f(connection)?;
            Ok(Verdict::Keep((value, store::advance_epoch(connection)?)))
        };
        let (value, epoch) = self.file(by.organization)?.write(origin, change).await?;
        self.bearers.saw_epoch(by.organization, epoch);
        Ok(value)
    }

    /// A change that `f` tells of whether something that bearers rest on ended with it: only then the epoch moves.
    async fn write_ending<T: Send + 'static>(
        &self,
        by: &Caller,
        f: impl FnOnce(&Connection) -> Result<(T, bool), IdentityError> + Send + 'static,
    ) -> Result<T, IdentityError> {
        let (value, epoch) = self
            .write_quietly(by, move |connection| {
                let (value, ended) = f(connection)?;
                let epoch = if ended { Some(store::advance_epoch(connection)?) } else { None };
                Ok((value, epoch))
            })
            .await?;
        if let Some(epoch) = epoch {
            self.bearers.saw_epoch(by.organization, epoch);
        }
        Ok(value)
    }

    /// A change on which nothing rests that is remembered of bearers: it leaves the epoch where it is.
    async fn write_quietly<T: Send + 'static>(
        &self,
        by: &Caller,
        f: impl FnOnce(&Connection) -> Result<T, IdentityError> + Send + 'static,
    ) -> Result<T, IdentityError> {
        let origin = ChangeOrigin { principal: by.principal.id, request: by.request, source: by.source };
        let change = move |connection: &std::rc::Rc<Connection>| -> Result<Verdict<T>, IdentityError> {
            Ok(Verdict::Keep(f(connection)?))
        };
        self.file(by.organization)?.write(origin, change).await
    }
}
