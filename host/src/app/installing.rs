//! Plugins in organizations: a version installed, upgraded, rolled back, switched on and off, pinned, taken away. The
//! organization is made ready with the new version while its people go on with the old one; then the new one is written
//! down and takes over between two requests. What fails on the way changes nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::OwnedMutexGuard;

use super::{App, AppError, Entered};
use crate::identity::platform;
use crate::ids::{OrganizationId, PrincipalId, RequestId};
use crate::organizations::Organization;
use crate::plugins::capabilities::{self, Capabilities, Difference};
use crate::plugins::installations::{Chosen, Event, EventKind, Installation};
use crate::plugins::{Plugin, Trust};
use crate::storage::StorageError;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The plugin is not at hand in this version.
    #[error("the plugin `{plugin}` is not at hand in version {version}; at hand: {}", listed(.known))]
    UnknownVersion {
        /// Which plugin.
        plugin: String,
        /// What was asked for.
        version: String,
        /// What could have been.
        known: Vec<String>,
    },
    /// The organization does not have the plugin.
    #[error("the organization does not have the plugin `{0}`")]
    NotInstalled(String),
    /// It refers to plugins that do not run here.
    #[error("the plugin `{plugin}` needs plugins that do not run here: {}", .needs.join(", "))]
    Needs {
        /// Which plugin.
        plugin: String,
        /// What is missing.
        needs: Vec<String>,
    },
    /// Others refer to it.
    #[error("plugins that run here need `{plugin}`: {}", .by.join(", "))]
    Needed {
        /// Which plugin.
        plugin: String,
        /// By whom.
        by: Vec<String>,
    },
    /// Nobody agreed to what the version can do.
    #[error("the version can do more than was agreed to")]
    Consent(Difference),
    /// An older version that this organization never ran.
    #[error("version {0} is older than the one that runs, and was never run here")]
    NeverRan(String),
    /// There is nothing to go back to.
    #[error("there is no earlier version to go back to")]
    NothingBefore,
    /// It is part of the installation.
    #[error("the plugin `{0}` is part of this installation and cannot be taken away; disable it instead")]
    PartOfInstallation(String),
    /// The version cannot be made ready here. What was there runs on.
    #[error("the version cannot be made ready here: {0}")]
    Unfit(String),
    /// A roll-out of the plugin is running.
    #[error("a roll-out of the plugin `{0}` is running; wait for it or stop it")]
    RollingOut(String),
    /// The control database, or a file.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The organization.
    #[error(transparent)]
    App(#[from] AppError),
}

fn listed(versions: &[String]) -> String {
    if versions.is_empty() { "no version".to_owned() } else { versions.join(", ") }
}

/// What installing a version would do.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The version that runs now.
    pub from: Option<String>,
    /// What there is to agree to.
    pub difference: Difference,
    /// Entities and fields that come, as `entity` and `entity.field`.
    pub added: Vec<String>,
    /// Those that are not shown any more; their values are kept.
    pub removed: Vec<String>,
    /// Explicit steps that its file has not taken yet: the file is copied before them.
    pub steps: Vec<String>,
}

/// What is to be done with a plugin in an organization.
struct Change {
    installation: Option<Installation>,
    event: Event,
}

impl App {
    /// What installing this version would do; nothing is done.
    ///
    /// # Errors
    /// [`InstallError::UnknownVersion`], and when a file fails.
    pub async fn preview(
        &self,
        organization: &Arc<Organization>,
        plugin: &str,
        version: &str,
    ) -> Result<Preview, InstallError> {
        let wanted = self.at_hand(plugin, version)?;
        let chosen = self.plugins.chosen(self.installations.of(organization.id).await?);
        let now = chosen.plugin(plugin);
        let shape = now.map(|plugin| shape(plugin)).unwrap_or_default();
        let coming = self::shape(&wanted);
        Ok(Preview {
            from: now.map(|plugin| plugin.manifest.version.to_string()),
            difference: difference(&chosen, &wanted),
            added: coming.difference(&shape).cloned().collect(),
            removed: shape.difference(&coming).cloned().collect(),
            steps: self.steps(organization.id, &wanted).await?,
        })
    }

