//! Where a publisher works: keys, and packages of the guests in the versions that a story needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use stoa_tests::text;
use tempfile::TempDir;

/// A folder of the publisher's own.
pub(crate) struct Desk(TempDir);

impl Desk {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn plugin(&self, words: &[&str]) -> Value {
        let binary = std::env::var_os("STOA_BIN").map_or_else(|| "stoa".into(), PathBuf::from);
        let said =
            Command::new(binary).current_dir(self.0.path()).arg("plugin").args(words).output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        serde_json::from_slice(&said.stdout).unwrap()
    }

    /// A key; answers its public part.
    pub(crate) fn key(&self, name: &str) -> String {
        text(&self.plugin(&["keygen", name, "--json"]), "public_key").to_owned()
    }

    /// The kitchen in this version, signed with this key, its manifest changed so.
    pub(crate) fn package(&self, version: &str, key: &str, change: impl FnOnce(&mut Value)) -> Vec<u8> {
        fs::read(self.package_of("kitchen", version, key, change)).unwrap()
    }

    /// The same of another guest, as a file: `kitchen-1.0.0-acme.stoa`.
    pub(crate) fn package_of(
        &self,
        guest: &str,
        version: &str,
        key: &str,
        change: impl FnOnce(&mut Value),
    ) -> PathBuf {
        let guests =
            std::env::var_os("STOA_GUESTS").unwrap_or_else(|| panic!("`cargo xtask test` builds the guests"));
        let from = Path::new(&guests).join(guest);
        let name = format!("{guest}-{version}-{key}");
        fs::create_dir(self.path(&name)).unwrap();
        for file in ["component.wasm", "sql.json"] {
            fs::copy(from.join(file), self.path(&name).join(file)).unwrap();
        }
        let mut manifest: Value =
            serde_json::from_slice(&fs::read(from.join("manifest.json")).unwrap()).unwrap();
        manifest["version"] = version.into();
        change(&mut manifest);
        fs::write(self.path(&name).join("manifest.json"), manifest.to_string()).unwrap();
        let file = format!("{name}.stoa");
        self.plugin(&["pack", &name, "--publisher", "Acme", "--key", key, "-o", &file, "--json"]);
        self.path(&file)
    }
}

/// One more right for the kitchen than before.
pub(crate) fn more(manifest: &mut Value) {
    let grant = json!({ "role": "readonly", "object": "kitchen.trace", "actions": ["read"], "scope": "org" });
    manifest["grants"].as_array_mut().unwrap().push(grant);
}
