//! Settings: JSON values that an organization sets for its plugins.
//!
//! What a key means and which values it takes is the plugin's manifest's business; where nothing is set, the manifest's
//! default applies. Nothing secret belongs here: values are stored as they come.

mod error;
mod store;

use std::collections::BTreeMap;
use std::sync::Arc;

use dashmap::DashMap;

use crate::clock::{Clock, UnixMillis};
use crate::ids::OrganizationId;
use crate::storage::ControlPlane;

pub use error::SettingsError;

/// The longest value, in bytes of JSON.
pub const MAX_VALUE: usize = 64 * 1024;

/// Whose settings the host's own are.
pub const HOST: &str = "host";

/// How long [`Settings::held`] answers from memory before the control database is asked again, in milliseconds. Changes
/// by this process are seen at once.
pub const FRESH: UnixMillis = 5_000;

/// Every operation on settings. Cheap to clone.
#[derive(Clone)]
pub struct Settings {
    control: ControlPlane,
    clock: Clock,
    held: Arc<DashMap<OrganizationId, Held>>,
}

#[derive(Clone)]
struct Held {
    values: Arc<BTreeMap<String, String>>,
    read_at: UnixMillis,
}

impl Settings {
    /// Settings in this control database.
    #[must_use]
    pub fn new(control: ControlPlane, clock: Clock) -> Self {
        Self { control, clock, held: Arc::new(DashMap::new()) }
    }

    /// The value as JSON text, if the organization set one.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn get(
        &self,
        organization: OrganizationId,
        plugin: &str,
        key: &str,
    ) -> Result<Option<String>, SettingsError> {
        Ok(store::get(self.control.pool(), organization, plugin, key).await?)
    }

    /// Every value the organization set for the plugin, as JSON text by key.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn all(
        &self,
        organization: OrganizationId,
        plugin: &str,
    ) -> Result<BTreeMap<String, String>, SettingsError> {
        Ok(store::all(self.control.pool(), organization, plugin).await?)
    }

    /// What the organization set for the host itself, which every request asks: from memory. The same values are the same
    /// `Arc`.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn held(
        &self,
        organization: OrganizationId,
    ) -> Result<Arc<BTreeMap<String, String>>, SettingsError> {
        let now = self.clock.now();
        let before = self.held.get(&organization).map(|held| held.clone());
        if let Some(held) = before.as_ref().filter(|held| now.saturating_sub(held.read_at) < FRESH) {
            return Ok(Arc::clone(&held.values));
        }
        let values = self.all(organization, HOST).await?;
        let values = match before {
            Some(held) if *held.values == values => held.values,
            _ => Arc::new(values),
        };
        self.held.insert(organization, Held { values: Arc::clone(&values), read_at: now });
        Ok(values)
    }

    fn forget(&self, organization: OrganizationId, plugin: &str) {
        if plugin == HOST {
            self.held.remove(&organization);
        }
    }

    /// Sets a value, given as JSON text. Whether the manifest knows the key is for the caller to check.
    ///
    /// # Errors
    /// [`SettingsError::InvalidKey`], [`SettingsError::InvalidValue`].
    pub async fn set(
        &self,
        organization: OrganizationId,
        plugin: &str,
        key: &str,
        value: &str,
    ) -> Result<(), SettingsError> {
        if key.is_empty() || key.len() > 128 || key.chars().any(char::is_control) {
            return Err(SettingsError::InvalidKey);
        }
        if value.len() > MAX_VALUE || serde_json::from_str::<&serde_json::value::RawValue>(value).is_err() {
            return Err(SettingsError::InvalidValue);
        }
        store::put(self.control.pool(), organization, (plugin, key, value), self.clock.now()).await?;
        self.forget(organization, plugin);
        Ok(())
    }

    /// Back to the manifest's default; `false` when nothing was set.
    ///
    /// # Errors
    /// Only when the control database fails.
    pub async fn reset(
        &self,
        organization: OrganizationId,
        plugin: &str,
        key: &str,
    ) -> Result<bool, SettingsError> {
        let found = store::delete(self.control.pool(), organization, plugin, key).await?;
        self.forget(organization, plugin);
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::organizations::{NewOrganization, Organizations};

    async fn settings() -> (tempfile::TempDir, Settings, OrganizationId, OrganizationId) {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(0);
        let control = ControlPlane::open(&folder.path().join("control.sqlite")).await.unwrap();
        let organizations = Organizations::new(control.clone(), clock.clone());
        let new = |slug: &str| NewOrganization {
            slug: slug.to_owned(),
            name: slug.to_owned(),
            zone: "UTC".to_owned(),
            locale: "en".to_owned(),
            currency: "EUR".to_owned(),
        };
        let acme = organizations.create(new("acme")).await.unwrap().id;
        let globex = organizations.create(new("globex")).await.unwrap().id;
        (folder, Settings::new(control, clock), acme, globex)
    }

    #[tokio::test]
    async fn a_value_belongs_to_one_organization_and_one_plugin() {
        let (_folder, settings, acme, globex) = settings().await;
        settings.set(acme, "sales", "quota", "1").await.unwrap();
        settings.set(acme, "sales", "quota", r#"{"per":"month"}"#).await.unwrap();

        assert_eq!(settings.get(acme, "sales", "quota").await.unwrap().unwrap(), r#"{"per":"month"}"#);
        assert_eq!(settings.all(acme, "sales").await.unwrap().len(), 1);
        assert!(settings.get(globex, "sales", "quota").await.unwrap().is_none());
        assert!(settings.get(acme, "support", "quota").await.unwrap().is_none());
        assert!(settings.reset(acme, "sales", "quota").await.unwrap());
        assert!(settings.get(acme, "sales", "quota").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_is_held_in_memory_follows_every_change() {
        let (_folder, settings, acme, _) = settings().await;
        let before = settings.held(acme).await.unwrap();
        assert!(before.is_empty() && Arc::ptr_eq(&before, &settings.held(acme).await.unwrap()));
        settings.set(acme, "host", "limits", "{}").await.unwrap();
        assert_eq!(settings.held(acme).await.unwrap()["limits"], "{}");
        settings.reset(acme, "host", "limits").await.unwrap();
        assert!(settings.held(acme).await.unwrap().is_empty());
        store::put(settings.control.pool(), acme, ("host", "x", "1"), 0).await.unwrap();
        assert!(settings.held(acme).await.unwrap().is_empty(), "another process's, a moment later");
        settings.clock.advance(FRESH);
        assert_eq!(settings.held(acme).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_value_is_json_of_bounded_size() {
        let (_folder, settings, acme, _) = settings().await;
        let long = format!("\"{}\"", "a".repeat(MAX_VALUE));
        for bad in ["", "{", "1 2", "nul", &long] {
            let refused = settings.set(acme, "sales", "quota", bad).await;
            assert!(matches!(refused, Err(SettingsError::InvalidValue)));
        }
        assert!(matches!(settings.set(acme, "sales", "", "1").await, Err(SettingsError::InvalidKey)));
    }
}
