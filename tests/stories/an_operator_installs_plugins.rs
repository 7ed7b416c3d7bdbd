//! An operator trusts, publishes, installs, stops and takes away by command, whether or not a host runs; the commands of the
//! manual are true; and whatever is wrong is told with what to do, and changes nothing.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use stoa_testkit::{Client, Host};
use stoa_tests::text;

use super::a_package_is_published::{Desk, more};
use crate::staff::claim;

const MANUAL: &str = include_str!("../../docs/OPERATIONS.md");

/// What a command said.
struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Said {
    #[track_caller]
    fn ok(&self) -> &str {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        &self.stdout
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(self.ok()).unwrap()
    }

    #[track_caller]
    fn tells(&self, words: &[&str]) {
        let said = self.ok();
        words.iter().for_each(|word| assert!(said.contains(word), "{word}: {said}"));
    }

    /// Refused with this exit code, in these words, and nothing on standard output.
    #[track_caller]
    fn refused(&self, code: i32, words: &[&str]) {
        let said = &self.stderr;
        assert_eq!((self.code, &*self.stdout), (Some(code), ""), "{said}");
        assert!(!said.contains("panicked"), "{said}");
        words.iter().for_each(|word| assert!(said.contains(word), "{word}: {said}"));
    }
}

fn binary() -> PathBuf {
    std::env::var_os("STOA_BIN").map_or_else(|| "stoa".into(), PathBuf::from)
}

/// Whoever may open the socket of a host's folder.
struct Operator {
    data: PathBuf,
    desk: Desk,
}

impl Operator {
    fn of(host: &Host) -> Self {
        Self { data: host.data(), desk: Desk::new() }
    }

