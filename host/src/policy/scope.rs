//! How far a rule reaches, and [`RowScope`]: the reach of all rules without conditions together.
//!
//! Where a record has no owner or no team, an allow does not cover it and a deny does.

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
    /// Records of the principal's teams and of those below them.
    Subteams,
    /// Records that somebody shared with the principal or one of its teams.
    Shared,
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
            Self::Subteams => "subteams",
            Self::Shared => "shared",
            Self::Org => "org",
        }
    }

    /// Every scope.
    pub const ALL: [Self; 5] = [Self::Own, Self::Team, Self::Subteams, Self::Shared, Self::Org];

    pub(super) const fn bit(self) -> u8 {
        match self {
            Self::Own => OWN,
            Self::Team => TEAM,
            Self::Subteams => SUBTEAMS,
            Self::Shared => SHARED,
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
            "subteams" => Ok(Self::Subteams),
            "shared" => Ok(Self::Shared),
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

pub(super) const OWN: u8 = 1;
pub(super) const TEAM: u8 = 2;
pub(super) const ORG: u8 = 4;
pub(super) const SUBTEAMS: u8 = 8;
pub(super) const SHARED: u8 = 16;

/// What rules without conditions allow: the union of the allowing scopes, less the union of the denying ones. All that
/// there is to a decision on the host's own objects, which nobody shares and on which no row has a condition.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RowScope {
    pub(super) allow: u8,
    pub(super) deny: u8,
}

/// What is asked of a record.
pub(super) struct Facts<'a> {
    pub(super) owner: Option<PrincipalId>,
    pub(super) team: Option<TeamId>,
    pub(super) shared: &'a dyn Fn() -> bool,
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

    /// Whether the record with this owner and team, which nobody shared, is covered.
    #[must_use]
    pub fn permits(
        self,
        principal: &Principal,
        owner: impl Into<Option<PrincipalId>>,
        team: impl Into<Option<TeamId>>,
    ) -> bool {
        let facts = Facts { owner: owner.into(), team: team.into(), shared: &|| false };
        covers(self.allow, false, principal, &facts) && !covers(self.deny, true, principal, &facts)
    }

    pub(super) const fn asks_shares(self) -> bool {
        (self.allow | self.deny) & SHARED != 0
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

/// Whether one of these scopes covers a record; what is absent counts as `absent`.
pub(super) fn covers(bits: u8, absent: bool, principal: &Principal, facts: &Facts<'_>) -> bool {
    let within = |below: bool| {
        facts
            .team
            .map_or(absent, |id| principal.teams.contains(&id) || below && principal.subteams.contains(&id))
    };
    bits & ORG != 0
        || bits & OWN != 0 && facts.owner.map_or(absent, |id| id == principal.id)
        || bits & TEAM != 0 && within(false)
        || bits & SUBTEAMS != 0 && within(true)
        || bits & SHARED != 0 && (facts.shared)()
}
