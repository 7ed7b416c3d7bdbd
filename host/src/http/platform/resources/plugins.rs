//! `/plugins`: what can be installed here, version by version, and packages that come.

use std::collections::BTreeMap;
use std::sync::Arc;

use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Binary;
use poem_openapi::{Object, OpenApi};

use crate::app::App;
use crate::clock::rfc3339;
use crate::http::answer::Found;
use crate::http::input::Input;
use crate::http::platform::access::Staff;
use crate::http::problem::Problem;
use crate::platform::Area;
use crate::plugins::Plugin;
use crate::plugins::capabilities;
use crate::plugins::catalogue::Version;

use super::Tag;

/// Keeps the catalogue.
pub(in crate::http::platform) struct PluginsApi {
    /// Every handle.
    pub app: App,
}

/// A version of a plugin.
#[derive(Object)]
#[oai(rename = "PluginVersion")]
pub(in crate::http::platform) struct VersionView {
    /// The plugin's id.
    plugin: String,
    /// The version.
    version: String,
    /// `core`, `local`, `verified`, `private` or `community`; null: it does not run, so nobody looked.
    trust: Option<String>,
    /// Whether it can be installed and runs where it was.
    runs: bool,
    /// Whose it is; null: it is part of the installation.
    publisher: Option<String>,
    /// With which key it was signed.
    key: Option<String>,
    /// The sum of its package.
    sha256: Option<String>,
    /// The length of its package in bytes.
    size: Option<i64>,
    /// When it came.
    uploaded_at: Option<String>,
    /// Since when it is stopped for everybody.
    killed_at: Option<String>,
    /// Why.
    killed_reason: Option<String>,
    /// The module that must be licensed for it; null: none, or it does not run.
    module: Option<String>,
    /// What it asks for, when it runs.
    capabilities: Vec<String>,
}

/// Every version of every plugin.
#[derive(Object)]
pub(in crate::http::platform) struct VersionList {
    /// By plugin and version.
    data: Vec<VersionView>,
    /// Always null.
    next_cursor: Option<String>,
}

/// Why a version is stopped.
#[derive(Object)]
#[oai(rename = "Kill")]
pub(in crate::http::platform) struct KillInput {
    /// In words, for those who ask later.
    #[oai(validator(min_length = 1, max_length = 500))]
    reason: String,
}

/// What is known of a version: from the catalogue, and by running it.
type Known<'a> = (Option<&'a Version>, Option<Arc<Plugin>>);

impl VersionView {
    fn of(known: Option<&Version>, plugin: Option<&Arc<Plugin>>) -> Self {
        let manifest = plugin.map(|plugin| &plugin.manifest);
        let named = |from: fn(&Version) -> &String| known.map(|version| from(version).clone());
        let killed = known.and_then(|version| version.killed.as_ref());
        Self {
            plugin: named(|version| &version.plugin)
                .or_else(|| manifest.map(|manifest| manifest.id.to_string()))
                .unwrap_or_default(),
            version: named(|version| &version.version)
                .or_else(|| manifest.map(|manifest| manifest.version.to_string()))
                .unwrap_or_default(),
            trust: plugin.map(|plugin| plugin.trust.as_str().to_owned()),
            runs: plugin.is_some(),
            publisher: named(|version| &version.publisher),
            key: named(|version| &version.key),
            sha256: named(|version| &version.sha256),
            size: known.map(|version| version.size),
            uploaded_at: known.map(|version| rfc3339(version.uploaded_at)),
            killed_at: killed.map(|killed| rfc3339(killed.at)),
            killed_reason: killed.map(|killed| killed.reason.clone()),
            module: manifest.and_then(|manifest| manifest.module.clone()),
            capabilities: manifest.map(capabilities::of).unwrap_or_default().into_iter().collect(),
        }
    }
}