    /// `stoa` with words; one that starts with `@` is a file of the desk.
    fn stoa(&self, words: &str) -> Said {
        let word = |word: &str| match word.strip_prefix('@') {
            Some(name) => self.desk.path(name).to_string_lossy().into_owned(),
            None => word.to_owned(),
        };
        let mut command = Command::new(binary());
        let output = command.args(words.split(' ').map(word)).arg("--data").arg(&self.data).output().unwrap();
        Said {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn plugin(&self, words: &str) -> Said {
        self.stoa(&format!("plugin {words}"))
    }

    /// The kitchen, published by a publisher of this name, who is verified.
    fn published(&self, publisher: &str, version: &str, change: impl FnOnce(&mut Value)) -> Value {
        self.desk.package(version, publisher, change);
        self.plugin(&format!("publish @kitchen-{version}-{publisher}.stoa --json")).json()
    }

    fn trusted(&self, publisher: &str) -> Value {
        let key = self.desk.key(publisher);
        self.plugin(&format!("trust {publisher} --public-key {key} --level verified --json")).json()
    }

    /// Everything that the commands can change.
    fn all(&self, organization: &str) -> [Value; 4] {
        let kept = fs::read_dir(self.data.join("plugins")).map_or(0, Iterator::count);
        [
            self.plugin("publishers --json").json(),
            self.plugin("list --json").json(),
            self.plugin(&format!("installed --org {organization} --json")).json(),
            kept.into(),
        ]
    }
}

/// Off and on, pinned and not.
fn switched(operator: &Operator, owner: &Client) {
    operator.plugin("disable kitchen --org customer").tells(&["kitchen in customer is off"]);
    owner.get("/api/v1/kitchen/menus").problem(403, "plugin_disabled");
    operator.plugin("enable kitchen --org customer").ok();
    operator.plugin("pin kitchen --org customer").ok();
    operator.plugin("installed --org customer").tells(&["pinned, newest is 1.1.0"]);
    assert_eq!(operator.plugin("unpin kitchen --org customer --json").json()["pinned"], false);
}

#[test]
fn a_plugin_is_published_installed_stopped_and_taken_away_by_command() {
    let host = Host::start();
    let operator = Operator::of(&host);
    let key = text(&operator.trusted("acme")["keys"][0], "id").to_owned();
    let customer = host.organization("customer", &["sales"]);
    let owner = customer.owner();

    operator.desk.package("1.0.0", "acme", |_| ());
    let file = "@kitchen-1.0.0-acme.stoa";
    operator.plugin(&format!("publish {file} --dry-run")).tells(&["kitchen 1.0.0", "Nothing was kept"]);
    operator.plugin("show kitchen").refused(1, &["no plugin `kitchen`", "stoa plugin list"]);
    operator.plugin(&format!("publish {file}")).tells(&["signed by acme", &key, "stoa plugin install"]);
    operator.plugin("list").tells(&["kitchen", "verified", "core"]);

    // It is shown what there is to agree to; without agreeing, nothing happens.
    operator
        .plugin("install kitchen --org customer --dry-run")
        .tells(&["could not before: permission:records.as-plugin", "new: dish.name"]);
    let asked = operator.plugin("install kitchen --org customer");
    asked.refused(1, &["permission:records.as-plugin", "Nothing was installed", "--consent"]);
    operator.plugin("upgrade kitchen --org customer").refused(1, &["does not have", "stoa plugin install"]);
    let installed = operator.plugin("install kitchen --org customer --consent");
    installed.tells(&["customer has kitchen 1.0.0 now", "stoa license customer kitchen"]);
    operator.plugin("installed --org customer").tells(&["kitchen", "on, not licensed"]);
    owner.get("/api/v1/kitchen/menus").problem(403, "license_required");
    operator.stoa("license customer kitchen").ok();
    owner.get("/api/v1/kitchen/menus").ok();

    operator.published("acme", "1.1.0", more);
    let asked = operator.plugin("upgrade kitchen --org customer");
    asked.refused(1, &["grant:readonly:kitchen.trace:read:org"]);
    assert!(!asked.stderr.contains("permission:"), "that was agreed to before: {}", asked.stderr);
    operator.plugin("upgrade kitchen --org customer --consent").tells(&["1.1.0 now, instead of 1.0.0"]);
    operator.plugin("upgrade kitchen --org customer").tells(&["has kitchen 1.1.0 already"]);
    let older = operator.plugin("upgrade kitchen@1.0.0 --org customer");
    older.refused(1, &["newer than 1.0.0", "stoa plugin rollback"]);
    operator.plugin("rollback kitchen --org customer").tells(&["back in version 1.0.0"]);
    operator.plugin("rollback kitchen --org customer").refused(1, &["no earlier version", "ID@VERSION"]);

    switched(&operator, &owner);

    // In use, and stopped; another version serves what is there.
    let killed = operator.plugin("kill kitchen 1.0.0 --reason slow");
    killed.tells(&["installed in 1 organization", "stoa plugin revive kitchen 1.0.0"]);
    owner.get("/api/v1/kitchen/menus").problem(503, "plugin_stopped");
    operator.plugin("installed --org customer").tells(&["on, its version is stopped"]);
    operator.plugin("show kitchen").tells(&["kitchen 1.0.0: stopped: slow\n  installed in 1 organization"]);
    operator.plugin("install kitchen@1.0.0 --org customer --consent").refused(1, &["at hand: 1.1.0"]);
    operator.plugin("install kitchen --org customer --consent").tells(&["1.1.0 now"]);
    owner.get("/api/v1/kitchen/menus").ok();
    operator.plugin("revive kitchen 1.0.0").tells(&["kitchen 1.0.0: runs"]);

    let gone = operator.plugin("uninstall kitchen --org customer --json").json();
    assert!(text(&gone, "archived").contains("kitchen"), "{gone}");
    owner.get("/api/v1/kitchen/menus").expect(404);
    operator.plugin(&format!("revoke acme {key}")).tells(&["revoked", "Nothing that"]);
    operator.plugin("publishers").tells(&["acme", &key, "revoked"]);
    operator
        .plugin("revive kitchen 1.0.0")
        .refused(1, &["nobody whom this installation trusts", "stoa plugin trust"]);

    // What the operator did is in the platform's log.
    let staff = claim(&host).client;
    let events = staff.get("/admin/v1/security/events?action=kill_plugin_version").ok();
    let event = &events["data"][0];
    assert_eq!(
        [&event["admin_name"], &event["target"], &event["address"], &event["outcome"]],
        [&json!("Operator"), &json!("kitchen 1.0.0"), &json!("local socket"), &json!("done")]
    );
}

#[test]
fn commands_on_plugins_work_while_no_host_runs() {
    let mut host = Host::start();
    let token = host.organization("customer", &[]).api_key().to_owned();
    host.stop();
    let operator = Operator::of(&host);
    operator.trusted("acme");
    operator.published("acme", "1.0.0", |_| ());
    operator.plugin("install kitchen --org customer --consent").ok();
    operator.stoa("license customer kitchen").ok();
    operator.plugin("installed --org customer").tells(&["kitchen", "1.0.0", "on"]);
    host.restart();
    Client::new(host.address(), "/t/customer", Some(&token)).get("/api/v1/kitchen/menus").ok();
}

#[test]
fn what_is_wrong_is_told_and_nothing_is_half_done() {
    let host = Host::start();
    let operator = Operator::of(&host);
    let _customer = host.organization("customer", &["sales"]);
    operator.trusted("acme");
    operator.published("acme", "1.0.0", |_| ());
    let (globex, stranger) = (operator.desk.key("globex"), operator.desk.key("stranger"));
    operator.plugin(&format!("trust globex --public-key {globex} --level community")).ok();
    let before = operator.all("customer");
    let refused = |words: &str, code: i32, told: &[&str]| operator.plugin(words).refused(code, told);

    // Whom to trust.
    refused("trust other --public-key short --level private", 2, &["32 bytes in base64", "keygen"]);
    refused(&format!("trust other --public-key {stranger} --level core"), 2, &["community"]);
    refused(&format!("trust Other --public-key {stranger} --level private"), 1, &["id: The text must match"]);
    refused(&format!("trust other --public-key {stranger}"), 1, &["no publisher `other`", "--level"]);
    refused(&format!("trust other --public-key {globex} --level private"), 1, &["taken", "publishers"]);
    refused(&format!("trust acme --public-key {stranger} --level private"), 1, &["taken"]);
    refused("revoke acme 0123456789", 1, &["no key `0123456789`", "stoa plugin publishers"]);
    refused("revoke nobody 0123456789", 1, &["no key"]);
    refused("revoke ../x 0123456789", 2, &["letters, digits"]);

    // What to publish.
    refused("publish @nothing.stoa", 1, &["nothing.stoa", "No such file"]);
    fs::write(operator.desk.path("letter.stoa"), "Dear all").unwrap();
    refused("publish @letter.stoa", 1, &["refused", "stoa plugin check"]);
    fs::write(operator.desk.path("huge.stoa"), vec![0; (16 << 20) + 1]).unwrap();
    refused("publish @huge.stoa", 1, &["larger than 16777216 bytes"]);
    let mut bytes = fs::read(operator.desk.path("kitchen-1.0.0-acme.stoa")).unwrap();
    let at = bytes.windows(8).position(|bytes| bytes == b"\0asm\x0d\0\x01\0").unwrap();
    bytes[at + 2_000] ^= 1;
    fs::write(operator.desk.path("changed.stoa"), bytes).unwrap();
    refused("publish @changed.stoa", 1, &["component.wasm", "is not what index.json says"]);
    operator.desk.package("1.1.0", "stranger", |_| ());
    refused("publish @kitchen-1.1.0-stranger.stoa", 1, &["nobody whom", "stoa plugin trust"]);
    refused("publish @kitchen-1.1.0-stranger.stoa --dry-run", 1, &["nobody whom"]);
    operator.desk.package("1.1.0", "globex", |_| ());
    refused("publish @kitchen-1.1.0-globex.stoa", 1, &["belongs to", "acme"]);
    fs::rename(operator.desk.path("acme"), operator.desk.path("same")).unwrap();
    operator.desk.package("1.0.0", "same", more);
    refused("publish @kitchen-1.0.0-same.stoa", 1, &["published before with other bytes"]);

    // What to look at and to stop.
    refused("show nothing", 1, &["no plugin `nothing`"]);
    refused("kill kitchen 9.0.0 --reason x", 1, &["9.0.0", "stoa plugin list"]);
    refused("kill kitchen 1.0.0", 2, &["--reason"]);
    refused("kill kitchen 1.0.0 --reason ", 1, &["reason: "]);
    refused("kill crm 0.1.0 --reason x", 1, &["does not have version 0.1.0 of `crm`"]);
    refused("revive kitchen 9.0.0", 1, &["9.0.0"]);

    // What to install, and where.
    refused("install nothing --org customer --consent", 1, &["no plugin `nothing`", "stoa plugin publish"]);
    refused("install kitchen@9.0.0 --org customer --consent", 1, &["at hand: 1.0.0"]);
    refused("install kitchen --org nobody --consent", 1, &["no organization `nobody`", "stoa org list"]);
    refused("install kitchen --org ../customer --consent", 1, &["no organization"]);
    refused("install kitchen --consent", 2, &["--org"]);
    refused("install kitchen --org customer --json", 1, &["--consent"]);
    refused("upgrade kitchen --org customer --consent", 1, &["does not have"]);
    for word in ["rollback", "enable", "disable", "pin", "unpin", "uninstall"] {
        refused(&format!("{word} kitchen --org customer"), 1, &["does not have", "stoa plugin installed"]);
        refused(&format!("{word} kitchen --org nobody"), 1, &["no organization"]);
    }
    refused("disable crm --org customer", 1, &["need `crm`", "sales"]);
    refused("uninstall crm --org customer", 1, &["disable it instead"]);
    refused("installed --org nobody", 1, &["no organization"]);
    assert_eq!(operator.all("customer"), before, "nothing of all that was done");
}

#[test]
fn a_terminal_is_asked_for_consent() {
    let mut host = Host::start();
    let _customer = host.organization("customer", &[]);
    host.stop();
    let operator = Operator::of(&host);
    operator.trusted("acme");
    operator.published("acme", "1.0.0", |_| ());
    let answered = |answer: &str| {
        let (binary, data) = (binary(), operator.data.display());
        let install = format!("{} plugin install kitchen --org customer --data {data}", binary.display());
        let mut terminal = Command::new("script");
        terminal.args(["-qec", &install, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = terminal.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        writeln!(input, "{answer}").unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, said) = answered("n");
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("permission:records.as-plugin") && said.contains("nothing was installed"),
        "{said}"
    );
    assert!(!operator.plugin("installed --org customer").ok().contains("kitchen"));
    let (code, said) = answered("y");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("customer has kitchen 1.0.0 now"), "{said}");
}

/// The commands of the manual about plugins.
fn manual() -> String {
    let (_, section) = MANUAL.split_once("## Plugins by command\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    section.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap()).collect()
}

/// `notes-VERSION.stoa`, signed with this key.
fn notes(desk: &Desk, version: &str, key: &str) {
    let guests =
        std::env::var_os("STOA_GUESTS").unwrap_or_else(|| panic!("`cargo xtask test` builds the guests"));
    let guest = Path::new(&guests).join("notes");
    fs::create_dir(desk.path(version)).unwrap();
    for file in ["component.wasm", "sql.json"] {
        fs::copy(guest.join(file), desk.path(version).join(file)).unwrap();
    }
    let mut manifest: Value =
        serde_json::from_slice(&fs::read(guest.join("manifest.json")).unwrap()).unwrap();
    manifest["version"] = version.into();
    fs::write(desk.path(version).join("manifest.json"), manifest.to_string()).unwrap();
    let (made, said) = desk.said(&["pack", version, "--publisher", "Globex", "--key", key]);
    assert!(made, "{said}");
}

#[test]
fn the_commands_of_the_operators_manual_are_true() {
    let host = Host::start();
    let operator = Operator::of(&host);
    let _acme = host.organization("acme", &[]);
    let key = operator.desk.key("globex");
    ["1.0.0", "1.1.0"].into_iter().for_each(|version| notes(&operator.desk, version, "globex"));
    fs::create_dir(operator.desk.path("bin")).unwrap();
    std::os::unix::fs::symlink(fs::canonicalize(binary()).unwrap(), operator.desk.path("bin/stoa")).unwrap();
    let commands = manual();
    assert!(commands.lines().filter(|line| line.starts_with("stoa plugin ")).count() >= 12, "{commands}");
    let path = format!("{}:{}", operator.desk.path("bin").display(), std::env::var("PATH").unwrap());
    let said = Command::new("bash")
        .args(["-euxo", "pipefail", "-c", &commands])
        .current_dir(operator.desk.path(""))
        .env("PATH", path)
        .env("STOA_DATA", &operator.data)
        .env("PUBLIC_KEY", key)
        .output()
        .unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(said.status.success(), "{told}");
    // Every command of the catalogue and of organizations is shown there.
    for command in [
        "trust",
        "publishers",
        "publish",
        "list",
        "show",
        "install",
        "upgrade",
        "rollback",
        "disable",
        "enable",
        "pin",
        "unpin",
        "installed",
        "kill",
        "revive",
        "uninstall",
        "revoke",
    ] {
        assert!(told.contains(&format!("+ stoa plugin {command}")), "{command}: {told}");
        let help = operator.plugin(&format!("{command} --help"));
        help.tells(&["Example", &format!("stoa plugin {command}"), "--json"]);
    }
    assert_eq!(operator.plugin("publishers --json").json()["data"][0]["id"], "globex");
}
