//! `/organizations/{id}/licences`: what an organization may use.

use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi};

use crate::app::App;
use crate::clock::rfc3339;
use crate::http::answer::{Done, Found};
use crate::http::input::Input;
use crate::http::platform::access::Staff;
use crate::http::problem::{Fault, Problem};
use crate::licensing::Licence;
use crate::platform::Area;

use super::Tag;
use super::organizations::find;

/// Lists, gives and takes licences.
pub(in crate::http::platform) struct LicencesApi {
    /// Every handle.
    pub app: App,
}

/// What an organization may use.
#[derive(Object)]
#[oai(rename = "Licence")]
pub(in crate::http::platform) struct LicenceView {
    /// The module.
    module: String,
    /// Which edition of it.
    edition: String,
    /// From when.
    valid_from: String,
    /// Until when; null: until it is revoked.
    valid_until: Option<String>,
}

impl From<&Licence> for LicenceView {
    fn from(licence: &Licence) -> Self {
        Self {
            module: licence.module.clone(),
            edition: licence.edition.clone(),
            valid_from: rfc3339(licence.valid_from),
            valid_until: licence.valid_until.map(rfc3339),
        }
    }
}

/// All licences of an organization.
#[derive(Object)]
pub(in crate::http::platform) struct LicenceList {
    /// By module, those that are over included.
    data: Vec<LicenceView>,
    /// Always null: there are few.
    next_cursor: Option<String>,
}

/// How long.
#[derive(Object)]
#[oai(rename = "NewLicence")]
pub(in crate::http::platform) struct LicenceInput {
    /// RFC 3339; until it is revoked unless given.
    #[oai(validator(max_length = 64))]
    valid_until: Option<String>,
}

#[OpenApi(prefix_path = "/admin/v1/organizations", tag = "Tag::Licences")]
impl LicencesApi {
    /// List licences
    #[oai(path = "/:id/licences", method = "get", operation_id = "list_licences")]
    async fn list(&self, staff: Staff, id: Path<String>) -> Result<Found<LicenceList>, Problem> {
        staff.may(Area::Licences, "read")?;
        let organization = find(&self.app, &id.0).await?;
        let entitlement = self.app.licensing.entitlement(organization.id).await?;
        let data = entitlement.licences().iter().map(LicenceView::from).collect();
        Ok(Found::new(LicenceList { data, next_cursor: None }))
    }

    /// License a module
    ///
    /// From now on. Replaces the licence that the module may have had.
    #[oai(path = "/:id/licences/:module", method = "put", operation_id = "license_module")]
    async fn license(
        &self,
        staff: Staff,
        id: Path<String>,
        module: Path<String>,
        input: Input<LicenceInput>,
    ) -> Result<Found<LicenceView>, Problem> {
        staff.may(Area::Licences, "write")?;
        let organization = find(&self.app, &id.0).await?;
        let until = input.0.valid_until.as_deref().map(instant).transpose()?;
        self.app.license(&organization, &module.0, until).await?;
        let entitlement = self.app.licensing.entitlement(organization.id).await?;
        let licence = entitlement.licences().iter().find(|licence| licence.module == module.0);
        Ok(Found::new(LicenceView::from(licence.ok_or_else(Problem::opaque)?)))
    }

    /// Revoke a licence
    ///
    /// The module's addresses refuse from the next request on; its data is kept.
    #[oai(path = "/:id/licences/:module", method = "delete", operation_id = "revoke_licence")]
    async fn revoke(&self, staff: Staff, id: Path<String>, module: Path<String>) -> Result<Done, Problem> {
        staff.may(Area::Licences, "revoke")?;
        let organization = find(&self.app, &id.0).await?;
        if !self.app.licensing.revoke(organization.id, &module.0).await? {
            return Err(Problem::not_found("licence_not_found", "The module is not licensed."));
        }
        Ok(Done)
    }
}

fn instant(text: &str) -> Result<i64, Problem> {
    let invalid = |_| {
        let detail = "Write an instant such as `2027-01-31T00:00:00Z`.";
        Problem::invalid(vec![Fault::new("/valid_until", "invalid", detail)])
    };
    text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_millisecond).map_err(invalid)
}
