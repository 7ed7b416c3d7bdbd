//! Which versions of which plugins an organization runs, who agreed to what they can do, and what was done with them. Only
//! the serving process changes it, so what it knows is what is.
//!
//! Making a version ready in an organization, before it is written here, is the application's work.

mod store;

use std::sync::Arc;

use dashmap::DashMap;

use super::capabilities::Capabilities;
use super::shelf::Versions;
use super::{Plugin, Plugins};
use crate::clock::{Clock, UnixMillis};
use crate::ids::{OrganizationId, PrincipalId, RolloutId};
use crate::storage::{ControlPlane, StorageError};

/// The most events that are told.
const EVENTS: u32 = 100;

/// A plugin in an organization.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Installation {
    /// Which.
    pub plugin: Arc<str>,
    /// The version that runs.
    pub version: Arc<str>,
    /// Whether it runs at all.
    pub enabled: bool,
    /// Whether roll-outs pass it by.
    pub pinned: bool,
    /// What was agreed to.
    pub capabilities: Capabilities,
    /// The version that could not be installed last, and why.
    pub fault: Option<(String, String)>,
    /// When it was first installed.
    pub installed_at: UnixMillis,
    /// When it was changed last.
    pub updated_at: UnixMillis,
}

/// What is done with a plugin in an organization.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EventKind {
    /// It came.
    Installed,
    /// A newer version came in place of an older one.
    Upgraded,
    /// An older one came back.
    RolledBack,
    /// It runs again.
    Enabled,
    /// It does not run; its data is kept.
    Disabled,
    /// Roll-outs pass it by.
    Pinned,
    /// They do not any more.
    Unpinned,
    /// A version could not be installed.
    Failed,
    /// It went; its file is kept aside.
    Uninstalled,
}

impl EventKind {
    const ALL: [(Self, &'static str); 9] = [
        (Self::Installed, "installed"),
        (Self::Upgraded, "upgraded"),
        (Self::RolledBack, "rolled_back"),
        (Self::Enabled, "enabled"),
        (Self::Disabled, "disabled"),
        (Self::Pinned, "pinned"),
        (Self::Unpinned, "unpinned"),
        (Self::Failed, "failed"),
        (Self::Uninstalled, "uninstalled"),
    ];

    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find(|(kind, _)| *kind == self).map_or("", |(_, word)| word)
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == word).map(|(kind, _)| kind)
    }
}

/// Something that was done.
#[derive(Clone, Debug)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// The version afterwards; of a failure, the one that was tried.
    pub version: Arc<str>,
    /// Why it failed, or the name of the file that is kept.
    pub detail: Option<String>,
    /// By whom.
    pub by: PrincipalId,
    /// When.
    pub at: UnixMillis,
}

/// One version brought to every organization that has the plugin.
#[derive(Clone, Debug)]
pub struct Rollout {
    /// Its id.
    pub id: RolloutId,
    /// Which plugin.
    pub plugin: Arc<str>,
    /// Which version.
    pub version: Arc<str>,
    /// What was agreed to, for all of them.
    pub capabilities: Capabilities,
    /// Whether it goes on.
    pub state: RolloutState,
    /// Organizations.
    pub total: u32,
    /// Those that are through, failures included.
    pub done: u32,
    /// Those where it failed: they run on with the version that they have.
    pub failed: u32,
    /// By whom.
    pub by: PrincipalId,
    /// When.
    pub created_at: UnixMillis,
    /// When it ended.
    pub finished_at: Option<UnixMillis>,
}

/// Where a roll-out stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RolloutState {
    /// It goes on, after a restart too.
    Running,
    /// Every organization had its turn.
    Finished,
    /// Somebody stopped it, or too many failed.
    Stopped,
}

impl RolloutState {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Running, Self::Finished, Self::Stopped].into_iter().find(|state| state.as_str() == word)
    }
}

