//! `/organizations/{id}/plugins`: which versions of which plugins an organization runs.

use std::sync::Arc;

use poem_openapi::param::{Path, Query};
use poem_openapi::{Object, OpenApi};

use crate::app::{App, Preview};
use crate::clock::rfc3339;
use crate::http::answer::Found;
use crate::http::input::Input;
use crate::http::platform::access::Staff;
use crate::http::problem::Problem;
use crate::organizations::Organization;
use crate::platform::Area;
use crate::plugins::Plugin;
use crate::plugins::capabilities::Capabilities;
use crate::plugins::installations::{Event, Installation};

use super::Tag;
use super::organizations::find;

/// Installs plugins, brings them to other versions, switches them and takes them away.
pub(in crate::http::platform) struct InstallationsApi {
    /// Every handle.
    pub app: App,
}

/// A version that could not be made ready.
#[derive(Object)]
#[oai(rename = "InstallationFault")]
pub(in crate::http::platform) struct FaultView {
    /// The version.
    version: String,
    /// Why.
    detail: String,
}

/// A plugin in an organization.
#[derive(Object)]
#[oai(rename = "Installation")]
pub(in crate::http::platform) struct InstallationView {
    /// The plugin's id.
    plugin: String,
    /// The version that runs.
    version: String,
    /// Whether it is switched on.
    enabled: bool,
    /// Whether the module that it belongs to is licensed, so that it runs at all. False too when the version is not at hand.
    licensed: bool,
    /// Whether roll-outs pass it by.
    pinned: bool,
    /// Whether it was installed here; otherwise it comes with the installation, in the newest version.
    chosen: bool,
    /// The newest version that is at hand.
    newest: Option<String>,
    /// What was agreed to.
    capabilities: Vec<String>,
    /// The version that could not be installed last: what was there before runs on.
    fault: Option<FaultView>,
    /// When it was installed; null: it comes with the installation.
    installed_at: Option<String>,
    /// When it was changed last.
    updated_at: Option<String>,
}

/// The plugins of an organization.
#[derive(Object)]
pub(in crate::http::platform) struct InstallationList {
    /// By id; always all of them.
    data: Vec<InstallationView>,
}

/// Something that was done.
#[derive(Object)]
#[oai(rename = "InstallationEvent")]
pub(in crate::http::platform) struct EventView {
    /// `installed`, `upgraded`, `rolled_back`, `enabled`, `disabled`, `pinned`, `unpinned`, `failed` or `uninstalled`.
    event: String,
    /// The version afterwards; of a failure, the one that was tried.
    version: String,
    /// Why it failed, or what the file is called that was put aside.
    detail: Option<String>,
    /// Who did it; of zeros: the operator, by command.
    done_by: String,
    /// When.
    done_at: String,
}

/// What was done with a plugin.
#[derive(Object)]
pub(in crate::http::platform) struct EventList {
    /// The latest first, 100 at most.
    data: Vec<EventView>,
}

/// What installing a version would do.
#[derive(Object)]
#[oai(rename = "InstallationPreview")]
pub(in crate::http::platform) struct PreviewView {
    /// The version that runs now; null: none.
    from: Option<String>,
    /// What must be agreed to.
    capabilities_added: Vec<String>,
    /// What is not asked for any more.
    capabilities_removed: Vec<String>,
    /// Entities and fields that come: `note`, `note.body`.
    schema_added: Vec<String>,
    /// Those that are not shown any more; their values are kept.
    schema_removed: Vec<String>,
    /// The plugin's own steps that its file has not taken: the file is copied before them.
    steps: Vec<String>,
}

/// Which version, and what is agreed to.
#[derive(Object)]
#[oai(rename = "NewInstallation")]
pub(in crate::http::platform) struct InstallationInput {
    /// The version.
    #[oai(validator(min_length = 1, max_length = 64))]
    version: String,
    /// The capabilities that it has and that were not agreed to before, as the preview tells them.
    #[oai(validator(max_items = 2000))]
    consent: Option<Vec<String>>,
}

/// What is left.
#[derive(Object)]
pub(in crate::http::platform) struct Uninstalled {
    /// What its file is called in the organization's folder `archive`; null: it had none.
    archived: Option<String>,
}

impl From<&Installation> for InstallationView {
    fn from(one: &Installation) -> Self {
        let fault = |(version, detail): &(String, String)| FaultView {
            version: version.clone(),
            detail: detail.clone(),
        };
        Self {
            plugin: one.plugin.to_string(),
            version: one.version.to_string(),
            enabled: one.enabled,
            licensed: false,
            pinned: one.pinned,
            chosen: true,
            newest: None,
            capabilities: one.capabilities.iter().cloned().collect(),
            fault: one.fault.as_ref().map(fault),
            installed_at: Some(rfc3339(one.installed_at)),
            updated_at: Some(rfc3339(one.updated_at)),
        }
    }
}

