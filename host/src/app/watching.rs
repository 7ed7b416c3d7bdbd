//! What a host looks after beside its requests and jobs: what plugins used is kept, and a version that hangs is taken out.

use std::time::Duration;

use super::{App, AppError};
use crate::ids::OrganizationId;
use crate::plugins::metering::{Metered, Period};

/// How often it is kept what plugins used: what a killed process loses of it.
const KEEP: Duration = Duration::from_secs(60);

impl App {
    /// Looks after these until the process ends.
    pub async fn watch(self) {
        let mut alarms = self.files.alarms();
        let mut minute = tokio::time::interval(KEEP);
        loop {
            tokio::select! {
                _ = minute.tick() => self.keep_usage_or_tell().await,
                alarm = alarms.next() => match alarm {
                    Some((organization, plugin)) => self.quarantine(organization, &plugin).await,
                    None => return,
                },
            }
        }
    }

    /// What plugins used in a period, this moment included.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn usage_of(&self, period: &Period) -> Result<Vec<Metered>, AppError> {
        self.keep_usage().await?;
        Ok(self.metering.figures(period).await?)
    }

    /// Keeps what plugins used until now, whoever stops waiting for it.
    async fn keep_usage(&self) -> Result<(), AppError> {
        let metering = self.metering.clone();
        Ok(tokio::spawn(async move { metering.keep().await }).await??)
    }

    /// For the end of the process, after the last request: keeps what is in memory only, and closes all files.
    pub async fn close(&self) {
        self.keep_usage_or_tell().await;
        self.files.close_all();
    }

    async fn keep_usage_or_tell(&self) {
        if let Err(error) = self.keep_usage().await {
            tracing::error!(%error, "what plugins used cannot be kept; it is tried again");
        }
    }

    /// Takes the version of this plugin that the organization runs out of service in all of them: a statement of it runs
    /// that nothing ends.
    async fn quarantine(&self, organization: OrganizationId, plugin: &str) {
        let entered = match self.organizations.get(organization).await {
            Ok(organization) => self.enter(&organization).await,
            Err(error) => Err(error.into()),
        };
        let entered = match entered {
            Ok(entered) => entered,
            Err(error) => {
                return tracing::error!(%organization, plugin, %error, "whose statement hangs cannot be found");
            }
        };
        if let Some(found) = entered.plugins.iter().find(|one| &*one.manifest.id == plugin) {
            let version = &found.manifest.version;
            tracing::error!(plugin, %version, "taken out of service in all organizations, since a statement of it hangs");
            found.quarantine(self.clock.now());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::clock::Clock;
    use crate::config::{Asking, Config, PublicAddress};
    use crate::organizations::NewOrganization;
    use crate::plugins::tests::{read, stand_in};
    use crate::plugins::{Package, Trust};
    use crate::storage::{PluginMode, PluginSqlError};

    async fn app(data: PathBuf) -> App {
        let address = PublicAddress { origin: "https://crm.test".to_owned(), base_domain: None };
        let config = Config { data, group_commit: 64, breached: None, address, outbound: Asking::default() };
        let package = Package {
            name: "crm".to_owned(),
            manifest: read("plugins/crm/manifest.json").into(),
            component: stand_in().into(),
            sql: b"".into(),
            trust: Trust::Local,
        };
        App::open(&config, vec![package], Clock::system()).await.unwrap()
    }

    #[tokio::test]
    async fn a_version_whose_statement_hangs_is_taken_out_of_service() {
        let folder = tempfile::tempdir().unwrap();
        let app = app(folder.path().to_path_buf()).await;
        let new = NewOrganization {
            slug: "acme".to_owned(),
            name: "Acme".to_owned(),
            zone: "Europe/Vienna".to_owned(),
            locale: "en".to_owned(),
            currency: "EUR".to_owned(),
        };
        let organization = app.organizations.create(new).await.unwrap();
        let entered = app.enter(&organization).await.unwrap();
        let [plugin] = &entered.plugins[..] else { panic!("one plugin") };
        assert_eq!(plugin.paused_until(app.clock.now()), None);

        let watch = tokio::spawn(app.clone().watch());
        // It listens before the statement begins.
        tokio::task::yield_now().await;
        let file = app.records.file(organization.id, entered.modules().first().unwrap()).unwrap();
        let hanging = tokio::task::spawn_blocking({
            let plugin = plugin.clone();
            move || {
                file.read(|connection| {
                    connection.plugin(PluginMode::AsPlugin, "select 1", Duration::from_millis(1), |_| {
                        // As if one step took so long.
                        for _ in 0..1_000 {
                            if plugin.paused_until(Clock::system().now()).is_some() {
                                return Ok(true);
                            }
                            std::thread::sleep(Duration::from_millis(20));
                        }
                        Ok(false)
                    })
                })
            }
        });
        let out: Result<bool, PluginSqlError> = hanging.await.unwrap();
        assert!(out.unwrap(), "while it hangs");
        watch.abort();
    }
}