/// The versions that an organization runs as far as it is licensed, and of what that was made.
#[derive(Clone)]
pub struct Chosen {
    plugins: Arc<[Arc<Plugin>]>,
    installations: Arc<[Installation]>,
    shelf: Arc<Versions>,
}

impl Chosen {
    /// The plugins, by id.
    #[must_use]
    pub fn plugins(&self) -> &[Arc<Plugin>] {
        &self.plugins
    }

    /// What was said, by plugin.
    #[must_use]
    pub fn installations(&self) -> &[Installation] {
        &self.installations
    }

    /// The one with this id.
    #[must_use]
    pub fn plugin(&self, id: &str) -> Option<&Arc<Plugin>> {
        self.plugins.iter().find(|plugin| &*plugin.manifest.id == id)
    }

    /// What was agreed to for this plugin; `None`: nothing was asked.
    #[must_use]
    pub fn agreed(&self, plugin: &Plugin) -> Option<&Capabilities> {
        self.installation(&plugin.manifest.id).map(|one| &one.capabilities)
    }

    /// What was said about the plugin with this id; `None`: nothing.
    #[must_use]
    pub fn installation(&self, id: &str) -> Option<&Installation> {
        self.installations.iter().find(|one| &*one.plugin == id)
    }
}

impl Plugins {
    /// The versions that run where these are the installations: of each plugin the installed one if it is enabled and at
    /// hand, and the usual one of a plugin that nothing was said about. The usual one, too, where the installed one went with
    /// an earlier release of this installation and was not pinned.
    #[must_use]
    pub fn chosen(&self, installations: Arc<[Installation]>) -> Chosen {
        let shelf = self.shelf.now();
        let said = |id: &str| installations.iter().find(|one| &*one.plugin == id);
        let follows = |one: &Installation| {
            one.enabled && !one.pinned && self.version(&one.plugin, &one.version).is_none()
        };
        let usual = |plugin: &Arc<Plugin>| said(&plugin.manifest.id).is_none_or(follows);
        let mut all: Vec<Arc<Plugin>> = self.usual().into_iter().filter(usual).collect();
        let running = installations.iter().filter(|one| one.enabled);
        all.extend(running.filter_map(|one| self.version(&one.plugin, &one.version)));
        all.sort_by(|one, other| one.manifest.id.cmp(&other.manifest.id));
        Chosen { plugins: all.into(), installations, shelf }
    }

    /// Whether the same would be chosen again, without choosing.
    #[must_use]
    pub fn still(&self, chosen: &Chosen, installations: &Arc<[Installation]>) -> bool {
        Arc::ptr_eq(&chosen.installations, installations) && Arc::ptr_eq(&chosen.shelf, &self.shelf.now())
    }
}

/// Every operation on installations. Cheap to clone.
#[derive(Clone)]
pub struct Installations {
    control: ControlPlane,
    clock: Clock,
    known: Arc<DashMap<OrganizationId, Arc<[Installation]>>>,
}

impl Installations {
    /// Those of this control database.
    #[must_use]
    pub fn new(control: ControlPlane, clock: Clock) -> Self {
        Self { control, clock, known: Arc::default() }
    }

