//! How far a package's publisher is trusted, and what that lets a package have. Pure; the table of docs/PLUGINS.md.

use super::PackageFault;
use super::{COMPONENT, MANIFEST, SQL};
use crate::plugins::limits::{Limits, Times};
use crate::plugins::manifest::{Manifest, ManifestFault};

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
    /// What a manifest may ask for in `limits`.
    limits: Limits,
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
            Self::Core | Self::Local | Self::Verified => Ceiling {
                as_plugin: true,
                texts: 1_000,
                entities: 200,
                component: 8 << 20,
                limits: Limits {
                    hook: Times { cpu_ms: 500, wall_ms: 5_000 },
                    action: Times { cpu_ms: 5_000, wall_ms: 30_000 },
                    report: Times { cpu_ms: 5_000, wall_ms: 30_000 },
                    memory_mib: 256,
                    host_calls: 200_000,
                    rows: 50_000,
                    result_kib: 16_384,
                    log_kib: 1_024,
                },
            },
            Self::Private => Ceiling {
                as_plugin: true,
                texts: 500,
                entities: 100,
                component: 8 << 20,
                limits: Limits {
                    hook: Times { cpu_ms: 200, wall_ms: 5_000 },
                    action: Times { cpu_ms: 2_000, wall_ms: 20_000 },
                    report: Times { cpu_ms: 2_000, wall_ms: 20_000 },
                    memory_mib: 128,
                    host_calls: 50_000,
                    rows: 20_000,
                    result_kib: 8_192,
                    log_kib: 1_024,
                },
            },
            Self::Community => Ceiling {
                as_plugin: false,
                texts: 200,
                entities: 30,
                component: 4 << 20,
                limits: Limits {
                    hook: Times { cpu_ms: 100, wall_ms: 2_000 },
                    action: Times { cpu_ms: 400, wall_ms: 10_000 },
                    report: Times { cpu_ms: 400, wall_ms: 10_000 },
                    host_calls: 20_000,
                    ..Limits::USUAL
                },
            },
        }
    }

    /// The most that a manifest of this level may ask for.
    pub(in crate::plugins) const fn limits(self) -> Limits {
        self.ceiling().limits
    }

    /// Every limit that a manifest asks for beyond its ceiling.
    pub(in crate::plugins) fn raised(self, wanted: &Limits) -> Vec<ManifestFault> {
        let level = self.as_str();
        let told = |(name, wanted, most)| ManifestFault {
            pointer: format!("/limits/{name}"),
            detail: format!("asks for {wanted}; a package of level {level} may have {most}"),
        };
        wanted.above(&self.limits()).map(told).collect()
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
