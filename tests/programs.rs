//! Programs that others wrote and stories drive: installed once for each version of their lock file.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// One story installs, the others wait.
static INSTALLING: Mutex<()> = Mutex::new(());

/// The folder with these scripts of `tests/{name}` and what they need, in `target/{name}`.
pub(crate) fn installed(name: &str, scripts: &[&str]) -> PathBuf {
    let _alone = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let here = folder.parent().and_then(Path::parent).unwrap().join("target").join(name);
    std::fs::create_dir_all(&here).unwrap();
    let lock = "package-lock.json";
    let wanted = std::fs::read(folder.join(lock)).unwrap();
    let done = here.join("node_modules").join("installed");
    for file in ["package.json", lock].iter().chain(scripts) {
        std::fs::copy(folder.join(file), here.join(file)).unwrap();
    }
    if std::fs::read(&done).is_ok_and(|installed| installed == wanted) {
        return here;
    }
    let output = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .current_dir(&here)
        .output()
        .unwrap_or_else(|error| panic!("Node 20 or later is needed (`npm`): {error}"));
    assert!(output.status.success(), "npm ci: {}", String::from_utf8_lossy(&output.stderr));
    std::fs::write(done, wanted).unwrap();
    here
}