    /// What the organization has, by plugin. From memory, but for the first time.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn of(&self, organization: OrganizationId) -> Result<Arc<[Installation]>, StorageError> {
        if let Some(known) = self.known.get(&organization) {
            return Ok(Arc::clone(&known));
        }
        let read: Arc<[Installation]> = store::of(self.control.pool(), organization).await?.into();
        // Whoever changed it meanwhile knows better.
        Ok(Arc::clone(&self.known.entry(organization).or_insert(read)))
    }

    /// Who has the plugin, and what they have of it.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn having(&self, plugin: &str) -> Result<Vec<(OrganizationId, Installation)>, StorageError> {
        store::having(self.control.pool(), plugin).await
    }

    /// Keeps the installation as it is now, and why. Whoever calls has the organization for himself.
    ///
    /// # Errors
    /// Only when the control database fails: then nothing changed.
    pub(crate) async fn put(
        &self,
        organization: OrganizationId,
        installation: Installation,
        event: Event,
    ) -> Result<Arc<[Installation]>, StorageError> {
        store::put(self.control.pool(), organization, &installation, &event).await?;
        self.reread(organization).await
    }

    /// Forgets the installation; what was done stays.
    ///
    /// # Errors
    /// Only when the control database fails: then nothing changed.
    pub(crate) async fn remove(
        &self,
        organization: OrganizationId,
        plugin: &str,
        event: Event,
    ) -> Result<Arc<[Installation]>, StorageError> {
        store::delete(self.control.pool(), organization, plugin, &event).await?;
        self.reread(organization).await
    }

    /// Keeps what was tried with a plugin that is not installed.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub(crate) async fn note(
        &self,
        organization: OrganizationId,
        plugin: &str,
        event: Event,
    ) -> Result<(), StorageError> {
        store::note(self.control.pool(), organization, plugin, &event).await
    }

    /// What was done with a plugin in an organization, the latest first, [`EVENTS`] at most.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn events(
        &self,
        organization: OrganizationId,
        plugin: &str,
    ) -> Result<Vec<Event>, StorageError> {
        store::events(self.control.pool(), organization, plugin, EVENTS).await
    }

    /// Begins a roll-out; `false` when one of this plugin is running.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub(crate) async fn begin(&self, rollout: &Rollout) -> Result<bool, StorageError> {
        store::begin(self.control.pool(), rollout).await
    }

    /// Keeps how far a roll-out is; `false` when it was stopped.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub(crate) async fn advance(&self, id: RolloutId, done: u32, failed: u32) -> Result<bool, StorageError> {
        store::advance(self.control.pool(), id, done, failed).await
    }

    /// Ends a roll-out; `false` when it is over already.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub(crate) async fn end(&self, id: RolloutId, state: RolloutState) -> Result<bool, StorageError> {
        store::end(self.control.pool(), id, state, self.clock.now()).await
    }

    /// A roll-out.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn rollout(&self, id: RolloutId) -> Result<Option<Rollout>, StorageError> {
        store::rollout(self.control.pool(), id).await
    }

    /// The latest roll-outs, newest first; only those that run, if that is asked.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn rollouts(&self, running: bool) -> Result<Vec<Rollout>, StorageError> {
        store::rollouts(self.control.pool(), running, EVENTS).await
    }

    async fn reread(&self, organization: OrganizationId) -> Result<Arc<[Installation]>, StorageError> {
        // Should the reading fail, the next who asks reads.
        self.known.remove(&organization);
        self.of(organization).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::tests::{read, stand_in};
    use crate::plugins::{Package, Trust};

    #[test]
    fn what_went_with_a_release_is_followed_unless_it_is_pinned_or_off() {
        let folder = tempfile::tempdir().unwrap();
        let package = Package {
            name: "crm".to_owned(),
            manifest: read("plugins/crm/manifest.json").into(),
            component: stand_in().into(),
            sql: b"".into(),
            trust: Trust::Local,
        };
        let plugins = Plugins::load(vec![package], folder.path().to_owned(), [7; 32]).unwrap();
        let runs = |version: &str, enabled, pinned| {
            let installation = Installation {
                plugin: "crm".into(),
                version: version.into(),
                enabled,
                pinned,
                capabilities: Capabilities::new(),
                fault: None,
                installed_at: 0,
                updated_at: 0,
            };
            plugins.chosen(vec![installation].into()).plugin("crm").is_some()
        };
        assert!(runs("0.1.0", true, false) && runs("0.1.0", true, true));
        assert!(runs("0.0.9", true, false), "the release that had it was replaced");
        assert!(!runs("0.0.9", true, true) && !runs("0.0.9", false, false) && !runs("0.1.0", false, false));
    }
}
