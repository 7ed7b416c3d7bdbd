//! `/organization` and `/modules`: where you are and what can be used here. Every member may know both.

use poem_openapi::{Object, OpenApi};

use crate::clock::{Clock, rfc3339};
use crate::http::access::Access;
use crate::http::answer::Found;
use crate::http::problem::Problem;
use crate::http::resources::Tag;

/// Tells about the organization.
pub struct OrganizationApi {
    /// Time.
    pub clock: Clock,
}

/// An organization.
#[derive(Object)]
#[oai(rename = "Organization")]
pub struct OrganizationView {
    /// Its id.
    id: String,
    /// Its key in addresses.
    slug: String,
    /// What people call it.
    name: String,
    /// IANA time zone in which its days begin.
    zone: String,
    /// BCP 47 tag for texts and formats.
    locale: String,
    /// ISO 4217 code that its reports are in.
    currency: String,
    /// When it was created.
    created_at: String,
}

/// A plugin that the organization may use.
#[derive(Object)]
pub struct Module {
    /// The plugin's id, the first segment of its addresses: `/api/v1/{id}/…`.
    id: String,
    /// Its name.
    name: String,
    /// Its version.
    version: String,
    /// The module that is licensed for it; null for a base plugin that is always there.
    module: Option<String>,
}

/// All of them.
#[derive(Object)]
pub struct ModuleList {
    /// In the order of their ids.
    data: Vec<Module>,
    /// What the organization has licences for, installed or not.
    licensed: Vec<String>,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Organization")]
impl OrganizationApi {
    /// The organization
    #[oai(path = "/organization", method = "get", operation_id = "get_organization")]
    async fn get(&self, access: Access) -> Result<Found<OrganizationView>, Problem> {
        let organization = access.organization();
        Ok(Found::new(OrganizationView {
            id: organization.id.to_string(),
            slug: organization.slug.to_string(),
            name: organization.name.clone(),
            zone: organization.zone.clone(),
            locale: organization.locale.clone(),
            currency: organization.currency.clone(),
            created_at: rfc3339(organization.created_at),
        }))
    }

    /// What can be used here
    #[oai(path = "/modules", method = "get", operation_id = "list_modules")]
    async fn modules(&self, access: Access) -> Result<Found<ModuleList>, Problem> {
        let entitlement = &access.entered.entitlement;
        let now = self.clock.now();
        let data = access.entered.plugins.iter().map(|plugin| Module {
            id: plugin.manifest.id.to_string(),
            name: plugin.manifest.name.clone(),
            version: plugin.manifest.version.to_string(),
            module: plugin.manifest.module.clone(),
        });
        let licensed = entitlement.modules(now).map(str::to_owned).collect();
        Ok(Found::new(ModuleList { data: data.collect(), licensed }))
    }
}