impl From<&Arc<Plugin>> for InstallationView {
    fn from(plugin: &Arc<Plugin>) -> Self {
        Self {
            plugin: plugin.manifest.id.to_string(),
            version: plugin.manifest.version.to_string(),
            enabled: true,
            licensed: false,
            pinned: false,
            chosen: false,
            newest: None,
            capabilities: Vec::new(),
            fault: None,
            installed_at: None,
            updated_at: None,
        }
    }
}

impl From<&Event> for EventView {
    fn from(event: &Event) -> Self {
        Self {
            event: event.kind.as_str().to_owned(),
            version: event.version.to_string(),
            detail: event.detail.clone(),
            done_by: event.by.to_string(),
            done_at: rfc3339(event.at),
        }
    }
}

impl From<Preview> for PreviewView {
    fn from(preview: Preview) -> Self {
        Self {
            from: preview.from,
            capabilities_added: preview.difference.added.into_iter().collect(),
            capabilities_removed: preview.difference.removed.into_iter().collect(),
            schema_added: preview.added,
            schema_removed: preview.removed,
            steps: preview.steps,
        }
    }
}

#[OpenApi(prefix_path = "/admin/v1/organizations", tag = "Tag::Plugins")]
impl InstallationsApi {
    /// List an organization's plugins
    #[oai(path = "/:id/plugins", method = "get", operation_id = "list_installations")]
    async fn list(&self, staff: Staff, id: Path<String>) -> Result<Found<InstallationList>, Problem> {
        staff.may(Area::Licences, "read")?;
        let data = self.all(&*find(&self.app, &id.0).await?).await?;
        Ok(Found::new(InstallationList { data }))
    }

    /// Get a plugin of an organization
    #[oai(path = "/:id/plugins/:plugin", method = "get", operation_id = "get_installation")]
    async fn get(
        &self,
        staff: Staff,
        id: Path<String>,
        plugin: Path<String>,
    ) -> Result<Found<InstallationView>, Problem> {
        staff.may(Area::Licences, "read")?;
        let organization = find(&self.app, &id.0).await?;
        self.one(&organization, &plugin.0).await
    }

    /// Tell what was done with a plugin
    #[oai(path = "/:id/plugins/:plugin/events", method = "get", operation_id = "list_installation_events")]
    async fn events(
        &self,
        staff: Staff,
        id: Path<String>,
        plugin: Path<String>,
    ) -> Result<Found<EventList>, Problem> {
        staff.may(Area::Licences, "read")?;
        let organization = find(&self.app, &id.0).await?;
        let events = self.app.installations.events(organization.id, &plugin.0).await;
        let data = events.map_err(|error| Problem::internal(&error))?.iter().map(EventView::from).collect();
        Ok(Found::new(EventList { data }))
    }

    /// Preview a version
    ///
    /// What would change, and what must be agreed to. Nothing is done.
    #[oai(path = "/:id/plugins/:plugin/preview", method = "get", operation_id = "preview_installation")]
    async fn preview(
        &self,
        staff: Staff,
        id: Path<String>,
        plugin: Path<String>,
        /// The version.
        #[oai(validator(max_length = 64))]
        version: Query<String>,
    ) -> Result<Found<PreviewView>, Problem> {
        staff.may(Area::Licences, "read")?;
        let organization = find(&self.app, &id.0).await?;
        Ok(Found::new(self.app.preview(&organization, &plugin.0, &version.0).await?.into()))
    }

    /// Install a version
    ///
    /// A first version, a newer one, or an older one that ran here before. The organization is made ready while its people go
    /// on with what they have; then the version takes over between two requests. When it cannot be made ready, nothing
    /// changes but `fault`.
    #[oai(path = "/:id/plugins/:plugin", method = "put", operation_id = "install_plugin")]
    async fn install(
        &self,
        staff: Staff,
        id: Path<String>,
        plugin: Path<String>,
        input: Input<InstallationInput>,
    ) -> Result<Found<InstallationView>, Problem> {
        staff.may(Area::Licences, "roll_out")?;
        let organization = find(&self.app, &id.0).await?;
        let consent: Capabilities = input.0.consent.unwrap_or_default().into_iter().collect();
        let wanted = (&*plugin.0, &*input.0.version);
        self.app.install(&organization, wanted, &consent, staff.0.admin.id).await?;
        self.one(&organization, &plugin.0).await
    }

    /// Go back to the version before
    ///
    /// Rows that were written since are kept, also the values of fields that the older version does not show.
    #[oai(path = "/:id/plugins/:plugin/roll-back", method = "post", operation_id = "roll_back_plugin")]
    async fn roll_back(
        &self,
        staff: Staff,
        id: Path<String>,
        plugin: Path<String>,
    ) -> Result<Found<InstallationView>, Problem> {
        staff.may(Area::Licences, "roll_out")?;
        let organization = find(&self.app, &id.0).await?;
        self.app.back(&organization, &plugin.0, staff.0.admin.id).await?;
        self.one(&organization, &plugin.0).await
    }

