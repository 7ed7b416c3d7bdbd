//! What can go wrong with people and credentials, in the words of the domain.

use crate::ids::{ClientId, PrincipalId, ProviderId, SessionId, TeamId};
use crate::storage::StorageError;

/// What can go wrong with people and credentials.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// No such person in this organization.
    #[error("user {0} does not exist")]
    UserNotFound(PrincipalId),
    /// No such team in this organization.
    #[error("team {0} does not exist")]
    TeamNotFound(TeamId),
    /// No such team to stand below.
    #[error("team {0} does not exist")]
    ParentNotFound(TeamId),
    /// No such service account in this organization.
    #[error("service account {0} does not exist")]
    ServiceAccountNotFound(PrincipalId),
    /// The program is disabled, so nothing new is made for it.
    #[error("the service account is disabled")]
    ServiceAccountDisabled,
    /// The key was not made for that.
    #[error("this credential may not create or change people, programs and roles")]
    KeyCannotAdminister,
    /// No such API key in this organization.
    #[error("API key {0} does not exist")]
    ApiKeyNotFound(PrincipalId),
    /// No such client in this organization.
    #[error("client {0} does not exist")]
    ClientNotFound(ClientId),
    /// No such request to sign in waits.
    #[error("the request to sign in is over")]
    RequestNotFound,
    /// No such session of this person.
    #[error("session {0} does not exist")]
    SessionNotFound(SessionId),
    /// A value is not acceptable.
    #[error("{field}: {reason}")]
    Invalid {
        /// Which, as the API names it.
        field: &'static str,
        /// What would be.
        reason: &'static str,
    },
    /// Another person, team or key has the value.
    #[error("{field} is taken")]
    Taken {
        /// Which, as the API names it.
        field: &'static str,
    },
    /// More than one person has the name.
    #[error("more than one user is named `{0}`")]
    AmbiguousName(String),
    /// No role of this name.
    #[error("there is no role `{0}`")]
    UnknownRole(String),
    /// Nobody gives what they do not have, nor changes the credentials of somebody who has more.
    #[error("this takes the role `{0}`")]
    RoleRequired(String),
    /// Keys do not make keys.
    #[error("an API key cannot create API keys")]
    KeyCannotCreateKeys,
    /// The organization would be without an owner that can act.
    #[error("an organization keeps at least one active owner")]
    LastOwner,
    /// Somebody changed it in the meantime.
    #[error("it was changed in the meantime: its version is {current}")]
    VersionConflict {
        /// The version it has now.
        current: i64,
    },
    /// A person without an e-mail address cannot log in, so there is nothing to set up.
    #[error("the user has no e-mail address")]
    NoEmail,
    /// The password is not good enough.
    #[error("{0}")]
    WeakPassword(&'static str),
    /// No such provider in this organization.
    #[error("identity provider {0} does not exist")]
    ProviderNotFound(ProviderId),
    /// A provider does not answer as it must.
    #[error("the provider cannot be used: {0}")]
    ProviderUnreachable(&'static str),
    /// The organization has not said that this domain is its own.
    #[error("the domain {0} is not among those of the organization")]
    DomainNotFound(String),
    /// Another organization of the installation has shown the domain to be its own.
    #[error("another organization has shown this domain to be its own")]
    DomainTaken,
    /// Somebody from elsewhere may not come in; the reason goes to the log only.
    #[error("signing in with this provider did not work")]
    FederationRefused,
    /// It takes a proof, now, that it is them.
    #[error("prove with your password, or by signing in again, that it is you")]
    StepUpRequired,
    /// What somebody else has to do.
    #[error("somebody else who administers people resets your second factor")]
    NotOneself,
    /// Whoever invited may not do so any more.
    #[error("whoever made this invitation may not invite you any more: ask for a new one")]
    InviterLostRights,
    /// There is no invitation that is still good.
    #[error("there is no open invitation")]
    NoInvitation,
    /// The set-up link is unknown, used, replaced or too old, or its person was disabled.
    #[error("the set-up link is not valid")]
    InvalidSetupToken,
    /// Unknown person, wrong password, disabled person: one answer for all.
    #[error("the credentials are not valid")]
    InvalidCredentials,
    /// The login was never begun here, or took too long.
    #[error("the login is over: begin again")]
    InvalidLogin,
    /// Steps of the login are missing.
    #[error("the login is not complete")]
    LoginIncomplete,
    /// The password is right; the person has a second factor, too.
    #[error("a second factor is needed")]
    SecondFactorRequired,
    /// The codes are not those of the app, or there is nothing to confirm.
    #[error("the code is not valid")]
    InvalidCode,
    /// The mailed link is unknown, used, replaced, too old, or good for something else.
    #[error("the link is not valid")]
    InvalidLink,
    /// Programs have neither passwords nor second factors.
    #[error("only a person who is signed in may do this")]
    PersonRequired,
    /// Too many wrong passwords for this address; whether anybody has it does not matter.
    #[error("too many failed attempts: try again in {retry_after} s")]
    Throttled {
        /// Seconds.
        retry_after: u64,
    },
    /// More passwords wait to be checked than the machine can take.
    #[error("too many logins at once: try again in {retry_after} s")]
    Busy {
        /// Seconds.
        retry_after: u64,
    },
    /// The bearer is not good, for whatever reason; the reason goes to the log only.
    #[error("the access token is not valid")]
    InvalidToken,
    /// A primitive failed: for the log, never for the caller.
    #[error("cryptography: {0}")]
    Cryptography(&'static str),
    /// The identity file failed: for the log, never for the caller.
    #[error("identity file")]
    Storage(#[from] StorageError),
}
