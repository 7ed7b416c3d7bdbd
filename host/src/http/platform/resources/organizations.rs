//! `/organizations`: the customers, seen from outside. Nothing here reads what they keep.

use std::sync::Arc;

use poem_openapi::param::{Path, Query};
use poem_openapi::{Enum, Object, OpenApi};

use crate::app::App;
use crate::caller::{Caller, Principal, PrincipalKind, Source};
use crate::clock::rfc3339;
use crate::http::access::id;
use crate::http::answer::{Created, Found, cut, page_size};
use crate::http::input::Input;
use crate::http::operator::provision::NewOrganizationRequest;
use crate::http::platform::access::Staff;
use crate::http::problem::Problem;
use crate::http::request;
use crate::http::resources::users::setup_path;
use crate::identity::OWNER;
use crate::ids::{OrganizationId, RequestId};
use crate::organizations::{Organization, Slug, Status};
use crate::platform::Area;

use super::Tag;

const MISSING: &str = "organization_not_found";

/// Lists, makes, suspends and resumes organizations.
pub(in crate::http::platform) struct OrganizationsApi {
    /// Every handle.
    pub app: App,
}

/// Whether an organization's people may work.
#[derive(Clone, Copy, Enum)]
#[oai(rename = "OrganizationStatus", rename_all = "snake_case")]
pub(in crate::http::platform) enum StatusView {
    /// They may.
    Active,
    /// Nobody is let in; everything is kept.
    Suspended,
}

/// An organization.
#[derive(Object)]
#[oai(rename = "Organization")]
pub(in crate::http::platform) struct OrganizationView {
    /// Its id.
    id: String,
    /// Its key in addresses.
    slug: String,
    /// What people call it.
    name: String,
    /// Whether its people may work.
    status: StatusView,
    /// IANA time zone in which its days begin.
    zone: String,
    /// BCP 47 tag for texts and formats.
    locale: String,
    /// ISO 4217 code that its reports are in.
    currency: String,
    /// When it was created.
    created_at: String,
}

impl From<&Organization> for OrganizationView {
    fn from(organization: &Organization) -> Self {
        Self {
            id: organization.id.to_string(),
            slug: organization.slug.to_string(),
            name: organization.name.clone(),
            status: match organization.status {
                Status::Active => StatusView::Active,
                Status::Suspended => StatusView::Suspended,
            },
            zone: organization.zone.clone(),
            locale: organization.locale.clone(),
            currency: organization.currency.clone(),
            created_at: rfc3339(organization.created_at),
        }
    }
}

/// A page of organizations.
#[derive(Object)]
pub(in crate::http::platform) struct OrganizationList {
    /// By slug.
    data: Vec<OrganizationView>,
    /// Where the next page begins; null: this is the last.
    next_cursor: Option<String>,
}

/// What is asked for.
#[derive(Object)]
#[oai(rename = "NewOrganization")]
pub(in crate::http::platform) struct OrganizationInput {
    /// Its key in addresses: 3 to 32 of a-z, 0-9 and inner dashes.
    #[oai(validator(min_length = 3, max_length = 32))]
    slug: String,
    /// What people call it.
    #[oai(validator(min_length = 1, max_length = 200))]
    name: String,
    /// The owner's e-mail address.
    #[oai(validator(min_length = 3, max_length = 254))]
    owner_email: String,
    /// What people call the owner; their address unless given.
    #[oai(validator(min_length = 1, max_length = 200))]
    owner_name: Option<String>,
    /// Modules it may use from the start.
    modules: Option<Vec<String>>,
    /// IANA time zone; UTC unless given.
    #[oai(validator(max_length = 64))]
    zone: Option<String>,
    /// BCP 47 tag; `en` unless given.
    #[oai(validator(max_length = 64))]
    locale: Option<String>,
    /// ISO 4217 code; USD unless given.
    #[oai(validator(max_length = 3))]
    currency: Option<String>,
}

/// A new organization and how its owner gets in.
#[derive(Object)]
pub(in crate::http::platform) struct NewlyMade {
    /// The organization.
    organization: OrganizationView,
    /// The owner's id.
    owner_id: String,
    /// The link with which the owner chooses a password, once. Shown this once.
    setup_url: String,
    /// Until when.
    setup_expires_at: String,
}

