//! A new organization in one step: its files, its modules, its owner with a set-up link, and a key when asked for. And
//! modules licensed to one that is there. Whoever asks has been found to be allowed.

use std::sync::Arc;

use super::{App, AppError};
use crate::caller::Caller;
use crate::identity::{Email, IdentityError, NewApiKey, NewUser, OWNER, SetupToken, User, platform};
use crate::licensing::LicensingError;
use crate::organizations::{NewOrganization, Organization, OrganizationError};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Provision {
    /// The organization.
    pub organization: NewOrganization,
    /// The owner's address.
    pub owner: Email,
    /// What people call the owner; their address unless given.
    pub owner_name: Option<String>,
    /// What it may use from the start.
    pub modules: Vec<String>,
    /// Whether to make an API key with the owner's role.
    pub api_key: bool,
}

/// What came to be.
pub struct Provisioned {
    /// The organization.
    pub organization: Arc<Organization>,
    /// Its owner.
    pub owner: User,
    /// With what the owner chooses a password.
    pub setup: SetupToken,
    /// The key, when it was asked for.
    pub api_key: Option<String>,
}

/// Why an organization was not provisioned, or not wholly.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// No plugin of this installation belongs to the module.
    #[error("no installed plugin belongs to the module `{module}`; installed: {}", installed.join(", "))]
    NotInstalled {
        /// What was asked for.
        module: String,
        /// What could have been.
        installed: Vec<String>,
    },
    /// The organization.
    #[error(transparent)]
    Organization(#[from] OrganizationError),
    /// The licences.
    #[error(transparent)]
    Licensing(#[from] LicensingError),
    /// The owner or the key.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The organization cannot be made ready.
    #[error(transparent)]
    App(#[from] AppError),
}

impl App {
    /// Creates the organization; what can be checked is checked before the first step. `by`: who acts in an organization,
    /// for its change log.
    ///
    /// # Errors
    /// Those of the steps. A repeated attempt completes one that failed half-way.
    pub async fn provision(
        &self,
        new: Provision,
        by: impl FnOnce(&Organization) -> Caller,
    ) -> Result<Provisioned, ProvisionError> {
        for module in &new.modules {
            self.installed(module)?;
        }
        let slug = new.organization.slug.clone();
        let organization = match self.organizations.create(new.organization).await {
            // A first attempt that failed half-way left an organization that nobody owns: this one completes it.
            Err(OrganizationError::SlugTaken(taken)) => match self.organizations.by_slug(&slug).await? {
                Some(known) if self.identity.users(known.id, None, 1)?.is_empty() => known,
                _ => return Err(OrganizationError::SlugTaken(taken).into()),
            },
            other => other?,
        };
        for module in &new.modules {
            self.licensing.license(organization.id, module, None).await?;
        }
        self.enter(&organization).await?;
        let by = by(&organization);
        let name = new.owner_name.unwrap_or_else(|| new.owner.as_str().to_owned());
        let roles = vec![OWNER.to_owned()];
        let owner = NewUser { email: Some(new.owner), name, roles, team: None, external_id: None };
        let owner = self.identity.create_user(&by, owner).await?;
        // The link is the platform's: whoever asked for the organization is nobody in it.
        let platform = platform(organization.id, by.request);
        let setup = self.identity.invite(&platform, owner.id).await?;
        let api_key = if new.api_key { Some(self.first_key(&platform).await?) } else { None };
        Ok(Provisioned { organization, owner, setup, api_key })
    }

    /// A key with the owner's role.
    async fn first_key(&self, by: &Caller) -> Result<String, IdentityError> {
        let new = NewApiKey {
            name: "First key".to_owned(),
            role: Some(OWNER.to_owned()),
            administers: true,
            ..NewApiKey::default()
        };
        let (_, secret) = self.identity.create_api_key(by, new).await?;
        Ok(secret.reveal().to_owned())
    }

    /// Licenses an installed module.
    ///
    /// # Errors
    /// [`ProvisionError::NotInstalled`], and those of the steps.
    pub async fn license(
        &self,
        organization: &Arc<Organization>,
        module: &str,
        until: Option<i64>,
    ) -> Result<(), ProvisionError> {
        self.installed(module)?;
        self.licensing.license(organization.id, module, until).await?;
        // Its tables and first records are made now, so that a fault shows here and not at somebody's first request.
        self.enter(organization).await?;
        Ok(())
    }

    /// The modules that can be licensed here: those that an installed plugin belongs to.
    #[must_use]
    pub fn modules(&self) -> Vec<String> {
        self.plugins.modules()
    }

    fn installed(&self, module: &str) -> Result<(), ProvisionError> {
        let installed = self.modules();
        if installed.iter().any(|known| known == module) {
            return Ok(());
        }
        Err(ProvisionError::NotInstalled { module: module.to_owned(), installed })
    }
}
