//! An organization made ready as it will be, while it goes on as it is; and what is kept when that does not work.

use std::sync::Arc;

use tokio::sync::OwnedMutexGuard;

use super::InstallError;
use crate::app::{App, AppError, Entered};
use crate::identity::platform;
use crate::ids::{OrganizationId, PrincipalId, RequestId};
use crate::organizations::Organization;
use crate::plugins::capabilities;
use crate::plugins::installations::{Chosen, Event, EventKind, Installation};
use crate::plugins::{Plugin, Trust};

/// What is to be done with a plugin in an organization.
pub(super) struct Change {
    /// What is said from now on.
    pub(super) installation: Installation,
    /// Why.
    pub(super) event: Event,
}

impl App {
    /// A mark on an installation; a plugin that nothing was said about yet is named with the version that runs.
    pub(super) async fn mark(
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
        let change = Change { installation: installation.clone(), event };
        self.swap(organization, &chosen, plugin, change).await?;
        Ok(installation)
    }

    /// Makes the organization ready as it will be, writes down the change, and lets requests have it.
    pub(super) async fn swap(
        &self,
        organization: &Arc<Organization>,
        before: &Chosen,
        plugin: &str,
        change: Change,
    ) -> Result<(), InstallError> {
        let mut installations: Vec<Installation> =
            before.installations().iter().filter(|one| &*one.plugin != plugin).cloned().collect();
        installations.push(change.installation.clone());
        let coming = self.plugins.chosen(installations.into());
        fits_together(&coming, plugin)?;
        let entitlement = self.licensing.entitlement(organization.id).await.map_err(AppError::from)?;
        let mut entered = self.make_ready(organization, entitlement, coming).await?;
        self.probe(&entered, plugin).await?;
        let written = self.installations.put(organization.id, change.installation, change.event).await?;
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
    pub(in crate::app) async fn alone(&self, organization: OrganizationId) -> OwnedMutexGuard<()> {
        let entrance = Arc::clone(&self.entrances.entry(organization).or_default());
        entrance.lock_owned().await
    }

    pub(super) fn at_hand(&self, plugin: &str, version: &str) -> Result<Arc<Plugin>, InstallError> {
        self.plugins.version(plugin, version).ok_or_else(|| InstallError::UnknownVersion {
            plugin: plugin.to_owned(),
            version: version.to_owned(),
            known: self.plugins.versions(plugin).iter().map(|one| one.manifest.version.to_string()).collect(),
        })
    }

    /// Whether the organization ran this version before; the operator's own may come and go.
    pub(super) async fn ran(
        &self,
        organization: OrganizationId,
        wanted: &Plugin,
    ) -> Result<(), InstallError> {
        if matches!(wanted.trust, Trust::Core | Trust::Local) {
            return Ok(());
        }
        let (id, version) = (&wanted.manifest.id, &wanted.manifest.version);
        let events = self.installations.events(organization, id).await?;
        let ran = events.iter().any(|event| event.kind != EventKind::Failed && event.version == *version);
        if ran { Ok(()) } else { Err(InstallError::NeverRan(version.to_string())) }
    }

    /// The steps that the plugin's file has not taken; none when there is no file.
    pub(super) async fn steps(
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
    pub(super) async fn copy_before_steps(
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
    pub(super) async fn unfit(
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

    pub(super) fn event(&self, kind: EventKind, version: &str, by: PrincipalId) -> Event {
        Event { kind, version: version.into(), detail: None, by, at: self.clock.now() }
    }
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
