//! An author writes a plugin outside this repository: the tour of `docs/PLUGINS.md`, command by command, and what the commands
//! refuse.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::Duration;

use serde_json::{Value, json};
use stoa_testkit::{Client, Host, Setup, wait_for};
use tempfile::TempDir;

const DOCUMENT: &str = include_str!("../../docs/PLUGINS.md");
/// Long, because dependencies are compiled once.
const LIMIT: Duration = Duration::from_secs(300);
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
    assert!(blocks.len() >= 8, "{blocks:?}");
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
    let asked = "echo \"KNOWN $(api $ACME/notes/reports/known)\"
echo \"OPENAPI $(api ${ACME%/api/v1}/openapi.json)\"
echo \"INSTALLED $(stoa plugin installed --org acme --json)\"
echo \"LISTED $(stoa plugin show notes --json)\"";
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
    assert_eq!(known["rows"][0]["notes"], 1, "{known}");
    let document = line("OPENAPI ");
    assert!(
        document["paths"].as_object().unwrap().keys().any(|path| path.ends_with("/notes/notes/{id}/pin"))
    );
    // Installed by consent and licensed, from the catalogue, signed by the publisher who is trusted.
    let installed = line("INSTALLED ");
    let notes = installed["data"].as_array().unwrap().iter().find(|one| one["plugin"] == "notes").unwrap();
    assert_eq!((&notes["chosen"], &notes["licensed"]), (&json!(true), &json!(true)), "{notes}");
    let listed = line("LISTED ");
    let key: Value = serde_json::from_slice(&fs::read(desk.path("acme.pub.json")).unwrap()).unwrap();
    let version = &listed["versions"][0];
    assert_eq!((&version["publisher"], &version["key"]), (&json!("acme"), &key["key_id"]), "{version}");
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

