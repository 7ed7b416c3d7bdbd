//! Providers: other issuers whose people may sign in here, and how an organization arranges them.

use serde::{Deserialize, Serialize};

use crate::caller::{Caller, Principal};
use crate::clock::UnixMillis;
use crate::identity::keys::administers;
use crate::identity::people::{UserStatus, checked_name, checked_roles, covers};
use crate::identity::{IdentityError, OWNER};
use crate::ids::{OrganizationId, PrincipalId, ProviderId};

use super::discovery::{Endpoints, discover};
use super::{Federation, store};

/// What people of a group there become here.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct GroupRole {
    /// A group as the provider names it; `*` is everybody.
    pub group: String,
    /// A role, never the owner's.
    pub role: String,
}

/// A provider, without its client's secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Provider {
    /// Its id, also in the address of its callback.
    pub id: ProviderId,
    /// Grows with every change.
    pub version: i64,
    /// What people read on the button.
    pub name: String,
    /// Exactly as its discovery document says.
    pub issuer: String,
    /// What that document said.
    pub endpoints: Endpoints,
    /// What we are there.
    pub client_id: String,
    /// Whether we have a secret there.
    pub has_secret: bool,
    /// What is asked for, `openid` among it.
    pub scopes: Vec<String>,
    /// Whether anybody may sign in with it.
    pub status: UserStatus,
    /// Whether its word about addresses of verified domains links people.
    pub authoritative: bool,
    /// Whether it makes people whom nobody knows yet.
    pub provisions: bool,
    /// The claim that names groups.
    pub groups_claim: String,
    /// What people of its groups become.
    pub group_roles: Vec<GroupRole>,
    /// What its `acr` says when it asked for two factors.
    pub second_factor_acrs: Vec<String>,
    /// When it was created.
    pub created_at: UnixMillis,
    /// By whom.
    pub created_by: PrincipalId,
    /// When it was last changed.
    pub updated_at: UnixMillis,
    /// By whom.
    pub updated_by: PrincipalId,
}

/// What is asked for when a provider is made or changed; `None` leaves a value as it is, or as it usually is.
#[derive(Clone, Debug, Default)]
pub struct ProviderChange {
    /// The version the change is based on; `None`: whatever it is.
    pub if_version: Option<i64>,
    /// What people read on the button, unique.
    pub name: Option<String>,
    /// Its issuer. Another one clears the secret and asks it about itself anew.
    pub issuer: Option<String>,
    /// What we are there. Another one clears the secret.
    pub client_id: Option<String>,
    /// What proves it; `Some(None)`: nothing.
    pub client_secret: Option<Option<String>>,
    /// What is asked for.
    pub scopes: Option<Vec<String>>,
    /// Whether anybody may sign in with it.
    pub status: Option<UserStatus>,
    /// Whether its word about addresses counts.
    pub authoritative: Option<bool>,
    /// Whether it makes people.
    pub provisions: Option<bool>,
    /// The claim that names groups.
    pub groups_claim: Option<String>,
    /// What people of its groups become.
    pub group_roles: Option<Vec<GroupRole>>,
    /// What its `acr` says when it asked for two factors.
    pub second_factor_acrs: Option<Vec<String>>,
}

impl Federation {
    /// Sets up a provider, which is asked about itself.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`], [`IdentityError::Taken`], [`IdentityError::ProviderUnreachable`],
    /// [`IdentityError::RoleRequired`], [`IdentityError::KeyCannotAdminister`].
    pub async fn create_provider(
        &self,
        by: &Caller,
        change: ProviderChange,
    ) -> Result<Provider, IdentityError> {
        administers(&by.principal)?;
        let (now, principal) = (self.identity.clock.now(), by.principal.id);
        let issuer = change.issuer.clone().unwrap_or_default();
        let fresh = Provider {
            id: ProviderId::new(),
            version: 0,
            name: String::new(),
            endpoints: discover(&self.outbound, &issuer).await?,
            issuer,
            client_id: String::new(),
            has_secret: false,
            scopes: ["openid", "email", "profile"].map(str::to_owned).to_vec(),
            status: UserStatus::Active,
            authoritative: false,
            provisions: false,
            groups_claim: "groups".to_owned(),
            group_roles: Vec::new(),
            second_factor_acrs: Vec::new(),
            created_at: now,
            created_by: principal,
            updated_at: now,
            updated_by: principal,
        };
        if change.client_id.is_none() || change.name.is_none() {
            return Err(IdentityError::Invalid {
                field: "client_id",
                reason: "a provider has a name and a client",
            });
        }
        let secret = self.sealed(by.organization, fresh.id, change.client_secret.clone().flatten())?;
        vouches(by, &fresh, &change)?;
        let provider = changed(by, fresh, change, now)?;
        self.identity
            .write(by, move |connection| {
                if store::find_provider_by_name(connection, &provider.name)?.is_some() {
                    return Err(IdentityError::Taken { field: "name" });
                }
                let provider = Provider { has_secret: secret.is_some(), ..provider };
                store::put_provider(connection, &provider, secret.as_deref())?;
                Ok(provider)
            })
            .await
    }

