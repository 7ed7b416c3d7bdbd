//! `/domains`: domains that the organization shows to be its own, so that an address of them may link people from elsewhere.

use poem_openapi::param::Path;
use poem_openapi::{Enum, Object, OpenApi};

use crate::clock::rfc3339;
use crate::http::access::Access;
use crate::http::answer::{Created, Done, Found};
use crate::http::input::Input;
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::identity::{Domain, Federation};

/// Whoever arranges providers arranges this: it is good for nothing else.
const OBJECT: &str = "host.identity-provider";

/// Arranges domains.
pub struct DomainsApi {
    /// Domains, and the providers whose word counts in them.
    pub federation: Federation,
}

/// How far the proof is.
#[derive(Clone, Copy, Enum)]
#[oai(rename = "DomainStatus", rename_all = "snake_case")]
pub enum DomainStatus {
    /// The record was not seen yet: the domain is good for nothing.
    Pending,
    /// It is the organization's own, and no other's of the installation.
    Verified,
}

impl From<&Domain> for DomainStatus {
    fn from(domain: &Domain) -> Self {
        if domain.verified_at.is_some() { Self::Verified } else { Self::Pending }
    }
}

/// A domain of the organization.
#[derive(Object)]
#[oai(rename = "Domain")]
pub struct DomainView {
    /// Its name, in ASCII and lower case.
    domain: String,
    /// How far the proof is.
    status: DomainStatus,
    /// Where in the DNS the record of type TXT is to stand.
    record_name: String,
    /// What it is to say.
    record_value: String,
    /// When it was added.
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
            record_value: domain.challenge.clone(),
            added_at: rfc3339(domain.added_at),
            verified_at: domain.verified_at.map(rfc3339),
        }
    }
}

/// Every domain.
#[derive(Object)]
pub struct DomainList {
    /// By name.
    data: Vec<DomainView>,
    /// Always null: an organization has at most 100 domains.
    next_cursor: Option<String>,
}

/// A domain that is the organization's.
#[derive(Object)]
#[oai(rename = "NewDomain")]
pub struct DomainInput {
    /// What stands behind the `@` of its addresses; an international domain in its form `xn--…`.
    #[oai(validator(min_length = 3, max_length = 200))]
    domain: String,
}

#[OpenApi(prefix_path = "/api/v1/domains", tag = "Tag::IdentityProviders")]
impl DomainsApi {
    /// List domains
    #[oai(path = "/", method = "get", operation_id = "list_domains")]
    async fn list(&self, access: Access) -> Result<Found<DomainList>, Problem> {
        access.must(OBJECT, "read")?;
        let domains = self.federation.domains(access.organization().id)?;
        Ok(Found::new(DomainList { data: domains.iter().map(DomainView::from).collect(), next_cursor: None }))
    }

    /// Say that a domain is yours
    ///
    /// The answer says what to write into the DNS. The domain counts once those who run the installation have seen it there.
    #[oai(path = "/", method = "post", operation_id = "add_domain")]
    async fn add(&self, access: Access, input: Input<DomainInput>) -> Result<Created<DomainView>, Problem> {
        access.must(OBJECT, "create")?;
        let domain = self.federation.add_domain(&access.caller, &input.0.domain).await?;
        let location = access.link(&format!("/domains/{}", domain.name));
        Ok(Created::new(DomainView::from(&domain)).at(location))
    }

    /// Get a domain
    #[oai(path = "/:domain", method = "get", operation_id = "get_domain")]
    async fn get(&self, access: Access, domain: Path<String>) -> Result<Found<DomainView>, Problem> {
        access.must(OBJECT, "read")?;
        let domain = self.federation.domain(access.organization().id, &domain.0)?;
        Ok(Found::new(DomainView::from(&domain)))
    }

    /// Remove a domain
    ///
    /// From now on it links nobody. Who was linked stays linked.
    #[oai(path = "/:domain", method = "delete", operation_id = "remove_domain")]
    async fn remove(&self, access: Access, domain: Path<String>) -> Result<Done, Problem> {
        access.must(OBJECT, "delete")?;
        self.federation.remove_domain(&access.caller, &domain.0).await?;
        Ok(Done)
    }
}
