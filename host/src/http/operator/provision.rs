//! A new organization in one step: its files, its modules, its owner with a set-up link, and a key when asked for.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Operator;
use crate::app::App;
use crate::clock::rfc3339;
use crate::http::problem::{Fault, Problem};
use crate::http::resources::users::setup_path;
use crate::identity::{Email, NewApiKey, NewUser, OWNER};
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

/// Creates the organization; everything that can be checked is checked before the first step.
///
/// # Errors
/// 409 when the slug is taken, 422 with every fault, 404 for a module that is not installed.
pub async fn create(operator: &Operator, request: NewOrganizationRequest) -> Result<Value, Problem> {
    let app = &operator.app;
    let email = Email::parse(&request.owner).map_err(|_| {
        let detail = format!("`{}` is not an e-mail address.", request.owner);
        Problem::invalid(vec![Fault::new("/owner", "invalid", detail)])
    })?;
    for module in &request.modules {
        installed(app, module)?;
    }
    let default = |value: Option<String>, default: &str| value.unwrap_or_else(|| default.to_owned());
    let new = NewOrganization {
        slug: request.slug,
        name: request.name,
        zone: default(request.zone, "UTC"),
        locale: default(request.locale, "en"),
        currency: default(request.currency, "USD"),
    };
    let slug = new.slug.clone();
    let organization = match app.organizations.create(new).await {
        // A first attempt that failed half-way left an organization that nobody owns: this one completes it.
        Err(OrganizationError::SlugTaken(taken)) => match app.organizations.by_slug(&slug).await? {
            Some(organization) if app.identity.users(organization.id, None, 1)?.is_empty() => organization,
            _ => return Err(OrganizationError::SlugTaken(taken).into()),
        },
        other => other?,
    };
    for module in &request.modules {
        app.licensing.license(organization.id, module, None).await?;
    }
    app.enter(&organization).await.map_err(|error| Problem::internal(&error))?;
    let name = request.owner_name.unwrap_or_else(|| email.as_str().to_owned());
    let mut created = owner(operator, &organization, email, name).await?;
    if request.api_key {
        created.insert("api_key".into(), key(app, &organization).await?.into());
    }
    created.insert("modules".into(), request.modules.into());
    Ok(created.into())
}

async fn owner(
    operator: &Operator,
    organization: &Arc<Organization>,
    email: Email,
    name: String,
) -> Result<Map<String, Value>, Problem> {
    let (identity, caller) = (&operator.app.identity, Operator::caller(organization));
    let address = email.as_str().to_owned();
    let roles = vec![OWNER.to_owned()];
    let user = NewUser { email: Some(email), name, roles, team: None, external_id: None };
    let user = identity.create_user(&caller, user).await?;
    let token = identity.invite(&caller, user.id).await?;
    let setup_url = setup_url(operator, organization.slug.as_str(), &token.token);
    let members = [
        ("organization", view(organization)),
        ("owner", json!({ "id": user.id.to_string(), "email": address })),
        ("setup_expires_at", rfc3339(token.expires_at).into()),
        ("setup_url", setup_url.into()),
    ];
    Ok(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// A key with the owner's role.
async fn key(app: &App, organization: &Organization) -> Result<String, Problem> {
    let new = NewApiKey {
        name: "First key".to_owned(),
        role: Some(OWNER.to_owned()),
        administers: true,
        ..NewApiKey::default()
    };
    let (_, secret) = app.identity.create_api_key(&Operator::caller(organization), new).await?;
    Ok(secret.reveal().to_owned())
}

/// The whole link where the host knows how it is reached, else the path.
fn setup_url(operator: &Operator, slug: &str, token: &str) -> String {
    setup_path(&operator.app.address.of(slug), token)
}

/// Licenses an installed module.
///
/// # Errors
/// 404 when no plugin of this installation belongs to the module.
pub async fn license(app: &App, organization: &Arc<Organization>, module: &str) -> Result<(), Problem> {
    installed(app, module)?;
    app.licensing.license(organization.id, module, None).await?;
    // Its tables and first records are made now, so that a fault shows here and not at somebody's first request.
    app.enter(organization).await.map(drop).map_err(|error| Problem::internal(&error))
}

fn installed(app: &App, module: &str) -> Result<(), Problem> {
    let modules = modules(app);
    if modules.iter().any(|installed| installed == module) {
        return Ok(());
    }
    let detail =
        format!("No installed plugin belongs to the module `{module}`. Installed: {}.", modules.join(", "));
    Err(Problem::not_found("module_not_installed", detail))
}

/// The modules that can be licensed here: those that an installed plugin belongs to.
#[must_use]
pub fn modules(app: &App) -> Vec<String> {
    let mut modules: Vec<String> =
        app.plugins.all().filter_map(|plugin| plugin.manifest.module.clone()).collect();
    modules.dedup();
    modules
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
