//! `/organizations/{id}/domains`: whether what an organization says of its domains is true. The host asks no name server.

use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi};

use crate::app::App;
use crate::clock::rfc3339;
use crate::http::answer::Found;
use crate::http::input::Input;
use crate::http::platform::access::Staff;
use crate::http::problem::Problem;
use crate::http::resources::domains::DomainStatus;
use crate::identity::Domain;
use crate::platform::Area;

use super::Tag;
use super::organizations::{acting, find};

/// Lists and verifies domains.
pub(in crate::http::platform) struct DomainsApi {
    /// Every handle.
    pub app: App,
}

/// A domain of an organization. What its record must say is not told here: it is to be looked up.
#[derive(Object)]
#[oai(rename = "OrganizationDomain")]
pub(in crate::http::platform) struct DomainView {
    /// Its name.
    domain: String,
    /// How far the proof is.
    status: DomainStatus,
    /// Where in the DNS the record of type TXT must stand.
    record_name: String,
    /// When the organization added it.
    added_at: String,
    /// When the record was seen; null: not yet.
    verified_at: Option<String>,
}

impl From<&Domain> for DomainView {
    fn from(domain: &Domain) -> Self {
        Self {
            domain: domain.name.clone(),
            status: DomainStatus::from(domain),
            record_name: domain.record_name(),
            added_at: rfc3339(domain.added_at),
            verified_at: domain.verified_at.map(rfc3339),
        }
    }
}

/// All domains of an organization.
#[derive(Object)]
pub(in crate::http::platform) struct OrganizationDomainList {
    /// By name.
    data: Vec<DomainView>,
    /// Always null: there are few.
    next_cursor: Option<String>,
}

/// What stands in the DNS.
#[derive(Object)]
#[oai(rename = "SeenRecord")]
pub(in crate::http::platform) struct SeenInput {
    /// The TXT record as it was found, with or without quotation marks.
    #[oai(validator(min_length = 1, max_length = 255))]
    record: String,
}

#[OpenApi(prefix_path = "/admin/v1/organizations", tag = "Tag::Organizations")]
impl DomainsApi {
    /// List an organization's domains
    #[oai(path = "/:id/domains", method = "get", operation_id = "list_organization_domains")]
    async fn list(&self, staff: Staff, id: Path<String>) -> Result<Found<OrganizationDomainList>, Problem> {
        staff.may(Area::Organizations, "read")?;
        let organization = find(&self.app, &id.0).await?;
        let domains = self.app.federation.domains(organization.id)?;
        let data = domains.iter().map(DomainView::from).collect();
        Ok(Found::new(OrganizationDomainList { data, next_cursor: None }))
    }

    /// Verify a domain
    ///
    /// Look the record up (`dig +short TXT _stoa-challenge.example.com`) and say what it says: it must be what the organization
    /// was asked to write. A domain is one organization's at most; from then on providers that it trusts link by its addresses.
    #[oai(path = "/:id/domains/:domain/verify", method = "post", operation_id = "verify_organization_domain")]
    async fn verify(
        &self,
        staff: Staff,
        id: Path<String>,
        domain: Path<String>,
        input: Input<SeenInput>,
    ) -> Result<Found<DomainView>, Problem> {
        staff.may(Area::Security, "write")?;
        let organization = find(&self.app, &id.0).await?;
        let by = acting(&staff, &organization);
        let domain = self.app.federation.verify_domain(&by, &domain.0, &input.0.record).await?;
        Ok(Found::new(DomainView::from(&domain)))
    }
}
