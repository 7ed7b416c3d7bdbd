//! `/rollouts` and `/fleet`: one version brought to many organizations, and who runs what.

use std::collections::BTreeMap;

use poem_openapi::param::{Path, Query};
use poem_openapi::{Object, OpenApi};

use crate::app::App;
use crate::clock::rfc3339;
use crate::http::access::id;
use crate::http::answer::{Accepted, Done, Found};
use crate::http::input::Input;
use crate::http::platform::access::Staff;
use crate::http::problem::Problem;
use crate::platform::Area;
use crate::plugins::installations::Rollout;

use super::Tag;

const MISSING: &str = "rollout_not_found";
/// The most organizations that the fleet names for each kind of attention.
const NAMED: usize = 200;

/// Rolls versions out.
pub(in crate::http::platform) struct RolloutsApi {
    /// Every handle.
    pub app: App,
}

/// A roll-out.
#[derive(Object)]
#[oai(rename = "Rollout")]
pub(in crate::http::platform) struct RolloutView {
    /// Its id.
    id: String,
    /// The plugin's id.
    plugin: String,
    /// The version.
    version: String,
    /// `running`, `finished` or `stopped`.
    state: String,
    /// How many organizations had an older version and did not pin it.
    total: u32,
    /// How many had their turn, failures included.
    done: u32,
    /// How many run on with what they had, because the version could not be made ready there.
    failed: u32,
    /// Who began it.
    created_by: String,
    /// When.
    created_at: String,
    /// When it ended.
    finished_at: Option<String>,
}

/// Roll-outs.
#[derive(Object)]
pub(in crate::http::platform) struct RolloutList {
    /// The latest first, 100 at most.
    data: Vec<RolloutView>,
    /// Always null.
    next_cursor: Option<String>,
}

/// What to roll out.
#[derive(Object)]
#[oai(rename = "NewRollout")]
pub(in crate::http::platform) struct RolloutInput {
    /// The plugin's id.
    #[oai(validator(min_length = 1, max_length = 64))]
    plugin: String,
    /// The version.
    #[oai(validator(min_length = 1, max_length = 64))]
    version: String,
    /// The capabilities that are agreed to for all organizations. Where that is not enough, it fails.
    #[oai(validator(max_items = 2000))]
    consent: Option<Vec<String>>,
}

/// How many organizations run a version.
#[derive(Object)]
pub(in crate::http::platform) struct VersionCount {
    /// The version.
    version: String,
    /// How many have it.
    organizations: u32,
    /// How many of them switched it off.
    disabled: u32,
    /// How many of them pinned it.
    pinned: u32,
    /// Until when it is called nowhere, because it failed in many organizations.
    #[oai(skip_serializing_if_is_none)]
    paused_until: Option<String>,
}

/// An organization where a version could not be made ready.
#[derive(Object)]
pub(in crate::http::platform) struct Quarantined {
    /// The organization's id.
    organization_id: String,
    /// The version that it runs.
    version: String,
    /// The version that could not be made ready.
    failed_version: String,
    /// Why.
    detail: String,
}

/// Who runs what of a plugin.
#[derive(Object)]
pub(in crate::http::platform) struct Fleet {
    /// By version, the organizations where it was installed.
    versions: Vec<VersionCount>,
    /// Where the last attempt failed, 200 at most.
    quarantined: Vec<Quarantined>,
}

impl From<&Rollout> for RolloutView {
    fn from(rollout: &Rollout) -> Self {
        Self {
            id: rollout.id.to_string(),
            plugin: rollout.plugin.to_string(),
            version: rollout.version.to_string(),
            state: rollout.state.as_str().to_owned(),
            total: rollout.total,
            done: rollout.done,
            failed: rollout.failed,
            created_by: rollout.by.to_string(),
            created_at: rfc3339(rollout.created_at),
            finished_at: rollout.finished_at.map(rfc3339),
        }
    }
}

