//! Operations on teams. A team may be below another, up to [`DEEPEST`] levels; whoever belongs to it reaches those below.

use crate::caller::Caller;
use crate::identity::{Identity, IdentityError};
use crate::ids::{OrganizationId, PrincipalId, TeamId};
use crate::storage::Connection;

use super::user::checked_name;
use super::{Team, TeamChange, store};

/// How many levels of teams there are at most.
pub const DEEPEST: usize = 8;

impl Identity {
    /// Creates an empty team at the top.
    ///
    /// # Errors
    /// As [`Identity::create_team_below`].
    pub async fn create_team(&self, by: &Caller, name: &str) -> Result<Team, IdentityError> {
        self.create_team_below(by, name, None).await
    }

    /// Creates an empty team below another, or at the top.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`], [`IdentityError::Taken`], [`IdentityError::ParentNotFound`].
    pub async fn create_team_below(
        &self,
        by: &Caller,
        name: &str,
        parent: Option<TeamId>,
    ) -> Result<Team, IdentityError> {
        let (now, principal) = (self.clock.now(), by.principal.id);
        let team = Team {
            id: TeamId::new(),
            version: 1,
            name: checked_name(name)?,
            parent,
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
            check_place(connection, team.id, parent)?;
            store::insert_team(connection, &team)?;
            Ok(team)
        })
        .await
    }

    /// Renames a team, or moves it with everything below it.
    ///
    /// # Errors
    /// [`IdentityError::TeamNotFound`], [`IdentityError::VersionConflict`], [`IdentityError::Invalid`] also for a place below
    /// itself, [`IdentityError::ParentNotFound`], [`IdentityError::Taken`].
    pub async fn update_team(
        &self,
        by: &Caller,
        id: TeamId,
        change: TeamChange,
    ) -> Result<Team, IdentityError> {
        let (now, principal) = (self.clock.now(), by.principal.id);
        let name = change.name.as_deref().map(checked_name).transpose()?;
        self.write(by, move |connection| {
            let team = store::find_team(connection, id)?.ok_or(IdentityError::TeamNotFound(id))?;
            if change.if_version.is_some_and(|version| version != team.version) {
                return Err(IdentityError::VersionConflict { current: team.version });
            }
            let name = name.unwrap_or_else(|| team.name.clone());
            if store::find_team_by_name(connection, &name)?.is_some_and(|other| other.id != id) {
                return Err(IdentityError::Taken { field: "name" });
            }
            let parent = change.parent.unwrap_or(team.parent);
            if parent != team.parent {
                check_place(connection, id, parent)?;
            }
            let version = team.version + 1;
            let team = Team { name, parent, version, updated_at: now, updated_by: principal, ..team };
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

/// Whether the team `id`, with what is below it, may stand below `parent`. The file has one writer, so nobody moves another
/// team in between.
fn check_place(connection: &Connection, id: TeamId, parent: Option<TeamId>) -> Result<(), IdentityError> {
    let invalid = |reason| Err(IdentityError::Invalid { field: "parent", reason });
    let (mut above, mut next) = (0, parent);
    while let Some(team) = next {
        if team == id {
            return invalid("a team does not stand below itself");
        }
        above += 1;
        if above >= DEEPEST {
            return invalid("there are at most 8 levels of teams");
        }
        let found = store::find_team(connection, team)?.ok_or(IdentityError::ParentNotFound(team))?;
        next = found.parent;
    }
    if above + store::height(connection, id)? > DEEPEST {
        return invalid("there are at most 8 levels of teams");
    }
    Ok(())
}

/// Whether the team exists.
pub(super) fn check(connection: &Connection, id: TeamId) -> Result<(), IdentityError> {
    store::find_team(connection, id)?.map(drop).ok_or(IdentityError::TeamNotFound(id))
}
