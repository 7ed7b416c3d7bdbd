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

/// A component that offers everything, so that it fits any manifest, and does nothing.
pub(crate) fn stand_in() -> Vec<u8> {
    let text = r#"(component
        (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f")))
        (instance $all (export "run" (func $f)) (export "invoke" (func $f)))
        (export "stoa:plugin/hooks@1.0.0" (instance $all))
        (export "stoa:plugin/actions@1.0.0" (instance $all))
        (export "stoa:plugin/reports@1.0.0" (instance $all)))"#;
    wat::parse_str(text).unwrap()
}

pub(crate) fn read(path: &str) -> Vec<u8> {
    std::fs::read(repository(path)).unwrap()
}