#[OpenApi(prefix_path = "/admin/v1", tag = "Tag::Plugins")]
impl RolloutsApi {
    /// List roll-outs
    #[oai(path = "/rollouts", method = "get", operation_id = "list_rollouts")]
    async fn list(&self, staff: Staff) -> Result<Found<RolloutList>, Problem> {
        staff.may(Area::Licences, "read")?;
        let all = self.app.installations.rollouts(false).await.map_err(|error| Problem::internal(&error))?;
        Ok(Found::new(RolloutList { data: all.iter().map(RolloutView::from).collect(), next_cursor: None }))
    }

    /// Roll a version out
    ///
    /// To every organization that has an older one and did not pin it, a few at a time, while their people work. Where it
    /// fails, what was there runs on; when most fail, the roll-out stops.
    #[oai(path = "/rollouts", method = "post", operation_id = "begin_rollout")]
    async fn begin(
        &self,
        staff: Staff,
        input: Input<RolloutInput>,
    ) -> Result<Accepted<RolloutView>, Problem> {
        staff.may(Area::Licences, "roll_out")?;
        let RolloutInput { plugin, version, consent } = input.0;
        let consent = consent.unwrap_or_default().into_iter().collect();
        let rollout = self.app.roll_out((&plugin, &version), consent, staff.0.admin.id).await?;
        let at = format!("/admin/v1/rollouts/{}", rollout.id);
        Ok(Accepted::new(RolloutView::from(&rollout)).at(at))
    }

    /// Get a roll-out
    #[oai(path = "/rollouts/:id", method = "get", operation_id = "get_rollout")]
    async fn get(&self, staff: Staff, id: Path<String>) -> Result<Found<RolloutView>, Problem> {
        staff.may(Area::Licences, "read")?;
        Ok(Found::new(RolloutView::from(&self.find(&id.0).await?)))
    }

    /// Stop a roll-out
    ///
    /// Organizations that were brought to the version keep it.
    #[oai(path = "/rollouts/:id/stop", method = "post", operation_id = "stop_rollout")]
    async fn stop(&self, staff: Staff, id: Path<String>) -> Result<Done, Problem> {
        staff.may(Area::Licences, "roll_out")?;
        let rollout = self.find(&id.0).await?;
        self.app.stop_rollout(rollout.id).await?;
        Ok(Done)
    }

    /// Tell who runs what
    ///
    /// The organizations where the plugin was installed, by version, and those where a version could not be made ready.
    #[oai(path = "/fleet", method = "get", operation_id = "get_fleet")]
    async fn fleet(
        &self,
        staff: Staff,
        /// The plugin's id.
        #[oai(validator(max_length = 64))]
        plugin: Query<String>,
    ) -> Result<Found<Fleet>, Problem> {
        staff.may(Area::Licences, "read")?;
        let having = self.app.installations.having(&plugin.0).await;
        let having = having.map_err(|error| Problem::internal(&error))?;
        let mut versions: BTreeMap<String, VersionCount> = BTreeMap::new();
        let mut quarantined = Vec::new();
        for (organization, one) in having {
            let version = one.version.to_string();
            let count = versions.entry(version.clone()).or_insert_with(|| VersionCount {
                version: version.clone(),
                organizations: 0,
                disabled: 0,
                pinned: 0,
                paused_until: self.paused_until(&plugin.0, &version),
            });
            count.organizations += 1;
            count.disabled += u32::from(!one.enabled);
            count.pinned += u32::from(one.pinned);
            if let Some((failed_version, detail)) = one.fault.filter(|_| quarantined.len() < NAMED) {
                let organization_id = organization.to_string();
                quarantined.push(Quarantined { organization_id, version, failed_version, detail });
            }
        }
        Ok(Found::new(Fleet { versions: versions.into_values().collect(), quarantined }))
    }
}

impl RolloutsApi {
    fn paused_until(&self, plugin: &str, version: &str) -> Option<String> {
        let plugin = self.app.plugins.version(plugin, version)?;
        plugin.paused_until(self.app.clock.now()).map(rfc3339)
    }

    async fn find(&self, text: &str) -> Result<Rollout, Problem> {
        let found = self.app.installations.rollout(id(text, MISSING)?).await;
        let missing = || Problem::not_found(MISSING, "There is no such roll-out.");
        found.map_err(|error| Problem::internal(&error))?.ok_or_else(missing)
    }
}
