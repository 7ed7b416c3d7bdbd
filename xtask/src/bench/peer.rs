//! The server to compare with: bench/peer, in a virtual environment of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use stoa_testkit::{Client, wait_for};
use tempfile::TempDir;

use super::processor::Tree;
use crate::fault::Fault;
use crate::workspace::{Workspace, run, say};

const INDUSTRIES: [&str; 8] =
    ["retail", "software", "medical", "finance", "marketing", "services", "employment", "entertainment"];

/// The n-th account; both servers hold the same (`seeded` in `bench/peer/app.py`).
pub(super) fn account(number: usize) -> Value {
    let industry = INDUSTRIES.get(number % INDUSTRIES.len()).copied().unwrap_or_default();
    json!({
        "name": format!("Account {number:06}"),
        "industry": industry,
        "kind": "customer",
        "website": format!("https://account-{number}.example"),
        "year_founded": 1950 + number % 70,
        "employees": number % 5_000,
        "country": "United States",
    })
}

/// A running peer with accounts in it.
pub(super) struct Peer {
    pub(super) client: Client,
    pub(super) address: String,
    pub(super) ids: Vec<String>,
    child: Child,
    /// Holds the database as long as the server runs.
    _folder: TempDir,
}

impl Peer {
    /// Installs what is missing, seeds `rows` accounts and starts the server.
    pub(super) fn start(workspace: &Workspace, rows: usize, workers: usize) -> Result<Self, Fault> {
        let source = workspace.root.join("bench/peer");
        let python = environment(workspace, &source)?;
        let folder = tempfile::tempdir().map_err(Fault::at("temporary folder"))?;
        let seeded = seed(&python, &source, folder.path(), rows)?;
        let port = free_port()?;
        let mut serve = base(&python, &source, folder.path());
        serve.args(["-m", "uvicorn", "app:app", "--host", "127.0.0.1", "--port", &port]);
        serve.args(["--workers", &workers.to_string(), "--loop", "uvloop", "--http", "httptools"]);
        serve.args(["--no-access-log", "--log-level", "warning"]).stdin(Stdio::null());
        let child = serve.spawn().map_err(Fault::at("starting the peer"))?;
        let address = format!("127.0.0.1:{port}");
        let client = Client::new(&address, "", seeded["token"].as_str());
        let ids = seeded["ids"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|id| Some(id.as_str()?.to_owned()))
            .collect();
        let peer = Self { client, address, ids, child, _folder: folder };
        wait_for("the peer", Duration::from_secs(60), || {
            peer.client
                .call("GET", "/healthz")
                .attempt()
                .is_ok_and(|answer| answer.status() == 200)
                .then_some(())
        });
        Ok(peer)
    }

    pub(super) fn tree(&self) -> Result<Tree, Fault> {
        Tree::of(self.child.id())
    }
}

impl Drop for Peer {
    /// Asks the parent first, so that it ends its workers; then ends whoever of its own is left.
    fn drop(&mut self) {
        let members = self.tree().map(|tree| tree.members()).unwrap_or_default();
        signal("-TERM", self.child.id());
        for _ in 0..200 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        for member in members {
            signal("-KILL", member);
        }
        let _ = self.child.wait();
    }
}

fn signal(name: &str, pid: u32) {
    let _ = Command::new("kill").args([name, &pid.to_string()]).stderr(Stdio::null()).status();
}

/// The Python of a virtual environment that holds exactly the pinned packages.
fn environment(workspace: &Workspace, source: &Path) -> Result<PathBuf, Fault> {
    let folder = workspace.target.join("bench-venv");
    let (python, stamp) = (folder.join("bin/python"), folder.join("installed.txt"));
    let pinned =
        fs::read_to_string(source.join("requirements.txt")).map_err(Fault::at("requirements.txt"))?;
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == pinned) {
        return Ok(python);
    }
    say(format_args!("the peer's Python packages are installed into {}", folder.display()));
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]);
    run(install.arg(source.join("requirements.txt")))?;
    fs::write(&stamp, pinned).map_err(Fault::at(stamp.display()))?;
    Ok(python)
}

fn base(python: &Path, source: &Path, folder: &Path) -> Command {
    let mut command = Command::new(python);
    command
        .current_dir(source)
        .env("PEER_DATABASE", folder.join("peer.sqlite"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn seed(python: &Path, source: &Path, folder: &Path, rows: usize) -> Result<Value, Fault> {
    let output = base(python, source, folder)
        .args(["app.py", "seed", &rows.to_string()])
        .output()
        .map_err(Fault::at("seeding the peer"))?;
    if !output.status.success() {
        return Err(Fault::new(format!("seeding the peer: {}", String::from_utf8_lossy(&output.stderr))));
    }
    serde_json::from_slice(&output.stdout).map_err(Fault::at("seeding the peer"))
}

fn free_port() -> Result<String, Fault> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(Fault::at("no free port"))?;
    Ok(listener.local_addr().map_err(Fault::at("no free port"))?.port().to_string())
}
