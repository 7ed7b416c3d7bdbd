//! Packages as they come: manifests with faults, components that are none, artifacts that somebody touched.

mod manifests;
mod packages;
mod sql;
mod views;

use std::path::{Path, PathBuf};

/// A file of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

pub(in crate::plugins) fn read(path: &str) -> Vec<u8> {
    std::fs::read(repository(path)).unwrap()
}