    /// Installs this version: a first one, a newer one, or one that ran here before.
    ///
    /// # Errors
    /// Nothing changed then. [`InstallError::Unfit`] is remembered with the installation.
    pub async fn install(
        &self,
        organization: &Arc<Organization>,
        (plugin, version): (&str, &str),
        consent: &Capabilities,
        by: PrincipalId,
    ) -> Result<Installation, InstallError> {
        let _alone = self.alone(organization.id).await;
        let wanted = self.at_hand(plugin, version)?;
        let chosen = self.plugins.chosen(self.installations.of(organization.id).await?);
        let before = chosen.installation(plugin);
        let running = before
            .map(|one| Arc::clone(&one.version))
            .or_else(|| chosen.plugin(plugin).map(|plugin| Arc::clone(&plugin.manifest.version)));
        let difference = difference(&chosen, &wanted);
        if !difference.is_covered_by(consent) {
            return Err(InstallError::Consent(difference));
        }
        let kind = match &running {
            None => EventKind::Installed,
            Some(running) if older(version, running) => {
                self.ran(organization.id, &wanted).await?;
                EventKind::RolledBack
            }
            Some(_) => EventKind::Upgraded,
        };
        let now = self.clock.now();
        let installation = Installation {
            plugin: Arc::clone(&wanted.manifest.id),
            version: Arc::clone(&wanted.manifest.version),
            enabled: true,
            pinned: before.is_some_and(|one| one.pinned),
            capabilities: capabilities::of(&wanted.manifest),
            fault: None,
            installed_at: before.map_or(now, |one| one.installed_at),
            updated_at: now,
        };
        let event = self.event(kind, version, by);
        if let Err(error) = self.copy_before_steps(organization.id, &wanted).await {
            return Err(self.unfit(organization.id, (plugin, version), &chosen, by, &error).await);
        }
        let change = Change { installation: Some(installation.clone()), event };
        match self.swap(organization, &chosen, plugin, change).await {
            Ok(()) => Ok(installation),
            Err(InstallError::App(error)) => {
                Err(self.unfit(organization.id, (plugin, version), &chosen, by, &error).await)
            }
            Err(error) => Err(error),
        }
    }

    /// Goes back to the version that ran before the present one. Rows that were written since are kept.
    ///
    /// # Errors
    /// Those of [`App::install`], and [`InstallError::NothingBefore`].
    pub async fn back(
        &self,
        organization: &Arc<Organization>,
        plugin: &str,
        by: PrincipalId,
    ) -> Result<Installation, InstallError> {
        let installations = self.installations.of(organization.id).await?;
        let now = installations.iter().find(|one| &*one.plugin == plugin);
        let now = now.ok_or_else(|| InstallError::NotInstalled(plugin.to_owned()))?;
        let events = self.installations.events(organization.id, plugin).await?;
        let came = |event: &&Event| matches!(event.kind, EventKind::Installed | EventKind::Upgraded);
        let before = events.iter().filter(came).find(|event| older(&event.version, &now.version));
        let version = before.map(|event| Arc::clone(&event.version)).ok_or(InstallError::NothingBefore)?;
        // It was agreed to when it came.
        let agreed = capabilities::of(&self.at_hand(plugin, &version)?.manifest);
        self.install(organization, (plugin, &version), &agreed, by).await
    }

    /// Switches a plugin on or off. Its data is kept.
    ///
    /// # Errors
    /// [`InstallError::NotInstalled`], [`InstallError::Needed`], [`InstallError::Needs`].
    pub async fn switch(
        &self,
        organization: &Arc<Organization>,
        plugin: &str,
        enabled: bool,
        by: PrincipalId,
    ) -> Result<Installation, InstallError> {
        let kind = if enabled { EventKind::Enabled } else { EventKind::Disabled };
        self.mark(organization, plugin, by, kind, |one| one.enabled = enabled).await
    }

    /// Has roll-outs pass the organization by, or not any more.
    ///
    /// # Errors
    /// [`InstallError::NotInstalled`].
    pub async fn pin(
        &self,
        organization: &Arc<Organization>,
        plugin: &str,
        pinned: bool,
        by: PrincipalId,
    ) -> Result<Installation, InstallError> {
        let kind = if pinned { EventKind::Pinned } else { EventKind::Unpinned };
        self.mark(organization, plugin, by, kind, |one| one.pinned = pinned).await
    }

    /// Takes a plugin away. Its file is closed when nobody uses it any more, and put aside; the answer is what it is called.
    ///
    /// # Errors
    /// [`InstallError::NotInstalled`], [`InstallError::PartOfInstallation`], [`InstallError::Needed`], or a file that stays
    /// in use: then the plugin is disabled, and this can be tried again.
    pub async fn uninstall(
        &self,
        organization: &Arc<Organization>,
        plugin: &str,
        by: PrincipalId,
    ) -> Result<Option<String>, InstallError> {
        let own = self.plugins.usual().iter().any(|usual| &*usual.manifest.id == plugin);
        if own {
            return Err(InstallError::PartOfInstallation(plugin.to_owned()));
        }
        let off = self.switch(organization, plugin, false, by).await?;
        let _alone = self.alone(organization.id).await;
        let (files, id) = (self.files.clone(), organization.id);
        let (name, label) = (plugin.to_owned(), format!("{}-{}", off.version, self.clock.now()));
        let kept = tokio::task::spawn_blocking(move || files.archive(id, &name, &label));
        let kept = kept.await.map_err(AppError::from)??;
        self.records.forget(organization.id, &off.plugin);
        let mut event = self.event(EventKind::Uninstalled, &off.version, by);
        event.detail.clone_from(&kept);
        self.installations.remove(organization.id, plugin, event).await?;
        Ok(kept)
    }

