//! Programs that others wrote and stories drive: installed once for each version of their lock file.

use std::path::{Path, PathBuf};

/// The folder with these scripts of `tests/{name}` and what they need, in `target/{name}`.
pub(crate) fn installed(name: &str, scripts: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    stoa_tests::npm::installed(&folder, name, scripts).unwrap()
}
