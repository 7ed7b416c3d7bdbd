//! Administrators: the first one is claimed, the others are invited; nobody gives or takes what they do not have, and there
//! is always an owner who can act. Each rule is checked in the transaction that writes, so a race cannot get around it.

mod admin;
pub(super) mod store;

use crate::clock::UnixMillis;
use crate::identity::{check_password, key_of};
use crate::ids::PrincipalId;

use super::store::{Writing, begin, commit, reader};
use super::{OWNER, Platform, PlatformError, Signed, covers, fresh, hash_of};
use crate::platform::sessions;

use admin::{changed, known, named};

pub(super) use admin::Account;

pub use admin::{Admin, AdminChange, AdminStatus, Claim, Invitation, NewAdmin};

/// How long a claim code is good, in milliseconds.
pub const CLAIM: UnixMillis = 24 * 3_600_000;

/// How long an invitation is good, in milliseconds.
pub const INVITATION: UnixMillis = 72 * 3_600_000;

const CLAIM_PREFIX: &str = "stoa_c1_";
const INVITATION_PREFIX: &str = "stoa_i1_";

/// What a password must not hold beside its owner's address.
const PRODUCT: &str = "stoa";

impl Platform {
    /// A new claim code, unless there is or was an administrator. The one before is void.
    ///
    /// # Errors
    /// Only when a primitive or the control database fails.
    pub async fn new_claim_code(&self) -> Result<Option<String>, PlatformError> {
        let mut tx = begin(&self.control).await?;
        if store::any(&mut tx).await? {
            return Ok(None);
        }
        let code = fresh(CLAIM_PREFIX)?;
        let hash =
            hash_of(&self.peppers.claim, CLAIM_PREFIX, &code)?.ok_or(PlatformError::InvalidClaimCode)?;
        let now = self.clock.now();
        store::put_claim(&mut tx, &hash, now, now.saturating_add(CLAIM)).await?;
        commit(tx).await?;
        Ok(Some(code))
    }

    /// A claim code for an installation that never had one.
    ///
    /// # Errors
    /// Those of [`Platform::new_claim_code`].
    pub async fn first_claim_code(&self) -> Result<Option<String>, PlatformError> {
        let known = store::has_claim(&mut *reader(&self.control).await?).await?;
        if known { Ok(None) } else { self.new_claim_code().await }
    }

    /// Makes the first owner. Of many who come at once with the code, one does.
    ///
    /// # Errors
    /// [`PlatformError::InvalidClaimCode`]; a weak password and an unacceptable name leave the code good.
    pub async fn claim(&self, claim: Claim) -> Result<Admin, PlatformError> {
        let hash = hash_of(&self.peppers.claim, CLAIM_PREFIX, &claim.code)?;
        let (hash, now) = (hash.ok_or(PlatformError::InvalidClaimCode)?, self.clock.now());
        // Before the password is hashed, so that a wrong code costs nothing.
        let mut db = reader(&self.control).await?;
        if !store::is_claim(&mut db, &hash, now).await? || store::any(&mut db).await? {
            return Err(PlatformError::InvalidClaimCode);
        }
        drop(db);
        let email = claim.email.as_str();
        check_password(&claim.password, Some(email), PRODUCT)?;
        let admin = self.made(email, &claim.name, vec![OWNER.to_owned()], AdminStatus::Active)?;
        let password = self.hasher.choose(&claim.password).await?;

        let mut tx = begin(&self.control).await?;
        if store::any(&mut tx).await? || !store::take_claim(&mut tx, &hash, now).await? {
            return Err(PlatformError::InvalidClaimCode);
        }
        store::insert(&mut tx, &admin, &key_of(email), Some(&password), None).await?;
        commit(tx).await?;
        Ok(Admin { has_password: true, ..admin })
    }