    /// Switch a plugin on
    #[oai(path = "/:id/plugins/:plugin/enable", method = "post", operation_id = "enable_plugin")]
    async fn enable(
        &self,
        staff: Staff,
        id: Path<String>,
        plugin: Path<String>,
    ) -> Result<Found<InstallationView>, Problem> {
        staff.may(Area::Licences, "roll_out")?;
        let organization = find(&self.app, &id.0).await?;
        self.app.switch(&organization, &plugin.0, true, staff.0.admin.id).await?;
        self.one(&organization, &plugin.0).await
    }

    /// Switch a plugin off
    ///
    /// Its addresses answer `plugin_disabled` from the next request on; its records are kept.
    #[oai(path = "/:id/plugins/:plugin/disable", method = "post", operation_id = "disable_plugin")]
    async fn disable(
        &self,
        staff: Staff,
        id: Path<String>,
        plugin: Path<String>,
    ) -> Result<Found<InstallationView>, Problem> {
        staff.may(Area::Licences, "roll_out")?;
        let organization = find(&self.app, &id.0).await?;
        self.app.switch(&organization, &plugin.0, false, staff.0.admin.id).await?;
        self.one(&organization, &plugin.0).await
    }

    /// Pin a plugin to its version
    ///
    /// Roll-outs pass the organization by. A plugin that comes with the installation is pinned to the version that runs now.
    #[oai(path = "/:id/plugins/:plugin/pin", method = "post", operation_id = "pin_plugin")]
    async fn pin(
        &self,
        staff: Staff,
        id: Path<String>,
        plugin: Path<String>,
    ) -> Result<Found<InstallationView>, Problem> {
        staff.may(Area::Licences, "pin")?;
        let organization = find(&self.app, &id.0).await?;
        self.app.pin(&organization, &plugin.0, true, staff.0.admin.id).await?;
        self.one(&organization, &plugin.0).await
    }

    /// Let roll-outs have a plugin again
    #[oai(path = "/:id/plugins/:plugin/unpin", method = "post", operation_id = "unpin_plugin")]
    async fn unpin(
        &self,
        staff: Staff,
        id: Path<String>,
        plugin: Path<String>,
    ) -> Result<Found<InstallationView>, Problem> {
        staff.may(Area::Licences, "pin")?;
        let organization = find(&self.app, &id.0).await?;
        self.app.pin(&organization, &plugin.0, false, staff.0.admin.id).await?;
        self.one(&organization, &plugin.0).await
    }

    /// Uninstall a plugin
    ///
    /// Its records go with it: its file is put aside in the organization's folder `archive`, and nothing opens it any more.
    /// Plugins that come with the installation are disabled instead.
    #[oai(path = "/:id/plugins/:plugin", method = "delete", operation_id = "uninstall_plugin")]
    async fn uninstall(
        &self,
        staff: Staff,
        id: Path<String>,
        plugin: Path<String>,
    ) -> Result<Found<Uninstalled>, Problem> {
        staff.may(Area::Licences, "roll_out")?;
        let organization = find(&self.app, &id.0).await?;
        let archived = self.app.uninstall(&organization, &plugin.0, staff.0.admin.id).await?;
        Ok(Found::new(Uninstalled { archived }))
    }
}

impl InstallationsApi {
    async fn one(
        &self,
        organization: &Organization,
        plugin: &str,
    ) -> Result<Found<InstallationView>, Problem> {
        let found = self.all(organization).await?.into_iter().find(|one| one.plugin == plugin);
        let missing =
            || Problem::not_found("installation_not_found", "The organization does not have the plugin.");
        found.map(Found::new).ok_or_else(missing)
    }

    async fn all(&self, organization: &Organization) -> Result<Vec<InstallationView>, Problem> {
        let (app, now) = (&self.app, self.app.clock.now());
        let read = app.installations.of(organization.id).await.map_err(|error| Problem::internal(&error))?;
        let entitlement = app.licensing.entitlement(organization.id).await?;
        let chosen = app.plugins.chosen(read);
        let mut all: Vec<InstallationView> =
            chosen.installations().iter().map(InstallationView::from).collect();
        let said = |plugin: &&Arc<Plugin>| chosen.installation(&plugin.manifest.id).is_none();
        all.extend(chosen.plugins().iter().filter(said).map(InstallationView::from));
        all.sort_by(|one, other| one.plugin.cmp(&other.plugin));
        for one in &mut all {
            let version = app.plugins.version(&one.plugin, &one.version);
            one.licensed = version.is_some_and(|plugin| plugin.licensed(&entitlement, now));
            one.newest =
                app.plugins.versions(&one.plugin).last().map(|plugin| plugin.manifest.version.to_string());
        }
        Ok(all)
    }
}
