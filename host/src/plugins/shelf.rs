//! Every version of every plugin that this host can run. Which of them an organization runs is decided elsewhere.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use semver::Version;

use super::Plugin;

/// The versions of each plugin, the oldest first. Read at every request and changed by an administrator now and then, so
/// that a change makes a new one.
pub(super) type Versions = BTreeMap<Arc<str>, Vec<Arc<Plugin>>>;

/// The plugins at hand.
#[derive(Default)]
pub(super) struct Shelf(RwLock<Arc<Versions>>);

impl Shelf {
    /// As it is now.
    pub(super) fn now(&self) -> Arc<Versions> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a plugin there, in place of the same version if that is there.
    pub(super) fn put(&self, plugin: Arc<Plugin>) {
        self.change(|versions| {
            let of_it = versions.entry(Arc::clone(&plugin.manifest.id)).or_default();
            of_it.retain(|other| other.manifest.version != plugin.manifest.version);
            of_it.push(plugin);
            of_it.sort_by(|one, other| by_age(one, other));
        });
    }

    /// Takes a version away; whoever holds it finishes what he began.
    pub(super) fn take(&self, id: &str, version: &str) -> Option<Arc<Plugin>> {
        let taken = self.now().get(id).and_then(|all| with_version(all, version).cloned());
        self.change(|versions| {
            if let Some(of_it) = versions.get_mut(id) {
                of_it.retain(|other| &*other.manifest.version != version);
            }
            versions.retain(|_, of_it| !of_it.is_empty());
        });
        taken
    }

    fn change(&self, change: impl FnOnce(&mut Versions)) {
        let mut versions = self.0.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut versions));
    }
}

/// The one with exactly this version.
pub(super) fn with_version<'a>(all: &'a [Arc<Plugin>], version: &str) -> Option<&'a Arc<Plugin>> {
    all.iter().find(|plugin| &*plugin.manifest.version == version)
}

/// By semantic version.
fn by_age(one: &Plugin, other: &Plugin) -> Ordering {
    let version = |plugin: &Plugin| Version::parse(&plugin.manifest.version).ok();
    version(one).cmp(&version(other))
}
