//! The caller: who acts, in which organization, in which request. The first argument of every operation.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::ids::{OrganizationId, PrincipalId, RequestId, SessionId, TeamId};

/// What kind of principal acts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PrincipalKind {
    /// A person of the organization.
    User,
    /// A program with a key of its own.
    ApiKey,
    /// A program with roles of its own, whatever credentials it uses.
    Service,
    /// A plugin's own job or event handler.
    Plugin,
    /// The platform's operator, over the local socket.
    Platform,
}

impl PrincipalKind {
    /// The word of the plugin contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ApiKey => "api-key",
            Self::Service => "service",
            Self::Plugin => "plugin",
            Self::Platform => "platform",
        }
    }
}

/// How a write came in; stored on every record and in the change log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    /// The REST API.
    Api,
    /// An import job.
    Import,
    /// Another job.
    Job,
    /// A plugin with its own authority.
    Plugin,
    /// Set-up by the platform (seeded configuration).
    Platform,
}

impl Source {
    /// The word that is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Import => "import",
            Self::Job => "job",
            Self::Plugin => "plugin",
            Self::Platform => "platform",
        }
    }
}

/// Who acts.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The id that becomes `created_by`, `updated_by` and, by default, `owner_id`.
    pub id: PrincipalId,
    /// What it is.
    pub kind: PrincipalKind,
    /// For people: the person's or the key's name.
    pub name: Arc<str>,
    /// Names of its roles, such as `rep`.
    pub roles: Arc<[Arc<str>]>,
    /// The teams it belongs to, the primary team first.
    pub teams: Arc<[TeamId]>,
    /// The teams below those, at any depth.
    pub subteams: Arc<[TeamId]>,
    /// What its credential is limited to, as scopes such as `crm.contact:read`; `None`: everything that its roles allow.
    pub limits: Option<Arc<[Arc<str>]>>,
    /// The session that its credential belongs to, when it belongs to one.
    pub session: Option<SessionId>,
    /// The networks that its credential is good from; `None`: from anywhere.
    pub networks: Option<Arc<[IpNet]>>,
    /// Whether its credential may be used to create and change people, programs and roles, as far as its roles allow.
    pub administers: bool,
}

impl Principal {
    /// A principal without roles and teams, whose credential is not limited and belongs to no session.
    #[must_use]
    pub fn new(id: PrincipalId, kind: PrincipalKind, name: impl Into<Arc<str>>) -> Self {
        Self {
            id,
            kind,
            name: name.into(),
            roles: Arc::new([]),
            teams: Arc::new([]),
            subteams: Arc::new([]),
            limits: None,
            session: None,
            networks: None,
            administers: true,
        }
    }

    /// The same with these roles.
    #[must_use]
    pub fn with_roles(self, roles: impl IntoIterator<Item = impl Into<Arc<str>>>) -> Self {
        Self { roles: roles.into_iter().map(Into::into).collect(), ..self }
    }

    /// The same in these teams, the primary team first.
    #[must_use]
    pub fn with_teams(self, teams: impl Into<Arc<[TeamId]>>) -> Self {
        Self { teams: teams.into(), ..self }
    }

    /// The same with these teams below its own.
    #[must_use]
    pub fn with_subteams(self, subteams: impl Into<Arc<[TeamId]>>) -> Self {
        Self { subteams: subteams.into(), ..self }
    }

    /// Whether its credential is good from this address. One that is bound to networks is not good from nowhere.
    #[must_use]
    pub fn admits(&self, from: Option<IpAddr>) -> bool {
        let Some(networks) = &self.networks else {
            return true;
        };
        from.map(|from| from.to_canonical())
            .is_some_and(|from| networks.iter().any(|network| network.contains(&from)))
    }
}

/// A principal in a request. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The organization; every file that is touched is this organization's.
    pub organization: OrganizationId,
    /// Who.
    pub principal: Arc<Principal>,
    /// The request, for logs and the change log.
    pub request: RequestId,
    /// How it came in.
    pub source: Source,
}

impl Caller {
    /// The same caller, acting in another way.
    #[must_use]
    pub fn through(&self, source: Source) -> Self {
        Self { source, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_bound_to_networks_is_good_from_there_only() {
        let anybody = Principal::new(PrincipalId::new(), PrincipalKind::ApiKey, "x");
        let bound = Principal { networks: Some(["192.0.2.0/24".parse().unwrap()].into()), ..anybody.clone() };
        let from = |text: &str| Some(text.parse().unwrap());
        assert!(anybody.admits(None) && anybody.admits(from("198.51.100.7")));
        assert!(bound.admits(from("192.0.2.9")) && bound.admits(from("::ffff:192.0.2.9")));
        assert!(
            !bound.admits(from("198.51.100.7")) && !bound.admits(from("2001:db8::1")) && !bound.admits(None)
        );
    }
}