#[OpenApi(prefix_path = "/admin/v1/plugins", tag = "Tag::Plugins")]
impl PluginsApi {
    /// List plugins
    ///
    /// Every version: those that are part of the installation, and those that publishers brought.
    #[oai(path = "/", method = "get", operation_id = "list_plugins")]
    async fn list(&self, staff: Staff) -> Result<Found<VersionList>, Problem> {
        staff.may(Area::Licences, "read")?;
        let known = self.app.catalogue.versions().await?;
        let mut all: BTreeMap<(String, String), Known<'_>> = BTreeMap::new();
        for version in &known {
            all.entry((version.plugin.clone(), version.version.clone())).or_default().0 = Some(version);
        }
        for plugin in self.app.plugins.all() {
            let key = (plugin.manifest.id.to_string(), plugin.manifest.version.to_string());
            all.entry(key).or_default().1 = Some(plugin);
        }
        let data = all.values().map(|(known, plugin)| VersionView::of(*known, plugin.as_ref())).collect();
        Ok(Found::new(VersionList { data, next_cursor: None }))
    }

    /// Upload a package
    ///
    /// A `.stoa` that a trusted key signed. It is checked as `stoa plugin check` does; then it can be installed in organizations.
    /// A version is never changed: the same bytes again are the same version, others are refused.
    #[oai(path = "/", method = "post", operation_id = "upload_plugin")]
    async fn upload(
        &self,
        staff: Staff,
        /// Only look at it.
        dry_run: Query<Option<bool>>,
        package: Binary<Vec<u8>>,
    ) -> Result<Found<VersionView>, Problem> {
        staff.may(Area::Operations, "write")?;
        let looked = dry_run.0.unwrap_or(false);
        let version = self.app.catalogue.publish(package.0, looked, staff.0.admin.id).await?;
        let plugin = self.app.plugins.version(&version.plugin, &version.version);
        Ok(Found::new(VersionView::of(Some(&version), plugin.as_ref())))
    }

    /// Get a version
    #[oai(path = "/:plugin/versions/:version", method = "get", operation_id = "get_plugin_version")]
    async fn get(
        &self,
        staff: Staff,
        plugin: Path<String>,
        version: Path<String>,
    ) -> Result<Found<VersionView>, Problem> {
        staff.may(Area::Licences, "read")?;
        let at_hand = self.app.plugins.version(&plugin.0, &version.0);
        match (self.app.catalogue.version(&plugin.0, &version.0).await, &at_hand) {
            (Ok(known), _) => Ok(Found::new(VersionView::of(Some(&known), at_hand.as_ref()))),
            (Err(_), Some(_)) => Ok(Found::new(VersionView::of(None, at_hand.as_ref()))),
            (Err(error), None) => Err(error.into()),
        }
    }

    /// Download a package
    #[oai(path = "/:plugin/versions/:version/package", method = "get", operation_id = "download_plugin")]
    async fn download(
        &self,
        staff: Staff,
        plugin: Path<String>,
        version: Path<String>,
    ) -> Result<Binary<Vec<u8>>, Problem> {
        staff.may(Area::Licences, "read")?;
        Ok(Binary(self.app.catalogue.package(&plugin.0, &version.0).await?))
    }

    /// Stop a version for everybody
    ///
    /// From the next request on its addresses answer 503 `plugin_stopped` in every organization that runs it. Nothing of theirs
    /// is changed: they can be brought to another version.
    #[oai(path = "/:plugin/versions/:version/kill", method = "post", operation_id = "kill_plugin_version")]
    async fn kill(
        &self,
        staff: Staff,
        plugin: Path<String>,
        version: Path<String>,
        input: Input<KillInput>,
    ) -> Result<Found<VersionView>, Problem> {
        staff.may(Area::Licences, "kill")?;
        let (reason, by) = (input.0.reason, staff.0.admin.id);
        let killed = self.app.catalogue.kill(&plugin.0, &version.0, reason, by).await?;
        Ok(Found::new(VersionView::of(Some(&killed), None)))
    }

    /// Let a version run again
    #[oai(
        path = "/:plugin/versions/:version/revive",
        method = "post",
        operation_id = "revive_plugin_version"
    )]
    async fn revive(
        &self,
        staff: Staff,
        plugin: Path<String>,
        version: Path<String>,
    ) -> Result<Found<VersionView>, Problem> {
        staff.may(Area::Licences, "kill")?;
        let revived = self.app.catalogue.revive(&plugin.0, &version.0).await?;
        let at_hand = self.app.plugins.version(&plugin.0, &version.0);
        Ok(Found::new(VersionView::of(Some(&revived), at_hand.as_ref())))
    }
}
