//! People and teams. The types are in `user.rs`, addresses in `email.rs`, who may give which role in `role.rs`;
//! `team.rs` has the operations on teams, `store.rs` the SQL.

mod email;
mod invitation;
mod provision;
mod role;
mod store;
mod team;
mod user;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use crate::caller::Caller;
use crate::identity::keys::administers;
use crate::identity::sign_ins::{EventKind, deed, record};
use crate::identity::{Identity, IdentityError, PLATFORM, login, sessions};
use crate::ids::{OrganizationId, PrincipalId, TeamId};
use crate::storage::Connection;

pub use email::Email;
pub use invitation::Invited;
pub use role::{OWNER, ROLES};
pub use team::DEEPEST;
pub use user::{NewUser, Team, TeamChange, User, UserChange, UserStatus};

pub(crate) use email::key_of;
pub(super) use invitation::check_inviter;
pub(super) use provision::{follow_roles, provision};
pub(super) use role::{checked as checked_roles, checked_among, covers};
pub(super) use store::{
    end_tokens, find_by_email, find_user, own_roles, owners, roles_of, roles_text, set_email, subteams_of,
    teams_of,
};
pub(super) use user::checked_name;

impl Identity {
    /// Creates an active person. They can log in once they have an e-mail address and a password.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`], [`IdentityError::UnknownRole`], [`IdentityError::RoleRequired`],
    /// [`IdentityError::Taken`], [`IdentityError::TeamNotFound`].
    pub async fn create_user(&self, by: &Caller, new: NewUser) -> Result<User, IdentityError> {
        administers(&by.principal)?;
        let own = self.read(by.organization, |connection| Ok(store::own_roles(connection)?))?;
        let roles = role::checked_among(&new.roles, &own)?;
        role::covers(&by.principal, &roles)?;
        let now = self.clock.now();
        let user = User {
            id: PrincipalId::new(),
            version: 1,
            name: user::checked_name(&new.name)?,
            email: new.email.as_ref().map(|email| email.as_str().to_owned()),
            external_id: user::checked_external_id(new.external_id)?,
            status: UserStatus::Active,
            roles,
            teams: new.team.into_iter().collect(),
            has_password: false,
            created_at: now,
            created_by: by.principal.id,
            updated_at: now,
            updated_by: by.principal.id,
        };
        self.write(by, move |connection| {
            check_unique(connection, user.id, new.email.as_ref(), user.external_id.as_deref())?;
            store::insert_user(connection, &user, new.email.as_ref().map(Email::key))?;
            if let Some(team) = new.team {
                team::check(connection, team)?;
                store::set_primary_team(connection, user.id, Some(team))?;
            }
            Ok(user)
        })
        .await
    }

    /// Changes a person. Disabling them ends every token they have.
    ///
    /// # Errors
    /// As [`Identity::create_user`]; [`IdentityError::UserNotFound`], [`IdentityError::VersionConflict`],
    /// [`IdentityError::LastOwner`].
    pub async fn update_user(
        &self,
        by: &Caller,
        id: PrincipalId,
        change: UserChange,
    ) -> Result<User, IdentityError> {
        administers(&by.principal)?;
        let (caller, now) = (by.clone(), self.clock.now());
        self.write(by, move |connection| {
            let before = store::find_user(connection, id)?.ok_or(IdentityError::UserNotFound(id))?;
            let after = changed(&caller, &before, &change, &store::own_roles(connection)?, now)?;
            let email = change.email.as_ref();
            check_unique(connection, id, email.and_then(Option::as_ref), after.external_id.as_deref())?;
            store::update_user(connection, &after)?;
            if let Some(email) = email {
                store::set_email(connection, id, email.as_ref().map(|email| (email.as_str(), email.key())))?;
                let moved = before.email.as_deref() != email.as_ref().map(Email::as_str);
                if moved {
                    // Whoever reads the earlier address must not choose a password with what was sent there.
                    store::delete_invitation(connection, id)?;
                    login::drop_links(connection, id)?;
                }
            }
            if let Some(team) = change.team {
                team.map(|team| team::check(connection, team)).transpose()?;
                store::set_primary_team(connection, id, team)?;
            }
            if before.status == UserStatus::Active && after.status == UserStatus::Disabled {
                invitation::shut_out(connection, id, now)?;
                record(connection, &deed(EventKind::SessionsEnded, &caller, id), now)?;
            }
            if is_active_owner(&before) && !is_active_owner(&after) && store::active_owners(connection)? == 0
            {
                return Err(IdentityError::LastOwner);
            }
            store::find_user(connection, id)?.ok_or(IdentityError::UserNotFound(id))
        })
        .await
    }

    /// Ends every session and every access token of a person; their password and their keys stay.
    ///
    /// # Errors
    /// [`IdentityError::UserNotFound`], [`IdentityError::RoleRequired`].
    pub async fn end_tokens(&self, by: &Caller, id: PrincipalId) -> Result<(), IdentityError> {
        let (caller, now) = (by.clone(), self.clock.now());
        self.write(by, move |connection| {
            let user = store::find_user(connection, id)?.ok_or(IdentityError::UserNotFound(id))?;
            role::covers(&caller.principal, &user.roles)?;
            sessions::end_sessions_of(connection, id, None, now)?;
            record(connection, &deed(EventKind::SessionsEnded, &caller, id), now)?;
            Ok(store::end_tokens(connection, id)?)
        })
        .await
    }

