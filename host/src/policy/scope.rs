//! Which records a decision covers: [`RowScope`], asked of one record in memory or handed to SQLite as a predicate.
//!
//! Both forms are two-valued. Where a record has no owner or no team, an allow does not cover it and a deny does.

use std::str::FromStr;

use crate::caller::Principal;
use crate::ids::{PrincipalId, TeamId};

/// How far a grant reaches.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Scope {
    /// Records that the principal owns.
    Own,
    /// Records of the principal's teams.
    Team,
    /// Every record of the organization.
    Org,
}

impl Scope {
    /// The word in policy files and manifests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Team => "team",
            Self::Org => "org",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Own => OWN,
            Self::Team => TEAM,
            Self::Org => ORG,
        }
    }
}

/// The word is none of those that policy files know.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a word of the policy language")]
pub struct UnknownWord;

impl FromStr for Scope {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "own" => Ok(Self::Own),
            "team" => Ok(Self::Team),
            "org" => Ok(Self::Org),
            _ => Err(UnknownWord),
        }
    }
}

/// What a matching grant does.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Effect {
    /// Permits, unless something denies.
    Allow,
    /// Forbids, whatever permits.
    Deny,
}

impl Effect {
    /// The word in policy files and manifests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl FromStr for Effect {
    type Err = UnknownWord;

    /// Exactly these spellings: casbin would silently ignore `Deny`.
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "allow" => Ok(Self::Allow),
            "deny" => Ok(Self::Deny),
            _ => Err(UnknownWord),
        }
    }
}

const OWN: u8 = 1;
const TEAM: u8 = 2;
const ORG: u8 = 4;

/// What a decision allows: the union of the allowing scopes, less the union of the denying ones.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RowScope {
    allow: u8,
    deny: u8,
}

impl RowScope {
    /// No record at all: the answer when nothing was granted.
    pub const NEVER: Self = Self { allow: 0, deny: 0 };

    /// Every record: what the platform and a plugin acting as itself work with.
    pub const ALWAYS: Self = Self { allow: ORG, deny: 0 };

    /// Whether no record is covered: the caller may not do this at all.
    #[must_use]
    pub const fn never(self) -> bool {
        self.allow == 0 || self.deny & ORG != 0
    }

    /// Whether every record is covered, so that nothing needs to be asked of any.
    #[must_use]
    pub const fn always(self) -> bool {
        self.allow & ORG != 0 && self.deny == 0
    }

    /// Whether the record with this owner and team is covered.
    #[must_use]
    pub fn permits(
        self,
        principal: &Principal,
        owner: impl Into<Option<PrincipalId>>,
        team: impl Into<Option<TeamId>>,
    ) -> bool {
        let (owner, team) = (owner.into(), team.into());
        let covers = |bits: u8, absent: bool| {
            bits & ORG != 0
                || bits & OWN != 0 && owner.map_or(absent, |id| id == principal.id)
                || bits & TEAM != 0 && team.map_or(absent, |id| principal.teams.contains(&id))
        };
        covers(self.allow, false) && !covers(self.deny, true)
    }

    /// [`Self::permits`] as SQL over the columns `owner_id` and `team_id` of `alias` (empty for none), never null: `1`
    /// for always, `0` for never. The blobs are its parameters, in order from `?first_param` on.
    ///
    /// Allowing terms use `is`, which is two-valued and, unlike `coalesce(…, 0)`, lets SQLite use an index.
    #[must_use]
    pub fn predicate(
        self,
        principal: &Principal,
        alias: &str,
        first_param: usize,
    ) -> (String, Vec<[u8; 16]>) {
        if self.never() {
            return ("0".to_owned(), Vec::new());
        }
        if self.always() {
            return ("1".to_owned(), Vec::new());
        }
        let allow = if self.allow & ORG != 0 { ORG } else { self.allow };
        let named = allow | self.deny;
        let dot = if alias.is_empty() { "" } else { "." };
        let (owner, team) = (format!("{alias}{dot}owner_id"), format!("{alias}{dot}team_id"));
        let mut values = Vec::new();
        let mut mine = String::new();
        if named & OWN != 0 {
            mine = format!("?{first_param}");
            values.push(*principal.id.as_bytes());
        }
        let mut ours = Vec::new();
        if named & TEAM != 0 {
            for id in principal.teams.iter() {
                ours.push(format!("?{}", first_param + values.len()));
                values.push(*id.as_bytes());
            }
        }
        let ours = ours.join(", ");

        let mut parts = Vec::new();
        if allow & ORG == 0 {
            let mut terms = Vec::new();
            if allow & OWN != 0 {
                terms.push(format!("{owner} is {mine}"));
            }
            if allow & TEAM != 0 && !ours.is_empty() {
                terms.push(format!("({team} is not null and {team} in ({ours}))"));
            }
            parts.push(any(&terms));
        }
        if self.deny & OWN != 0 {
            parts.push(format!("not coalesce({owner} = {mine}, 1)"));
        }
        if self.deny & TEAM != 0 && ours.is_empty() {
            parts.push(format!("{team} is not null"));
        } else if self.deny & TEAM != 0 {
            parts.push(format!("not coalesce({team} in ({ours}), 1)"));
        }
        (format!("({})", parts.join(" and ")), values)
    }

    /// Whose records can be covered at all: the caller's own, his teams'; `None` when it can be anybody's.
    #[must_use]
    pub const fn facets(self) -> Option<(bool, bool)> {
        if self.allow & ORG != 0 { None } else { Some((self.allow & OWN != 0, self.allow & TEAM != 0)) }
    }

    pub(super) const fn with(self, scope: Scope, effect: Effect) -> Self {
        match effect {
            Effect::Allow => Self { allow: self.allow | scope.bit(), deny: self.deny },
            Effect::Deny => Self { allow: self.allow, deny: self.deny | scope.bit() },
        }
    }

    pub(super) const fn and_also(self, other: Self) -> Self {
        Self { allow: self.allow | other.allow, deny: self.deny | other.deny }
    }
}

/// One of the terms; `0` when there are none (a scope of teams for somebody who is in none).
fn any(terms: &[String]) -> String {
    if terms.is_empty() { "0".to_owned() } else { format!("({})", terms.join(" or ")) }
}
