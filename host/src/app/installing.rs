//! Plugins in organizations: a version installed, upgraded, rolled back, switched on and off, pinned, taken away. The
//! organization is made ready with the new version while its people go on with the old one; then the new one is written
//! down and takes over between two requests. What fails on the way changes nothing.

mod error;
mod readying;

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::OwnedMutexGuard;

use super::{App, AppError};
use crate::ids::PrincipalId;
use crate::organizations::Organization;
use crate::plugins::capabilities::{self, Capabilities, Difference};
use crate::plugins::installations::{Chosen, Event, EventKind, Installation};
use crate::plugins::{Plugin, Trust};

use self::readying::Change;

pub use self::error::InstallError;

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
        let shape = now.map(shape).unwrap_or_default();
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
        let alone = self.alone(organization.id).await;
        self.install_alone(&alone, organization, (plugin, version), (consent, by)).await
    }

    /// The same for whoever keeps the others out already.
    pub(super) async fn install_alone(
        &self,
        _alone: &OwnedMutexGuard<()>,
        organization: &Arc<Organization>,
        (plugin, version): (&str, &str),
        (consent, by): (&Capabilities, PrincipalId),
    ) -> Result<Installation, InstallError> {
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
            // What was switched off stays so: its people decided that, and not whoever brings a version.
            enabled: before.is_none_or(|one| one.enabled),
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
        let change = Change { installation: installation.clone(), event };
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
        let ran = |event: &&Event| event.kind != EventKind::Failed && older(&event.version, &now.version);
        let before = events.iter().find(ran);
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