#[OpenApi(prefix_path = "/admin/v1/organizations", tag = "Tag::Organizations")]
impl OrganizationsApi {
    /// List organizations
    #[oai(path = "/", method = "get", operation_id = "list_organizations")]
    async fn list(
        &self,
        staff: Staff,
        /// 1 to 200, 50 unless asked for.
        #[oai(validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Found<OrganizationList>, Problem> {
        staff.may(Area::Organizations, "read")?;
        let refused = |_| Problem::malformed("invalid_cursor", "The cursor is not one that was given out.");
        let after = cursor.0.as_deref().map(Slug::parse).transpose().map_err(refused)?;
        let size = page_size(limit.0)?;
        let page = self.app.organizations.page(after.as_ref(), size + 1).await?;
        let (page, next_cursor) = cut(page, size, |organization| organization.slug.to_string());
        let data = page.iter().map(|organization| OrganizationView::from(&**organization)).collect();
        Ok(Found::new(OrganizationList { data, next_cursor }))
    }

    /// Create an organization
    ///
    /// Its owner gets in with the link in the answer.
    #[oai(path = "/", method = "post", operation_id = "create_organization")]
    async fn create(
        &self,
        staff: Staff,
        input: Input<OrganizationInput>,
    ) -> Result<Created<NewlyMade>, Problem> {
        staff.may(Area::Organizations, "create")?;
        let new = NewOrganizationRequest {
            slug: input.0.slug,
            name: input.0.name,
            owner: input.0.owner_email,
            owner_name: input.0.owner_name,
            modules: input.0.modules.unwrap_or_default(),
            zone: input.0.zone,
            locale: input.0.locale,
            currency: input.0.currency,
            api_key: false,
        };
        let made = self.app.provision(new.checked()?, |organization| acting(&staff, organization)).await?;
        let address = self.app.address.of(made.organization.slug.as_str());
        let location = format!("/admin/v1/organizations/{}", made.organization.id);
        Ok(Created::new(NewlyMade {
            organization: OrganizationView::from(&*made.organization),
            owner_id: made.owner.id.to_string(),
            setup_url: setup_path(&address, &made.setup.token),
            setup_expires_at: rfc3339(made.setup.expires_at),
        })
        .at(location))
    }

    /// Get an organization
    #[oai(path = "/:id", method = "get", operation_id = "get_organization")]
    async fn get(&self, staff: Staff, id: Path<String>) -> Result<Found<OrganizationView>, Problem> {
        staff.may(Area::Organizations, "read")?;
        Ok(Found::new(OrganizationView::from(&*find(&self.app, &id.0).await?)))
    }

    /// Suspend an organization
    ///
    /// Nobody of it is let in from the next request on; everything is kept.
    #[oai(path = "/:id/suspend", method = "post", operation_id = "suspend_organization")]
    async fn suspend(&self, staff: Staff, id: Path<String>) -> Result<Found<OrganizationView>, Problem> {
        staff.may(Area::Organizations, "suspend")?;
        self.put(&id.0, Status::Suspended).await
    }

    /// Resume an organization
    #[oai(path = "/:id/resume", method = "post", operation_id = "resume_organization")]
    async fn resume(&self, staff: Staff, id: Path<String>) -> Result<Found<OrganizationView>, Problem> {
        staff.may(Area::Organizations, "resume")?;
        self.put(&id.0, Status::Active).await
    }
}

impl OrganizationsApi {
    async fn put(&self, text: &str, status: Status) -> Result<Found<OrganizationView>, Problem> {
        let organization = self.app.organizations.set_status(id(text, MISSING)?, status).await?;
        Ok(Found::new(OrganizationView::from(&*organization)))
    }
}

/// The organization with this id.
pub(super) async fn find(app: &App, text: &str) -> Result<Arc<Organization>, Problem> {
    Ok(app.organizations.get(id::<OrganizationId>(text, MISSING)?).await?)
}

/// The administrator as the organization's change log will name them.
pub(super) fn acting(staff: &Staff, organization: &Organization) -> Caller {
    let admin = &staff.0.admin;
    let principal =
        Principal::new(admin.id, PrincipalKind::Platform, admin.name.as_str()).with_roles([OWNER]);
    Caller {
        organization: organization.id,
        principal: Arc::new(principal),
        request: request::current().unwrap_or_else(RequestId::new),
        source: Source::Platform,
    }
}
