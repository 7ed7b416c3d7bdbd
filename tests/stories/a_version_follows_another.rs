//! `stoa plugin test` upgrades and rolls back with an earlier version, made up or named, and tells which one does not fit.
//!
//! The plugin is `plugins/examples/notes`; its package lies in the folder named by `STOA_GUESTS`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Packages of the plugin, as folders.
struct Desk {
    folder: TempDir,
    notes: PathBuf,
}

impl Desk {
    fn new() -> Option<Self> {
        let notes = std::env::var_os("STOA_GUESTS").map(|guests| Path::new(&guests).join("notes"));
        let notes = notes.filter(|notes| notes.is_dir());
        if notes.is_none() {
            println!("skipped: STOA_GUESTS names no packages; `cargo xtask test` builds them");
        }
        Some(Self { folder: tempfile::tempdir().unwrap(), notes: notes? })
    }

    /// The plugin with its manifest changed so.
    fn put(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let to = self.folder.path().join(name);
        fs::create_dir(&to).unwrap();
        for file in ["component.wasm", "sql.json"] {
            fs::copy(self.notes.join(file), to.join(file)).unwrap();
        }
        let manifest = fs::read(self.notes.join("manifest.json")).unwrap();
        let mut manifest: Value = serde_json::from_slice(&manifest).unwrap();
        change(&mut manifest);
        fs::write(to.join("manifest.json"), manifest.to_string()).unwrap();
    }

    fn test(&self, words: &str) -> Output {
        let binary =
            std::env::var_os("STOA_BIN").unwrap_or_else(|| panic!("`cargo xtask test` sets STOA_BIN"));
        let mut command = Command::new(binary);
        command.args(["plugin", "test"]).args(words.split_whitespace());
        command.current_dir(self.folder.path()).output().unwrap()
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The fields of the first entity.
fn fields(manifest: &mut Value) -> &mut Vec<Value> {
    manifest["entities"][0]["fields"].as_array_mut().unwrap()
}

#[test]
fn a_version_takes_over_from_an_earlier_one_and_gives_back_or_hears_why_not() {
    let Some(desk) = Desk::new() else { return };
    let stars = json!({ "key": "stars", "type": "integer", "label": "Stars" });
    desk.put("now", |manifest| fields(manifest).push(stars));
    desk.put("before", |manifest| {
        manifest["version"] = "0.0.9".into();
        fields(manifest).retain(|field| field["key"] != "pinned");
    });
    // What was a number is a text now: no upgrade can do that.
    desk.put("other", |manifest| {
        manifest["version"] = "0.0.9".into();
        fields(manifest).push(json!({ "key": "stars", "type": "text", "label": "Stars" }));
    });
    desk.put("later", |manifest| manifest["version"] = "9.0.0".into());

    let made_up = desk.test("now");
    assert!(made_up.status.success(), "{}", said(&made_up));
    let line = "ok      after a version without `note.stars`, an upgrade and a roll-back keep";
    assert!(said(&made_up).contains(line), "{}", said(&made_up));
    assert!(said(&made_up).contains("ok      two organizations see nothing of each other"));

    let named = desk.test("now --from before");
    assert!(named.status.success(), "{}", said(&named));
    assert!(
        said(&named).contains("ok      after 0.0.9, an upgrade and a roll-back keep"),
        "{}",
        said(&named)
    );

    let unfit = desk.test("now --from other");
    assert!(!unfit.status.success());
    assert!(
        said(&unfit).contains("FAILED  after 0.0.9,") && said(&unfit).contains("cannot be installed"),
        "{}",
        said(&unfit)
    );

    let later = desk.test("now --from later");
    assert!(!later.status.success() && said(&later).contains("is no earlier version"), "{}", said(&later));
}