    /// Invites an administrator.
    ///
    /// # Errors
    /// [`PlatformError::NotAllowed`] for roles beyond the inviter's, [`PlatformError::EmailTaken`], and for values that are
    /// not acceptable.
    pub async fn invite(&self, by: &Signed, new: NewAdmin) -> Result<(Admin, Invitation), PlatformError> {
        let roles = known(new.roles)?;
        let email = new.email.as_str();
        let admin = self.made(email, &new.name, roles, AdminStatus::Invited)?;
        let (invitation, hash) = self.invitation()?;
        let mut tx = begin(&self.control).await?;
        let inviter = store::find(&mut tx, by.admin.id).await?;
        may_handle(inviter.map(|account| account.admin).as_ref(), &admin.roles)?;
        if !store::insert(&mut tx, &admin, &key_of(email), None, Some(by.admin.id)).await? {
            return Err(PlatformError::EmailTaken);
        }
        let times = (admin.created_at, invitation.expires_at);
        store::put_invitation(&mut tx, admin.id, &hash, by.admin.id, times).await?;
        commit(tx).await?;
        Ok((admin, invitation))
    }

    /// A new link for an administrator whose link is gone or whose password is forgotten. Their second factor stays.
    ///
    /// # Errors
    /// [`PlatformError::AdminNotFound`], [`PlatformError::NotAllowed`].
    pub async fn invite_again(&self, by: &Signed, id: PrincipalId) -> Result<Invitation, PlatformError> {
        let (invitation, hash) = self.invitation()?;
        let mut tx = begin(&self.control).await?;
        let admin = store::find(&mut tx, id).await?.ok_or(PlatformError::AdminNotFound(id))?.admin;
        may_handle(Some(&by.admin), &admin.roles)?;
        if admin.status == AdminStatus::Disabled {
            return Err(PlatformError::NotAllowed("the administrator is disabled"));
        }
        let times = (self.clock.now(), invitation.expires_at);
        store::put_invitation(&mut tx, id, &hash, by.admin.id, times).await?;
        commit(tx).await?;
        Ok(invitation)
    }

    /// Exchanges an invitation for a password. Whoever made it must still be allowed to. Earlier sessions end.
    ///
    /// # Errors
    /// [`PlatformError::InvalidInvitation`]; a weak password leaves the link good.
    pub async fn accept(&self, token: &str, password: &str) -> Result<Admin, PlatformError> {
        let hash = hash_of(&self.peppers.invitation, INVITATION_PREFIX, token)?;
        let hash = hash.ok_or(PlatformError::InvalidInvitation)?;
        let mut tx = begin(&self.control).await?;
        let admin = self.invited(&mut tx, &hash).await?;
        drop(tx);
        check_password(password, Some(&admin.email), PRODUCT)?;
        let password = self.hasher.choose(password).await?;

        let mut tx = begin(&self.control).await?;
        let admin = self.invited(&mut tx, &hash).await?;
        let now = self.clock.now();
        if !store::take_invitation(&mut tx, &hash).await? {
            return Err(PlatformError::InvalidInvitation);
        }
        store::set_password(&mut tx, admin.id, &password, now).await?;
        sessions::store::end_all(&mut tx, admin.id, now).await?;
        commit(tx).await?;
        Ok(admin)
    }

    /// Changes an administrator. Other roles and another status end their sessions.
    ///
    /// # Errors
    /// [`PlatformError::NotAllowed`] unless one has everything that they have and are to have; [`PlatformError::LastOwner`];
    /// [`PlatformError::VersionConflict`]; and for values that are not acceptable.
    pub async fn change(
        &self,
        by: &Signed,
        id: PrincipalId,
        change: AdminChange,
    ) -> Result<Admin, PlatformError> {
        let mut tx = begin(&self.control).await?;
        let before = store::find(&mut tx, id).await?.ok_or(PlatformError::AdminNotFound(id))?.admin;
        // As they are now, not as they were when the request came in.
        let actor = store::find(&mut tx, by.admin.id).await?.map(|account| account.admin);
        let after = changed(&before, change, self.clock.now())?;
        may_handle(actor.as_ref(), &before.roles)?;
        may_handle(actor.as_ref(), &after.roles)?;
        if id == by.admin.id && after.status != before.status {
            return Err(PlatformError::NotAllowed("another administrator changes your status"));
        }
        store::update(&mut tx, &after).await?;
        store::set_roles(&mut tx, id, &after.roles).await?;
        if store::active_owners(&mut tx).await? == 0 {
            return Err(PlatformError::LastOwner);
        }
        if after.status == AdminStatus::Disabled {
            store::drop_invitation(&mut tx, id).await?;
        }
        if after.status != before.status || after.roles != before.roles {
            sessions::store::end_all(&mut tx, id, after.updated_at).await?;
        }
        commit(tx).await?;
        Ok(Admin { version: before.version + 1, ..after })
    }

