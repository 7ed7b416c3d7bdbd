//! Operations on teams.

use crate::caller::Caller;
use crate::identity::{Identity, IdentityError};
use crate::ids::{OrganizationId, PrincipalId, TeamId};
use crate::storage::Connection;

use super::user::checked_name;
use super::{Team, store};

impl Identity {
    /// Creates an empty team.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`], [`IdentityError::Taken`].
    pub async fn create_team(&self, by: &Caller, name: &str) -> Result<Team, IdentityError> {
        let (now, principal) = (self.clock.now(), by.principal.id);
        let team = Team {
            id: TeamId::new(),
            version: 1,
            name: checked_name(name)?,
            members: 0,
            created_at: now,
            created_by: principal,
            updated_at: now,
            updated_by: principal,
        };
        self.write(by, move |connection| {
            if store::find_team_by_name(connection, &team.name)?.is_some() {
                return Err(IdentityError::Taken { field: "name" });
            }
            store::insert_team(connection, &team)?;
            Ok(team)
        })
        .await
    }

    /// Renames a team; `if_version` is the version the change is based on.
    ///
    /// # Errors
    /// [`IdentityError::TeamNotFound`], [`IdentityError::VersionConflict`], [`IdentityError::Invalid`],
    /// [`IdentityError::Taken`].
    pub async fn rename_team(
        &self,
        by: &Caller,
        id: TeamId,
        name: &str,
        if_version: Option<i64>,
    ) -> Result<Team, IdentityError> {
        let (now, principal, name) = (self.clock.now(), by.principal.id, checked_name(name)?);
        self.write(by, move |connection| {
            let team = store::find_team(connection, id)?.ok_or(IdentityError::TeamNotFound(id))?;
            if if_version.is_some_and(|version| version != team.version) {
                return Err(IdentityError::VersionConflict { current: team.version });
            }
            if store::find_team_by_name(connection, &name)?.is_some_and(|other| other.id != id) {
                return Err(IdentityError::Taken { field: "name" });
            }
            let version = team.version + 1;
            let team = Team { name, version, updated_at: now, updated_by: principal, ..team };
            store::update_team(connection, &team)?;
            Ok(team)
        })
        .await
    }

    /// Puts a person into a further team; their primary team stays. Nothing happens when they are in it.
    ///
    /// # Errors
    /// [`IdentityError::UserNotFound`], [`IdentityError::TeamNotFound`].
    pub async fn add_to_team(
        &self,
        by: &Caller,
        user: PrincipalId,
        team: TeamId,
    ) -> Result<(), IdentityError> {
        self.write(by, move |connection| {
            store::find_user(connection, user)?.ok_or(IdentityError::UserNotFound(user))?;
            check(connection, team)?;
            Ok(store::add_member(connection, user, team)?)
        })
        .await
    }

    /// Takes a person out of a team, the primary one included. Nothing happens when they are not in it.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub async fn remove_from_team(
        &self,
        by: &Caller,
        user: PrincipalId,
        team: TeamId,
    ) -> Result<(), IdentityError> {
        self.write(by, move |connection| Ok(store::remove_member(connection, user, team)?)).await
    }

    /// A team.
    ///
    /// # Errors
    /// [`IdentityError::TeamNotFound`].
    pub fn team(&self, organization: OrganizationId, id: TeamId) -> Result<Team, IdentityError> {
        self.read(organization, |connection| {
            store::find_team(connection, id)?.ok_or(IdentityError::TeamNotFound(id))
        })
    }

    /// The team with this name, in whatever letter case, if there is one.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn team_by_name(
        &self,
        organization: OrganizationId,
        name: &str,
    ) -> Result<Option<Team>, IdentityError> {
        self.read(organization, |connection| Ok(store::find_team_by_name(connection, name.trim())?))
    }

    /// At most `limit` teams after the one with id `after`, in the order of their creation.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn teams(
        &self,
        organization: OrganizationId,
        after: Option<TeamId>,
        limit: u32,
    ) -> Result<Vec<Team>, IdentityError> {
        self.read(organization, |connection| Ok(store::list_teams(connection, after, limit)?))
    }
}

/// Whether the team exists.
pub(super) fn check(connection: &Connection, id: TeamId) -> Result<(), IdentityError> {
    store::find_team(connection, id)?.map(drop).ok_or(IdentityError::TeamNotFound(id))
}