    /// A mark on an installation; a plugin that nothing was said about yet is named with the version that runs.
    async fn mark(
        &self,
        organization: &Arc<Organization>,
        plugin: &str,
        by: PrincipalId,
        kind: EventKind,
        set: impl FnOnce(&mut Installation),
    ) -> Result<Installation, InstallError> {
        let _alone = self.alone(organization.id).await;
        let chosen = self.plugins.chosen(self.installations.of(organization.id).await?);
        let now = self.clock.now();
        let usual = |plugin: &Arc<Plugin>| Installation {
            plugin: Arc::clone(&plugin.manifest.id),
            version: Arc::clone(&plugin.manifest.version),
            enabled: true,
            pinned: false,
            capabilities: capabilities::of(&plugin.manifest),
            fault: None,
            installed_at: now,
            updated_at: now,
        };
        let said = chosen.installation(plugin).cloned();
        let found = said.or_else(|| chosen.plugin(plugin).map(usual));
        let mut installation = found.ok_or_else(|| InstallError::NotInstalled(plugin.to_owned()))?;
        set(&mut installation);
        installation.updated_at = now;
        let event = self.event(kind, &installation.version, by);
        let change = Change { installation: Some(installation.clone()), event };
        self.swap(organization, &chosen, plugin, change).await?;
        Ok(installation)
    }

    /// Makes the organization ready as it will be, writes down the change, and lets requests have it.
    async fn swap(
        &self,
        organization: &Arc<Organization>,
        before: &Chosen,
        plugin: &str,
        change: Change,
    ) -> Result<(), InstallError> {
        let mut installations: Vec<Installation> =
            before.installations().iter().filter(|one| &*one.plugin != plugin).cloned().collect();
        installations.extend(change.installation.clone());
        let coming = self.plugins.chosen(installations.into());
        fits_together(&coming, plugin)?;
        let entitlement = self.licensing.entitlement(organization.id).await.map_err(AppError::from)?;
        let mut entered = self.make_ready(organization, entitlement, coming).await?;
        self.probe(&entered, plugin).await?;
        let written = match change.installation {
            Some(installation) => self.installations.put(organization.id, installation, change.event).await?,
            None => self.installations.remove(organization.id, plugin, change.event).await?,
        };
        entered.chosen = self.plugins.chosen(written);
        self.entered.insert(organization.id, Arc::new(entered));
        Ok(())
    }

    /// Starts the plugin once, in this organization, with its limits: it is healthy when it comes up.
    async fn probe(&self, entered: &Entered, plugin: &str) -> Result<(), AppError> {
        let found = entered.plugins.iter().find(|known| &*known.manifest.id == plugin).cloned();
        let Some(found) = found else { return Ok(()) };
        let scope = entered.scope(&platform(entered.organization.id, RequestId::new()));
        let (plugins, records) = (self.plugins.clone(), self.records.clone());
        tokio::task::spawn_blocking(move || plugins.probe(&records, &scope, &found)).await??;
        Ok(())
    }

    /// Nobody else makes the organization ready, or changes it, as long as this is held.
    pub(super) async fn alone(&self, organization: OrganizationId) -> OwnedMutexGuard<()> {
        let entrance = Arc::clone(&self.entrances.entry(organization).or_default());
        entrance.lock_owned().await
    }

    fn at_hand(&self, plugin: &str, version: &str) -> Result<Arc<Plugin>, InstallError> {
        self.plugins.version(plugin, version).ok_or_else(|| InstallError::UnknownVersion {
            plugin: plugin.to_owned(),
            version: version.to_owned(),
            known: self.plugins.versions(plugin).iter().map(|one| one.manifest.version.to_string()).collect(),
        })
    }

    /// Whether the organization ran this version before; the operator's own may come and go.
    async fn ran(&self, organization: OrganizationId, wanted: &Plugin) -> Result<(), InstallError> {
        if matches!(wanted.trust, Trust::Core | Trust::Local) {
            return Ok(());
        }
        let (id, version) = (&wanted.manifest.id, &wanted.manifest.version);
        let events = self.installations.events(organization, id).await?;
        let ran = events.iter().any(|event| event.kind != EventKind::Failed && event.version == *version);
        if ran { Ok(()) } else { Err(InstallError::NeverRan(version.to_string())) }
    }

