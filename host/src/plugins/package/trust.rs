//! How far a package's publisher is trusted, and what that lets a package have. Pure; the table of docs/PLUGINS.md.

use super::PackageFault;
use super::{COMPONENT, MANIFEST, SQL};
use crate::plugins::manifest::Manifest;

/// How far.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Trust {
    /// Part of the binary.
    Core,
    /// A folder of the operator's own.
    Local,
    /// Reviewed by whoever runs the platform.
    Verified,
    /// Of one customer, for itself.
    Private,
    /// Anybody whose key is known.
    Community,
}

/// The most that a package of a level may have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Ceiling {
    /// The permission `records.as-plugin`.
    as_plugin: bool,
    /// SQL texts.
    texts: usize,
    /// Entities.
    entities: usize,
    /// Bytes of the component.
    component: usize,
}

impl Trust {
    /// Every level, the most trusted first.
    pub const ALL: [Self; 5] = [Self::Core, Self::Local, Self::Verified, Self::Private, Self::Community];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Local => "local",
            Self::Verified => "verified",
            Self::Private => "private",
            Self::Community => "community",
        }
    }

    /// The level with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == word)
    }

    const fn ceiling(self) -> Ceiling {
        match self {
            Self::Core | Self::Local | Self::Verified => {
                Ceiling { as_plugin: true, texts: 1_000, entities: 200, component: 8 << 20 }
            }
            Self::Private => Ceiling { as_plugin: true, texts: 500, entities: 100, component: 8 << 20 },
            Self::Community => Ceiling { as_plugin: false, texts: 200, entities: 30, component: 4 << 20 },
        }
    }

    /// Everything that a package has beyond its ceiling.
    pub(super) fn excesses(self, manifest: &Manifest, texts: usize, component: usize) -> Vec<PackageFault> {
        let (ceiling, level) = (self.ceiling(), self.as_str());
        let mut found = Vec::new();
        if manifest.records.may_act_as_plugin && !ceiling.as_plugin {
            let detail = format!("the permission `records.as-plugin` is not for packages of level {level}");
            found.push(PackageFault::new(MANIFEST, detail));
        }
        for (file, what, has, most) in [
            (SQL, "SQL texts", texts, ceiling.texts),
            (MANIFEST, "entities", manifest.records.entities.len(), ceiling.entities),
            (COMPONENT, "bytes", component, ceiling.component),
        ] {
            if has > most {
                let detail = format!("has {has} {what}; a package of level {level} may have {most}");
                found.push(PackageFault::new(file, detail));
            }
        }
        found
    }
}
