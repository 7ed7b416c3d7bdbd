//! Why a policy was not installed. The one that was installed before stays.

use std::fmt;

use crate::identity::IdentityError;
use crate::ids::PolicyId;

/// Why a policy was not installed.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// Rows break the rules: all of them, not the first.
    #[error("the policy is not valid: {}", list(.0))]
    Invalid(Vec<Fault>),
    /// There is not a single row. Casbin would allow an empty request then; and nobody could do anything.
    #[error("the policy has no rows")]
    Empty,
    /// Casbin allows a request that it must deny, so its model is not the one that was meant.
    #[error("the policy model allows {0}")]
    Unsafe(&'static str),
    /// Casbin holds a row that was never given to it.
    #[error("the policy engine holds a row that is not of the policy language: {0}")]
    Foreign(String),
    /// Casbin refused the model or the rows.
    #[error("the policy engine failed")]
    Engine(#[from] casbin::Error),
    /// The author of a change may not do himself what it would let somebody do.
    #[error("you cannot grant `{action}` on {object} ({scope}): you may not do it yourself")]
    Lacking {
        /// `<plugin>.<entity>`
        object: String,
        /// `read`
        action: String,
        /// `org`
        scope: &'static str,
    },
    /// The author of a change is no owner, and denies something to one.
    #[error("only an owner denies something to an owner, or to a team that an owner is in")]
    OwnersOnly,
    /// The author of a change, or every owner, could not take it back.
    #[error("with this change you, or every owner, could not change the policy any more")]
    LockedOut,
    /// There is no such row or role of the organization's own.
    #[error("there is none of this organization's own with this name")]
    Missing,
    /// Another role has this name.
    #[error("there is a role `{0}` already")]
    Taken(String),
    /// The role was changed meanwhile.
    #[error("the role was changed meanwhile")]
    Stale,
    /// Somebody has the role, another inherits it, or a row speaks of it.
    #[error("somebody has this role, a role inherits it, or a policy speaks of it")]
    Held,
    /// There are as many as there can be.
    #[error("there are as many roles or policies as there can be")]
    Full,
    /// The organization's file failed.
    #[error("the organization's policy could not be read or stored")]
    Identity(#[from] IdentityError),
    /// The work of building was cut off, by shutdown or by a panic.
    #[error("building the policy did not finish")]
    Unfinished(#[from] tokio::task::JoinError),
}

/// One thing that is wrong with one row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// Where the row stands.
    pub origin: Origin,
    /// What is wrong and what was expected.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.what)
    }
}

/// Where a row of the policy stands.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Origin {
    /// A line of `policies/roles.csv`, from 1.
    Line(u64),
    /// A grant that was handed in, from 1.
    Grant(usize),
    /// A row that the organization added.
    Added(PolicyId),
    /// A role that the organization made: by its number, from 1.
    Role(usize),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "roles.csv line {line}"),
            Self::Grant(number) => write!(f, "grant {number}"),
            Self::Added(id) => write!(f, "policy {id}"),
            Self::Role(number) => write!(f, "role {number}"),
        }
    }
}

fn list(faults: &[Fault]) -> String {
    faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("; ")
}
