//! Why a policy was not installed. The one that was installed before stays.

use std::fmt;

use crate::ids::PolicyId;
use crate::storage::StorageError;

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
    /// The organization's file failed.
    #[error("the organization's policy could not be read")]
    Storage(#[from] StorageError),
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
