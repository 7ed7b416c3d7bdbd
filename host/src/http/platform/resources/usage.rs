//! `/plugin-usage`: what plugins use in organizations, and where they are paused because they failed.

use poem_openapi::param::Query;
use poem_openapi::{Object, OpenApi};

use crate::app::App;
use crate::clock::rfc3339;
use crate::http::answer::Found;
use crate::http::platform::access::Staff;
use crate::http::problem::Problem;
use crate::platform::Area;
use crate::plugins::{CallKind, PluginUsage, Used};

use super::Tag;
use super::organizations::find;

/// Tells what plugins use.
pub(in crate::http::platform) struct UsageApi {
    /// Every handle.
    pub app: App,
}

/// What calls of one kind used.
#[derive(Object)]
#[oai(rename = "CallUsage")]
pub(in crate::http::platform) struct CallUsageView {
    /// `hook`, `action` or `report`.
    kind: String,
    /// Calls that were made.
    calls: u64,
    /// Those of them that were stopped or ended abnormally.
    failures: u64,
    /// Calls that were not made because too many had failed.
    refused: u64,
    /// Processor time, of the host for them too, in microseconds.
    cpu_us: u64,
    /// Time altogether in microseconds.
    wall_us: u64,
    /// Calls of the host.
    host_calls: u64,
    /// Most memory of one call in bytes.
    memory: u64,
}

/// What a version of a plugin used in an organization.
#[derive(Object)]
#[oai(rename = "PluginUsage")]
pub(in crate::http::platform) struct PluginUsageView {
    /// The organization's id.
    organization_id: String,
    /// The plugin's id.
    plugin: String,
    /// Its version.
    version: String,
    /// Until when it is not called there, because too many calls failed; null: it is called.
    paused_until: Option<String>,
    /// By kind.
    calls: Vec<CallUsageView>,
}

/// What plugins used.
#[derive(Object)]
pub(in crate::http::platform) struct PluginUsageList {
    /// By organization, plugin and version.
    data: Vec<PluginUsageView>,
    /// Always null.
    next_cursor: Option<String>,
}

impl CallUsageView {
    fn of(kind: CallKind, used: &Used) -> Self {
        let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Self {
            kind: kind.as_str().to_owned(),
            calls: used.calls,
            failures: used.failures,
            refused: used.refused,
            cpu_us: micros(used.cpu),
            wall_us: micros(used.wall),
            host_calls: used.host_calls,
            memory: used.memory,
        }
    }
}

impl From<&PluginUsage> for PluginUsageView {
    fn from(usage: &PluginUsage) -> Self {
        let calls = CallKind::ALL.into_iter().zip(&usage.used);
        Self {
            organization_id: usage.organization.to_string(),
            plugin: usage.plugin.to_string(),
            version: usage.version.to_string(),
            paused_until: usage.paused_until.map(rfc3339),
            calls: calls.map(|(kind, used)| CallUsageView::of(kind, used)).collect(),
        }
    }
}

#[OpenApi(prefix_path = "/admin/v1", tag = "Tag::Plugins")]
impl UsageApi {
    /// List what plugins use
    ///
    /// Counted since the process started, in the organizations where a plugin was called. A plugin whose calls keep failing is
    /// paused in that organization: its operations answer 503 until one call is tried and succeeds.
    #[oai(path = "/plugin-usage", method = "get", operation_id = "list_plugin_usage")]
    async fn list(
        &self,
        staff: Staff,
        /// Of this organization only.
        #[oai(validator(max_length = 64))]
        organization: Query<Option<String>>,
    ) -> Result<Found<PluginUsageList>, Problem> {
        staff.may(Area::Operations, "read")?;
        let organization = match &organization.0 {
            Some(id) => Some(find(&self.app, id).await?.id),
            None => None,
        };
        let usage = self.app.plugins.usage(organization, self.app.clock.now());
        let data = usage.iter().map(PluginUsageView::from).collect();
        Ok(Found::new(PluginUsageList { data, next_cursor: None }))
    }
}
