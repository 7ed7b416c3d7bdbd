//! What the operator sets, checked at start and handed out by value.

use std::path::PathBuf;

/// Where an installation keeps everything.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder: control database, secrets, one folder for each organization, compiled components.
    pub data: PathBuf,
    /// Write requests per durable commit, at most; 1 commits each by itself (for comparison: `cargo xtask bench writes`).
    pub group_commit: usize,
}

impl Config {
    /// The control database.
    #[must_use]
    pub fn control(&self) -> PathBuf {
        self.data.join("control.sqlite")
    }

    /// Compiled components.
    #[must_use]
    pub fn artifacts(&self) -> PathBuf {
        self.data.join("components")
    }
}