    /// The steps that the plugin's file has not taken; none when there is no file.
    async fn steps(
        &self,
        organization: OrganizationId,
        wanted: &Arc<Plugin>,
    ) -> Result<Vec<String>, AppError> {
        let (records, wanted) = (self.records.clone(), Arc::clone(wanted));
        let pending = tokio::task::spawn_blocking(move || {
            records.pending_steps(organization, &wanted.manifest.records)
        });
        Ok(pending.await??)
    }

    /// Steps that the plugin wrote itself may do anything to its own tables, so what was there is kept aside.
    async fn copy_before_steps(
        &self,
        organization: OrganizationId,
        wanted: &Arc<Plugin>,
    ) -> Result<(), AppError> {
        if self.steps(organization, wanted).await?.is_empty() {
            return Ok(());
        }
        let (files, name) = (self.files.clone(), wanted.manifest.id.to_string());
        let label = format!("before-{}", wanted.manifest.version);
        let copied = tokio::task::spawn_blocking(move || files.snapshot(organization, &name, &label));
        if let Some(copy) = copied.await?? {
            tracing::info!(%organization, plugin = %wanted.manifest.id, copy, "a plugin's file was copied before its steps");
        }
        Ok(())
    }

    /// Keeps why a version could not be made ready: with the installation, or as an event when there is none.
    async fn unfit(
        &self,
        organization: OrganizationId,
        (plugin, version): (&str, &str),
        before: &Chosen,
        by: PrincipalId,
        error: &AppError,
    ) -> InstallError {
        let why = told(error);
        tracing::warn!(%organization, plugin, version, error = format!("{error:?}"), "a version of a plugin cannot be made ready");
        let mut event = self.event(EventKind::Failed, version, by);
        event.detail = Some(why.clone());
        let kept = match before.installation(plugin).cloned() {
            Some(mut one) => {
                one.fault = Some((version.to_owned(), why.clone()));
                self.installations.put(organization, one, event).await.map(drop)
            }
            None => self.installations.note(organization, plugin, event).await,
        };
        match kept {
            Ok(()) => InstallError::Unfit(why),
            Err(error) => error.into(),
        }
    }

    fn event(&self, kind: EventKind, version: &str, by: PrincipalId) -> Event {
        Event { kind, version: version.into(), detail: None, by, at: self.clock.now() }
    }
}

/// What there is to agree to. What is part of the installation, its operator chose himself.
fn difference(chosen: &Chosen, wanted: &Plugin) -> Difference {
    let asked = capabilities::of(&wanted.manifest);
    if matches!(wanted.trust, Trust::Core | Trust::Local) {
        return Difference::between(&asked, &asked);
    }
    let agreed = chosen.installation(&wanted.manifest.id).map(|one| one.capabilities.clone());
    Difference::between(&agreed.unwrap_or_default(), &asked)
}

/// Whether everything that a plugin needs runs too.
fn fits_together(chosen: &Chosen, changed: &str) -> Result<(), InstallError> {
    let runs = |id: &String| chosen.plugin(id).is_some();
    if let Some(plugin) = chosen.plugin(changed) {
        let needs: Vec<String> = plugin.manifest.requires.iter().filter(|id| !runs(id)).cloned().collect();
        if !needs.is_empty() {
            return Err(InstallError::Needs { plugin: changed.to_owned(), needs });
        }
        return Ok(());
    }
    let needs_it = |plugin: &&Arc<Plugin>| plugin.manifest.requires.iter().any(|id| id == changed);
    let by: Vec<String> =
        chosen.plugins().iter().filter(needs_it).map(|plugin| plugin.manifest.id.to_string()).collect();
    if by.is_empty() { Ok(()) } else { Err(InstallError::Needed { plugin: changed.to_owned(), by }) }
}

/// Its entities and their fields.
fn shape(plugin: &Arc<Plugin>) -> BTreeSet<String> {
    let entities = plugin.manifest.records.entities.iter();
    let parts = entities.flat_map(|entity| {
        let fields = entity.declared().map(|field| format!("{}.{}", entity.key, field.key));
        std::iter::once(entity.key.to_string()).chain(fields.collect::<Vec<_>>())
    });
    parts.collect()
}

pub(super) fn older(version: &str, than: &str) -> bool {
    let read = |text: &str| semver::Version::parse(text).ok();
    read(version) < read(than)
}

/// Words for the administrator; what only the operator may know stays in the log.
fn told(error: &AppError) -> String {
    use crate::records::RecordError;
    match error {
        AppError::Records(
            error @ (RecordError::Schema(_) | RecordError::Plugin { .. } | RecordError::PluginPaused { .. }),
        ) => error.to_string(),
        AppError::Records(RecordError::Invalid(faults)) => {
            let details: Vec<&str> = faults.iter().map(|fault| fault.detail.as_str()).collect();
            format!("its first records are refused: {}", details.join("; "))
        }
        _ => "the operator finds the reason in the log".to_owned(),
    }
}
