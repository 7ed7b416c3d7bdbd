//! An author writes a plugin outside this repository: the tour of `docs/PLUGINS.md`, command by command, and what the commands
//! refuse.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use stoa_testkit::Host;
use tempfile::TempDir;

const DOCUMENT: &str = include_str!("../../docs/PLUGINS.md");
const TOUR: &str = "## From nothing to an installed, licensed, signed plugin in ten minutes\n";

/// The binary; the author's commands know no data folder.
fn binary() -> PathBuf {
    std::env::var_os("STOA_BIN").map_or_else(|| "stoa".into(), PathBuf::from)
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// An author's own folder, with the toolchain of this repository and dependencies that are compiled once for all stories.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, program: &Path) -> Command {
        let channel = fs::read_to_string(repository().join("rust-toolchain.toml")).unwrap();
        let channel = channel.split('"').nth(1).unwrap();
        let authors = binary().ancestors().nth(2).unwrap_or(Path::new("target")).join("authors");
        let mut command = Command::new(program);
        command.current_dir(self.0.path()).env("CARGO_TARGET_DIR", authors);
        command.env("RUSTUP_TOOLCHAIN", channel).env_remove("STOA_EMBED_PLUGINS");
        command
    }

    /// `stoa plugin` with words.
    fn plugin(&self, words: &str) -> Output {
        self.command(&binary()).arg("plugin").args(words.split(' ')).output().unwrap()
    }

    /// A new project with the SDK of this repository, and its versions of everything else.
    fn project(&self, name: &str) {
        let sdk = repository().join("sdk");
        ok(&self.plugin(&format!("new {name} --sdk {}", sdk.display())));
        fs::copy(repository().join("Cargo.lock"), self.path(name).join("Cargo.lock")).unwrap();
    }
}

fn ok(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out.into_owned()
}

fn refused(output: &Output, words: &[&str]) {
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let said = String::from_utf8_lossy(&output.stderr);
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
}

/// The commands of the tour.
fn tour() -> Vec<&'static str> {
    let (_, tour) = DOCUMENT.split_once(TOUR).unwrap();
    let (tour, _) = tour.split_once("\n## ").unwrap();
    tour.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap()).collect()
}

/// Addresses on this machine that nobody had just now.
fn free(count: usize) -> Vec<String> {
    let listeners: Vec<TcpListener> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap().to_string()).collect()
}

#[test]
fn the_tour_of_the_documentation_leads_to_a_served_plugin() {
    let desk = Desk::new();
    // A data folder whose first-party components are compiled.
    let mut host = Host::start();
    host.stop();
    host.save(&desk.path("data")).unwrap();
    let blocks = tour();
    assert!(blocks.len() >= 5, "{blocks:?}");
    let addresses = free(3);
    // `stoa` as the author has it on the path; the published SDK is this repository's.
    fs::create_dir(desk.path("bin")).unwrap();
    let (sdk, lock) = (repository().join("sdk"), repository().join("Cargo.lock"));
    let wrapper = format!(
        "#!/bin/sh\nif [ \"$1 $2\" = 'plugin new' ]; then '{0}' \"$@\" --sdk '{1}' && cp '{2}' \"$3/\"; exit; fi\nexec '{0}' \"$@\"\n",
        binary().display(),
        sdk.display(),
        lock.display()
    );
    fs::write(desk.path("bin/stoa"), wrapper).unwrap();
    fs::set_permissions(desk.path("bin/stoa"), fs::Permissions::from_mode(0o755)).unwrap();
    let asked = "echo \"KNOWN $(api $ACME/notes/reports/known)\"\necho \"OPENAPI $(api ${ACME%/api/v1}/openapi.json)\"";
    let script =
        format!("set -eo pipefail\ntrap 'kill $(jobs -p)' EXIT\n{}\necho\n{asked}\n", blocks.concat());
    let script = script.replace("127.0.0.1:8080", &addresses[0]).replace("127.0.0.1:9090", &addresses[1]);
    let path = format!("{}:{}", desk.path("bin").display(), std::env::var("PATH").unwrap());
    let mut bash = desk.command(Path::new("bash"));
    bash.args(["-c", &script]).env("PATH", path).env("STOA_DATA", desk.path("data"));
    bash.env("STOA_LISTEN", &addresses[0]).env("STOA_OPS_LISTEN", &addresses[1]);
    bash.env("STOA_PLATFORM_LISTEN", &addresses[2]);
    let said = ok(&bash.output().unwrap());
    let line = |word: &str| -> Value {
        let line = said.lines().find_map(|line| line.strip_prefix(word)).unwrap_or_else(|| panic!("{said}"));
        serde_json::from_str(line).unwrap()
    };
    let known = line("KNOWN ");
    assert!(known.to_string().contains("Initech"), "{known}");
    let document = line("OPENAPI ");
    assert!(
        document["paths"].as_object().unwrap().keys().any(|path| path.ends_with("/notes/notes/{id}/pin"))
    );
}

#[test]
fn a_project_is_never_overwritten_and_what_is_wrong_is_said() {
    let desk = Desk::new();
    desk.project("visits");
    refused(&desk.plugin("new visits"), &["visits is there already"]);
    for name in ["Visits", "9lives", "host", "users", "a-b"] {
        refused(&desk.plugin(&format!("new {name}")), &[name, "cannot be a plugin's id"]);
        assert!(!desk.path(name).exists());
    }
    refused(&desk.plugin("new other --sdk visits/src"), &["is not the folder of the SDK"]);
    assert!(!desk.path("other").exists());
    // The compiler's words, and nothing in place of what was built before.
    let built: Value = serde_json::from_str(&ok(&desk.plugin("build visits --json"))).unwrap();
    assert_eq!((&built["plugin"], &built["manifest_changed"]), (&"visits".into(), &true.into()));
    let folder = PathBuf::from(built["folder"].as_str().unwrap());
    let before = fs::read(folder.join("component.wasm")).unwrap();
    let sql: Value = serde_json::from_slice(&fs::read(folder.join("sql.json")).unwrap()).unwrap();
    assert_eq!(sql["texts"][0]["kind"], "read");
    let source = desk.path("visits/src/lib.rs");
    let good = fs::read_to_string(&source).unwrap();
    fs::write(&source, good.replace("note.pinned = true", "note.pinned = 1")).unwrap();
    refused(&desk.plugin("build visits"), &["mismatched types", "did not succeed"]);
    assert_eq!(fs::read(folder.join("component.wasm")).unwrap(), before);
    // What only a host knows is said by `check`.
    fs::write(&source, good.replace("visible_note", "visible_nothing")).unwrap();
    refused(&desk.plugin("check visits"), &["sql.json", "visible_nothing"]);
    let library = fs::read_to_string(desk.path("visits/Cargo.toml")).unwrap();
    fs::write(desk.path("visits/Cargo.toml"), library.replace("\"cdylib\", ", "")).unwrap();
    refused(&desk.plugin("build visits"), &["is no plugin", "cdylib"]);
}
