//! A new organization as the command line asks for it; the work itself is the application's (`app/provision.rs`).

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Operator;
use crate::app::{Provision, ProvisionError};
use crate::clock::rfc3339;
use crate::http::problem::{Fault, Problem};
use crate::http::resources::users::setup_path;
use crate::identity::Email;
use crate::licensing::LicensingError;
use crate::organizations::{NewOrganization, Organization, OrganizationError};
use poem::http::StatusCode;

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewOrganizationRequest {
    /// Its key in addresses.
    pub slug: String,
    /// What people call it.
    pub name: String,
    /// The owner's e-mail address.
    pub owner: String,
    /// What people call the owner; their address unless given.
    #[serde(default)]
    pub owner_name: Option<String>,
    /// What it may use from the start.
    #[serde(default)]
    pub modules: Vec<String>,
    /// IANA time zone; UTC unless given.
    #[serde(default)]
    pub zone: Option<String>,
    /// BCP 47 tag; `en` unless given.
    #[serde(default)]
    pub locale: Option<String>,
    /// ISO 4217 code; USD unless given.
    #[serde(default)]
    pub currency: Option<String>,
    /// Whether to make an API key with the owner's role.
    #[serde(default)]
    pub api_key: bool,
}

impl NewOrganizationRequest {
    /// The request with its defaults, the owner's address checked.
    ///
    /// # Errors
    /// 422.
    pub fn checked(self) -> Result<Provision, Problem> {
        let owner = Email::parse(&self.owner).map_err(|_| {
            let detail = format!("`{}` is not an e-mail address.", self.owner);
            Problem::invalid(vec![Fault::new("/owner", "invalid", detail)])
        })?;
        let default = |value: Option<String>, default: &str| value.unwrap_or_else(|| default.to_owned());
        let organization = NewOrganization {
            slug: self.slug,
            name: self.name,
            zone: default(self.zone, "UTC"),
            locale: default(self.locale, "en"),
            currency: default(self.currency, "USD"),
        };
        let (owner_name, modules, api_key) = (self.owner_name, self.modules, self.api_key);
        Ok(Provision { organization, owner, owner_name, modules, api_key })
    }
}

/// Creates the organization; everything that can be checked is checked before the first step.
///
/// # Errors
/// 409 when the slug is taken, 422 with every fault, 404 for a module that is not installed.
pub async fn create(operator: &Operator, request: NewOrganizationRequest) -> Result<Value, Problem> {
    let new = request.checked()?;
    let modules = new.modules.clone();
    let made = operator.app.provision(new, Operator::caller).await?;
    let setup_url = setup_path(&operator.app.address.of(made.organization.slug.as_str()), &made.setup.token);
    let mut created = Map::new();
    created.insert("organization".into(), view(&made.organization));
    created.insert("owner".into(), json!({ "id": made.owner.id.to_string(), "email": made.owner.email }));
    created.insert("setup_expires_at".into(), rfc3339(made.setup.expires_at).into());
    created.insert("setup_url".into(), setup_url.into());
    if let Some(key) = made.api_key {
        created.insert("api_key".into(), key.into());
    }
    created.insert("modules".into(), modules.into());
    Ok(created.into())
}

/// An organization, for the operator.
#[must_use]
pub fn view(organization: &Organization) -> Value {
    json!({
        "id": organization.id.to_string(),
        "slug": organization.slug.as_str(),
        "name": organization.name,
        "status": organization.status.as_str(),
        "zone": organization.zone,
        "locale": organization.locale,
        "currency": organization.currency,
        "created_at": rfc3339(organization.created_at),
    })
}

impl From<ProvisionError> for Problem {
    fn from(error: ProvisionError) -> Self {
        match error {
            ProvisionError::NotInstalled { .. } => Self::not_found("module_not_installed", error.to_string()),
            ProvisionError::Organization(error) => error.into(),
            ProvisionError::Licensing(error) => error.into(),
            ProvisionError::Identity(error) => error.into(),
            ProvisionError::App(error) => Self::internal(&error),
        }
    }
}

impl From<OrganizationError> for Problem {
    fn from(error: OrganizationError) -> Self {
        let text = error.to_string();
        match &error {
            OrganizationError::NotFound(_) => Self::not_found("organization_not_found", text),
            OrganizationError::SlugTaken(_) => Self::new(StatusCode::CONFLICT, "slug_taken", text),
            OrganizationError::Invalid { field, .. } => {
                Self::invalid(vec![Fault::new(format!("/{field}"), "invalid", text)])
            }
            OrganizationError::Storage(_) => Self::internal(&error),
        }
    }
}

impl From<LicensingError> for Problem {
    fn from(error: LicensingError) -> Self {
        match &error {
            LicensingError::InvalidModule(_) | LicensingError::AlreadyOver => {
                Self::invalid(vec![Fault::new("/module", "invalid", error.to_string())])
            }
            LicensingError::Storage(_) => Self::internal(&error),
        }
    }
}
