//! Whom a row speaks of: a role, a team, a person, or a program.

use std::fmt;

use super::rows::{ROLE, is_name};
use crate::ids::{PrincipalId, TeamId};

/// Whom a row speaks of.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Subject {
    /// Whoever has the role.
    Role(String),
    /// Whoever is in the team.
    Team(TeamId),
    /// One person.
    User(PrincipalId),
    /// One program: a service account or a key.
    Service(PrincipalId),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(name) => write!(f, "{ROLE}{name}"),
            Self::Team(id) => write!(f, "team:{id}"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::Service(id) => write!(f, "svc:{id}"),
        }
    }
}

impl Subject {
    /// Reads `role:<name>`, `team:<id>`, `user:<id>` or `svc:<id>`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("role", name) if is_name(name) => Some(Self::Role(name.to_owned())),
            ("team", id) => id.parse().ok().map(Self::Team),
            ("user", id) => id.parse().ok().map(Self::User),
            ("svc", id) => id.parse().ok().map(Self::Service),
            _ => None,
        }
    }
}
