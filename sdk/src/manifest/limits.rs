//! What a plugin asks for when the usual limits of a call are too narrow for it, or too wide.

use serde::{Deserialize, Serialize};

/// What one call may use; what is `None` is the usual. How much may be asked for depends on how far the publisher is
/// trusted, and whoever installs the plugin is shown what is above the usual.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Times of a hook.
    #[serde(default, skip_serializing_if = "Times::is_usual")]
    pub hook: Times,
    /// Times of an action.
    #[serde(default, skip_serializing_if = "Times::is_usual")]
    pub action: Times,
    /// Times of a report.
    #[serde(default, skip_serializing_if = "Times::is_usual")]
    pub report: Times,
    /// Memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u32>,
    /// Calls of the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_calls: Option<u32>,
    /// Rows of one SQL result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u32>,
    /// Size of one SQL result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_kib: Option<u32>,
    /// Size of everything that a call logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_kib: Option<u32>,
}

impl Limits {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// Times of one kind of call, in milliseconds.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Times {
    /// In the plugin's own code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<u32>,
    /// Altogether, waiting included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_ms: Option<u32>,
}

impl Times {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}
