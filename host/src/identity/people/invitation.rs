//! Invitations: whether one is open, taking it back, and that whoever made it may still invite when it is used.

use crate::caller::{Caller, Principal, PrincipalKind};
use crate::clock::UnixMillis;
use crate::identity::keys::{administers, key_principal};
use crate::identity::{Identity, IdentityError, PLATFORM, SetupToken, sessions};
use crate::ids::{OrganizationId, PrincipalId};
use crate::organizations::Organization;
use crate::storage::{Connection, StorageError};

use super::{UserStatus, role, store};

/// An invitation that nobody has used yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Invited {
    /// Who made it.
    pub by: PrincipalId,
    /// When.
    pub at: UnixMillis,
    /// The first instant it is no longer good.
    pub expires_at: UnixMillis,
}

impl Identity {
    /// The open invitation of a person.
    ///
    /// # Errors
    /// [`IdentityError::NoInvitation`].
    pub fn invitation(
        &self,
        organization: OrganizationId,
        user: PrincipalId,
    ) -> Result<Invited, IdentityError> {
        let now = self.clock.now();
        let found = self.read(organization, |connection| Ok(store::find_invitation(connection, user)?))?;
        found.filter(|invited| now < invited.expires_at).ok_or(IdentityError::NoInvitation)
    }

    /// Invites a person, or invites them again, by a message to their address. Nobody else sees the link, whoever asks.
    ///
    /// # Errors
    /// As [`Identity::invite`].
    pub async fn invite_by_mail(
        &self,
        by: &Caller,
        organization: &Organization,
        user: PrincipalId,
    ) -> Result<Invited, IdentityError> {
        let SetupToken { token, expires_at, .. } = self.invite(by, user).await?;
        let person = self.user(organization.id, user)?;
        let place = self.address.of(organization.slug.as_str());
        // The name is the organization's own; nothing that the invited or the inviter wrote is in the text.
        let text = format!(
            "You are invited to {}. Choose a password here within three days:\n\n{place}/auth/setup#token={token}\n\n\
             If you do not expect this, do nothing.",
            organization.name
        );
        let subject = format!("Your invitation to {}", organization.name);
        self.notify(organization, person.email.as_deref(), &subject, &text).await;
        Ok(Invited { by: by.principal.id, at: self.clock.now(), expires_at })
    }

    /// Takes an invitation back: its link is dead from now on.
    ///
    /// # Errors
    /// [`IdentityError::NoInvitation`], [`IdentityError::RoleRequired`], [`IdentityError::UserNotFound`].
    pub async fn revoke_invitation(&self, by: &Caller, user: PrincipalId) -> Result<(), IdentityError> {
        administers(&by.principal)?;
        let caller = by.clone();
        self.write(by, move |connection| {
            let person = store::find_user(connection, user)?.ok_or(IdentityError::UserNotFound(user))?;
            role::covers(&caller.principal, &person.roles)?;
            let revoked = store::delete_invitation(connection, user)?;
            revoked.then_some(()).ok_or(IdentityError::NoInvitation)
        })
        .await
    }
}

/// Lets an invitation be used while whoever made it may still give the roles of the invited: roles are those of now, on
/// both sides.
///
/// # Errors
/// [`IdentityError::InviterLostRights`].
pub(in crate::identity) fn check_inviter(
    connection: &Connection,
    invited: PrincipalId,
    roles: &[String],
    now: UnixMillis,
) -> Result<(), IdentityError> {
    let Some(invitation) = store::find_invitation(connection, invited)? else {
        return Err(IdentityError::InvalidSetupToken);
    };
    if invitation.by == PLATFORM {
        return Ok(());
    }
    let inviter = inviter(connection, invitation.by, now)?.ok_or(IdentityError::InviterLostRights)?;
    role::covers(&inviter, roles).map_err(|_| IdentityError::InviterLostRights)
}

fn inviter(
    connection: &Connection,
    id: PrincipalId,
    now: UnixMillis,
) -> Result<Option<Principal>, StorageError> {
    let Some(user) = store::find_user(connection, id)? else {
        return key_principal(connection, id, now);
    };
    let active = user.status == UserStatus::Active;
    Ok(active.then(|| {
        let roles = user.roles.iter().map(String::as_str);
        Principal::new(id, PrincipalKind::User, user.name.as_str()).with_roles(roles)
    }))
}

/// Ends whatever a person could get in with: their sessions, their tokens and their open invitation.
pub(super) fn shut_out(
    connection: &Connection,
    id: PrincipalId,
    now: UnixMillis,
) -> Result<(), StorageError> {
    sessions::end_sessions_of(connection, id, None, now)?;
    store::end_tokens(connection, id)?;
    store::delete_invitation(connection, id)?;
    Ok(())
}