    /// Takes the second factor of somebody who has lost it away; they enrol a new one at their next sign-in.
    ///
    /// # Errors
    /// [`PlatformError::NotAllowed`] for oneself and for whoever may do more; [`PlatformError::AdminNotFound`].
    pub async fn reset_factor(&self, by: &Signed, id: PrincipalId) -> Result<(), PlatformError> {
        let mut tx = begin(&self.control).await?;
        let admin = store::find(&mut tx, id).await?.ok_or(PlatformError::AdminNotFound(id))?.admin;
        may_handle(Some(&by.admin), &admin.roles)?;
        if id == by.admin.id {
            return Err(PlatformError::NotAllowed("another administrator resets your second factor"));
        }
        sessions::store::clear_factor(&mut tx, id).await?;
        sessions::store::end_all(&mut tx, id, self.clock.now()).await?;
        Ok(commit(tx).await?)
    }

    /// The administrator with this id.
    ///
    /// # Errors
    /// [`PlatformError::AdminNotFound`].
    pub async fn admin(&self, id: PrincipalId) -> Result<Admin, PlatformError> {
        let found = store::find(&mut *reader(&self.control).await?, id).await?;
        Ok(found.ok_or(PlatformError::AdminNotFound(id))?.admin)
    }

    /// A page of administrators, in the order of their coming.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn admins(&self, after: Option<PrincipalId>, limit: u32) -> Result<Vec<Admin>, PlatformError> {
        Ok(store::page(&mut *reader(&self.control).await?, after, limit).await?)
    }

    /// Whose invitation this is, if it is good and whoever made it may still give these roles.
    async fn invited(&self, tx: &mut Writing, hash: &[u8; 32]) -> Result<Admin, PlatformError> {
        let found = store::find_invitation(tx, hash, self.clock.now()).await?;
        let (id, by) = found.ok_or(PlatformError::InvalidInvitation)?;
        let admin = store::find(tx, id).await?.map(|account| account.admin);
        let admin = admin.filter(|admin| admin.status != AdminStatus::Disabled);
        let admin = admin.ok_or(PlatformError::InvalidInvitation)?;
        let inviter = store::find(tx, by).await?.map(|account| account.admin);
        may_handle(inviter.as_ref(), &admin.roles).map_err(|_| PlatformError::InvalidInvitation)?;
        Ok(admin)
    }

    fn made(
        &self,
        email: &str,
        name: &str,
        roles: Vec<String>,
        status: AdminStatus,
    ) -> Result<Admin, PlatformError> {
        let now = self.clock.now();
        Ok(Admin {
            id: PrincipalId::new(),
            version: 1,
            email: email.to_owned(),
            name: named(name)?,
            status,
            roles,
            has_password: false,
            has_factor: false,
            created_at: now,
            updated_at: now,
        })
    }

    fn invitation(&self) -> Result<(Invitation, [u8; 32]), PlatformError> {
        let token = fresh(INVITATION_PREFIX)?;
        let hash = hash_of(&self.peppers.invitation, INVITATION_PREFIX, &token)?;
        let hash = hash.ok_or(PlatformError::InvalidInvitation)?;
        let url = format!("{}/invitation#token={token}", self.issuer());
        Ok((Invitation { url, token, expires_at: self.clock.now().saturating_add(INVITATION) }, hash))
    }
}

/// Refuses to handle whoever has these roles, unless one may do everything that they may.
fn may_handle(actor: Option<&Admin>, roles: &[String]) -> Result<(), PlatformError> {
    let able = actor.is_some_and(|actor| actor.status == AdminStatus::Active && covers(&actor.roles, roles));
    if able { Ok(()) } else { Err(PlatformError::NotAllowed("this takes every right that these roles have")) }
}