    /// Changes a provider. Another issuer or client clears the secret, unless the change brings a new one, and forgets who is
    /// who there.
    ///
    /// # Errors
    /// As [`Federation::create_provider`]; [`IdentityError::ProviderNotFound`], [`IdentityError::VersionConflict`].
    pub async fn update_provider(
        &self,
        by: &Caller,
        id: ProviderId,
        change: ProviderChange,
    ) -> Result<Provider, IdentityError> {
        administers(&by.principal)?;
        let known = self.provider(by.organization, id)?;
        let moved = change.issuer.as_ref().is_some_and(|issuer| *issuer != known.issuer);
        let endpoints = match (&change.issuer, moved) {
            (Some(issuer), true) => Some(discover(&self.outbound, issuer).await?),
            _ => None,
        };
        let given = self.sealed(by.organization, id, change.client_secret.clone().flatten())?;
        let (caller, now) = (by.clone(), self.identity.clock.now());
        self.identity
            .write(by, move |connection| {
                let found = store::find_provider(connection, id)?;
                let (before, secret) = found.ok_or(IdentityError::ProviderNotFound(id))?;
                if change.if_version.is_some_and(|version| version != before.version) {
                    return Err(IdentityError::VersionConflict { current: before.version });
                }
                covers_all(&caller.principal, &before.group_roles)?;
                let same =
                    !moved && change.client_id.as_ref().is_none_or(|client| *client == before.client_id);
                let secret = if change.client_secret.is_some() { given } else { secret.filter(|_| same) };
                if !same {
                    owners_only(&caller)?;
                    // A subject is somebody at one issuer, and may be somebody else at another one or for another client.
                    store::forget_subjects(connection, id)?;
                }
                vouches(&caller, &before, &change)?;
                let endpoints = endpoints.unwrap_or_else(|| before.endpoints.clone());
                let after = changed(&caller, Provider { endpoints, ..before }, change, now)?;
                let after = Provider { has_secret: secret.is_some(), ..after };
                let other = store::find_provider_by_name(connection, &after.name)?;
                if other.is_some_and(|other| other != id) {
                    return Err(IdentityError::Taken { field: "name" });
                }
                store::put_provider(connection, &after, secret.as_deref())?;
                Ok(after)
            })
            .await
    }

    /// Removes a provider and who is who there. The people stay; who has no other way in gets an invitation.
    ///
    /// # Errors
    /// [`IdentityError::ProviderNotFound`], [`IdentityError::KeyCannotAdminister`].
    pub async fn delete_provider(&self, by: &Caller, id: ProviderId) -> Result<(), IdentityError> {
        administers(&by.principal)?;
        self.identity
            .write(by, move |connection| {
                let deleted = store::delete_provider(connection, id)?;
                deleted.then_some(()).ok_or(IdentityError::ProviderNotFound(id))
            })
            .await
    }

    /// A provider.
    ///
    /// # Errors
    /// [`IdentityError::ProviderNotFound`].
    pub fn provider(&self, organization: OrganizationId, id: ProviderId) -> Result<Provider, IdentityError> {
        let found = self.identity.read(organization, |c| Ok(store::find_provider(c, id)?))?;
        found.map(|(provider, _)| provider).ok_or(IdentityError::ProviderNotFound(id))
    }

    /// Every provider, in the order of their creation.
    ///
    /// # Errors
    /// Only when the identity file fails.
    pub fn providers(&self, organization: OrganizationId) -> Result<Vec<Provider>, IdentityError> {
        self.identity.read(organization, |connection| Ok(store::list_providers(connection)?))
    }

    fn sealed(
        &self,
        organization: OrganizationId,
        id: ProviderId,
        secret: Option<String>,
    ) -> Result<Option<Vec<u8>>, IdentityError> {
        let Some(secret) = secret else {
            return Ok(None);
        };
        if secret.is_empty() || secret.len() > 1_024 || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            let reason = "use 1 to 1024 printable ASCII characters";
            return Err(IdentityError::Invalid { field: "client_secret", reason });
        }
        Ok(Some(self.identity.secrets.seal(&purpose(organization, id), secret.as_bytes())?))
    }
}

/// Names organization and provider, so that a sealed secret opens nowhere else.
pub(super) fn purpose(organization: OrganizationId, id: ProviderId) -> String {
    format!("identity-provider:{organization}:{id}")
}