#[test]
fn every_plugin_passes_the_battery_or_hears_why_not() {
    let desk = Desk::new();
    desk.project("calls");
    let tested = |words: &str| desk.plugin(&format!("test calls{words}"));
    let said = ok(&tested(""));
    for line in [
        "ok      calls.note is created, read, listed, changed",
        "ok      calls.note is deleted, restored, purged, and leaves nothing",
        "ok      calls.note is filtered by its fields",
        "ok      calls.note goes out as a file and comes in again",
        "ok      calls.note comes in bulk, 1,000 rows at once",
        "ok      two organizations see nothing of each other",
        "ok      after the same under a lower version, an upgrade and a roll-back keep what each version wrote",
        "used    report ",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(said.contains(" of 200,") && !said.contains("FAILED"), "{said}");
    // A rule of the plugin that the document does not know: the author says what a good value is.
    let source = desk.path("calls/src/lib.rs");
    let good = fs::read_to_string(&source).unwrap();
    let strict =
        good.replace("title = \"text\")", "title = \"text\", hooks(before_create = polite))").replace(
            "/// `POST",
            "fn polite(_: &Context, drafts: &mut [Draft<Note>]) -> Result<()> {
    for draft in drafts.iter_mut().filter(|draft| !draft.text.starts_with(\"Dear\")) {
        draft.refuse(\"/text\", \"impolite\", \"begin with Dear\");
    }
    Ok(())
}

/// `POST",
        );
    fs::write(&source, &strict).unwrap();
    fs::write(desk.path("calls/src/tests.rs"), "").unwrap();
    let refused = tested(" --json");
    assert!(!refused.status.success());
    let report: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert!(report["failed"].as_u64().unwrap() > 3 && report.to_string().contains("impolite"), "{report}");
    fs::create_dir(desk.path("calls/tests")).unwrap();
    fs::write(desk.path("calls/tests/examples.json"), r#"{"calls.note": {"text": "Dear all"}}"#).unwrap();
    let said = ok(&tested(""));
    assert!(said.contains("used    hook "), "{said}");
    // A rule that spins is stopped by the host, and the line has the code that callers get.
    fs::write(
        &source,
        strict
            .replace(
                "draft.refuse(",
                "loop { std::hint::black_box(0); } #[allow(unreachable_code)] draft.refuse(",
            )
            .replace("!draft", "draft"),
    )
    .unwrap();
    let report = tested(" --json");
    assert!(!report.status.success() && String::from_utf8_lossy(&report.stdout).contains("plugin_cpu_limit"));
    // The author's own tests come first.
    fs::write(&source, good).unwrap();
    fs::write(desk.path("calls/src/tests.rs"), "#[test]\nfn fails() { assert!(false) }\n").unwrap();
    let failed = tested("");
    assert!(!failed.status.success() && !String::from_utf8_lossy(&failed.stdout).contains("checks, "));
}

#[test]
fn a_change_is_swapped_into_the_running_host_and_a_bad_one_is_not() {
    let desk = Desk::new();
    desk.project("trips");
    let address = free(1).remove(0);
    let log = File::create(desk.path("log")).unwrap();
    let mut command = desk.command(&binary());
    command.args(["plugin", "dev", "trips", "--listen", &address, "--data"]).arg(desk.path("data"));
    command.stdout(log.try_clone().unwrap()).stderr(log);
    let dev = Running(command.spawn().unwrap());
    let log = || fs::read_to_string(desk.path("log")).unwrap();
    let said = |what: &str| wait_for(what, LIMIT, || log().contains(what).then(log));
    let started = said("Following ");
    let key = started.lines().find_map(|line| line.trim().strip_prefix("API key")).unwrap().trim();
    let demo = Client::new(&address, "/t/demo", Some(key));
    let note = demo.post("/api/v1/trips/notes", &json!({ "text": "Pack" })).created();
    let pin = format!("/api/v1/trips/notes/{}/pin", note["id"].as_str().unwrap());
    demo.post(&pin, &json!({})).ok();
    demo.post(&pin, &json!({})).problem(409, "already_pinned");
    // A rule and a field more: the data stays.
    let source = desk.path("trips/src/lib.rs");
    let good = fs::read_to_string(&source).unwrap();
    let next = good
        .replace("already_pinned", "pinned_before")
        .replace("    pinned: bool,", "    pinned: bool,\n    hotel: Option<String>,");
    fs::write(desk.path("trips/src/tests.rs"), "").unwrap();
    fs::write(&source, &next).unwrap();
    let swapped = said("Swapped trips 0.1.0, ");
    let (_, took) = swapped.split_once("Swapped trips 0.1.0, ").unwrap();
    println!("swapped after {took}");
    demo.post(&pin, &json!({})).problem(409, "pinned_before");
    let path = format!("/api/v1/trips/notes/{}", note["id"].as_str().unwrap());
    assert_eq!(demo.patch(&path, &json!({ "hotel": "Sacher" })).ok()["text"], "Pack");
    // What does not compile changes nothing.
    fs::write(&source, next.replace("hotel: Option<String>,", "hotel: Option<Strin>,")).unwrap();
    let refused = said("Refused; the version before keeps running");
    assert!(refused.contains("cannot find type `Strin`"), "{refused}");
    demo.post(&pin, &json!({})).problem(409, "pinned_before");
    // Nor what the data does not fit.
    fs::write(&source, next.replace("hotel: Option<String>,", "hotel: Option<i64>,")).unwrap();
    wait_for("a second refusal", LIMIT, || (log().matches("Refused; ").count() == 2).then_some(()));
    assert_eq!(demo.get(&path).ok()["hotel"], "Sacher", "{}", log());
    drop(dev);
}

/// Ended with the story.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_test_moves_the_clock_of_its_own_host_and_of_no_other() {
    const MONDAY: i64 = 1_772_442_000_000;
    let mut host = Setup::default().at(MONDAY).start();
    let owner = host.organization("acme", &[]).owner();
    let made = |name: &str| {
        let account = owner.post("/api/v1/crm/accounts", &json!({ "name": name })).created();
        account["created_at"].as_str().unwrap().to_owned()
    };
    assert_eq!(made("Initech"), "2026-03-02T09:00:00.000Z");
    host.advance(Duration::from_secs(36 * 3_600));
    assert_eq!(made("Globex"), "2026-03-03T21:00:00.000Z");
    host.stop();
    // What a real host has served is not for tests.
    let mut real = Host::start();
    real.stop();
    let answer = real.cli(&["plugin", "stage", "--at", "0"]);
    assert!(!answer.succeeded && answer.stderr.contains("a real clock"), "{}", answer.stderr);
    let answer = real.cli(&["serve", "--at", "0"]);
    assert!(!answer.succeeded && answer.stderr.contains("--at"), "{}", answer.stderr);
}
