//! One version of a plugin brought to every organization that has the plugin. An organization where it fails runs on with
//! what it has, and the rest go on; when most fail, or when calls of the version fail in many, the roll-out stops by itself. A restart goes on where it was.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{App, AppError, InstallError};
use crate::ids::{OrganizationId, PrincipalId, RolloutId};
use crate::plugins::capabilities::Capabilities;
use crate::plugins::installations::{Installation, Rollout, RolloutState};

/// Organizations that change at the same time.
const AT_ONCE: usize = 4;
/// So many failures, when they are at least half of what was done, stop it.
const FAILURES: u32 = 5;

impl App {
    /// Begins to bring this version to every organization that has an older one and did not pin it.
    ///
    /// # Errors
    /// [`InstallError::UnknownVersion`], [`InstallError::RollingOut`].
    pub async fn roll_out(
        &self,
        (plugin, version): (&str, &str),
        consent: Capabilities,
        by: PrincipalId,
    ) -> Result<Rollout, InstallError> {
        let wanted = self.plugins.version(plugin, version).ok_or_else(|| InstallError::UnknownVersion {
            plugin: plugin.to_owned(),
            version: version.to_owned(),
            known: self.plugins.versions(plugin).iter().map(|one| one.manifest.version.to_string()).collect(),
        })?;
        let total = self.behind(plugin, version).await?.len();
        let rollout = Rollout {
            id: RolloutId::new(),
            plugin: Arc::clone(&wanted.manifest.id),
            version: Arc::clone(&wanted.manifest.version),
            capabilities: consent,
            state: RolloutState::Running,
            total: u32::try_from(total).unwrap_or(u32::MAX),
            done: 0,
            failed: 0,
            by,
            created_at: self.clock.now(),
            finished_at: None,
        };
        if !self.installations.begin(&rollout).await? {
            return Err(InstallError::RollingOut(plugin.to_owned()));
        }
        tokio::spawn(self.clone().carry(rollout.clone()));
        Ok(rollout)
    }

    /// Stops a roll-out after the organizations that are being changed; `false` when it is over.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn stop_rollout(&self, id: RolloutId) -> Result<bool, InstallError> {
        Ok(self.installations.end(id, RolloutState::Stopped).await?)
    }

    /// Goes on with what a restart interrupted.
    pub(super) async fn resume_rollouts(&self) -> Result<(), AppError> {
        for rollout in self.installations.rollouts(true).await? {
            tokio::spawn(self.clone().carry(rollout));
        }
        Ok(())
    }

    /// Who runs an older version and did not pin it, nor failed with this one.
    async fn behind(&self, plugin: &str, version: &str) -> Result<Vec<OrganizationId>, InstallError> {
        let having = self.installations.having(plugin).await?;
        Ok(having.into_iter().filter(|(_, one)| is_behind(one, version)).map(|(id, _)| id).collect())
    }

    async fn carry(self, rollout: Rollout) {
        let (id, plugin) = (rollout.id, Arc::clone(&rollout.plugin));
        match self.carry_through(rollout).await {
            Ok(state) => tracing::info!(rollout = %id, %plugin, state = state.as_str(), "roll-out ended"),
            // It is still running for the control database: the next start goes on with it.
            Err(error) => tracing::error!(rollout = %id, %plugin, %error, "roll-out interrupted"),
        }
    }

    async fn carry_through(&self, rollout: Rollout) -> Result<RolloutState, InstallError> {
        let mut running = JoinSet::new();
        let ended = self.carry_with(Arc::new(rollout), &mut running).await;
        // Dropped, they would stop in the middle.
        while running.join_next().await.is_some() {}
        ended
    }

    async fn carry_with(
        &self,
        rollout: Arc<Rollout>,
        running: &mut JoinSet<Result<(), InstallError>>,
    ) -> Result<RolloutState, InstallError> {
        let (mut done, mut failed) = (rollout.done, rollout.failed);
        let mut waiting = self.behind(&rollout.plugin, &rollout.version).await?.into_iter();
        loop {
            while running.len() < AT_ONCE {
                let Some(organization) = waiting.next() else { break };
                let (app, rollout) = (self.clone(), Arc::clone(&rollout));
                running.spawn(async move { app.bring(organization, &rollout).await });
            }
            let Some(ended) = running.join_next().await else { break };
            done += 1;
            if !matches!(ended, Ok(Ok(()))) {
                failed += 1;
            }
            if !self.installations.advance(rollout.id, done, failed).await? {
                return Ok(RolloutState::Stopped);
            }
            let wanted = self.plugins.version(&rollout.plugin, &rollout.version);
            let paused = wanted.is_none_or(|wanted| wanted.paused_until(self.clock.now()).is_some());
            if paused || failed >= FAILURES && failed.saturating_mul(2) >= done {
                tracing::error!(rollout = %rollout.id, plugin = %rollout.plugin, failed, done, paused, "most organizations fail, or the version was stopped: the roll-out stops");
                self.installations.end(rollout.id, RolloutState::Stopped).await?;
                return Ok(RolloutState::Stopped);
            }
        }
        self.installations.end(rollout.id, RolloutState::Finished).await?;
        Ok(RolloutState::Finished)
    }

    async fn bring(&self, organization: OrganizationId, rollout: &Rollout) -> Result<(), InstallError> {
        let organization = self.organizations.get(organization).await.map_err(AppError::from)?;
        let wanted = (&*rollout.plugin, &*rollout.version);
        let alone = self.alone(organization.id).await;
        // It may have been pinned, switched off or upgraded since the list was made.
        let installations = self.installations.of(organization.id).await?;
        if !installations.iter().any(|one| one.plugin == rollout.plugin && is_behind(one, &rollout.version)) {
            return Ok(());
        }
        let brought =
            self.install_alone(&alone, &organization, wanted, (&rollout.capabilities, rollout.by)).await;
        if let Err(error) = &brought {
            tracing::warn!(rollout = %rollout.id, organization = %organization.slug, %error, "a version was not installed");
        }
        brought.map(drop)
    }
}

/// Whether a roll-out of this version reaches the organization that has this.
fn is_behind(one: &Installation, version: &str) -> bool {
    let failed = one.fault.as_ref().is_some_and(|(tried, _)| tried == version);
    one.enabled && !one.pinned && !failed && super::installing::older(&one.version, version)
}
