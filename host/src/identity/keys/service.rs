//! Service accounts: programs with roles of their own, whatever credentials they use. Several API keys, and clients of the
//! organization's issuer, can act as one account; disabling it ends them all at once.

use crate::caller::{Caller, Principal, PrincipalKind};
use crate::clock::UnixMillis;
use crate::identity::people::{UserStatus, checked_among, checked_name, covers, own_roles};
use crate::identity::{Identity, IdentityError, OWNER};
use crate::ids::{OrganizationId, PrincipalId};
use crate::storage::Connection;

use super::{administers, store};

/// A program with an account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServiceAccount {
    /// The id that records name as their owner, and the subject of its tokens.
    pub id: PrincipalId,
    /// Grows with every change.
    pub version: i64,
    /// Unique without regard to letter case.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Whether it may act.
    pub status: UserStatus,
    /// Names of its roles, sorted.
    pub roles: Vec<String>,
    /// A token of an earlier epoch is dead.
    pub token_epoch: i64,
    /// When it was created.
    pub created_at: UnixMillis,
    /// By whom.
    pub created_by: PrincipalId,
    /// When it was last changed.
    pub updated_at: UnixMillis,
    /// By whom.
    pub updated_by: PrincipalId,
}

/// What is asked for when a service account is created.
#[derive(Clone, Debug)]
pub struct NewServiceAccount {
    /// 1 to 200 characters.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// At least one, none stronger than the creator's, never the owner's.
    pub roles: Vec<String>,
}

/// What is asked for when a service account is changed; `None` leaves a value as it is.
#[derive(Clone, Debug, Default)]
pub struct ServiceAccountChange {
    /// The version the change is based on; `None`: whatever it is.
    pub if_version: Option<i64>,
    /// 1 to 200 characters.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<Option<String>>,
    /// At least one.
    pub roles: Option<Vec<String>>,
    /// Whether it may act. Disabling ends every token and every key of it.
    pub status: Option<UserStatus>,
}

impl ServiceAccount {
    /// As a caller, without limits of a credential.
    pub(in crate::identity) fn principal(&self) -> Principal {
        let principal = Principal::new(self.id, PrincipalKind::Service, self.name.as_str());
        Principal { administers: false, ..principal.with_roles(self.roles.iter().map(String::as_str)) }
    }
}

/// The active service account with this id as a principal, and the epoch of its tokens.
pub(in crate::identity) fn service_principal(
    connection: &Connection,
    id: PrincipalId,
) -> Result<Option<(Principal, i64)>, crate::storage::StorageError> {
    let found = store::find_service(connection, id)?.filter(|found| found.status == UserStatus::Active);
    Ok(found.map(|found| (found.principal(), found.token_epoch)))
}

impl Identity {
    /// Creates an active service account, without credentials.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`], [`IdentityError::UnknownRole`], [`IdentityError::RoleRequired`],
    /// [`IdentityError::Taken`], [`IdentityError::KeyCannotAdminister`].
    pub async fn create_service_account(
        &self,
        by: &Caller,
        new: NewServiceAccount,
    ) -> Result<ServiceAccount, IdentityError> {
        administers(&by.principal)?;
        let own = self.read(by.organization, |connection| Ok(own_roles(connection)?))?;
        let roles = service_roles(&by.principal, &new.roles, &own)?;
        let (now, principal) = (self.clock.now(), by.principal.id);
        let account = ServiceAccount {
            id: PrincipalId::new(),
            version: 1,
            name: checked_name(&new.name)?,
            description: checked_description(new.description)?,
            status: UserStatus::Active,
            roles,
            token_epoch: 0,
            created_at: now,
            created_by: principal,
            updated_at: now,
            updated_by: principal,
        };
        self.write(by, move |connection| {
            if store::find_service_by_name(connection, &account.name)?.is_some() {
                return Err(IdentityError::Taken { field: "name" });
            }
            store::insert_service(connection, &account)?;
            Ok(account)
        })
        .await
    }

    /// Changes a service account.
    ///
    /// # Errors
    /// As [`Identity::create_service_account`]; [`IdentityError::ServiceAccountNotFound`],
    /// [`IdentityError::VersionConflict`].
    pub async fn update_service_account(
        &self,
        by: &Caller,
        id: PrincipalId,
        change: ServiceAccountChange,
    ) -> Result<ServiceAccount, IdentityError> {
        administers(&by.principal)?;
        let (caller, now) = (by.clone(), self.clock.now());
        self.write(by, move |connection| {
            let before = store::find_service(connection, id)?;
            let before = before.ok_or(IdentityError::ServiceAccountNotFound(id))?;
            let after = changed(&caller, before, change, &own_roles(connection)?, now)?;
            let other = store::find_service_by_name(connection, &after.name)?;
            if other.is_some_and(|other| other.id != id) {
                return Err(IdentityError::Taken { field: "name" });
            }
            store::update_service(connection, &after)?;
            Ok(after)
        })
        .await
    }

    /// A service account.
    ///
    /// # Errors
    /// [`IdentityError::ServiceAccountNotFound`].
    pub fn service_account(
        &self,
        organization: OrganizationId,
        id: PrincipalId,
    ) -> Result<ServiceAccount, IdentityError> {
        self.read(organization, |connection| {
            store::find_service(connection, id)?.ok_or(IdentityError::ServiceAccountNotFound(id))
        })
    }

    /// At most `limit` service accounts after the one with id `after`, in the order of their creation.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn service_accounts(
        &self,
        organization: OrganizationId,
        after: Option<PrincipalId>,
        limit: u32,
    ) -> Result<Vec<ServiceAccount>, IdentityError> {
        self.read(organization, |connection| Ok(store::list_services(connection, after, limit)?))
    }
}

/// Roles that `by` may give to a program: shipped ones, and these of the organization's own. No program owns an
/// organization.
fn service_roles(by: &Principal, roles: &[String], own: &[String]) -> Result<Vec<String>, IdentityError> {
    let roles = checked_among(roles, own)?;
    if roles.iter().any(|role| role == OWNER) {
        return Err(IdentityError::Invalid {
            field: "roles",
            reason: "a program does not own an organization",
        });
    }
    covers(by, &roles)?;
    Ok(roles)
}

fn changed(
    by: &Caller,
    before: ServiceAccount,
    change: ServiceAccountChange,
    own: &[String],
    now: UnixMillis,
) -> Result<ServiceAccount, IdentityError> {
    if change.if_version.is_some_and(|version| version != before.version) {
        return Err(IdentityError::VersionConflict { current: before.version });
    }
    covers(&by.principal, &before.roles)?;
    let mut after = before;
    if let Some(roles) = change.roles {
        after.roles = service_roles(&by.principal, &roles, own)?;
    }
    if let Some(name) = change.name {
        after.name = checked_name(&name)?;
    }
    if let Some(description) = change.description {
        after.description = checked_description(description)?;
    }
    if let Some(status) = change.status {
        after.token_epoch += i64::from(status == UserStatus::Disabled && after.status != status);
        after.status = status;
    }
    after.version += 1;
    after.updated_at = now;
    after.updated_by = by.principal.id;
    Ok(after)
}

fn checked_description(text: Option<String>) -> Result<Option<String>, IdentityError> {
    if text.as_deref().is_some_and(|text| text.chars().count() > 1_000 || text.chars().any(char::is_control))
    {
        let reason = "use at most 1000 characters, no control characters";
        return Err(IdentityError::Invalid { field: "description", reason });
    }
    Ok(text.filter(|text| !text.is_empty()))
}