/// Whoever maps a group to a role gives that role to its people, so they must have it.
fn covers_all(by: &Principal, mapped: &[GroupRole]) -> Result<(), IdentityError> {
    let roles: Vec<String> = mapped.iter().map(|entry| entry.role.clone()).collect();
    if roles.is_empty() { Ok(()) } else { covers(by, &roles) }
}

/// Only owners say who else is believed about everybody, owners included.
fn owners_only(by: &Caller) -> Result<(), IdentityError> {
    covers(&by.principal, &[OWNER.to_owned()])
}

/// Whether a change has the provider believed further than before: on addresses, or on second factors.
fn vouches(by: &Caller, before: &Provider, change: &ProviderChange) -> Result<(), IdentityError> {
    let addresses = change.authoritative == Some(true) && !before.authoritative;
    let factors = change
        .second_factor_acrs
        .as_ref()
        .is_some_and(|acrs| acrs.iter().any(|acr| !before.second_factor_acrs.contains(acr)));
    if addresses || factors { owners_only(by) } else { Ok(()) }
}

fn changed(
    by: &Caller,
    mut provider: Provider,
    change: ProviderChange,
    now: UnixMillis,
) -> Result<Provider, IdentityError> {
    let invalid = |field, reason| Err(IdentityError::Invalid { field, reason });
    if let Some(name) = change.name {
        provider.name = checked_name(&name)?;
    }
    if let Some(client) = change.client_id {
        if client.is_empty() || client.len() > 255 || !client.bytes().all(|byte| byte.is_ascii_graphic()) {
            return invalid("client_id", "use 1 to 255 printable ASCII characters");
        }
        provider.client_id = client;
    }
    if let Some(scopes) = change.scopes {
        let shaped = |scope: &String| {
            (1..=64).contains(&scope.len())
                && scope.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"')
        };
        if scopes.len() > 20 || !scopes.iter().any(|scope| scope == "openid") || !scopes.iter().all(shaped) {
            return invalid("scopes", "name at most 20, `openid` among them");
        }
        provider.scopes = scopes;
    }
    if let Some(claim) = change.groups_claim {
        if claim.is_empty() || claim.len() > 200 || claim.chars().any(char::is_control) {
            return invalid("groups_claim", "use 1 to 200 characters");
        }
        provider.groups_claim = claim;
    }
    if let Some(mapped) = change.group_roles {
        provider.group_roles = checked_mapping(&by.principal, mapped)?;
    }
    if let Some(acrs) = change.second_factor_acrs {
        let shaped =
            |acr: &String| (1..=255).contains(&acr.len()) && acr.bytes().all(|byte| byte.is_ascii_graphic());
        if acrs.len() > 20 || !acrs.iter().all(shaped) {
            return invalid("second_factor_acrs", "name at most 20, without spaces");
        }
        provider.second_factor_acrs = acrs;
    }
    provider.issuer = change.issuer.unwrap_or(provider.issuer);
    provider.status = change.status.unwrap_or(provider.status);
    provider.authoritative = change.authoritative.unwrap_or(provider.authoritative);
    provider.provisions = change.provisions.unwrap_or(provider.provisions);
    provider.version += 1;
    provider.updated_at = now;
    provider.updated_by = by.principal.id;
    Ok(provider)
}

fn checked_mapping(by: &Principal, mapped: Vec<GroupRole>) -> Result<Vec<GroupRole>, IdentityError> {
    let invalid = |reason| Err(IdentityError::Invalid { field: "group_roles", reason });
    if mapped.len() > 200 || mapped.iter().any(|entry| entry.group.is_empty() || entry.group.len() > 255) {
        return invalid("name at most 200 groups of 1 to 255 bytes");
    }
    if mapped.iter().any(|entry| entry.role == OWNER || entry.role == "admin") {
        return invalid("nobody becomes an owner by a group of another issuer");
    }
    for entry in &mapped {
        checked_roles(std::slice::from_ref(&entry.role))?;
    }
    covers_all(by, &mapped)?;
    Ok(mapped)
}

impl Provider {
    /// How well somebody is proved whose token says this: `aal2` only for what the organization has listed.
    pub(super) fn assurance(&self, acr: Option<&str>) -> &'static str {
        let two = acr.is_some_and(|said| self.second_factor_acrs.iter().any(|listed| listed == said));
        if two { "aal2" } else { "aal1" }
    }

    /// What somebody of these groups becomes; nothing when no group is mapped.
    pub(super) fn roles_of(&self, groups: &[String]) -> Vec<String> {
        let mapped = self.group_roles.iter();
        let fitting = mapped.filter(|entry| entry.group == "*" || groups.contains(&entry.group));
        let mut roles: Vec<String> = fitting.map(|entry| entry.role.clone()).collect();
        roles.sort_unstable();
        roles.dedup();
        roles
    }
}