    /// A person.
    ///
    /// # Errors
    /// [`IdentityError::UserNotFound`].
    pub fn user(&self, organization: OrganizationId, id: PrincipalId) -> Result<User, IdentityError> {
        self.read(organization, |connection| {
            store::find_user(connection, id)?.ok_or(IdentityError::UserNotFound(id))
        })
    }

    /// At most `limit` people after the one with id `after`, in the order of their creation.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn users(
        &self,
        organization: OrganizationId,
        after: Option<PrincipalId>,
        limit: u32,
    ) -> Result<Vec<User>, IdentityError> {
        self.read(organization, |connection| Ok(store::list_users(connection, after, limit)?))
    }

    /// The person with this key of another system, if there is one.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn user_by_external_id(
        &self,
        organization: OrganizationId,
        external_id: &str,
    ) -> Result<Option<User>, IdentityError> {
        self.read(organization, |connection| Ok(store::find_by_external_id(connection, external_id)?))
    }

    /// The person with this address, if there is one.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn user_by_email(
        &self,
        organization: OrganizationId,
        email: &str,
    ) -> Result<Option<User>, IdentityError> {
        let key = email::key_of(email);
        self.read(organization, |connection| Ok(store::find_by_email(connection, &key)?))
    }

    /// The person with this name, in whatever letter case, if there is one.
    ///
    /// # Errors
    /// [`IdentityError::AmbiguousName`] when several have it.
    pub fn user_by_name(
        &self,
        organization: OrganizationId,
        name: &str,
    ) -> Result<Option<User>, IdentityError> {
        let mut found =
            self.read(organization, |connection| Ok(store::find_by_name(connection, name.trim())?))?;
        match found.len() {
            0 | 1 => Ok(found.pop()),
            _ => Err(IdentityError::AmbiguousName(name.trim().to_owned())),
        }
    }

    /// The names of these people and keys; an id that is nobody's is absent.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn names(
        &self,
        organization: OrganizationId,
        ids: &[PrincipalId],
    ) -> Result<HashMap<PrincipalId, Arc<str>>, IdentityError> {
        self.read(organization, |connection| {
            let mut names = HashMap::with_capacity(ids.len());
            for id in ids {
                if names.contains_key(id) {
                    continue;
                }
                let name = match *id {
                    PLATFORM => Some(Arc::from("Platform")),
                    id => store::name(connection, id)?,
                };
                names.extend(name.map(|name| (*id, name)));
            }
            Ok(names)
        })
    }

    /// The name of this person or key, if there is one.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn principal_name(
        &self,
        organization: OrganizationId,
        id: PrincipalId,
    ) -> Result<Option<Arc<str>>, IdentityError> {
        Ok(self.names(organization, &[id])?.remove(&id))
    }

    /// The name of this team, if there is one.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn team_name(
        &self,
        organization: OrganizationId,
        id: TeamId,
    ) -> Result<Option<Arc<str>>, IdentityError> {
        Ok(self.team_names(organization, &[id])?.remove(&id))
    }

    /// The names of these teams; an id that is no team's is absent.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn team_names(
        &self,
        organization: OrganizationId,
        ids: &[TeamId],
    ) -> Result<HashMap<TeamId, Arc<str>>, IdentityError> {
        self.read(organization, |connection| {
            let mut names = HashMap::with_capacity(ids.len());
            for id in ids {
                let name = store::team_name(connection, *id)?;
                names.extend(name.map(|name| (*id, name)));
            }
            Ok(names)
        })
    }
}

/// The person as the change leaves them. What touches how somebody gets in, or what they may do, takes a caller with
/// roles at least as strong as theirs, before and after.
fn changed(
    by: &Caller,
    before: &User,
    change: &UserChange,
    own: &[String],
    now: i64,
) -> Result<User, IdentityError> {
    if change.if_version.is_some_and(|version| version != before.version) {
        return Err(IdentityError::VersionConflict { current: before.version });
    }
    let mut after = before.clone();
    if change.roles.is_some() || change.status.is_some() || change.email.is_some() {
        role::covers(&by.principal, &before.roles)?;
    }
    if let Some(roles) = &change.roles {
        after.roles = role::checked_among(roles, own)?;
        role::covers(&by.principal, &after.roles)?;
    }
    if let Some(name) = &change.name {
        after.name = user::checked_name(name)?;
    }
    if let Some(external_id) = &change.external_id {
        after.external_id = user::checked_external_id(external_id.clone())?;
    }
    after.status = change.status.unwrap_or(before.status);
    after.version += 1;
    after.updated_at = now;
    after.updated_by = by.principal.id;
    Ok(after)
}

fn is_active_owner(user: &User) -> bool {
    user.status == UserStatus::Active && user.roles.iter().any(|role| role == OWNER)
}

/// Whether nobody else has the address or the foreign key. The file has one writer, so the answer holds until commit.
fn check_unique(
    connection: &Connection,
    id: PrincipalId,
    email: Option<&Email>,
    external_id: Option<&str>,
) -> Result<(), IdentityError> {
    let other = |found: Option<User>| found.is_some_and(|found| found.id != id);
    if let Some(email) = email
        && other(store::find_by_email(connection, email.key())?)
    {
        return Err(IdentityError::Taken { field: "email" });
    }
    if let Some(external_id) = external_id
        && other(store::find_by_external_id(connection, external_id)?)
    {
        return Err(IdentityError::Taken { field: "external_id" });
    }
    Ok(())
}
